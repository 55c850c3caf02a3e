"""The SIP engine: datagrams and the time in; datagrams, a journal group and log lines out. Sans-IO.

The driver calls `receive` for each message and `advance` when `next_due` comes, then takes `outbox`, `ctx.group` and
`ctx.notes`; when a group is on disk it calls `committed`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, Final

from denwa.numbering.plan import NumberingPlan
from denwa.numbering.reading import NumberClass
from denwa.voip.calls.call import Call, CallState, CallTable, EndCause
from denwa.voip.calls.cutting import CallCutter, Stop
from denwa.voip.calls.dialogs import Dialogs, Relay
from denwa.voip.calls.journal import BindingEntry, CallEntry
from denwa.voip.calls.session import agree_timer
from denwa.voip.context import ALLOW, Context, EngineSettings, HeldGroup, printable
from denwa.voip.gateways.carrier import Carriers
from denwa.voip.mwi.notification import Notification
from denwa.voip.mwi.summary import ALLOW_EVENTS
from denwa.voip.mwi.waiting import MessageWaiting
from denwa.voip.proxy.admission import Admission
from denwa.voip.proxy.attempt import Branch
from denwa.voip.proxy.forwarding import Forwarding
from denwa.voip.proxy.invite import UNDERSTOOD, InviteChain
from denwa.voip.proxy.ports import GuidancePlaces, LivePrices, VoicemailPlaces
from denwa.voip.proxy.setup import CallSetup
from denwa.voip.proxy.targets import TargetChoice
from denwa.voip.registrar.handler import Registrar
from denwa.voip.registrar.keepalive import MARK as NAT_MARK
from denwa.voip.sip.checks import RECOGNISED, request_fault, response_fault, unsupported_extensions
from denwa.voip.sip.digest import Digest
from denwa.voip.sip.fields import FieldFault, Via, cseq_of, tag_of, top_via
from denwa.voip.sip.message import (
    CALL_ID,
    CSEQ,
    FROM,
    MAX_FORWARDS,
    PROXY_AUTHORIZATION,
    PROXY_REQUIRE,
    REQUIRE,
    TO,
    VIA,
    Message,
    MessageFault,
    parse_message,
)
from denwa.voip.sip.ordinary import OrdinaryMessages
from denwa.voip.sip.peer import Peer
from denwa.voip.sip.response import make_partial_response, make_response, reason_header
from denwa.voip.sip.transactions import END, ClientTransaction, ServerTransaction, Transaction, TransactionLayer
from denwa.voip.subscribers import Directory

_COUNTED = (b"INVITE", b"BYE", b"CANCEL", b"OPTIONS", b"UPDATE")
_SWEEP_EVERY = 30.0  # seconds between looks for expired bindings
_CALLS_EVERY = 0.5  # seconds between looks at the calls' long timers


class SipEngine:
    def __init__(
        self,
        settings: EngineSettings,
        directory: Directory,
        plan: NumberingPlan,
        digest: Digest,
        token: Callable[[], bytes],
        voicemail: VoicemailPlaces | None = None,
        guidance: GuidancePlaces | None = None,
        prices: LivePrices | None = None,
    ) -> None:
        ctx = self.ctx = Context(settings, directory, plan, digest, token)
        ctx.layer = TransactionLayer(ctx.send, self, ctx.timers, settings.max_transactions)
        self.calls = CallTable(settings.max_calls)
        self.registrar = Registrar(ctx)
        self.mwi = ctx.mwi = MessageWaiting(ctx, self.registrar)
        self.admission = Admission(ctx, prices)
        self.dialogs = Dialogs(ctx, self.calls, self._call_over)
        targets = TargetChoice(ctx, self.registrar)
        self._forwarding = Forwarding(ctx, self.calls, self.admission, targets)
        setup = CallSetup(ctx, self.admission, self.dialogs, self._forwarding, voicemail, guidance)
        self._setup = setup
        self._invites = InviteChain(ctx, self.calls, self.admission, targets, setup)
        self.cutter = CallCutter(ctx, self.calls, self.dialogs.endings, setup.cancel)
        self.carriers = Carriers(ctx)
        self.ordinary = OrdinaryMessages()
        self._peer: Peer = ("", 0)
        self._swept = 0.0
        self._calls_due = 0.0

    # -- in -------------------------------------------------------------------------------------------------------

    def restore(self, bindings: Iterable[BindingEntry], calls: Iterable[CallEntry], now: float, now_ms: int) -> None:
        """Take up what the journal kept."""
        self.ctx.now_ms = now_ms
        self.registrar.restore(bindings)
        self.carriers.start(now)
        self.dialogs.restore(calls, now)
        if self.ctx.relaying is not None:
            self.ctx.relaying.restore(self.calls, now)
        for call in self.calls:
            self.admission.begin(call.subscriber)
            for part in call.forwarded:
                self.admission.begin(part.subscriber)
            self._resume_meters(call)
        if self.ctx.lines.counting:
            self.carriers.count_again(self.calls)

    def receive(self, data: bytes, peer: Peer, now: float, now_ms: int) -> None:
        """One datagram, or one message of a stream."""
        ctx = self.ctx
        ctx.now_ms = now_ms
        ctx.now = now
        ordinary = self.ordinary.read(data)
        if ordinary is not None:
            message, via, method = ordinary
            if message.status:
                self._response(message, via, method, now)
            else:
                self._request(message, via, peer, now)
            return
        if len(data) < 12 and not data.strip(b"\r\n\0 "):
            return  # keep-alive (RFC 5626 §4.4.1)
        try:
            message = parse_message(data, stream=len(peer) == 3)
        except MessageFault as fault:
            self._drop(str(fault))
            broken = fault.message
            if broken is not None and broken.method and broken.method != b"ACK":
                self._refuse_stateless(broken, 400, str(fault), peer)
            return
        self._read_with_care(message, data, peer, now)

    def advance(self, now: float, now_ms: int) -> None:
        """Let all timers fire whose time has come."""
        self.ctx.now_ms = now_ms
        self.ctx.now = now
        layer = self.ctx.layer
        for owner, kind, due in self.ctx.timers.due(now):
            if isinstance(owner, (ServerTransaction, ClientTransaction)):
                layer.fire(owner, kind, due, now)
            else:
                owner.fire(kind, due, now)
        if now >= self._calls_due:
            self._calls_due = now + _CALLS_EVERY
            self.dialogs.sweep(now)
            self.admission.limits.sweep(self.calls.up, self._cut)
        if now - self._swept >= _SWEEP_EVERY:
            self._swept = now
            self.registrar.sweep()
            self.ctx.guard.sweep(now_ms)

    def next_due(self) -> float | None:
        due = self.ctx.timers.next_due()
        if not len(self.calls):
            return due
        return self._calls_due if due is None else min(due, self._calls_due)

    def undeliverable(self, data: bytes, now: float, now_ms: int) -> None:
        """No connection took this message. Of an INVITE to a target it is known at once what timer B would say later:
        its phone is off (RFC 3261 §8.1.3.1); so it is of a NOTIFY of ours. A request inside a call is left to its
        timers: the phone may come back."""
        self.ctx.now_ms = now_ms
        if not data.startswith((b"INVITE ", b"NOTIFY ")):
            return
        request = parse_message(data)
        try:
            client = self.ctx.layer.clients.get(top_via(request.value(VIA) or b"").branch)
        except FieldFault:
            return
        if client is not None and isinstance(client.user, (Branch, Notification)):
            self.ctx.layer.fire(client, END, client.end_at, now)

    def cut_call(self, call_id: bytes, now: float, now_ms: int, why: Stop = Stop.OPERATOR) -> int:
        """End a call: BYE to both sides; how many with this Call-ID there were."""
        self.ctx.now_ms = now_ms
        return self.cutter.cut(call_id, now, why)

    def stop_calls(self, number: str, why: Stop, now: float, now_ms: int) -> int:
        """End the calls of a subscriber (E.164) that may not go on; how many there were."""
        self.ctx.now_ms = now_ms
        return self.cutter.stop(number, why, now)

    def committed(self, groups: Iterable[HeldGroup], now: float, now_ms: int) -> None:
        """These groups are on disk: send what waited for them."""
        self.ctx.now_ms = now_ms
        for group in groups:
            self.ctx.outbox += group.answers
            self.ctx.registering.difference_update(group.registers)
            for function, argument in group.held:
                function(argument, now)

    def take_group(self) -> HeldGroup | None:
        """What must be committed now, with what waits for it; None when there is nothing."""
        group = self.ctx.group
        if not group and not group.held and not group.answers:
            return None
        self.ctx.group = HeldGroup()
        return group

    # -- requests -------------------------------------------------------------------------------------------------

    def _read_with_care(self, message: Message, data: bytes, peer: Peer, now: float) -> None:
        """Check what is written in no manner known so far; the manners of those who proved themselves are learned."""
        answer, fault = (0, response_fault(message)) if message.status else request_fault(message) or (0, None)
        try:
            via = top_via(message.value(VIA) or b"") if fault is None else None
        except FieldFault as unreadable:
            answer, fault, via = 400, str(unreadable), None
        if via is None:
            self._drop(fault or "")
            if not message.status and message.method != b"ACK":
                self._refuse_stateless(message, answer, fault or "", peer)
            return
        if self.ctx.guard.is_known(peer) or self.ctx.trunk_of(peer) is not None:
            self.ordinary.learn(message, data, now)
        if message.status:
            self._response(message, via, cseq_of(message.value(CSEQ) or b"")[1], now)
        else:
            self._request(message, via, peer, now)

    def _request(self, request: Message, via: Via, peer: Peer, now: float) -> None:
        ctx = self.ctx
        answer_to = _mark_source(request, via, peer)
        self._peer = peer
        if ctx.guard.silenced and self._from_scanner(request, peer):
            ctx.counters["dropped", "scanner"] += 1
            return
        if not request.to_tag:
            if request.method == b"REGISTER":
                if REQUIRE in request.at and (unknown := unsupported_extensions(request, UNDERSTOOD, REQUIRE)):
                    unsupported = b"Unsupported: " + b", ".join(unknown)
                    self._refuse_stateless(request, 420, "extension not known", answer_to, unsupported)
                    return
                self.registrar.register(request, via.branch, answer_to, peer)
                return
            if (
                ctx.overloaded
                and request.method == b"INVITE"
                and ctx.layer.find_server(request, via, b"INVITE") is None
            ):
                # Taken on, all calls of a flood fail: their messages wait until they are sent again, which makes more.
                ctx.counters["dropped", "overload"] += 1
                self._refuse_stateless(request, 503, "overloaded", answer_to, b"Retry-After: 5")
                return
            if request.method == b"INVITE" and self._lacks_credentials(request, peer):
                ctx.guard.strike(peer, request.to_uri, ctx.now_ms)
                lines = ctx.challenge_lines(request, True, False)
                ctx.send(answer_to, ctx.stateless(request, via.branch, 407, lines))
                return
            if request.method == b"SUBSCRIBE" and self.mwi.notifier.lacks_credentials(request):
                ctx.guard.strike(peer, request.to_uri, ctx.now_ms)
                lines = ctx.challenge_lines(request, False, False)
                ctx.send(answer_to, ctx.stateless(request, via.branch, 401, lines))
                return
        if not ctx.layer.receive_request(request, via, answer_to, now):
            ctx.counters["dropped", "transactions full"] += 1
            self._refuse_stateless(request, 503, "too many transactions", answer_to, b"Retry-After: 5")

    def _from_scanner(self, request: Message, peer: Peer) -> bool:
        """Nothing is answered, but for what belongs to a call that is up."""
        if not self.ctx.guard.is_silenced(peer, self.ctx.now_ms):
            return False
        return not request.to_tag or self.dialogs.find(request) is None

    def _lacks_credentials(self, request: Message, peer: Peer) -> bool:
        """An INVITE without any that no gateway sent: it costs no transaction."""
        if PROXY_AUTHORIZATION in request.at or PROXY_REQUIRE in request.at or self.ctx.trunk_of(peer) is not None:
            return False
        # What can be refused without knowing who calls is refused.
        return self.ctx.journal_ok and not self.calls.full() and request.value(MAX_FORWARDS) != b"0"

    def on_request(self, transaction: ServerTransaction, request: Message, now: float) -> None:
        """A new request (TransactionUser)."""
        method = request.method
        peer = self._peer
        if method == b"CANCEL":
            self._cancel(transaction, request, now)
        elif method == b"SUBSCRIBE" and (not request.to_tag or self.mwi.notifier.find(request) is not None):
            self.mwi.notifier.subscribe(transaction, request, peer, now)
        elif request.to_tag and method != b"MESSAGE":
            self.dialogs.request(transaction, request, peer, now)
        elif method == b"INVITE":
            self._invites.invite(transaction, request, peer, now)
        elif method == b"OPTIONS":
            self._options(transaction, request, now)
        elif method in (b"BYE", b"UPDATE", b"PRACK", b"INFO"):
            if self.calls.find(request.call_id, b"") is not None:  # its caller is of RFC 2543 and has no tag
                self.dialogs.request(transaction, request, peer, now)
            else:
                self.ctx.refuse(transaction, 481, "no such call", now)
        elif method in RECOGNISED:
            self.ctx.refuse(transaction, 405, "this service does not do that", now, ALLOW)  # N8: MESSAGE too
        else:
            self.ctx.refuse(transaction, 501, "method not known", now, ALLOW)

    def _options(self, transaction: ServerTransaction, request: Message, now: float) -> None:
        """Answered for the service itself; nobody's phone is asked."""
        unknown = unsupported_extensions(request, UNDERSTOOD) or unsupported_extensions(request, UNDERSTOOD, REQUIRE)
        if unknown:
            self.ctx.refuse(transaction, 420, "extension not known", now, b"Unsupported: " + b", ".join(unknown))
        elif request.value(MAX_FORWARDS) == b"0" and b"@" in request.uri:
            self.ctx.refuse(transaction, 483, "Max-Forwards used up", now)  # it asks for somebody further on
        else:
            served = [ALLOW, ALLOW_EVENTS, b"Accept: application/sdp", b"Supported: timer, path"]
            self.ctx.respond(transaction, 200, now, served)

    def _cancel(self, transaction: ServerTransaction, request: Message, now: float) -> None:
        via = top_via(request.value(VIA) or b"")
        target = self.ctx.layer.find_server(request, via, b"INVITE")
        if target is None:
            self.ctx.refuse(transaction, 481, "nothing to cancel", now)
            return
        self.ctx.respond(transaction, 200, now)
        user: Any = target.user
        if isinstance(user, Call):
            self._setup.cancel(user, now)
        elif isinstance(user, Relay):
            self.dialogs.cancel_relay(user, now)

    def on_ack(self, request: Message, peer: Peer, now: float) -> None:
        """An ACK to a 2xx (TransactionUser)."""
        if request.to_tag:
            self.dialogs.ack(request, self._peer, now)

    # -- responses ------------------------------------------------------------------------------------------------

    def _response(self, response: Message, via: Via, method: bytes, now: float) -> None:
        ctx = self.ctx
        if ctx.layer.receive_response(response, via.branch, method, now):
            return
        if method == b"OPTIONS" and via.branch.endswith(NAT_MARK):
            ctx.counters["nat_keepalive", "answered"] += 1
            return
        if not (method == b"INVITE" and 200 <= response.status < 300 and via.sent_by in ctx.own.sent_by):
            ctx.counters["dropped", "response without transaction"] += 1
            return
        self._answer_again(response)

    def _answer_again(self, response: Message) -> None:
        """A 2xx whose transaction is gone (we were restarted, or the disk hangs): it goes on only when the record is on
        disk, which an answered call that is up says."""
        call = self.calls.find(response.value(CALL_ID) or b"", tag_of(response.value(FROM) or b""))
        if call is None or call.state is not CallState.UP or call.callee.tag != tag_of(response.value(TO) or b""):
            self.ctx.counters["dropped", "answer without call"] += 1
            return
        if call.session_interval:
            agree_timer(response, call.session_interval, True)
        self.ctx.media.response(call, response, late_offer=False)
        if call.relay is not None and self.ctx.relaying is not None:
            self.ctx.relaying.response(call, response, from_caller=False, late_offer=False)
        self.ctx.send(call.caller.peer, self.dialogs.for_caller(call, response))

    def on_response(self, transaction: ClientTransaction, response: Message, now: float) -> None:
        """A response to a request of ours (TransactionUser)."""
        transaction.user.on_response(transaction, response, now)

    def on_timeout(self, transaction: Transaction, now: float) -> None:
        """A client heard nothing (TransactionUser); a failure never acknowledged (timer H) needs nothing."""
        if isinstance(transaction, ClientTransaction):
            # A caller may send any method inside its call: only the usual ones are counted by name.
            method = transaction.method.decode() if transaction.method in _COUNTED else "other"
            self.ctx.counters["timeouts", method] += 1
            transaction.user.on_timeout(now)

    # -- the rest -------------------------------------------------------------------------------------------------

    def _resume_meters(self, call: Call) -> None:
        """What runs on after a restart costs on."""
        limits = self.admission.limits
        if call.leg == "outgoing":
            limits.open(call, call.subscriber, call.number_to, NumberClass(call.number_class))
        for part in call.forwarded:
            limits.open(call, part.subscriber, part.number_to, NumberClass(part.number_class))

    def _cut(self, call: Call, reason: bytes) -> None:
        """A limit ends a call (C6, C7)."""
        self.ctx.note(f"call {printable(call.call_id)}: {reason.decode().partition('text=')[2]}, ended")
        self.dialogs.cut(call, EndCause.SERVICE, self.ctx.now_ms, self.ctx.now, reason)

    def _call_over(self, call: Call) -> None:
        self.admission.finish(call.subscriber)
        self.admission.limits.over(call)
        if call.relay is not None and self.ctx.relaying is not None:
            self.ctx.relaying.over(call)
        if self.ctx.lines.held:
            self.ctx.lines.give_back(call.id)
        if call.forwarded:
            self._forwarding.over(call)
        if self.ctx.waking is not None and self.ctx.waking.by_call:
            self.ctx.waking.forget(call)

    def _drop(self, reason: str) -> None:
        self.ctx.counters["dropped", reason.partition(":")[0]] += 1

    def _refuse_stateless(self, request: Message, status: int, text: str, peer: Peer, *extra: bytes) -> None:
        if VIA not in request.at:
            return  # nobody could tell what the answer is to
        self.ctx.note_refusal(request, status, text)
        lines = [reason_header(status, text), *extra]
        if all(kind in request.at for kind in (FROM, TO, CALL_ID, CSEQ)):
            self.ctx.send(peer, make_response(request, status, self.ctx.token(), lines))
        else:
            self.ctx.send(peer, make_partial_response(request, status, lines))


