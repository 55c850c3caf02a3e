"""What is said to gateways outside of calls: OPTIONS that ask whether they are there, and REGISTER with carriers that
want it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

from denwa.voip.calls.call import Call
from denwa.voip.context import Context
from denwa.voip.gateways.credentials import Credentials, challenge_of
from denwa.voip.gateways.formats import host_of
from denwa.voip.gateways.lines import Gateway, Line
from denwa.voip.gateways.registration import Next, Registration, Step
from denwa.voip.gateways.trunk import Account, Address
from denwa.voip.sip.message import Message
from denwa.voip.sip.peer import Peer, is_tls
from denwa.voip.sip.transactions import ClientTransaction

ASK, PATIENCE = 50, 51  # timer kinds
PROBE_PATIENCE: Final = 3.0  # seconds
REGISTER_PATIENCE: Final = 6.0
RECHECK: Final = 5.0  # seconds between OPTIONS while a line is not known to be well


class Carriers:
    """Keeps gateways probed and registered from `start` on; `locate` is told what their names mean now."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._registers: list[Registrant] = []

    def start(self, now: float) -> None:
        for gateway in self._ctx.lines.gateways.values():
            self._watch(gateway.lines, gateway, now)
            if gateway.trunk.register_every and gateway.trunk.account is not None:
                registrant = Registrant(self._ctx, gateway, gateway.trunk.account)
                self._registers.append(registrant)
                registrant.begin(now)

    def count_again(self, calls: Iterable[Call]) -> None:
        """Calls taken up after a restart use channels of the gateways that their sides are at."""
        lines = self._ctx.lines
        at = {line.peer[:2]: line.trunk for gateway in lines.gateways.values() for line in gateway.lines}
        for call in calls:
            for leg in (call.caller, call.callee):
                trunk = self._ctx.trunk_of(leg.peer) or at.get(leg.peer[:2])
                if trunk is not None:
                    lines.take(call.id, trunk)

    def locate(self, name: str, addresses: list[Address], sources: Iterable[tuple[str, int]], now: float) -> None:
        """The gateway `name` now has these addresses, best first; its incoming calls come from `sources`."""
        ctx = self._ctx
        gateway = ctx.lines.gateways[name]
        before = [line.peer for line in gateway.lines]
        self._watch(gateway.locate(addresses), gateway, now)
        ctx.lines.changed()
        ctx.sources.put(gateway.trunk, sources)
        after = [line.peer for line in gateway.lines]
        if after != before:
            shown = ", ".join(line.name for line in gateway.lines) or "no address"
            ctx.note(f"gateway {name} is at {shown}")
            ctx.counters["gateway_changes", f"{name} located"] += 1
        for registrant in self._registers:
            if registrant.gateway is gateway and not before and after:
                registrant.begin(now)

    def _watch(self, lines: Iterable[Line], gateway: Gateway, now: float) -> None:
        if gateway.trunk.probe_every:
            for line in lines:
                Probe(self._ctx, gateway, line).ask(now)


class _Asker:
    """One exchange after the other with a gateway: a request, its answer or patience run out, a pause."""

    __slots__ = ("awaits", "client", "ctx", "due", "gateway")
    patience = PROBE_PATIENCE

    def __init__(self, ctx: Context, gateway: Gateway) -> None:
        self.ctx = ctx
        self.gateway = gateway
        self.client: ClientTransaction | None = None
        self.due = 0.0
        self.awaits = ASK  # which timer runs: a stopped one may have been due at the same time

    def ask(self, now: float) -> None:
        raise NotImplementedError

    def silent(self, now: float) -> None:
        raise NotImplementedError

    def send(self, method: bytes, peer: Peer, lines: list[bytes], now: float) -> None:
        """`lines`: the start line, then all headers but Via, Max-Forwards and Content-Length."""
        ctx = self.ctx
        key = ctx.new_branch()
        out = [lines[0], ctx.via_line(peer, key), *lines[1:], b"Max-Forwards: 70", b"Content-Length: 0\r\n\r\n"]
        self.client = ctx.layer.request(key, method, b"\r\n".join(out), peer, self, now)
        self.awaits = PATIENCE
        self.due = ctx.timers.start(self, PATIENCE, self.patience, now)

    def pause(self, seconds: float, now: float) -> None:
        self.client = None
        self.awaits = ASK
        self.due = self.ctx.timers.start(self, ASK, float(math.ceil(seconds)), now)

    def fire(self, kind: int, due: float, now: float) -> None:
        if due != self.due or kind != self.awaits:
            return
        self.due = 0.0
        if kind == ASK:
            self.ask(now)
            return
        if self.client is not None:
            self.ctx.layer.end(self.client)
        self.silent(now)

    def on_timeout(self, now: float) -> None:
        """Patience is shorter than the transaction's: it has been dealt with."""


