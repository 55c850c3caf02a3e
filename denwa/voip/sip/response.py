"""Answers the service makes itself, and the requests that follow from one sent (RFC 3261 §8.2.6, §9.1, §17.1.1.3)."""

from __future__ import annotations

from typing import Final

from denwa.voip.sip.fields import cseq_of, tag_of
from denwa.voip.sip.message import (
    CALL_ID,
    CSEQ,
    FROM,
    RECORD_ROUTE,
    ROUTE,
    TO,
    VIA,
    Message,
    kind_of,
    parse_message,
)

PHRASES: Final[dict[int, bytes]] = {
    100: b"Trying",
    180: b"Ringing",
    181: b"Call Is Being Forwarded",
    183: b"Session Progress",
    200: b"OK",
    202: b"Accepted",
    400: b"Bad Request",
    401: b"Unauthorized",
    403: b"Forbidden",
    404: b"Not Found",
    405: b"Method Not Allowed",
    406: b"Not Acceptable",
    407: b"Proxy Authentication Required",
    408: b"Request Timeout",
    413: b"Request Entity Too Large",
    415: b"Unsupported Media Type",
    416: b"Unsupported URI Scheme",
    420: b"Bad Extension",
    422: b"Session Interval Too Small",
    423: b"Interval Too Brief",
    480: b"Temporarily Unavailable",
    481: b"Call/Transaction Does Not Exist",
    482: b"Loop Detected",
    483: b"Too Many Hops",
    484: b"Address Incomplete",
    486: b"Busy Here",
    487: b"Request Terminated",
    488: b"Not Acceptable Here",
    489: b"Bad Event",
    500: b"Server Internal Error",
    501: b"Not Implemented",
    503: b"Service Unavailable",
    504: b"Server Time-out",
    505: b"Version Not Supported",
    513: b"Message Too Large",
    555: b"Push Notification Service Not Supported",
    600: b"Busy Everywhere",
    603: b"Decline",
}
_STATUS_LINES: Final = {status: b"SIP/2.0 %d %b" % (status, phrase) for status, phrase in PHRASES.items()}


def make_response(request: Message, status: int, to_tag: bytes, extra: list[bytes] | None = None) -> bytes:
    """A response without body. `extra`: whole header lines. `to_tag` is put on To unless it has one or is empty."""
    at, lines = request.at, request.lines
    to = lines[at[TO]]
    # A request that did not pass the checks has its tags not read.
    tagged = request.to_tag if request.from_tag else tag_of(to.partition(b":")[2].strip())
    if to_tag and not tagged:
        to = to + b";tag=" + to_tag
    ways = request.lines_of(VIA) if request.more >> VIA & 1 else (lines[at[VIA]],)
    if RECORD_ROUTE in at and 100 < status < 300:
        ways = (*ways, *request.lines_of(RECORD_ROUTE))
    copied = (lines[at[FROM]], to, lines[at[CALL_ID]], lines[at[CSEQ]])
    return b"\r\n".join((_status_line(status), *ways, *copied, *(extra or ()), b"Content-Length: 0\r\n\r\n"))


def make_partial_response(request: Message, status: int, extra: list[bytes]) -> bytes:
    """The answer to a request that lacks headers which an answer copies: with those that it has (RFC 4475 §3.3.1)."""
    out = [_status_line(status), *request.lines_of(VIA)]
    out += [request.lines[request.at[kind]] for kind in (FROM, TO, CALL_ID, CSEQ) if kind in request.at]
    return b"\r\n".join((*out, *extra, b"Content-Length: 0\r\n\r\n"))


def _status_line(status: int) -> bytes:
    return _STATUS_LINES.get(status) or b"SIP/2.0 %d Failure" % status


def reason_header(status: int, text: str) -> bytes:
    """`Reason` with the SIP cause and a text for a person (RFC 3326)."""
    clean = text.replace("\\", "").replace('"', "'").replace("\r", " ").replace("\n", " ")
    return b'Reason: SIP;cause=%d;text="%s"' % (status, clean.encode())


def make_ack(sent: bytes, response: Message) -> bytes:
    """The ACK to a final response >= 300: same branch and Route, To of the response (RFC 3261 §17.1.1.3)."""
    return _follow_up(sent, b"ACK", response.lines[response.at[TO]] if TO in response.at else None)


def make_cancel(sent: bytes) -> bytes:
    """The CANCEL of an INVITE sent (RFC 3261 §9.1)."""
    return _follow_up(sent, b"CANCEL", None)


def _follow_up(sent: bytes, method: bytes, to_line: bytes | None) -> bytes:
    request = parse_message(sent)
    number, _ = cseq_of(request.value(CSEQ) or b"0 INVITE")
    out = [method + b" " + request.uri + b" SIP/2.0"]
    via = request.at[VIA]
    top = request.lines[via].partition(b",")[0] if b'"' not in request.lines[via] else request.lines[via]
    out.append(top)
    for line in request.lines[1:]:
        kind = kind_of(line)
        if kind in (FROM, CALL_ID, ROUTE):
            out.append(line)
        elif kind == TO:
            out.append(to_line or line)
    out += [b"CSeq: %d %s" % (number, method), b"Max-Forwards: 70", b"Content-Length: 0\r\n\r\n"]
    return b"\r\n".join(out)
