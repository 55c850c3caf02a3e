"""Calls that are up: requests inside their dialogs, proof of life, and how they end (C4, C5).

A record's end is on disk before the BYE goes on; when the disk is slow the BYE passes after 200 ms and the end follows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from denwa.voip.calls.call import (
    FORWARDED,
    Call,
    CallState,
    CallTable,
    EndCause,
    Leg,
    restore_call,
    restore_forwarded,
)
from denwa.voip.calls.journal import AliveEntry, CallEntry, EndEntry
from denwa.voip.calls.requests import Side, ack_to_answer, ask_whether_alive, bye_of_dismissed, farewell
from denwa.voip.calls.session import LEAST, IntervalTooSmall, agree_timer, ask_for_timer
from denwa.voip.context import Context, printable
from denwa.voip.media.negotiation import NEGOTIATING, has_sdp
from denwa.voip.proxy.forward import count_hop, foreign_routes, pop_via, strip_own_routes
from denwa.voip.proxy.identity import strip_claims
from denwa.voip.sip.checks import asks_for
from denwa.voip.sip.fields import FieldFault, address_uri, tag_of
from denwa.voip.sip.message import CONTACT, FROM, SUPPORTED, TO, Message
from denwa.voip.sip.peer import Peer
from denwa.voip.sip.response import make_cancel
from denwa.voip.sip.timers import TIMEOUT
from denwa.voip.sip.transactions import IGNORE, ClientTransaction, ServerTransaction

BYE_PASS = 33  # timer kind
LINGER_TIME: Final = 32.0
BYE_PASS_TIME: Final = 0.2
VOICEMAIL_PROBE: Final = 180.0  # seconds; longer than any voicemail call is (V2)
TIMER_C: Final = 180.0  # RFC 3261 §16.8
REFRESHES: Final = (b"INVITE", b"UPDATE")
GONE: Final = frozenset((404, 408, 410, 481, 604))  # answers by which a phone says it has no such call


class Relay:
    """A request inside a dialog on its way to the other side (the user of its client transaction)."""

    __slots__ = (
        "asked_interval",
        "call",
        "cancel_wanted",
        "client",
        "dialogs",
        "due",
        "from_caller",
        "late_offer",
        "passed",
        "provisional",
        "request",
        "server",
        "timer_supported",
    )

    def __init__(
        self, dialogs: Dialogs, call: Call, server: ServerTransaction, request: Message, from_caller: bool
    ) -> None:
        self.dialogs = dialogs
        self.call = call
        self.server = server
        self.request: Message | None = request
        self.from_caller = from_caller
        self.late_offer = request.method == b"INVITE" and not has_sdp(request)
        self.client: ClientTransaction | None = None
        self.passed = False
        self.provisional = False
        self.cancel_wanted = False
        self.asked_interval = 0  # of a refresh: the session interval it asks for
        self.timer_supported = False
        self.due = 0.0

    def on_response(self, client: ClientTransaction, response: Message, now: float) -> None:
        self.dialogs.on_relayed(self, client, response, now)

    def on_timeout(self, now: float) -> None:
        """No answer: none is made up for a request that is no INVITE (RFC 4320 §4.2)."""
        if self.server.method == b"INVITE":
            if self.provisional:
                self.dialogs.cancel_relay(self, now)
            self.dialogs.ctx.respond(self.server, 408, now)

    def fire(self, kind: int, due: float, now: float) -> None:
        if due == self.due:
            self.dialogs.pass_bye(self, now)


class Probe:
    """Our OPTIONS to one side of a call."""

    __slots__ = ("call", "dialogs", "side")

    def __init__(self, dialogs: Dialogs, call: Call, side: Side) -> None:
        self.dialogs = dialogs
        self.call = call
        self.side = side

    def on_response(self, client: ClientTransaction, response: Message, now: float) -> None:
        if response.status >= 200:
            self.dialogs.on_probed(self.call, self.side, response.status not in GONE, now)

    def on_timeout(self, now: float) -> None:
        self.dialogs.on_probed(self.call, self.side, False, now)


class Dialogs:
    def __init__(self, ctx: Context, table: CallTable, over: Callable[[Call], None]) -> None:
        self.ctx = ctx
        self.table = table
        self._over = over  # a call holds no resources any more

    def restore(self, entries: Iterable[CallEntry], now: float) -> None:
        """Take calls up again after a restart; the next probe tells whether they are still there."""
        calls: dict[int, Call] = {}
        for entry in sorted(entries):  # by id: that of a forwarded call is higher than that of its call
            if entry.leg == FORWARDED:
                self._restore_forwarded(entry, calls)
                continue
            try:
                call = calls[entry.id] = restore_call(entry)
            except ValueError as fault:
                self.ctx.note(str(fault))
                continue
            self.table.add(call)
            self.watch(call, now)

    def _restore_forwarded(self, entry: CallEntry, calls: Mapping[int, Call]) -> None:
        if not restore_forwarded(entry, calls):
            self.ctx.note(
                f"record {entry.id}: the call that was forwarded is not there, ended at its last proof of life"
            )
            answered = entry.answered_at or entry.started_at
            ended = max(entry.alive_at or answered, answered)
            self.ctx.group.ends.append(EndEntry(entry.id, ended, ended - answered, EndCause.LOST, 200))

    # -- requests inside a dialog ---------------------------------------------------------------------------------

    def find(self, request: Message) -> tuple[Call, bool] | None:
        """The call a request belongs to and whether its caller sent it."""
        call_id, from_tag, to_tag = request.call_id, request.from_tag, request.to_tag
        call = self.table.find(call_id, from_tag)
        if call is not None:
            early = call.state is CallState.SETUP
            return (call, True) if early or call.callee.tag == to_tag else None
        call = self.table.find(call_id, to_tag)
        if call is not None and (call.state is CallState.SETUP or call.callee.tag == from_tag):
            return call, False
        return None

    def request(self, server: ServerTransaction, request: Message, peer: Peer, now: float) -> None:
        """A request with a To tag. Only inside a call known here: a tag is no way around authentication."""
        ctx = self.ctx
        found = self.find(request)
        if found is None:
            ctx.refuse(server, 481, "no such call", now)
            return
        call, from_caller = found
        if not count_hop(request):
            ctx.refuse(server, 483, "Max-Forwards used up", now)
            return
        if unacceptable := self._unacceptable(call, request):
            ctx.refuse(server, 488, unacceptable, now)
            return
        strip_own_routes(ctx, request)
        self._note_sender(call, from_caller, request, peer)
        relay = Relay(self, call, server, request, from_caller)
        method = request.method
        server.user = relay
        if method == b"BYE":
            self._bye(relay, now)
            return
        if method in REFRESHES and call.state is CallState.UP and not self._ask_again(relay, request, now):
            return
        if method == b"INVITE":
            ctx.respond(server, 100, now)
        else:
            ctx.layer.expect_late_answer(server, now)
        self._send_on(relay, now)

    def _unacceptable(self, call: Call, request: Message) -> str:
        """Filter the SDP of a request (C3, N8). Gives why it must be refused with 488, "" otherwise."""
        if not request.body or request.method not in NEGOTIATING:
            return ""
        media = self.ctx.media
        if request.method == b"PRACK" and call.setup is not None and call.setup.late_offer:
            media.answer(call, request)  # to the offer in the provisional response (RFC 3262 §5)
            return ""
        return media.offer(call, request)

    def _ask_again(self, relay: Relay, request: Message, now: float) -> bool:
        """A refresh asks for a session timer as the first INVITE did (RFC 4028 §8). False: it has been refused."""
        ctx = self.ctx
        try:
            relay.asked_interval = ask_for_timer(request, ctx.settings.session_expires)
        except IntervalTooSmall:
            ctx.refuse(relay.server, 422, "session interval too small", now, b"Min-SE: %d" % LEAST)
            return False
        except FieldFault as fault:
            ctx.refuse(relay.server, 400, str(fault), now)
            return False
        relay.timer_supported = asks_for(request, SUPPORTED, b"timer")
        return True

    def _note_sender(self, call: Call, from_caller: bool, request: Message, peer: Peer) -> None:
        leg = call.caller if from_caller else call.callee
        leg.cseq = max(leg.cseq, request.cseq)
        leg.behind = 0
        leg.alive_ms = self.ctx.now_ms
        if call.state is not CallState.SETUP:
            leg.peer = peer
        if request.method in (b"INVITE", b"UPDATE") and CONTACT in request.at:
            self._retarget(leg, request)

    def _retarget(self, leg: Leg, message: Message) -> None:
        try:
            leg.contact = address_uri(message.value(CONTACT) or b"") or leg.contact
        except FieldFault:
            self.ctx.note("a target refresh with a Contact that cannot be read")

    def _other_peer(self, call: Call, from_caller: bool) -> Peer:
        if not from_caller:
            return call.caller.peer
        branch = call.setup.branch if call.setup is not None and call.state is CallState.SETUP else None
        return branch.client.peer if branch is not None and branch.client is not None else call.callee.peer

    def _shown(self, call: Call, message: Message, from_caller: bool) -> None:
        """Put the caller's identity as the receiver of a request knows it (N7: nothing in a dialog gives it away)."""
        if call.caller_true == call.caller_shown:
            return
        if from_caller:
            strip_claims(message)
            message.replace(FROM, b"From: " + call.caller_shown)
            if call.hidden and CONTACT in message.at:
                message.replace(CONTACT, self.ctx.hidden_contact)
            return
        message.replace(TO, b"To: " + call.caller_true)
        if call.hidden and message.uri.startswith(self.ctx.hidden_uri):
            message.uri = call.caller.contact
            message.lines[0] = message.method + b" " + message.uri + b" SIP/2.0"

    def _send_on(self, relay: Relay, now: float) -> None:
        ctx = self.ctx
        request = relay.request
        if request is None:
            return
        self._shown(relay.call, request, relay.from_caller)
        peer = self._other_peer(relay.call, relay.from_caller)
        key = ctx.new_branch()
        data = request.encode_under(ctx.via_line(peer, key))
        relay.request = None
        relay.passed = True
        relay.client = ctx.layer.request(key, request.method, data, peer, relay, now)

    def ack(self, request: Message, peer: Peer, now: float) -> None:
        """ACK to a 2xx: goes on without a transaction (RFC 3261 §16.6)."""
        found = self.find(request)
        if found is None or not count_hop(request):
            return
        call, from_caller = found
        strip_own_routes(self.ctx, request)
        if request.body:
            self.ctx.media.answer(call, request)
        if call.state is CallState.UP:
            (call.caller if from_caller else call.callee).alive_ms = self.ctx.now_ms
        self._shown(call, request, from_caller)
        target = self._other_peer(call, from_caller)
        self.ctx.send(target, request.encode_under(self.ctx.via_line(target, self.ctx.new_branch())))

    def on_relayed(self, relay: Relay, client: ClientTransaction, response: Message, now: float) -> None:
        status = response.status
        call = relay.call
        if status < 200 and client.method == b"INVITE":
            if not relay.cancel_wanted:
                self.ctx.layer.end_after(client, TIMER_C, now)
            elif not relay.provisional:
                self._cancel_relay(relay, client, now)
        relay.provisional = True
        if status == 100:
            return
        if status >= 200 and call.state is CallState.UP:
            self._after_answer(call, relay, client.method, response, now)
        if response.body and status < 300 and client.method in NEGOTIATING:
            self.ctx.media.response(call, response, late_offer=relay.late_offer)
        if call.hidden and not relay.from_caller and CONTACT in response.at:
            response.replace(CONTACT, self.ctx.hidden_contact)
        identity, kind = (call.caller_true, FROM) if relay.from_caller else (call.caller_shown, TO)
        self.relay_response(relay.server, response, identity if self._changed(call) else b"", kind, now)

    def _changed(self, call: Call) -> bool:
        return call.caller_true != call.caller_shown

    def _after_answer(self, call: Call, relay: Relay, method: bytes, response: Message, now: float) -> None:
        (call.callee if relay.from_caller else call.caller).alive_ms = self.ctx.now_ms
        if response.status >= 300 or method not in REFRESHES:
            return
        if CONTACT in response.at:
            self._retarget(call.callee if relay.from_caller else call.caller, response)
        if relay.asked_interval:
            call.session_interval = agree_timer(response, relay.asked_interval, relay.timer_supported)
        self.watch(call, now)
        self._store_alive(call)

    def _store_alive(self, call: Call) -> None:
        self.ctx.group.alive.append(AliveEntry(call.id, call.alive_ms, call.dialog_text()))
        for part in call.forwarded:
            self.ctx.group.alive.append(AliveEntry(part.id, call.alive_ms, f"{call.id}"))

    def cancel_relay(self, relay: Relay, now: float) -> None:
        """CANCEL of a re-INVITE."""
        client = relay.client
        if client is None or relay.cancel_wanted:
            return
        relay.cancel_wanted = True
        if relay.provisional and client.sent:
            self._cancel_relay(relay, client, now)

    def _cancel_relay(self, relay: Relay, client: ClientTransaction, now: float) -> None:
        self.ctx.layer.end_after(client, TIMEOUT, now)
        self.ctx.layer.request(client.key + b"/CANCEL", b"CANCEL", make_cancel(client.sent), client.peer, IGNORE, now)

    def relay_response(
        self, server: ServerTransaction, response: Message, identity: bytes, kind: int, now: float
    ) -> None:
        """Send a response back the way its request came, with the identity its receiver knows."""
        if response.status == 100:
            return
        pop_via(response)
        if identity:
            response.replace(kind, (b"From: " if kind == FROM else b"To: ") + identity)
        self.ctx.layer.respond(server, response.status, response.encode(), now)

    # -- the end --------------------------------------------------------------------------------------------------

    def _bye(self, relay: Relay, now: float) -> None:
        call = relay.call
        if call.state in (CallState.UP, CallState.ANSWERING):
            self._close(call, self.ctx.now_ms, EndCause.CALLER if relay.from_caller else EndCause.CALLEE, now)
            relay.due = self.ctx.timers.start(relay, BYE_PASS, BYE_PASS_TIME, now)
            self.ctx.hold(self._release_bye, relay)
        else:
            self._send_on(relay, now)
        self.ctx.layer.expect_late_answer(relay.server, now)

    def _release_bye(self, relay: Relay, now: float) -> None:
        if not relay.passed:
            self._send_on(relay, now)

    def pass_bye(self, relay: Relay, now: float) -> None:
        """The disk is slow: the phones need not wait for it, the record follows."""
        if not relay.passed:
            self.ctx.counters["journal", "bye_passed_before_commit"] += 1
            self._send_on(relay, now)

    def _close(self, call: Call, ended_ms: int, cause: str, now: float) -> None:
        call.state = CallState.ENDED
        end = call.end_entry(ended_ms, cause)
        self.ctx.group.ends.append(end)
        for part in call.forwarded:
            self.ctx.group.ends.append(end._replace(id=part.id))
        self.ctx.counters["ended", cause] += 1
        if call.setup is not None:
            call.setup.let_go()
            call.setup = None
        self.table.up.pop(call.id, None)
        self.table.ended.append((now + LINGER_TIME, call))
        self._over(call)

    def cut(self, call: Call, cause: str, ended_ms: int, now: float) -> None:
        """End a call ourselves: the record, then BYE to both sides."""
        if call.state is not CallState.UP:
            return
        self._close(call, ended_ms, cause, now)
        self.ctx.hold(self._send_farewells, call)

    def _send_farewells(self, call: Call, now: float) -> None:
        for side in Side:
            key = self.ctx.new_branch()
            peer, data = farewell(call, side, lambda p, k=key: self.ctx.via_line(p, k))  # type: ignore[misc]
            self.ctx.layer.request(key, b"BYE", data, peer, IGNORE, now)

    def dismiss(self, client: ClientTransaction | None, response: Message, now: float, *, only_ack: bool) -> None:
        """A 2xx of a branch given up: ACK it and, the first time, end that dialog."""
        if client is None:
            return
        via = self.ctx.via_line
        routes = foreign_routes(self.ctx, response, above_ours=True)
        self.ctx.send(client.peer, ack_to_answer(response, via(client.peer, self.ctx.new_branch()), routes))
        key = self.ctx.new_branch()
        if not only_ack and tag_of(response.value(TO) or b""):
            data = bye_of_dismissed(response, via(client.peer, key), routes)
            self.ctx.layer.request(key, b"BYE", data, client.peer, IGNORE, now)

    def forget(self, call: Call) -> None:
        self.table.remove(call)
        self._over(call)

    # -- proof of life --------------------------------------------------------------------------------------------

    def watch(self, call: Call, now: float) -> None:
        """Start the session timer, if one was agreed, and the probing: a refresh may be half an hour away, and until
        then nothing else would prove life. A voicemail ends by itself, unless its worker was killed."""
        self.table.up[call.id] = call
        call.session_due = now + call.session_interval if call.session_interval else 0.0
        if not call.probe_due:
            call.probe_due = now + (VOICEMAIL_PROBE if call.voicemail else self.ctx.settings.probe_interval)

    def sweep(self, now: float) -> None:
        """Look at the long timers of all calls: most calls end long before theirs, so that no queue keeps them."""
        ended = self.table.ended
        while ended and ended[0][0] <= now:
            self.table.remove(ended.popleft()[1])
        for call in list(self.table.up.values()):
            if 0.0 < call.session_due <= now:
                self.ctx.note(f"call {printable(call.call_id)}: no session refresh, ended at its last proof of life")
                self.cut(call, EndCause.LOST, call.alive_ms, now)
            elif 0.0 < call.probe_due <= now:
                self._probe(call, now)
                call.probe_due = now + self.ctx.settings.probe_interval

    def _probe(self, call: Call, now: float) -> None:
        """OPTIONS inside the dialog with the CSeq last used, which disturbs no counter at either side."""
        for side in Side:
            key = self.ctx.new_branch()
            peer, data = ask_whether_alive(call, side, lambda p, k=key: self.ctx.via_line(p, k))  # type: ignore[misc]
            self.ctx.layer.request(key, b"OPTIONS", data, peer, Probe(self, call, side), now)

    def on_probed(self, call: Call, side: Side, alive: bool, now: float) -> None:
        if call.state is not CallState.UP:
            return
        if alive:
            (call.caller if side is Side.CALLER else call.callee).alive_ms = self.ctx.now_ms
            self._store_alive(call)
        else:
            self.ctx.note(f"call {printable(call.call_id)}: a side is gone, ended at its last proof of life")
            self.cut(call, EndCause.LOST, call.alive_ms, now)
