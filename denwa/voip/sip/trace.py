"""The last messages on the wire, for the ladder of a call (service rule O2). Bounded; secrets are masked when shown."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone
from typing import Final, NamedTuple

from denwa.voip.sip.peer import Peer, flow_text

LONGEST: Final = 4096  # bytes kept of a message
_TOKYO: Final = timezone(timedelta(hours=9), "JST")  # what a person reads (service.md)
_CALL_ID: Final = re.compile(rb"^(?:call-id|i)[ \t]*:[ \t]*(\S+)", re.IGNORECASE | re.MULTILINE)
_CREDENTIALS: Final = re.compile(rb"^(?:proxy-)?authorization[ \t]*:.*(?:\r?\n[ \t].*)*", re.IGNORECASE | re.MULTILINE)
_RESPONSE: Final = re.compile(rb'(response[ \t\r\n]*=[ \t\r\n]*)("[^"]*("|$)|[^,\s]+)', re.IGNORECASE)
_BASIC: Final = re.compile(rb"(:\s*basic\s+)\S+", re.IGNORECASE)
_PASSWORD: Final = re.compile(rb"(sips?:[^\s:@<>;]*:)[^\s@<>]*@", re.IGNORECASE)
_MEDIA_KEY: Final = re.compile(rb"(inline:)[^\s|]+")


class Traced(NamedTuple):
    """One message. Time: ms since 1970 UTC. `flow`: transport:address:port of the other side."""

    at: int
    incoming: bool
    local: str
    flow: str
    data: bytes  # masked; cut at LONGEST

    @property
    def start_line(self) -> str:
        return self.data.partition(b"\r\n")[0].decode("utf-8", "replace")


class Trace:
    """A ring of the last `limit` messages; with 0 nothing is kept, and `enabled` is False: do not call then."""

    def __init__(self, limit: int) -> None:
        self.enabled = limit > 0
        self._ring: deque[tuple[int, bool, str, Peer, bytes]] = deque(maxlen=limit)

    def received(self, now_ms: int, local: str, peer: Peer, data: bytes) -> None:
        self._ring.append((now_ms, True, local, peer, data if len(data) <= LONGEST else data[:LONGEST]))

    def sent(self, now_ms: int, local: str, messages: Iterable[tuple[Peer, bytes]]) -> None:
        self._ring.extend([(now_ms, False, local, peer, data[:LONGEST]) for peer, data in messages])

    def messages(self, *call_ids: bytes) -> list[Traced]:
        """The messages of a call, oldest first, secrets masked. A hidden call has two Call-IDs."""
        return [
            Traced(at, incoming, local, flow_text(peer), mask(data))
            for at, incoming, local, peer, data in list(self._ring)
            if any(call_id in data and _call_id(data) == call_id for call_id in call_ids)
        ]

    def ladder(self, *call_ids: bytes) -> str:
        """One line a message: time in Japan, seconds since the first, direction, other side, start line; "" if none."""
        messages = self.messages(*call_ids)
        lines = []
        for message in messages:
            moment = datetime.fromtimestamp(message.at / 1000, UTC).astimezone(_TOKYO)
            elapsed = (message.at - messages[0].at) / 1000
            arrow = "-->" if message.incoming else "<--"
            lines.append(
                f"{moment:%H:%M:%S}.{message.at % 1000:03d} {elapsed:+9.3f}  {message.flow:<28} {arrow}  "
                f"{_printable(message.start_line)}"
            )
        return "\n".join(lines)


def _call_id(data: bytes) -> bytes:
    found = _CALL_ID.search(data)
    return found[1] if found else b""


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else "\ufffd" for char in text)


def _without_telephone_keys(info: bytes) -> bytes:
    head, blank, body = info.partition(b"\r\n\r\n")
    return head + blank + b"***" if body and b"application/dtmf" in head.lower() else info


def mask(data: bytes) -> bytes:
    """`data` without digest responses, passwords in URIs, media keys, and keys of a telephone (they may be a PIN)."""
    if data.startswith(b"INFO "):
        data = _without_telephone_keys(data)
    data = _CREDENTIALS.sub(lambda line: _BASIC.sub(rb"\1***", _RESPONSE.sub(rb'\1"***"', line[0])), data)
    return _MEDIA_KEY.sub(rb"\1***", _PASSWORD.sub(rb"\1***@", data))
