"""One NOTIFY sent, and what became of it (the user of its client transaction). Sans-IO."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from denwa.voip.context import Context
from denwa.voip.mwi.machines import Event
from denwa.voip.mwi.summary import CONTENT_TYPE, header_values
from denwa.voip.sip.message import Message
from denwa.voip.sip.peer import Peer, is_tls
from denwa.voip.sip.transactions import ClientTransaction

# Failures that say nothing against the next try: not there at present, or out of order.
_NOT_NOW: Final = frozenset((408, 430, 480, 486, 500, 503, 504, 600))
_LONGEST_PAUSE: Final = 3600
Told = Callable[[Event, int, float], None]


class Notification:
    """Calls `told(event, seconds, now)` once: TAKEN, REFUSED, UNREACHED, or LATER with Retry-After's seconds."""

    __slots__ = ("_client", "_ctx", "_told")

    def __init__(self, ctx: Context, peer: Peer, head: Sequence[bytes], body: bytes, told: Told, now: float) -> None:
        """`head`: the request line, then all headers but Via, Max-Forwards and the body's; `body` may be empty."""
        self._ctx = ctx
        self._told: Told | None = told
        key = ctx.new_branch()
        lines = (
            head[0],
            ctx.via_line(peer, key),
            *head[1:],
            b"Max-Forwards: 70",
            *([CONTENT_TYPE] if body else ()),
            b"Content-Length: %d\r\n\r\n%b" % (len(body), body),
        )
        ctx.counters["mwi", "sent"] += 1
        self._client = ctx.layer.request(key, b"NOTIFY", b"\r\n".join(lines), peer, self, now)

    def abandon(self) -> None:
        """Nobody wants to know any more."""
        if self._told is not None:
            self._told = None
            self._ctx.layer.end(self._client)

    def on_response(self, client: ClientTransaction, response: Message, now: float) -> None:
        status = response.status
        if status < 200:
            return
        if status < 300:
            self._tell(Event.TAKEN, 0, now)
            return
        pause = _retry_after(response)
        if pause:
            self._tell(Event.LATER, pause, now)
        else:
            self._tell(Event.UNREACHED if status in _NOT_NOW else Event.REFUSED, 0, now)

    def on_timeout(self, now: float) -> None:
        self._tell(Event.UNREACHED, 0, now)

    def _tell(self, event: Event, seconds: int, now: float) -> None:
        told, self._told = self._told, None
        if told is not None:
            self._ctx.counters["mwi", event.name.lower()] += 1
            told(event, seconds, now)


def own_contact(ctx: Context, account: bytes, peer: Peer) -> bytes:
    """The Contact by which `peer` reaches the notifier of a box."""
    own = ctx.own.of(peer)
    host = own.sent_by_tls if is_tls(peer) else own.sent_by
    transport = b"" if len(peer) == 2 else b";transport=tls" if is_tls(peer) else b";transport=tcp"
    return b"Contact: <sip:" + account + b"@" + host + transport + b">"


def _retry_after(response: Message) -> int:
    """Seconds, 0 when there is none that can be read (RFC 3261 §20.33)."""
    for value in header_values(response, b"retry-after"):
        digits = value.partition(b";")[0].partition(b"(")[0].strip()
        if digits.isdigit() and len(digits) < 10:
            return min(max(int(digits), 1), _LONGEST_PAUSE)
    return 0
