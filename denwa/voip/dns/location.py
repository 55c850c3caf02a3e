"""Where the server of a name is: NAPTR, SRV, A and AAAA (RFC 3263 §4), over whatever asks the DNS.

Gives addresses with the priority and weight of their SRV records; who is tried first is decided for every call anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Final, Generic, NamedTuple, Protocol, TypeVar

from denwa.voip.gateways.trunk import Address
from denwa.voip.sip.peer import CONNECT, CONNECT_TLS, Peer

MOST_SERVERS: Final = 16  # SRV records of one name that are used
MOST_ADDRESSES: Final = 32
_PORTS: Final = {"udp": 5060, "tcp": 5060, "tls": 5061}
_SRV: Final = {"udp": "_sip._udp.", "tcp": "_sip._tcp.", "tls": "_sips._tcp."}
_SERVICES: Final = {"SIP+D2U": "udp", "SIP+D2T": "tcp", "SIPS+D2T": "tls"}
_FLOWS: Final = {"tcp": CONNECT, "tls": CONNECT_TLS}


class LookupFault(Exception):
    """The DNS cannot be asked now; what was known stays in force. The text says why."""


class Naptr(NamedTuple):
    order: int
    preference: int
    service: str
    replacement: str  # the name of SRV records


class Srv(NamedTuple):
    priority: int
    weight: int
    port: int
    target: str


_R = TypeVar("_R")


class Found(NamedTuple, Generic[_R]):
    """Records (none: the name has no such) and for how many seconds that holds."""

    records: Sequence[_R]
    ttl: int


class Resolver(Protocol):
    """Asks the DNS; all raise LookupFault."""

    async def naptr(self, name: str) -> Found[Naptr]:
        """Those that lead to SRV records (flag "s")."""
        ...

    async def srv(self, name: str) -> Found[Srv]: ...

    async def addresses(self, name: str) -> Found[str]:
        """IPv4 and IPv6; a literal address is itself."""
        ...


class How(Enum):
    """What is asked for: only addresses, SRV records of the given transport, or NAPTR for the transport too."""

    ADDRESS = "address"
    SRV = "srv"
    NAPTR = "naptr"


class Located(NamedTuple):
    addresses: list[Address]
    ttl: int


async def locate(
    resolver: Resolver, host: str, port: int, transport: str, how: How, *, transports: Sequence[str] = ("udp", "tcp")
) -> Located:
    """The addresses of `host`. `transports`: those that we speak, for NAPTR. Raises LookupFault."""
    if how is How.NAPTR:
        return await _by_naptr(resolver, host, transports)
    if how is How.SRV:
        return await _by_srv(resolver, _SRV[transport] + host, transport) or await _plain(
            resolver, host, _PORTS[transport], transport
        )
    return await _plain(resolver, host, port, transport)


async def _by_naptr(resolver: Resolver, host: str, transports: Sequence[str]) -> Located:
    found = await resolver.naptr(host)
    ways = sorted((record for record in found.records), key=lambda record: (record.order, record.preference))
    for record in ways:
        transport = _SERVICES.get(record.service.upper(), "")
        if transport in transports:
            located = await _by_srv(resolver, record.replacement, transport)
            if located is not None:
                return Located(located.addresses, min(found.ttl, located.ttl))
    if not ways:  # RFC 3263 §4.1: no NAPTR records, so SRV for each transport
        for transport in transports:
            located = await _by_srv(resolver, _SRV[transport] + host, transport)
            if located is not None:
                return Located(located.addresses, min(found.ttl, located.ttl))
    transport = transports[0]
    return await _plain(resolver, host, _PORTS[transport], transport)


async def _by_srv(resolver: Resolver, name: str, transport: str) -> Located | None:
    """None: there are no such records. A target of "." says that the service is not offered (RFC 2782)."""
    found = await resolver.srv(name)
    if not found.records:
        return None
    ttl = found.ttl
    addresses: list[Address] = []
    fault: LookupFault | None = None
    for record in sorted(found.records)[:MOST_SERVERS]:
        if record.target.rstrip(".") == "":
            continue
        try:
            hosts = await resolver.addresses(record.target)
        except LookupFault as one:
            fault = one  # the others may be enough
            continue
        ttl = min(ttl, hosts.ttl)
        addresses += [Address(_peer(h, record.port, transport), record.priority, record.weight) for h in hosts.records]
    if not addresses and fault is not None:
        raise fault
    return Located(_once(addresses), ttl)


async def _plain(resolver: Resolver, host: str, port: int, transport: str) -> Located:
    found = await resolver.addresses(host)
    return Located(_once([Address(_peer(one, port, transport)) for one in found.records]), found.ttl)


def _once(addresses: list[Address]) -> list[Address]:
    unique: dict[Peer, Address] = {}
    for address in addresses:
        unique.setdefault(address.peer, address)
    return list(unique.values())[:MOST_ADDRESSES]


def _peer(host: str, port: int, transport: str) -> Peer:
    flow = _FLOWS.get(transport)
    return (host, port) if flow is None else (host, port, flow)
