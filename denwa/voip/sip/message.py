"""A SIP message as the list of its header lines, as received (RFC 3261 §7).

Nothing is re-serialised: what the service does not change goes on byte for byte. Header names cost one dict lookup
a line, in any case and in compact form (§7.3.3); values are parsed only where they are needed. This is the careful
reading; most messages are read by a pattern learned from one like them (`ordinary`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from denwa.voip.sip.authorization import Credentials
from denwa.voip.sip.fields import TOKEN

MAX_HEAD: Final = 65_535
MAX_LINES: Final = 500

# Header kinds. Those up to LAST_SINGLE may stand once in a message (RFC 3261 table 2).
(
    OTHER,
    CALL_ID,
    FROM,
    TO,
    CSEQ,
    MAX_FORWARDS,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    EXPIRES,
    SESSION_EXPIRES,
    MIN_SE,
    LAST_SINGLE,
    VIA,
    ROUTE,
    RECORD_ROUTE,
    CONTACT,
    AUTHORIZATION,
    PROXY_AUTHORIZATION,
    SUPPORTED,
    REQUIRE,
    PROXY_REQUIRE,
    PRIVACY,
    P_ASSERTED_IDENTITY,
    P_PREFERRED_IDENTITY,
    HISTORY_INFO,
    DIVERSION,
    REASON,
    USER_AGENT,
    PATH,
    REMOTE_PARTY_ID,
) = range(30)

_KNOWN: Final[dict[bytes, int]] = {
    b"call-id": CALL_ID,
    b"i": CALL_ID,
    b"from": FROM,
    b"f": FROM,
    b"to": TO,
    b"t": TO,
    b"cseq": CSEQ,
    b"max-forwards": MAX_FORWARDS,
    b"content-length": CONTENT_LENGTH,
    b"l": CONTENT_LENGTH,
    b"content-type": CONTENT_TYPE,
    b"c": CONTENT_TYPE,
    b"expires": EXPIRES,
    b"session-expires": SESSION_EXPIRES,
    b"x": SESSION_EXPIRES,
    b"min-se": MIN_SE,
    b"via": VIA,
    b"v": VIA,
    b"route": ROUTE,
    b"record-route": RECORD_ROUTE,
    b"contact": CONTACT,
    b"m": CONTACT,
    b"authorization": AUTHORIZATION,
    b"proxy-authorization": PROXY_AUTHORIZATION,
    b"supported": SUPPORTED,
    b"k": SUPPORTED,
    b"require": REQUIRE,
    b"proxy-require": PROXY_REQUIRE,
    b"privacy": PRIVACY,
    b"p-asserted-identity": P_ASSERTED_IDENTITY,
    b"p-preferred-identity": P_PREFERRED_IDENTITY,
    b"history-info": HISTORY_INFO,
    b"diversion": DIVERSION,
    b"reason": REASON,
    b"user-agent": USER_AGENT,
    b"path": PATH,
    b"remote-party-id": REMOTE_PARTY_ID,
}
# Spellings met on the wire; bounded, so that a stranger cannot make it grow.
_SPELLINGS: dict[bytes, int] = dict(_KNOWN)
_MAX_SPELLINGS: Final = 4096
_TOKEN: Final = frozenset(TOKEN)
_RECORDED: Final = re.compile(rb"(?im)^(?:INVITE|REGISTER|UPDATE) |^CSeq[ \t]*:[^\r]*(?:INVITE|UPDATE)")
_QUOTED: Final = re.compile(rb'"(?:[^"\\\r]|\\[^\r\n])*"')


class MessageFault(Exception):
    """The bytes are no SIP message. `answerable`: a request from which a 400 can still be made is in `message`."""

    def __init__(self, reason: str, message: Message | None = None) -> None:
        super().__init__(reason)
        self.message = message


@dataclass(slots=True, eq=False)
class Message:
    """`lines[0]` is the start line, the rest header lines without CRLF. `at` maps a kind to its first line.

    A line taken out leaves b"" behind, so that no index moves. From `call_id` on the fields are filled by the checks of
    a request (`checks.request_fault`); a response has them empty.
    """

    lines: list[bytes]
    at: dict[int, int]
    body: bytes
    more: int = 0  # bit 1 << kind: that kind has more than one line
    method: bytes = b""  # of a request
    uri: bytes = b""  # Request-URI
    status: int = 0  # of a response
    call_id: bytes = b""
    from_tag: bytes = b""
    to_uri: bytes = b""
    to_tag: bytes = b""
    cseq: int = 0
    credentials: Credentials | None = None  # when they are read already (`ordinary`)
    repeated: int = 0  # kind of a header that may stand once and stands twice; 0: none

    def value(self, kind: int) -> bytes | None:
        """The first such header's value, trimmed; None when there is none."""
        i = self.at.get(kind)
        if i is None:
            return None
        return self.lines[i].partition(b":")[2].strip()

    def values(self, kind: int) -> list[bytes]:
        """The values of all lines of that kind, in order (each may still hold a comma list)."""
        first = self.at.get(kind)
        if first is None:
            return []
        return [line.partition(b":")[2].strip() for line in self.lines_of(kind)]

    def lines_of(self, kind: int) -> list[bytes]:
        """All lines of that kind, in order."""
        first = self.at.get(kind)
        if first is None:
            return []
        if not self.more >> kind & 1:
            return [self.lines[first]]
        return [line for line in self.lines[first:] if kind_of(line) == kind]

    def replace(self, kind: int, line: bytes) -> None:
        """Put `line` in the place of the first header of that kind, or at the end."""
        i = self.at.get(kind)
        if i is None:
            self.at[kind] = len(self.lines)
            self.lines.append(line)
        else:
            self.lines[i] = line

    def remove(self, kind: int) -> None:
        """Take every line of that kind out."""
        first = self.at.pop(kind, None)
        if first is None:
            return
        self.lines[first] = b""
        if self.more >> kind & 1:
            self.lines = [b"" if kind_of(line) == kind else line for line in self.lines]

    def drop_first(self, kind: int) -> None:
        """Take the first line of that kind out; the next becomes the first."""
        first = self.at.pop(kind)
        self.lines[first] = b""
        if self.more >> kind & 1:
            for i in range(first + 1, len(self.lines)):
                if kind_of(self.lines[i]) == kind:
                    self.at[kind] = i
                    break

    def encode(self) -> bytes:
        return b"\r\n".join(filter(None, self.lines)) + b"\r\n\r\n" + self.body

    def encode_under(self, *top: bytes) -> bytes:
        """The message with header lines set in right under the start line (Via and Record-Route of a proxy)."""
        lines = self.lines
        head = b"\r\n".join((lines[0], *top)) + b"\r\n"
        return head + b"\r\n".join(filter(None, lines[1:])) + b"\r\n\r\n" + self.body


