"""Settings that are each in range and contradict one another, or that no part of the service could work with."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from denwa.config.settings import Billing, Gateway, Settings
from denwa.numbering.toml_lines import Location

_DATABASES = ("postgresql", "postgres", "sqlite")


def check_settings(settings: Settings) -> Iterator[tuple[Location, str]]:
    """(place of the setting, reason) of each."""
    sip = settings.sip
    if sip.default_expires < sip.min_expires:
        yield ("sip", "default_expires"), f"{sip.default_expires} is less than sip.min_expires, {sip.min_expires}"
    if sip.max_expires < sip.default_expires:
        yield ("sip", "max_expires"), f"{sip.max_expires} is less than sip.default_expires, {sip.default_expires}"
    yield from _gateways(settings.gateways)
    if "@" not in settings.mail.sender:
        yield ("mail", "from"), f"{settings.mail.sender!r} is no mail address"
    if settings.media.relay != "none":
        yield ("media", "relay"), f"{settings.media.relay!r}: only 'none' is supported in this release"
    yield from _profile(settings.billing)
    scheme = urlsplit(settings.database.url).scheme
    if settings.database.url and scheme not in _DATABASES:
        # The address may hold a password: it is not repeated.
        yield ("database", "url"), "write postgresql://user:password@host/name"


def _profile(billing: Billing) -> Iterator[tuple[Location, str]]:
    names = sorted(file.stem for file in billing.profile_directory.glob("*.toml"))
    if billing.profile and billing.profile not in names:
        known = ", ".join(names) or "none"
        reason = f"no profile {billing.profile!r} in {billing.profile_directory} (there are: {known})"
        yield ("billing", "profile"), reason


def _gateways(gateways: list[Gateway]) -> Iterator[tuple[Location, str]]:
    names: set[str] = set()
    for index, gateway in enumerate(gateways):
        if gateway.name in names:
            yield ("gateways", index, "name"), f"there is a gateway {gateway.name!r} already"
        names.add(gateway.name)
        if not gateway.host:
            yield ("gateways", index, "host"), "the host is missing"
        for n, address in enumerate(gateway.addresses):
            host, colon, port = address.rpartition(":") if address.count(":") == 1 else (address, "", "")
            if not host or (colon and not (port.isdigit() and 1 <= int(port) <= 65535)):
                yield ("gateways", index, "addresses", n), f"{address!r} is not HOST or HOST:PORT"
