"""SUBSCRIBE to a mailbox: who may, what is answered, and when a subscription is over (RFC 6665 §4.2.1). Sans-IO."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, NamedTuple

from denwa.numbering.number import PhoneNumber
from denwa.numbering.spelling import NumberFault
from denwa.voip.context import printable
from denwa.voip.mwi.machines import Event, SubscriptionState
from denwa.voip.mwi.notification import own_contact
from denwa.voip.mwi.ports import SubscriptionEntry
from denwa.voip.mwi.subscription import PROBATION, REJECTED, Dialog, Subscription, is_storable, restore
from denwa.voip.mwi.summary import ALLOW_EVENTS, PACKAGE, event_of, takes_summaries
from denwa.voip.proxy.invite import UNDERSTOOD
from denwa.voip.registrar.authentication import Unproven, authenticate
from denwa.voip.sip.checks import unsupported_extensions
from denwa.voip.sip.fields import FieldFault, address_uri, delta_seconds, split_list
from denwa.voip.sip.message import AUTHORIZATION, CONTACT, EXPIRES, FROM, RECORD_ROUTE, REQUIRE, TO, Message
from denwa.voip.sip.peer import Peer
from denwa.voip.sip.transactions import ServerTransaction
from denwa.voip.sip.uri import SipUri, UriFault, parse_uri, unescape
from denwa.voip.subscribers import Subscriber

if TYPE_CHECKING:
    from denwa.voip.mwi.waiting import MessageWaiting

TICK: Final = 1.0
LOOK: Final = 71  # timer kind
_DEFAULT_EXPIRES: Final = 3600  # RFC 3842 §3.4


class Refusal(NamedTuple):
    """The answer to a SUBSCRIBE that is not accepted."""

    status: int
    text: str
    lines: tuple[bytes, ...] = ()


class Notifier:
    """All subscriptions, by Call-ID and our tag, by account, and by the second in which they expire."""

    def __init__(self, waiting: MessageWaiting) -> None:
        self._waiting = waiting
        self._ctx = waiting.ctx
        self._dialogs: dict[tuple[bytes, bytes], Subscription] = {}
        self._accounts: dict[bytes, list[Subscription]] = {}
        self._slots: dict[int, dict[Subscription, None]] = {}
        self._looked = 0
        self._due = 0.0
        self._changed: dict[Subscription, None] = {}  # since they were stored
        self._over: list[str] = []  # tags of those

    def __len__(self) -> int:
        return len(self._dialogs)

    def of(self, account: bytes) -> list[Subscription]:
        return list(self._accounts.get(account, ()))

    def contact_keys(self, account: bytes) -> set[bytes]:
        """Of the phones that have subscribed."""
        return {one.contact_key for one in self._accounts.get(account, ()) if one.state < SubscriptionState.ENDING}

    def find(self, request: Message) -> Subscription | None:
        """The subscription that a request with a To tag belongs to."""
        found = self._dialogs.get((request.call_id, request.to_tag))
        return found if found is not None and found.dialog.remote_tag == request.from_tag else None

    # -- over a restart -------------------------------------------------------------------------------------------

    def restore(self, entries: Iterable[SubscriptionEntry], now: float) -> None:
        """Take up the subscriptions that were stored; what they are told comes with the boxes."""
        ctx = self._ctx
        for entry in entries:
            try:
                one = restore(self._waiting, entry, self._clock_cseq())
            except ValueError as fault:
                ctx.note(f"a subscription cannot be taken up: {fault}")
                self._over.append(entry.local_tag)
                continue
            if one.dialog.account in ctx.directory.by_account:
                self._add(one)
                self._schedule(one, now)
            else:
                self._over.append(entry.local_tag)

    def take_changes(self) -> tuple[list[SubscriptionEntry], list[str]]:
        """What is to be stored: entries, and the tags of those that are over."""
        entries = [entry for entry in (one.entry() for one in self._changed) if is_storable(entry)]
        over, self._over = self._over, []
        self._changed.clear()
        return entries, over

    @property
    def unstored(self) -> bool:
        return bool(self._changed or self._over)

    def put_back(self, entries: Iterable[SubscriptionEntry], over: Iterable[str]) -> None:
        """These could not be stored."""
        self._over += over
        for entry in entries:
            one = self._dialogs.get((entry.call_id.encode("latin-1"), entry.local_tag.encode()))
            if one is not None:
                self._changed[one] = None

    # -- SUBSCRIBE ------------------------------------------------------------------------------------------------

    def subscribe(self, server: ServerTransaction, request: Message, peer: Peer, now: float) -> None:
        """A SUBSCRIBE for us, inside a dialog of ours or outside of any."""
        ctx = self._ctx
        known = self.find(request) if request.to_tag else None
        refusal = self._unservable(request, known)
        if refusal is not None:
            self._refuse(server, refusal, now)
            return
        subscriber = authenticate(ctx, request, peer, proxy=False)
        if isinstance(subscriber, Unproven):
            if not subscriber.status:
                ctx.respond(server, 401, now, ctx.challenge_lines(request, False, subscriber.stale))
            else:
                self._refuse(server, Refusal(subscriber.status, subscriber.text, tuple(subscriber.headers())), now)
            return
        asked = self._asked(request, subscriber, known)
        if isinstance(asked, Refusal):
            self._refuse(server, asked, now)
            return
        self._accept(server, request, known or self._begin(server, request, subscriber), peer, asked, now)

    def lacks_credentials(self, request: Message) -> bool:
        """A first SUBSCRIBE that would be challenged: it costs no transaction."""
        return AUTHORIZATION not in request.at and self._unservable(request, None) is None

    def _refuse(self, server: ServerTransaction, refusal: Refusal, now: float) -> None:
        self._ctx.refuse(server, refusal.status, refusal.text, now, *refusal.lines)

    def _unservable(self, request: Message, known: Subscription | None) -> Refusal | None:
        """What can be refused whoever asks."""
        if request.to_tag and known is None:
            return Refusal(481, "no such subscription")
        try:
            event = event_of(request)
        except FieldFault as fault:
            return Refusal(400, str(fault))
        if event.package != PACKAGE or (known is not None and event.line != known.dialog.event):
            return Refusal(489, f"event package {printable(event.package) or 'none'} is not served", (ALLOW_EVENTS,))
        if unknown := unsupported_extensions(request, UNDERSTOOD, REQUIRE):
            return Refusal(420, "extension not known", (b"Unsupported: " + b", ".join(unknown),))
        if not takes_summaries(request):
            return Refusal(406, "only application/simple-message-summary")
        return None

    def _asked(self, request: Message, subscriber: Subscriber, known: Subscription | None) -> int | Refusal:
        """Seconds granted to a SUBSCRIBE of this subscriber."""
        rules = self._waiting.rules
        if known is not None:
            if known.dialog.account != subscriber.account:
                return Refusal(403, "a subscriber's own mailbox only")
            if known.state >= SubscriptionState.ENDING:
                return Refusal(481, "the subscription is over")
            if request.cseq <= known.remote_cseq:
                return Refusal(500, "CSeq out of order")  # RFC 3261 §12.2.2
        elif not self._is_own_box(request.uri, subscriber):
            return Refusal(403, "a subscriber's own mailbox only")
        elif len(self) >= rules.most:
            return Refusal(503, "too many subscriptions", (b"Retry-After: 60",))
        try:
            if known is None or CONTACT in request.at:
                _target(request)
            value = request.value(EXPIRES)
            seconds = _DEFAULT_EXPIRES if value is None else delta_seconds(value, "Expires")
        except (FieldFault, UriFault) as fault:
            return Refusal(400, str(fault))
        if 0 < seconds < rules.min_expires:
            return Refusal(423, "interval too brief", (b"Min-Expires: %d" % rules.min_expires,))
        return min(seconds, rules.max_expires)

    def _is_own_box(self, uri: bytes, subscriber: Subscriber) -> bool:
        """The account or the number, at this service; or the service or its voicemail, which know who asks."""
        try:
            parsed = parse_uri(uri)
        except UriFault:
            return False
        if not isinstance(parsed, SipUri) or not self._ctx.is_own_host(parsed.host):
            return False
        user = unescape(parsed.user)
        if user in (b"", subscriber.account, self._waiting.rules.box_number):
            return True
        try:
            return PhoneNumber.parse(user.decode()).e164 == subscriber.number
        except (NumberFault, UnicodeDecodeError):
            return False

    def _begin(self, server: ServerTransaction, request: Message, subscriber: Subscriber) -> Subscription:
        ctx = self._ctx
        living = [one for one in self.of(subscriber.account) if one.state < SubscriptionState.ENDING]
        if len(living) >= self._waiting.rules.most_of_one:
            # Most likely left behind by a phone that was started again.
            self.close(min(living, key=lambda one: one.until_ms), PROBATION, ctx.now)
        server.to_tag = ctx.token()
        routes = tuple(part for value in request.values(RECORD_ROUTE) for part in split_list(value))
        dialog = Dialog(
            account=subscriber.account,
            call_id=request.call_id,
            local_tag=server.to_tag,
            remote_tag=request.from_tag,
            local=(request.value(TO) or b"") + b";tag=" + server.to_tag,
            remote=request.value(FROM) or b"",
            routes=routes,
            event=event_of(request).line,
        )
        subscription = Subscription(self._waiting, dialog, self._clock_cseq())
        self._add(subscription)
        return subscription

    def _add(self, one: Subscription) -> None:
        self._dialogs[one.dialog.call_id, one.dialog.local_tag] = one
        self._accounts.setdefault(one.dialog.account, []).append(one)

    def _clock_cseq(self) -> int:
        """From the clock, so that the numbers of a dialog go on after a restart (RFC 3261 §8.1.1.5)."""
        return self._ctx.now_ms // 1000 & 0x3FFFFFFF

    def _accept(
        self, server: ServerTransaction, request: Message, one: Subscription, peer: Peer, seconds: int, now: float
    ) -> None:
        ctx = self._ctx
        target = _target(request) if CONTACT in request.at else one.target
        one.renewed(target, peer, request.cseq, ctx.now_ms + seconds * 1000)
        ctx.counters["mwi", "subscribed" if seconds else "unsubscribed"] += 1
        lines = [b"Expires: %d" % seconds, own_contact(ctx, one.dialog.account, peer), ALLOW_EVENTS]
        ctx.respond(server, 200, now, lines)
        if seconds:
            self._changed[one] = None
            self._schedule(one, now)
            one.step(Event.SEEN, now)
        else:
            one.step(Event.CLOSE, now)

    # -- how it ends ----------------------------------------------------------------------------------------------

    def close(self, one: Subscription, why: bytes, now: float) -> None:
        """End a subscription with a last NOTIFY that says why."""
        one.why = why
        one.step(Event.CLOSE, now)

    def reject(self, account: bytes, now: float) -> None:
        """The account's password or contract is gone."""
        for one in self.of(account):
            self.close(one, REJECTED, now)

    def forget(self, one: Subscription) -> None:
        """It is over: keep nothing of it."""
        one.drop()
        dialog = one.dialog
        self._dialogs.pop((dialog.call_id, dialog.local_tag), None)
        left = [other for other in self._accounts.get(dialog.account, ()) if other is not one]
        if left:
            self._accounts[dialog.account] = left
        else:
            self._accounts.pop(dialog.account, None)
        self._unschedule(one)
        self._changed.pop(one, None)
        self._over.append(dialog.local_tag.decode())

    def _schedule(self, one: Subscription, now: float) -> None:
        """Look at it in the second after it has expired."""
        self._unschedule(one)
        one.slot = one.until_ms // 1000 + 1
        self._slots.setdefault(one.slot, {})[one] = None
        if not self._due:
            self._looked = self._ctx.now_ms // 1000
            self._due = self._ctx.timers.start(self, LOOK, TICK, now)

    def _unschedule(self, one: Subscription) -> None:
        slot = self._slots.get(one.slot)
        if slot is not None:
            slot.pop(one, None)
            if not slot:
                del self._slots[one.slot]

    def fire(self, kind: int, due: float, now: float) -> None:
        """A second has passed: those whose time is over are told so."""
        if due != self._due:
            return
        second = self._ctx.now_ms // 1000
        for slot in self._passed(second):
            for one in list(self._slots.pop(slot, ())):
                one.step(Event.CLOSE, now)
        self._looked = second
        self._due = self._ctx.timers.start(self, LOOK, TICK, now) if self._slots else 0.0

    def _passed(self, second: int) -> list[int]:
        """The seconds in which something expires and that are over; the clock may have been set."""
        if second - self._looked > len(self._slots):
            return sorted(slot for slot in self._slots if slot <= second)
        return [slot for slot in range(self._looked + 1, second + 1) if slot in self._slots]


def _target(request: Message) -> bytes:
    """The Contact of a SUBSCRIBE. Raises FieldFault, UriFault."""
    target = address_uri(request.value(CONTACT) or b"")
    if not isinstance(parse_uri(target), SipUri):
        raise UriFault("Contact is no SIP URI")
    return target
