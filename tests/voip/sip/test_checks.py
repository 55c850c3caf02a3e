"""What a request must hold, and the RFC's own answer when it does not (RFC 3261 §8.1.1, §8.2, §16.3)."""

from __future__ import annotations

import pytest
from hypothesis import given

from denwa.voip.sip import message as m
from denwa.voip.sip.checks import asks_for, request_fault, response_fault, unsupported_extensions
from denwa.voip.sip.message import MessageFault, parse_message
from tests.voip.sip.messages import INVITE, REGISTER, RINGING, line, spoilt
from tests.voip.wire import Phone, Wire


def status_of(data: bytes) -> int | None:
    fault = request_fault(parse_message(data))
    return fault[0] if fault else None


def without(data: bytes, name: bytes) -> bytes:
    lines = data.split(b"\r\n")
    return b"\r\n".join(kept for kept in lines if not kept.startswith(name + b":"))


def test_a_sound_request_passes_and_its_tags_and_numbers_are_filled_in():
    request = parse_message(INVITE)
    assert request_fault(request) is None
    assert (request.call_id, request.from_tag, request.to_tag, request.cseq) == (b"7e3f@192.0.2.1", b"a1", b"", 7)
    assert request_fault(parse_message(REGISTER)) is None


@pytest.mark.parametrize("name", [b"Via", b"From", b"To", b"Call-ID", b"CSeq"])
def test_a_request_without_a_header_it_must_have_is_answered_400(name):  # §8.1.1
    fault = request_fault(parse_message(without(INVITE, name)))
    assert fault is not None
    assert fault[0] == 400
    assert name.decode() in fault[1]


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [
        (b" SIP/2.0\r\nVia: SIP/2.0/UDP", b" SIP/3.0\r\nVia: SIP/2.0/UDP", 505),  # §21.5.6
        (b" SIP/2.0\r\nVia: SIP/2.0/UDP", b" SIP/2.1\r\nVia: SIP/2.0/UDP", 505),
        (b" SIP/2.0\r\nVia: SIP/2.0/UDP", b"  SIP/2.0\r\nVia: SIP/2.0/UDP", 400),
        (b"INVITE sip:03", b"INVITE http://03", 416),  # §8.2.2.1
        (b"INVITE sip:03", b"INVITE urn:service:sos;03", 416),
        (b"INVITE sip:03", b"INVITE 03", 400),
        (b"INVITE sip:03", b"INVITE <sip:03", 400),
        (b"INVITE sip:03", b"INVITE sip:03 03", 400),
        (b"INVITE sip:03", b"INV[TE sip:03", 400),
        (b"CSeq: 7 INVITE", b"CSeq: 7 BYE", 400),
        (b"CSeq: 7 INVITE", b"CSeq: 7 invite", 400),  # methods are case-sensitive
        (b"CSeq: 7 INVITE", b"CSeq: 2147483648 INVITE", 400),  # §8.1.1.5
        (b"CSeq: 7 INVITE", b"CSeq: x INVITE", 400),
        (b"CSeq: 7 INVITE", b"CSeq: 7", 400),
        (b";tag=a1", b"", 400),  # §8.1.1.3
        (b"transport=udp>", b"transport=udp", 400),
        (b"To: <sip:0312345678@denwa.example>", b"To: <>", 400),
        (b"To: <sip:0312345678@denwa.example>", b'To: "x" <sip:y', 400),
        (b"Call-ID: 7e3f@192.0.2.1", b"Call-ID:", 400),
        (b"Call-ID: 7e3f@192.0.2.1", b"Call-ID: a b", 400),
        (b"Call-ID: 7e3f@192.0.2.1", b"Call-ID: " + b"x" * 513, 400),
        (b"Max-Forwards: 70", b"Max-Forwards: many", 400),
        (b"Max-Forwards: 70", b"Max-Forwards: 256", 400),
        (b"Max-Forwards: 70", b"Max-Forwards: -1", 400),
        (b"Content-Type: application/sdp\r\n", b"", 400),  # §7.4.1
        (b"Contact: <sip:50010001@192.0.2.1:5062;ob>\r\n", b"", 400),  # §8.1.1.8
        (b"CSeq: 7 INVITE", b"CSeq: 7 INVITE\r\nCSeq: 7 INVITE", 400),
        (b"Max-Forwards: 70", b"Max-Forwards: 70\r\nMax-Forwards: 70", 400),
    ],
)
def test_each_fault_has_the_answer_of_the_rfc(old, new, status):
    assert status_of(line(INVITE, old, new)) == status


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"INVITE sip:03", b"INVITE SIP:03"),
        (b"INVITE sip:0312345678@denwa.example", b"INVITE tel:+81312345678"),
        (b"INVITE sip:03", b"INVITE sips:03"),
        (b"Max-Forwards: 70", b"Max-Forwards: 0"),  # no fault: 483 is for who forwards
        (b"Max-Forwards: 70\r\n", b""),  # RFC 2543
        (b"Max-Forwards: 70", b"Max-Forwards: 255"),
        (b"CSeq: 7 INVITE", b"CSeq: 2147483647\t INVITE"),
        (b"Call-ID: 7e3f@192.0.2.1", b"Call-ID: " + b"x" * 512),
    ],
)
def test_what_is_odd_but_allowed_passes(old, new):
    assert status_of(line(INVITE, old, new)) is None


