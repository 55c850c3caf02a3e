"""OPTIONS and REGISTER towards gateways, on the wire of the harness (C1)."""

from __future__ import annotations

import re

from denwa.voip.gateways.carrier import PROBE_PATIENCE, RECHECK, REGISTER_PATIENCE
from denwa.voip.gateways.health import DOWN_AFTER, UP_AFTER
from denwa.voip.gateways.registration import FIRST_RETRY
from denwa.voip.gateways.trunk import Account, Address
from denwa.voip.sip import message as m
from denwa.voip.sip.message import Message
from denwa.voip.sip.peer import CONNECT, Peer
from tests.voip.gateways.test_failover import FIRST, SECOND, invites, trunk
from tests.voip.wire import Phone, Sent, Wire, answer, text_of, to

ACCOUNT = Account(b"u123", b"geheim", b"carrier.example")
CHALLENGE = 'WWW-Authenticate: Digest realm="carrier.example", nonce="n{}", algorithm=SHA-256, qop="auth"\r\n'


def started(**more: object) -> Wire:
    wire = Wire(trunks=(trunk("a", FIRST, **more),))
    wire.engine.restore([], [], wire.now, wire.ms)
    wire.collect()
    return wire


def last(sent: Sent, method: bytes) -> Message:
    return [message for _, message in sent if message.method == method][-1]


def next_question(wire: Wire) -> Message:
    """Wait until OPTIONS is sent, and no longer."""
    for _ in range(200):
        asked = [message for _, message in wire.wait(0.1) if message.method == b"OPTIONS"]
        if asked:
            return asked[-1]
    raise AssertionError("no OPTIONS within 20 s")


def reason(sent: Sent, phone: Phone) -> bytes:
    return to(sent, phone.peer).value(m.REASON) or b""


def reply(wire: Wire, request: Message, status: int, *, peer: Peer = FIRST, extra: str = "") -> Sent:
    return wire.send(peer, answer(request, status, peer, extra=extra, contact="sip:x@y"))


def test_a_gateway_that_is_not_to_be_probed_hears_nothing() -> None:
    wire = started()
    wire.wait(300)
    assert wire.sent == []


def test_the_operator_is_shown_each_address_and_how_it_is() -> None:
    nowhere = trunk("new", ("", 0), sources=frozenset(), priority=5, account=ACCOUNT, register_every=60)
    wire = Wire(trunks=(trunk("a", FIRST, max_calls=2), nowhere, trunk("in", SECOND, outgoing=False)))
    lines = wire.engine.ctx.lines
    lines.bad(lines.gateways["a"].lines[0], "503", wire.now, 60)
    shown = [(one["gateway"], one["address"], one["state"], one["registration"]) for one in lines.shown(wire.now)]
    assert shown == [
        ("a", "udp:192.0.2.80:5080", "left alone for 60 s", ""), ("new", "", "no address", "not yet registered"),
        ("in", "udp:192.0.2.81:5080", "incoming only", ""),
    ]  # fmt: skip


def test_each_answer_to_options_is_followed_by_the_next_question_in_time() -> None:
    wire = started(probe_every=30)
    asked = wire.sent[-1][1]
    assert (asked.method, asked.uri) == (b"OPTIONS", b"sip:192.0.2.80:5080")
    for status in (200, 404, 405, 501):  # whatever it says, it is there
        reply(wire, asked, status)
        assert not [1 for _, message in wire.wait(29) if message.method == b"OPTIONS"]
        asked = last(wire.wait(2), b"OPTIONS")
    assert wire.counters["gateway_failures", "a"] == 0
    assert wire.transactions <= 2


def test_silence_takes_it_down_and_answers_bring_it_back() -> None:
    wire = started(probe_every=30)
    phone = Phone(wire, 1)
    wire.wait((PROBE_PATIENCE + RECHECK) * DOWN_AFTER)
    assert wire.counters["gateway_changes", "a down"] == 1
    assert any("is down: it does not answer OPTIONS" in note for note in wire.engine.ctx.notes)
    assert wire.engine.ctx.lines.counts(wire.now) == {"gateway_addresses_up": 0.0, "gateway_addresses_down": 1.0}
    assert b"no gateway to the telephone network works" in reason(phone.invite("0312345678", "c1"), phone)
    for _ in range(UP_AFTER):
        reply(wire, next_question(wire), 200)
    assert wire.counters["gateway_changes", "a up"] == 1
    assert invites(phone.invite("0312345678", "c2")) == [FIRST]


def test_an_answer_that_comes_after_patience_ran_out_counts_for_nothing() -> None:
    wire = started(probe_every=30)
    asked = wire.sent[-1][1]
    wire.wait(PROBE_PATIENCE + 0.1)
    assert reply(wire, asked, 200) == []
    assert wire.counters["gateway_failures", "a"] == 1


def test_503_to_options_says_that_it_is_not_there() -> None:
    wire = started(probe_every=1)
    asked = wire.sent[-1][1]
    for _ in range(DOWN_AFTER):
        reply(wire, asked, 503)
        asked = next_question(wire)
    assert wire.counters["gateway_changes", "a down"] == 1


def test_a_stopped_timer_that_was_due_at_the_same_moment_is_not_taken_for_the_running_one() -> None:
    wire = started(probe_every=1)
    for failures in range(1, 5):
        reply(wire, wire.sent[-1][1], 503)
        assert wire.counters["gateway_failures", "a"] == failures
        assert last(wire.wait(1.5), b"OPTIONS")


