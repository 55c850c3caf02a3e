"""REGISTER (R1-R4): who asks, what it does to the bindings, and the 200 once that is on disk."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from denwa.voip.calls.journal import UnbindingEntry
from denwa.voip.context import Context, printable
from denwa.voip.push.parameters import NOT_SUPPORTED, PushRules, can_be_woken, capabilities, push_device, unsupported
from denwa.voip.registrar.authentication import Unproven, authenticate
from denwa.voip.registrar.bindings import (
    STAR,
    Asked,
    Binding,
    BindingPolicy,
    ContactRequest,
    Outcome,
    Rejection,
    agent_text,
    apply_register,
    contact_line,
    first,
    newest,
    plain_contact,
    read_contacts,
    refresh,
    storable_text,
)
from denwa.voip.registrar.keepalive import KeepAlive
from denwa.voip.sip.message import CONTACT, EXPIRES, PATH, USER_AGENT, Message
from denwa.voip.sip.peer import CONNECT, CONNECT_TLS, Peer, flow_text, peer_of_text
from denwa.voip.sip.response import reason_header
from denwa.voip.sip.uri import SipUri, UriFault, parse_address, parse_uri, split_addresses
from denwa.voip.subscribers import Subscriber

NOT_STORABLE: Final = b"registrations cannot be stored at present"


class _Devices:
    """A subscriber's bindings. `source`: where the last REGISTER that changed them came from; `flows`: connections of
    this process, by contact."""

    __slots__ = ("bindings", "flows", "source")

    def __init__(self) -> None:
        self.bindings: list[Binding] = []
        self.source: Peer | None = None
        self.flows: dict[str, Peer] = {}


class Registrar:
    """The bindings of all subscribers, in memory, and behind them the journal."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        settings = ctx.settings
        self._policy = BindingPolicy(
            settings.default_expires,
            settings.min_expires,
            settings.max_expires,
            settings.max_bindings,
            settings.push.longest,
        )
        self._devices: dict[bytes, _Devices] = {}
        every = settings.nat_keepalive
        self._keepalive = KeepAlive(ctx, every, self._binding) if every else None
        ctx.guard.places = self.places

    def restore(self, bindings: Iterable[Binding]) -> None:
        lapse_ms = self._ctx.settings.push.lapse * 1000
        for binding in bindings:
            if self._policy.push_expires and push_device(binding.contact):  # its lapse may have been longer then
                binding = binding._replace(expires_at=min(binding.expires_at, binding.registered_at + lapse_ms))
            self._devices.setdefault(binding.aor.encode(), _Devices()).bindings.append(binding)
            self._ctx.guard.know(peer_of_text(binding.flow))
            if self._keepalive is not None:
                self._keepalive.watch(binding.aor.encode(), binding, self._ctx.now)

    def _binding(self, account: bytes, contact: str) -> Binding | None:
        devices = self._devices.get(account)
        return next((one for one in devices.bindings if one.contact == contact), None) if devices is not None else None

    def ringing(self, account: bytes) -> tuple[Binding, Peer] | None:
        """The device that rings (R2) and where it is; None when nobody is registered (R3)."""
        devices = self._devices.get(account)
        if devices is None:
            return None
        held = devices.bindings
        binding = held[0] if len(held) == 1 else newest(held, self._ctx.now_ms)
        if binding is None or binding.expires_at <= self._ctx.now_ms:
            return None
        return binding, devices.flows.get(binding.contact) or peer_of_text(binding.flow)

    def places(self, account: bytes) -> list[Peer]:
        """Where the devices of an account are."""
        devices = self._devices.get(account)
        now_ms = self._ctx.now_ms
        if devices is None:
            return []
        places = [peer_of_text(binding.flow) for binding in devices.bindings if binding.expires_at > now_ms]
        return places if devices.source is None else [*places, devices.source]

    def reachable(self, account: bytes) -> list[tuple[Binding, Peer]]:
        """The devices of an account that are registered, and where each is."""
        devices = self._devices.get(account)
        if devices is None:
            return []
        now_ms, flows = self._ctx.now_ms, devices.flows
        held = [binding for binding in devices.bindings if binding.expires_at > now_ms]
        return [(binding, flows.get(binding.contact) or peer_of_text(binding.flow)) for binding in held]

    def count(self) -> int:
        return sum(len(devices.bindings) for devices in self._devices.values())

    def register(self, request: Message, branch: bytes, answer_to: Peer, peer: Peer) -> None:
        """A REGISTER outside any dialog. No transaction is kept (decision 0004): a repetition finds its binding; while
        that is on its way to the disk, the repetition is dropped before it costs anything, for its 200 will come."""
        ctx = self._ctx
        asked = (request.call_id, request.cseq)
        if asked in ctx.registering:
            ctx.counters["dropped", "repetition"] += 1
            return
        if not ctx.journal_ok:
            self._reject(request, branch, answer_to, Rejection(503, NOT_STORABLE, [b"Retry-After: 5"]))
            return
        subscriber = authenticate(ctx, request, peer, proxy=False)
        if isinstance(subscriber, Unproven) and not subscriber.status:
            lines = ctx.challenge_lines(request, False, subscriber.stale)
            ctx.send(answer_to, ctx.stateless(request, branch, 401, lines))
            return
        outcome = self._outcome(request, subscriber, peer)
        if isinstance(outcome, Rejection):
            self._reject(request, branch, answer_to, outcome)
            return
        ctx.counters["registrations", "ok"] += 1
        lines = [contact_line(binding, ctx.now_ms) for binding in outcome.bindings]
        if ctx.waking is not None:
            self._for_push(request, subscriber, lines)
        answer = ctx.stateless(request, branch, 200, lines)
        if outcome.changed or outcome.removed:
            ctx.group.answers.append((answer_to, answer))
            ctx.group.registers.append(asked)
            ctx.registering.add(asked)
        else:
            ctx.send(answer_to, answer)

    def _reject(self, request: Message, branch: bytes, answer_to: Peer, rejection: Rejection) -> None:
        ctx = self._ctx
        reason = rejection.reason.decode()
        ctx.note(f"REGISTER {printable(request.call_id)}: {rejection.status} {reason}")
        ctx.counters["refused", str(rejection.status)] += 1
        lines = [reason_header(rejection.status, reason), *rejection.headers]
        ctx.send(answer_to, ctx.stateless(request, branch, rejection.status, lines))

    def _for_push(self, request: Message, subscriber: Subscriber | Unproven, lines: list[bytes]) -> None:
        """What a 200 says of push services; calls that wait for this phone go on when it has been sent (R5)."""
        ctx = self._ctx
        if any(can_be_woken(line) for line in request.lines_of(CONTACT)):
            contacts = [parse_address(part)[1] for value in request.values(CONTACT) for part in split_addresses(value)]
            lines += capabilities(contacts, ctx.settings.push)
        if ctx.waking is not None and ctx.waking.by_call and isinstance(subscriber, Subscriber):
            ctx.hold(self._wake_calls, subscriber.account)

    def _wake_calls(self, account: bytes, now: float) -> None:
        if self._ctx.waking is not None:
            self._ctx.waking.registered(account, now)

    def is_bound(self, account: bytes, contact: str) -> bool:
        return self._binding(account, contact) is not None

    def _outcome(self, request: Message, subscriber: Subscriber | Unproven, peer: Peer) -> Outcome | Rejection:
        """What a request with credentials comes to; what it changes is in force when this returns."""
        ctx = self._ctx
        if isinstance(subscriber, Unproven):
            return Rejection(subscriber.status, subscriber.text.encode(), subscriber.headers())
        account = subscriber.account
        if not self._is_own_record(request.to_uri, account):
            return Rejection(403, b"a subscriber registers its own account only", [])
        devices = self._devices.get(account)
        if devices is not None and devices.source == peer:
            refreshed = self._refresh(devices, request)
            if refreshed is not None:
                return refreshed
        elif devices is None and (bound := self._first(account, request, peer)) is not None:
            return bound
        try:
            contacts = read_contacts(request.values(CONTACT), request.value(EXPIRES))
        except UriFault as fault:
            return Rejection(400, f"Contact: {fault}".encode(), [])
        if ctx.waking is not None and (foreign := _foreign_push(contacts, ctx.settings.push)):
            return Rejection(NOT_SUPPORTED, b"push service not served: " + foreign, [])
        asked = Asked(
            account.decode(),
            storable_text(request.call_id),
            request.cseq,
            ctx.now_ms,
            flow_text(_reach(contacts[0].uri, peer) if contacts else peer),
            agent_text(request.value(USER_AGENT) or b""),
            tuple(request.values(PATH)),
        )
        outcome = apply_register(devices.bindings if devices else (), contacts, asked, self._policy)
        if isinstance(outcome, Outcome):
            if len(contacts) > 1:
                outcome = _each_where_it_is(outcome, peer)
            self._keep(account, outcome, peer)
        return outcome

    def _refresh(self, devices: _Devices, request: Message) -> Outcome | None:
        """The one device refreshes from where it was: nothing but the binding changes. None for anything else."""
        at = request.at
        if len(devices.bindings) != 1 or CONTACT not in at or PATH in at or request.more >> CONTACT & 1:
            return None
        known = devices.bindings[0]
        agent = agent_text(request.value(USER_AGENT) or b"")
        call_id = storable_text(request.call_id)
        # A NamedTuple's own constructor is a Python function.
        asked = tuple.__new__(Asked, ("", call_id, request.cseq, self._ctx.now_ms, known.flow, agent, ()))
        binding = refresh(known, request.value(CONTACT) or b"", request.value(EXPIRES), asked, self._policy)
        if binding is None:
            return None
        devices.bindings = [binding]
        ctx = self._ctx
        ctx.group.bindings.append(binding)
        if ctx.mwi.boxes and (binding.call_id != known.call_id or ctx.mwi.owing):
            ctx.mwi.registered(known.aor.encode(), [known], [binding])
        return Outcome(devices.bindings, devices.bindings, [])

    def _first(self, account: bytes, request: Message, peer: Peer) -> Outcome | None:
        """The only device of a subscriber is bound, with an ordinary Contact. None for anything else."""
        at = request.at
        if self._ctx.waking is not None or CONTACT not in at or PATH in at or request.more >> CONTACT & 1:
            return None
        contact = plain_contact(request.value(CONTACT) or b"", request.value(EXPIRES), self._policy)
        if contact is None:
            return None
        try:
            flow = flow_text(_reach(contact.uri, peer))
        except UriFault:
            return None
        agent = agent_text(request.value(USER_AGENT) or b"")
        call_id = storable_text(request.call_id)
        binding = first(contact, Asked(account.decode(), call_id, request.cseq, self._ctx.now_ms, flow, agent))
        outcome = Outcome([binding], [binding], [])
        self._keep(account, outcome, peer)
        return outcome

    def _keep(self, account: bytes, outcome: Outcome, peer: Peer) -> None:
        """Put the outcome in force and into the journal. `peer`: where the request came from."""
        journal = self._ctx.group.bindings
        devices = self._devices.setdefault(account, _Devices())
        for gone in outcome.removed:
            journal.append(UnbindingEntry(gone.aor, gone.contact))
            devices.flows.pop(gone.contact, None)
        for binding in outcome.changed:
            journal.append(binding)
            if self._keepalive is not None:
                self._keepalive.watch(account, binding, self._ctx.now)
            if len(peer) == 3:
                devices.flows[binding.contact] = peer
            else:
                devices.flows.pop(binding.contact, None)
        before, devices.bindings = devices.bindings, outcome.bindings
        devices.source = peer if outcome.changed else None
        if not outcome.bindings:
            del self._devices[account]
            self._ctx.mwi.unbound(account)
        elif outcome.changed:
            self._ctx.mwi.registered(account, before, outcome.changed)

    def _is_own_record(self, uri: bytes, account: bytes) -> bool:
        user, _, host = uri[4:].partition(b"@")
        if user == account and host in self._ctx.settings.domains:
            return True
        try:
            parsed = parse_uri(uri)
        except UriFault:
            return False
        return isinstance(parsed, SipUri) and parsed.user == account and self._ctx.is_own_host(parsed.host)

    def sweep(self) -> None:
        """Drop bindings that have expired; called now and then, a lookup never returns one anyway."""
        now_ms = self._ctx.now_ms
        for account, devices in list(self._devices.items()):
            gone = [binding for binding in devices.bindings if binding.expires_at <= now_ms]
            if gone:
                live = [binding for binding in devices.bindings if binding.expires_at > now_ms]
                self._keep(account, Outcome(live, [], gone), ("", 0))

    def forget(self, account: bytes) -> None:
        """Remove all bindings of an account whose contract ended."""
        self._ctx.mwi.forget(account, self._ctx.now)
        devices = self._devices.get(account)
        if devices is not None:
            self._keep(account, Outcome([], [], devices.bindings), ("", 0))


