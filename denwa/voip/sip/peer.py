"""Where a message came from or goes to.

UDP: ``(host, port)``. A stream (TCP, TLS): ``(host, port, flow)``, where `flow` names a connection of the listener and
is -1 for "connect, or use what is open".
"""

from __future__ import annotations

from functools import lru_cache
from typing import TypeAlias

Peer: TypeAlias = tuple[str, int] | tuple[str, int, int]
CONNECT = -1


def is_stream(peer: Peer) -> bool:
    return len(peer) == 3


@lru_cache(maxsize=65536)
def flow_text(peer: Peer) -> str:
    """For storage: ``udp:192.0.2.1:5060``, ``tcp:[2001:db8::1]:5060``. A connection does not outlive the process."""
    host = f"[{peer[0]}]" if ":" in peer[0] else peer[0]
    return f"{'tcp' if len(peer) == 3 else 'udp'}:{host}:{peer[1]}"


@lru_cache(maxsize=65536)
def peer_of_text(text: str) -> Peer:
    """The inverse of `flow_text`. Raises ValueError."""
    transport, _, rest = text.partition(":")
    host, _, port = rest.rpartition(":")
    if transport not in ("udp", "tcp") or not host:
        raise ValueError(f"not a flow: {text!r}")
    host = host.strip("[]")
    return (host, int(port), CONNECT) if transport == "tcp" else (host, int(port))
