"""The addresses of this service as messages name them: what Via and Record-Route say on each way. Sans-IO.

A service listens on one address or on several (IPv4 and IPv6, two networks). Which of them a peer uses is what it last
wrote to; a peer that never wrote is reached from the first address of its family.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from denwa.voip.sip.peer import Peer, is_tls

MAX_LEARNED: Final = 50_000


class Home(NamedTuple):
    """One address: `host` as phones reach it (no brackets), the port of UDP and TCP, that of TLS (0: none)."""

    host: str
    port: int
    tls_port: int = 0


class OwnAddress:
    """What messages that pass one home say of it."""

    __slots__ = ("host", "ipv6", "record_route", "record_route_tcp", "record_route_tls", "sent_by", "sent_by_tls",
                 "via_tcp", "via_tls", "via_udp")  # fmt: skip

    def __init__(self, home: Home) -> None:
        self.host = home.host
        self.ipv6 = ":" in home.host
        host = (f"[{home.host}]" if self.ipv6 else home.host).encode()
        self.sent_by = host + b":%d" % home.port
        tls = self.sent_by_tls = host + b":%d" % (home.tls_port or home.port)
        self.via_udp = b"Via: SIP/2.0/UDP " + self.sent_by + b";branch="
        self.via_tcp = b"Via: SIP/2.0/TCP " + self.sent_by + b";branch="
        self.via_tls = b"Via: SIP/2.0/TLS " + tls + b";branch="
        self.record_route = b"Record-Route: <sip:" + self.sent_by + b";lr>"
        self.record_route_tcp = b"Record-Route: <sip:" + self.sent_by + b";transport=tcp;lr>"
        self.record_route_tls = b"Record-Route: <sip:" + tls + b";transport=tls;lr>"

    def via(self, peer: Peer) -> bytes:
        """The beginning of the Via of a request to `peer`, up to its branch."""
        if len(peer) == 2:
            return self.via_udp
        return self.via_tls if is_tls(peer) else self.via_tcp

    def route(self, peer: Peer) -> bytes:
        """The Record-Route line by which `peer` sends what follows (RFC 3261 §16.6 step 4)."""
        if len(peer) == 2:
            return self.record_route
        return self.record_route_tls if is_tls(peer) else self.record_route_tcp


class OwnAddresses:
    """All homes, and which of them each peer uses. `several`: there is a choice."""

    def __init__(self, homes: Sequence[Home]) -> None:
        self.all = tuple(OwnAddress(home) for home in homes)
        self.several = len(homes) > 1
        self.ports = frozenset(port for home in homes for port in (home.port, home.tls_port) if port)
        self.sent_by = frozenset(name for address in self.all for name in (address.sent_by, address.sent_by_tls))
        families = [address.ipv6 for address in self.all]
        self._first = {ipv6: families.index(ipv6) for ipv6 in set(families)}
        self._learned: dict[tuple[str, int], int] = {}

    def of(self, peer: Peer) -> OwnAddress:
        return self.all[self.index(peer)] if self.several else self.all[0]

    def index(self, peer: Peer) -> int:
        """Which home `peer` is written to from."""
        known = self._learned.get((peer[0], peer[1]))
        return known if known is not None else self._first.get(":" in peer[0], 0)

    def learn(self, peer: Peer, index: int) -> None:
        """`peer` has written to that home."""
        key = (peer[0], peer[1])
        if self._first.get(":" in peer[0], 0) == index:
            if self._learned:
                self._learned.pop(key, None)
            return
        if key not in self._learned and len(self._learned) >= MAX_LEARNED:
            del self._learned[next(iter(self._learned))]
        self._learned[key] = index
