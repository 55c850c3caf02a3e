"""Setting a call up: the request as it goes on, its targets one after the other, and what they answer.

phone -> (ring time, busy, not registered) -> voicemail; or a gateway. CANCEL, 2xx crossing CANCEL, and a 2xx that
comes after its branch was given up are all decided here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from denwa.voip.calls.call import Call, CallState, Leg
from denwa.voip.calls.screen import note_target
from denwa.voip.calls.session import agree_timer
from denwa.voip.context import Context
from denwa.voip.media.relaying import NO_PORTS
from denwa.voip.proxy.attempt import GUARD, RING, SILENCE, Branch, Setup, Target, TargetKind
from denwa.voip.proxy.forward import foreign_routes, loop_mark, record_route
from denwa.voip.proxy.outward import SILENCE_LIMIT, Outward, Verdict
from denwa.voip.proxy.ports import GuidancePlaces, NoPlace, Place, PlaceRequest, VoicemailPlaces
from denwa.voip.proxy.refusal import (
    GATEWAY_REFUSES_US,
    GATEWAY_SILENT,
    MAILBOX_FULL,
    NO_COMMON_MEDIA,
    NO_PLACE,
    NO_RELAY,
    NOT_REACHED,
    VOICEMAIL_SILENT,
)
from denwa.voip.proxy.unanswered import Unanswered
from denwa.voip.sip.fields import FieldFault, address_uri, tag_of
from denwa.voip.sip.message import CONTACT, TO, Message

if TYPE_CHECKING:
    from denwa.voip.calls.dialogs import Dialogs
    from denwa.voip.proxy.admission import Admission
    from denwa.voip.proxy.forwarding import Forwarding

# Failures of a phone that mean "does not answer" (F1, V1): the next target takes the call.
NO_ANSWER: Final = frozenset((401, 404, 407, 408, 410, 480, 481, 482, 483, 487, 500, 502, 503, 504))
BUSY: Final = frozenset((486, 600, 603))
_SILENT: Final = {TargetKind.PHONE: NOT_REACHED, TargetKind.VOICEMAIL: VOICEMAIL_SILENT}
CANCEL_GUARD: Final = 5.0  # seconds to wait for the 487 after a CANCEL
ANSWER_GUARD: Final = 6.0  # seconds a voicemail worker may take to answer
GATEWAY_RING: Final = 180.0  # timer C (RFC 3261 §16.6 step 11)


class CallSetup:
    def __init__(
        self,
        ctx: Context,
        admission: Admission,
        dialogs: Dialogs,
        forwarding: Forwarding,
        voicemail: VoicemailPlaces | None,
        guidance: GuidancePlaces | None,
    ) -> None:
        self._ctx = ctx
        self._admission = admission
        self._dialogs = dialogs
        self._forwarding = forwarding
        self._outward = Outward(ctx, dialogs.table)
        self._voicemail = voicemail
        self._unanswered = Unanswered(ctx, dialogs, guidance)

    # -- targets --------------------------------------------------------------------------------------------------

    def start(self, call: Call, now: float) -> None:
        """Begin with the first target."""
        self._admission.begin(call.subscriber)
        self._next(call, now)

    def refuse(self, call: Call, now: float) -> None:
        """There is no target: `call.setup` says why."""
        self._admission.begin(call.subscriber)
        self._unanswered.end(call, now)

    def _next(self, call: Call, now: float) -> None:
        ctx = self._ctx
        setup: Setup = call.setup
        setup.branch = None
        if setup.cancelled or not setup.targets:
            self._unanswered.end(call, now)
        else:
            target = setup.targets.popleft()
            if target.kind is TargetKind.VOICEMAIL:
                self._ask_place(call, setup, now)
            elif target.kind is TargetKind.FORWARD:
                self._forwarding.divert(call, setup, now)
                self._next(call, now)
            elif target.kind is TargetKind.SLEEPING and ctx.waking is not None:
                ctx.waking.wake(call, target, self._next, now)
            else:
                self._forward(call, setup, target, "", now)

    def _forward(self, call: Call, setup: Setup, target: Target, lease: str, now: float, tries: int = 0) -> None:
        ctx = self._ctx
        request = setup.prepared
        if request is None:
            return
        setup.why = None
        if target.line is not None and ctx.lines.dressing:
            request = self._outward.written(call, request, target.line, target.uri, tries)
        if ctx.relaying is not None:
            relayed = ctx.relaying.invite(call, request, target)
            if relayed is None:
                self._without_relay(call, setup, lease, now)
                return
            request = relayed
        request.lines[0] = b"INVITE " + target.uri + b" SIP/2.0"
        key = ctx.new_branch(loop_mark(request, request.uri))
        data = request.encode_under(ctx.via_line(target.peer, key), *record_route(ctx, call.caller.peer, target.peer))
        branch = Branch(self, call, target, lease, tries)
        setup.branch = branch
        setup.tried.append(branch)
        if target.line is not None and not tries:
            ctx.lines.count(target.line.trunk, "tried")
        if target.line is not None and setup.targets:
            branch.due = ctx.timers.start(branch, SILENCE, SILENCE_LIMIT, now)
        else:
            branch.due = ctx.timers.start(branch, RING, target.ring_time, now)
        branch.client = ctx.layer.request(key, b"INVITE", data, target.peer, branch, now)

    def _without_relay(self, call: Call, setup: Setup, lease: str, now: float) -> None:
        """A caller that hides cannot be shown to this target (N7)."""
        if lease and self._voicemail is not None:
            self._voicemail.release(lease)
        setup.failure = (503, None, NO_PORTS)
        setup.why = NO_RELAY
        self._next(call, now)

    def _ask_place(self, call: Call, setup: Setup, now: float) -> None:
        if self._voicemail is not None and setup.box is not None:
            call_id = call.call_id.decode("utf-8", "replace")
            self._voicemail.visit(setup.box, call_id, lambda answer, now: self._on_place(call, setup, answer, now))
            return
        if self._voicemail is None or setup.mailbox is None:
            self._next(call, now)
            return
        wish = PlaceRequest(
            setup.mailbox.number,
            setup.mailbox.account.decode(),
            "" if setup.hidden else call.number_from,
            setup.hidden,
            call.call_id.decode("utf-8", "replace"),
            setup.cause,
        )
        self._voicemail.request(wish, lambda answer, now: self._on_place(call, setup, answer, now))

    def _on_place(self, call: Call, setup: Setup, answer: Place | NoPlace, now: float) -> None:
        if call.setup is not setup or call.state is not CallState.SETUP:
            self._give_back(answer)  # the caller gave up meanwhile
        elif isinstance(answer, NoPlace):
            setup.failure = (answer.status, None, answer.reason)
            setup.why = MAILBOX_FULL if answer.full else NO_PLACE
            self._next(call, now)
        else:
            call.voicemail = True
            target = Target(TargetKind.VOICEMAIL, answer.uri, answer.peer, ANSWER_GUARD)
            self._forward(call, setup, target, answer.lease, now)

    def _give_back(self, answer: Place | NoPlace) -> None:
        if isinstance(answer, Place) and self._voicemail is not None:
            self._voicemail.release(answer.lease)

    # -- what targets say -----------------------------------------------------------------------------------------

    def on_response(self, branch: Branch, response: Message, now: float) -> None:
        call = branch.call
        if call is None:
            if branch.given_up:
                self._late(branch, response, now)
            return
        setup: Setup | None = call.setup
        if branch.given_up or setup is None or (setup.branch is not branch and not self._is_answer(call, branch)):
            self._late(branch, response, now)
        elif response.status < 200:
            self._on_provisional(call, setup, branch, response, now)
        elif response.status < 300:
            self._on_answer(call, setup, branch, response, now)
        else:
            self._on_failure(call, setup, branch, response, now)

    def _is_answer(self, call: Call, branch: Branch) -> bool:
        return call.state is not CallState.SETUP and not branch.given_up

    def _on_provisional(self, call: Call, setup: Setup, branch: Branch, response: Message, now: float) -> None:
        branch.provisional = True
        if branch.cancel_wanted:
            branch.send_cancel(self._ctx.layer, now)
        if response.status != 100 and call.state is CallState.SETUP:
            branch.rang = True
            if branch.kind is TargetKind.GATEWAY and not setup.cancelled:
                branch.due = self._ctx.timers.start(branch, RING, GATEWAY_RING, now)
            if response.body:
                self._ctx.media.response(call, response, late_offer=setup.late_offer)
                self._relayed_media(call, response, setup)
            if call.forwarded:
                note_target(self._ctx, call, response)
            self._dialogs.answer_caller(call, setup.server, response, now)

    def _on_answer(self, call: Call, setup: Setup, branch: Branch, response: Message, now: float) -> None:
        ctx = self._ctx
        tag = tag_of(response.value(TO) or b"")
        if call.state is not CallState.SETUP:
            if tag != call.callee.tag:
                self._late(branch, response, now)
            elif call.state is not CallState.ANSWERING:
                agree_timer(response, setup.asked_interval, setup.timer_supported)  # as in the first one
                ctx.media.response(call, response, late_offer=setup.late_offer)
                self._relayed_media(call, response, setup)
                self._dialogs.answer_caller(call, setup.server, response, now)
            return
        if unacceptable := ctx.media.response(call, response, late_offer=setup.late_offer):
            self._refuse_answer(call, setup, branch, response, unacceptable, now)
            return
        self._relayed_media(call, response, setup)
        try:
            contact = address_uri(response.value(CONTACT) or b"")
        except FieldFault:
            contact = b""
        peer = branch.client.peer if branch.client else call.caller.peer
        call.callee = Leg(peer, tag, contact, 0, foreign_routes(ctx, response, above_ours=True))
        call.callee_to = response.value(TO) or b""
        call.answered_ms = ctx.now_ms
        call.state = CallState.ANSWERING
        call.session_interval = agree_timer(response, setup.asked_interval, setup.timer_supported)
        branch.due = 0.0
        line = branch.target.line
        if line is not None:
            ctx.lines.count(line.trunk, "answered")
            if not line.health.spotless:
                ctx.lines.good(line, now)
        ctx.group.calls.append(call.entry(None, "", 200))
        if call.forwarded:
            ctx.group.calls += call.forwarded_entries(None, "", 200)
        ctx.hold(self._release, (call, setup, response))

    def _relayed_media(self, call: Call, response: Message, setup: Setup) -> None:
        if call.relay is not None and self._ctx.relaying is not None:
            self._ctx.relaying.response(call, response, from_caller=False, late_offer=setup.late_offer)

    def _refuse_answer(
        self, call: Call, setup: Setup, branch: Branch, response: Message, text: str, now: float
    ) -> None:
        """A 2xx whose offer nobody may answer (C3): it is taken and ended at once, the caller gets 488."""
        self._outward.left(branch.target.line, cancelled=False)
        branch.due = 0.0
        branch.given_up = True
        self._dismiss_lease(branch)
        self._late(branch, response, now)
        setup.targets.clear()
        setup.failure = (488, None, f"{text} in the answer")
        setup.why = NO_COMMON_MEDIA
        self._next(call, now)

    def _release(self, waiting: tuple[Call, Setup, Message], now: float) -> None:
        """The answer is on disk: the caller may have it."""
        call, setup, response = waiting
        if call.state is CallState.ANSWERING:
            call.state = CallState.UP
        self._ctx.counters["calls", "answered"] += 1
        self._dialogs.answer_caller(call, setup.server, response, now)
        setup.prepared = None
        if call.state is CallState.UP:
            self._dialogs.watch(call, now)

    def _on_failure(self, call: Call, setup: Setup, branch: Branch, response: Message, now: float) -> None:
        status = response.status
        branch.due = 0.0
        branch.given_up = True
        self._dismiss_lease(branch)
        if setup.cancelled or branch.timed_out:
            self._outward.left(branch.target.line, cancelled=True)
        if setup.cancelled:
            self._unanswered.end(call, now)
            return
        if branch.timed_out:
            setup.failure = (480, None, "no answer")
            setup.cause = 408
        elif branch.kind is TargetKind.PHONE and (status in NO_ANSWER or status in BUSY or status < 400):
            # What such a phone says of itself (a challenge, a loop, another number) is not for the caller.
            plain = status in BUSY or status in (480, 487)
            setup.failure = (status, self._relayed(call, response), "") if plain else (480, None, "not reachable")
            setup.why = None if plain else NOT_REACHED
            setup.cause = 486 if status in BUSY else 480
        elif branch.kind is TargetKind.VOICEMAIL:
            setup.failure = (VOICEMAIL_SILENT.status, None, VOICEMAIL_SILENT.text)
            setup.why = VOICEMAIL_SILENT
        elif branch.target.line is not None:
            if self._at_gateway(call, setup, branch, response, now):
                return
        else:
            setup.targets.clear()
            setup.failure = (status, self._relayed(call, response), "")
        if call.forwarded:
            setup.failure = _after_forwarding(status)
            setup.why = None
        self._next(call, now)

    def _at_gateway(self, call: Call, setup: Setup, branch: Branch, response: Message, now: float) -> bool:
        """A gateway refuses. True: the call is tried at it once more, with credentials."""
        line = branch.target.line
        if line is None:
            return False
        verdict = self._outward.judge(call, line, response, branch.rang, branch.tries, now)
        if verdict is Verdict.AGAIN:
            self._forward(call, setup, branch.target, "", now, branch.tries + 1)
            return True
        if verdict is Verdict.UNKNOWN_TO_IT:  # the caller's password is none of a gateway's business
            setup.failure = (GATEWAY_REFUSES_US.status, None, GATEWAY_REFUSES_US.text)
            setup.why = GATEWAY_REFUSES_US
            return False
        if verdict is Verdict.FINAL:
            setup.targets.clear()
        setup.failure = (response.status, self._relayed(call, response), "")
        return False

    def _relayed(self, call: Call, response: Message) -> bytes:
        return self._dialogs.for_caller(call, response)

    def _late(self, branch: Branch, response: Message, now: float) -> None:
        """Something of a branch that the call went on without: an answer is taken and ended at once."""
        branch.provisional = True
        if response.status < 200 and (branch.cancel_wanted or branch.given_up):
            branch.send_cancel(self._ctx.layer, now)
        elif 200 <= response.status < 300:
            tag = tag_of(response.value(TO) or b"")
            self._dialogs.dismiss(branch.client, response, now, only_ack=tag in branch.dismissed)
            branch.dismissed |= {tag}

    def on_silence(self, branch: Branch, now: float) -> None:
        """Timer B: the target never said anything."""
        call = branch.call
        setup: Setup | None = call.setup if call is not None else None
        if call is None or branch.given_up or setup is None or setup.branch is not branch:
            return
        if call.state is not CallState.SETUP:
            return
        branch.given_up = True
        branch.due = 0.0
        self._dismiss_lease(branch)
        if branch.target.line is not None:
            self._outward.silent(call, branch.target.line, now)
        if not setup.cancelled:
            why = _SILENT.get(branch.kind, GATEWAY_SILENT)
            status = 408 if branch.kind is TargetKind.PHONE else why.status
            text = "the called side does not respond" if branch.kind is TargetKind.PHONE else why.text
            setup.failure = _after_forwarding(408) if call.forwarded else (status, None, text)
            setup.why = None if call.forwarded else why
            setup.cause = 408
            if branch.target.asleep is not None:  # it was thought to be awake
                setup.targets.appendleft(branch.target._replace(kind=TargetKind.SLEEPING))
        self._next(call, now)

    def on_ring_over(self, branch: Branch, kind: int, now: float) -> None:
        """Ring time is over, or the 487 after a CANCEL does not come."""
        call = branch.call
        setup: Setup | None = call.setup if call is not None else None
        if call is None or setup is None or setup.branch is not branch or call.state is not CallState.SETUP:
            return
        if kind == SILENCE:
            self._on_silent_gateway(branch, now)
            return
        if kind == RING and branch.provisional:
            branch.timed_out = True
            self._cancel_branch(branch, now)
            return
        branch.given_up = True
        branch.cancel_wanted = True
        self._dismiss_lease(branch)
        self._outward.left(branch.target.line, cancelled=setup.cancelled or branch.timed_out)
        if not setup.cancelled:
            setup.failure = (480, None, "no answer")
            if branch.kind is TargetKind.VOICEMAIL:
                setup.why = VOICEMAIL_SILENT
            setup.cause = 408
        self._next(call, now)

    def _on_silent_gateway(self, branch: Branch, now: float) -> None:
        """No word from a gateway while another one could take the call: should it wake up, it is told to stop."""
        if branch.provisional:
            branch.due = self._ctx.timers.start(branch, RING, GATEWAY_RING, now)
            return
        branch.cancel_wanted = True
        if branch.client is not None:
            branch.client.resend_at = 0.0
        self.on_silence(branch, now)

    # -- CANCEL ---------------------------------------------------------------------------------------------------

    def cancel(self, call: Call, now: float) -> None:
        """The caller gives up (RFC 3261 §16.10). A 2xx already seen wins."""
        setup: Setup | None = call.setup
        if setup is None or call.state is not CallState.SETUP or setup.cancelled:
            return
        setup.cancelled = True
        if setup.branch is not None:
            self._cancel_branch(setup.branch, now)
        else:  # a place is being looked for; it is given back when it comes
            self._next(call, now)

    def _cancel_branch(self, branch: Branch, now: float) -> None:
        branch.cancel_wanted = True
        if branch.provisional:
            branch.send_cancel(self._ctx.layer, now)
        branch.due = self._ctx.timers.start(branch, GUARD, CANCEL_GUARD, now)

    def _dismiss_lease(self, branch: Branch) -> None:
        if branch.lease and self._voicemail is not None:
            self._voicemail.release(branch.lease)
            branch.lease = ""


def _after_forwarding(status: int) -> tuple[int, bytes | None, str]:
    """What the caller hears of a number forwarded to: busy is busy; the rest is none of its business."""
    return (486, None, "busy") if status in (486, 600) else (480, None, "the number forwarded to does not answer")
