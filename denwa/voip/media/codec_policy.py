"""Which codecs a call may use, and in what order (C3): SDP lines in, what to change or why to refuse out. Pure."""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple

from denwa.voip.media.sdp import Change, Essence, SdpFault, Stream, streams_of


class CodecOrder(StrEnum):
    """The subscriber's setting `codecs`."""

    PHONE = "phone"  # as the phone offers
    MOBILE = "mobile"  # narrow codecs first
    WIFI = "wifi"  # good sound first


class Role(StrEnum):
    OFFER = "offer"
    ANSWER = "answer"


# The five codecs of the service by their names in SDP, with how soon they stand in each order (0 first; equal: as the
# phone has them). Of G.711 only the μ-law: the service's own list names no other. G.722's clock is written as 8000
# (RFC 3551 §4.5.2), by some as what it is.
_RANKS: Final[dict[bytes, tuple[int, int]]] = {  # mobile, wifi
    b"ilbc/8000": (0, 2),
    b"gsm/8000": (1, 2),
    b"speex/8000": (2, 2),
    b"pcmu/8000": (3, 1),
    b"g722/8000": (3, 0),
    b"g722/16000": (3, 0),
}
_COLUMN: Final = {CodecOrder.MOBILE: 0, CodecOrder.WIFI: 1}
_BESIDE: Final = frozenset((b"telephone-event", b"cn"))  # stand beside a codec, alone they are none
_LAST: Final = 9
_MODE: Final = re.compile(rb"(?:^|[;\s])mode\s*=\s*(\d+)")
NO_FAX: Final = "no fax (T.38, image media) here"
NO_AUDIO: Final = "this service carries sound only"
NO_CODEC: Final = "no codec of this service (Speex 8 kHz, iLBC, GSM, G.711 u-law, G.722)"


class Plan(NamedTuple):
    """What becomes of one SDP.

    `refusal`: why an offer in a request gets 488, "" when it does not; `playable`: false when an offer had streams and
    has none left; `changes`: one for each stream, empty when all stays as it is; `ilbc_modes`: 20 or 30 for each stream
    that speaks iLBC (RFC 3952 §5), 0 for the others.
    """

    refusal: str
    playable: bool
    changes: tuple[Change | None, ...]
    refused_mids: frozenset[bytes]
    ilbc_modes: tuple[int, ...]


@lru_cache(maxsize=2048)
def plan(lines: Essence, order: CodecOrder, role: Role, offered_modes: tuple[int, ...] = ()) -> Plan:
    """Decide about an SDP with these deciding lines. `offered_modes`: what an answer answers.

    An unreadable offer is refused, an unreadable answer left alone.
    """
    try:
        streams = streams_of(lines)
    except SdpFault as fault:
        return Plan(str(fault) if role is Role.OFFER else "", role is not Role.OFFER, (), frozenset(), ())
    changes = tuple(
        _change(stream, order, role, offered_modes[i] if i < len(offered_modes) else 0)
        for i, stream in enumerate(streams)
    )
    active = [(stream, change) for stream, change in zip(streams, changes, strict=True) if stream.active]
    playable = not active or any(change is None or not change.refused for _, change in active)
    refused = frozenset(
        stream.mid for stream, change in zip(streams, changes, strict=True) if change and change.refused and stream.mid
    )
    refusal = ""
    if role is Role.OFFER:
        if any(_is_fax(stream) for stream, _ in active):
            refusal = NO_FAX  # N8
        elif not playable:
            refusal = NO_CODEC if any(stream.media == b"audio" for stream, _ in active) else NO_AUDIO
    modes = tuple(_ilbc_mode(stream) if stream.active else 0 for stream in streams)
    return Plan(refusal, playable, changes if any(changes) else (), refused, modes)


def _is_fax(stream: Stream) -> bool:
    return stream.media == b"image" or b"udptl" in stream.protocol


def _change(stream: Stream, order: CodecOrder, role: Role, offered_mode: int) -> Change | None:
    if not stream.active:
        return None
    if stream.media != b"audio" or b"rtp/" not in stream.protocol:
        return Change(refused=True)
    encodings = {payload: _bare(stream.encoding(payload)) for payload in stream.formats}
    kept = [payload for payload in stream.formats if _may_stand(encodings[payload], role)]
    if all(encodings[payload].partition(b"/")[0] in _BESIDE for payload in kept):
        # An answer outside of its offer: the phones must settle that, a stream that one of them has open stays.
        return Change(refused=True) if role is Role.OFFER else None
    column = _COLUMN.get(order)
    if column is not None and all(encodings[payload] for payload in kept):
        kept.sort(key=lambda payload: _RANKS.get(encodings[payload], (_LAST, _LAST))[column])
    slow = b""
    if role is Role.ANSWER and offered_mode == 30 and _ilbc_mode(stream) == 20:
        slow = next(payload for payload in kept if encodings[payload] == b"ilbc/8000")
    formats = tuple(kept)
    if formats == stream.formats and not slow:
        return None
    return Change(formats=formats, gone=frozenset(stream.formats).difference(kept), slow_ilbc=slow)


def _may_stand(encoding: bytes, role: Role) -> bool:
    if not encoding:  # a dynamic type without rtpmap; in an answer the offer's own, which was filtered
        return role is Role.ANSWER
    return encoding in _RANKS or encoding.partition(b"/")[0] in _BESIDE


def _bare(encoding: bytes) -> bytes:
    """Without a channel count of one, which is what is meant when there is none (RFC 8866 §6.6)."""
    return encoding[:-2] if encoding.count(b"/") == 2 and encoding.endswith(b"/1") else encoding


def _ilbc_mode(stream: Stream) -> int:
    """The frame length in ms at which a stream speaks iLBC, 30 when it does not say (RFC 3952 §5); 0: no iLBC, or
    both."""
    found = set()
    for payload in stream.formats:
        if _bare(stream.encoding(payload)) == b"ilbc/8000":
            mode = _MODE.search(stream.parameters.get(payload, b""))
            found.add(20 if mode and mode[1] == b"20" else 30)
    return found.pop() if len(found) == 1 else 0
