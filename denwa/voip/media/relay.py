"""The media relay as the calls see it: who needs it, what it is told, and what an SDP looks like behind it. Pure.

A relay gives each stream of a call a port for either side. Who needs one: a phone behind a NAT, a caller that hides
(N7), a gateway whose operator wants it, sides that cannot reach each other (R4).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple, Protocol

MAX_STREAMS: Final = 8
NOWHERE: Final = frozenset(("0.0.0.0", "::", ""))  # RFC 3264 §8.4: a stream on hold, as RFC 2543 had it
_ICE: Final = (b"a=candidate:", b"a=ice-", b"a=remote-candidates:", b"a=end-of-candidates")


class When(StrEnum):
    """The operator's choice (`media.when`)."""

    AUTO = "auto"  # where a side needs it
    ALWAYS = "always"
    NEVER = "never"


class MediaEnd(NamedTuple):
    """Where one stream of an SDP wants its packets. `port` 0: the stream is not used."""

    host: str
    port: int


class StreamEnd(NamedTuple):
    """The same as the relay is told. `known`: packets come from that host and go to that port; else a NAT stands
    between, and the first packets that come tell the port (RFC 4961 is all that is asked of the phone)."""

    host: str
    port: int
    known: bool


class Crossing(NamedTuple):
    """An SDP on its way through the relay, sent by the caller or the callee. `answers`: it answers an offer.

    `streams`: one for each media line, None where the stream is not used.
    """

    session: str
    from_caller: bool
    answers: bool
    streams: tuple[StreamEnd | None, ...]
    sdp: bytes


class RelayEnd(NamedTuple):
    """Where the other side sends its packets: a port of the relay. `host` "": an address of this service."""

    host: str
    port: int


class Heard(NamedTuple):
    """Packets that have come from each side, and the seconds since the last one of either."""

    caller: int
    callee: int
    silent: float


class MediaRelay(Protocol):
    """A relay. Every call returns at once, or within a quarter of a second when the relay is ill."""

    def cross(self, crossing: Crossing) -> tuple[RelayEnd | None, ...] | None:
        """The ports for the other side, one for each stream in use; None: the relay has none to give."""
        ...

    def heard(self, session: str) -> Heard | None:
        """None: the relay does not know this session, or does not answer."""
        ...

    def release(self, session: str) -> None:
        """Give all ports of a session back. Unknown sessions are ignored."""
        ...

    def kept(self) -> frozenset[str]:
        """The sessions of this service that the relay still holds from before a restart."""
        ...

    @property
    def sessions(self) -> int:
        """How many sessions hold ports now."""
        ...


class RelayedMedia:
    """What is kept of one call's session at the relay. Packets as counted at the last look."""

    __slots__ = ("callee", "callee_heard_at", "caller", "caller_heard_at", "due", "session")

    def __init__(self, session: str, due: float) -> None:
        self.session = session
        self.due = due  # when to look at it next, engine time
        self.caller = self.callee = 0
        self.caller_heard_at = self.callee_heard_at = 0.0  # engine time, 0.0: never, or asked about already


def media_ends(sdp: bytes) -> tuple[MediaEnd, ...]:
    """Where each stream of an SDP wants its packets (RFC 8866 §5.7, §5.14); () when it cannot be read."""
    ends: list[MediaEnd] = []
    session = ""
    for line in sdp.split(b"\n"):
        start = line[:2]
        if start == b"c=":
            host = _host(line)
            if ends:
                ends[-1] = MediaEnd(host, ends[-1].port)
            else:
                session = host
        elif start == b"m=":
            words = line.split(None, 3)
            port = words[1].partition(b"/")[0] if len(words) == 4 else b""
            if not port.isdigit() or int(port) > 65535 or len(ends) == MAX_STREAMS:
                return ()
            ends.append(MediaEnd(session, int(port)))
    return tuple(ends)


def _host(connection: bytes) -> str:
    words = connection[2:].split()
    return words[2].partition(b"/")[0].decode("ascii", "replace") if len(words) == 3 else ""


def through(sdp: bytes, ends: tuple[RelayEnd | None, ...], host: str) -> bytes:
    """The SDP as the other side gets it: every address is `host` (or that of the relay's end), every port in use the
    relay's; ICE is gone, because its checks would lead past the relay. All other lines stay: directions, keys, codecs.

    A stream on hold by address (0.0.0.0) stays on hold.
    """
    first = next((end.host for end in ends if end is not None and end.host), "") or host
    address = _address(first)
    out: list[bytes] = []
    at = -1
    end: RelayEnd | None = None
    for line in sdp.split(b"\n"):
        start = line[:2]
        if start == b"m=":
            at += 1
            end = ends[at] if at < len(ends) else None
            address = _address((end.host if end is not None else "") or first)
            out.append(_media_line(line, end))
        elif start == b"c=":
            out.append(line if _host(line) in NOWHERE else b"c=" + address + _eol(line))
        elif start == b"o=":
            out.append(_origin(line, address))
        elif line.startswith(b"a=rtcp:"):
            if end is not None:
                out.append(b"a=rtcp:%d " % (end.port + 1) + address + _eol(line))
        elif not line.startswith(_ICE):
            out.append(line)
    return b"\n".join(out)


def _address(host: str) -> bytes:
    return (b"IN IP6 " if ":" in host else b"IN IP4 ") + host.encode()


def _eol(line: bytes) -> bytes:
    return b"\r" if line.endswith(b"\r") else b""


def _media_line(line: bytes, end: RelayEnd | None) -> bytes:
    words = line.split(None, 2)
    if end is None or len(words) != 3:
        return line
    return b"%b %d %b" % (words[0], end.port, words[2])


def _origin(line: bytes, address: bytes) -> bytes:
    words = line.split()
    return b" ".join((*words[:3], address)) + _eol(line) if len(words) == 6 else line


def is_local(host: str) -> bool:
    """A host that only this machine reaches."""
    return host.startswith("127.") or host in ("::1", "localhost")


def strays(ends: tuple[MediaEnd, ...], source: str) -> bool:
    """Whether an SDP names another host than the one its message came from: a NAT stands between (R4)."""
    return any(end.port and end.host not in NOWHERE and end.host != source for end in ends)


def cannot_meet(one: str, other: str) -> bool:
    """Whether two hosts cannot send each other packets because one of them is only reached inside this machine."""
    return is_local(one) != is_local(other)


def stream_ends(ends: tuple[MediaEnd, ...], source: str, *, trusted: bool) -> tuple[StreamEnd | None, ...]:
    """What the relay is told of a side that signals from `source`. `trusted`: a gateway, whose SDP is believed."""
    return tuple(_stream_end(end, source, trusted) if end.port else None for end in ends)


def _stream_end(end: MediaEnd, source: str, trusted: bool) -> StreamEnd:
    if end.host in NOWHERE:
        return StreamEnd(source, end.port, False)
    if trusted or end.host == source:
        return StreamEnd(end.host, end.port, True)
    return StreamEnd(source, end.port, False)
