"""An INVITE without a To tag: the chain it walks, from the first check to its first target."""

from __future__ import annotations

from typing import NamedTuple

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
from denwa.voip.proxy.refusal import (
    BAD_SESSION_TIMER,
    LOOP,
    MERGED,
    NO_COMMON_MEDIA,
    NOT_RECORDED,
    SHORT_SESSION,
    TOO_MANY_CALLS,
    TOO_MANY_HOPS,
    UNKNOWN_EXTENSION,
    Refused,
)
from denwa.voip.proxy.setup import CallSetup
from denwa.voip.proxy.targets import TargetChoice
from denwa.voip.sip.checks import unsupported_extensions
from denwa.voip.sip.fields import FieldFault, address_uri
from denwa.voip.sip.message import CONTACT, FROM, ROUTE, Message
from denwa.voip.sip.peer import Peer
from denwa.voip.sip.transactions import ServerTransaction

UNDERSTOOD = frozenset((b"timer", b"100rel", b"path", b"replaces", b"norefersub"))


class Stopped(NamedTuple):
    """Why an INVITE goes no further, and header lines that the answer has for it."""

    why: Refused
    extra: tuple[bytes, ...] = ()


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
        stopped = self._unacceptable(request)
        if stopped is not None:
            self._turn_away(server, request, peer, stopped, now)
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
            denied = _denied(verdict, SHORT_SESSION, "", (b"Min-SE: %d" % LEAST,))
            self._deny(server, request, call, denied, now)
            return
        except FieldFault as fault:
            self._deny(server, request, call, _denied(verdict, BAD_SESSION_TIMER, str(fault)), now)
            return
        ctx.respond(server, 100, now)
        self._calls.add(call)
        if verdict.trunk is not None:
            ctx.lines.count(verdict.trunk, "received")
            if ctx.lines.counting:
                ctx.lines.take(call.id, verdict.trunk)
        if verdict.caller is not None:
            self._admission.limits.open(call, call.subscriber, call.number_to, verdict.number_class)
        server.user = call
        setup = call.setup = Setup(server, self._prepare(call, request, verdict), asked)
        setup.late_offer = call.ilbc_modes is None
        setup.secure = request.uri[:5].lower() == b"sips:"
        if verdict.callee is not None:
            setup.hidden = verdict.identity.hidden
            self._targets.to_subscriber(setup, verdict.callee)
        elif verdict.box is None:
            self._targets.to_gateway(setup, verdict.number)
        else:
            self._targets.to_box(setup, verdict.box)
        self._setup.start(call, now)

    def _unacceptable(self, request: Message) -> Stopped | None:
        """What stops an INVITE whoever sent it (RFC 3261 §16.3)."""
        ctx = self._ctx
        if not ctx.journal_ok:
            return Stopped(NOT_RECORDED)
        if self._calls.full():
            return Stopped(TOO_MANY_CALLS)
        if unknown := unsupported_extensions(request, UNDERSTOOD):
            return Stopped(UNKNOWN_EXTENSION, (b"Unsupported: " + b", ".join(unknown),))
        if is_loop(ctx, request):
            return Stopped(LOOP)
        if self._merged(request):
            return Stopped(MERGED)
        if not count_hop(request):
            return Stopped(TOO_MANY_HOPS)
        strip_own_routes(ctx, request)
        request.remove(ROUTE)  # where a call goes is decided here, by its number: a caller's Route leads nowhere
        return None

    def _turn_away(self, server: ServerTransaction, request: Message, peer: Peer, stopped: Stopped, now: float) -> None:
        """Refuse with a record when it is proved whose call it is, else without: strangers fill no table."""
        ctx = self._ctx
        why, extra = stopped
        denied = self._admission.whose(why, request, peer) if ctx.journal_ok else None
        if denied is not None:
            denied.extra = extra
            self._deny(server, request, self._call(request, peer), denied, now)
        else:
            ctx.counters["refused_calls", why.name] += 1
            ctx.note_refusal(request, why.status, why.text)
            ctx.respond(server, why.status, now, [why.line(), *extra])

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
        else:
            call.leg = call.direction = "incoming"
            call.subscriber = verdict.callee.number if verdict.callee is not None else ""

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
        setup.extra = denied.extra
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


def _denied(verdict: Admitted, why: Refused, text: str, extra: tuple[bytes, ...] = ()) -> Denied:
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
        extra,
    )
