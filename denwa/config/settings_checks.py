"""Settings that are each in range and contradict one another, or that no part of the service could work with."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import urlsplit

from denwa.config.gateway_checks import check_dns_servers, check_gateways
from denwa.config.push import check_push
from denwa.config.relay_home import relay_home
from denwa.config.settings import Billing, Settings, Sip
from denwa.config.sounds import check_sounds
from denwa.numbering.toml_lines import Location

_DATABASES = ("postgresql", "postgres", "sqlite")


def check_settings(settings: Settings) -> Iterator[tuple[Location, str]]:
    """(place of the setting, reason) of each."""
    sip = settings.sip
    if sip.default_expires < sip.min_expires:
        yield ("sip", "default_expires"), f"{sip.default_expires} is less than sip.min_expires, {sip.min_expires}"
    if sip.max_expires < sip.default_expires:
        yield ("sip", "max_expires"), f"{sip.max_expires} is less than sip.default_expires, {sip.default_expires}"
    yield from _listeners(sip)
    yield from check_gateways(settings.gateways, certificate=sip.tls_certificate is not None)
    yield from check_dns_servers(settings.dns.servers)
    yield from check_push(settings.push)
    yield from check_sounds(settings.sounds)
    if "@" not in settings.mail.sender:
        yield ("mail", "from"), f"{settings.mail.sender!r} is no mail address"
    yield from _media(settings)
    yield from _profile(settings.billing)
    scheme = urlsplit(settings.database.url).scheme
    if settings.database.url and scheme not in _DATABASES:
        # The address may hold a password: it is not repeated.
        yield ("database", "url"), "write postgresql://user:password@host/name"


def _media(settings: Settings) -> Iterator[tuple[Location, str]]:
    media = settings.media
    if media.port_max - media.port_min < 7:
        reason = f"{media.port_max}: too few ports above media.port_min ({media.port_min}): 4 for each call, some free"
        yield ("media", "port_max"), reason
    host, colon, port = media.rtpengine.rpartition(":")
    if not host or not colon or not port.isdigit() or not 1 <= int(port) <= 65535:
        yield ("media", "rtpengine"), f"{media.rtpengine!r} is not ADDRESS:PORT"
    for name, address in (("bind", media.bind), ("address", media.address)):
        if address and not _is_address(address):
            yield ("media", name), f"{address!r} is no address"
    no_ipv4 = ":" in media.bind or (media.relay_named and not relay_home(settings).bind)
    if media.relay == "rtp.io" and no_ipv4:
        yield ("media", "bind"), "rtp.io listens on IPv4 only: write an IPv4 address"
    if media.relay == "none":
        for index, gateway in enumerate(settings.gateways):
            if gateway.relay:
                yield ("gateways", index, "relay"), "there is no relay: set media.relay"


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _profile(billing: Billing) -> Iterator[tuple[Location, str]]:
    names = sorted(file.stem for file in billing.profile_directory.glob("*.toml"))
    if billing.profile and billing.profile not in names:
        known = ", ".join(names) or "none"
        reason = f"no profile {billing.profile!r} in {billing.profile_directory} (there are: {known})"
        yield ("billing", "profile"), reason


def _listeners(sip: Sip) -> Iterator[tuple[Location, str]]:
    for index, listener in enumerate(sip.listeners):
        where: Location = ("sip",) if not index else ("sip", "listen", index - 1)
        if listener.bind in ("0.0.0.0", "::", "") and not listener.host:
            yield (*where, "bind"), f"{listener.bind!r} is every address: set host, by which phones reach it"
        if listener.host in ("0.0.0.0", "::"):
            yield (*where, "host"), f"{listener.host} is no address by which a phone reaches anything"
        if listener.tls_port and not (sip.tls_certificate and sip.tls_key):
            yield (*where, "tls_port"), "TLS needs sip.tls_certificate and sip.tls_key"
    if bool(sip.tls_certificate) != bool(sip.tls_key):
        yield ("sip", "tls_key" if sip.tls_key else "tls_certificate"), "certificate and key go together"
