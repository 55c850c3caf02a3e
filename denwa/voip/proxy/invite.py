"""An INVITE without a To tag: the chain it walks, from the first check to its first target."""

from __future__ import annotations

from denwa.numbering.number import PhoneNumber
from denwa.numbering.reading import NumberClass
from denwa.voip.calls.call import Call, CallTable, Leg
from denwa.voip.calls.session import LEAST, IntervalTooSmall, ask_for_timer
from denwa.voip.context import Context
from denwa.voip.proxy.admission import Admission, Admitted, Denied
from denwa.voip.proxy.attempt import Setup
from denwa.voip.proxy.concealment import conceal_invite, new_veil
from denwa.voip.proxy.forward import count_hop, foreign_routes, is_loop, strip_own_routes
from denwa.voip.proxy.identity import (
    ask_privacy,
    assert_identity,
    hidden_from,
    says_hidden,
    shown_reason,
    strip_claims,
    subscriber_from,
)
from denwa.voip.proxy.refusal import BAD_SESSION_TIMER, NO_COMMON_MEDIA, Refused
from denwa.voip.proxy.setup import CallSetup
from denwa.voip.proxy.targets import TargetChoice
from denwa.voip.sip.checks import unsupported_extensions
from denwa.voip.sip.fields import FieldFault, address_uri
from denwa.voip.sip.message import CONTACT, FROM, ROUTE, Message
from denwa.voip.sip.peer import Peer
from denwa.voip.sip.transactions import ServerTransaction

UNDERSTOOD = frozenset((b"timer", b"100rel", b"path", b"replaces", b"norefersub"))


