"""RFC 4475 §3.1: messages that are valid, and messages that are not, over UDP and TCP."""

from __future__ import annotations

import pytest

from denwa.voip.sip import message as m
from denwa.voip.sip.checks import response_fault
from denwa.voip.sip.fields import split_list, top_via
from denwa.voip.sip.message import MessageFault, parse_message
from denwa.voip.sip.uri import SipUri, parse_uri
from tests.voip.torture.deliver import Delivery
from tests.voip.torture.rfc4475_messages import contacts_of, data, deliver, forwarded, only, relayed, request_of, signed
from tests.voip.wire import text_of

# -- 3.1.1 valid messages -----------------------------------------------------------------------------------------


def test_wsinv(transport):
    """§3.1.1.1: folding, blanks, compact names, leading zeros: a well-formed request (in a dialog that is not here)."""
    request = request_of("wsinv")
    assert (request.to_tag, request.from_tag, request.cseq) == (b"1918181833n", b"98asjd8", 9)
    assert len([element for value in request.values(m.VIA) for element in split_list(value)]) == 3
    assert top_via(request.value(m.VIA) or b"").sent_by == b"192.0.2.2"
    response = only(deliver("wsinv", transport), 481)
    assert text_of(response, m.CALL_ID) == "wsinv.ndaksdj@192.0.2.1"
    assert len([element for value in response.values(m.VIA) for element in split_list(value)]) == 3
    sent, got = forwarded("wsinv", (b" ;   tag    = 1918181833n", b""))
    for line in (b"NewFangledHeader:   newfangled value continued newfangled value", b"s :",
                 b"UnknownHeaderWithUnusualValue: ;;,,;;,;"):  # fmt: skip
        assert line in sent.lines
        assert line in got.lines
    assert got.value(m.MAX_FORWARDS) == b"67"


def test_intmeth(transport):
    """§3.1.1.2: every character a method, a token, a quoted string and a URI may have."""
    request = request_of("intmeth")
    assert request.method == b"!interesting-Method0123456789_*+`.%indeed'~"
    assert request.from_tag == b"_token~1'+`*%!-."
    uri = parse_uri(request.uri)
    assert isinstance(uri, SipUri)
    assert (uri.user, uri.password) == (
        b"1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*",
        b"&it+has=1,weird!*pas$wo~d_too.(doesn't-it)",
    )
    response = only(deliver("intmeth", transport), 501)
    assert response.lines[response.at[m.TO]].startswith(request.lines[request.at[m.TO]])
    assert response.lines[response.at[m.CALL_ID]] == request.lines[request.at[m.CALL_ID]]


def test_esc01(transport):
    """§3.1.1.3: %-escapes are not read before the URI is taken apart: this is no sips URI."""
    uri = parse_uri(request_of("esc01").uri)
    assert isinstance(uri, SipUri)
    assert (uri.scheme, uri.host, uri.user_name) == (b"sip", b"example.net", b"sips:user@example.com")
    only(deliver("esc01", transport), 407)
    _, got = forwarded("esc01")
    assert got.value(m.CONTACT) == b"<sip:cal%6Cer@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31>"


def test_escnull(transport):
    """§3.1.1.4: two contacts whose escaped nulls end nothing."""
    only(deliver("escnull", transport), 401)
    wire, text = signed("escnull", "null-%00-null")
    response = only(Delivery(wire, text, transport), 200)
    assert [contact.partition(b">")[0] for contact in contacts_of(response)] == [
        b"<sip:%00@host5.example.com",
        b"<sip:%00%00@host5.example.com",
    ]


def test_esc02(transport):
    """§3.1.1.5: a method and a header name with % are what they are: no REGISTER, no Contact."""
    request = request_of("esc02")
    assert request.method == b"RE%47IST%45R"
    assert len(request.values(m.CONTACT)) == 2
    response = only(deliver("esc02", transport), 501)
    assert response.value(m.TO) is not None
    assert text_of(response, m.TO).startswith('"%Z%45" <sip:resource@example.com>')


def test_lwsdisp(transport):
    """§3.1.1.6: no blank between display name and <."""
    request = request_of("lwsdisp")
    assert request.from_tag == b"323"
    only(deliver("lwsdisp", transport), 200)


def test_longreq(transport):
    """§3.1.1.7: long values, 34 Vias."""
    response = only(deliver("longreq", transport), 407)
    assert response.values(m.VIA)[1:] == request_of("longreq").values(m.VIA)[1:]
    sent, got = forwarded("longreq")
    assert len(got.values(m.VIA)) == 35
    assert [line for line in sent.lines if line.startswith(b"Unknown-Long")] == [
        line for line in got.lines if line.startswith(b"Unknown-Long")
    ]


def test_dblreq(transport):
    """§3.1.1.8: what stands behind Content-Length in a datagram is no second request; on a connection it is (and lacks
    its Contact)."""
    delivery = deliver("dblreq", transport)
    assert delivery.statuses == ([401] if transport == "udp" else [401, 400])


