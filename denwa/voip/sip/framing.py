"""Messages out of a byte stream (RFC 3261 §18.3, §7.5; keep-alive of RFC 5626 §4.4.1). Sans-IO.

However the stream is cut into pieces, the same messages come out.
"""

from __future__ import annotations

from typing import Final

MAX_HEAD: Final = 65_536
MAX_BODY: Final = 65_536
_BLANK: Final = b"\r\n\r\n"


class KeepAlive:
    """A ping between messages; the answer is `PONG`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "PING"


PING: Final = KeepAlive()
PONG: Final = b"\r\n"


class FramingFault(Exception):
    """Where the next message begins can no longer be known: close the connection.

    `before`: what came whole before the fault. `message`: the head of the faulty message, from which a 400 may be
    made, or b"".
    """

    def __init__(self, reason: str, message: bytes = b"") -> None:
        super().__init__(reason)
        self.message = message
        self.before: list[bytes | KeepAlive] = []


class StreamFramer:
    """One connection's received bytes. After a FramingFault it is not to be used any more."""

    __slots__ = ("_buffer", "_length", "_max_body", "_max_head", "_scanned")

    def __init__(self, max_head: int = MAX_HEAD, max_body: int = MAX_BODY) -> None:
        self._max_head = max_head
        self._max_body = max_body
        self._buffer = bytearray()
        self._scanned = 0  # where the search for the empty line goes on
        self._length = 0  # of the message at the start of the buffer, 0 while its head is not whole

    @property
    def pending(self) -> int:
        """Bytes of a message that is not whole yet."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[bytes | KeepAlive]:
        """Take bytes; what became whole, in order. Raises FramingFault."""
        buffer = self._buffer
        buffer += data
        whole: list[bytes | KeepAlive] = []
        try:
            while buffer:
                if not self._length:
                    if buffer[0] == 0x0D:
                        if not self._between_messages(whole):
                            break
                        continue
                    if not self._read_head():
                        break
                if len(buffer) < self._length:
                    break
                whole.append(bytes(buffer[: self._length]))
                self._drop(self._length)
        except FramingFault as fault:
            fault.before = whole
            raise
        return whole

    def _between_messages(self, whole: list[bytes | KeepAlive]) -> bool:
        """Take a CRLF away (a pong, or one before a message) or two (a ping). False: too little to tell."""
        buffer = self._buffer
        if buffer.startswith(_BLANK):
            whole.append(PING)
            self._drop(4)
            return True
        if _BLANK.startswith(buffer):
            return False
        if not buffer.startswith(b"\r\n"):
            raise FramingFault("CR without LF between messages")
        self._drop(2)
        return True

    def _drop(self, count: int) -> None:
        del self._buffer[:count]
        self._scanned = self._length = 0

    def _read_head(self) -> bool:
        buffer = self._buffer
        end = buffer.find(_BLANK, self._scanned)
        if end > self._max_head or (end < 0 and len(buffer) > self._max_head + 3):
            raise FramingFault("head too long")
        if end < 0:
            self._scanned = max(0, len(buffer) - 3)
            return False
        head = bytes(buffer[:end])
        self._length = end + 4 + self._body_length(head)
        return True

    def _body_length(self, head: bytes) -> int:
        found: list[bytes] = []
        continued = False
        for line in head.split(b"\r\n")[1:]:
            if line[:1] in (b" ", b"\t"):
                if continued:
                    found[-1] += line  # RFC 3261 §7.3.1
                continue
            continued = False
            if line[:1] in (b"C", b"c", b"L", b"l"):
                name, _, value = line.partition(b":")
                if name.rstrip(b" \t").lower() in (b"content-length", b"l"):
                    found.append(value)
                    continued = True
        values = {value.strip() for value in found}
        if len(values) != 1:
            raise FramingFault("Content-Length differs" if values else "no Content-Length", head + _BLANK)
        value = values.pop()
        if not value.isdigit() or len(value) > 9:
            raise FramingFault("Content-Length is no number", head + _BLANK)
        length = int(value)
        if length > self._max_body:
            raise FramingFault("body too long", head + _BLANK)
        return length
