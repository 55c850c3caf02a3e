"""Guidance to a caller who is refused, as early media (N5, K2): 183, the prompt once, then the refusal. The call is
never answered and never charged; its record is written before anything is said."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from denwa.voip.calls.call import Call, CallState
from denwa.voip.context import Context
from denwa.voip.media.negotiation import has_sdp
from denwa.voip.proxy.attempt import RING, Branch, Setup, Target, TargetKind
from denwa.voip.proxy.forward import loop_mark, record_route
from denwa.voip.proxy.identity import strip_claims
from denwa.voip.proxy.ports import GuidancePlaces, Place
from denwa.voip.sip.message import Message

if TYPE_CHECKING:
    from denwa.voip.calls.dialogs import Dialogs

START_GUARD: Final = 2.0  # seconds a worker may take to say 183
LONGEST: Final = 17.0  # seconds from the 183 to the worker's refusal; it speaks for 15 at most


class Guidance:
    def __init__(
        self, ctx: Context, dialogs: Dialogs, places: GuidancePlaces, over: Callable[[Call, float], None]
    ) -> None:
        self._ctx = ctx
        self._dialogs = dialogs
        self._places = places
        self._over = over  # the caller has heard it, or does not want to
        self._listening: set[str] = set()  # subscribers who hear one now: each hears one at a time

    def begin(self, call: Call, setup: Setup, now: float) -> bool:
        """Let the caller hear why. False: there is nothing to be heard, nobody who could, or no place."""
        prepared = setup.prepared
        if setup.why is None or not setup.why.prompt or prepared is None:
            return False
        if call.direction != "outgoing":
            if not self._ctx.settings.guide_gateways:
                return False
        elif call.subscriber in self._listening:
            return False
        if not has_sdp(prepared):  # to an offer of ours the caller could only say something in an ACK
            return False
        if self._ctx.media.offer(call, prepared):
            return False
        place = self._places.guide(setup.why.prompt)
        self._ctx.counters["guidance", "no place" if place is None else setup.why.prompt] += 1
        if place is None:
            return False
        if call.direction == "outgoing":
            self._listening.add(call.subscriber)
        self._send(call, setup, prepared, place, now)
        return True

    def _send(self, call: Call, setup: Setup, prepared: Message, place: Place, now: float) -> None:
        ctx = self._ctx
        strip_claims(prepared)
        target = Target(TargetKind.GUIDANCE, place.uri, place.peer, START_GUARD)
        request = prepared
        if ctx.relaying is not None:  # who is behind a NAT, or cannot reach the workers' address, hears it, too (R4)
            request = ctx.relaying.invite(call, prepared, target) or prepared
        request.lines[0] = b"INVITE " + place.uri + b" SIP/2.0"
        key = ctx.new_branch(loop_mark(request, place.uri))
        routes = record_route(ctx, call.caller.peer, place.peer)
        data = request.encode_under(ctx.via_line(place.peer, key), *routes)
        branch = Branch(self, call, target, place.lease, 0)
        setup.branch = branch
        setup.tried.append(branch)
        branch.due = ctx.timers.start(branch, RING, START_GUARD, now)
        branch.client = ctx.layer.request(key, b"INVITE", data, place.peer, branch, now)

    def on_response(self, branch: Branch, response: Message, now: float) -> None:
        ctx = self._ctx
        call = branch.call
        if 200 <= response.status < 300:  # a worker never answers; this one is told so, the caller is not
            self._dialogs.dismiss(branch.client, response, now, only_ack=False)
        if call is None or branch.given_up:
            if response.status < 200:
                branch.send_cancel(ctx.layer, now)
        elif response.status >= 200:
            self._end(call, branch, now)
        else:
            branch.provisional = True
            if branch.cancel_wanted:
                branch.send_cancel(ctx.layer, now)
            elif response.status != 100:
                branch.due = ctx.timers.start(branch, RING, LONGEST, now)
                ctx.media.response(call, response, late_offer=False)
                if call.relay is not None and ctx.relaying is not None:
                    ctx.relaying.response(call, response, from_caller=False, late_offer=False)
                self._dialogs.answer_caller(call, call.setup.server, response, now)

    def on_silence(self, branch: Branch, now: float) -> None:
        if branch.call is not None and not branch.given_up:
            self._end(branch.call, branch, now)

    def on_ring_over(self, branch: Branch, kind: int, now: float) -> None:
        """It takes too long, or the 487 after a CANCEL does not come."""
        if branch.call is None or branch.given_up:
            return
        if branch.provisional:
            branch.send_cancel(self._ctx.layer, now)
        self._end(branch.call, branch, now)

    def _end(self, call: Call, branch: Branch, now: float) -> None:
        branch.given_up = True
        branch.due = 0.0
        self._places.release(branch.lease)
        if call.direction == "outgoing":
            self._listening.discard(call.subscriber)
        if call.state is CallState.SETUP:
            self._over(call, now)