class InviteChain:
    def __init__(
        self, ctx: Context, calls: CallTable, admission: Admission, targets: TargetChoice, setup: CallSetup
    ) -> None:
        self._ctx = ctx
        self._calls = calls
        self._admission = admission
        self._targets = targets
        self._setup = setup

    def invite(self, server: ServerTransaction, request: Message, peer: Peer, now: float) -> None:
        """Walk the chain; every way out of it answers the caller."""
        if self._unacceptable(server, request, now):
            return
        verdict = self._admission.check(server, request, peer, now)
        if verdict is None:
            return
        call = self._call(request, peer)
        if isinstance(verdict, Denied):
            self._deny(server, request, call, verdict, now)
            return
        self._fill(call, verdict)
        ctx = self._ctx
        if unacceptable := ctx.media.offer(call, request):  # C3, N8
            self._deny(server, request, call, _denied(verdict, NO_COMMON_MEDIA, unacceptable), now)
            return
        try:
            asked = ask_for_timer(request, ctx.settings.session_expires)
        except IntervalTooSmall:
            ctx.refuse(server, 422, "session interval too small", now, b"Min-SE: %d" % LEAST)
            return
        except FieldFault as fault:
            self._deny(server, request, call, _denied(verdict, BAD_SESSION_TIMER, str(fault)), now)
            return
        ctx.respond(server, 100, now)
        self._calls.add(call)
        if ctx.lines.counting and verdict.trunk is not None:
            ctx.lines.take(call.id, verdict.trunk)
        if verdict.caller is not None:
            self._admission.limits.open(call, call.subscriber, call.number_to, verdict.number_class)
        server.user = call
        setup = call.setup = Setup(server, self._prepare(call, request, verdict), asked)
        setup.late_offer = call.ilbc_modes is None
        setup.secure = request.uri[:5].lower() == b"sips:"
        if verdict.callee is None:
            self._targets.to_gateway(setup, verdict.number)
        else:
            setup.hidden = verdict.identity.hidden
            self._targets.to_subscriber(setup, verdict.callee)
        self._setup.start(call, now)

    def _unacceptable(self, server: ServerTransaction, request: Message, now: float) -> bool:
        ctx = self._ctx
        if not ctx.journal_ok:
            ctx.refuse(server, 503, "calls cannot be recorded at present", now, b"Retry-After: 5")
        elif self._calls.full():
            ctx.refuse(server, 503, "too many calls", now, b"Retry-After: 5")
        elif unknown := unsupported_extensions(request, UNDERSTOOD):
            ctx.refuse(server, 420, "extension not known", now, b"Unsupported: " + b", ".join(unknown))
        elif is_loop(ctx, request):
            ctx.refuse(server, 482, "the request has been here before", now)
        elif self._merged(request):
            ctx.refuse(server, 482, "this call is already being set up", now)
        elif not count_hop(request):
            ctx.refuse(server, 483, "Max-Forwards used up", now)
        else:
            strip_own_routes(ctx, request)
            request.remove(ROUTE)  # where a call goes is decided here, by its number: a caller's Route leads nowhere
            return False
        return True

    def _merged(self, request: Message) -> bool:
        """The same INVITE on another way (RFC 3261 §8.2.2.2)."""
        call = self._calls.find(request.call_id, request.from_tag)
        return call is not None and call.caller.cseq >= request.cseq

    def _call(self, request: Message, peer: Peer) -> Call:
        ctx = self._ctx
        sender = request.value(FROM) or b""
        try:
            contact = address_uri(request.value(CONTACT) or b"")
        except FieldFault:
            contact = b""
        leg = Leg(
            peer,
            request.from_tag,
            contact,
            request.cseq,
            foreign_routes(ctx, request, above_ours=False),
        )
        call = Call(request.call_id, self._calls.new_id(ctx.now_ms), ctx.now_ms, leg)
        call.caller_true = call.caller_shown = sender
        return call

    def _fill(self, call: Call, verdict: Admitted) -> None:
        call.number_from, call.hidden_reason = verdict.identity
        call.number_to = verdict.number.e164
        call.number_class = verdict.number_class.value
        if verdict.caller is not None:
            call.subscriber = verdict.caller.number
        elif verdict.callee is not None:
            call.leg = call.direction = "incoming"
            call.subscriber = verdict.callee.number

    def _deny(self, server: ServerTransaction, request: Message, call: Call, denied: Denied, now: float) -> None:
        """Refuse with code and Reason, and keep a record for the subscriber it concerns."""
        if denied.trunk is not None:
            call.leg = call.direction = "incoming"
        call.subscriber = denied.subscriber
        call.number_from, call.hidden_reason = denied.identity
        call.number_to = denied.callee
        call.number_class = denied.number_class
        why = denied.why
        setup = call.setup = Setup(server, request, 0)
        setup.failure = (why.status, None, denied.text or why.text)
        setup.why = why
        if self._calls.find(call.call_id, call.caller.tag) is None:
            self._calls.add(call)
        server.user = call
        self._setup.refuse(call, now)

    def _prepare(self, call: Call, request: Message, verdict: Admitted) -> Message:
        """Make the INVITE what the called side may see (N7)."""
        caller = verdict.caller
        if caller is None:
            return self._from_network(call, request, verdict.identity.hidden) if verdict.identity.hidden else request
        domain = self._ctx.settings.realm
        number = PhoneNumber(caller.number)
        if verdict.hide:
            prepared = self._veil(call, request, verdict.identity.hidden)
            ask_privacy(prepared)
        else:
            prepared = request
            strip_claims(request)
            call.caller_shown = subscriber_from(number, domain, call.caller.tag)
            request.replace(FROM, b"From: " + call.caller_shown)
        if verdict.number_class is not NumberClass.ON_NET:
            assert_identity(prepared, number, domain)
        return prepared

    def _from_network(self, call: Call, request: Message, reason: str) -> Message:
        """A call without a number. Where no reason is given there is none to hide: it only is not shown."""
        if says_hidden(request, reason):
            return self._veil(call, request, reason)
        strip_claims(request)
        call.caller_shown = hidden_from("anonymous", call.caller.tag)
        request.replace(FROM, b"From: " + call.caller_shown)
        return request

    def _veil(self, call: Call, request: Message, reason: str) -> Message:
        """What the called side gets of a caller that hides: a copy, for the INVITE itself is what the caller's answers
        are made from. `reason`: why the number is missing."""
        ctx = self._ctx
        tag = ctx.veiled(call.call_id + b" " + call.caller.tag)
        veil = call.veil = new_veil(ctx, call, request)
        call.caller_shown = hidden_from(shown_reason(request, reason), tag)
        self._calls.alias(call, tag)
        return conceal_invite(ctx, call, veil, request, tag)


def _denied(verdict: Admitted, why: Refused, text: str) -> Denied:
    subscriber = verdict.caller.number if verdict.caller else verdict.callee.number if verdict.callee else ""
    return Denied(
        why,
        verdict.caller,
        verdict.trunk,
        verdict.identity,
        verdict.number.e164,
        verdict.number_class.value,
        subscriber,
        text,
    )
