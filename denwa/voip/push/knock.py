"""OPTIONS to where a phone was: one that answers does not sleep, however long ago it registered (RFC 3261 §11)."""

from __future__ import annotations

from collections.abc import Callable

from denwa.voip.context import Context
from denwa.voip.sip.message import Message
from denwa.voip.sip.peer import Peer
from denwa.voip.sip.transactions import ClientTransaction


class Knock:
    """Calls `heard(now)` at the first answer of any kind (the user of its client transaction)."""

    __slots__ = ("_client", "_ctx", "_heard")

    def __init__(self, ctx: Context, contact: bytes, peer: Peer, heard: Callable[[float], None], now: float) -> None:
        self._ctx = ctx
        self._heard = heard
        realm = ctx.settings.realm
        key = ctx.new_branch()
        lines = [
            b"OPTIONS " + contact + b" SIP/2.0",
            ctx.via_line(peer, key),
            b"From: <sip:%b>;tag=%b" % (realm, ctx.token()),
            b"To: <" + contact + b">",
            b"Call-ID: %b@%b" % (ctx.token(), realm),
            b"CSeq: 1 OPTIONS",
            b"Accept: application/sdp",
            b"Max-Forwards: 70",
            b"Content-Length: 0\r\n\r\n",
        ]
        self._client: ClientTransaction | None = None
        self._client = ctx.layer.request(key, b"OPTIONS", b"\r\n".join(lines), peer, self, now)

    def stop(self) -> None:
        """Nobody wants to know any more."""
        client, self._client = self._client, None
        if client is not None:
            self._ctx.layer.end(client)

    def on_response(self, client: ClientTransaction, response: Message, now: float) -> None:
        if self._client is not None:
            self._client = None
            self._heard(now)

    def on_timeout(self, now: float) -> None:
        """It sleeps, as was thought."""
        self._client = None
