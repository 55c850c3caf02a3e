"""What the wire says of a call, and whether its record says the same."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from tests.peers.phone import PhoneCall
from tests.peers.service import Record, Service
from tests.peers.talk import talk

TOLERANCE_MS = 50
STEP_MS = 30_000
ALICE, BOB, CAROL, DAVE, ERIN = (f"0505001000{n}" for n in range(1, 6))


def account(number: str) -> str:
    """SIP account of a 050 number (N2)."""
    return number.removeprefix("050")


def login(number: str) -> dict[str, Any]:
    """SIPp's part of a demo subscriber."""
    return {"user": account(number), "password": f"demo-{account(number)}"}


def instant(text: str) -> float:
    """Seconds since 1970 of a record's ISO 8601 time, which must name its offset; Asia/Tokyo is asked for."""
    at = datetime.fromisoformat(text)
    assert at.utcoffset() == timedelta(hours=9), text
    return at.timestamp()


class Moment(NamedTuple):
    """When a message left one end and when the other end had it: the service saw it in between.

    SIPp notes what it sends afterwards; on a busy machine the other end may have it by then.
    """

    sent: float
    seen: float

    @property
    def at(self) -> float:
        return min(self)

    @property
    def spread(self) -> float:
        return abs(self.seen - self.sent)


def assert_lasted(record: Record, answered: Moment, ended: Moment) -> None:
    """C4: measured from the answer to the end as seen on the wire, to 50 ms; and the columns agree with one another.

    On a busy machine a message may be on its way for longer; by so much the record may differ, too.
    """
    duration = int(record["duration_ms"])
    tolerance = TOLERANCE_MS + (answered.spread + ended.spread) * 1000
    assert abs(duration - (ended.at - answered.at) * 1000) <= tolerance, (record, answered, ended)
    assert abs(instant(record["answered_at"]) - answered.at) * 1000 <= tolerance, (record, answered)
    assert round((instant(record["ended_at"]) - instant(record["answered_at"])) * 1000) == duration, record
    assert int(record["units"]) == -(-duration // STEP_MS), record


def assert_unanswered(record: Record, cause: str, status: int) -> None:
    assert (record["answered_at"], record["duration_ms"], record["charge_yen"] or "0") == ("", "0", "0"), record
    assert (record["end_cause"], int(record["sip_status"])) == (cause, status), record


def picked_up(caller: PhoneCall, callee: PhoneCall) -> Moment:
    """Wait for the answer of a call between two phones."""
    return Moment(callee.event("answer")["at"], caller.wait("confirmed")["at"])


def hang_up(one: PhoneCall, other: PhoneCall) -> Moment:
    """One of two phones hangs up; both recordings are closed when this returns."""
    sent = one.hangup()["at"]
    one.ended()
    return Moment(sent, other.ended()["at"])


def converse(service: Service, caller: PhoneCall, callee: PhoneCall, seconds: float, by_callee: bool = False) -> Record:
    """Talk on an answered call, hang up, and check the one record against what the two phones saw."""
    answered = picked_up(caller, callee)
    talk(seconds)
    ended = hang_up(callee, caller) if by_callee else hang_up(caller, callee)
    record = service.record(caller.call_id)
    assert_lasted(record, answered, ended)
    assert record["end_cause"] == ("callee" if by_callee else "caller")
    return record
