"""What the called side may see of the messages of a caller that hides (N7, RFC 3323 §5): a new message with the lines
that calls need and nothing else.

Headers, SDP lines and bodies pass that are known to say nothing about who calls; all others stay here. The address of
the media (`c=`, `m=`) is the media relay's to hide: without one, sound needs it.
"""

from __future__ import annotations

import re
from typing import Final

from denwa.numbering.number import PhoneNumber
from denwa.numbering.spelling import NumberFault
from denwa.voip.calls.call import Call
from denwa.voip.calls.veil import Veil, tagged
from denwa.voip.context import Context
from denwa.voip.media.negotiation import sdp_place
from denwa.voip.sip import message as m
from denwa.voip.sip.message import Message, kind_of
from denwa.voip.sip.response import PHRASES

_PASSING: Final = frozenset(
    (
        m.CALL_ID, m.FROM, m.TO, m.CSEQ, m.MAX_FORWARDS, m.CONTENT_LENGTH, m.CONTENT_TYPE, m.EXPIRES, m.SESSION_EXPIRES,
        m.MIN_SE, m.ROUTE, m.CONTACT, m.SUPPORTED, m.REQUIRE, m.PRIVACY, m.REASON,
    )
)  # fmt: skip
_PASSING_NAMES: Final = frozenset(
    (
        b"accept", b"accept-encoding", b"allow", b"allow-events", b"u", b"content-disposition", b"content-encoding",
        b"e", b"event", b"o", b"info-package", b"mime-version", b"min-expires", b"rack", b"recv-info", b"refer-to",
        b"r", b"retry-after", b"rseq", b"subscription-state", b"unsupported",
    )
)  # fmt: skip
# Bodies without SDP that only press keys or ask for a picture.
_PASSING_BODIES: Final = frozenset((b"application/dtmf-relay", b"application/dtmf", b"application/media_control+xml"))
_CAUSE: Final = re.compile(rb"\s*(SIP|Q\.850)\s*;(?:[^\"]*;)?\s*cause\s*=\s*(\d{1,3})", re.IGNORECASE)
_SDP_LINES: Final = frozenset(b"vcbtrzkm")
_SDP_ATTRIBUTES: Final = frozenset(
    (
        b"rtpmap", b"fmtp", b"ptime", b"maxptime", b"sendrecv", b"sendonly", b"recvonly", b"inactive", b"rtcp-mux",
        b"rtcp-rsize", b"rtcp-fb", b"mid", b"group", b"crypto", b"fingerprint", b"setup", b"connection", b"silencesupp",
        b"extmap", b"curr", b"des", b"conf", b"tcap", b"pcfg", b"acfg",
    )
)  # fmt: skip
_ORIGIN: Final = re.compile(rb"o=\S+ \S+ (\d+) ")
_RTCP_PORT: Final = re.compile(rb"a=rtcp:\d+")


def new_veil(ctx: Context, call: Call, request: Message) -> Veil:
    """The veil of a call whose INVITE is `request`, before anything in it was changed but its media."""
    try:
        number = PhoneNumber(call.number_to).national()
    except NumberFault:
        number = "anonymous"
    shown_to = b"<sip:%b@%b>" % (number.encode(), ctx.settings.realm)
    dialled_to = request.value(m.TO) or b""
    return Veil(ctx.veiled(call.call_id), shown_to, dialled_to, tuple(request.lines_of(m.VIA)))


def conceal_invite(ctx: Context, call: Call, veil: Veil, request: Message, tag: bytes) -> Message:
    """The INVITE as the called side may see it; `call.caller_shown` is already what its From says, with `tag`."""
    seen = _screened(request)
    seen.from_tag = tag
    _rename(call, veil, seen, veil.shown_to)
    _conceal_rest(ctx, veil, seen)
    return seen


def conceal_request(ctx: Context, call: Call, veil: Veil, request: Message) -> Message:
    """A request of the caller inside its call."""
    seen = _screened(request)
    _rename(call, veil, seen, tagged(veil.shown_to, request.to_tag))
    _conceal_rest(ctx, veil, seen)
    return seen


