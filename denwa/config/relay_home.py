"""Where the embedded media relay listens, read off where SIP does."""

from __future__ import annotations

from ipaddress import ip_address
from typing import NamedTuple

from denwa.config.settings import Settings

ANY = "0.0.0.0"


class RelayHome(NamedTuple):
    """`bind`: an IPv4 address of this machine, "" when SIP has none. `address`: by which both sides reach it, "":
    the one by which each reaches SIP."""

    bind: str
    address: str


def relay_home(settings: Settings) -> RelayHome:
    """The relay speaks IPv4 only, and at one address or at all of them. What is on loopback stays there."""
    media = settings.media
    if media.bind:
        return RelayHome(media.bind, media.address)
    homes = {one.bind: one.host or one.bind for one in settings.sip.listeners if _is_ipv4(one.bind)}
    if not homes:
        return RelayHome("", media.address)
    first = next(iter(homes))
    if len(homes) == 1:
        return RelayHome(ANY if first in ("::", "") else first, media.address)
    if all(_is_loopback(bind) for bind in homes):
        return RelayHome(first, media.address or homes[first])
    return RelayHome(ANY, media.address)


def _is_ipv4(bind: str) -> bool:
    """A wildcard is; a name is taken for one."""
    return bind in ("::", "") or ":" not in bind


def _is_loopback(bind: str) -> bool:
    try:
        return ip_address(bind).is_loopback
    except ValueError:
        return bind == "localhost"
