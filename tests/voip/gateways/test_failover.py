"""Several gateways: the order, the next one on silence and 5xx, and never two that ring (C1)."""

from __future__ import annotations

import dataclasses
import re

import pytest

from denwa.voip.gateways.trunk import Account, Format, ForwardedHeader, NumberForm, Trunk
from denwa.voip.sip import message as m
from denwa.voip.sip.message import Message
from denwa.voip.sip.peer import Peer
from denwa.voip.subscribers import Forward, Subscriber
from tests.voip.proxy.test_invite_chain import gateway_invite
from tests.voip.wire import SDP, Phone, Sent, Talk, Wire, answer, starts, subscriber, text_of, to

FIRST: Peer = ("192.0.2.80", 5080)
SECOND: Peer = ("192.0.2.81", 5080)
THIRD: Peer = ("192.0.2.82", 5080)


def trunk(name: str, peer: Peer, **more: object) -> Trunk:
    values: dict = {"sources": frozenset(((peer[0], peer[1]),)), "incoming": True, "outgoing": True}
    return Trunk(name, peer, **(values | more))


def two(**more: object) -> Wire:
    return Wire(trunks=(trunk("a", FIRST, priority=1), trunk("b", SECOND, priority=2)), **more)


def invites(sent: Sent) -> list[Peer]:
    return [peer for peer, message in sent if message.method == b"INVITE"]


def invited(sent: Sent, peer: Peer) -> Message:
    return next(message for where, message in sent if where == peer and message.method == b"INVITE")


def test_the_gateway_with_the_lower_priority_number_is_tried_first_and_alone():  # C1
    wire = two()
    assert invites(Phone(wire, 1).invite("0312345678")) == [FIRST]


def test_silence_moves_a_call_to_the_next_gateway_within_three_seconds():  # C1
    wire = two()
    phone = Phone(wire, 1)
    phone.invite("0312345678")
    assert SECOND not in invites(wire.wait(2.4))
    invite = invited(wire.wait(0.2), SECOND)
    ok = to(wire.send(SECOND, answer(invite, 200, SECOND, body=SDP)), phone.peer)
    assert ok.status == 200
    bye = to(Talk.of_caller(phone, ok).send("BYE"), SECOND)
    assert to(wire.send(SECOND, answer(bye, 200, SECOND)), phone.peer).status == 200
    assert [entry.end_cause for entry in wire.calls] == [""]  # one record, answered


def test_one_that_rings_and_is_never_heard_of_again_holds_a_call_for_timer_c_and_then_nothing():
    # RFC 3261 §16.8: its refusal was lost, and it does not say it again
    wire = two()
    phone = Phone(wire, 1)
    wire.send(FIRST, answer(invited(phone.invite("0312345678"), FIRST), 180, FIRST))
    assert SECOND not in invites(wire.wait(184))
    assert SECOND in invites(wire.wait(2))
    wire.send(SECOND, answer(invited(wire.since(0), SECOND), 486, SECOND))
    phone.ack_failure(next(message for _, message in wire.since(0) if message.status == 486))
    wire.wait(32)
    assert (wire.transactions, len(wire.engine.calls)) == (0, 0)


def test_a_gateway_that_wakes_up_too_late_is_told_to_stop():
    wire = two()
    phone = Phone(wire, 1)
    first = invited(phone.invite("0312345678"), FIRST)
    second = invited(wire.wait(2.6), SECOND)
    wire.send(SECOND, answer(second, 180, SECOND))
    assert not [peer for peer in invites(wire.wait(3)) if peer == FIRST]  # it is not sent again
    assert to(wire.send(FIRST, answer(first, 180, FIRST)), FIRST).method == b"CANCEL"
    late = wire.send(FIRST, answer(first, 200, FIRST, body=SDP))
    assert starts(late) == [(FIRST, "ACK"), (FIRST, "BYE")]
    assert to(wire.send(SECOND, answer(second, 200, SECOND, body=SDP)), phone.peer).status == 200


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_gateway_that_cannot_is_followed_by_the_next(status):  # C1
    wire = two()
    phone = Phone(wire, 1)
    first = invited(phone.invite("0312345678"), FIRST)
    wire.send(FIRST, answer(first, 100, FIRST))
    assert starts(wire.send(FIRST, answer(first, status, FIRST))) == [(FIRST, "ACK"), (SECOND, "INVITE")]


