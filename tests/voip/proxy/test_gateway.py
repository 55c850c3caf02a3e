"""Calls to and from the telephone network (C1, C2)."""

from __future__ import annotations

import pytest

from denwa.voip.context import Trunk
from denwa.voip.sip import message as m
from tests.voip.proxy.test_invite_chain import gateway_invite
from tests.voip.wire import GATEWAY, SDP, Phone, Talk, Wire, answer, starts, text_of, to

OTHER = ("192.0.2.81", 5080)
TCP = ("192.0.2.80", 5080, -1)


def test_a_call_goes_out_to_the_gateway_and_is_recorded_with_its_class():  # C1, N4
    wire = Wire()
    phone = Phone(wire, 1)
    invite = to(phone.invite("0312345678"), GATEWAY)
    ringing = to(wire.send(GATEWAY, answer(invite, 183, GATEWAY, body=SDP)), phone.peer)
    assert (ringing.status, ringing.body) == (183, SDP.encode())  # early media goes on
    wire.wait(3)
    ok = to(wire.send(GATEWAY, answer(invite, 200, GATEWAY, body=SDP)), phone.peer)
    talk = Talk.of_caller(phone, ok)
    assert to(talk.send("ACK"), GATEWAY).uri == b"sip:192.0.2.80:5080"
    wire.wait(60)
    bye = to(talk.send("BYE"), GATEWAY)
    assert to(wire.send(GATEWAY, answer(bye, 200, GATEWAY)), phone.peer).status == 200
    (entry,), (end,) = wire.calls, wire.ends
    assert (entry.leg, entry.number_class, entry.caller, entry.callee) == (
        "outgoing", "fixed", "+815050010001", "+81312345678")  # fmt: skip
    assert end.duration_ms == 60_000  # C4


@pytest.mark.parametrize(("status", "cause"), [(486, "busy"), (404, "failed"), (503, "failed"), (603, "rejected")])
def test_what_the_gateway_refuses_is_told_to_the_caller(status, cause):
    wire = Wire()
    phone = Phone(wire, 1)
    invite = to(phone.invite("0312345678"), GATEWAY)
    sent = wire.send(GATEWAY, answer(invite, status, GATEWAY, extra="Reason: Q.850;cause=1\r\n"))
    assert starts(sent) == [(GATEWAY, "ACK"), (phone.peer, str(status))]
    assert to(sent, phone.peer).value(m.REASON) == b"Q.850;cause=1"
    (entry,) = wire.calls
    assert (entry.end_cause, entry.sip_status, entry.answered_at) == (cause, status, None)


@pytest.mark.parametrize("status", [401, 407])
def test_a_gateway_that_asks_for_a_password_does_not_get_to_ask_the_caller(status):
    wire = Wire()
    phone = Phone(wire, 1)
    invite = to(phone.invite("0312345678"), GATEWAY)
    challenge = 'Proxy-Authenticate: Digest realm="denwa.example", nonce="theirs"\r\n'
    response = to(wire.send(GATEWAY, answer(invite, status, GATEWAY, extra=challenge)), phone.peer)
    assert response.status == 503
    assert b"theirs" not in response.encode()


def test_a_gateway_that_says_nothing_is_408_after_64_t1():
    wire = Wire()
    phone = Phone(wire, 1)
    phone.invite("0312345678")
    assert [start for start in starts(wire.wait(31.9)) if start[0] == phone.peer] == []
    response = to([sent for sent in wire.wait(0.2) if sent[0] == phone.peer], phone.peer)
    assert response.status == 408
    phone.ack_failure(response)
    wire.wait(40)
    assert wire.transactions == 0


def test_a_gateway_may_let_it_ring_for_three_minutes_after_it_last_said_something():  # timer C, §16.6
    wire = Wire()
    phone = Phone(wire, 1)
    invite = to(phone.invite("0312345678"), GATEWAY)
    wire.send(GATEWAY, answer(invite, 180, GATEWAY))
    wire.wait(170)
    wire.send(GATEWAY, answer(invite, 180, GATEWAY))
    assert wire.wait(179.9) == []
    cancel = to(wire.wait(0.2), GATEWAY)
    assert cancel.method == b"CANCEL"
    wire.send(GATEWAY, answer(cancel, 200, GATEWAY))
    sent = wire.send(GATEWAY, answer(invite, 487, GATEWAY))
    assert to(sent, phone.peer).status == 480


def test_without_a_gateway_a_call_to_the_telephone_network_is_503():
    incoming_only = Trunk("in", GATEWAY, frozenset((GATEWAY,)), True, False)
    wire = Wire(trunks=(incoming_only,))
    phone = Phone(wire, 1)
    response = to(phone.invite("0312345678"), phone.peer)
    assert response.status == 503
    (entry,) = wire.calls
    assert (entry.end_cause, entry.sip_status) == ("failed", 503)


def test_a_gateway_for_outgoing_calls_is_no_way_in():  # C2
    outgoing_only = Trunk("out", GATEWAY, frozenset((GATEWAY,)), False, True)
    wire = Wire(trunks=(outgoing_only, Trunk("in", OTHER, frozenset(((OTHER[0], 0),)), True, False)))
    Phone(wire, 2).register()
    text = gateway_invite("0312345678", "05050010002")
    assert wire.send(GATEWAY, text)[-1][1].status == 407
    # A source without a port: any port of that address.
    inside = to(wire.send((OTHER[0], 6001), text.replace("192.0.2.80:5080;branch", "192.0.2.81:6001;branch")),
                ("192.0.2.1", 5062))  # fmt: skip
    assert inside.method == b"INVITE"


def test_the_called_side_hangs_up_and_the_gateway_hears_it():
    wire = Wire()
    phone = Phone(wire, 2)
    phone.register()
    invite = to(wire.send(GATEWAY, gateway_invite("0312345678", phone.number)), phone.peer)
    assert text_of(invite, m.FROM) == "<sip:0312345678@192.0.2.80>;tag=gw"
    ok = to(phone.answer(invite, 200, body=SDP), GATEWAY)
    assert ok.values(m.VIA) == [b"SIP/2.0/UDP 192.0.2.80:5080;branch=z9hG4bKgwgw-1"]
    wire.wait(1.5)
    bye = to(Talk.of_callee(phone, invite).send("BYE"), GATEWAY)
    assert to(wire.send(GATEWAY, answer(bye, 200, GATEWAY)), phone.peer).status == 200
    (end,) = wire.ends
    assert (end.end_cause, end.duration_ms) == ("callee", 1500)


def test_between_tcp_and_udp_both_sides_get_a_record_route_for_their_own():  # RFC 5658
    wire = Wire(trunks=(Trunk("pstn", TCP, frozenset((GATEWAY,)), True, True),))
    phone = Phone(wire, 1)
    sent = phone.invite("0312345678")
    invite = to(sent, TCP)
    assert invite.values(m.VIA)[0].startswith(b"SIP/2.0/TCP ")
    assert invite.values(m.RECORD_ROUTE) == [b"<sip:192.0.2.10:5060;transport=tcp;lr>", b"<sip:192.0.2.10:5060;lr>"]
    ok = to(wire.send((*GATEWAY, 7), answer(invite, 200, GATEWAY, body=SDP)), phone.peer)
    talk = Talk.of_caller(phone, ok)
    ack = to(talk.send("ACK"), TCP)
    assert m.ROUTE not in ack.at  # both of ours are taken off