def kind_of(line: bytes) -> int:
    name = line.partition(b":")[0]
    kind = _SPELLINGS.get(name)
    return _learn(name) if kind is None else kind


def _learn(name: bytes) -> int:
    """The kind of a name met for the first time."""
    kind = _KNOWN.get(name.rstrip(b" \t").lower(), OTHER)
    # Only what may stand: otherwise a faulty line that was once looked at would pass the next time.
    if name and len(_SPELLINGS) < _MAX_SPELLINGS and _TOKEN.issuperset(name.rstrip(b" \t")):
        _SPELLINGS[name] = kind
    return kind


def parse_message(data: bytes, *, stream: bool = False) -> Message:
    """Take a datagram (or, `stream`, one framed message) apart. Raises MessageFault.

    Over UDP what stands behind Content-Length octets of body is discarded (RFC 3261 §18.3).
    """
    head, blank, body = data.partition(b"\r\n\r\n")
    if data[:1] in (b"\r", b"\n"):
        head, blank, body = data.lstrip(b"\r\n").partition(b"\r\n\r\n")
    if not blank:
        raise MessageFault("no empty line after the headers")
    if len(head) > MAX_HEAD:
        raise MessageFault("headers too long")
    lines = head.split(b"\r\n")
    joined = b"".join(lines)
    if b"\n" in joined or b"\r" in joined or (b"\0" in joined and not _nul_may_stand(head)):
        raise MessageFault("bare CR, LF or NUL in the headers")  # no answer: it would copy them
    if len(lines) > MAX_LINES:
        raise MessageFault("too many header lines")
    message = _index(lines, body)
    _start_line(message)
    _fit_body(message, body, stream)
    return message


