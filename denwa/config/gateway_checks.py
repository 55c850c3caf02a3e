"""Settings of gateways that are each in range and make no sense, or would break a SIP message they are written into."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from ipaddress import ip_address, ip_network
from typing import Final

from denwa.config.gateway import Gateway
from denwa.numbering.toml_lines import Location

_HOST: Final = re.compile(r"[A-Za-z0-9._-]{1,253}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?|[0-9A-Fa-f:.]+")
_USER: Final = re.compile(r"[A-Za-z0-9_.!~*'()&=+$,;?/-]{1,64}")
_DIGITS: Final = re.compile(r"[0-9*#+]{0,15}")
_PREFIX: Final = re.compile(r"\+[0-9]{1,14}")


def check_gateways(gateways: Sequence[Gateway], *, certificate: bool) -> Iterator[tuple[Location, str]]:
    """(place of the setting, reason) of each; `certificate`: the service has one."""
    names: set[str] = set()
    for index, gateway in enumerate(gateways):
        where: Location = ("gateways", index)
        if gateway.name in names:
            yield (*where, "name"), f"there is a gateway {gateway.name!r} already"
        names.add(gateway.name)
        if not gateway.host:
            yield (*where, "host"), "the host is missing"
        if gateway.transport == "tls" and not certificate:
            yield (*where, "transport"), "TLS needs sip.tls_certificate and sip.tls_key"
        if gateway.certificates and not certificate:
            yield (*where, "certificates"), "TLS needs sip.tls_certificate and sip.tls_key"
        yield from _addresses(where, gateway)
        yield from _account(where, gateway)
        yield from _texts(where, gateway)


def _addresses(where: Location, gateway: Gateway) -> Iterator[tuple[Location, str]]:
    for n, address in enumerate(gateway.addresses):
        if "/" in address:
            try:
                ip_network(address, strict=False)
            except ValueError:
                yield (*where, "addresses", n), f"{address!r} is no range of addresses, like 192.0.2.0/24"
        elif not _is_host_and_port(address):
            yield (*where, "addresses", n), f"{address!r} is not HOST or HOST:PORT"


def _is_host_and_port(text: str) -> bool:
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":")
        colon = rest != ""
    else:
        host, colon_text, port = text.partition(":") if text.count(":") == 1 else (text, "", "")
        colon = colon_text != ""
    return bool(host) and (not colon or (port.isdigit() and 1 <= int(port) <= 65535))


def _account(where: Location, gateway: Gateway) -> Iterator[tuple[Location, str]]:
    secret = gateway.password.get_secret_value()
    if gateway.register_expires and not gateway.user:
        yield (*where, "register_expires"), "REGISTER needs user and password"
    if 0 < gateway.register_expires < 30:
        yield (*where, "register_expires"), "less than 30 seconds would be REGISTER upon REGISTER"
    if secret and not gateway.user:
        yield (*where, "password"), "a password without user"
    if gateway.user and not _USER.fullmatch(gateway.user):
        yield (*where, "user"), "a SIP user name has letters, digits and -_.!~*'()&=+$,;?/ only"
    if any(ord(character) < 32 for character in secret):
        yield (*where, "password"), "control characters cannot be in a password"


def _texts(where: Location, gateway: Gateway) -> Iterator[tuple[Location, str]]:
    for key in ("registrar", "domain", "from_domain"):
        text = getattr(gateway, key)
        if text and not _HOST.fullmatch(text):
            yield (*where, key), f"{text!r} is no domain"
    if not _DIGITS.fullmatch(gateway.number_prefix):
        yield (*where, "number_prefix"), f"{gateway.number_prefix!r} is not made of digits, * and #"
    for n, prefix in enumerate(gateway.prefixes):
        if not _PREFIX.fullmatch(prefix):
            yield (*where, "prefixes", n), f"{prefix!r} is not the beginning of a number like +813"


def check_dns_servers(servers: Sequence[str]) -> Iterator[tuple[Location, str]]:
    """Name servers are given by address: nobody could look their names up."""
    for n, server in enumerate(servers):
        host = server[1:].partition("]")[0] if server.startswith("[") else server
        host = host.partition(":")[0] if host.count(":") == 1 else host
        try:
            ip_address(host)
        except ValueError:
            yield ("dns", "servers", n), f"{server!r} is not ADDRESS or ADDRESS:PORT"
            continue
        if not _is_host_and_port(server):
            yield ("dns", "servers", n), f"{server!r} is not ADDRESS or ADDRESS:PORT"