def _mark_source(request: Message, via: Via, peer: Peer) -> Peer:
    """Write `received` and `rport` into the top Via; where the answer goes (RFC 3261 §18.2, RFC 3581 §4)."""
    i = request.at[VIA]
    line = request.lines[i]
    if via.rport:
        request.lines[i] = line.replace(b";rport", _rport_mark(peer[0], peer[1]), 1)
        return peer
    host = peer[0]
    bracket = via.sent_by.find(b"]")
    sent_host, _, sent_port = (
        via.sent_by.partition(b":") if bracket < 0 else (via.sent_by[1:bracket], b"", via.sent_by[bracket + 2 :])
    )
    if sent_host != host.encode():
        end = line.find(b",")
        if b"received" in line[:end]:
            line = _RECEIVED.sub(b"", line if end < 0 else line[:end]) + (b"" if end < 0 else line[end:])
            end = line.find(b",")
        mark = b";received=" + host.encode()
        request.lines[i] = line + mark if end < 0 else line[:end] + mark + line[end:]
    if len(peer) == 3:
        return peer
    return (host, int(sent_port)) if sent_port.isdigit() and 0 < int(sent_port) < 65536 else (host, 5060)


_RECEIVED: Final = re.compile(rb"\s*;\s*received\s*=[^;,]*")  # as the sender wrote it, with brackets or without


@lru_cache(maxsize=16384)
def _rport_mark(host: str, port: int) -> bytes:
    return b";received=%b;rport=%d" % (host.encode(), port)
