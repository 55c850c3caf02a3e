"""Message waiting: what is in the mailboxes, and telling the phones (RFC 3842; V6). Sans-IO.

The numbers are kept here, in memory, for every box that was ever used; who stores messages tells of each change. So
a REGISTER of a phone costs a look into a set, and never a question to the database.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from denwa.voip.calls.journal import BindingEntry
from denwa.voip.context import Context
from denwa.voip.mwi.lamps import Lamps
from denwa.voip.mwi.machines import Event
from denwa.voip.mwi.notifier import Notifier
from denwa.voip.mwi.pace import Pace
from denwa.voip.mwi.subscription import key_of
from denwa.voip.mwi.summary import EMPTY, Counts, summary
from denwa.voip.sip.peer import Peer

if TYPE_CHECKING:
    from denwa.voip.registrar.handler import Registrar


class MessageWaiting:
    """`boxes`: by account, every box that was ever used."""

    def __init__(self, ctx: Context, registrar: Registrar) -> None:
        rules = ctx.settings.mwi
        self.ctx = ctx
        self.registrar = registrar
        self.rules = rules
        self._host = rules.domain or ctx.settings.realm
        self.boxes: dict[bytes, Counts] = {}
        self.notifier = Notifier(self)
        self.lamps = Lamps(self)
        self.owing = self.lamps.owing
        self.pace = Pace(ctx, rules.per_second, self._tell)

    # -- what is in the boxes -------------------------------------------------------------------------------------

    def load(self, boxes: Mapping[bytes, Counts], now: float, now_ms: int) -> None:
        """What is stored when the service starts: every phone that is registered is told, those with messages first,
        whatever it was told before."""
        self.ctx.now, self.ctx.now_ms = now, now_ms
        self.boxes.update(boxes)
        for account, _ in sorted(boxes.items(), key=lambda box: not box[1].new):
            self._changed(account, now)

    def put(self, account: bytes, counts: Counts, now: float, now_ms: int) -> None:
        """There is this in a box now."""
        self.ctx.now, self.ctx.now_ms = now, now_ms
        known = self.boxes.get(account, EMPTY)
        if known != counts:
            self.boxes[account] = counts
            self._changed(account, now)

    def _changed(self, account: bytes, now: float) -> None:
        """Whoever is there is told in his turn; nobody's turn is taken by a box without a phone."""
        if self.notifier.of(account) or (self.rules.unsolicited and self.registrar.reachable(account)):
            self.pace.add(account, "", Event.CHANGE, now)

    def summary(self, account: bytes) -> bytes:
        return summary(self.boxes.get(account, EMPTY), self.address(self.rules.box_number or account))

    def address(self, user: bytes) -> bytes:
        """The URI of a box, by its account or by the number that is dialled to hear it."""
        return b"sip:" + user + b"@" + self._host

    # -- what the phones do ---------------------------------------------------------------------------------------

    def registered(self, account: bytes, before: Sequence[BindingEntry], changed: Sequence[BindingEntry]) -> None:
        """These bindings were put in the place of those before; they are told when they are on disk."""
        if account not in self.boxes or not self.rules.unsolicited:
            return
        known = {one.contact: one for one in before}
        for binding in changed:
            old = known.get(binding.contact)
            same = old is not None and old.call_id == binding.call_id and old.flow == binding.flow
            if not same or account in self.owing:
                event = Event.SEEN if same else Event.ANEW
                self.ctx.hold(self._registered, (account, binding.contact, event))

    def _registered(self, told: tuple[bytes, str, Event], now: float) -> None:
        self.pace.add(*told, now)

    def unbound(self, account: bytes) -> None:
        """Nobody is registered any more."""
        self.lamps.forget(account)

    def forget(self, account: bytes, now: float) -> None:
        """The account's password or contract is gone."""
        self.lamps.forget(account)
        self.notifier.reject(account, now)

    def without_subscription(self, account: bytes, now: float) -> None:
        """A subscription failed: its phone may listen without one."""
        if account in self.boxes and self.rules.unsolicited:
            self.lamps.changed(account, now)

    def way_to(self, account: bytes, key: bytes) -> Peer | None:
        """Where the device that registered the Contact with this key is reached; None: none did."""
        for binding, peer in self.registrar.reachable(account):
            if key_of(binding.contact) == key:
                return peer
        return None

    def _tell(self, account: bytes, contact: str, event: Event, now: float) -> None:
        if contact:
            for one in self.notifier.of(account):  # if the phone was started again, it knows nothing of this
                if event is Event.ANEW and one.contact_key == key_of(contact):
                    one.step(Event.CHANGE, now)
            self.lamps.registered(account, contact, event, now)
            return
        for one in self.notifier.of(account):
            one.step(Event.CHANGE, now)
        if self.rules.unsolicited:
            self.lamps.changed(account, now)