@pytest.mark.parametrize("status", [404, 480, 486, 600, 603])
def test_what_a_gateway_says_of_the_called_side_is_final(status):  # C1
    wire = two()
    phone = Phone(wire, 1)
    first = invited(phone.invite("0312345678"), FIRST)
    sent = wire.send(FIRST, answer(first, status, FIRST))
    assert starts(sent) == [(FIRST, "ACK"), (phone.peer, str(status))]


def test_a_call_that_rang_is_tried_nowhere_else():
    """No double calls: the called phone rang, whatever the gateway says afterwards."""
    wire = two()
    phone = Phone(wire, 1)
    first = invited(phone.invite("0312345678"), FIRST)
    wire.send(FIRST, answer(first, 180, FIRST))
    assert starts(wire.send(FIRST, answer(first, 503, FIRST))) == [(FIRST, "ACK"), (phone.peer, "503")]


def test_a_100_is_enough_to_be_waited_for():
    wire = two()
    phone = Phone(wire, 1)
    first = invited(phone.invite("0312345678"), FIRST)
    wire.send(FIRST, answer(first, 100, FIRST))
    assert invites(wire.wait(20)) == []
    assert to(wire.send(FIRST, answer(first, 200, FIRST, body=SDP)), phone.peer).status == 200


def test_when_no_gateway_takes_the_call_the_last_one_is_quoted():
    wire = two()
    phone = Phone(wire, 1)
    first = invited(phone.invite("0312345678"), FIRST)
    second = invited(wire.send(FIRST, answer(first, 503, FIRST)), SECOND)
    sent = wire.send(SECOND, answer(second, 503, SECOND, extra='Reason: SIP;cause=503;text="second"\r\n'))
    assert b"second" in (to(sent, phone.peer).value(m.REASON) or b"")
    (entry,) = wire.calls
    assert (entry.end_cause, entry.sip_status) == ("failed", 503)


def test_the_caller_may_cancel_while_a_gateway_is_silent():
    wire = two()
    phone = Phone(wire, 1)
    phone.invite("0312345678")
    phone.cancel()
    assert invites(wire.wait(1)) in ([], [FIRST])  # nothing goes to the second one
    assert SECOND not in invites(wire.wait(10))
    assert wire.calls[0].end_cause == "cancelled"


def test_retry_after_is_respected():  # RFC 3261 §21.5.4
    wire = two()
    phone = Phone(wire, 1)
    first = invited(phone.invite("0312345678", "c1"), FIRST)
    second = invited(wire.send(FIRST, answer(first, 503, FIRST, extra="Retry-After: 60\r\n")), SECOND)
    wire.send(SECOND, answer(second, 486, SECOND))
    wire.wait(50)
    assert invites(phone.invite("0312345678", "c2")) == [SECOND]
    wire.wait(15)
    assert invites(phone.invite("0312345678", "c3")) == [FIRST]


def test_all_that_want_to_be_left_alone_make_503_with_a_reason():
    wire = Wire(trunks=(trunk("a", FIRST),))
    phone = Phone(wire, 1)
    first = invited(phone.invite("0312345678", "c1"), FIRST)
    wire.send(FIRST, answer(first, 503, FIRST, extra="Retry-After: 60\r\n"))
    refused = to(phone.invite("0312345678", "c2"), phone.peer)
    assert refused.status == 503
    assert b"no gateway to the telephone network works" in (refused.value(m.REASON) or b"")
    assert wire.calls[-1].sip_status == 503


def test_a_gateway_found_silent_three_times_is_tried_last_until_it_answers():
    wire = two()
    phone = Phone(wire, 1)
    for i in range(3):
        phone.invite("0312345678", f"silent-{i}")
        second = invited(wire.wait(2.6), SECOND)
        wire.send(SECOND, answer(second, 486, SECOND))
    assert wire.counters["gateway_changes", "a down"] == 1
    assert wire.counters["gateway_failures", "a"] == 3
    assert invites(phone.invite("0312345678", "next")) == [SECOND]
    wire.wait(31)  # it has rested
    first = invited(phone.invite("0312345678", "later"), FIRST)
    wire.send(FIRST, answer(first, 200, FIRST, body=SDP))
    assert wire.counters["gateway_changes", "a up"] == 1


