"""A gateway to the telephone network as data: where it is, what it takes, how it wants things written (C1, C2)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Network, IPv6Network
from typing import Final, NamedTuple, TypeAlias

from denwa.voip.sip.peer import Peer

Network: TypeAlias = IPv4Network | IPv6Network


class NumberForm(Enum):
    """How a gateway wants a number written: +81312345678, 81312345678, or as dialled in Japan (0312345678, and 010 in
    front of what is abroad)."""

    E164 = "e164"
    PLAIN_E164 = "e164-plain"
    NATIONAL = "national"


class IdentityHeader(Enum):
    """Where a gateway reads who calls."""

    ASSERTED = "p-asserted-identity"  # RFC 3325 §9.1
    PREFERRED = "p-preferred-identity"  # RFC 3325 §9.2
    REMOTE_PARTY = "remote-party-id"
    NONE = "none"


class ForwardedHeader(Enum):
    """What a gateway reads of a call that was forwarded (K1)."""

    BOTH = "both"
    DIVERSION = "diversion"
    HISTORY_INFO = "history-info"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Format:
    """How an INVITE to this gateway is written. `domain`: host of the Request-URI, `from_domain` of From and of the
    identity; empty: the gateway's address, and our realm. `trusted`: it may know a number that it must not show."""

    number: NumberForm = NumberForm.E164
    prefix: str = ""  # digits in front of the called number
    user_phone: bool = True
    domain: bytes = b""
    from_domain: bytes = b""
    identity: IdentityHeader = IdentityHeader.ASSERTED
    forwarded: ForwardedHeader = ForwardedHeader.BOTH
    trusted: bool = True


PLAIN: Final = Format()


@dataclass(frozen=True, slots=True, repr=False)
class Account:
    """What we prove ourselves with to a carrier. `domain`: of the address of record, also the Request-URI of REGISTER.
    Has no `repr`: it would show the password."""

    user: bytes
    password: bytes
    domain: bytes


class Address(NamedTuple):
    """One address of a gateway; `priority` and `weight` as in its SRV record (RFC 2782), 0 when there is none."""

    peer: Peer
    priority: int = 0
    weight: int = 0


@dataclass(frozen=True, slots=True)
class Trunk:
    """A gateway as the engine needs it.

    `peer`: its address as far as known at start (port 0: none yet, the name is still being looked up). `sources`: the
    peers incoming calls come from (port 0: any), `networks` the same as ranges, `certificates` the names one of which
    the certificate of a TLS connection must have. Lower `priority` first, `weight` shares within one (RFC 2782).
    `classes` and `prefixes` (of E.164): the numbers it takes; empty: all. Times in seconds, 0: not done.
    """

    name: str
    peer: Peer
    sources: frozenset[tuple[str, int]]
    incoming: bool
    outgoing: bool
    priority: int = 0
    weight: int = 0
    classes: frozenset[str] = frozenset()
    prefixes: tuple[str, ...] = ()
    networks: tuple[Network, ...] = ()
    certificates: frozenset[str] = frozenset()
    format: Format = PLAIN
    account: Account | None = None
    register_every: int = 0  # Expires to ask the carrier for
    probe_every: int = 0  # between OPTIONS
    max_calls: int = 0  # channels, both directions together
    called_in_to: bool = False  # incoming calls have the called number in To
    relay: bool = False  # its media go through the relay

    @property
    def located(self) -> bool:
        return self.peer[1] != 0

    @property
    def usual(self) -> bool:
        """Its incoming calls are written as a phone would write them."""
        return not self.called_in_to and self.format.number is not NumberForm.PLAIN_E164

    def takes(self, e164: str, number_class: str) -> bool:
        if self.classes and number_class not in self.classes:
            return False
        return not self.prefixes or e164.startswith(self.prefixes)
