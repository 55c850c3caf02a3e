"""The operator stops a forwarding, and allows it again (F5).

料金表 第3 備考 3 (4): when the holder of the number forwarded to complains of wrong numbers, the operator can stop that
forwarding. It stays stopped: the subscriber cannot set this target again until the operator allows it.
"""

from __future__ import annotations

from dataclasses import replace

from denwa.contracts.faults import ContractFault, Reason
from denwa.contracts.notices import forwarding_notice
from denwa.contracts.standing import Clerk
from denwa.contracts.stopped_forwarding import StoppedForwarding
from denwa.contracts.subscriber import Forward, ForwardMode, State
from denwa.numbering import PhoneNumber

MAX_REASON = 200  # characters


def stop_forwarding(clerk: Clerk, number: str, reason: str) -> StoppedForwarding:
    """Switch a forwarding off, tell the subscriber, and keep it off (F5). ContractFault(STATE) when there is none."""
    if not reason.strip() or len(reason) > MAX_REASON or not reason.replace("\u3000", " ").isprintable():
        raise ContractFault(Reason.BAD_VALUE, f"reason: 1 to {MAX_REASON} printable characters")
    subscriber = clerk.unit.find(number)
    if subscriber is None:
        raise ContractFault(Reason.UNKNOWN_SUBSCRIBER, f"{_shown(number)} is not a subscriber")
    target = subscriber.forward.target
    if subscriber.forward.mode is ForwardMode.OFF or subscriber.state is State.TERMINATED:
        raise ContractFault(Reason.STATE, f"{_shown(number)} does not forward its calls")
    stopped = clerk.unit.add_stopped_forwarding(number, target, reason)
    what = f"forward {subscriber.forward.mode}:{target} -> off, stopped: {reason}"
    clerk.unit.replace(replace(subscriber, forward=Forward(), changed_at=clerk.now), what)
    clerk.unit.add_notice(forwarding_notice(clerk.addressee(subscriber), target, reason, stopped.key, clerk.day))
    return stopped


def allow_forwarding(clerk: Clerk, number: str, target: str) -> None:
    """The subscriber may set this target again; nothing is switched on. ContractFault(STATE) if it was not stopped."""
    stopped = [one for one in clerk.unit.stopped_forwardings(number) if one.target == target]
    if not stopped:
        raise ContractFault(Reason.STATE, f"no forwarding of {_shown(number)} to {_shown(target)} was stopped")
    clerk.unit.allow_forwarding([one.key for one in stopped])
    clerk.unit.log([number], f"forwarding to {target} allowed again")


def _shown(number: str) -> str:
    return PhoneNumber(number).grouped()
