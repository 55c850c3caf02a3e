"""A subscription to a mailbox: its dialog, and the NOTIFYs inside it (RFC 6665 §4.2; RFC 3261 §12). Sans-IO."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from denwa.voip.mwi.machines import SUBSCRIPTION, Action, Event, SubscriptionState
from denwa.voip.mwi.notification import Notification, own_contact
from denwa.voip.mwi.ports import SubscriptionEntry
from denwa.voip.sip.peer import Peer, flow_text, peer_of_text
from denwa.voip.sip.uri import UriFault, parse_uri, same_binding_key

if TYPE_CHECKING:
    from denwa.voip.mwi.waiting import MessageWaiting

AGAIN: Final = 70  # timer kind
TIMEOUT: Final = b"timeout"  # why a subscription is over (RFC 6665 §4.1.3)
REJECTED: Final = b"rejected"
PROBATION: Final = b"probation;retry-after=600"


class Dialog(NamedTuple):
    """What stays of a subscription from its first SUBSCRIBE on. `local`, `remote`: From of a NOTIFY and its To, with
    their tags; `routes`: the route set; `event`: the whole Event line."""

    account: bytes
    call_id: bytes
    local_tag: bytes
    remote_tag: bytes
    local: bytes
    remote: bytes
    routes: tuple[bytes, ...]
    event: bytes


class Subscription:
    """`peer`: where its SUBSCRIBE came from; `target`: the Contact it named last; `until_ms`: when it expires."""

    __slots__ = (
        "_due",
        "_notification",
        "_owner",
        "contact_key",
        "cseq",
        "dialog",
        "peer",
        "remote_cseq",
        "slot",
        "state",
        "target",
        "until_ms",
        "why",
    )

    def __init__(self, owner: MessageWaiting, dialog: Dialog, cseq: int) -> None:
        self._owner = owner
        self.dialog = dialog
        self.cseq = cseq  # of the last NOTIFY
        self.remote_cseq = 0
        self.target = b""
        self.contact_key = b""
        self.peer: Peer = ("", 0)
        self.until_ms = 0
        self.slot = 0  # where the notifier looks for it when its time is over
        self.state = SubscriptionState.TOLD
        self.why = TIMEOUT
        self._notification: Notification | None = None
        self._due = 0.0

    def renewed(self, target: bytes, peer: Peer, cseq: int, until_ms: int) -> None:
        """A SUBSCRIBE was accepted: it is a target refresh, too."""
        self.target = target
        self.contact_key = key_of(target.decode("utf-8", "replace"))
        self.peer = peer
        self.remote_cseq = cseq
        self.until_ms = until_ms

    def entry(self) -> SubscriptionEntry:
        """As it is stored."""
        dialog = self.dialog
        texts = (dialog.local_tag, dialog.account, dialog.call_id, dialog.remote_tag, dialog.local, dialog.remote,
                 b"\n".join(dialog.routes), dialog.event, self.target)  # fmt: skip
        latin = (text.decode("latin-1") for text in texts)
        return SubscriptionEntry._make((*latin, flow_text(self.peer), self.remote_cseq, self.until_ms))

    def step(self, event: Event, now: float, seconds: int = 0) -> None:
        """`seconds`: of LATER."""
        row = SUBSCRIPTION.get((self.state, event))
        if row is None:
            return
        self.state = SubscriptionState(row[0])
        for action in row[1]:
            if action is Action.SEND or action is Action.SEND_LAST:
                self._send(action is Action.SEND_LAST, now)
            elif action is Action.ABANDON:
                self._abandon()
            elif action is Action.PAUSE:
                self._due = self._owner.ctx.timers.start(self, AGAIN, _round(seconds), now)
            elif action is Action.FALL_BACK:
                self._owner.without_subscription(self.dialog.account, now)
            elif action is Action.FORGET:
                self._owner.notifier.forget(self)

    def fire(self, kind: int, due: float, now: float) -> None:
        """Retry-After is over."""
        if due == self._due:
            self._due = 0.0
            self.step(Event.AGAIN, now)

    def drop(self) -> None:
        """It is over without a word."""
        self.state = SubscriptionState.OVER
        self._abandon()

    def _abandon(self) -> None:
        self._due = 0.0
        if self._notification is not None:
            self._notification.abandon()
            self._notification = None

    def _send(self, last: bool, now: float) -> None:
        owner, dialog = self._owner, self.dialog
        ctx = owner.ctx
        self._due = 0.0
        self.cseq += 1
        peer = owner.way_to(dialog.account, self.contact_key) or self.peer
        if last:
            state = b"terminated;reason=" + self.why
        else:
            state = b"active;expires=%d" % max(math.ceil((self.until_ms - ctx.now_ms) / 1000), 0)
        head = [
            b"NOTIFY " + self.target + b" SIP/2.0",
            *(b"Route: " + route for route in dialog.routes),
            b"From: " + dialog.local,
            b"To: " + dialog.remote,
            b"Call-ID: " + dialog.call_id,
            b"CSeq: %d NOTIFY" % self.cseq,
            own_contact(ctx, dialog.account, peer),
            dialog.event,
            b"Subscription-State: " + state,
        ]
        # Who has lost the password learns no more of the box (N2).
        body = b"" if self.why is REJECTED else owner.summary(dialog.account)
        self._notification = Notification(ctx, peer, head, body, self._told, now)

    def _told(self, event: Event, seconds: int, now: float) -> None:
        self._notification = None
        self.step(event, now, seconds)


def restore(owner: MessageWaiting, entry: SubscriptionEntry, cseq: int) -> Subscription:
    """Take up what was stored. Raises ValueError."""
    texts = [text.encode("latin-1") for text in entry[:9]]
    local_tag, account, call_id, remote_tag, local, remote, routes, event, target = texts
    route_set = tuple(routes.split(b"\n")) if routes else ()
    dialog = Dialog(account, call_id, local_tag, remote_tag, local, remote, route_set, event)
    subscription = Subscription(owner, dialog, cseq)
    subscription.renewed(target, peer_of_text(entry.flow), entry.remote_cseq, entry.expires_ms)
    return subscription


def is_storable(entry: SubscriptionEntry) -> bool:
    """A NUL, which a quoted name may hold, no database takes; such a subscription does not outlive the process."""
    return not any("\0" in text for text in entry[:9])


@lru_cache(maxsize=4096)
def key_of(contact: str) -> bytes:
    """What the Contacts of a phone's REGISTER and SUBSCRIBE share."""
    try:
        return same_binding_key(parse_uri(contact.encode()))
    except UriFault:
        return contact.encode()


def _round(seconds: int) -> float:
    """The next power of two: each distinct length of time costs the timers a queue, and a stranger chose it."""
    return float(1 << (seconds - 1).bit_length())