def test_semiuri(transport):
    """§3.1.1.9: a semicolon in the user part."""
    uri = parse_uri(request_of("semiuri").uri)
    assert isinstance(uri, SipUri)
    assert (uri.user, uri.host, dict(uri.params)) == (b"user;par=u%40example.net", b"example.com", {})
    only(deliver("semiuri", transport), 200)


def test_transports(transport):
    """§3.1.1.10: known and unknown transports in Vias further down."""
    response = only(deliver("transports", transport), 200)
    assert [value.split()[0] for value in response.values(m.VIA)] == [
        b"SIP/2.0/UDP", b"SIP/2.0/SCTP", b"SIP/2.0/TLS", b"SIP/2.0/UNKNOWN", b"SIP/2.0/TCP",
    ]  # fmt: skip


def test_mpart01(transport):
    """§3.1.1.11: a body of several parts with binary octets; here MESSAGE is not served (N8)."""
    assert len(request_of("mpart01").body) == 553
    response = only(deliver("mpart01", transport), 405)
    assert any(line.startswith(b"Allow: ") for line in response.lines)


def test_unreason(transport):
    """§3.1.1.12: a reason phrase of digits, signs and Cyrillic letters goes on as it is."""
    assert response_fault(parse_message(data("unreason"))) is None
    assert deliver("unreason", transport).sent == []  # to nothing of ours
    assert relayed("unreason").lines[0] == data("unreason").partition(b"\r\n")[0]


def test_noreason(transport):
    """§3.1.1.13: an empty reason phrase."""
    response = parse_message(data("noreason"))
    assert response_fault(response) is None
    assert response.status == 100
    assert deliver("noreason", transport).sent == []
    relayed("noreason")


# -- 3.1.2 invalid messages ---------------------------------------------------------------------------------------


def test_badinv01(transport):
    """§3.1.2.1: separators with nothing between them."""
    only(deliver("badinv01", transport), 400)


def test_clerr(transport):
    """§3.1.2.2: Content-Length larger than the message: 400, or on a connection wait for the rest."""
    delivery = deliver("clerr", transport)
    if transport == "udp":
        only(delivery, 400)
    else:
        assert delivery.sent == []
        assert delivery.waiting == len(data("clerr"))


def test_ncl(transport):
    """§3.1.2.3: a negative Content-Length; the connection is given up after the answer."""
    delivery = deliver("ncl", transport)
    only(delivery, 400)
    assert delivery.closed == (transport == "tcp")


def test_scalar02(transport):
    """§3.1.2.4: a CSeq number beyond 2**31."""
    only(deliver("scalar02", transport), 400)


def test_scalarlg(transport):
    """§3.1.2.5: a response with such numbers is dropped."""
    assert response_fault(parse_message(data("scalarlg"))) is not None
    assert deliver("scalarlg", transport).sent == []


def test_quotbal(transport):
    """§3.1.2.6: a quote in To that is not closed."""
    only(deliver("quotbal", transport), 400)


def test_ltgtruri(transport):
    """§3.1.2.7: the Request-URI in <>."""
    only(deliver("ltgtruri", transport), 400)


def test_lwsruri(transport):
    """§3.1.2.8: a blank in the Request-URI."""
    only(deliver("lwsruri", transport), 400)


def test_lwsstart(transport):
    """§3.1.2.9: two blanks in the request line."""
    only(deliver("lwsstart", transport), 400)


def test_trws(transport):
    """§3.1.2.10: blanks behind the version."""
    only(deliver("trws", transport), 400)


def test_escruri(transport):
    """§3.1.2.11: headers in the Request-URI."""
    only(deliver("escruri", transport), 400)


def test_baddate(transport):
    """§3.1.2.12: a Date that is not GMT matters only to who uses it, which a proxy does not: taken, and left alone."""
    only(deliver("baddate", transport), 407)
    sent, got = forwarded("baddate")
    assert [line for line in got.lines if line.startswith(b"Date:")] == [
        line for line in sent.lines if line.startswith(b"Date:")
    ]


def test_regbadct(transport):
    """§3.1.2.13: a Contact with headers in it must stand in <>."""
    only(deliver("regbadct", transport), 400)


def test_badaspec(transport):
    """§3.1.2.14: blanks around the URI within <>."""
    only(deliver("badaspec", transport), 400)


def test_baddn(transport):
    """§3.1.2.15: a display name with a comma and no quotes."""
    only(deliver("baddn", transport), 400)


def test_badvers(transport):
    """§3.1.2.16: SIP/7.0."""
    only(deliver("badvers", transport), 505)


def test_mismatch01(transport):
    """§3.1.2.17: CSeq of another method."""
    only(deliver("mismatch01", transport), 400)


def test_mismatch02(transport):
    """§3.1.2.18: the same with a method that nobody knows: 501 says more than 400."""
    only(deliver("mismatch02", transport), 501)


def test_bigcode(transport):
    """§3.1.2.19: a response code that is none."""
    with pytest.raises(MessageFault):
        parse_message(data("bigcode"))
    assert deliver("bigcode", transport).sent == []
