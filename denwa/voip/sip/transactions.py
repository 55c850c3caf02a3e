"""The transaction layer (RFC 3261 §17): messages and `now` in; sends, timers and calls to its user out. Sans-IO."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol, TypeAlias

from denwa.voip.sip.fields import MAGIC, Via
from denwa.voip.sip.machines import (
    INVITE_CLIENT,
    INVITE_SERVER,
    OTHER_CLIENT,
    OTHER_SERVER,
    Event,
    State,
    Table,
)
from denwa.voip.sip.message import VIA, Message
from denwa.voip.sip.peer import Peer
from denwa.voip.sip.response import make_ack, make_response
from denwa.voip.sip.timers import T1, T2, T4, TIMEOUT, WAIT_D, TimerQueues

# A member of an Enum is a property, and these are looked up on every message.
_TRYING, _CALLING, _PROCEEDING, _TERMINATED = State.TRYING, State.CALLING, State.PROCEEDING, State.TERMINATED
_REQUEST, _ACK, _RESEND, _END, _LATE = Event.REQUEST, Event.ACK, Event.RESEND, Event.END, Event.LATE
RESEND, END, LATE = int(Event.RESEND), int(Event.END), int(Event.LATE)
_LATE_AFTER: Final = 3.5  # timer E reaches T2 3.5 s after the first send (RFC 4320 §4.1)
_GOT: Final = (Event.GOT_1XX, Event.GOT_2XX, *[Event.GOT_FAILURE] * 4)
_SENDS: Final = (Event.SEND_1XX, Event.SEND_2XX, *[Event.SEND_FAILURE] * 4)
Key: TypeAlias = tuple[bytes, ...]


class ServerTransaction:
    """A request being answered. `user` belongs to the layer's user."""

    __slots__ = (
        "end_at",
        "key",
        "last",
        "late_at",
        "method",
        "peer",
        "request",
        "resend_after",
        "resend_at",
        "rows",
        "state",
        "stream",
        "to_tag",
        "user",
    )

    def __init__(self, key: Key, request: Message, peer: Peer) -> None:
        invite = request.method == b"INVITE"
        self.key = key
        self.method = request.method
        self.request: Message | None = request
        self.peer = peer
        self.stream = len(peer) == 3
        self.rows = _INVITE_SERVER if invite else _OTHER_SERVER
        self.state = _PROCEEDING if invite else _TRYING
        self.last = b""
        self.to_tag = b""  # put on by whoever answers first
        self.resend_at = self.end_at = self.late_at = self.resend_after = 0.0
        self.user: Any = None


class ClientTransaction:
    """A request sent. `sent` are its bytes while they may be needed again (then the ACK's)."""

    __slots__ = (
        "end_at",
        "key",
        "method",
        "peer",
        "resend_after",
        "resend_at",
        "rows",
        "sent",
        "state",
        "stream",
        "user",
    )

    def __init__(self, key: bytes, method: bytes, sent: bytes, peer: Peer, user: Any) -> None:
        invite = method == b"INVITE"
        self.key = key
        self.method = method
        self.sent = sent
        self.peer = peer
        self.stream = len(peer) == 3
        self.rows = _INVITE_CLIENT if invite else _OTHER_CLIENT
        self.state = _CALLING if invite else _TRYING
        self.resend_at = self.end_at = self.resend_after = 0.0
        self.user = user


Transaction: TypeAlias = ServerTransaction | ClientTransaction


class TransactionUser(Protocol):
    """Whom the layer speaks to (RFC 3261: TU)."""

    def on_request(self, transaction: ServerTransaction, request: Message, now: float) -> None: ...

    def on_ack(self, request: Message, peer: Peer, now: float) -> None:
        """An ACK that ends no transaction here: to a 2xx."""
        ...

    def on_response(self, transaction: ClientTransaction, response: Message, now: float) -> None: ...

    def on_timeout(self, transaction: Transaction, now: float) -> None:
        """A client got no answer (B, F), or a failure sent was never acknowledged (H)."""
        ...


class _Ignore:
    """The user of a transaction whose outcome changes nothing (CANCEL, a BYE of our own)."""

    def on_response(self, transaction: ClientTransaction, response: Message, now: float) -> None:
        pass

    def on_timeout(self, now: float) -> None:
        pass


IGNORE: Final = _Ignore()


