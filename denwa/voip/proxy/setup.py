"""Setting a call up: the request as it goes on, its targets one after the other, and how that ends.

phone -> (ring time, busy, not registered) -> voicemail; or a gateway. CANCEL, 2xx crossing CANCEL, and a 2xx that
comes after its branch was given up are all decided here.
"""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple

from denwa.voip.calls.call import Call, CallState, EndCause, Leg
from denwa.voip.calls.session import agree_timer
from denwa.voip.context import Context, printable
from denwa.voip.gateways.lines import Line
from denwa.voip.proxy.forward import foreign_routes, loop_mark, pop_via, record_route
from denwa.voip.proxy.outward import SILENCE_LIMIT, Outward, Verdict
from denwa.voip.proxy.ports import NoPlace, Place, PlaceRequest, VoicemailPlaces
from denwa.voip.sip.checks import asks_for
from denwa.voip.sip.fields import FieldFault, address_uri, tag_of
from denwa.voip.sip.message import CONTACT, FROM, SUPPORTED, TO, Message
from denwa.voip.sip.peer import Peer
from denwa.voip.sip.response import make_cancel, make_response, reason_header
from denwa.voip.sip.timers import TIMEOUT
from denwa.voip.sip.transactions import IGNORE, ClientTransaction, ServerTransaction
from denwa.voip.subscribers import Subscriber

if TYPE_CHECKING:
    from denwa.voip.calls.dialogs import Dialogs
    from denwa.voip.proxy.admission import Admission
    from denwa.voip.proxy.forwarding import Forwarding, Way

# Failures of a phone that mean "does not answer" (F1, V1): the next target takes the call.
NO_ANSWER: Final = frozenset((401, 404, 407, 408, 410, 480, 481, 482, 483, 487, 500, 502, 503, 504))
BUSY: Final = frozenset((486, 600, 603))
RING, GUARD, SILENCE = 20, 21, 22  # timer kinds
CANCEL_GUARD: Final = 5.0  # seconds to wait for the 487 after a CANCEL
ANSWER_GUARD: Final = 6.0  # seconds a voicemail worker may take to answer
GATEWAY_RING: Final = 180.0  # timer C (RFC 3261 §16.6 step 11)


class TargetKind(Enum):
    PHONE = "phone"
    GATEWAY = "gateway"
    VOICEMAIL = "voicemail"
    FORWARD = "forward"


class Target(NamedTuple):
    """`ring_time` in seconds; `peer` and `uri` of a voicemail are only known when a place is given, those of a
    forwarding when it is made. `line`: of a gateway."""

    kind: TargetKind
    uri: bytes
    peer: Peer
    ring_time: float
    line: Line | None = None


class Setup:
    """What a call in set-up still has to do. `prepared` is the INVITE as it goes on, but for Via and Request-URI."""

    __slots__ = (
        "asked_interval",
        "branch",
        "cancelled",
        "cause",
        "failure",
        "forwarder",
        "hidden",
        "late_offer",
        "mailbox",
        "prepared",
        "refused",
        "secure",
        "server",
        "targets",
        "timer_supported",
        "tried",
        "way",
    )

    def __init__(self, server: ServerTransaction, prepared: Message, asked_interval: int) -> None:
        self.server = server
        self.prepared: Message | None = prepared
        self.asked_interval = asked_interval
        self.timer_supported = asks_for(prepared, SUPPORTED, b"timer")
        self.late_offer = False  # the INVITE has none: the answer brings it
        self.targets: deque[Target] = deque()
        self.mailbox: Subscriber | None = None
        self.hidden = ""
        self.forwarder: Subscriber | None = None  # whose forwarding is the last target
        self.way: Way | None = None  # None: it was not forwarded yet
        self.secure = False  # asked for with sips:
        self.branch: Branch | None = None
        self.tried: list[Branch] = []
        self.cause = 480  # why the voicemail gets the call
        self.failure: tuple[int, bytes | None, str] = (480, None, "not registered")
        self.cancelled = False
        self.refused = False  # the voicemail has no place

    def let_go(self) -> None:
        """The call is over: what timers still name of it must not keep it in memory."""
        for branch in self.tried:
            branch.call = None
        self.branch = None


class Branch:
    """The INVITE sent to one target (the user of its client transaction)."""

    __slots__ = (
        "call",
        "cancel_sent",
        "cancel_wanted",
        "client",
        "dismissed",
        "due",
        "given_up",
        "kind",
        "lease",
        "owner",
        "provisional",
        "rang",
        "target",
        "timed_out",
        "tries",
    )

    def __init__(self, owner: CallSetup, call: Call, target: Target, lease: str, tries: int) -> None:
        self.owner = owner
        self.call: Call | None = call
        self.kind = target.kind
        self.target = target
        self.tries = tries  # how often this gateway has asked this call for credentials
        self.rang = False
        self.lease = lease
        self.client: ClientTransaction | None = None
        self.provisional = False
        self.cancel_wanted = False
        self.cancel_sent = False
        self.timed_out = False  # its ring time is over
        self.given_up = False  # the call went on without it
        self.dismissed: frozenset[bytes] = frozenset()  # tags of answers that were ended at once
        self.due = 0.0

    def on_response(self, client: ClientTransaction, response: Message, now: float) -> None:
        self.owner.on_response(self, response, now)

    def on_timeout(self, now: float) -> None:
        self.owner.on_silence(self, now)

    def fire(self, kind: int, due: float, now: float) -> None:
        if due == self.due:
            self.due = 0.0
            self.owner.on_ring_over(self, kind, now)


