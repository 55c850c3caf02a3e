"""The end of a call that nobody answered: its record, the guidance that the caller may hear, and the last answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from denwa.voip.calls.call import Call, CallState, EndCause
from denwa.voip.context import Context
from denwa.voip.proxy.guidance import Guidance
from denwa.voip.proxy.ports import GuidancePlaces
from denwa.voip.sip.message import FROM
from denwa.voip.sip.response import make_response, reason_header

if TYPE_CHECKING:
    from denwa.voip.calls.dialogs import Dialogs
    from denwa.voip.proxy.attempt import Setup


class Unanswered:
    def __init__(self, ctx: Context, dialogs: Dialogs, places: GuidancePlaces | None) -> None:
        self._ctx = ctx
        self._dialogs = dialogs
        self._guidance = Guidance(ctx, dialogs, places, self.end) if places is not None else None

    def end(self, call: Call, now: float) -> None:
        """No target is left, or the caller has given up. The record is written when that is known; what the caller
        hears then changes nothing in it."""
        setup: Setup = call.setup
        if not setup.recorded:
            setup.recorded = True
            self._record(call, setup)
            if self._guidance is not None and not setup.cancelled and self._guidance.begin(call, setup, now):
                return
        self._answer(call, setup, now)
        call.state = CallState.ENDED
        setup.let_go()
        call.setup = None
        self._dialogs.forget(call)

    def _record(self, call: Call, setup: Setup) -> None:
        ctx = self._ctx
        status, _, text = setup.failure
        reason, cause = "", EndCause.CANCELLED
        if setup.cancelled:
            status = 487
        elif setup.why is None:
            cause = _cause_of(status)
        else:
            reason, cause = setup.why.name, setup.why.end_cause
            ctx.counters["refused_calls", reason] += 1
            ctx.note_refusal(setup.server.request, status, text)
        call.voicemail = False
        ctx.group.calls.append(call.entry(ctx.now_ms, cause, status, reason))
        if call.forwarded:
            ctx.group.calls += call.forwarded_entries(ctx.now_ms, cause, status)
        ctx.counters["calls", cause] += 1

    def _answer(self, call: Call, setup: Setup, now: float) -> None:
        ctx = self._ctx
        server = setup.server
        status, data, text = (487, None, "cancelled") if setup.cancelled else setup.failure
        if data is None:
            request = server.request
            if request is None:
                return
            server.to_tag = server.to_tag or ctx.token()
            why = None if setup.cancelled else setup.why
            line = why.line(text, status) if why is not None else reason_header(status, text)
            request.replace(FROM, b"From: " + call.caller_true)
            data = make_response(request, status, server.to_tag, [line, *setup.extra])
        ctx.layer.respond(server, status, data, now)


def _cause_of(status: int) -> str:
    if status in (486, 600):
        return EndCause.BUSY
    if status == 603:
        return EndCause.REJECTED
    return EndCause.NO_ANSWER if status in (408, 480, 487) else EndCause.FAILED
