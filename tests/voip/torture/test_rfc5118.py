"""The 12 messages of RFC 5118 (IPv6), each with the outcome that the RFC asks for, over UDP and TCP."""

from __future__ import annotations

import pytest

from denwa.voip.sip import message as m
from denwa.voip.sip.checks import request_fault
from denwa.voip.sip.fields import top_via
from denwa.voip.sip.message import Message, parse_message
from denwa.voip.sip.uri import SipUri, UriFault, parse_uri
from tests.voip.torture.deliver import STRANGER_IPV6, Delivery, names, service, vector

FOLDER = "rfc5118"


def only(name: str, transport: str, status: int, source: tuple[str, int] = STRANGER_IPV6) -> Message:
    """The one answer to the message, sent from `source`."""
    delivery = Delivery(service(), vector(FOLDER, name), transport, source)
    assert delivery.statuses == [status]
    return delivery.answers[0]


def request_of(name: str) -> Message:
    request = parse_message(vector(FOLDER, name))
    assert request_fault(request) is None
    return request


def uri_of(name: str) -> SipUri:
    uri = parse_uri(request_of(name).uri)
    assert isinstance(uri, SipUri)
    return uri


def top_line(response: Message) -> bytes:
    return response.lines[response.at[m.VIA]]


def test_all_twelve_are_here():
    here = {name[5:].replace("_", "-") for name in globals() if name.startswith("test_")} - {"all-twelve-are-here"}
    assert names(FOLDER) == here
    assert len(here) == 12


def test_ipv6_good(transport):
    """§4.1: an IPv6 reference in brackets. The answer goes to the address it came from: no `received` is needed."""
    assert uri_of("ipv6-good").host == b"[2001:db8::10]"
    response = only("ipv6-good", transport, 401)
    assert top_line(response) == b"Via: SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3-111"


def test_ipv6_bad(transport):
    """§4.2: without brackets it is no URI."""
    with pytest.raises(UriFault):
        parse_uri(parse_message(vector(FOLDER, "ipv6-bad")).uri)
    only("ipv6-bad", transport, 400)


def test_port_ambiguous(transport):
    """§4.3: `5070` within the brackets belongs to the address."""
    uri = uri_of("port-ambiguous")
    assert (uri.host, uri.port) == (b"[2001:db8::10:5070]", 0)
    only("port-ambiguous", transport, 401)


def test_port_unambiguous(transport):
    """§4.4: behind them it is a port."""
    uri = uri_of("port-unambiguous")
    assert (uri.host, uri.port) == (b"[2001:db8::10]", 5070)
    only("port-unambiguous", transport, 401)


def test_via_received_param_with_delim(transport):
    """§4.5: `received` in brackets is read; what we write has none."""
    assert top_via(request_of("via-received-param-with-delim").value(m.VIA) or b"").branch == b"z9hG4bKas3-111"
    only("via-received-param-with-delim", transport, 481)
    response = only("via-received-param-with-delim", transport, 481, ("2001:db8::9:255", 5060))
    assert top_line(response).count(b"received") == 1
    assert b";received=2001:db8::9:255" in top_line(response)


def test_via_received_param_no_delim(transport):
    """§4.5: and without them."""
    response = only("via-received-param-no-delim", transport, 200, ("2001:db8::9:255", 5060))
    assert top_line(response).count(b"received") == 1
    assert top_line(response).endswith(b";branch=z9hG4bKas3;received=2001:db8::9:255")


def test_ipv6_in_sdp(transport):
    """§4.6: IPv6 addresses in the body."""
    assert b"c=IN IP6 2001:db8::20\r\n" in request_of("ipv6-in-sdp").body
    only("ipv6-in-sdp", transport, 407)


def test_mult_ip_in_header(transport):
    """§4.7: IPv4 and IPv6 in one list of Vias, which the answer keeps."""
    response = only("mult-ip-in-header", transport, 481)
    assert response.values(m.VIA) == request_of("mult-ip-in-header").values(m.VIA)


def test_mult_ip_in_sdp(transport):
    """§4.8: a stream on each."""
    only("mult-ip-in-sdp", transport, 407)


def test_ipv4_mapped_ipv6(transport):
    """§4.9: an IPv4-mapped IPv6 address, with a port and without."""
    via = top_via(request_of("ipv4-mapped-ipv6").value(m.VIA) or b"")
    assert via.sent_by == b"[::ffff:192.0.2.10]:19823"
    response = only("ipv4-mapped-ipv6", transport, 407, ("::ffff:192.0.2.10", 19823))
    assert b"received" not in top_line(response)


def test_ipv6_bug_abnf_3_colons(transport):
    """§4.10: the grammar of RFC 3261 allowed three colons; no address has them."""
    only("ipv6-bug-abnf-3-colons", transport, 400)


def test_ipv6_correct_abnf_2_colons(transport):
    """§4.10: two are right."""
    assert uri_of("ipv6-correct-abnf-2-colons").host == b"[2001:db8::192.0.2.1]"
    only("ipv6-correct-abnf-2-colons", transport, 200)
