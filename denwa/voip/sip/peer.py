"""Where a message came from or goes to.

UDP: ``(host, port)``. A stream: ``(host, port, flow)``, where `flow` names a connection of a listener: a positive
number for TCP, one below `CONNECT_TLS` for TLS. `CONNECT` and `CONNECT_TLS` mean "connect, or use what is open".
"""

from __future__ import annotations

from functools import lru_cache
from typing import TypeAlias

Peer: TypeAlias = tuple[str, int] | tuple[str, int, int]
CONNECT = -1
CONNECT_TLS = -2
_CONNECTS = {"tcp": CONNECT, "tls": CONNECT_TLS}


def is_stream(peer: Peer) -> bool:
    return len(peer) == 3


def is_tls(peer: Peer) -> bool:
    return len(peer) == 3 and peer[2] <= CONNECT_TLS


@lru_cache(maxsize=65536)
def flow_text(peer: Peer) -> str:
    """For storage: ``udp:192.0.2.1:5060``, ``tls:[2001:db8::1]:5061``. A connection does not outlive the process."""
    host = f"[{peer[0]}]" if ":" in peer[0] else peer[0]
    transport = "udp" if len(peer) == 2 else "tls" if is_tls(peer) else "tcp"
    return f"{transport}:{host}:{peer[1]}"


@lru_cache(maxsize=65536)
def peer_of_text(text: str) -> Peer:
    """The inverse of `flow_text`. Raises ValueError."""
    transport, _, rest = text.partition(":")
    host, _, port = rest.rpartition(":")
    if transport not in ("udp", "tcp", "tls") or not host:
        raise ValueError(f"not a flow: {text!r}")
    host = host.strip("[]")
    return (host, int(port)) if transport == "udp" else (host, int(port), _CONNECTS[transport])
