"""When the running service takes the daily step (L2)."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import pytest

from denwa.cli.billing_day import BillingDay, seconds_until
from denwa.contracts.billing_run import Report
from denwa.contracts.notices import Addressee, dormancy_notice

NINE = datetime(2026, 11, 21, 0, 0, tzinfo=UTC)  # in Tokyo
TODAY = date(2026, 11, 21)


@pytest.mark.parametrize(
    ("now", "done_on", "seconds"),
    [
        (datetime(2026, 11, 20, 15, 0, tzinfo=UTC), None, 9 * 3600.0),  # midnight in Tokyo
        (NINE, None, 0.0),
        (datetime(2026, 11, 21, 14, 59, tzinfo=UTC), None, 0.0),  # started late in the evening
        (NINE, date(2026, 11, 20), 0.0),
        (NINE, TODAY, 24 * 3600.0),
        (datetime(2026, 11, 21, 14, 0, tzinfo=UTC), TODAY, 10 * 3600.0),
    ],
)
def test_the_step_is_due_once_a_day_from_its_hour_on(now: datetime, done_on: date | None, seconds: float) -> None:
    assert seconds_until(now, 9, done_on) == seconds


@dataclass
class Steps:
    """Stands for a BillingRun; fails as often as it is told to."""

    failures: int = 0
    days: list[date] = field(default_factory=list)

    def run(self, day: date, who: str, now: datetime) -> Report:
        self.days.append(day)
        if len(self.days) <= self.failures:
            raise OSError("the database is away")
        notice = dormancy_notice(Addressee("+815050010001", "", "Denwa"), day, day)
        return Report(day, given=[notice])


def test_a_step_that_gave_notices_wakes_the_mail() -> None:
    woken: list[bool] = []
    steps: Any = Steps()
    billing = BillingDay(steps, 9, lambda: woken.append(True), lambda: NINE)
    asyncio.run(billing.take())
    assert (steps.days, billing.done_on, woken) == ([TODAY], TODAY, [True])


def test_a_step_that_failed_is_taken_again(caplog: pytest.LogCaptureFixture) -> None:
    steps: Any = Steps(failures=1)
    billing = BillingDay(steps, 9, lambda: None, lambda: NINE)
    with caplog.at_level(logging.ERROR):
        asyncio.run(billing.take())
    assert billing.done_on is None
    assert "tried again" in caplog.text
    assert seconds_until(NINE, 9, billing.done_on) == 0.0
    asyncio.run(billing.take())
    assert billing.done_on == TODAY
