"""Calls to the voicemail box: which numbers lead there, for whom, and that nothing leads on from there."""

from __future__ import annotations

import pytest

from denwa.voip.proxy.box import BoxNumbers
from denwa.voip.proxy.ports import NoPlace
from denwa.voip.sip.message import Message
from tests.voip.wire import GATEWAY, SDP, VOICEMAIL, Phone, Wire, answer, subscriber, to

ACCESS = "+815050019999"
BOX = BoxNumbers("1417", ACCESS)


def box_wire(**changes: object) -> tuple[Wire, Phone]:
    wire = Wire(subscriber(1, **changes), subscriber(2), box=BOX)
    return wire, Phone(wire, 1)


def from_gateway(wire: Wire, number: str) -> list[tuple[object, Message]]:
    host, port = GATEWAY
    text = (
        f"INVITE sip:{number}@denwa.example SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{number}\r\n"
        "From: <sip:+819012345678@carrier.example>;tag=g\r\n"
        f"To: <sip:{number}@denwa.example>\r\nCall-ID: gw-{number}\r\nCSeq: 1 INVITE\r\n"
        f"Contact: <sip:{host}:{port}>\r\nMax-Forwards: 70\r\n"
        f"Content-Type: application/sdp\r\nContent-Length: {len(SDP)}\r\n\r\n{SDP}"
    )
    return list(wire.send(GATEWAY, text))


@pytest.mark.parametrize("dialled", ["1417", "14-17", "1841417", "1861417", "%EF%BC%91%EF%BC%94%EF%BC%91%EF%BC%97"])
def test_the_short_number_opens_the_box_of_the_phone_that_dials_it(dialled: str) -> None:  # V6 N3
    wire, a = box_wire()
    a.invite(dialled)
    assert wire.voicemail.visits == [("+815050010001", "call-1")]
    assert not wire.voicemail.wishes
    invite = to(wire.give_place(), VOICEMAIL)
    assert invite.uri == b"sip:lease1@192.0.2.90:7000"
    wire.send(VOICEMAIL, answer(invite, 200, VOICEMAIL, body=SDP))
    entry = wire.calls[-1]
    assert (entry.leg, entry.caller, entry.callee) == ("outgoing", "+815050010001", "+815050010001")
    assert (entry.number_class, entry.voicemail) == ("on-net", 1)


@pytest.mark.parametrize("dialled", ["14170", "141", "+811417", "01417", "1417*"])
def test_what_only_looks_like_it_is_refused_as_ever(dialled: str) -> None:  # N5
    wire, a = box_wire()
    assert a.invite(dialled)[-1][1].status in (403, 404, 484)
    assert not wire.voicemail.visits


def test_no_header_makes_it_the_box_of_another() -> None:
    wire, a = box_wire()
    extra = (
        "P-Asserted-Identity: <sip:05050010002@denwa.example>\r\nP-Preferred-Identity: <tel:+815050010002>\r\n"
        "Diversion: <sip:05050010002@denwa.example>\r\nRoute: <sip:evil.example;lr>\r\n"
        "Referred-By: <sip:05050010002@denwa.example>\r\n"
    )
    a.invite("1417", extra=extra, from_='"x" <sip:05050010002@denwa.example>;tag=t')
    assert [mailbox for mailbox, _ in wire.voicemail.visits] == ["+815050010001"]


def test_a_suspended_subscriber_hears_the_own_box_but_calls_nobody() -> None:  # V6 L2
    wire, a = box_wire(active=False)
    a.invite("1417")
    assert wire.voicemail.visits
    assert a.invite("05050010002", "call-2")[-1][1].status == 403


def test_a_box_counts_as_a_call_of_the_subscriber() -> None:  # C6
    wire = Wire(subscriber(1), box=BOX, calls_per_subscriber=1)
    a = Phone(wire, 1)
    a.invite("1417")
    assert a.invite("1417", "call-2")[-1][1].status == 403
    assert len(wire.voicemail.visits) == 1


def test_without_a_number_of_the_box_1417_is_barred_like_every_service() -> None:  # N5
    wire = Wire(subscriber(1))
    assert Phone(wire, 1).invite("1417")[-1][1].status == 403
    assert not wire.voicemail.visits


def test_the_access_number_asks_subscribers_whose_box_it_is_to_be() -> None:  # V6
    wire, a = box_wire()
    a.invite("05050019999")
    assert wire.voicemail.visits == [("", "call-1")]


def test_the_access_number_is_reached_from_the_telephone_network_and_the_short_one_is_not() -> None:  # V6
    wire, _ = box_wire()
    assert from_gateway(wire, "1417")[-1][1].status == 403
    assert not wire.voicemail.visits
    from_gateway(wire, ACCESS)
    assert wire.voicemail.visits == [("", f"gw-{ACCESS}")]
    invite = to(wire.give_place(), VOICEMAIL)
    wire.send(VOICEMAIL, answer(invite, 200, VOICEMAIL, body=SDP))
    entry = wire.calls[-1]
    assert (entry.leg, entry.direction, entry.subscriber, entry.callee) == ("incoming", "incoming", "", ACCESS)


def test_another_number_that_nobody_has_stays_unallocated() -> None:
    wire, a = box_wire()
    assert a.invite("05050019998")[-1][1].status == 404
    assert from_gateway(wire, "+815050019998")[-1][1].status == 404


def test_a_caller_who_gives_up_gives_the_place_back() -> None:
    wire, a = box_wire()
    a.invite("1417")
    a.cancel()
    wire.give_place()
    assert wire.voicemail.released == ["lease1"]
    wire.wait(60)
    assert wire.transactions == 0
    assert not wire.engine.admission.busy


def test_without_a_place_the_caller_is_told_and_nobody_else_is_called() -> None:
    wire, a = box_wire()
    wire.voicemail.answer = NoPlace(480, "Voicemail Unavailable")
    a.invite("1417")
    assert to(wire.give_place(), a.peer).status == 480
    wire.wait(60)
    assert wire.transactions == 0
