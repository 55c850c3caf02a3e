"""Keeps the addresses of gateways that are known by name: looks each name up again when its time to live is over."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Final

from denwa.voip.dns.location import How, Located, LookupFault, Resolver, locate
from denwa.voip.gateways.trunk import Address
from denwa.voip.sip.peer import CONNECT_TLS

log = logging.getLogger(__name__)
LEAST_PAUSE: Final = 5.0  # seconds between looks, whatever the time to live says
LONGEST_PAUSE: Final = 3600.0
RETRY: Final = 10.0  # after the DNS could not be asked

Source = tuple[str, int]
Tell = Callable[[str, list[Address], Iterable[Source]], None]


@dataclass(frozen=True, slots=True)
class GatewayName:
    """What must be looked up for one gateway. `listed`: the names and ports (0: any) that its calls come from; empty:
    where it is itself. `fixed`: those of its sources that are addresses."""

    gateway: str
    host: str
    port: int
    transport: str
    how: How
    listed: tuple[Source, ...] = ()
    fixed: frozenset[Source] = frozenset()
    transports: Sequence[str] = ("udp", "tcp")


class GatewayNames:
    """`tell(gateway, addresses, sources)` is called with what a name means, at first and whenever it is looked up;
    `certificates` is given the name that the certificate at each TLS address must have."""

    def __init__(
        self,
        resolver: Resolver,
        names: Sequence[GatewayName],
        tell: Tell,
        certificates: MutableMapping[Source, str],
    ) -> None:
        self._resolver = resolver
        self._names = names
        self._tell = tell
        self._certificates = certificates

    async def run(self) -> None:
        """Until cancelled."""
        await asyncio.gather(*(self._keep(name) for name in self._names))

    async def _keep(self, name: GatewayName) -> None:
        while True:
            await asyncio.sleep(await self.look(name))

    async def look(self, name: GatewayName) -> float:
        """Look one gateway's names up and tell. Returns the seconds until that is to be done again."""
        try:
            found = await locate(
                self._resolver, name.host, name.port, name.transport, name.how, transports=name.transports
            )
            sources, ttl = await self._sources(name, found)
        except LookupFault as fault:
            log.warning("gateway %s: %s; what was known stays in force", name.gateway, fault)
            return RETRY
        for address in found.addresses:
            if len(address.peer) == 3 and address.peer[2] == CONNECT_TLS:
                self._certificates[address.peer[0], address.peer[1]] = name.host
        if not found.addresses:
            log.warning("gateway %s: %s has no address", name.gateway, name.host)
        self._tell(name.gateway, found.addresses, sources)
        return min(max(float(ttl), LEAST_PAUSE), LONGEST_PAUSE)

    async def _sources(self, name: GatewayName, found: Located) -> tuple[set[Source], int]:
        if not name.listed and not name.fixed:
            return {(address.peer[0], 0) for address in found.addresses}, found.ttl
        sources, ttl = set(name.fixed), found.ttl
        for host, port in name.listed:
            answer = await self._resolver.addresses(host)
            sources |= {(one, port) for one in answer.records}
            ttl = min(ttl, answer.ttl)
        return sources, ttl
