"""Joins the media relay that the settings name to the engine."""

from __future__ import annotations

import logging
from contextlib import AsyncExitStack

from denwa.config.relay_home import relay_home
from denwa.config.settings import ConfigurationError, Settings
from denwa.voip.engine import SipEngine
from denwa.voip.media.relay import MediaRelay, When
from denwa.voip.media.relaying import Relaying
from denwa.voip.media.rtpengine import RtpEngine
from denwa.voip.media.rtpio import RelayFault, RelayMissing, RtpIo

log = logging.getLogger(__name__)
WITHOUT = "phones behind NATs may not hear each other, and 184 does not hide addresses"


def attach_relay(settings: Settings, engine: SipEngine, closing: AsyncExitStack) -> None:
    """Give the engine its relay, before it takes up what the journal kept. Raises ConfigurationError.

    Where nobody named a relay, and this machine cannot have the usual one, the service goes without and says so.
    """
    media = settings.media
    if media.relay == "none" or media.when == "never":
        if not settings.demo:
            log.warning("no media relay: %s", WITHOUT)
        return
    home = relay_home(settings)
    try:
        relay = _open(settings, home.bind, closing)
    except RelayMissing as fault:
        if media.relay_named:
            raise ConfigurationError(f"media.relay: {fault}") from None
        log.warning("no media relay: %s (%s)", WITHOUT, fault)
        return
    except (RelayFault, OSError) as fault:
        raise ConfigurationError(f"media.relay: {fault}") from None
    engine.ctx.relaying = Relaying(engine.ctx, relay, When(media.when), media.silence, home.address)


def _open(settings: Settings, bind: str, closing: AsyncExitStack) -> MediaRelay:
    media = settings.media
    if media.relay == "rtp.io":
        if not bind:
            raise RelayMissing("rtp.io speaks IPv4 only, and SIP listens on IPv6: set media.bind")
        embedded = RtpIo(bind, media.port_min, media.port_max)
        closing.callback(embedded.close)
        return embedded
    host, _, port = media.rtpengine.rpartition(":")
    node = f"denwa-{settings.sip.host or settings.sip.bind}-{settings.sip.port}"
    beside = RtpEngine((host.strip("[]"), int(port)), node)
    closing.callback(beside.close)
    return beside
