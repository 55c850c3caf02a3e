"""Calls that the service ends though nobody hung up: an operator's cut, or the standing of a subscriber (L2, N2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum
from typing import Final

from denwa.voip.calls.call import Call, CallState, CallTable, EndCause
from denwa.voip.calls.endings import Endings
from denwa.voip.calls.parties import subscriber_at
from denwa.voip.context import Context, printable


class Stop(Enum):
    """Why calls of a subscriber are stopped: its Reason text, and the Q.850 cause that the telephone network knows."""

    OPERATOR = ("ended by the operator", 31)
    PASSWORD = ("the SIP password was changed", 21)  # N2: a device that holds the old one stops within seconds
    SUSPENDED = ("this subscriber may not call out at present", 21)  # L2: no outgoing calls
    TERMINATED = ("the contract has ended", 21)
    VOICEMAIL_LOST = ("voicemail was lost", 41)  # its worker died: the caller would speak to nobody

    @property
    def reason(self) -> bytes:
        """The Reason header of both BYEs (RFC 3326)."""
        text, cause = self.value
        return b'Reason: Q.850;cause=%d;text="%b"' % (cause, text.encode())

    @property
    def end_cause(self) -> str:
        """What the record says: a fault of the service's own changes the charge (T3)."""
        return EndCause.NETWORK_FAULT if self is Stop.VOICEMAIL_LOST else EndCause.SERVICE


_AT_ITS_PHONE: Final = frozenset((Stop.PASSWORD, Stop.TERMINATED))
_ON_ITS_BILL: Final = frozenset((Stop.SUSPENDED, Stop.TERMINATED))


class CallCutter:
    def __init__(
        self, ctx: Context, table: CallTable, endings: Endings, give_up: Callable[[Call, float], None]
    ) -> None:
        self._ctx = ctx
        self._table = table
        self._endings = endings
        self._give_up = give_up  # of a call that is being set up

    def cut(self, call_id: bytes, now: float, why: Stop = Stop.OPERATOR) -> int:
        """End the calls with this Call-ID, as the caller sent it or as its record has it; how many there were."""
        found = [call for call in self._going_on() if call_id in (call.call_id, printable(call.call_id).encode())]
        return self._stop(found, why, now)

    def stop(self, number: str, why: Stop, now: float) -> int:
        """End the calls of a subscriber (E.164) that `why` concerns; how many there were."""
        return self._stop([call for call in self._going_on() if self._concerns(call, number, why)], why, now)

    def _going_on(self) -> Iterator[Call]:
        return (call for call in self._table if call.state is not CallState.ENDED)

    def _concerns(self, call: Call, number: str, why: Stop) -> bool:
        """Its outgoing and forwarded calls are on its bill; its password opened those that its phone takes part in."""
        if subscriber_at(self._ctx, call, caller=True) == number:
            return True
        if why in _ON_ITS_BILL and any(part.subscriber == number for part in call.forwarded):
            return True
        if why is Stop.TERMINATED and call.voicemail and call.number_to == number:
            return True
        return why in _AT_ITS_PHONE and subscriber_at(self._ctx, call, caller=False) == number

    def _stop(self, calls: list[Call], why: Stop, now: float) -> int:
        ctx = self._ctx
        for call in calls:
            ctx.note(f"call {printable(call.call_id)}: {why.value[0]}, ended")
            ctx.counters["stopped_calls", why.name.lower()] += 1
            if call.state is CallState.UP:
                self._endings.cut(call, why.end_cause, ctx.now_ms, now, why.reason)
            elif call.state is CallState.ANSWERING:  # as soon as the answer is on disk
                call.cut_due, call.cut_reason = now, why.reason
            else:
                self._give_up(call, now)
        return len(calls)
