"""RFC 4475 §3.2 to §3.4: sound messages for the transaction layer and the application, over UDP and TCP."""

from __future__ import annotations

import re

from denwa.voip.sip import message as m
from denwa.voip.sip.fields import cseq_of, tag_of
from tests.voip.torture.deliver import Delivery, service
from tests.voip.torture.rfc4475_messages import contacts_of, data, deliver, forwarded, only, signed
from tests.voip.wire import Phone, Wire, answer, text_of, to

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
