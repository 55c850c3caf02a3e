"""Setting pjsua2 up: SIP on loopback, RTP on the media address, the service's five codecs (C3), no sound device."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pjsua2 as pj

# Bandwidth order (C3). What is not listed is switched off, so an offer without any of these is answered 488.
CODECS = ("speex/8000", "iLBC/8000", "GSM/8000", "PCMU/8000", "G722/16000")
SIP_ADDRESS = "127.0.0.1"
PACKET_MS = 20


@dataclass(frozen=True, slots=True)
class Options:
    """What the service gives a worker on its command line."""

    spool: Path
    greeting: Path
    tone: Path
    saved: Path  # said when a message is kept
    max_seconds: int
    silence_seconds: float
    clock_rate: int  # of recordings: 8000 or 16000
    media_address: str
    rtp_first: int
    rtp_last: int


def open_endpoint(clock_rate: int) -> pj.Endpoint:
    """The library without threads of its own that call back: everything happens in `libHandleEvents`."""
    endpoint = pj.Endpoint()
    endpoint.libCreate()
    config = pj.EpConfig()
    config.logConfig.level = config.logConfig.consoleLevel = 0
    config.uaConfig.threadCnt = 0
    config.uaConfig.mainThreadOnly = True
    config.uaConfig.userAgent = "Denwa voicemail"
    media = config.medConfig
    media.noVad = True  # sound flows all the time, so a NAT stays open
    media.clockRate = media.sndClockRate = clock_rate
    media.audioFramePtime = media.ptime = PACKET_MS
    media.ecTailLen = 0
    endpoint.libInit(config)
    endpoint.audDevManager().setNullDev()
    for codec in endpoint.codecEnum2():
        endpoint.codecSetPriority(codec.codecId, 0)
    for place, codec_id in enumerate(CODECS):
        endpoint.codecSetPriority(codec_id, 250 - 10 * place)
    return endpoint


def open_transport(endpoint: pj.Endpoint) -> tuple[int, int]:
    """A free UDP port on loopback: (transport id, port)."""
    config = pj.TransportConfig()
    config.port = 0
    config.boundAddress = SIP_ADDRESS
    transport = endpoint.transportCreate(pj.PJSIP_TRANSPORT_UDP, config)
    port = int(endpoint.transportGetInfo(transport).localName.rpartition(":")[2])
    return transport, port


def account_config(transport: int, options: Options) -> pj.AccountConfig:
    config = pj.AccountConfig()
    config.idUri = f"sip:voicemail@{SIP_ADDRESS}"
    config.sipConfig.transportId = transport
    config.callConfig.timerUse = pj.PJSUA_SIP_TIMER_OPTIONAL
    sound = config.mediaConfig.transportConfig
    sound.boundAddress = options.media_address
    sound.port = options.rtp_first
    sound.portRange = options.rtp_last - options.rtp_first
    return config
