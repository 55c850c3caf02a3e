"""What the wire says of a call, and whether its record says the same."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

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


def assert_lasted(record: Record, answered: float, ended: float) -> None:
    """C4: measured from the answer to the end as seen on the wire, to 50 ms; and the columns agree with one another."""
    duration = int(record["duration_ms"])
    assert abs(duration - (ended - answered) * 1000) <= TOLERANCE_MS, (record, answered, ended)
    assert abs(instant(record["answered_at"]) - answered) * 1000 <= TOLERANCE_MS, (record, answered)
    assert round((instant(record["ended_at"]) - instant(record["answered_at"])) * 1000) == duration, record
    assert int(record["units"]) == -(-duration // STEP_MS), record


def assert_unanswered(record: Record, cause: str, status: int) -> None:
    assert (record["answered_at"], record["duration_ms"], record["charge_yen"] or "0") == ("", "0", "0"), record
    assert (record["end_cause"], int(record["sip_status"])) == (cause, status), record


def converse(service: Service, caller: PhoneCall, callee: PhoneCall, seconds: float, by_callee: bool = False) -> Record:
    """Talk on an answered call, hang up, and check the one record against what the two phones saw."""
    caller.wait("confirmed")
    answered = callee.wait("answered")["at"]
    talk(seconds)
    ended = (callee if by_callee else caller).hangup()["at"]
    caller.ended()
    callee.ended()
    record = service.record(caller.call_id)
    assert_lasted(record, answered, ended)
    assert record["end_cause"] == ("callee" if by_callee else "caller")
    return record
