"""Keeps the ways to phones behind NATs open over UDP (R4): an OPTIONS now and then to each, whose answer passes the NAT
from inside, which is what every NAT counts as use (RFC 4787 §4.3). Phones on streams do that themselves (RFC 5626).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from denwa.voip.calls.journal import BindingEntry
from denwa.voip.sip.peer import Peer, peer_of_text
from denwa.voip.sip.uri import SipUri, UriFault, parse_uri

if TYPE_CHECKING:
    from denwa.voip.context import Context

MARK: Final = b".nat"  # at the end of the branch: nobody waits for the answer
_TICK: Final = 1.0
_FIRE: Final = 41  # timer kind

Find = Callable[[bytes, str], BindingEntry | None]


class KeepAlive:
    """Asks each watched binding every `interval` seconds, evenly spread. `find` gives the binding of an account and
    Contact that is in force."""

    def __init__(self, ctx: Context, interval: int, find: Find) -> None:
        self._ctx = ctx
        self._interval = interval
        self._find = find
        self._watched: dict[tuple[bytes, str], None] = {}  # the one asked longest ago is the first
        self._due = 0.0
        self._owing = 0.0
        self._cseq = 0

    def __len__(self) -> int:
        return len(self._watched)

    def watch(self, account: bytes, binding: BindingEntry, now: float) -> None:
        """A binding is new or has changed."""
        if not is_behind_nat(binding):
            return
        self._watched[account, binding.contact] = None
        if not self._due:
            self._due = self._ctx.timers.start(self, _FIRE, _TICK, now)

    def fire(self, kind: int, due: float, now: float) -> None:
        """A second has passed."""
        if due != self._due:
            return
        self._owing += len(self._watched) * _TICK / self._interval
        while self._owing >= 1.0 and self._watched:
            self._owing -= 1.0
            self._ask_next()
        self._due = self._ctx.timers.start(self, _FIRE, _TICK, now) if self._watched else 0.0

    def _ask_next(self) -> None:
        key = next(iter(self._watched))
        del self._watched[key]
        binding = self._find(*key)
        if binding is None or binding.expires_at <= self._ctx.now_ms or not is_behind_nat(binding):
            return
        self._watched[key] = None
        self._ctx.send(*self._question(binding))
        self._ctx.counters["nat_keepalive", "sent"] += 1

    def _question(self, binding: BindingEntry) -> tuple[Peer, bytes]:
        ctx = self._ctx
        peer = peer_of_text(binding.flow)
        contact = binding.contact.encode()
        self._cseq = self._cseq % 0x7FFFFFFF + 1
        lines = (
            b"OPTIONS " + contact + b" SIP/2.0",
            ctx.via_line(peer, ctx.new_branch() + MARK),
            b"From: <sip:" + ctx.settings.realm + b">;tag=" + ctx.token(),
            b"To: <" + contact + b">",
            b"Call-ID: " + ctx.token(),
            b"CSeq: %d OPTIONS" % self._cseq,
            b"Max-Forwards: 70",
            b"Content-Length: 0\r\n\r\n",
        )
        return peer, b"\r\n".join(lines)


def is_behind_nat(binding: BindingEntry) -> bool:
    """A phone over UDP that calls itself something else than the address it registered from."""
    if not binding.flow.startswith("udp:"):
        return False
    try:
        uri = parse_uri(binding.contact.encode())
    except UriFault:
        return True
    host = peer_of_text(binding.flow)[0]
    return not isinstance(uri, SipUri) or uri.host.decode("ascii", "replace").strip("[]") != host
