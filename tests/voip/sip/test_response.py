"""Answers of our own, and the ACK and CANCEL that follow from a request sent (RFC 3261 §8.2.6, §9.1, §17.1.1.3)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from denwa.voip.sip import message as m
from denwa.voip.sip.message import parse_message
from denwa.voip.sip.response import PHRASES, make_ack, make_cancel, make_response, reason_header
from tests.voip.sip.messages import INVITE, RINGING, line


def test_an_answer_copies_all_vias_from_to_call_id_and_cseq():  # §8.2.6.2
    request = parse_message(INVITE)
    response = parse_message(make_response(request, 404, b"ours", [b"Reason: x"]))
    assert response.lines[0] == b"SIP/2.0 404 Not Found"
    for kind in (m.VIA, m.FROM, m.CALL_ID, m.CSEQ):
        assert response.lines_of(kind) == request.lines_of(kind)
    assert response.value(m.TO) == b"<sip:0312345678@denwa.example>;tag=ours"
    assert response.value(m.REASON) == b"x"
    assert response.value(m.CONTENT_LENGTH) == b"0"
    assert response.body == b""


def test_a_100_gets_no_tag_and_a_tag_that_is_there_stays():
    request = parse_message(INVITE)
    assert b"tag" not in (parse_message(make_response(request, 100, b"")).value(m.TO) or b"")
    inside = parse_message(line(INVITE, b"To: <sip:0312345678@denwa.example>", b"To: <sip:x@y>;tag=theirs"))
    assert parse_message(make_response(inside, 200, b"ours")).value(m.TO) == b"<sip:x@y>;tag=theirs"


def test_record_route_comes_back_in_what_makes_a_dialog_and_not_in_a_failure():
    request = parse_message(
        line(INVITE, b"Max-Forwards", b"Record-Route: <sip:p1;lr>\r\nRecord-Route: <sip:p2;lr>\r\nMax-Forwards")
    )
    both = [b"Record-Route: <sip:p1;lr>", b"Record-Route: <sip:p2;lr>"]
    assert parse_message(make_response(request, 180, b"t")).lines_of(m.RECORD_ROUTE) == both
    assert parse_message(make_response(request, 200, b"t")).lines_of(m.RECORD_ROUTE) == both
    assert parse_message(make_response(request, 486, b"t")).lines_of(m.RECORD_ROUTE) == []


def test_every_status_has_a_phrase_and_an_unknown_one_is_still_well_formed():
    request = parse_message(INVITE)
    for status in (*PHRASES, 499):
        assert parse_message(make_response(request, status, b"t")).status == status


@given(st.text(max_size=40))
def test_a_reason_is_one_line_with_one_quoted_text_whatever_it_says(text):
    header = reason_header(403, text)
    assert header.startswith(b'Reason: SIP;cause=403;text="')
    assert header.endswith(b'"')
    assert header.count(b'"') == 2
    assert b"\r" not in header
    assert b"\n" not in header
    assert b"\\" not in header


SENT = line(INVITE, b"Call-ID", b"Proxy-Authorization: Digest x\r\nCall-ID")


def test_the_ack_to_a_failure_has_one_via_the_route_and_the_tag_of_the_answer():  # §17.1.1.3
    failure = parse_message(line(RINGING, b"180 Ringing", b"486 Busy Here"))
    ack = parse_message(make_ack(SENT, failure))
    sent = parse_message(SENT)
    assert ack.lines[0] == b"ACK sip:0312345678@denwa.example SIP/2.0"
    assert ack.values(m.VIA) == sent.values(m.VIA)[:1]
    assert ack.value(m.TO) == b"<sip:0312345678@denwa.example>;tag=b2"
    assert ack.value(m.CSEQ) == b"7 ACK"
    for kind in (m.FROM, m.CALL_ID, m.ROUTE):
        assert ack.lines_of(kind) == sent.lines_of(kind)
    assert ack.body == b""
    assert m.CONTENT_TYPE not in ack.at


def test_the_cancel_has_the_branch_and_the_numbers_of_its_invite():  # §9.1
    cancel = parse_message(make_cancel(SENT))
    sent = parse_message(SENT)
    assert cancel.lines[0] == b"CANCEL sip:0312345678@denwa.example SIP/2.0"
    assert cancel.values(m.VIA) == sent.values(m.VIA)[:1]
    assert cancel.value(m.CSEQ) == b"7 CANCEL"
    for kind in (m.FROM, m.TO, m.CALL_ID, m.ROUTE):
        assert cancel.lines_of(kind) == sent.lines_of(kind)
    for kind in (m.SUPPORTED, m.CONTACT, m.CONTENT_TYPE, m.PROXY_AUTHORIZATION, m.REQUIRE):
        assert kind not in cancel.at  # no Require, no Proxy-Require in a CANCEL


@pytest.mark.parametrize("make", [make_cancel, lambda sent: make_ack(sent, parse_message(RINGING))])
def test_of_a_via_that_holds_a_list_only_the_top_goes_into_what_follows(make):
    folded = line(INVITE, b"branch=z9hG4bKabc;rport\r\nVia: ", b"branch=z9hG4bKabc;rport, ")
    assert parse_message(make(folded)).values(m.VIA) == [b"SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bKabc;rport"]