def registered(wire: Wire, expires: int = 600) -> Message:
    """Let the carrier challenge and accept."""
    first = wire.sent[-1][1]
    assert first.method == b"REGISTER"
    second = last(reply(wire, first, 401, extra=CHALLENGE.format(1)), b"REGISTER")
    reply(wire, second, 200, extra=f"Expires: {expires}\r\n")
    return second


def test_a_carrier_is_registered_with_refreshed_and_only_then_called() -> None:
    wire = started(account=ACCOUNT, register_every=600)
    phone = Phone(wire, 1)
    assert to(phone.invite("0312345678", "c1"), phone.peer).status == 503
    wire.sent = [entry for entry in wire.sent if entry[1].method == b"REGISTER"]
    second = registered(wire)
    assert second.uri == b"sip:carrier.example"
    assert text_of(second, m.FROM).startswith("<sip:u123@carrier.example>;tag=")
    assert text_of(second, m.CONTACT) == "<sip:u123@192.0.2.10:5060>"
    assert "algorithm=SHA-256" in text_of(second, m.AUTHORIZATION)
    assert wire.counters["gateway_changes", "a registered"] == 1
    assert invites(phone.invite("0312345678", "c2")) == [FIRST]
    refresh = last(wire.wait(541), b"REGISTER")
    assert "nc=00000002" in text_of(refresh, m.AUTHORIZATION)
    assert refresh.value(m.CALL_ID) == second.value(m.CALL_ID)
    assert int(re.findall(r"\d+", text_of(refresh, m.CSEQ))[0]) == 3
    assert "geheim" not in " ".join(wire.engine.ctx.notes)


def test_over_tcp_the_contact_says_so() -> None:
    peer = (*FIRST, CONNECT)
    wire = Wire(trunks=(trunk("a", peer, account=ACCOUNT, register_every=600),))
    wire.engine.restore([], [], wire.now, wire.ms)
    wire.collect()
    assert text_of(wire.sent[-1][1], m.CONTACT) == "<sip:u123@192.0.2.10:5060;transport=tcp>"


def test_a_carrier_that_falls_silent_keeps_us_until_the_registration_ends() -> None:
    wire = started(account=ACCOUNT, register_every=600)
    phone = Phone(wire, 1)
    registered(wire, 90)
    wire.wait(80)
    assert invites(phone.invite("0312345678", "c1")) == [FIRST]
    wire.wait(20 + REGISTER_PATIENCE)
    assert b"no gateway" in reason(phone.invite("0312345678", "c2"), phone)
    assert wire.counters["gateway_changes", "a not registered"] == 1


def test_a_wrong_password_is_tried_seldom_and_said_in_the_log() -> None:
    wire = started(account=ACCOUNT, register_every=600)
    second = last(reply(wire, wire.sent[-1][1], 401, extra=CHALLENGE.format(1)), b"REGISTER")
    assert not [
        1 for _, message in reply(wire, second, 401, extra=CHALLENGE.format(2)) if message.method == b"REGISTER"
    ]
    assert any("does not accept user and password" in note for note in wire.engine.ctx.notes)
    assert not [1 for _, message in wire.wait(FIRST_RETRY - 0.5) if message.method == b"REGISTER"]
    assert last(wire.wait(1.0), b"REGISTER").value(m.AUTHORIZATION) is None


def test_a_silent_address_of_a_carrier_is_followed_by_its_next() -> None:
    wire = started(account=ACCOUNT, register_every=600)
    wire.engine.carriers.locate("a", [Address(FIRST), Address(SECOND)], [(FIRST[0], 0)], wire.now)
    sent = wire.wait(REGISTER_PATIENCE + FIRST_RETRY + 0.2)
    assert [peer for peer, message in sent if message.method == b"REGISTER"][-1] == SECOND


def test_a_name_that_means_something_at_last_is_probed_registered_and_called() -> None:
    nowhere = ("", 0)
    wire = Wire(trunks=(trunk("a", nowhere, sources=frozenset(), account=ACCOUNT, register_every=60, probe_every=30),))
    wire.engine.restore([], [], wire.now, wire.ms)
    wire.wait(10)
    assert wire.sent == []
    wire.engine.carriers.locate("a", [Address(FIRST)], [(FIRST[0], 0)], wire.now)
    wire.collect()
    assert {message.method for _, message, _ in wire.sent} == {b"OPTIONS", b"REGISTER"}
    assert wire.engine.ctx.trunk_of(FIRST) is not None


def test_an_address_that_the_name_has_no_more_is_left_alone() -> None:
    wire = started(probe_every=10)
    wire.engine.carriers.locate("a", [Address(SECOND)], [(SECOND[0], 0)], wire.now)
    wire.collect()
    wire.wait(4)
    sent = wire.wait(60)
    assert {peer for peer, message in sent if message.method == b"OPTIONS"} == {SECOND}
    phone = Phone(wire, 1)
    assert wire.engine.ctx.trunk_of(FIRST) is None
    assert SECOND not in invites(phone.invite("0312345678"))  # it never answered OPTIONS


def test_several_addresses_of_one_name_are_tried_one_after_the_other() -> None:
    wire = started()
    wire.engine.carriers.locate("a", [Address(FIRST, 10), Address(SECOND, 20)], [(FIRST[0], 0)], wire.now)
    phone = Phone(wire, 1)
    assert invites(phone.invite("0312345678")) == [FIRST]
    assert SECOND in invites(wire.wait(2.6))