def _nul_may_stand(head: bytes) -> bool:
    """A NUL is legal behind a backslash in a quoted string (RFC 3261 §25.1); not in what leaves text in the journal,
    whose columns hold none."""
    return _RECORDED.search(head) is None and b"\0" not in _QUOTED.sub(b"", head)


def _index(lines: list[bytes], body: bytes, *, unfolded: bool = False) -> Message:
    at: dict[int, int] = {}
    message = Message(lines, at, body)
    spelled = _SPELLINGS.get
    fault = ""
    for i, line in enumerate(lines):
        if not i:
            continue  # the start line
        name, colon, _ = line.partition(b":")
        kind = spelled(name)
        if kind is None or not colon:
            if line[:1] in (b" ", b"\t") and not unfolded:
                return _index(_unfold(lines), body, unfolded=True)
            if not colon or not name or not _TOKEN.issuperset(name.rstrip(b" \t")):
                fault = fault or f"header line that is none: {line[:40]!r}"
                lines[i] = b""  # an answer would copy it
                continue
            kind = _learn(name)
        if kind:
            if kind not in at:
                at[kind] = i
            elif kind < LAST_SINGLE:
                message.repeated = kind
            else:
                message.more |= 1 << kind
    if fault:
        _start_line(message)
        raise MessageFault(fault, message)
    return message


def _unfold(lines: list[bytes]) -> list[bytes]:
    """Join continued lines (RFC 3261 §7.3.1: equal to one space)."""
    out = lines[:1]
    for line in lines[1:]:
        if line[:1] in (b" ", b"\t") and len(out) > 1:
            out[-1] = out[-1].rstrip(b" \t") + b" " + line.lstrip(b" \t")
        else:
            out.append(line)
    return out


def _start_line(message: Message) -> None:
    first = message.lines[0]
    if first[:8] == b"SIP/2.0 ":
        code = first[8:11]
        if not code.isdigit() or first[11:12] not in (b" ", b"") or not 100 <= int(code) <= 699:
            raise MessageFault("status line without a status")
        message.status = int(code)
        return
    if first[:1] == b" ":
        raise MessageFault("start line that begins with a blank")
    if first[-8:] == b" SIP/2.0":
        message.method, _, rest = first.partition(b" ")
        message.uri = rest[:-8]
        return
    parts = first.split(b" ")
    if first[:4].upper() == b"SIP/":
        raise MessageFault("version of a status line")
    if first[-1:] in (b" ", b"\t") and len(parts) > 3:
        message.method = parts[0]
        raise MessageFault("white space behind the version", message)
    if len(parts) < 3 or not parts[-1].upper().startswith(b"SIP/"):
        raise MessageFault("start line that is neither request nor status")
    message.method = parts[0]
    message.uri = b" ".join(parts[1:-1])


def _fit_body(message: Message, body: bytes, stream: bool) -> None:
    i = message.at.get(CONTENT_LENGTH)
    if i is None:
        if stream:
            raise MessageFault("no Content-Length on a stream", message)  # RFC 3261 §18.3
        return
    raw = message.lines[i].partition(b":")[2].strip()
    if not raw.isdigit() or len(raw) > 9:
        raise MessageFault("Content-Length is no number", message)
    length = int(raw)
    if length > len(body):
        raise MessageFault("body shorter than Content-Length", message)
    if length < len(body) and not stream:
        message.body = body[:length]
