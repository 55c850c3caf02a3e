"""Whose number a call shows (N7): the subscriber's own, or nothing; never what the phone wrote."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

from denwa.numbering.number import PhoneNumber
from denwa.numbering.spelling import NumberFault
from denwa.voip.sip.fields import FieldFault, address_uri, display_name, has_option, split_list
from denwa.voip.sip.message import (
    FROM,
    P_ASSERTED_IDENTITY,
    P_PREFERRED_IDENTITY,
    PRIVACY,
    PROXY_AUTHORIZATION,
    REMOTE_PARTY_ID,
    Message,
)
from denwa.voip.sip.uri import SipUri, UriFault, parse_uri

_NOWHERE: Final = b" <sip:anonymous@anonymous.invalid>"  # RFC 3323 §4.1.1.3
# Display names by which Japanese networks say why a number is missing (B4).
HIDDEN_REASONS: Final = {
    b"anonymous": "anonymous",
    b"coin line/payphone": "payphone",
    b"interaction with other service": "interaction",
    b"unavailable": "unavailable",
}


_DISPLAYS: Final = {
    "anonymous": b'"Anonymous"',
    "payphone": b'"Coin line/payphone"',
    "interaction": b'"Interaction with other service"',
    "unavailable": b'"Unavailable"',
}


class CallerIdentity(NamedTuple):
    """`number`: E.164, "" when hidden or unknown; `hidden`: "" or why it is missing (a value of HIDDEN_REASONS)."""

    number: str
    hidden: str


def subscriber_from(number: PhoneNumber, domain: bytes, tag: bytes) -> bytes:
    """The From value that a callee sees for a call of a subscriber."""
    national = number.national().encode()
    return b'"%b" <sip:%b@%b>' % (national, national, domain) + _tag(tag)


def hidden_from(reason: str, tag: bytes) -> bytes:
    """The From value of a call whose number is missing: only the reason shows (N7, B4)."""
    return _DISPLAYS[reason] + _NOWHERE + _tag(tag)


def _tag(tag: bytes) -> bytes:
    """A caller of RFC 2543 has none."""
    return b";tag=" + tag if tag else b""


def shown_reason(request: Message, hidden: str) -> str:
    """The reason that the callee sees: what the network stated as display name (B4), else `Anonymous`."""
    return hidden if hidden and _stated(request) == hidden else "anonymous"


def says_hidden(request: Message, hidden: str) -> bool:
    """Whether a call from the telephone network says that its number is missing, or just has none."""
    return hidden != "unavailable" or _stated(request) == hidden


def _stated(request: Message) -> str:
    return HIDDEN_REASONS.get(display_name(request.value(FROM) or b"").lower(), "")


def strip_claims(request: Message) -> None:
    """Take off what a phone may not assert, and our credentials."""
    for kind in (P_ASSERTED_IDENTITY, P_PREFERRED_IDENTITY, REMOTE_PARTY_ID, PROXY_AUTHORIZATION):
        if kind in request.at:
            request.remove(kind)


def assert_identity(request: Message, number: PhoneNumber, domain: bytes) -> None:
    """P-Asserted-Identity for a trusted gateway (RFC 3325 §9.1)."""
    request.lines.append(b"P-Asserted-Identity: <sip:%b@%b;user=phone>" % (number.e164.encode(), domain))


def ask_privacy(request: Message) -> None:
    request.remove(PRIVACY)
    request.lines.append(b"Privacy: id")


def incoming_identity(request: Message) -> CallerIdentity:
    """Who calls from the telephone network: P-Asserted-Identity, else From; hidden when either says so."""
    sender = request.value(FROM) or b""
    reason = HIDDEN_REASONS.get(display_name(sender).lower(), "")
    if PRIVACY in request.at:
        asked = [p for value in request.values(PRIVACY) for p in value.split(b";")]
        if has_option(asked, b"id") or has_option(asked, b"user"):
            reason = reason or "anonymous"
    asserted = [a for value in request.values(P_ASSERTED_IDENTITY) for a in split_list(value)]
    for value in (*asserted, sender):
        number = number_of(value)
        if number:
            return CallerIdentity("" if reason else number, reason)
    return CallerIdentity("", reason or "unavailable")


def number_of(value: bytes) -> str:
    """The telephone number (E.164) in a name-addr or addr-spec, "" when there is none."""
    try:
        return _number_in(address_uri(value))
    except FieldFault:
        return ""


@lru_cache(maxsize=8192)
def _number_in(uri: bytes) -> str:
    try:
        parsed = parse_uri(uri)
        text = parsed.user_name if isinstance(parsed, SipUri) else parsed.number
        return PhoneNumber.parse(text.decode("utf-8")).e164
    except (UriFault, NumberFault, UnicodeDecodeError):
        return ""