def conceal_answer(ctx: Context, veil: Veil, response: Message, asked: Message) -> Message:
    """A response of the caller to a request of the called side, to be sent; `asked`: that request as it came."""
    seen = _screened(response)
    phrase = PHRASES.get(response.status, b"OK" if response.status < 300 else b"Failure")
    seen.lines[0] = b"SIP/2.0 %d %b" % (response.status, phrase)
    for kind in (m.FROM, m.TO, m.CALL_ID):
        seen.replace(kind, asked.lines[asked.at[kind]])
    _conceal_rest(ctx, veil, seen)
    seen.lines[1:1] = asked.lines_of(m.VIA)  # from here on `seen.at` does not hold any more
    return seen


def _screened(message: Message) -> Message:
    """A copy without the lines that may say who calls; Via and Record-Route are left out too."""
    lines = [message.lines[0]]
    seen = Message(lines, {}, message.body)
    for line in message.lines[1:]:
        kind = kind_of(line) if line else m.VIA
        if kind == m.OTHER:
            if line.partition(b":")[0].strip().lower() in _PASSING_NAMES:
                lines.append(line)
        elif kind in _PASSING:
            if kind in seen.at:
                seen.more |= 1 << kind
            else:
                seen.at[kind] = len(lines)
            lines.append(line)
    seen.method, seen.uri, seen.status = message.method, message.uri, message.status
    seen.cseq, seen.to_tag = message.cseq, message.to_tag
    return seen


def _rename(call: Call, veil: Veil, seen: Message, receiver: bytes) -> None:
    seen.replace(m.FROM, b"From: " + call.caller_shown)
    seen.replace(m.TO, b"To: " + receiver)
    seen.replace(m.CALL_ID, b"Call-ID: " + veil.call_id)
    seen.call_id = veil.call_id


def _conceal_rest(ctx: Context, veil: Veil, seen: Message) -> None:
    if m.CONTACT in seen.at:
        seen.remove(m.CONTACT)
        seen.replace(m.CONTACT, ctx.hidden_contact)
    if m.REASON in seen.at:
        found = _CAUSE.match(seen.value(m.REASON) or b"")
        seen.remove(m.REASON)
        if found:
            seen.replace(m.REASON, b"Reason: %b;cause=%b" % found.groups())
    if seen.body:
        _conceal_body(ctx, veil, seen)


def _conceal_body(ctx: Context, veil: Veil, seen: Message) -> None:
    place = sdp_place(seen)
    if place is not None:
        seen.body = anonymous_sdp(seen.body[slice(*place)], veil.call_id, ctx.settings.host)
        seen.replace(m.CONTENT_TYPE, b"Content-Type: application/sdp")
    elif (seen.value(m.CONTENT_TYPE) or b"").partition(b";")[0].strip().lower() not in _PASSING_BODIES:
        seen.body = b""
        seen.remove(m.CONTENT_TYPE)
    seen.replace(m.CONTENT_LENGTH, b"Content-Length: %d" % len(seen.body))


def anonymous_sdp(sdp: bytes, call_id: bytes, host: str) -> bytes:
    """`sdp` with an origin of ours, the same number in the whole call, and the lines that media need (RFC 3323 §5)."""
    origin = b"o=- %d %%b IN %b %b" % (
        int(call_id[:7], 16),
        b"IP6" if ":" in host else b"IP4",
        host.encode(),
    )
    lines = []
    for line in sdp.replace(b"\r\n", b"\n").split(b"\n"):
        kind = line[:2]
        if kind == b"o=":
            version = _ORIGIN.match(line)
            lines.append(origin % (version[1] if version else b"1"))
        elif kind == b"s=":
            lines.append(b"s=-")
        elif kind == b"a=":
            if line[2:].partition(b":")[0].strip().lower() in _SDP_ATTRIBUTES:
                lines.append(line)
            elif found := _RTCP_PORT.match(line):
                lines.append(found[0])
        elif kind[1:] == b"=" and kind[0] in _SDP_LINES:
            lines.append(line)
    return b"\r\n".join(lines) + b"\r\n"
