"""Joins the media relay that the settings name to the engine."""

from __future__ import annotations

import logging
from contextlib import AsyncExitStack

from denwa.config.settings import ConfigurationError, Settings
from denwa.voip.engine import SipEngine
from denwa.voip.media.relay import MediaRelay, When
from denwa.voip.media.relaying import Relaying
from denwa.voip.media.rtpengine import RtpEngine
from denwa.voip.media.rtpio import RelayFault, RtpIo

log = logging.getLogger(__name__)


def attach_relay(settings: Settings, engine: SipEngine, closing: AsyncExitStack) -> None:
    """Give the engine its relay, before it takes up what the journal kept. Raises ConfigurationError."""
    media = settings.media
    if media.relay == "none" or media.when == "never":
        if not settings.demo:
            log.warning("no media relay: phones behind NATs may not hear each other, and 184 does not hide addresses")
        return
    relay = _open(settings, closing)
    engine.ctx.relaying = Relaying(engine.ctx, relay, When(media.when), media.silence, media.address)


def _open(settings: Settings, closing: AsyncExitStack) -> MediaRelay:
    media = settings.media
    try:
        if media.relay == "rtp.io":
            embedded = RtpIo(media.bind or settings.sip.bind, media.port_min, media.port_max)
            closing.callback(embedded.close)
            return embedded
        host, _, port = media.rtpengine.rpartition(":")
        node = f"denwa-{settings.sip.host or settings.sip.bind}-{settings.sip.port}"
        beside = RtpEngine((host.strip("[]"), int(port)), node)
        closing.callback(beside.close)
        return beside
    except (RelayFault, OSError) as fault:
        raise ConfigurationError(f"media.relay: {fault}") from None
