"""What the box by phone says, as names of prompts in the order in which they are played (V6). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

JAPAN = timezone(timedelta(hours=9), "JST")
MOST_COUNTED = 10  # there is a prompt for each count up to it
_WITHOUT_NUMBER = {"": "caller-unknown", "anonymous": "hidden-number", "payphone": "caller-payphone"}


@dataclass(frozen=True, slots=True)
class Entry:
    """A message as the box tells it. `caller`: the digits to say, "" when there are none; `hidden_reason` as in B4;
    `called_at_ms`: ms since 1970 UTC."""

    id: int
    caller: str
    hidden_reason: str
    called_at_ms: int
    heard: bool


def in_order(entries: Iterable[Entry]) -> list[Entry]:
    """New ones first, each kind oldest first."""
    return sorted(entries, key=lambda entry: (entry.heard, entry.called_at_ms, entry.id))


def counts(entries: Sequence[Entry]) -> tuple[str, ...]:
    """How many are new, how many were heard before."""
    if not entries:
        return ("box-empty",)
    heard = sum(entry.heard for entry in entries)
    said: list[str] = []
    for kind, number in (("box-new", len(entries) - heard), ("box-stored", heard)):
        if number:
            said += [kind, f"count-{number}" if number <= MOST_COUNTED else "count-more"]
    return tuple(said)


def header(entry: Entry) -> tuple[str, ...]:
    """Who called, digit by digit, and when."""
    return (*_caller(entry), *moment(entry.called_at_ms), "box-received")


def moment(millis: int) -> tuple[str, ...]:
    """Month, day, 午前 or 午後, hour, minute in Japan; a full hour has no minutes."""
    at = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=millis)).astimezone(JAPAN)
    said = (f"month-{at.month}", f"day-{at.day}", "time-pm" if at.hour >= 12 else "time-am", f"hour-{at.hour % 12}")
    return (*said, f"minute-{at.minute}") if at.minute else said


def _caller(entry: Entry) -> tuple[str, ...]:
    if not entry.caller:
        return (_WITHOUT_NUMBER.get(entry.hidden_reason, "caller-unknown"),)
    return ("call-from", *(f"digit-{digit}" for digit in entry.caller))


def needed() -> frozenset[str]:
    """Every prompt that can be asked for."""
    numbered = (("count", 1, 10), ("digit", 0, 9), ("month", 1, 12), ("day", 1, 31), ("hour", 0, 11), ("minute", 1, 59))
    spoken = {f"{kind}-{n}" for kind, first, last in numbered for n in range(first, last + 1)}
    whole = "box-new box-stored box-empty count-more call-from box-received time-am time-pm"
    return frozenset(spoken | set(whole.split()) | set(_WITHOUT_NUMBER.values()))
