"""Limits that one subscriber has instead of the service's (C6): what the operator agreed with it, or decided. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from denwa.voip.proxy.spending import SpendLimits


class OwnLimits(NamedTuple):
    """None: as for everybody. `calls` at once; `call_seconds` and yen: 0 is no limit."""

    calls: int | None = None
    calls_per_minute: int | None = None
    call_seconds: int | None = None
    day_yen: int | None = None
    month_yen: int | None = None
    international_day_yen: int | None = None

    def spend(self, usual: SpendLimits) -> SpendLimits:
        """What this subscriber may spend where everybody may spend `usual`."""
        return SpendLimits(
            usual.day if self.day_yen is None else self.day_yen,
            usual.month if self.month_yen is None else self.month_yen,
            usual.international_day if self.international_day_yen is None else self.international_day_yen,
        )


NOTHING_OWN = OwnLimits()


def call_seconds_of(own: Mapping[str, OwnLimits]) -> dict[str, int]:
    """By subscriber: the longest call of those who have a limit of their own for it."""
    return {number: one.call_seconds for number, one in own.items() if one.call_seconds is not None}
