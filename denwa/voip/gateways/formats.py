"""An INVITE as one gateway wants it: number, Request-URI, From, identity, and what is said of forwarding. Pure.

The caller's own request is left as it is: another gateway may have its turn and another taste.
"""

from __future__ import annotations

from typing import Final

from denwa.numbering.number import PhoneNumber
from denwa.voip.gateways.trunk import Format, ForwardedHeader, IdentityHeader, NumberForm
from denwa.voip.proxy.identity import number_of
from denwa.voip.sip.fields import display_name, tag_of
from denwa.voip.sip.message import (
    DIVERSION,
    FROM,
    HISTORY_INFO,
    OTHER,
    P_ASSERTED_IDENTITY,
    P_PREFERRED_IDENTITY,
    PRIVACY,
    REMOTE_PARTY_ID,
    Message,
    kind_of,
)
from denwa.voip.sip.peer import Peer

_DROPPED: Final = {
    ForwardedHeader.BOTH: (),
    ForwardedHeader.DIVERSION: (HISTORY_INFO,),
    ForwardedHeader.HISTORY_INFO: (DIVERSION,),
    ForwardedHeader.NONE: (HISTORY_INFO, DIVERSION),
}


def written(e164: str, form: NumberForm) -> str:
    """A number in the form that a gateway wants; what is no number plan's number stays as it is."""
    if form is NumberForm.E164 or e164[:1] != "+":
        return e164
    if form is NumberForm.PLAIN_E164:
        return e164[1:]
    return PhoneNumber(e164).national()


def host_of(peer: Peer) -> bytes:
    """host:port as a URI has it."""
    return (b"[%b]:%d" if ":" in peer[0] else b"%b:%d") % (peer[0].encode(), peer[1])


def request_uri(e164: str, peer: Peer, form: Format) -> bytes:
    """Whom the INVITE to this gateway is for."""
    user = (form.prefix + written(e164, form.number)).encode()
    return b"sip:%b@%b%b" % (user, form.domain or host_of(peer), b";user=phone" if form.user_phone else b"")


def dressed(request: Message, form: Format, realm: bytes) -> Message:
    """A copy of an INVITE that is ready to go on, written as this gateway wants it. `realm`: our own domain."""
    copy = copied(request)
    domain = form.from_domain or realm
    sender = request.value(FROM) or b""
    shown = number_of(sender)
    if shown:
        copy.replace(FROM, b"From: " + _from(sender, shown, domain, form))
    _identify(copy, domain, form)
    for kind in _DROPPED[form.forwarded]:
        copy.remove(kind)
    return copy


def copied(request: Message) -> Message:
    """The same message; changes to its lines do not reach the first one."""
    copy = Message(list(request.lines), {}, request.body)
    for i, line in enumerate(copy.lines):  # anew: lines were put at the end of the first one without an entry
        kind = kind_of(line) if i and line else OTHER
        if kind in copy.at:
            copy.more |= 1 << kind
        elif kind != OTHER:
            copy.at[kind] = i
    copy.method, copy.uri = request.method, request.uri
    copy.call_id, copy.cseq = request.call_id, request.cseq
    copy.from_tag, copy.to_tag = request.from_tag, request.to_tag
    return copy


def _from(sender: bytes, shown: str, domain: bytes, form: Format) -> bytes:
    display = display_name(sender)
    name = b'"%b" ' % display if display and not display.translate(None, b"0123456789+-") else b""
    tag = tag_of(sender)
    user = written(shown, form.number).encode()
    return b"%b<sip:%b@%b%b>%b" % (name, user, domain, b";user=phone" * form.user_phone, b";tag=" + tag if tag else b"")


def _identify(copy: Message, domain: bytes, form: Format) -> None:
    """Who really calls, where this gateway reads it; nothing when the caller hides and the gateway is not trusted."""
    number = next((n for value in copy.values(P_ASSERTED_IDENTITY) if (n := number_of(value))), "")
    hidden = PRIVACY in copy.at
    for kind in (P_ASSERTED_IDENTITY, P_PREFERRED_IDENTITY, REMOTE_PARTY_ID):
        copy.remove(kind)
    if not number or form.identity is IdentityHeader.NONE or (hidden and not form.trusted):
        return
    uri = b"<sip:%b@%b%b>" % (written(number, form.number).encode(), domain, b";user=phone" * form.user_phone)
    if form.identity is IdentityHeader.ASSERTED:
        copy.replace(P_ASSERTED_IDENTITY, b"P-Asserted-Identity: " + uri)
    elif form.identity is IdentityHeader.PREFERRED:
        copy.replace(P_PREFERRED_IDENTITY, b"P-Preferred-Identity: " + uri)
    else:
        privacy = b"full" if hidden else b"off"
        copy.replace(REMOTE_PARTY_ID, b"Remote-Party-ID: %b;party=calling;screen=yes;privacy=%b" % (uri, privacy))
