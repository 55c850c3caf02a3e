"""What an INVITE from a gateway says, where its carrier writes it otherwise than a phone would (C2, N7)."""

from __future__ import annotations

from typing import Final

from denwa.voip.gateways.trunk import NumberForm, Trunk
from denwa.voip.proxy.identity import HIDDEN_REASONS, CallerIdentity, incoming_identity, number_of
from denwa.voip.sip.fields import FieldFault, address_uri, display_name, split_list
from denwa.voip.sip.message import FROM, P_ASSERTED_IDENTITY, TO, Message

_LEAST: Final = 8  # digits of a number that has its country code and no +; what is shorter is a service


def called_uri(request: Message, trunk: Trunk) -> bytes:
    """Whom a call is for: the Request-URI, or To where the Request-URI is only what we registered."""
    uri = request.uri
    if trunk.called_in_to:
        try:
            uri = address_uri(request.value(TO) or b"")
        except FieldFault:
            return uri
    return _with_plus(uri) if trunk.format.number is NumberForm.PLAIN_E164 else uri


def caller_of(request: Message, trunk: Trunk) -> CallerIdentity:
    """Who calls; a carrier that leaves the + out of the numbers it is sent leaves it out of those it sends."""
    identity = incoming_identity(request)
    stated = display_name(request.value(FROM) or b"").lower() in HIDDEN_REASONS
    if identity.hidden != "unavailable" or stated or trunk.format.number is not NumberForm.PLAIN_E164:
        return identity
    asserted = [element for value in request.values(P_ASSERTED_IDENTITY) for element in split_list(value)]
    for value in (*asserted, request.value(FROM) or b""):
        try:
            number = number_of(b"<" + _with_plus(address_uri(value)) + b">")
        except FieldFault:
            continue
        if number:
            return CallerIdentity(number, "")
    return identity


def _with_plus(uri: bytes) -> bytes:
    """81312345678 is +81312345678; a number with a 0 in front is one of Japan already."""
    scheme, colon, rest = uri.partition(b":")
    user = rest.partition(b"@")[0].partition(b";")[0]
    if not colon or not user.isdigit() or user[:1] == b"0" or len(user) < _LEAST:
        return uri
    return scheme + b":+" + rest