def _foreign_push(contacts: Iterable[ContactRequest], rules: PushRules) -> bytes | None:
    """The push service of a contact to be bound that is not served here (RFC 8599 §5.3.1)."""
    return unsupported([contact.uri for contact in contacts if contact.expires != 0], rules)


def _reach(contact: bytes, peer: Peer) -> Peer:
    """Where a device that registers is called (R4): a stream on its connection; over UDP at its Contact if that is
    the host the REGISTER came from, else (a NAT stands between) where the REGISTER came from."""
    if contact == STAR:
        return peer
    uri = parse_uri(contact)
    if len(peer) == 3:
        return peer
    if not isinstance(uri, SipUri) or uri.host.decode("ascii", "replace").strip("[]") != peer[0]:
        return peer
    if uri.transport == b"tls" or uri.scheme == b"sips":
        return (peer[0], uri.port or 5061, CONNECT_TLS)
    if uri.transport == b"tcp":
        return (peer[0], uri.port or 5060, CONNECT)
    return (peer[0], uri.port or 5060)


def _each_where_it_is(outcome: Outcome, peer: Peer) -> Outcome:
    """Several contacts in one REGISTER are reached each at its own place."""
    moved = {b.contact: b._replace(flow=flow_text(_reach(b.contact.encode(), peer))) for b in outcome.changed}
    bindings = [moved.get(binding.contact, binding) for binding in outcome.bindings]
    return Outcome(bindings, list(moved.values()), outcome.removed)
