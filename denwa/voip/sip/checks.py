"""What a request or response must hold before anything else looks at it (RFC 3261 §8.1.1, §8.2, §16.3).

A request gets the RFC's own answer; a response, or what cannot be answered, is dropped with its reason.
"""

from __future__ import annotations

from typing import Final

from denwa.voip.sip.fields import MAX_CSEQ, TOKEN, FieldFault, cseq_of, has_option, party_of, split_list
from denwa.voip.sip.message import (
    CALL_ID,
    CONTACT,
    CONTENT_TYPE,
    CSEQ,
    EXPIRES,
    FROM,
    MAX_FORWARDS,
    PROXY_REQUIRE,
    TO,
    VIA,
    Message,
)

_NAMES: Final = {CALL_ID: "Call-ID", FROM: "From", TO: "To", CSEQ: "CSeq", VIA: "Via"}
_TOKEN: Final = frozenset(TOKEN)
_SCHEMES: Final = (b"sip:", b"sips", b"tel:")
_MAX_CALL_ID: Final = 512
_PLAIN_URI: Final = TOKEN + b":@;=/&$,?[]()#"
_METHODS: Final = frozenset((b"INVITE", b"ACK", b"BYE", b"CANCEL", b"REGISTER", b"OPTIONS"))
_HOPS: Final = frozenset(b"%d" % hops for hops in range(256))
Fault = tuple[int, str]


def request_fault(request: Message) -> Fault | None:
    """The status and reason a request must be answered with, or None when it is sound (its tags, Call-ID and CSeq
    number are then filled in)."""
    if request.repeated:
        return 400, "a header stands twice that may stand once"
    if not request.lines[0].endswith(b" SIP/2.0"):
        return (505, "SIP version") if request.lines[0][-3:] != b"2.0" else (400, "SIP version")
    method = request.method
    if method not in _METHODS and (not method or not _TOKEN.issuperset(method)):
        return 400, "method is no token"
    return _missing(request) or _uri_fault(request.uri) or _fields_fault(request)


def _missing(request: Message) -> Fault | None:
    at = request.at
    if VIA in at and FROM in at and TO in at and CALL_ID in at and CSEQ in at:
        return None
    return 400, "missing " + ", ".join(name for kind, name in _NAMES.items() if kind not in at)


def _uri_fault(uri: bytes) -> Fault | None:
    if uri[:4] == b"sip:" and not uri.translate(None, _PLAIN_URI):
        return None
    if uri[:4] not in _SCHEMES:
        scheme, colon, _ = uri.partition(b":")
        if not colon or not scheme.isalnum() or b" " in uri:
            return 400, "Request-URI"
        if scheme.lower() not in (b"sip", b"sips", b"tel"):
            return 416, "URI scheme"
    if b" " in uri or b"<" in uri or b">" in uri or b"\t" in uri:
        return 400, "white space or brackets in the Request-URI"
    return None


def _fields_fault(request: Message) -> Fault | None:
    at, lines = request.at, request.lines
    try:
        number, method = cseq_of(lines[at[CSEQ]].partition(b":")[2].strip())
        sender, request.from_tag = party_of(lines[at[FROM]].partition(b":")[2].strip())
        receiver, request.to_tag = party_of(lines[at[TO]].partition(b":")[2].strip())
    except FieldFault as fault:
        return 400, str(fault)
    if not sender:
        return 400, "From without a URI"
    if not receiver:
        return 400, "To without a URI"
    if number > MAX_CSEQ:
        return 400, "CSeq number too large"
    if method != request.method:
        return 400, "CSeq of another method"
    if not request.from_tag:
        return 400, "From without a tag"
    request.cseq = number
    request.call_id = call_id = lines[at[CALL_ID]].partition(b":")[2].strip()
    if not call_id or len(call_id) > _MAX_CALL_ID or b" " in call_id:
        return 400, "Call-ID"
    if MAX_FORWARDS in at:
        hops = request.value(MAX_FORWARDS) or b""
        if hops not in _HOPS and (not hops.isdigit() or len(hops) > 3 or int(hops) > 255):
            return 400, "Max-Forwards"
    if request.body and CONTENT_TYPE not in at:
        return 400, "body without Content-Type"
    if EXPIRES in at and request.method == b"REGISTER" and not (request.value(EXPIRES) or b"").isdigit():
        return 400, "Expires"
    if request.method == b"INVITE" and CONTACT not in at:
        return 400, "INVITE without Contact"
    return None


def unsupported_extensions(request: Message, supported: frozenset[bytes]) -> list[bytes]:
    """Option tags of Proxy-Require that are not known here (RFC 3261 §16.3 step 5: 420 with Unsupported)."""
    if PROXY_REQUIRE not in request.at:
        return []
    asked = [token for value in request.values(PROXY_REQUIRE) for token in split_list(value)]
    return [token for token in asked if token.lower() not in supported]


def response_fault(response: Message) -> str | None:
    """Why a response is dropped, or None."""
    at = response.at
    if not (VIA in at and FROM in at and TO in at and CALL_ID in at and CSEQ in at):
        return "response without a header it must have"
    if response.repeated:
        return "a header stands twice that may stand once"
    try:
        cseq_of(response.value(CSEQ) or b"")
    except FieldFault as fault:
        return str(fault)
    return None


def asks_for(request: Message, kind: int, option: bytes) -> bool:
    """Whether `option` stands in the Supported or Require headers (`kind`) of a message."""
    return kind in request.at and has_option(request.values(kind), option)


def carries_fax(request: Message) -> bool:
    """An SDP offer of image media (T.38) only or besides (N8)."""
    return b"m=image" in request.body and (b"\nm=image" in request.body or request.body.startswith(b"m=image"))