def test_a_single_gateway_that_was_silent_is_still_tried():
    wire = Wire(trunks=(trunk("a", FIRST),))
    phone = Phone(wire, 1)
    for i in range(4):
        assert FIRST in invites(phone.invite("0312345678", f"c{i}"))
        wire.wait(33)


def test_numbers_go_to_the_gateway_that_takes_their_class_or_prefix():  # C1
    abroad = trunk("abroad", SECOND, classes=frozenset(("international",)))
    tokyo = trunk("tokyo", THIRD, priority=0, prefixes=("+813",))
    wire = Wire(
        trunks=(trunk("a", FIRST, priority=1, classes=frozenset(("fixed", "mobile", "paid-050"))), abroad, tokyo)
    )
    wire.directory.put(_international(wire))
    phone = Phone(wire, 1)
    assert invites(phone.invite("0312345678", "c1")) == [THIRD]
    assert invites(phone.invite("0661234567", "c2")) == [FIRST]
    assert invites(phone.invite("01033123456789", "c3")) == [SECOND]


def test_a_number_that_no_gateway_takes_is_503():
    wire = Wire(trunks=(trunk("a", FIRST, prefixes=("+816",)),))
    phone = Phone(wire, 1)
    refused = to(phone.invite("0312345678"), phone.peer)
    assert (refused.status, b"takes this number" in (refused.value(m.REASON) or b"")) == (503, True)


def test_weights_share_the_calls():
    wire = Wire(
        trunks=(trunk("a", FIRST, weight=3), trunk("b", SECOND, weight=1)), calls_per_subscriber=1000,
        new_calls_per_minute=1000, max_calls=1000, max_transactions=10_000,
    )  # fmt: skip
    phone = Phone(wire, 1)
    seen = [invites(phone.invite("0312345678", f"c{i}"))[0] for i in range(40)]
    assert {FIRST, SECOND} == set(seen)


def test_channels_of_a_gateway_are_counted_and_given_back():
    wire = Wire(trunks=(trunk("a", FIRST, priority=1, max_calls=1), trunk("b", SECOND, priority=2)))
    phone = Phone(wire, 1)
    first = invited(phone.invite("0312345678", "c1"), FIRST)
    ok = to(wire.send(FIRST, answer(first, 200, FIRST, body=SDP)), phone.peer)
    talk = Talk.of_caller(phone, ok)
    assert invites(phone.invite("0312345678", "c2")) == [SECOND]
    bye = to(talk.send("BYE"), FIRST)
    wire.send(FIRST, answer(bye, 200, FIRST))
    assert invites(phone.invite("0312345678", "c3")) == [FIRST]


def test_incoming_calls_use_channels_too():
    wire = Wire(trunks=(trunk("a", FIRST, max_calls=1),))
    callee = Phone(wire, 2)
    callee.register()
    to(wire.send(FIRST, gateway_invite("0312345678", callee.number)), callee.peer)
    caller = Phone(wire, 1)
    refused = to(caller.invite("0312345678"), caller.peer)
    assert b"all channels" in (refused.value(m.REASON) or b"")


def test_calls_taken_up_after_a_restart_use_their_channels():
    wire = Wire(trunks=(trunk("a", FIRST, priority=1, max_calls=1), trunk("b", SECOND, priority=2)))
    phone = Phone(wire, 1)
    first = invited(phone.invite("0312345678", "c1"), FIRST)
    to(wire.send(FIRST, answer(first, 200, FIRST, body=SDP)), phone.peer)
    entry = wire.calls[-1]
    wire.start()
    wire.engine.restore([], [entry], wire.now, wire.ms)
    assert invites(phone.invite("0312345678", "c2")) == [SECOND]


# -- a carrier that wants to know who calls ------------------------------------------------------------------------

