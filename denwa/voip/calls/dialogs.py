"""Calls that are up: requests inside their dialogs and proof of life (C4, C5). How they end: `endings.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from denwa.voip.calls.call import (
    FORWARDED,
    Call,
    CallState,
    CallTable,
    EndCause,
    restore_call,
    restore_forwarded,
)
from denwa.voip.calls.endings import GONE, LONGEST, NOT_REFRESHED, SIDE_GONE, Endings
from denwa.voip.calls.journal import CallEntry, EndEntry
from denwa.voip.calls.parties import is_known_source, proves_party
from denwa.voip.calls.requests import Side, ask_whether_alive
from denwa.voip.calls.screen import find_target, screen
from denwa.voip.calls.session import LEAST, IntervalTooSmall, agree_timer, ask_for_timer
from denwa.voip.calls.veil import reveal_answer, reveal_request
from denwa.voip.context import Context, printable
from denwa.voip.media.negotiation import NEGOTIATING, has_sdp
from denwa.voip.proxy.concealment import conceal_answer, conceal_request
from denwa.voip.proxy.forward import count_hop, pop_via, strip_own_routes
from denwa.voip.proxy.identity import strip_claims
from denwa.voip.sip.checks import asks_for
from denwa.voip.sip.fields import FieldFault, address_uri, tag_of
from denwa.voip.sip.message import CONTACT, FROM, PROXY_AUTHORIZATION, SUPPORTED, TO, Message
from denwa.voip.sip.peer import Peer
from denwa.voip.sip.response import make_cancel
from denwa.voip.sip.timers import TIMEOUT
from denwa.voip.sip.transactions import IGNORE, ClientTransaction, ServerTransaction

VOICEMAIL_PROBE: Final = 180.0  # seconds; longer than a message takes (V2)
TIMER_C: Final = 180.0  # RFC 3261 §16.8
REFRESHES: Final = (b"INVITE", b"UPDATE")


class Relay:
    """A request inside a dialog on its way to the other side (the user of its client transaction)."""

    __slots__ = (
        "asked",
        "asked_interval",
        "call",
        "cancel_wanted",
        "client",
        "contact",
        "dialogs",
        "due",
        "ending",
        "from_caller",
        "late_offer",
        "provisional",
        "request",
        "server",
        "timer_supported",
        "waiting",
        "waiting_since",
    )

    def __init__(
        self, dialogs: Dialogs, call: Call, server: ServerTransaction, request: Message, from_caller: bool
    ) -> None:
        self.dialogs = dialogs
        self.call = call
        self.server = server
        self.request: Message | None = request
        # As it came, to answer in its sender's terms; only of a caller that hides
        self.asked = request if call.veil is not None else None
        self.from_caller = from_caller
        self.late_offer = request.method == b"INVITE" and not has_sdp(request)
        self.client: ClientTransaction | None = None
        self.provisional = False
        self.cancel_wanted = False
        self.asked_interval = 0  # of a refresh: the session interval it asks for
        self.timer_supported = False
        self.contact = b""  # of a target refresh: in force with its 2xx (RFC 3261 §12.2.1.2)
        self.ending = False  # a BYE whose answer decides whether the call ends
        self.waiting: tuple[int, bytes] | None = None  # its answer, until the end is on disk
        self.waiting_since = 0.0
        self.due = 0.0

    def on_response(self, client: ClientTransaction, response: Message, now: float) -> None:
        self.dialogs.on_relayed(self, client, response, now)

    def on_timeout(self, now: float) -> None:
        """No answer: none is made up for a request that is no INVITE (RFC 4320 §4.2)."""
        if self.ending:
            self.dialogs.endings.on_bye_unanswered(self, now)
        if self.server.method == b"INVITE":
            if self.provisional:
                self.dialogs.cancel_relay(self, now)
            self.dialogs.ctx.respond(self.server, 408, now)

    def fire(self, kind: int, due: float, now: float) -> None:
        if due == self.due:
            self.dialogs.endings.on_slow(self, now)


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
        self.endings = Endings(ctx, table, over)
        self.cut = self.endings.cut
        self.dismiss = self.endings.dismiss

    def restore(self, entries: Iterable[CallEntry], now: float) -> None:
        """Take calls up again after a restart; the next probe tells whether they are still there."""
        calls: dict[int, Call] = {}
        for entry in sorted(entries):  # by id: that of a forwarded call is higher than that of its call
            if entry.leg == FORWARDED:
                self._restore_forwarded(entry, calls)
                continue
            try:
                call = calls[entry.id] = restore_call(entry, self.ctx.now_ms)
            except ValueError as fault:
                self._end_unread(entry, str(fault))
                continue
            self.table.add(call)
            if call.caller_shown != call.caller_true and (tag := tag_of(call.caller_shown)) != call.caller.tag:
                self.table.alias(call, tag)
            self.watch(call, now)
            if call.byes:
                call.cut_due = now  # somebody had hung up, and nobody waits for the answer any more

    def _restore_forwarded(self, entry: CallEntry, calls: Mapping[int, Call]) -> None:
        if not restore_forwarded(entry, calls):
            self._end_unread(entry, f"record {entry.id}: the call that was forwarded is not there")

    def _end_unread(self, entry: CallEntry, why: str) -> None:
        """An open record that cannot be taken up again ends at its last proof of life (C5)."""
        self.ctx.note(f"{why}, ended at its last proof of life")
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
            if call.veil is not None and call_id != call.call_id:
                return None  # the caller's tag as the called side knows it, used by somebody else
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
        known = call.caller.peer if from_caller else self._other_peer(call, True)
        if peer != known and not proves_party(ctx, server, call, from_caller, request, peer, known, now):
            return
        if request.cseq < (call.caller if from_caller else call.callee).cseq:
            ctx.refuse(server, 500, "CSeq out of order", now)  # RFC 3261 §12.2.2
            return
        if not count_hop(request):
            ctx.refuse(server, 483, "Max-Forwards used up", now)
            return
        if unacceptable := self._unacceptable(call, request, from_caller):
            ctx.refuse(server, 488, unacceptable, now)
            return
        strip_own_routes(ctx, request)
        self._note_sender(call, from_caller, request, peer)
        relay = Relay(self, call, server, request, from_caller)
        method = request.method
        server.user = relay
        if method == b"BYE":
            if not self.endings.on_bye(relay, now):
                self.send_on(relay, now)
            ctx.layer.expect_late_answer(server, now)
            return
        if method in REFRESHES and CONTACT in request.at:
            relay.contact = self._target(request)
        if method in REFRESHES and call.state is CallState.UP and not self._ask_again(relay, request, now):
            return
        if method == b"INVITE":
            ctx.respond(server, 100, now)
        else:
            ctx.layer.expect_late_answer(server, now)
        self.send_on(relay, now)

    def _unacceptable(self, call: Call, request: Message, from_caller: bool) -> str:
        """Filter the SDP of a request (C3, N8). Gives why it must be refused with 488, "" otherwise."""
        if not request.body or request.method not in NEGOTIATING:
            return ""
        media = self.ctx.media
        if request.method == b"PRACK" and call.setup is not None and call.setup.late_offer:
            media.answer(call, request)  # to the offer in the provisional response (RFC 3262 §5)
            return self._relayed(call, request, from_caller, answers=True)
        return media.offer(call, request) or self._relayed(call, request, from_caller, answers=False)

    def _relayed(self, call: Call, request: Message, from_caller: bool, *, answers: bool) -> str:
        relaying = self.ctx.relaying
        return relaying.request(call, request, from_caller, answers=answers) if relaying is not None else ""

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

    def _target(self, message: Message) -> bytes:
        """The remote target that a refresh or its answer names, b"" when it cannot be read."""
        try:
            return address_uri(message.value(CONTACT) or b"")
        except FieldFault:
            self.ctx.note("a target refresh with a Contact that cannot be read")
            return b""

    def _other_peer(self, call: Call, from_caller: bool) -> Peer:
        if not from_caller:
            return call.caller.peer
        branch = call.setup.branch if call.setup is not None and call.state is CallState.SETUP else None
        return branch.client.peer if branch is not None and branch.client is not None else call.callee.peer

    def _shown(self, call: Call, message: Message, from_caller: bool) -> Message:
        """The message as its receiver may see it (N7: nothing in a dialog gives the caller's identity away)."""
        if PROXY_AUTHORIZATION in message.at:
            message.remove(PROXY_AUTHORIZATION)  # it was for us
        if call.forwarded:
            if from_caller:
                find_target(self.ctx, call, message)
            else:
                screen(self.ctx, message)
        if call.veil is not None:
            if from_caller:
                return conceal_request(self.ctx, call, call.veil, message)
            return reveal_request(call, call.veil, message)
        if call.caller_true != call.caller_shown:
            if from_caller:
                strip_claims(message)
                message.replace(FROM, b"From: " + call.caller_shown)
            else:
                message.replace(TO, b"To: " + call.caller_true)
        return message

    def send_on(self, relay: Relay, now: float) -> None:
        """Let a request go on to the other side, once."""
        ctx = self.ctx
        request = relay.request
        if request is None:
            return
        request = self._shown(relay.call, request, relay.from_caller)
        peer = self._other_peer(relay.call, relay.from_caller)
        key = ctx.new_branch()
        data = request.encode_under(ctx.via_line(peer, key))
        relay.request = None
        relay.client = ctx.layer.request(key, request.method, data, peer, relay, now)

    def ack(self, request: Message, peer: Peer, now: float) -> None:
        """ACK to a 2xx: goes on without a transaction (RFC 3261 §16.6)."""
        found = self.find(request)
        if found is None or not count_hop(request):
            return
        call, from_caller = found
        known = call.caller.peer if from_caller else self._other_peer(call, True)
        if peer != known and not is_known_source(self.ctx, call, from_caller, peer, known):
            self.ctx.counters["dropped", "ACK from a stranger"] += 1
            return
        strip_own_routes(self.ctx, request)
        if request.body:
            self.ctx.media.answer(call, request)
            if call.relay is not None and self.ctx.relaying is not None:
                self.ctx.relaying.acknowledged(call, request, from_caller)
        if call.state is CallState.UP:
            (call.caller if from_caller else call.callee).alive_ms = self.ctx.now_ms
        request = self._shown(call, request, from_caller)
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
        ended = False
        if status >= 200:
            if relay.ending:
                ended = self.endings.on_bye_answered(relay, status, now)
            elif call.state is CallState.UP:
                self._after_answer(call, relay, client.method, response, now)
            elif status < 300 and relay.contact:
                self._retarget(call, relay, response)
        if response.body and status < 300 and client.method in NEGOTIATING:
            self.ctx.media.response(call, response, late_offer=relay.late_offer)
            if call.relay is not None and self.ctx.relaying is not None:
                late = relay.late_offer
                self.ctx.relaying.response(call, response, from_caller=not relay.from_caller, late_offer=late)
        data = self._answered(call, relay, response)
        if ended:
            self.endings.hold_answer(relay, (status, data), now)
        else:
            self.ctx.layer.respond(relay.server, status, data, now)

    def _answered(self, call: Call, relay: Relay, response: Message) -> bytes:
        """A response as the sender of its request may see it."""
        if call.forwarded and relay.from_caller:
            screen(self.ctx, response)
        if call.veil is not None and relay.asked is not None:
            if not relay.from_caller:
                return conceal_answer(self.ctx, call.veil, response, relay.asked).encode()
            reveal_answer(call, call.veil, response, relay.asked)
            return response.encode()
        pop_via(response)
        if call.caller_true != call.caller_shown:
            identity = b"From: " + call.caller_true if relay.from_caller else b"To: " + call.caller_shown
            response.replace(FROM if relay.from_caller else TO, identity)
        return response.encode()

    def _after_answer(self, call: Call, relay: Relay, method: bytes, response: Message, now: float) -> None:
        if response.status in GONE:
            call.probe_due = now  # it says that it has no such call: is that so (RFC 5057 §5.1)?
            return
        (call.callee if relay.from_caller else call.caller).alive_ms = self.ctx.now_ms
        if response.status >= 300 or method not in REFRESHES:
            return
        self._retarget(call, relay, response)
        if relay.asked_interval:
            call.session_interval = agree_timer(response, relay.asked_interval, relay.timer_supported)
        self.watch(call, now)
        self.endings.store_state(call)

    def _retarget(self, call: Call, relay: Relay, response: Message) -> None:
        """A target refresh was accepted: both sides' Contacts are in force (RFC 3261 §12.2)."""
        sender, answerer = (call.caller, call.callee) if relay.from_caller else (call.callee, call.caller)
        sender.contact = relay.contact or sender.contact
        if CONTACT in response.at:
            answerer.contact = self._target(response) or answerer.contact

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

    def for_caller(self, call: Call, response: Message) -> bytes:
        """A response to the INVITE that begins a call, as the caller may see it."""
        if call.forwarded:
            screen(self.ctx, response)
        if call.veil is not None:
            reveal_answer(call, call.veil, response, None)
        else:
            pop_via(response)
            if call.caller_true != call.caller_shown:
                response.replace(FROM, b"From: " + call.caller_true)
        return response.encode()

    def answer_caller(self, call: Call, server: ServerTransaction, response: Message, now: float) -> None:
        """Send such a response back the way its INVITE came."""
        if response.status != 100:
            self.ctx.layer.respond(server, response.status, self.for_caller(call, response), now)

    def forget(self, call: Call) -> None:
        """A call that was not answered is over."""
        self.table.remove(call)
        self._over(call)

    # -- proof of life --------------------------------------------------------------------------------------------

    def watch(self, call: Call, now: float) -> None:
        """Start the session timer, if one was agreed, and the probing: a refresh may be half an hour away, and until
        then nothing else would prove life. A voicemail ends by itself, unless its worker was killed."""
        self.table.up[call.id] = call
        call.session_due = now + call.session_interval if call.session_interval else 0.0
        longest = self.ctx.settings.call_seconds
        if self.ctx.own_call_seconds:
            longest = self.ctx.own_call_seconds.get(call.subscriber, longest)
        if longest and not call.cut_due:
            call.cut_due = now + longest - (self.ctx.now_ms - call.answered_ms) / 1000
        if not call.probe_due:
            call.probe_due = now + (VOICEMAIL_PROBE if call.voicemail else self.ctx.settings.probe_interval)

    def sweep(self, now: float) -> None:
        """Look at the long timers of all calls: most calls end long before theirs, so that no queue keeps them."""
        ended = self.table.ended
        while ended and ended[0][0] <= now:
            self.table.remove(ended.popleft()[1])
        relaying = self.ctx.relaying
        for call in list(self.table.up.values()):
            if call.relay is not None and relaying is not None and call.relay.due <= now:
                relaying.look(call, now)
            if 0.0 < call.cut_due <= now:
                if not call.byes:
                    self.ctx.note(f"call {printable(call.call_id)}: ended by the service")
                self.cut(call, EndCause.SERVICE, self.ctx.now_ms, now, call.cut_reason or LONGEST)
            elif call.byes:
                continue  # its end is under way
            elif 0.0 < call.session_due <= now:
                self.ctx.note(f"call {printable(call.call_id)}: no session refresh, ended at its last proof of life")
                self.cut(call, EndCause.LOST, call.alive_ms, now, NOT_REFRESHED)
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
            self.endings.store_state(call)
        else:
            self.ctx.note(f"call {printable(call.call_id)}: a side is gone, ended at its last proof of life")
            self.cut(call, EndCause.LOST, call.alive_ms, now, SIDE_GONE)