class CallSetup:
    def __init__(
        self,
        ctx: Context,
        admission: Admission,
        dialogs: Dialogs,
        forwarding: Forwarding,
        voicemail: VoicemailPlaces | None,
    ) -> None:
        self._ctx = ctx
        self._admission = admission
        self._dialogs = dialogs
        self._forwarding = forwarding
        self._outward = Outward(ctx, dialogs.table)
        self._voicemail = voicemail

    # -- targets --------------------------------------------------------------------------------------------------

    def start(self, call: Call, now: float) -> None:
        """Begin with the first target."""
        self._admission.begin(call.subscriber)
        self._next(call, now)

    def _next(self, call: Call, now: float) -> None:
        setup: Setup = call.setup
        setup.branch = None
        if setup.cancelled:
            self._fail(call, 487, None, "cancelled", now)
        elif not setup.targets:
            status, data, text = setup.failure
            self._fail(call, status, data, text, now)
        else:
            target = setup.targets.popleft()
            if target.kind is TargetKind.VOICEMAIL:
                self._ask_place(call, setup, now)
            elif target.kind is TargetKind.FORWARD:
                self._forwarding.divert(call, setup, now)
                self._next(call, now)
            else:
                self._forward(call, setup, target, "", now)

    def _forward(self, call: Call, setup: Setup, target: Target, lease: str, now: float, tries: int = 0) -> None:
        ctx = self._ctx
        request = setup.prepared
        if request is None:
            return
        if target.line is not None and ctx.lines.dressing:
            request = self._outward.written(call, request, target.line, target.uri, tries)
        request.lines[0] = b"INVITE " + target.uri + b" SIP/2.0"
        key = ctx.new_branch(loop_mark(request, request.uri))
        data = request.encode_under(ctx.via_line(target.peer, key), *record_route(ctx, call.caller.peer, target.peer))
        branch = Branch(self, call, target, lease, tries)
        setup.branch = branch
        setup.tried.append(branch)
        if target.line is not None and setup.targets:
            branch.due = ctx.timers.start(branch, SILENCE, SILENCE_LIMIT, now)
        else:
            branch.due = ctx.timers.start(branch, RING, target.ring_time, now)
        branch.client = ctx.layer.request(key, b"INVITE", data, target.peer, branch, now)

    def _ask_place(self, call: Call, setup: Setup, now: float) -> None:
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
            setup.refused = True
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
            self._send_cancel(branch, now)
        if response.status != 100 and call.state is CallState.SETUP:
            branch.rang = True
            if branch.kind is TargetKind.GATEWAY and not setup.cancelled:
                branch.due = self._ctx.timers.start(branch, RING, GATEWAY_RING, now)
            if response.body:
                self._ctx.media.response(call, response, late_offer=setup.late_offer)
            self._dialogs.relay_response(setup.server, response, call.restored_from, FROM, now)

    def _on_answer(self, call: Call, setup: Setup, branch: Branch, response: Message, now: float) -> None:
        ctx = self._ctx
        tag = tag_of(response.value(TO) or b"")
        if call.state is not CallState.SETUP:
            if tag != call.callee.tag:
                self._late(branch, response, now)
            elif call.state is not CallState.ANSWERING:
                agree_timer(response, setup.asked_interval, setup.timer_supported)  # as in the first one
                ctx.media.response(call, response, late_offer=setup.late_offer)
                self._dialogs.relay_response(setup.server, response, call.restored_from, FROM, now)
            return
        if unacceptable := ctx.media.response(call, response, late_offer=setup.late_offer):
            self._refuse_answer(call, setup, branch, response, unacceptable, now)
            return
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
        if line is not None and not line.health.spotless:
            ctx.lines.good(line, now)
        ctx.group.calls.append(call.entry(None, "", 200))
        if call.forwarded:
            ctx.group.calls += call.forwarded_entries(None, "", 200)
        ctx.hold(self._release, (call, setup, response))

    def _refuse_answer(
        self, call: Call, setup: Setup, branch: Branch, response: Message, text: str, now: float
    ) -> None:
        """A 2xx whose offer nobody may answer (C3): it is taken and ended at once, the caller gets 488."""
        branch.due = 0.0
        branch.given_up = True
        self._dismiss_lease(branch)
        self._late(branch, response, now)
        setup.targets.clear()
        setup.failure = (488, None, text)
        setup.refused = True
        self._ctx.counters["refused", "488"] += 1
        self._ctx.note(f"INVITE {printable(call.call_id)}: 488 {text} in the answer")
        self._next(call, now)

    def _release(self, waiting: tuple[Call, Setup, Message], now: float) -> None:
        """The answer is on disk: the caller may have it."""
        call, setup, response = waiting
        if call.state is CallState.ANSWERING:
            call.state = CallState.UP
        self._ctx.counters["calls", "answered"] += 1
        self._dialogs.relay_response(setup.server, response, call.restored_from, FROM, now)
        setup.prepared = None
        if call.state is CallState.UP:
            self._dialogs.watch(call, now)

    def _on_failure(self, call: Call, setup: Setup, branch: Branch, response: Message, now: float) -> None:
        status = response.status
        branch.due = 0.0
        branch.given_up = True
        self._dismiss_lease(branch)
        if setup.cancelled:
            self._fail(call, 487, None, "cancelled", now)
            return
        if branch.timed_out:
            setup.failure = (480, None, "no answer")
            setup.cause = 408
        elif branch.kind is TargetKind.PHONE and (status in NO_ANSWER or status in BUSY or status < 400):
            # What such a phone says of itself (a challenge, a loop, another number) is not for the caller.
            plain = status in BUSY or status in (480, 487)
            setup.failure = (status, self._relayed(call, response), "") if plain else (480, None, "not reachable")
            setup.cause = 486 if status in BUSY else 480
        elif branch.kind is TargetKind.VOICEMAIL:
            setup.failure = (480, None, "voicemail does not answer")
        elif branch.target.line is not None:
            if self._at_gateway(call, setup, branch, response, now):
                return
        else:
            setup.targets.clear()
            setup.failure = (status, self._relayed(call, response), "")
        if call.forwarded:
            setup.failure = _after_forwarding(status)
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
            setup.failure = (503, None, "the gateway does not know us")
            return False
        if verdict is Verdict.FINAL:
            setup.targets.clear()
        setup.failure = (response.status, self._relayed(call, response), "")
        return False

    def _relayed(self, call: Call, response: Message) -> bytes:
        pop_via(response)
        response.replace(FROM, b"From: " + call.caller_true)
        return response.encode()

    def _late(self, branch: Branch, response: Message, now: float) -> None:
        """Something of a branch that the call went on without: an answer is taken and ended at once."""
        branch.provisional = True
        if response.status < 200 and (branch.cancel_wanted or branch.given_up):
            self._send_cancel(branch, now)
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
            silent = (408, None, "the called side does not respond")
            setup.failure = _after_forwarding(408) if call.forwarded else silent
            setup.cause = 408
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
        if not setup.cancelled:
            setup.failure = (480, None, "no answer")
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
            self._send_cancel(branch, now)
        branch.due = self._ctx.timers.start(branch, GUARD, CANCEL_GUARD, now)

    def _send_cancel(self, branch: Branch, now: float) -> None:
        client = branch.client
        if client is None or branch.cancel_sent or not client.sent:
            return
        branch.cancel_sent = True
        self._ctx.layer.end_after(client, TIMEOUT, now)
        self._ctx.layer.request(client.key + b"/CANCEL", b"CANCEL", make_cancel(client.sent), client.peer, IGNORE, now)

    # -- the end of a call that was not answered -------------------------------------------------------------------

    def _fail(self, call: Call, status: int, data: bytes | None, text: str, now: float) -> None:
        """Answer the caller and write the record."""
        ctx = self._ctx
        setup: Setup = call.setup
        server = setup.server
        cause = EndCause.REFUSED if setup.refused and not setup.cancelled else _cause_of(status, setup.cancelled)
        if data is not None:
            ctx.layer.respond(server, status, data, now)
        elif server.request is not None:
            server.to_tag = server.to_tag or ctx.token()
            extra = [reason_header(status, text)] if text else None
            ctx.layer.respond(server, status, make_response(server.request, status, server.to_tag, extra), now)
        call.voicemail = False
        ctx.group.calls.append(call.entry(ctx.now_ms, cause, status))
        if call.forwarded:
            ctx.group.calls += call.forwarded_entries(ctx.now_ms, cause, status)
        ctx.counters["calls", cause] += 1
        call.state = CallState.ENDED
        setup.let_go()
        call.setup = None
        self._dialogs.forget(call)

    def _dismiss_lease(self, branch: Branch) -> None:
        if branch.lease and self._voicemail is not None:
            self._voicemail.release(branch.lease)
            branch.lease = ""


def _after_forwarding(status: int) -> tuple[int, bytes | None, str]:
    """What the caller hears of a number forwarded to: busy is busy; the rest is none of its business."""
    return (486, None, "busy") if status in (486, 600) else (480, None, "the number forwarded to does not answer")


def _cause_of(status: int, cancelled: bool) -> str:
    if cancelled:
        return EndCause.CANCELLED
    if status in (486, 600):
        return EndCause.BUSY
    if status == 603:
        return EndCause.REJECTED
    return EndCause.NO_ANSWER if status in (408, 480, 487) else EndCause.FAILED
