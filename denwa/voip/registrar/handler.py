"""REGISTER (R1-R4): who asks, what it does to the bindings, and the 200 once that is on disk."""

from __future__ import annotations

from collections.abc import Iterable

from denwa.voip.calls.journal import UnbindingEntry
from denwa.voip.context import Context, printable
from denwa.voip.registrar.authentication import Unproven, authenticate
from denwa.voip.registrar.bindings import (
    STAR,
    Binding,
    BindingPolicy,
    Outcome,
    Rejection,
    apply_register,
    contact_line,
    newest,
    read_contacts,
)
from denwa.voip.sip.fields import FieldFault, address_uri
from denwa.voip.sip.message import CONTACT, EXPIRES, PATH, TO, USER_AGENT, Message
from denwa.voip.sip.peer import CONNECT, Peer, flow_text, peer_of_text
from denwa.voip.sip.response import reason_header
from denwa.voip.sip.uri import SipUri, UriFault, parse_uri
from denwa.voip.subscribers import Subscriber


class Registrar:
    """The bindings of all subscribers, in memory, and behind them the journal."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        settings = ctx.settings
        self._policy = BindingPolicy(
            settings.default_expires, settings.min_expires, settings.max_expires, settings.max_bindings
        )
        self._bindings: dict[bytes, list[Binding]] = {}
        self._flows: dict[tuple[bytes, str], Peer] = {}  # stream connections of this process

    def restore(self, bindings: Iterable[Binding]) -> None:
        for binding in bindings:
            self._bindings.setdefault(binding.aor.encode(), []).append(binding)

    def ringing(self, account: bytes) -> tuple[Binding, Peer] | None:
        """The device that rings (R2) and where it is; None when nobody is registered (R3)."""
        held = self._bindings.get(account)
        if not held:
            return None
        binding = held[0] if len(held) == 1 else newest(held, self._ctx.now_ms)
        if binding is None or binding.expires_at <= self._ctx.now_ms:
            return None
        return binding, self._flows.get((account, binding.contact)) or peer_of_text(binding.flow)

    def count(self) -> int:
        return sum(map(len, self._bindings.values()))

    def register(self, request: Message, branch: bytes, answer_to: Peer, peer: Peer) -> None:
        """A REGISTER outside any dialog. No transaction is kept (decision 0004): a repetition finds its binding."""
        ctx = self._ctx
        subscriber = authenticate(ctx, request, proxy=False)
        if isinstance(subscriber, Unproven) and not subscriber.status:
            lines = ctx.challenge_lines(request, False, subscriber.stale)
            ctx.send(answer_to, ctx.stateless(request, branch, 401, lines))
            return
        outcome = self._outcome(request, subscriber, peer)
        if isinstance(outcome, Rejection):
            reason = outcome.reason.decode()
            ctx.note(f"REGISTER {printable(request.call_id)}: {outcome.status} {reason}")
            ctx.counters["refused", str(outcome.status)] += 1
            lines = [reason_header(outcome.status, reason), *outcome.headers]
            ctx.send(answer_to, ctx.stateless(request, branch, outcome.status, lines))
            return
        ctx.counters["registrations", "ok"] += 1
        lines = [contact_line(binding, ctx.now_ms) for binding in outcome.bindings]
        answer = ctx.stateless(request, branch, 200, lines)
        if outcome.changed or outcome.removed:
            ctx.group.answers.append((answer_to, answer))
        else:
            ctx.send(answer_to, answer)

    def _outcome(self, request: Message, subscriber: Subscriber | Unproven, peer: Peer) -> Outcome | Rejection:
        """What a request with credentials comes to; what it changes is in force when this returns."""
        ctx = self._ctx
        if isinstance(subscriber, Unproven):
            return Rejection(subscriber.status, subscriber.text.encode(), [])
        if not ctx.journal_ok:
            return Rejection(503, b"registrations cannot be stored at present", [b"Retry-After: 5"])
        account = subscriber.account
        if not self._is_own_record(request.value(TO) or b"", account):
            return Rejection(403, b"a subscriber registers its own account only", [])
        try:
            contacts = read_contacts(request.values(CONTACT), request.value(EXPIRES))
        except UriFault as fault:
            return Rejection(400, f"Contact: {fault}".encode(), [])
        outcome = apply_register(
            self._bindings.get(account, []),
            contacts,
            request.call_id,
            request.cseq,
            self._policy,
            ctx.now_ms,
            flow_text(_reach(contacts[0].uri, peer) if contacts else peer),
            request.value(USER_AGENT) or b"",
            aor=account.decode(),
            path=tuple(request.values(PATH)) if PATH in request.at else (),
        )
        if isinstance(outcome, Outcome):
            if len(contacts) > 1:
                outcome = _each_where_it_is(outcome, peer)
            self._keep(account, outcome.bindings, outcome.changed, outcome.removed, peer)
        return outcome

    def _keep(
        self, account: bytes, bindings: list[Binding], changed: list[Binding], removed: list[Binding], peer: Peer
    ) -> None:
        journal = self._ctx.group.bindings
        for gone in removed:
            journal.append(UnbindingEntry(gone.aor, gone.contact))
            self._flows.pop((account, gone.contact), None)
        for binding in changed:
            journal.append(binding)
            if len(peer) == 3:
                self._flows[account, binding.contact] = peer
            elif self._flows:
                self._flows.pop((account, binding.contact), None)
        if bindings:
            self._bindings[account] = bindings
        else:
            self._bindings.pop(account, None)

    def _is_own_record(self, to: bytes, account: bytes) -> bool:
        try:
            uri = address_uri(to)
            user, _, host = uri[4:].partition(b"@")
            if user == account and host in self._ctx.settings.domains:
                return True
            parsed = parse_uri(uri)
        except (FieldFault, UriFault):
            return False
        return isinstance(parsed, SipUri) and parsed.user == account and self._ctx.is_own_host(parsed.host)

    def sweep(self) -> None:
        """Drop bindings that have expired; called now and then, a lookup never returns one anyway."""
        now_ms = self._ctx.now_ms
        for account in [a for a, held in self._bindings.items() if any(b.expires_at <= now_ms for b in held)]:
            held = self._bindings[account]
            gone = [binding for binding in held if binding.expires_at <= now_ms]
            self._keep(account, [b for b in held if b.expires_at > now_ms], [], gone, ("", 0))

    def forget(self, account: bytes) -> None:
        """Remove all bindings of an account whose contract ended."""
        held = self._bindings.get(account)
        if held:
            self._keep(account, [], [], list(held), ("", 0))


def _reach(contact: bytes, peer: Peer) -> Peer:
    """Where a device that registers is called (R4): a stream on its connection; over UDP at its Contact if that is
    the host the REGISTER came from, else (a NAT stands between) where the REGISTER came from."""
    if len(peer) == 3 or contact == STAR:
        return peer
    uri = parse_uri(contact)
    if not isinstance(uri, SipUri) or uri.host.decode("ascii", "replace").strip("[]") != peer[0]:
        return peer
    if uri.transport in (b"tcp", b"tls"):
        return (peer[0], uri.port or 5060, CONNECT)
    return (peer[0], uri.port or 5060)


def _each_where_it_is(outcome: Outcome, peer: Peer) -> Outcome:
    """Several contacts in one REGISTER are reached each at its own place."""
    moved = {b.contact: b._replace(flow=flow_text(_reach(b.contact.encode(), peer))) for b in outcome.changed}
    bindings = [moved.get(binding.contact, binding) for binding in outcome.bindings]
    return Outcome(bindings, list(moved.values()), outcome.removed)
