"""Which gateway a request comes from (C2): its address, its range, or the name in its certificate."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

from denwa.voip.gateways.trunk import Network, Trunk
from denwa.voip.sip.peer import Peer


class Sources:
    """Looked at for every INVITE: the ordinary address costs two lookups and nothing else."""

    def __init__(self, trunks: Iterable[Trunk]) -> None:
        incoming = [trunk for trunk in trunks if trunk.incoming]
        self._exact = {source: trunk for trunk in incoming for source in trunk.sources}
        ranges = [(network, trunk) for trunk in incoming for network in trunk.networks]
        # The narrowest range that an address is in says whose it is.
        self._ranges = sorted(ranges, key=lambda entry: entry[0].prefixlen, reverse=True)
        self._certificates = {name.lower(): trunk for trunk in incoming for name in trunk.certificates}
        self._proven: dict[Peer, Trunk] = {}  # connections whose certificate said so

    def put(self, trunk: Trunk, sources: Iterable[tuple[str, int]]) -> None:
        """The addresses of a gateway that is known by its name have changed. `sources`: all it has now."""
        wanted = set(sources)
        for known in [source for source, owner in self._exact.items() if owner.name == trunk.name]:
            if known not in wanted:
                del self._exact[known]
        if trunk.incoming:
            for source in wanted:
                self._exact.setdefault(source, trunk)

    def proven(self, peer: Peer, names: Iterable[str]) -> Trunk | None:
        """A TLS connection has shown a certificate with these names (RFC 5922); the gateway that it is, if any."""
        for name in names:
            trunk = self._certificates.get(name.lower())
            if trunk is not None:
                self._proven[peer] = trunk
                return trunk
        return None

    def gone(self, peer: Peer) -> None:
        self._proven.pop(peer, None)

    def of(self, peer: Peer) -> Trunk | None:
        found = self._exact.get((peer[0], peer[1])) or self._exact.get((peer[0], 0))
        if found is not None or not (self._ranges or self._proven):
            return found
        return self._proven.get(peer) or self._in_range(peer[0])

    def _in_range(self, host: str) -> Trunk | None:
        address = _address(host)
        if address is None:
            return None
        return next((trunk for network, trunk in self._ranges if _holds(network, address)), None)


def _holds(network: Network, address: IPv4Address | IPv6Address) -> bool:
    return network.version == address.version and address in network


@lru_cache(maxsize=8192)
def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host.partition("%")[0])
    except ValueError:
        return None