ACCOUNT = Account(b"carrier-user", b"geheim", b"carrier.example")
CHALLENGE = 'Proxy-Authenticate: Digest realm="carrier.example", nonce="n1", algorithm=MD5, qop="auth"\r\n'


def carrier(**more: object) -> Wire:
    return Wire(trunks=(trunk("a", FIRST, account=ACCOUNT, **more),))


def test_a_challenged_call_is_made_again_with_credentials_and_the_caller_sees_nothing_of_it():
    wire = carrier()
    phone = Phone(wire, 1)
    first = invited(phone.invite("0312345678"), FIRST)
    sent = wire.send(FIRST, answer(first, 407, FIRST, extra=CHALLENGE))
    assert starts(sent) == [(FIRST, "ACK"), (FIRST, "INVITE")]
    again = invited(sent, FIRST)
    credentials = text_of(again, m.PROXY_AUTHORIZATION)
    assert 'username="carrier-user"' in credentials
    assert "nc=00000001" in credentials
    assert "geheim" not in repr(wire.engine.ctx.notes) + credentials
    # A call of its own for the carrier (RFC 3261 §8.2.2.2), and the same one for the caller.
    assert again.value(m.CALL_ID) == first.value(m.CALL_ID)
    assert tag(again) != tag(first)
    ok = to(wire.send(FIRST, answer(again, 200, FIRST, body=SDP)), phone.peer)
    assert text_of(ok, m.FROM).endswith(f";tag={phone.tag}")
    talk = Talk.of_caller(phone, ok)
    assert tag(to(talk.send("ACK", cseq=2), FIRST)) == tag(again)
    # The carrier hangs up, with the tag that it knows.
    bye = to(wire.send(FIRST, Talk.of_callee(Phone(wire, 9, host="192.0.2.80", port=5080), again).text("BYE")),
             phone.peer)  # fmt: skip
    assert text_of(bye, m.TO).endswith(f";tag={phone.tag}")


def test_the_next_call_carries_credentials_at_once_and_counts_the_nonce_on():
    wire = carrier()
    phone = Phone(wire, 1)
    first = invited(phone.invite("0312345678", "c1"), FIRST)
    again = invited(wire.send(FIRST, answer(first, 407, FIRST, extra=CHALLENGE)), FIRST)
    wire.send(FIRST, answer(again, 486, FIRST))
    assert "nc=00000002" in text_of(invited(phone.invite("0312345678", "c2"), FIRST), m.PROXY_AUTHORIZATION)


def test_a_nonce_that_has_aged_is_replaced_in_the_same_call():
    wire = carrier()
    phone = Phone(wire, 1)
    first = invited(phone.invite("0312345678", "c1"), FIRST)
    again = invited(wire.send(FIRST, answer(first, 407, FIRST, extra=CHALLENGE)), FIRST)
    stale = CHALLENGE.replace("n1", "n2").replace("qop", "stale=true, qop")
    third = invited(wire.send(FIRST, answer(again, 407, FIRST, extra=stale)), FIRST)
    assert 'nonce="n2"' in text_of(third, m.PROXY_AUTHORIZATION)
    assert "nc=00000001" in text_of(third, m.PROXY_AUTHORIZATION)


@pytest.mark.parametrize("status", [401, 407])
def test_a_carrier_that_does_not_accept_the_password_is_followed_by_the_next(status):
    challenge = CHALLENGE if status == 407 else CHALLENGE.replace("Proxy", "WWW")
    wire = Wire(trunks=(trunk("a", FIRST, account=ACCOUNT), trunk("b", SECOND, priority=2)))
    phone = Phone(wire, 1)
    first = invited(phone.invite("0312345678"), FIRST)
    again = invited(wire.send(FIRST, answer(first, status, FIRST, extra=challenge)), FIRST)
    assert invites(wire.send(FIRST, answer(again, status, FIRST, extra=challenge))) == [SECOND]


