"""Who may hear a box from a phone that is not the subscriber's own: number and PIN, and the lock-out (V6).

A number without a box, one without a PIN and a wrong PIN cannot be told apart, neither by the answer nor by its time.
The own phone needs no PIN and is never locked out.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from denwa.numbering import PhoneNumber
from denwa.numbering.spelling import NumberFault
from denwa.voicemail.pins import PinHashes
from denwa.voicemail.ports import Owners, Pins


class Verdict(StrEnum):
    OPEN = "open"
    WRONG = "wrong"
    LOCKED = "locked"


class Judged(NamedTuple):
    """`mailbox` (E.164): of an open one."""

    verdict: Verdict
    mailbox: str = ""


class Access:
    """Blocks: call it in a thread."""

    def __init__(self, pins: Pins, owners: Owners, hashes: PinHashes) -> None:
        self._pins = pins
        self._owners = owners
        self._hashes = hashes

    def judge(self, keyed: str, pin: str, now: datetime) -> Judged:
        """`keyed`: the number as the caller keyed it, digits only."""
        number = _number(keyed)
        if self._pins.begin_try(number, now) is not None:
            return Judged(Verdict.LOCKED)
        right = self._hashes.verify(self._pins.pin_hash(number), number, pin)
        if self._owners.owner(number) is None or not right:
            return Judged(Verdict.WRONG)
        self._pins.try_was_right(number)
        return Judged(Verdict.OPEN, number)

    def forget(self, now: datetime) -> None:
        """Drop what must not be kept."""
        self._pins.forget(now)


def _number(keyed: str) -> str:
    """E.164; what is no number is treated as one that nobody has."""
    try:
        return PhoneNumber.parse(keyed).e164
    except NumberFault:
        return "+" + keyed[:15]
