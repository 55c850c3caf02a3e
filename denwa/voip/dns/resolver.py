"""The DNS itself, asked with dnspython; names that only this machine knows (hosts file) come from the system."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any, Final

import dns.asyncresolver
import dns.exception
import dns.nameserver
import dns.resolver

from denwa.voip.dns.location import Found, LookupFault, Naptr, Srv

log = logging.getLogger(__name__)
ABSENT_TTL: Final = 60  # seconds for which "there is none" and what the system says hold
_FOR_EVER: Final = 86_400


class DnsResolver:
    """`servers`: (address, port) of the name servers, empty: the system's. `timeout`: seconds for one question with
    all its repetitions."""

    def __init__(self, servers: Sequence[tuple[str, int]] = (), timeout: float = 5.0) -> None:
        self._timeout = timeout
        self._own = bool(servers)
        try:
            self._resolver = dns.asyncresolver.Resolver(configure=not servers)
        except dns.resolver.NoResolverConfiguration:
            self._resolver = dns.asyncresolver.Resolver(configure=False)
            log.warning("this machine names no DNS server: only its own hosts file is known")
        if servers:
            self._resolver.nameservers = [dns.nameserver.Do53Nameserver(host, port) for host, port in servers]
        self._resolver.cache = None  # names are looked up again when their time is over, not before

    async def naptr(self, name: str) -> Found[Naptr]:
        records, ttl = await self._ask(name, "NAPTR")
        found = [
            Naptr(one.order, one.preference, one.service.decode("ascii", "replace"), one.replacement.to_text())
            for one in records
            if one.flags.lower() == b"s"
        ]
        return Found(found, ttl)

    async def srv(self, name: str) -> Found[Srv]:
        records, ttl = await self._ask(name, "SRV")
        return Found([Srv(one.priority, one.weight, one.port, one.target.to_text()) for one in records], ttl)

    async def addresses(self, name: str) -> Found[str]:
        try:
            return Found([str(ip_address(name.strip("[]")))], _FOR_EVER)
        except ValueError:
            pass
        answers = await asyncio.gather(self._ask(name, "A"), self._ask(name, "AAAA"), return_exceptions=True)
        found: list[str] = []
        ttl = _FOR_EVER
        fault: LookupFault | None = None
        for answer in answers:
            if isinstance(answer, LookupFault):
                fault = answer
            elif isinstance(answer, BaseException):
                raise answer
            elif answer[0]:
                found += [one.address for one in answer[0]]
                ttl = min(ttl, answer[1])
        if found:
            return Found(found, ttl)
        if not self._own and (local := await self._system(name)):
            return Found(local, ABSENT_TTL)
        if fault is not None:
            raise fault
        return Found([], ABSENT_TTL)

    async def _system(self, name: str) -> list[str]:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(name.rstrip("."), None, type=socket.SOCK_DGRAM)
        except OSError:
            return []
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))

    async def _ask(self, name: str, kind: str) -> tuple[list[Any], int]:
        if not self._resolver.nameservers:
            return [], ABSENT_TTL
        try:
            answer = await self._resolver.resolve(name.rstrip(".") + ".", kind, lifetime=self._timeout, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return [], ABSENT_TTL
        except (dns.exception.DNSException, OSError) as fault:
            raise LookupFault(f"{name} {kind}: {fault}") from None
        return list(answer), int(answer.rrset.ttl) if answer.rrset is not None else ABSENT_TTL
