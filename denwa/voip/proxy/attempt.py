"""What a call in set-up still has to do, and the attempts made: targets and the INVITEs sent to them."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from denwa.voip.calls.call import Call
from denwa.voip.gateways.lines import Line
from denwa.voip.proxy.refusal import NOT_REGISTERED, Refused
from denwa.voip.sip.checks import asks_for
from denwa.voip.sip.message import SUPPORTED, Message
from denwa.voip.sip.peer import Peer
from denwa.voip.sip.response import make_cancel
from denwa.voip.sip.timers import TIMEOUT
from denwa.voip.sip.transactions import IGNORE, ClientTransaction, ServerTransaction, TransactionLayer
from denwa.voip.subscribers import Subscriber

if TYPE_CHECKING:
    from denwa.voip.proxy.forwarding import Way
    from denwa.voip.push.waking import Asleep

RING, GUARD, SILENCE = 20, 21, 22  # timer kinds


_NONE: Final[frozenset[bytes]] = frozenset()


class TargetKind:
    """What a target is; plain values, like `CallState`."""

    PHONE: Final = "phone"
    GATEWAY: Final = "gateway"
    VOICEMAIL: Final = "voicemail"
    FORWARD: Final = "forward"
    GUIDANCE: Final = "guidance"
    SLEEPING: Final = "sleeping"  # a phone that must be woken first


class Target(NamedTuple):
    """`ring_time` in seconds; `peer` and `uri` of a voicemail are only known when a place is given, those of a
    forwarding when it is made. `line`: of a gateway. `asleep`: how a phone is woken."""

    kind: str  # a value of TargetKind
    uri: bytes
    peer: Peer
    ring_time: float
    line: Line | None = None
    asleep: Asleep | None = None


class Setup:
    """What a call in set-up still has to do. `prepared` is the INVITE as it goes on, but for Via and Request-URI."""

    __slots__ = (
        "asked_interval",
        "box",
        "branch",
        "cancelled",
        "cause",
        "extra",
        "failure",
        "forwarder",
        "hidden",
        "late_offer",
        "mailbox",
        "prepared",
        "recorded",
        "secure",
        "server",
        "targets",
        "timer_supported",
        "tried",
        "way",
        "why",
    )

    def __init__(self, server: ServerTransaction, prepared: Message, asked_interval: int) -> None:
        self.server = server
        self.prepared: Message | None = prepared
        self.asked_interval = asked_interval
        self.timer_supported = asks_for(prepared, SUPPORTED, b"timer")
        self.late_offer = False  # the INVITE has none: the answer brings it
        self.targets: deque[Target] = deque()
        self.mailbox: Subscriber | None = None
        self.box: str | None = None  # of a call to a voicemail box: whose, "" when the caller is asked
        self.hidden = ""
        self.forwarder: Subscriber | None = None  # whose forwarding is the last target
        self.way: Way | None = None  # None: it was not forwarded yet
        self.secure = False  # asked for with sips:
        self.branch: Branch | None = None
        self.tried: list[Branch] = []
        self.cause = 480  # why the voicemail gets the call
        self.failure: tuple[int, bytes | None, str] = (480, None, "not registered")
        self.why: Refused | None = NOT_REGISTERED  # of that failure, where it has a name
        self.extra: tuple[bytes, ...] = ()  # header lines that the answer has besides
        self.cancelled = False
        self.recorded = False  # it is known that nobody answers

    def let_go(self) -> None:
        """The call is over: what timers still name of it must not keep it in memory."""
        for branch in self.tried:
            branch.call = None
        self.branch = None


class BranchOwner(Protocol):
    """Who decides what a branch's answers mean."""

    def on_response(self, branch: Branch, response: Message, now: float) -> None: ...

    def on_silence(self, branch: Branch, now: float) -> None:
        """Timer B: the target never said anything."""
        ...

    def on_ring_over(self, branch: Branch, kind: int, now: float) -> None:
        """A timer of the branch, `kind`, has run out."""
        ...


class Branch:
    """The INVITE sent to one target (the user of its client transaction)."""

    __slots__ = (
        "call",
        "cancel_sent",
        "cancel_wanted",
        "client",
        "dismissed",
        "due",
        "given_up",
        "kind",
        "lease",
        "owner",
        "provisional",
        "rang",
        "target",
        "timed_out",
        "tries",
    )

    def __init__(self, owner: BranchOwner, call: Call, target: Target, lease: str, tries: int) -> None:
        self.owner = owner
        self.call: Call | None = call
        self.kind = target.kind
        self.target = target
        self.tries = tries  # how often this gateway has asked this call for credentials
        self.rang = False
        self.lease = lease
        self.client: ClientTransaction | None = None
        self.provisional = False
        self.cancel_wanted = False
        self.cancel_sent = False
        self.timed_out = False  # its ring time is over
        self.given_up = False  # the call went on without it
        self.dismissed = _NONE  # tags of answers that were ended at once
        self.due = 0.0

    def on_response(self, client: ClientTransaction, response: Message, now: float) -> None:
        self.owner.on_response(self, response, now)

    def on_timeout(self, now: float) -> None:
        self.owner.on_silence(self, now)

    def fire(self, kind: int, due: float, now: float) -> None:
        if due == self.due:
            self.due = 0.0
            self.owner.on_ring_over(self, kind, now)

    def send_cancel(self, layer: TransactionLayer, now: float) -> None:
        """CANCEL, once (RFC 3261 §9.1)."""
        client = self.client
        if client is None or self.cancel_sent or not client.sent:
            return
        self.cancel_sent = True
        layer.end_after(client, TIMEOUT, now)
        layer.request(client.key + b"/CANCEL", b"CANCEL", make_cancel(client.sent), client.peer, IGNORE, now)
