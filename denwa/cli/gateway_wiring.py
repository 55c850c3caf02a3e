"""Gateways from settings to what the engine, the TLS listener and the DNS are given of them."""

from __future__ import annotations

import logging
import socket
from collections.abc import Sequence
from ipaddress import ip_address, ip_network

from denwa.config.gateway import Gateway
from denwa.config.settings import Settings
from denwa.voip.dns.location import How
from denwa.voip.dns.names import GatewayName, Source
from denwa.voip.gateways.trunk import (
    PLAIN,
    Account,
    Format,
    ForwardedHeader,
    IdentityHeader,
    Network,
    NumberForm,
    Trunk,
)
from denwa.voip.sip.peer import CONNECT, CONNECT_TLS, Peer

log = logging.getLogger(__name__)
_NOWHERE: Peer = ("", 0)
_FLOWS = {"tcp": CONNECT, "tls": CONNECT_TLS}


def trunk_of(gateway: Gateway) -> Trunk:
    """A gateway whose name means nothing at present has no address at start; the DNS is asked again later."""
    hosts, networks = _sources_of(gateway)
    sources = {(address, port) for host, port in hosts for address in _addresses_of(host, gateway.name)}
    account = None
    if gateway.user:
        domain = (gateway.registrar or gateway.domain or gateway.host).encode()
        account = Account(gateway.user.encode(), gateway.password.get_secret_value().encode(), domain)
    return Trunk(
        gateway.name,
        _peer_of(gateway),
        frozenset(sources),
        gateway.incoming,
        gateway.outgoing,
        priority=gateway.priority,
        weight=gateway.weight,
        classes=frozenset(gateway.classes),
        prefixes=tuple(gateway.prefixes),
        networks=tuple(networks),
        certificates=frozenset(gateway.certificates),
        format=_format_of(gateway),
        account=account,
        register_every=gateway.register_expires,
        probe_every=gateway.probe_interval,
        max_calls=gateway.max_calls,
        called_in_to=gateway.called_number == "to",
        relay=gateway.relay,
    )


def _format_of(gateway: Gateway) -> Format:
    written = Format(
        NumberForm(gateway.number_format),
        gateway.number_prefix,
        gateway.user_phone,
        gateway.domain.encode(),
        gateway.from_domain.encode(),
        IdentityHeader(gateway.identity),
        ForwardedHeader(gateway.forwarded),
        gateway.trusted,
    )
    # The engine knows that nothing is to be written anew by this very object.
    return PLAIN if written == PLAIN else written


def _peer_of(gateway: Gateway) -> Peer:
    if gateway.locate != "address" and not _is_address(gateway.host):
        return _NOWHERE
    found = _addresses_of(gateway.host, gateway.name)
    if not found:
        return _NOWHERE
    flow = _FLOWS.get(gateway.transport)
    return (found[0], gateway.port) if flow is None else (found[0], gateway.port, flow)


def _sources_of(gateway: Gateway) -> tuple[list[Source], list[Network]]:
    """The hosts (with port, 0: any) and the ranges that calls of this gateway come from."""
    hosts: list[Source] = []
    networks: list[Network] = []
    for text in gateway.addresses:
        if "/" in text:
            networks.append(ip_network(text, strict=False))
        else:
            name, port = host_and_port(text)
            hosts.append((name, int(port) if port.isdigit() else 0))
    if not gateway.addresses and not gateway.certificates and gateway.locate == "address":
        hosts.append((gateway.host, 0))
    return hosts, networks


def host_and_port(text: str) -> tuple[str, str]:
    """`host`, `host:port`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:port`; the port "" when there is none."""
    if text.startswith("["):
        name, _, rest = text[1:].partition("]")
        return name, rest.removeprefix(":")
    name, _, port = text.partition(":") if text.count(":") == 1 else (text, "", "")
    return name, port


def tls_names(settings: Settings) -> dict[Source, str]:
    """The names that the certificates of gateways reached over TLS must have, by address and port."""
    names = {}
    for gateway in settings.gateways:
        peer = _peer_of(gateway) if gateway.transport == "tls" else _NOWHERE
        if peer[1]:
            names[peer[0], peer[1]] = gateway.host
    return names


def gateway_names(settings: Settings) -> list[GatewayName]:
    """What has to be looked up in the DNS while the service runs; nothing for gateways given by address."""
    transports = ("udp", "tcp", *(["tls"] if settings.sip.tls_certificate is not None else []))
    names = []
    for gateway in settings.gateways:
        hosts, _ = _sources_of(gateway)
        listed = tuple(host for host in hosts if gateway.addresses and not _is_address(host[0]))
        if _is_address(gateway.host) and not listed:
            continue
        fixed = frozenset(host for host in hosts if _is_address(host[0]))
        how = How(gateway.locate)
        names.append(
            GatewayName(gateway.name, gateway.host, gateway.port, gateway.transport, how, listed, fixed, transports)
        )
    return names


def dns_servers(settings: Settings) -> list[tuple[str, int]]:
    """Those of the settings, empty: the system's."""
    found = []
    for text in settings.dns.servers:
        host, port = host_and_port(text)
        found.append((host, int(port) if port else 53))
    return found


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _addresses_of(host: str, gateway: str) -> Sequence[str]:
    if _is_address(host):
        return [host]
    try:
        found = socket.getaddrinfo(host, None, socket.AF_UNSPEC, socket.SOCK_DGRAM)
    except OSError as fault:
        log.warning("gateway %s: %r has no address: %s", gateway, host, fault)
        return []
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))
