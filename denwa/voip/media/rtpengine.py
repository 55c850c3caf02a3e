"""rtpengine as the media relay, spoken to by its `ng` protocol: a cookie, a blank and a bencoded dictionary over UDP.

It lives in a process of its own, so that calls keep their sound when this service is killed and comes back (decision
0020). It stands on this machine or beside it: the engine waits for its answers.
"""

from __future__ import annotations

import itertools
import logging
import socket
import time
from typing import Any, Final

from denwa.voip.media.relay import Crossing, Heard, RelayEnd, media_ends

log = logging.getLogger(__name__)
PATIENCE: Final = 0.25  # seconds that an answer may take
PAUSE: Final = 5.0  # seconds in which a relay that did not answer is left alone
_LARGEST: Final = 65_535
_MOST_CALLS: Final = 100_000
_CALLER, _CALLEE = "c", "d"


class NgFault(Exception):
    """Bytes that are no bencoding."""


def encode(value: object) -> bytes:
    """Bencoding of numbers, text, lists and dictionaries. Raises NgFault for anything else."""
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return b"%d:%b" % (len(value), value)
    if isinstance(value, list | tuple):
        return b"l" + b"".join(encode(one) for one in value) + b"e"
    if isinstance(value, dict):
        return b"d" + b"".join(encode(key) + encode(value[key]) for key in sorted(value)) + b"e"
    raise NgFault(f"cannot be bencoded: {type(value).__name__}")


def decode(data: bytes) -> Any:
    """The value of a whole bencoding; text stays bytes. Raises NgFault."""
    try:
        value, end = _decode(data, 0, 0)
    except (ValueError, IndexError, RecursionError) as fault:
        raise NgFault(str(fault)) from None
    if end != len(data):
        raise NgFault("more behind the end")
    return value


def _decode(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    if depth > 50:
        raise NgFault("nested too deeply")
    kind = data[at : at + 1]
    if kind == b"i":
        end = data.index(b"e", at)
        return int(data[at + 1 : end]), end + 1
    if kind == b"l" or kind == b"d":
        items: list[Any] = []
        at += 1
        while data[at : at + 1] != b"e":
            item, at = _decode(data, at, depth + 1)
            items.append(item)
        if kind == b"l":
            return items, at + 1
        if len(items) % 2 or not all(isinstance(key, bytes) for key in items[::2]):
            raise NgFault("a dictionary without keys")
        return dict(zip(items[::2], items[1::2], strict=True)), at + 1
    colon = data.index(b":", at)
    end = colon + 1 + int(data[at:colon])
    if not data[at:colon].isdigit() or end > len(data):
        raise NgFault("a text that is cut off")
    return data[colon + 1 : end], end


class RtpEngine:
    """A MediaRelay at `address`. `owner` tells this service's sessions from others' on the same rtpengine."""

    def __init__(self, address: tuple[str, int], owner: str) -> None:
        self._socket = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect(address)
        self._socket.settimeout(PATIENCE)
        self._prefix = f"{owner}/"
        self._cookies = (f"{owner}_{n}".encode() for n in itertools.count(time.time_ns()))
        self._sessions: set[str] = set()
        self._ill_until = 0.0

    def close(self) -> None:
        """Sessions of calls that are up stay at the relay."""
        self._socket.close()

    @property
    def sessions(self) -> int:
        return len(self._sessions)

    def kept(self) -> frozenset[str]:
        answer = self._ask({"command": "list", "limit": _MOST_CALLS})
        prefix = self._prefix.encode()
        ours = [call for call in answer.get(b"calls", ()) if isinstance(call, bytes) and call.startswith(prefix)]
        self._sessions = {call[len(prefix) :].decode("ascii", "replace") for call in ours}
        return frozenset(self._sessions)

    def cross(self, crossing: Crossing) -> tuple[RelayEnd | None, ...] | None:
        offered_by_caller = crossing.from_caller is not crossing.answers
        offerer, other = (_CALLER, _CALLEE) if offered_by_caller else (_CALLEE, _CALLER)
        wish: dict[str, Any] = {
            "command": "answer" if crossing.answers else "offer",
            "call-id": self._prefix + crossing.session,
            "from-tag": offerer,
            "sdp": crossing.sdp,
            "ICE": "remove",
            "flags": [],
        }
        if crossing.answers or crossing.session in self._sessions:
            wish["to-tag"] = other
        stranger = next((stream for stream in crossing.streams if stream is not None and not stream.known), None)
        if stranger is not None:
            wish["flags"] = ["SIP-source-address"]
            wish["received-from"] = ["IP6" if ":" in stranger.host else "IP4", stranger.host]
        answer = self._ask(wish)
        sdp = answer.get(b"sdp")
        ends = media_ends(sdp) if isinstance(sdp, bytes) else ()
        if answer.get(b"result") != b"ok" or len(ends) != len(crossing.streams):
            return None
        self._sessions.add(crossing.session)
        return tuple(
            RelayEnd(*end) if stream is not None else None for end, stream in zip(ends, crossing.streams, strict=True)
        )

    def heard(self, session: str) -> Heard | None:
        answer = self._ask({"command": "query", "call-id": self._prefix + session})
        tags = answer.get(b"tags")
        if answer.get(b"result") != b"ok" or not isinstance(tags, dict):
            return None
        caller, callee = (_packets(tags.get(tag.encode())) for tag in (_CALLER, _CALLEE))
        last = max(caller[1], callee[1])
        return Heard(caller[0], callee[0], max(time.time() - last, 0.0) if last else 0.0)

    def release(self, session: str) -> None:
        self._sessions.discard(session)
        self._ask({"command": "delete", "call-id": self._prefix + session, "delete-delay": 0})

    def _ask(self, wish: dict[str, Any]) -> dict[bytes, Any]:
        """One command and its answer; {} when none comes in time."""
        if time.monotonic() < self._ill_until:
            return {}
        cookie = next(self._cookies)
        until = time.monotonic() + PATIENCE
        try:
            self._socket.send(cookie + b" " + encode(wish))
            while time.monotonic() < until:
                came, _, body = self._socket.recv(_LARGEST).partition(b" ")
                if came != cookie:
                    continue  # the answer to an earlier command, too late
                answer = decode(body)
                if not isinstance(answer, dict):
                    raise NgFault("no dictionary")
                if answer.get(b"result") == b"error":
                    log.error("rtpengine: %s: %s", wish["command"], answer.get(b"error-reason", b"?").decode())
                return answer
        except (OSError, NgFault) as fault:
            log.error("rtpengine: %s: %s", wish["command"], fault or "no answer")
        self._ill_until = time.monotonic() + PAUSE
        return {}


def _packets(side: object) -> tuple[int, int]:
    """Packets that came from one side, and when the last one came (Unix time, 0: never)."""
    count = last = 0
    for media in side.get(b"medias", ()) if isinstance(side, dict) else ():
        for stream in media.get(b"streams", ()):
            if b"RTCP" in stream.get(b"flags", ()) and b"RTP" not in stream.get(b"flags", ()):
                continue
            packets = stream.get(b"stats", {}).get(b"packets", 0)
            count += packets
            if packets:
                last = max(last, stream.get(b"last packet", 0))
    return count, last
