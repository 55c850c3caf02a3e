"""What a forwarding may point to: not to where the operator has stopped it, nobody, or a circle (F3, F5)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple, Protocol

from denwa.contracts.faults import ContractFault, Reason
from denwa.contracts.subscriber import State, Subscriber
from denwa.numbering import PhoneNumber


class StoppedForwarding(NamedTuple):
    """One forwarding that was stopped: numbers are E.164; `allowed_at` is None while it may not be set again."""

    key: int
    subscriber: str
    target: str
    reason: str  # the subscriber reads it
    stopped_at: datetime
    stopped_by: str
    allowed_at: datetime | None = None
    allowed_by: str = ""


class Forwardings(Protocol):
    """The part of a contracts transaction that is about forwarding."""

    def find(self, number: str) -> Subscriber | None: ...

    def stopped_forwardings(self, number: str) -> list[StoppedForwarding]:
        """Those of a subscriber that may not be set again, in the order in which they were stopped."""
        ...


def check_target(unit: Forwardings, subscriber: Subscriber, is_own: Callable[[str], bool]) -> None:
    """ContractFault(FORWARD_TARGET) when `subscriber` may not forward as it wants to. `is_own` says of a number (E.164)
    whether it is in the operator's ranges.

    F3: calls would come back after any number of forwardings among our own subscribers, or end at a number that nobody
    has. A circle of forwardings on no answer is one, too: it goes round when nobody answers.
    """
    target = subscriber.forward.target
    if any(stopped.target == target for stopped in unit.stopped_forwardings(subscriber.number)):
        raise _refused(target, "the operator has stopped this forwarding")
    if is_own(target) and _living(unit, target) is None:
        raise _refused(target, "nobody has this number")
    passed = {subscriber.number}
    following = target
    while following and following not in passed:
        passed.add(following)
        next_one = _living(unit, following)
        following = next_one.forward.target if next_one else ""
    if following:
        raise _refused(target, "its calls are forwarded, too, and would go round in a circle")


def _living(unit: Forwardings, number: str) -> Subscriber | None:
    found = unit.find(number)
    return found if found is not None and found.state is not State.TERMINATED else None


def _refused(target: str, why: str) -> ContractFault:
    return ContractFault(Reason.FORWARD_TARGET, f"forward: {_shown(target)}: {why}")


def _shown(number: str) -> str:
    return PhoneNumber(number).grouped()
