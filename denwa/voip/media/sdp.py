"""SDP as the lines that were received (RFC 8866): what decides about codecs is read, what must change is edited.

Nothing is re-serialised: directions, addresses, ports, keys and candidates go on byte for byte.
"""

from __future__ import annotations

from typing import Final, NamedTuple

# Of an attribute line its first octets tell whether it is one of those that decide: rtpmap, fmtp, mid, bundle-only.
_DECIDING: Final = frozenset((b"a=rtpm", b"a=fmtp", b"a=mid:", b"a=bund"))
# Payload types that RFC 3551 §6 assigns for good; they need no rtpmap.
STATIC: Final[dict[bytes, bytes]] = {
    b"0": b"pcmu/8000",
    b"3": b"gsm/8000",
    b"4": b"g723/8000",
    b"5": b"dvi4/8000",
    b"6": b"dvi4/16000",
    b"7": b"lpc/8000",
    b"8": b"pcma/8000",
    b"9": b"g722/8000",
    b"10": b"l16/44100/2",
    b"11": b"l16/44100",
    b"12": b"qcelp/8000",
    b"13": b"cn/8000",
    b"14": b"mpa/90000",
    b"15": b"g728/8000",
    b"16": b"dvi4/11025",
    b"17": b"dvi4/22050",
    b"18": b"g729/8000",
    b"25": b"celb/90000",
    b"26": b"jpeg/90000",
    b"28": b"nv/90000",
    b"31": b"h261/90000",
    b"32": b"mpv/90000",
    b"33": b"mp2t/90000",
    b"34": b"h263/90000",
}


class SdpFault(Exception):
    """A media line that cannot be read."""


class Stream(NamedTuple):
    """One media description. `active`: it has a port, or shares one (`a=bundle-only`, RFC 9143 §6)."""

    media: bytes  # lower case: audio, video, image …
    active: bool
    protocol: bytes
    formats: tuple[bytes, ...]
    encodings: dict[bytes, bytes]  # payload type -> encoding/rate[/channels] of its rtpmap, lower case
    parameters: dict[bytes, bytes]  # payload type -> its fmtp, lower case
    mid: bytes

    def encoding(self, payload: bytes) -> bytes:
        """What a payload type is, `pcmu/8000`; "" when that is said nowhere.

        An rtpmap that gives a static type another meaning is not believed: phones differ in whom they believe.
        """
        mapped = self.encodings.get(payload, b"")
        static = STATIC.get(payload)
        return static if static is not None else mapped


class Change(NamedTuple):
    """What becomes of one stream. An empty field: that stays as it is."""

    refused: bool = False  # port 0 (RFC 3264 §6)
    formats: tuple[bytes, ...] = ()
    gone: frozenset[bytes] = frozenset()  # payload types whose attributes go, too
    slow_ilbc: bytes = b""  # payload type of iLBC that is told 30 ms


Essence = tuple[bytes, ...]


def essence(body: bytes) -> Essence:
    """The lines that decide about codecs, in order. Two calls of the same phone have the same: of a port only remains
    whether there is one."""
    found = []
    for line in body.split(b"\n"):
        start = line[:6]
        if start in _DECIDING:
            found.append(line)
        elif start[:2] == b"m=":
            words = line.split(None, 2)
            if len(words) == 3:
                port = words[1] if words[1].isdigit() else _port(words[1])
                line = b"%b %d %b" % (words[0], port.strip(b"0") != b"", words[2]) if port else words[0]
            found.append(line)
    return tuple(found)


def _port(text: bytes) -> bytes:
    """The first port of `49170/2`; b"" when that is none."""
    port, _, count = text.partition(b"/")
    return port if port.isdigit() and count.isdigit() else b""


def streams_of(lines: Essence) -> list[Stream]:
    """The streams that `essence` tells of. Raises SdpFault."""
    streams: list[Stream] = []
    for raw in lines:
        line = raw.rstrip(b"\r")
        if line[:2] == b"m=":
            words = line[2:].split()
            if len(words) < 4 or words[1] not in (b"0", b"1"):
                raise SdpFault("a media line that cannot be read")
            stream = Stream(words[0].lower(), words[1] == b"1", words[2].lower(), tuple(words[3:]), {}, {}, b"")
            streams.append(stream)
        elif streams:
            streams[-1] = _with_attribute(streams[-1], line[2:])
    return streams


def _with_attribute(stream: Stream, attribute: bytes) -> Stream:
    name, _, value = attribute.partition(b":")
    payload, _, rest = value.strip().partition(b" ")
    if name == b"rtpmap":
        stream.encodings.setdefault(payload, rest.strip().lower())
    elif name == b"fmtp":
        stream.parameters.setdefault(payload, rest.strip().lower())
    elif name == b"mid":
        return stream._replace(mid=value.strip())
    elif attribute.strip() == b"bundle-only":
        return stream._replace(active=True)
    return stream


def edit(body: bytes, changes: tuple[Change | None, ...], refused_mids: frozenset[bytes]) -> bytes:
    """The body with `changes` made, one for each of its streams; every other line as it was."""
    out: list[bytes] = []
    at, change = -1, None
    for line in body.split(b"\n"):
        if line[:2] == b"m=":
            at += 1
            change = changes[at]
            out.append(_media_line(line, change) if change else line)
        elif at < 0:
            kept = _group(line, refused_mids) if refused_mids and line.startswith(b"a=group:") else line
            if kept:
                out.append(kept)
        elif change is None or line[:2] != b"a=":
            out.append(line)
        else:
            kept = _attribute(line, change)
            if kept:
                out.append(kept)
    return b"\n".join(out)


def _end(line: bytes) -> bytes:
    return b"\r" if line.endswith(b"\r") else b""


def _media_line(line: bytes, change: Change) -> bytes:
    media, port, protocol, *formats = line.split()
    if change.refused:
        port = b"0"
    return b" ".join((media, port, protocol, *(change.formats or formats))) + _end(line)


def _attribute(line: bytes, change: Change) -> bytes:
    """The line as it stays; b"" when it goes."""
    if change.refused:
        return b"" if line.rstrip() == b"a=bundle-only" else line
    name, _, value = line.partition(b":")
    if name not in (b"a=rtpmap", b"a=fmtp", b"a=rtcp-fb"):
        return line
    payload = value.strip().partition(b" ")[0]
    if payload in change.gone:
        return b""
    if name == b"a=fmtp" and payload == change.slow_ilbc:
        return b"a=fmtp:" + payload + b" mode=30" + _end(line)
    return line


def _group(line: bytes, refused: frozenset[bytes]) -> bytes:
    """A grouping (RFC 5888) without refused streams; b"" when no stream is left in it."""
    semantics, *mids = line.split()
    left = [mid for mid in mids if mid not in refused]
    return b" ".join((semantics, *left)) + _end(line) if left else b""