class Probe(_Asker):
    """OPTIONS to one line. Any answer but 503 and 408 proves that somebody is there."""

    __slots__ = ("_call_id", "_cseq", "_tag", "line")

    def __init__(self, ctx: Context, gateway: Gateway, line: Line) -> None:
        super().__init__(ctx, gateway)
        self.line = line
        self._call_id = b"%b@%b" % (ctx.token(), ctx.settings.realm)
        self._tag = ctx.token()
        self._cseq = 0

    def ask(self, now: float) -> None:
        if self.line not in self.gateway.lines:
            return  # the name does not mean this address any more
        realm = self.ctx.settings.realm
        self._cseq += 1
        peer = self.line.peer
        uri = b"sip:" + (self.gateway.trunk.format.domain or host_of(peer))
        lines = [
            b"OPTIONS " + uri + b" SIP/2.0",
            b"From: <sip:%b>;tag=%b" % (realm, self._tag),
            b"To: <" + uri + b">",
            b"Call-ID: " + self._call_id,
            b"CSeq: %d OPTIONS" % self._cseq,
            b"Contact: <" + _own_uri(self.ctx, b"", peer) + b">",
            b"Accept: application/sdp",
        ]
        self.send(b"OPTIONS", peer, lines, now)

    def on_response(self, client: ClientTransaction, response: Message, now: float) -> None:
        if client is not self.client or response.status < 200:
            return
        if response.status in (408, 503):
            self.ctx.lines.bad(self.line, f"it answers OPTIONS with {response.status}", now)
        else:
            self.ctx.lines.good(self.line, now)
        self._again(now)

    def silent(self, now: float) -> None:
        self.ctx.lines.bad(self.line, "it does not answer OPTIONS", now)
        self._again(now)

    def _again(self, now: float) -> None:
        every = float(self.gateway.trunk.probe_every)
        self.pause(every if self.line.health.spotless else min(every, RECHECK), now)


class Registrant(_Asker):
    """REGISTER with the carrier behind one gateway, at one of its addresses after the other until one takes it."""

    __slots__ = ("_account", "_call_id", "_credentials", "_cseq", "_peer", "_place", "_tag", "registration")
    patience = REGISTER_PATIENCE

    def __init__(self, ctx: Context, gateway: Gateway, account: Account) -> None:
        super().__init__(ctx, gateway)
        self._account = account
        self._credentials = Credentials(account)  # its registrar may challenge otherwise than its switch
        self.registration = Registration(gateway.trunk.register_every)
        self._call_id = b"%b@%b" % (ctx.token(), ctx.settings.realm)
        self._tag = ctx.token()
        self._cseq = 0
        self._place = 0
        self._peer: Peer = ("", 0)

    def begin(self, now: float) -> None:
        """Register as soon as the gateway has an address."""
        if self.gateway.lines and self.client is None and not self.due:
            self.ask(now)

    def ask(self, now: float) -> None:
        account, credentials = self._account, self._credentials
        if not self.gateway.lines:
            self.client = None
            return  # begun again when it is located
        self._peer = self.gateway.lines[self._place % len(self.gateway.lines)].peer
        self._cseq += 1
        record = b"<sip:%b@%b>" % (account.user, account.domain)
        uri = b"sip:" + account.domain
        lines = [
            b"REGISTER " + uri + b" SIP/2.0",
            b"From: " + record + b";tag=" + self._tag,
            b"To: " + record,
            b"Call-ID: " + self._call_id,
            b"CSeq: %d REGISTER" % self._cseq,
            b"Contact: <" + self._contact() + b">",
            b"Expires: %d" % self.registration.asked,
        ]
        if credentials.known:
            lines.append(credentials.line(b"REGISTER", uri, self.ctx.token()))
        self.send(b"REGISTER", self._peer, lines, now)

    def _contact(self) -> bytes:
        return _own_uri(self.ctx, self._account.user, self._peer)

    def on_response(self, client: ClientTransaction, response: Message, now: float) -> None:
        credentials = self._credentials
        if client is not self.client or response.status < 200:
            return
        registration = self.registration
        if response.status in (401, 407):
            challenge = challenge_of(response)
            if challenge is None or not registration.challenged(stale=challenge.stale):
                credentials.forget()
                self._step(registration.refused(now), now)
                return
            credentials.challenged(challenge)
            self.ask(now)
            return
        self._step(registration.answered(response, self._contact(), now), now)

    def silent(self, now: float) -> None:
        self._step(self.registration.silent(now), now)

    def _step(self, step: Step, now: float) -> None:
        registration, gateway = self.registration, self.gateway
        registered = registration.registered(now)
        barred = "" if registered else registration.why
        if barred != gateway.barred:
            word = "registered" if registered else "not registered"
            self.ctx.counters["gateway_changes", f"{gateway.trunk.name} {word}"] += 1
            self.ctx.note(f"gateway {gateway.trunk.name}: {word}" + (f": {barred}" if barred else ""))
            gateway.barred = barred
        if step.elsewhere:
            self._place += 1
        if step.what is Next.AT_ONCE:
            self.ask(now)
            return
        # Not later than what is left of a registration: then it must be known that it is over.
        self.pause(max(min(step.after, registration.until - now) if registered else step.after, 1.0), now)


def _own_uri(ctx: Context, user: bytes, peer: Peer) -> bytes:
    """Where the other side reaches us, by the way of `peer`."""
    own = ctx.own.of(peer)
    host = own.sent_by_tls if is_tls(peer) else own.sent_by
    transport = b"" if len(peer) == 2 else b";transport=tls" if is_tls(peer) else b";transport=tcp"
    return b"sip:" + (user + b"@" if user else b"") + host + transport