def test_a_call_with_credentials_over_a_restart_is_ended_by_the_carrier():
    wire = carrier()
    phone = Phone(wire, 1)
    first = invited(phone.invite("0312345678"), FIRST)
    again = invited(wire.send(FIRST, answer(first, 407, FIRST, extra=CHALLENGE)), FIRST)
    to(wire.send(FIRST, answer(again, 200, FIRST, body=SDP)), phone.peer)
    entry = wire.calls[-1]
    wire.start()
    wire.engine.restore([], [entry], wire.now, wire.ms)
    wire.wait(5)
    bye = Talk.of_callee(Phone(wire, 9, host="192.0.2.80", port=5080), again).text("BYE")
    assert to(wire.send(FIRST, bye), phone.peer).method == b"BYE"


def test_each_gateway_of_a_failover_gets_the_call_in_its_own_form():
    first = trunk("a", FIRST, priority=1, format=Format(prefix="99", from_domain=b"carrier-a.example"))
    wire = Wire(trunks=(first, trunk("b", SECOND, priority=2)))
    phone = Phone(wire, 1)
    one = invited(phone.invite("0312345678"), FIRST)
    assert one.uri == b"sip:99+81312345678@192.0.2.80:5080;user=phone"
    assert b"@carrier-a.example" in (one.value(m.FROM) or b"")
    second = invited(wire.send(FIRST, answer(one, 503, FIRST)), SECOND)
    assert second.uri == b"sip:+81312345678@192.0.2.81:5080;user=phone"
    assert b"carrier-a.example" not in second.encode()
    ok = to(wire.send(SECOND, answer(second, 200, SECOND, body=SDP)), phone.peer)
    assert text_of(ok, m.FROM).startswith("<sip:50010001@denwa.example>")


def tag(message: Message) -> str:
    found = re.search(r";tag=(\S+)", text_of(message, m.FROM))
    assert found
    return found[1]


def _international(wire: Wire) -> Subscriber:
    return dataclasses.replace(wire.directory.by_number["+815050010001"], international=True)


def test_a_hidden_caller_stays_hidden_from_a_carrier_that_asks_for_credentials_and_both_can_hang_up():  # N7
    for from_carrier in (True, False):
        wire = carrier(format=Format(from_domain=b"carrier.example", trusted=False))
        phone = Phone(wire, 1)
        first = invited(phone.invite("1840312345678"), FIRST)
        again = invited(wire.send(FIRST, answer(first, 407, FIRST, extra=CHALLENGE)), FIRST)
        assert b"50010001" not in first.encode() + again.encode()
        assert again.value(m.CALL_ID) == first.value(m.CALL_ID)
        ok = to(wire.send(FIRST, answer(again, 200, FIRST, body=SDP)), phone.peer)
        talk = Talk.of_caller(phone, ok)
        assert b"50010001" not in to(talk.send("ACK", cseq=2), FIRST).encode()
        if from_carrier:
            peer = Phone(wire, 9, host="192.0.2.80", port=5080)
            bye = to(wire.send(FIRST, Talk.of_callee(peer, again).text("BYE")), phone.peer)
            assert text_of(bye, m.TO).endswith(f";tag={phone.tag}")
            assert text_of(bye, m.CALL_ID) == "call-1"
        else:
            bye = to(talk.send("BYE"), FIRST)
            assert tag(bye) == tag(again)
            assert bye.value(m.CALL_ID) == again.value(m.CALL_ID)


def test_a_forwarded_call_says_so_in_the_header_that_its_gateway_reads():  # F4, K1
    forwarder = dataclasses.replace(subscriber(2), forward=Forward(True, "+81312345678"))
    form = Format(NumberForm.NATIONAL, from_domain=b"carrier.example", forwarded=ForwardedHeader.DIVERSION)
    wire = Wire(subscriber(1), forwarder, trunks=(trunk("a", FIRST, format=form),))
    phone = Phone(wire, 1)
    invite = invited(phone.invite("05050010002"), FIRST)
    assert invite.uri == b"sip:0312345678@192.0.2.80:5080;user=phone"
    assert b"+815050010002" in (invite.value(m.DIVERSION) or b"")
    assert m.HISTORY_INFO not in invite.at
    assert text_of(invite, m.FROM).startswith('"05050010001" <sip:05050010001@carrier.example;user=phone>')
