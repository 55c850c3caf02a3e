"""Phones that are told without having subscribed: one NOTIFY to each binding at each change (unsolicited, as most desk
phones and apps understand it). Sans-IO.

What a phone was told is remembered for as long as it is registered: one that says no is left alone until it registers
anew, one that was not reached is told when it is seen again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from denwa.voip.calls.journal import BindingEntry
from denwa.voip.mwi.machines import LAMP, Action, Event, LampState
from denwa.voip.mwi.notification import Notification, own_contact
from denwa.voip.mwi.subscription import key_of
from denwa.voip.sip.peer import Peer

if TYPE_CHECKING:
    from denwa.voip.mwi.waiting import MessageWaiting


class Lamp:
    """What one binding knows."""

    __slots__ = ("_notification", "_owner", "account", "contact", "state")

    def __init__(self, owner: Lamps, account: bytes, contact: str) -> None:
        self._owner = owner
        self._notification: Notification | None = None
        self.account = account
        self.contact = contact
        self.state = LampState.TOLD

    def step(self, event: Event, now: float) -> None:
        row = LAMP.get((self.state, event))
        if row is None:
            return
        self.state = LampState(row[0])
        for action in row[1]:
            if action is Action.ABANDON:
                self.drop()
            elif action is Action.SEND:
                self._send(now)

    def drop(self) -> None:
        if self._notification is not None:
            self._notification.abandon()
            self._notification = None

    def _send(self, now: float) -> None:
        owner = self._owner
        peer = owner.way_to(self)
        if peer is None:
            self.state = LampState.OWED
        else:
            head = owner.head(self, peer)
            body = owner.waiting.summary(self.account)
            self._notification = Notification(owner.waiting.ctx, peer, head, body, self._told, now)

    def _told(self, event: Event, seconds: int, now: float) -> None:
        self._notification = None
        self.step(event, now)
        self._owner.settled(self)


class Lamps:
    """The lamps of bindings without a subscription. `owing`: accounts with a phone that is still to be told."""

    def __init__(self, waiting: MessageWaiting) -> None:
        self.waiting = waiting
        self.owing: set[bytes] = set()
        self._lamps: dict[bytes, dict[str, Lamp]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._lamps.values()))

    def changed(self, account: bytes, now: float) -> None:
        """There are other messages than before: tell each phone that is registered and has not subscribed."""
        for binding, _ in self._bindings(account):
            self._step(account, binding.contact, Event.CHANGE, now)

    def registered(self, account: bytes, contact: str, event: Event, now: float) -> None:
        """A phone has registered ANEW, or is SEEN again."""
        if any(binding.contact == contact for binding, _ in self._bindings(account)):
            self._step(account, contact, event, now)

    def forget(self, account: bytes) -> None:
        """Nobody is registered any more."""
        for lamp in self._lamps.pop(account, {}).values():
            lamp.drop()
        self.owing.discard(account)

    def settled(self, lamp: Lamp) -> None:
        """Keep `owing` true."""
        lamps = self._lamps.get(lamp.account, {})
        if any(one.state is LampState.OWED for one in lamps.values()):
            self.owing.add(lamp.account)
        else:
            self.owing.discard(lamp.account)

    def way_to(self, lamp: Lamp) -> Peer | None:
        """Where a NOTIFY goes: as an INVITE would. None: nobody is woken for a lamp (R5)."""
        waking = self.waiting.ctx.waking
        for binding, peer in self.waiting.registrar.reachable(lamp.account):
            if binding.contact == lamp.contact:
                return None if waking is not None and waking.sleeps(binding, peer) else peer
        return None

    def head(self, lamp: Lamp, peer: Peer) -> list[bytes]:
        ctx = self.waiting.ctx
        box = b"<" + self.waiting.address(lamp.account) + b">"
        return [
            b"NOTIFY " + lamp.contact.encode() + b" SIP/2.0",
            b"From: " + box + b";tag=" + ctx.token(),
            b"To: " + box,
            b"Call-ID: %b@%b" % (ctx.token(), ctx.settings.realm),
            b"CSeq: 1 NOTIFY",
            own_contact(ctx, lamp.account, peer),
            b"Event: message-summary",
            b"Subscription-State: terminated;reason=noresource",
        ]

    def _bindings(self, account: bytes) -> list[tuple[BindingEntry, Peer]]:
        """Those without a subscription; lamps of bindings that are gone are forgotten."""
        bound = self.waiting.registrar.reachable(account)
        lamps = self._lamps.get(account)
        if lamps:
            contacts = {binding.contact for binding, _ in bound}
            for contact in lamps.keys() - contacts:
                lamps.pop(contact).drop()
            if not lamps:
                del self._lamps[account]
        subscribed = self.waiting.notifier.contact_keys(account)
        if not subscribed:
            return bound
        return [(binding, peer) for binding, peer in bound if key_of(binding.contact) not in subscribed]

    def _step(self, account: bytes, contact: str, event: Event, now: float) -> None:
        lamps = self._lamps.setdefault(account, {})
        lamp = lamps.get(contact)
        if lamp is None:
            lamp = lamps[contact] = Lamp(self, account, contact)
        lamp.step(event, now)
        self.settled(lamp)
