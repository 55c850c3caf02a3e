"""What is read by a learned pattern is read exactly as with care (decision 0030)."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.mutations import mutate
from denwa.voip.sip.authorization import parse_credentials
from denwa.voip.sip.checks import request_fault, response_fault
from denwa.voip.sip.fields import cseq_of, top_via
from denwa.voip.sip.message import AUTHORIZATION, CSEQ, PROXY_AUTHORIZATION, VIA, Message, MessageFault, parse_message
from denwa.voip.sip.ordinary import OrdinaryMessages
from tests.voip.sip.messages import INVITE, REGISTER, RINGING, line, spoilt
from tests.voip.wire import GATEWAY, Phone, Wire

ANSWER = (
    b"SIP/2.0 200 OK\r\n"
    b"Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bKours.1;rport, SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK-1-0;rport=5\r\n"
    b"Record-Route: <sip:192.0.2.10;lr>\r\n"
    b"From: <sip:50010001@denwa.example>;tag=a1\r\n"
    b"To: <sip:0312345678@denwa.example>;tag=b2\r\n"
    b"Call-ID: 7e3f@192.0.2.1\r\n"
    b"CSeq: 7 INVITE\r\n"
    b"Contact: <sip:192.0.2.80:5080>\r\n"
    b"Content-Type: application/sdp\r\n"
    b"Content-Length:    10\r\n"
    b"\r\n"
    b"v=0\r\ns=-\r\n"
)
SIGNED = (
    b'Proxy-Authorization: Digest username="50010001",realm="denwa.example",cnonce="1d701bff",nc=00000001,qop=auth,'
    b'uri="sip:0312345678@denwa.example",nonce="6b02b3e9",response="51fcb6a1dc71f57974fcc32fe00432b4",algorithm=MD5\r\n'
)
CALL = line(line(INVITE, b' \\"x\\", <y>" <sip:', b' x, y" <sip:'), b"Supported", SIGNED + b"Supported")
BYE = (
    b"BYE sip:192.0.2.80:5080 SIP/2.0\r\n"
    b"v: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bKbye\r\n"
    b"f: <sip:50010001@denwa.example>;tag=a1\r\n"
    b"t: <tel:0312345678>;tag=b2\r\n"
    b"i: 7e3f@192.0.2.1\r\n"
    b"CSeq: 8 BYE\r\n"
    b"Max-Forwards: 9\r\n"
    b"Route: <sip:192.0.2.10;lr>\r\n"
    b"Route: <sip:192.0.2.11;lr>\r\n"
    b"l: 0\r\n"
    b"\r\n"
)
COMPACT = REGISTER.replace(b"Contact:", b"m:").replace(b"Content-Length:", b"l :")
ORDINARY = (REGISTER, COMPACT, CALL, RINGING, ANSWER, BYE)


def careful(data: bytes) -> Message:
    """As the engine reads what it knows no pattern for; raises AssertionError or MessageFault for what is faulty."""
    message = parse_message(data)
    assert (response_fault if message.status else request_fault)(message) is None
    return message


def fields(message: Message) -> dict[str, object]:
    return {name: getattr(message, name) for name in Message.__slots__ if name != "credentials"}


def taught(*messages: bytes) -> OrdinaryMessages:
    table = OrdinaryMessages()
    for second, data in enumerate(messages):
        table.learn(careful(data), data, float(second))
    return table


def check(table: OrdinaryMessages, data: bytes) -> bool:
    """Whether a pattern takes the message; then it must be sound, and every field the same."""
    read = table.read(data)
    if read is None:
        return False
    message, via, method = read
    known = careful(data)
    assert fields(message) == fields(known)
    if message.credentials is not None:
        (signed,) = message.values(AUTHORIZATION) + message.values(PROXY_AUTHORIZATION)
        assert message.credentials == parse_credentials(signed)
    assert via == top_via(known.value(VIA) or b"")
    assert method == cseq_of(known.value(CSEQ) or b"")[1]
    return True


@pytest.mark.parametrize("data", ORDINARY, ids=lambda data: data[:12].decode())
def test_the_next_message_of_a_kind_is_read_by_its_pattern(data):
    table = taught(data)
    later = data.replace(b"7e3f", b"another").replace(b"tag=a1", b"tag=x.y").replace(b": 7 ", b": 123456789 ")
    assert check(table, data)
    assert check(table, later)
    assert not check(OrdinaryMessages(), data)


TABLE = taught(*ORDINARY)


@given(spoilt(ORDINARY))
def test_what_is_spoilt_is_read_as_with_care_or_not_at_all(data):
    check(TABLE, data)


def test_many_mutations_of_all_kinds_are_read_as_with_care_or_not_at_all():
    random = Random(5)
    taken = sum(check(TABLE, mutate(random, ORDINARY)) for _ in range(20_000))
    assert taken > 500


@given(st.data())
def test_a_pattern_made_of_a_spoilt_but_sound_message_takes_nothing_that_care_would_not(data):
    first = data.draw(spoilt(ORDINARY))
    try:
        message = careful(first)
    except (AssertionError, MessageFault):
        return
    table = OrdinaryMessages()
    table.learn(message, first, 0.0)
    check(table, first)
    check(table, data.draw(spoilt((first,))))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Content-Length: 0", b"Content-Length: 1"),  # longer than what came
        (b"CSeq: 1 REGISTER", b"CSeq: 1 INVITE"),
        (b"CSeq: 1 REGISTER", b"CSeq: 4294967296 REGISTER"),
        (b"To: <sip:50010001", b"To: <tel:50010001"),
        (b"Expires: 600", b"Expires: soon"),
        (b"Max-Forwards: 70", b"Max-Forwards: 300"),
        (b"Call-ID: reg", b"Call-ID: two words"),
        (b"User-Agent: PJSUA2", b"User-Agent: PJ\0SUA2"),
        (b"User-Agent: PJSUA2", b"User-Agent: PJ\rSUA2"),
        (b"User-Agent: PJSUA2", b"User-Agent: PJSUA2\r\n folded"),
        (b";tag=r", b""),
        (b"sip:denwa.example SIP", b"sip:a b SIP"),
    ],
)
def test_a_fault_in_an_ordinary_message_is_left_to_careful_reading(old, new):
    assert not check(taught(REGISTER), line(REGISTER, old, new))


def test_a_contact_with_headers_outside_brackets_is_left_to_careful_reading():
    bare = line(COMPACT, b"m: <sip:50010001@192.0.2.1:5062>;expires=600", b"m: sip:50010001@192.0.2.1?a=b")
    assert not check(taught(COMPACT), bare)


def test_a_client_of_rfc_2543_teaches_no_pattern_that_lets_others_leave_headers_out():
    old = b"\r\n".join(one for one in CALL.split(b"\r\n") if not one.startswith(b"Contact"))
    old = old.replace(b"branch=z9hG4bKabc", b"branch=1")
    table = taught(old)
    assert not check(table, old)
    assert table.read(old.replace(b"branch=1", b"branch=z9hG4bK1")) is None


def test_a_folded_message_teaches_nothing():
    folded = line(REGISTER, b"Content-Length: 0", b"Content-Length: 0\r\nX-Folded: here\r\n and: there")
    assert not check(taught(folded), folded)


def test_a_manner_with_a_longer_header_than_a_message_may_have_is_read_with_care():
    assert not check(taught(REGISTER), line(REGISTER, b"PJSUA2", b"x" * 70_000)[:60_000])
    with pytest.raises(MessageFault):
        careful(line(REGISTER, b"PJSUA2", b"x" * 70_000))
    assert taught(REGISTER).read(line(REGISTER, b"PJSUA2", b"x" * 70_000)) is None


def test_patterns_are_made_at_most_fifty_a_second():
    table = OrdinaryMessages()
    table.learn(careful(REGISTER), REGISTER, 10.0)
    table.learn(careful(BYE), BYE, 10.01)
    assert check(table, REGISTER)
    assert not check(table, BYE)
    table.learn(careful(BYE), BYE, 10.03)
    assert check(table, BYE)


def test_a_manner_that_is_never_ordinary_is_not_tried_for_ever():
    table = OrdinaryMessages()
    odd = line(REGISTER, b"Max-Forwards: 70", b"Max-Forwards: 070")
    for second in range(3):
        table.learn(careful(odd), odd, float(second))
    table.learn(careful(REGISTER), REGISTER, 4.0)
    assert not check(table, REGISTER)


def test_of_messages_that_begin_alike_the_last_used_are_kept():
    table = OrdinaryMessages()
    alike = [line(REGISTER, b"User-Agent", b"X-Agent-%d" % number) for number in range(12)]
    for second, data in enumerate(alike):
        table.learn(careful(data), data, float(second))
        assert check(table, alike[0]) is True
    assert [check(table, data) for data in alike] == [True] + [False] * 4 + [True] * 7


@pytest.mark.parametrize("proves_itself", [True, False])
def test_only_who_proved_itself_teaches_the_engine(proves_itself):
    wire = Wire()
    phone = Phone(wire, 1)
    phone.register(password="pw" if proves_itself else "guessed")
    for _ in range(2):
        wire.wait(1.0)
        wire.send(phone.peer, phone.register_text())
    assert (wire.engine.ordinary.read(phone.register_text().encode()) is not None) is proves_itself


def test_a_gateway_teaches_the_engine():
    wire = Wire()
    for number in range(2):
        wire.wait(1.0)
        wire.send(GATEWAY, BYE.replace(b"7e3f", b"%d" % number))
    assert wire.engine.ordinary.read(BYE) is not None


def test_the_credentials_of_the_next_message_are_read_too():
    later = line(CALL, b"nc=00000001", b"nc=0000000a").replace(b"51fcb6a1", b"00000000")
    read = taught(CALL).read(later)
    assert read is not None
    assert read[0].credentials == parse_credentials(read[0].value(PROXY_AUTHORIZATION) or b"")
    assert read[0].credentials is not None


def test_of_two_headers_of_credentials_none_is_read_in_advance():
    for more in (SIGNED, SIGNED.replace(b"Proxy-", b"")):
        double = line(CALL, b"Supported", more + b"Supported")
        read = taught(double).read(double)
        assert read is not None
        assert read[0].credentials is None


def test_two_programs_with_the_same_headers_may_sign_each_in_its_own_manner():
    other = line(CALL, b"nc=00000001,qop=auth,uri=", b"qop=auth, nc=00000001, uri=")
    table = taught(CALL, other)
    assert check(table, CALL)
    assert check(table, other)