class TransactionLayer:
    """Both tables of transactions, bounded by `limit` together."""

    def __init__(
        self, send: Callable[[Peer, bytes], None], user: TransactionUser, timers: TimerQueues, limit: int
    ) -> None:
        self.send = send
        self.user = user
        self.timers = timers
        self.limit = limit
        self.servers: dict[Key, ServerTransaction] = {}
        self.clients: dict[bytes, ClientTransaction] = {}

    # -- in -------------------------------------------------------------------------------------------------------

    def find_server(self, request: Message, via: Via, method: bytes) -> ServerTransaction | None:
        return self.servers.get(_server_key(request, via, method))

    def receive_request(self, request: Message, via: Via, peer: Peer, now: float) -> bool:
        """Match or begin a server transaction. False: the tables are full and the request is dropped."""
        method = request.method
        if method == b"ACK":
            old = self.servers.get(_server_key(request, via, b"INVITE"))
            if old is None:
                self.user.on_ack(request, peer, now)
            else:
                self._step(old, _ACK, now, request)
            return True
        key = _server_key(request, via, method)
        known = self.servers.get(key)
        if known is not None:
            self._step(known, _REQUEST, now, request)
            return True
        if len(self.servers) + len(self.clients) >= self.limit:
            return False
        transaction = ServerTransaction(key, request, peer)
        self.servers[key] = transaction
        self.user.on_request(transaction, request, now)
        return True

    def receive_response(self, response: Message, branch: bytes, method: bytes, now: float) -> bool:
        """Give a response to its client transaction. False: there is none."""
        transaction = self.clients.get(branch if method != b"CANCEL" else branch + b"/CANCEL")
        if transaction is None or transaction.method != method:
            return False
        self._step(transaction, _GOT[response.status // 100 - 1], now, response)
        return True

    # -- out ------------------------------------------------------------------------------------------------------

    def respond(self, transaction: ServerTransaction, status: int, data: bytes, now: float) -> None:
        """Send a response through the machine. A second final answer is swallowed, except 2xx to INVITE."""
        self._step(transaction, _SENDS[status // 100 - 1], now, data)

    def expect_late_answer(self, transaction: ServerTransaction, now: float) -> None:
        """The answer comes from elsewhere: 100 after 3.5 s, forgotten after 64*T1 + T4 (RFC 4320)."""
        transaction.late_at = self.timers.start(transaction, LATE, _LATE_AFTER, now)

    def request(self, key: bytes, method: bytes, data: bytes, peer: Peer, user: Any, now: float) -> ClientTransaction:
        """Send a request; `key` is its branch (for CANCEL with ``/CANCEL`` behind it).

        Nearly every request is answered within T1, so the long timer (B, F) of one that may be lost is started when
        the first resend is due.
        """
        transaction = ClientTransaction(key, method, data, peer, user)
        self.clients[key] = transaction
        timers = self.timers
        if not transaction.stream:
            transaction.resend_after = T1
            transaction.resend_at = timers.start(transaction, RESEND, T1, now)
        else:
            transaction.end_at = timers.start(transaction, END, TIMEOUT, now)
        self.send(peer, data)
        return transaction

    def end_after(self, transaction: ClientTransaction, after: float, now: float) -> None:
        """Bound how long an INVITE that rings is waited for: 64*T1 after its CANCEL (RFC 3261 §9.1), or timer C."""
        if transaction.state is _PROCEEDING:
            transaction.end_at = self.timers.start(transaction, END, after, now)

    def end(self, transaction: Transaction) -> None:
        """Forget a transaction at once (transport failed, or its user has no more use for it)."""
        transaction.state = _TERMINATED
        self._forget(transaction)

    # -- time -----------------------------------------------------------------------------------------------------

    def fire(self, transaction: Transaction, kind: int, due: float, now: float) -> None:
        """A timer's time has come; a stopped or restarted one does not match `due` any more."""
        if kind == END:
            if transaction.end_at == due:
                self._step(transaction, _END, now, None)
        elif kind == RESEND:
            if transaction.resend_at == due:
                if not transaction.end_at:
                    transaction.end_at = self.timers.start(transaction, END, TIMEOUT - T1, now)
                self._step(transaction, _RESEND, now, None)
        elif isinstance(transaction, ServerTransaction) and transaction.late_at == due:
            transaction.end_at = self.timers.start(transaction, END, TIMEOUT + T4 - _LATE_AFTER, now)
            self._step(transaction, _LATE, now, None)

    # -- the machine ----------------------------------------------------------------------------------------------

    def _step(self, transaction: Transaction, event: Event, now: float, what: Any) -> None:
        row = transaction.rows[transaction.state * _EVENTS + event]
        if row is None:
            return
        transaction.state, actions = row
        for act in actions:
            act(self, transaction, now, what)
        if transaction.state is _TERMINATED:
            self._forget(transaction)

    def _forget(self, transaction: Transaction) -> None:
        if isinstance(transaction, ServerTransaction):
            self.servers.pop(transaction.key, None)
            transaction.request = None
        else:
            self.clients.pop(transaction.key, None)
        transaction.user = None


def _server_key(request: Message, via: Via, method: bytes) -> Key:
    """RFC 3261 §17.2.3; a branch without the magic cookie is matched as RFC 2543 did."""
    if via.branch.startswith(MAGIC) and via.branch != MAGIC:
        return (via.branch, via.sent_by, method)
    return (request.uri, request.from_tag, request.call_id, b"%d" % request.cseq, request.value(VIA) or b"", method)


def _send(layer: TransactionLayer, t: Any, now: float, what: bytes) -> None:
    t.last = what
    layer.send(t.peer, what)


def _resend_last(layer: TransactionLayer, t: Any, now: float, what: Any) -> None:
    data = t.last if isinstance(t, ServerTransaction) else t.sent
    if data:
        layer.send(t.peer, data)


def _send_100(layer: TransactionLayer, t: Any, now: float, what: Any) -> None:
    t.last = make_response(t.request, 100, b"")
    layer.send(t.peer, t.last)


def _ack_failure(layer: TransactionLayer, t: Any, now: float, what: Message) -> None:
    t.sent = make_ack(t.sent, what)
    layer.send(t.peer, t.sent)


def _deliver(layer: TransactionLayer, t: Any, now: float, what: Message) -> None:
    layer.user.on_response(t, what, now)


def _deliver_ack(layer: TransactionLayer, t: Any, now: float, what: Message) -> None:
    layer.user.on_ack(what, t.peer, now)


def _timed_out(layer: TransactionLayer, t: Any, now: float, what: Any) -> None:
    layer.user.on_timeout(t, now)


def _stop_resend(layer: TransactionLayer, t: Any, now: float, what: Any) -> None:
    t.resend_at = 0.0


def _stop_end(layer: TransactionLayer, t: Any, now: float, what: Any) -> None:
    t.end_at = 0.0


def _start_resend(layer: TransactionLayer, t: Any, now: float, what: Any) -> None:
    if not t.stream:
        t.resend_after = T1
        t.resend_at = layer.timers.start(t, RESEND, T1, now)


def _back_off(layer: TransactionLayer, t: Any, now: float, what: Any) -> None:
    t.resend_after *= 2
    t.resend_at = layer.timers.start(t, RESEND, t.resend_after, now)


def _back_off_t2(layer: TransactionLayer, t: Any, now: float, what: Any) -> None:
    t.resend_after = min(t.resend_after * 2, T2)
    t.resend_at = layer.timers.start(t, RESEND, t.resend_after, now)


def _slow_resend(layer: TransactionLayer, t: Any, now: float, what: Any) -> None:
    if not t.stream:
        t.resend_after = T2
        t.resend_at = layer.timers.start(t, RESEND, T2, now)


def _start_timeout(layer: TransactionLayer, t: Any, now: float, what: Any) -> None:
    t.end_at = layer.timers.start(t, END, TIMEOUT, now)


def _start_wait(layer: TransactionLayer, t: Any, now: float, what: Any) -> None:
    """D 32 s, J 64*T1, I and K T4; zero on a stream, where nothing comes twice (RFC 3261 table 4)."""
    invite = t.method == b"INVITE"
    if isinstance(t, ServerTransaction):
        after = 0.0 if t.stream else T4 if invite else TIMEOUT
        t.late_at = 0.0
        t.request = None  # answered: only the answer may be needed again
    else:
        after = 0.0 if t.stream else WAIT_D if invite else T4
    t.end_at = layer.timers.start(t, END, after, now)


def _forget_body(layer: TransactionLayer, t: Any, now: float, what: Any) -> None:
    if isinstance(t, ServerTransaction):
        t.last = b""
        t.request = None
    else:
        t.sent = b""


_Act: TypeAlias = Callable[[TransactionLayer, Any, float, Any], None]
_Row: TypeAlias = tuple[State, tuple[_Act, ...]]
_DO: Final[tuple[_Act, ...]] = (
    _send,
    _resend_last,
    _send_100,
    _ack_failure,
    _deliver,
    _deliver_ack,
    _timed_out,
    _stop_resend,
    _stop_end,
    _start_resend,
    _back_off,
    _back_off_t2,
    _slow_resend,
    _start_timeout,
    _start_wait,
    _forget_body,
)
_EVENTS: Final = len(Event)


def _compile(table: Table) -> list[_Row | None]:
    """The table as a list over state * events + event, the actions as functions: one index a step."""
    rows: list[_Row | None] = [None] * (len(State) * _EVENTS)
    for (state, event), (after, actions) in table.items():
        rows[state * _EVENTS + event] = (after, tuple(_DO[action] for action in actions))
    return rows


_INVITE_SERVER: Final = _compile(INVITE_SERVER)
_OTHER_SERVER: Final = _compile(OTHER_SERVER)
_INVITE_CLIENT: Final = _compile(INVITE_CLIENT)
_OTHER_CLIENT: Final = _compile(OTHER_CLIENT)