def test_the_expiry_of_a_registration_must_be_a_number():
    assert status_of(line(REGISTER, b"Expires: 600", b"Expires: soon")) == 400
    assert status_of(line(INVITE, b"Max-Forwards", b"Expires: soon\r\nMax-Forwards")) is None


def test_extensions_that_a_proxy_must_know_are_named():  # §16.3 step 5
    asked = parse_message(
        line(INVITE, b"Max-Forwards", b"Proxy-Require: Timer, foo\r\nProxy-Require: bar\r\nMax-Forwards")
    )
    assert unsupported_extensions(asked, frozenset((b"timer",))) == [b"foo", b"bar"]
    assert unsupported_extensions(parse_message(INVITE), frozenset()) == []


def test_an_option_is_asked_for_in_its_header_only():
    request = parse_message(INVITE)
    assert asks_for(request, m.SUPPORTED, b"timer")
    assert not asks_for(request, m.REQUIRE, b"timer")
    assert not asks_for(request, m.SUPPORTED, b"path")


def test_a_sound_response_passes_and_another_says_why_it_is_dropped():  # §18.1.2
    assert response_fault(parse_message(RINGING)) is None
    for bad in (line(RINGING, b"i: 7e3f@192.0.2.1\r\n", b""), line(RINGING, b"l: 0", b"l: 0\r\nl: 0")):
        assert response_fault(parse_message(bad))


@given(spoilt())
def test_whatever_is_spoilt_the_checks_say_so_or_let_pass_what_has_all_it_must_have(data):
    try:
        message = parse_message(data)
    except MessageFault:
        return
    if message.status:
        assert isinstance(response_fault(message), (str, type(None)))
        return
    fault = request_fault(message)
    if fault is None:
        assert message.from_tag or b"branch=z9hG4bK" not in message.lines[message.at[m.VIA]]  # RFC 2543 had none
        assert message.call_id
        assert all(kind in message.at for kind in (m.VIA, m.FROM, m.TO, m.CALL_ID, m.CSEQ))
    else:
        assert fault[0] in (400, 416, 501, 505)


# -- at the engine ----------------------------------------------------------------------------------------------------


def test_a_faulty_request_is_answered_and_a_faulty_ack_or_response_is_not():
    wire = Wire()
    peer = ("192.0.2.1", 5062)
    ((where, response),) = wire.send(peer, line(INVITE, b"CSeq: 7 INVITE", b"CSeq: 7 BYE"))
    assert (where, response.status) == (peer, 400)
    assert response.value(m.REASON)
    ((where, response),) = wire.send(peer, line(INVITE, b"X-Unknown:", b"No colon"))
    assert (where, response.status) == (peer, 400)
    assert wire.send(peer, INVITE.replace(b"INVITE", b"ACK").replace(b"CSeq: 7 ACK", b"CSeq: 7 BYE")) == []
    assert wire.send(peer, without(RINGING, b"i")) == []
    assert wire.send(peer, RINGING) == []  # a response to nothing of ours
    ((where, response),) = wire.send(peer, without(INVITE, b"Call-ID"))  # with the headers that it has
    assert (where, response.status) == (peer, 400)
    nameless = b"\r\n".join(kept for kept in INVITE.split(b"\r\n") if not kept.startswith((b"Via", b"v:", b"V")))
    assert wire.send(peer, nameless) == []  # nothing by which an answer would be known
    assert wire.send(peer, b"\r\n\r\n") == []  # keep-alive
    for cseq in (b"seven INVITE", b"7", b"7 7 7"):
        assert wire.send(peer, line(RINGING, b"7 INVITE", cseq)) == []
    # With a Via that cannot be read the answer goes where the request came from (RFC 4475 §3.1.2.1).
    unreadable = line(INVITE, b"SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bKabc;rport", b"UDP")
    ((where, response),) = wire.send(peer, unreadable)
    assert (where, response.status) == (peer, 400)
    assert wire.send(peer, unreadable.replace(b"INVITE", b"ACK")) == []
    assert wire.send(peer, line(RINGING, b"SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bKours.1;rport=5060", b"x")) == []
    assert wire.transactions == 0


@given(spoilt())
def test_the_engine_outlives_anything(data):
    wire = Wire()
    phone = Phone(wire, 1)
    phone.register()
    for peer in (phone.peer, ("192.0.2.80", 5080), ("192.0.2.1", 5062, 4)):
        wire.send(peer, data)
    wire.wait(0.6)
    assert phone.register().status == 200
