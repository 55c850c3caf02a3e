"""A message is read the same however its headers are spelled, and goes on byte for byte (RFC 3261 §7)."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from denwa.voip.sip import message as m
from denwa.voip.sip.message import Message, MessageFault, parse_message
from tests.voip.sip.messages import INVITE, REAL, REGISTER, RINGING, line, spoilt

COMPACT = {
    b"Call-ID": b"i",
    b"From": b"f",
    b"To": b"t",
    b"Content-Length": b"l",
    b"Content-Type": b"c",
    b"Session-Expires": b"x",
    b"Via": b"v",
    b"Contact": b"m",
    b"Supported": b"k",
}
KINDS = {
    b"Call-ID": m.CALL_ID,
    b"From": m.FROM,
    b"To": m.TO,
    b"CSeq": m.CSEQ,
    b"Max-Forwards": m.MAX_FORWARDS,
    b"Content-Length": m.CONTENT_LENGTH,
    b"Content-Type": m.CONTENT_TYPE,
    b"Expires": m.EXPIRES,
    b"Session-Expires": m.SESSION_EXPIRES,
    b"Min-SE": m.MIN_SE,
    b"Via": m.VIA,
    b"Route": m.ROUTE,
    b"Record-Route": m.RECORD_ROUTE,
    b"Contact": m.CONTACT,
    b"Authorization": m.AUTHORIZATION,
    b"Proxy-Authorization": m.PROXY_AUTHORIZATION,
    b"Supported": m.SUPPORTED,
    b"Require": m.REQUIRE,
    b"Proxy-Require": m.PROXY_REQUIRE,
    b"Privacy": m.PRIVACY,
    b"P-Asserted-Identity": m.P_ASSERTED_IDENTITY,
    b"P-Preferred-Identity": m.P_PREFERRED_IDENTITY,
    b"History-Info": m.HISTORY_INFO,
    b"Diversion": m.DIVERSION,
    b"Reason": m.REASON,
    b"User-Agent": m.USER_AGENT,
    b"Path": m.PATH,
    b"Remote-Party-ID": m.REMOTE_PARTY_ID,
}
SINGLE = [name for name, kind in KINDS.items() if kind < m.LAST_SINGLE]
MANY = [name for name, kind in KINDS.items() if kind > m.LAST_SINGLE]


def seen(message: Message) -> dict[int, list[bytes]]:
    return {kind: message.values(kind) for kind in message.at}


@st.composite
def spelled(draw: st.DrawFn, name: bytes, value: bytes) -> bytes:
    """One header line in one of the ways it may be written (§7.3.1, §7.3.3)."""
    if name in COMPACT and draw(st.booleans()):
        name = COMPACT[name]
    cased = bytes(c ^ 0x20 if chr(c).isalpha() and draw(st.booleans()) else c for c in name)
    before, after = draw(st.sampled_from([b"", b" ", b"\t"])), draw(st.sampled_from([b"", b" ", b"  ", b"\r\n "]))
    words = value.split(b" ")
    fold = draw(st.sampled_from([b" ", b"\r\n ", b"\r\n\t", b" \r\n  "]))
    return cased + before + b":" + after + fold.join(words) + draw(st.sampled_from([b"", b" "]))


@st.composite
def written(draw: st.DrawFn) -> tuple[dict[bytes, list[bytes]], bytes]:
    """Headers and a request that holds them, spelled, folded and mixed at will."""
    word = st.text("abcXYZ0189-.;=", min_size=1, max_size=8).map(str.encode)
    value = st.lists(word, min_size=1, max_size=3).map(b" ".join)
    headers: dict[bytes, list[bytes]] = {}
    for name in draw(st.lists(st.sampled_from(SINGLE), unique=True, max_size=6)):
        headers[name] = [b"0" if name == b"Content-Length" else draw(value)]
    for name in draw(st.lists(st.sampled_from(MANY), unique=True, max_size=5)):
        headers[name] = draw(st.lists(value, min_size=1, max_size=3))
    waiting = {name: list(values) for name, values in headers.items()}
    lines = [b"OPTIONS sip:denwa.example SIP/2.0"]
    while waiting:
        name = draw(st.sampled_from(sorted(waiting)))
        lines.append(draw(spelled(name, waiting[name].pop(0))))
        if not waiting[name]:
            del waiting[name]
        if draw(st.integers(0, 4)) == 0:
            lines.append(b"X-Other: something")
    return headers, b"\r\n".join(lines) + b"\r\n\r\n"


@settings(max_examples=60)
@given(written())
def test_case_compact_form_folding_blanks_and_order_of_headers_make_no_difference(written_):
    headers, data = written_
    message = parse_message(data)
    assert seen(message) == {KINDS[name]: values for name, values in headers.items()}
    assert message.repeated == 0


@settings(max_examples=60)
@given(written())
def test_what_is_not_folded_goes_on_byte_for_byte_and_folding_becomes_one_space(written_):
    _, data = written_
    again = parse_message(data).encode()
    if b"\r\n " not in data and b"\r\n\t" not in data:
        assert again == data
    assert seen(parse_message(again)) == seen(parse_message(data))
    assert parse_message(again).encode() == again


@pytest.mark.parametrize("data", REAL)
def test_a_message_that_is_only_passed_on_keeps_its_bytes(data):
    assert parse_message(data).encode() == data
    assert parse_message(b"\r\n\r\n" + data).encode() == data  # §7.5: empty lines before the start line


@pytest.mark.parametrize("name", KINDS)
def test_every_known_header_has_a_kind_in_any_case(name):
    for spelling in (name, name.lower(), name.upper(), name + b" ", COMPACT.get(name, name)):
        assert m.kind_of(spelling + b": 1") == KINDS[name]
    assert m.kind_of(b"X-" + name + b": 1") == m.OTHER


@given(st.one_of(st.binary(max_size=400), spoilt()), st.booleans())
@example(b"", False)
@example(b"\r\n\r\n", False)
@example(b"SIP/2.0 \xb2\xb2\xb2 OK\r\n\r\n", False)
@example(b"INVITE sip:x SIP/2.0\r\nContent-Length: \xb2\r\n\r\n", False)
@example(b"INVITE sip:x SIP/2.0\r\n: empty\r\n\r\n", False)
@example(b"\r\n \r\n \r\n\r\n", True)
def test_whatever_comes_is_a_message_or_a_fault(data, stream):
    try:
        message = parse_message(data, stream=stream)
    except MessageFault:
        return
    assert bool(message.status) != bool(message.method)
    # `at` speaks the truth, and what goes out is read as the same again.
    assert all(m.kind_of(message.lines[i]) == kind for kind, i in message.at.items())
    again = parse_message(message.encode(), stream=stream)
    assert seen(again) == seen(message)
    assert again.body == message.body


def test_a_request_and_a_response_are_told_apart():
    request, response = parse_message(INVITE), parse_message(RINGING)
    assert (request.method, request.uri, request.status) == (b"INVITE", b"sip:0312345678@denwa.example", 0)
    assert (response.method, response.status) == (b"", 180)
    assert parse_message(b"SIP/2.0 200\r\n\r\n").status == 200  # no reason phrase
    odd = parse_message(b"INVITE sip:a b@c SIP/2.0\r\n\r\n")
    assert odd.uri == b"sip:a b@c"  # the check answers 400, so the reading keeps it


@pytest.mark.parametrize(
    "start",
    [b"SIP/2.0 99 Low", b"SIP/2.0 700 High", b"SIP/2.0 2000 Long", b"SIP/2.0 abc No", b"SIP/3.0 200 OK",
     b"INVITE sip:x", b"INVITE", b"GET / HTTP/1.1", b"\x16\x03\x01", b"sip/2.0 200 OK"],
)  # fmt: skip
def test_a_start_line_that_is_none_is_a_fault(start):
    with pytest.raises(MessageFault):
        parse_message(start + b"\r\nVia: x\r\n\r\n")


@pytest.mark.parametrize("bad", [b"Sub\nject: x", b"Subject: a\rb", b"Subject: \0", b"X: y\nVia: z"])
def test_bare_cr_lf_or_nul_in_the_headers_is_a_fault_that_gets_no_answer(bad):
    """An answer would copy them on: what ends a line for one reader does not for another."""
    with pytest.raises(MessageFault) as fault:
        parse_message(line(REGISTER, b"User-Agent: PJSUA2", bad))
    assert fault.value.message is None


@pytest.mark.parametrize("bad", [b"no colon here", b"Tox", b"Contact", b": no name", b"na me: x", b"S\xfc: x"])
def test_a_line_that_is_no_header_is_a_fault_that_can_be_answered(bad):
    m.kind_of(b"")  # a line taken out of another message teaches nothing,
    m.kind_of(bad)  # and a faulty one neither
    with pytest.raises(MessageFault) as fault:
        parse_message(line(REGISTER, b"User-Agent: PJSUA2", bad))
    assert fault.value.message is not None
    assert fault.value.message.method == b"REGISTER"
    assert fault.value.message.value(m.CALL_ID) == b"reg"


def test_a_header_that_may_stand_once_is_noticed_when_it_stands_twice():
    twice = parse_message(line(REGISTER, b"CSeq: 1 REGISTER\r\n", b"CSeq: 1 REGISTER\r\ncseq: 2 REGISTER\r\n"))
    assert twice.repeated == m.CSEQ
    assert parse_message(line(INVITE, b"To:", b"t: <sip:x@y>\r\nTo:")).repeated == m.TO
    assert parse_message(INVITE).repeated == 0


# -- the body (§18.3) -------------------------------------------------------------------------------------------------


def test_over_udp_bytes_behind_the_body_are_discarded():
    assert parse_message(INVITE + b"\0\0garbage").body == b"v=0\r\ns=-\r\n"
    assert parse_message(line(INVITE, b"Content-Length: 10\r\n", b"")).body == b"v=0\r\ns=-\r\n"


@pytest.mark.parametrize("length", [b"11", b"-1", b"ten", b"1e1", b"", b"9999999999", b"10 10", b"\xb2"])
def test_a_content_length_that_is_not_true_is_a_fault_that_can_be_answered(length):
    with pytest.raises(MessageFault) as fault:
        parse_message(line(INVITE, b"Content-Length: 10", b"Content-Length: " + length))
    assert fault.value.message is not None


def test_the_size_of_what_is_read_is_bounded():
    many = b"".join(b"X-H%d: v\r\n" % i for i in range(m.MAX_LINES))
    with pytest.raises(MessageFault, match="too many"):
        parse_message(line(REGISTER, b"User-Agent: PJSUA2\r\n", many))
    with pytest.raises(MessageFault, match="too long"):
        parse_message(line(REGISTER, b"PJSUA2", b"x" * m.MAX_HEAD))


def test_strangers_cannot_make_the_table_of_spellings_grow_without_bound():
    for i in range(2 * m._MAX_SPELLINGS):
        m.kind_of(b"X-Made-Up-%d: x" % i)
    assert len(m._SPELLINGS) <= m._MAX_SPELLINGS
    assert m.kind_of(b"cOnTaCt : x") == m.CONTACT  # the full table still reads right


# -- changing one -----------------------------------------------------------------------------------------------------


def test_replacing_removing_and_setting_in_leave_the_other_lines_where_they_are():
    message = parse_message(INVITE)
    message.replace(m.MAX_FORWARDS, b"Max-Forwards: 69")
    message.remove(m.ROUTE)
    message.replace(m.PRIVACY, b"Privacy: id")
    lines = message.encode_under(b"Via: new").split(b"\r\n")
    before = INVITE.split(b"\r\n")
    assert lines[1] == b"Via: new"
    assert lines[2:4] == before[1:3]
    assert lines[4] == b"Max-Forwards: 69"
    assert [x for x in lines if x.startswith(b"Route")] == []
    assert b"Privacy: id" in lines
    assert message.value(m.PRIVACY) == b"id"
    assert message.value(m.ROUTE) is None
    assert message.values(m.ROUTE) == []


def test_taking_the_top_via_off_makes_the_next_one_the_top():
    message = parse_message(INVITE)
    message.drop_first(m.VIA)
    assert message.values(m.VIA) == [b"SIP/2.0/TCP proxy.example;branch=z9hG4bKold"]
    message.drop_first(m.VIA)
    assert m.VIA not in message.at
    assert b"Via" not in message.encode()


def test_removing_takes_every_line_of_a_kind():
    data = line(INVITE, b"Route:", b"P-Asserted-Identity: <tel:+811>\r\np-asserted-identity: <tel:+812>\r\nRoute:")
    message = parse_message(data)
    message.remove(m.P_ASSERTED_IDENTITY)
    assert b"ssert" not in message.encode()
    message.remove(m.P_ASSERTED_IDENTITY)  # nothing left: nothing happens
