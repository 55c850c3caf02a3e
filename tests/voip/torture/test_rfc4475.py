"""The 49 messages of RFC 4475, each as the RFC has it and with the outcome that the RFC asks for, over UDP and TCP.

An INVITE that is well formed is challenged (407), a REGISTER too (401): the message was taken, and nobody knows who
sent it. What is then made of it is shown with credentials or a call around it. `transport`: a datagram or a connection.
"""

from __future__ import annotations

import re

import pytest

from denwa.voip.sip import message as m
from denwa.voip.sip.checks import request_fault, response_fault
from denwa.voip.sip.fields import cseq_of, split_list, tag_of, top_via
from denwa.voip.sip.message import Message, MessageFault, parse_message
from denwa.voip.sip.uri import SipUri, parse_uri
from tests.voip.torture.deliver import STRANGER, Delivery, names, service, vector
from tests.voip.wire import Phone, Wire, answer, md5, text_of, to

FOLDER = "rfc4475"


@pytest.fixture(params=["udp", "tcp"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def data(name: str) -> bytes:
    return vector(FOLDER, name)


def deliver(name: str, transport: str, wire: Wire | None = None) -> Delivery:
    return Delivery(wire or service(), data(name), transport)


def only(delivery: Delivery, status: int) -> Message:
    """The one answer, which says `status` and carries what an answer must (RFC 3261 §8.2.6.2)."""
    assert delivery.statuses == [status]
    return delivery.answers[0]


def request_of(name: str) -> Message:
    """The message, read and found sound."""
    request = parse_message(data(name))
    assert request_fault(request) is None
    return request


def signed(name: str, account: str, password: str = "pw") -> tuple[Wire, bytes]:
    """A REGISTER of the RFC with an Authorization of `account` added at its end, and the service it is meant for."""
    wire = service(account.encode())
    text = data(name)
    challenge = only(Delivery(wire, text, "udp"), 401)
    nonce = re.search(rb'nonce="([^"]+)"', b"\n".join(challenge.lines))
    assert nonce
    uri = parse_message(text).uri.decode()
    ha1, ha2 = md5(f"{account}:denwa.example:{password}"), md5(f"REGISTER:{uri}")
    response = md5(f"{ha1}:{nonce.group(1).decode()}:00000001:abc:auth:{ha2}")
    line = (
        f'Authorization: Digest username="{account}", realm="denwa.example", nonce="{nonce.group(1).decode()}", '
        f'uri="{uri}", response="{response}", algorithm=MD5, cnonce="abc", qop=auth, nc=00000001'
    )
    return wire, text.replace(b"\r\n\r\n", b"\r\n" + line.encode() + b"\r\n\r\n", 1)


def contacts_of(response: Message) -> list[bytes]:
    return [element for value in response.values(m.CONTACT) for element in split_list(value)]


def forwarded(name: str, *changes: tuple[bytes, bytes]) -> tuple[Message, Message]:
    """An INVITE of the RFC made one of a gateway to a subscriber (only its Request-URI changes): as sent and as it
    reaches the phone."""
    wire = service()
    phone = Phone(wire, 2)
    phone.register()
    text = data(name)
    for old, new in ((parse_message(text).uri, b"sip:05050010002@denwa.example"), *changes):
        assert old in text
        text = text.replace(old, new, 1)
    wire.send(wire.settings.trunks[0].peer, text)
    return parse_message(text), to(
        [(peer, sent) for peer, sent, _ in wire.sent if sent.method == b"INVITE"], phone.peer
    )


def relayed(name: str) -> Message:
    """A response of the RFC given to a live INVITE of ours: what of it reaches the caller."""
    wire = Wire()
    caller, callee = Phone(wire, 1), Phone(wire, 2)
    callee.register()
    invite = to(caller.invite(callee.number), callee.peer)
    kept = [line for line in parse_message(answer(invite, 200, callee.peer).encode()).lines[1:] if line]
    ours = parse_message(data(name))
    lines = [ours.lines[0], *[line for line in kept if not line.startswith((b"Content", b"Contact"))]]
    lines += [line for line in ours.lines[1:] if line.startswith((b"Contact", b"Content"))]
    before = len(wire.sent)
    wire.send(callee.peer, b"\r\n".join(lines) + b"\r\n\r\n" + ours.body)
    found = [sent for peer, sent, _ in wire.sent[before:] if peer == caller.peer]
    assert len(found) == 1 if ours.status > 100 else not found
    return found[0] if found else ours


def test_all_forty_nine_are_here():
    here = {name[5:] for name in globals() if name.startswith("test_")} - {"all_forty_nine_are_here"}
    assert names(FOLDER) <= here
    assert len(names(FOLDER)) == 49


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


# -- 3.2 transaction layer ----------------------------------------------------------------------------------------


def test_badbranch(transport):
    """§3.2.1: a branch that is only the magic cookie tells no transactions apart: the rules of RFC 2543 do."""
    wire = service()
    only(deliver("badbranch", transport, wire), 200)
    again = data("badbranch").replace(b"badbranch.sadonfo", b"another.sadonfo").replace(b"CSeq: 8", b"CSeq: 9")
    response = only(Delivery(wire, again, transport), 200)
    assert text_of(response, m.CALL_ID).startswith("another.")


# -- 3.3 application layer ----------------------------------------------------------------------------------------


def test_insuf(transport):
    """§3.3.1: no Call-ID, From and To; the 400 carries what there is."""
    response = only(deliver("insuf", transport), 400)
    assert response.value(m.CSEQ) == b"193942 INVITE"
    assert (response.value(m.VIA) or b"").startswith(b"SIP/2.0/UDP 192.0.2.95;branch=z9hG4bKkdj.insuf")


def test_unkscm(transport):
    """§3.3.2: a Request-URI of a scheme that nobody knows."""
    only(deliver("unkscm", transport), 416)


def test_novelsc(transport):
    """§3.3.3: of a scheme known elsewhere, with a dot in its name."""
    only(deliver("novelsc", transport), 416)


def test_unksm2(transport):
    """§3.3.4: other schemes in To, From, Contact: a registrar needs a SIP URI in To."""
    only(deliver("unksm2", transport), 400)


def test_bext01(transport):
    """§3.3.5: extensions in Require and Proxy-Require: a proxy names those of Proxy-Require."""
    response = only(deliver("bext01", transport), 420)
    assert b"Unsupported: noProxiesSupportThis, norDoAnyProxiesSupportThis" in response.lines


def test_invut(transport):
    """§3.3.6: a body of an unknown type is for the phone to judge (415)."""
    only(deliver("invut", transport), 407)
    sent, got = forwarded("invut")
    assert (got.body, got.value(m.CONTENT_TYPE)) == (sent.body, b"application/unknownformat")


def test_regaut01(transport):
    """§3.3.7: credentials of an unknown scheme are none."""
    response = only(deliver("regaut01", transport), 401)
    assert any(line.startswith(b"WWW-Authenticate: Digest ") for line in response.lines)


def test_multi01(transport):
    """§3.3.8: headers twice that may stand once."""
    only(deliver("multi01", transport), 400)


def test_mcl01(transport):
    """§3.3.9: two Content-Lengths that differ; nobody knows where the next message of a connection begins."""
    delivery = deliver("mcl01", transport)
    only(delivery, 400)
    assert delivery.closed == (transport == "tcp")


def test_bcast(transport):
    """§3.3.10: a response whose second Via is the broadcast address goes nowhere, least of all there."""
    assert deliver("bcast", transport).sent == []
    wire = Wire()
    caller, callee = Phone(wire, 1), Phone(wire, 2)
    callee.register()
    invite = to(caller.invite(callee.number), callee.peer)
    own = answer(invite, 200, callee.peer).encode()
    via = re.search(rb"Via: [^\r]*\r\n", own)
    assert via
    wire.send(
        callee.peer, own.replace(via.group(), via.group() + b"Via: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bK1\r\n")
    )
    assert {peer[0] for peer, _, _ in wire.sent} <= {caller.peer[0], callee.peer[0]}


def test_zeromf(transport):
    """§3.3.11: Max-Forwards 0 goes no further."""
    only(deliver("zeromf", transport), 483)


def test_cparam01(transport):
    """§3.3.12: a parameter behind an address without <> belongs to the header."""
    only(deliver("cparam01", transport), 401)
    wire, text = signed("cparam01", "watson")
    (contact,) = contacts_of(only(Delivery(wire, text, transport), 200))
    assert contact.startswith(b"<sip:+19725552222@gw1.example.net>;unknownparam;expires=")


def test_cparam02(transport):
    """§3.3.13: within <> it belongs to the URI."""
    only(deliver("cparam02", transport), 401)
    wire, text = signed("cparam02", "watson")
    (contact,) = contacts_of(only(Delivery(wire, text, transport), 200))
    assert contact.startswith(b"<sip:+19725552222@gw1.example.net;unknownparam>;expires=")


def test_regescrt(transport):
    """§3.3.14: the escaped Route of a Contact is bound with it."""
    only(deliver("regescrt", transport), 401)
    wire, text = signed("regescrt", "user")
    (contact,) = contacts_of(only(Delivery(wire, text, transport), 200))
    assert contact.startswith(b"<sip:user@example.com?Route=%3Csip:sip.example.com%3E>;expires=")


def test_sdp01(transport):
    """§3.3.15: what the caller accepts (406) is for the phone to judge."""
    only(deliver("sdp01", transport), 407)
    _, got = forwarded("sdp01")
    assert b"Accept: text/nobodyKnowsThis" in got.lines


# -- 3.4 backward compatibility -----------------------------------------------------------------------------------


def test_inv2543(transport):
    """§3.4.1: an INVITE of RFC 2543: no branch, From tag, Contact, Max-Forwards, Content-Length (needed on TCP)."""
    delivery = deliver("inv2543", transport)
    if transport == "tcp":
        only(delivery, 400)
        assert delivery.closed  # RFC 3261 §18.3: no Content-Length, no end
        return
    only(delivery, 407)
    sent, got = forwarded("inv2543")
    assert got.body == sent.body
    assert got.value(m.MAX_FORWARDS) == b"70"
    assert tag_of(got.value(m.FROM) or b"") == b""
    assert cseq_of(got.value(m.CSEQ) or b"") == (56, b"INVITE")


def test_a_call_of_rfc_2543_ends_by_a_bye_of_the_phone_that_knows_no_tag():
    wire = service()
    phone = Phone(wire, 2)
    phone.register()
    gateway = wire.settings.trunks[0].peer
    wire.send(gateway, data("inv2543").replace(b"sip:UserB@example.com", b"sip:05050010002@denwa.example", 1))
    invite = to([(peer, sent) for peer, sent, _ in wire.sent if sent.method == b"INVITE"], phone.peer)
    ok = to(wire.send(phone.peer, answer(invite, 200, phone.peer)), gateway_answer(gateway))
    assert ok.status == 200
    bye = (
        f"BYE sip:+13035551111@{gateway[0]} SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKbye\r\n"
        f"From: {text_of(ok, m.TO)}\r\nTo: {text_of(ok, m.FROM)}\r\nCall-ID: {text_of(ok, m.CALL_ID)}\r\n"
        "CSeq: 1 BYE\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    )
    passed = to(wire.send(phone.peer, bye), gateway)
    assert passed.method == b"BYE"
    wire.send(gateway, answer(passed, 200, gateway))
    assert [end.end_cause for end in wire.ends] == ["callee"]


def gateway_answer(gateway: tuple) -> tuple[str, int]:
    """Without a port in its Via, the answer goes to 5060 (RFC 3261 §18.2.2)."""
    return (gateway[0], 5060)


def test_a_stranger_learns_no_more_of_a_sound_message_than_its_challenge(transport):
    """Nothing of the 49 reaches a phone or leaves a record when nobody is known to have sent it."""
    for name in sorted(names(FOLDER)):
        wire = service()
        delivery = deliver(name, transport, wire)
        assert {peer[0] for peer, _, _ in delivery.sent} <= {STRANGER[0]}, name
        assert wire.calls == [], name
