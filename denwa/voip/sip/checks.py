"""What a request or response must hold before anything else looks at it (RFC 3261 §8.1.1, §8.2, §16.3).

A request gets the RFC's own answer; a response, or what cannot be answered, is dropped with its reason.
"""

from __future__ import annotations

import re
from typing import Final

from denwa.voip.sip.fields import (
    MAGIC,
    MAX_CSEQ,
    TOKEN,
    FieldFault,
    cseq_of,
    cseq_of_line,
    has_option,
    party_of,
    split_list,
)
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
from denwa.voip.sip.uri import UriFault, parse_uri

_NAMES: Final = {CALL_ID: "Call-ID", FROM: "From", TO: "To", CSEQ: "CSeq", VIA: "Via"}
_TOKEN: Final = frozenset(TOKEN)
_SCHEMES: Final = (b"sip:", b"sips", b"tel:")
_MAX_CALL_ID: Final = 512
_SCHEME: Final = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*\Z")
_PLAIN_URI: Final = TOKEN + b"@;=/&$,()#"  # a colon only before a port or a password
_METHODS: Final = frozenset((b"INVITE", b"ACK", b"BYE", b"CANCEL", b"REGISTER", b"OPTIONS"))
# Methods that are known by name, whether or not they are served: 405 and not 501 (RFC 3261 §8.2.1, §21.5.2).
RECOGNISED: Final = _METHODS | frozenset(
    (b"INFO", b"MESSAGE", b"NOTIFY", b"PRACK", b"PUBLISH", b"REFER", b"SUBSCRIBE", b"UPDATE")
)
_PLAIN_HOPS: Final = frozenset(b"Max-Forwards: %d" % hops for hops in range(256))
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
    if uri[:4] == b"sip:" and uri[4:].translate(None, _PLAIN_URI) in (b"", b":"):
        return None
    if uri[:4] not in _SCHEMES:
        scheme, colon, _ = uri.partition(b":")
        if not colon or not _SCHEME.match(scheme) or b" " in uri:
            return 400, "Request-URI"
        if scheme.lower() not in (b"sip", b"sips", b"tel"):
            return 416, "URI scheme"
    if b" " in uri or b"<" in uri or b">" in uri or b"\t" in uri:
        return 400, "white space or brackets in the Request-URI"
    where = uri.rpartition(b"@")[2]
    if b"?" in where:
        return 400, "headers in the Request-URI"  # §19.1.1
    if b"[" in where or where.count(b":") > 2:
        try:
            parse_uri(uri)
        except UriFault as fault:
            return 400, f"Request-URI: {fault}"  # RFC 5118 §4.2, §4.10
    return None


def _fields_fault(request: Message) -> Fault | None:
    at, lines = request.at, request.lines
    try:
        number, method = cseq_of_line(lines[at[CSEQ]])
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
        # RFC 4475 §3.1.2.18: 501 says more of a method that nobody here knows.
        return (400 if request.method in RECOGNISED else 501), "CSeq of another method"
    if not request.from_tag and not _of_old(request):
        return 400, "From without a tag"
    request.cseq = number
    request.to_uri = receiver
    request.call_id = call_id = lines[at[CALL_ID]].partition(b":")[2].strip()
    if not call_id or len(call_id) > _MAX_CALL_ID or b" " in call_id:
        return 400, "Call-ID"
    hops = at.get(MAX_FORWARDS)
    if hops is not None and lines[hops] not in _PLAIN_HOPS and not _may_hop(lines[hops].partition(b":")[2].strip()):
        return 400, "Max-Forwards"
    if request.body and CONTENT_TYPE not in at:
        return 400, "body without Content-Type"
    if method == b"REGISTER":
        return _register_fault(request, receiver)
    if method == b"INVITE" and CONTACT not in at and not _of_old(request):
        return 400, "INVITE without Contact"
    return None


def _may_hop(hops: bytes) -> bool:
    return hops.isdigit() and len(hops) <= 20 and int(hops) <= 255  # RFC 4475 §3.1.1.1: 0068


def _register_fault(request: Message, receiver: bytes) -> Fault | None:
    at, lines = request.at, request.lines
    if EXPIRES in at and not lines[at[EXPIRES]].partition(b":")[2].strip().isdigit():
        return 400, "Expires"
    if receiver[:3] != b"sip" and receiver[:3].lower() != b"sip":
        return 400, "To of a REGISTER is no SIP URI"  # §10.3 step 5
    contact = lines[at[CONTACT]] if CONTACT in at else b""
    if contact[:10] != b"Contact: <" and b"?" in contact and b"<" not in contact:
        return 400, "Contact with headers must stand in <>"  # §20.10
    return None


def _of_old(request: Message) -> bool:
    """A client of RFC 2543 wrote it: no branch of RFC 3261 in its Via; From tag and Contact were optional then."""
    return b"branch=" + MAGIC not in request.lines[request.at[VIA]]


def unsupported_extensions(request: Message, supported: frozenset[bytes], kind: int = PROXY_REQUIRE) -> list[bytes]:
    """Option tags of Proxy-Require (or Require, for whom the request is meant) that are not known here (RFC 3261 §16.3
    step 5, §8.2.2.3: 420 with Unsupported)."""
    if kind not in request.at:
        return []
    asked = [token for value in request.values(kind) for token in split_list(value)]
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
