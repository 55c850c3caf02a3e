"""Calls to phones that sleep: the push, the wait, and where the call goes then (R5, R2, R3; RFC 8599)."""

from __future__ import annotations

import pytest

from denwa.voip.push.parameters import PushRules
from denwa.voip.push.ports import PushAnswer
from denwa.voip.sip.message import CONTACT
from denwa.voip.subscribers import Forward
from tests.voip.push.doorbell import RULES, push_phone, push_wire
from tests.voip.wire import SDP, VOICEMAIL, Phone, answer, starts, subscriber, text_of, to

A, B = 1, 2


def asleep(*, away: float = 60.0, **more: object):
    """A caller, a push phone that registered `away` seconds ago, and what is between them."""
    wire, bell = push_wire(**more)  # type: ignore[arg-type]
    a, b = Phone(wire, A), push_phone(wire, B)
    assert b.register(expires=86_400).status == 200
    wire.wait(away)
    return wire, bell, a, b


def test_a_sleeping_phone_is_woken_and_called_where_it_registers():  # R5
    wire, bell, a, b = asleep()
    sent = a.invite(b.number)
    assert starts(sent) == [(a.peer, "100"), (b.peer, "OPTIONS")]
    (push,) = bell.pushes
    assert push.device == ("fcm", "project", "token-2")
    assert (push.call_id, push.caller, push.seconds) == ("call-1", "", 10)
    b.peer = ("192.0.2.77", 6000)  # it is in another network now
    b.contact = b.contact.replace("192.0.2.1:5062", "192.0.2.77:6000")
    before = len(wire.sent)
    assert b.register().status != 401
    invite = to([one for one in wire.since(before) if one[1].method == b"INVITE"], b.peer)
    assert invite.uri.decode() == b.contact
    ok = to(wire.send(b.peer, answer(invite, 200, b.peer, body=SDP, contact=b.contact)), a.peer)
    assert ok.status == 200
    assert wire.counters["push", "woken"] == 1


def test_the_call_goes_on_after_the_200_of_the_register():
    wire, _, a, b = asleep()
    a.invite(b.number)
    challenge = to(wire.send(b.peer, b.register_text()), b.peer)
    wire.auto_commit = False
    proof = b.authorization(challenge, "REGISTER", "sip:denwa.example")
    assert wire.send(b.peer, b.register_text(proof)) == []  # the binding is not on disk
    assert starts(wire.commit()) == [(b.peer, "200"), (b.peer, "INVITE")]


def test_the_caller_hears_ringing_once_the_push_service_has_taken_the_push():
    wire, bell, a, b = asleep()
    a.invite(b.number)
    assert starts(bell.answer(wire)) == [(a.peer, "180")]


def test_who_insists_on_reliable_ringing_hears_only_the_phone():  # RFC 3262 §3
    wire, bell, a, b = asleep()
    a.invite(b.number, extra="Require: 100rel\r\n")
    assert bell.answer(wire) == []


def test_a_phone_that_has_just_registered_is_called_at_once():
    _, bell, a, b = asleep(away=29)
    assert starts(a.invite(b.number)) == [(a.peer, "100"), (b.peer, "INVITE")]
    assert bell.pushes == []


def test_a_phone_that_answers_where_it_was_is_awake_and_called_at_once():
    wire, bell, a, b = asleep()
    question = to(a.invite(b.number), b.peer)
    assert question.method == b"OPTIONS"
    assert question.uri.decode() == b.contact
    assert a.number.encode() not in question.encode()
    assert starts(b.answer(question, 200)) == [(b.peer, "INVITE")]
    assert bell.answer(wire) == []  # the push was asked for at the same time and changes nothing
    assert wire.counters["push", "awake"] == 1


def test_both_calls_to_a_phone_go_on_when_it_answers():
    wire, _, a, b = asleep()
    question = to(a.invite(b.number, "call-1"), b.peer)
    assert (b.peer, "OPTIONS") not in starts(a.invite(b.number, "call-2"))
    assert starts(b.answer(question, 486)) == [(b.peer, "INVITE")] * 2
    assert starts(b.answer(question, 486)) == []
    assert wire.counters["push", "awake"] == 1


def test_nobody_knocks_any_longer_than_the_caller_waits():
    wire, _, a, b = asleep()
    question = to(a.invite(b.number), b.peer)
    a.cancel()
    assert (b.peer, "OPTIONS") not in starts(wire.wait(10))
    b.answer(question, 200)
    assert (b.peer, "INVITE") not in starts(wire.since(0))


def test_nobody_knocks_at_a_connection_that_is_gone():
    wire, bell = push_wire()
    a, b = Phone(wire, A), push_phone(wire, B)
    b.peer = ("192.0.2.1", 5062, 7)  # type: ignore[assignment]
    b.register()
    bindings = [entry for group in wire.committed for entry in group.bindings]
    wire.start()
    wire.engine.restore(bindings, [], wire.now, wire.ms)  # type: ignore[arg-type]
    assert [what for _, what in starts(a.invite(b.number))] == ["100"]
    assert len(bell.pushes) == 1


def test_a_connection_that_is_gone_shows_that_the_phone_sleeps():
    wire, bell = push_wire()
    a, b = Phone(wire, A), push_phone(wire, B)
    b.peer = ("192.0.2.1", 5062, 7)  # type: ignore[assignment]
    b.register()
    sent = a.invite(b.number)
    invite = to(sent, b.peer)
    data = next(data for _, message, data in wire.sent if message is invite)
    wire.engine.undeliverable(data, wire.now, wire.ms)
    wire.collect()
    assert len(bell.pushes) == 1
    b.peer = ("192.0.2.1", 5062, 8)  # type: ignore[assignment]
    before = len(wire.sent)
    b.register()
    assert (b.peer, "INVITE") in starts(wire.since(before))


def test_a_connection_does_not_outlive_a_restart():  # and the binding does
    wire, bell = push_wire()
    a, b = Phone(wire, A), push_phone(wire, B)
    b.peer = ("192.0.2.1", 5062, 7)  # type: ignore[assignment]
    b.register()
    bindings = [entry for group in wire.committed for entry in group.bindings]
    wire.start()
    wire.engine.restore(bindings, [], wire.now, wire.ms)  # type: ignore[arg-type]
    a.invite(b.number)
    assert [push.device.prid for push in bell.pushes] == ["token-2"]


def test_a_phone_that_does_not_come_leaves_the_call_to_the_voicemail():  # R3, V1
    wire, bell, a, b = asleep()
    a.invite(b.number)
    bell.answer(wire)
    wire.wait(9.9)
    assert wire.voicemail.wishes == []
    wire.wait(0.2)
    assert [wish.cause for wish in wire.voicemail.wishes] == [480]
    assert starts(wire.give_place()) == [(VOICEMAIL, "INVITE")]
    b.register()  # too late
    assert (b.peer, "INVITE") not in starts(wire.since(0))
    assert wire.counters["push", "not woken"] == 1


def test_without_voicemail_the_caller_hears_that_it_is_not_reached():
    wire, _bell, a, b = asleep()
    wire.directory.put(subscriber(B))
    a.invite(b.number)
    sent = wire.wait(11)
    assert {message.status for where, message in sent if where == a.peer} == {480}
    (row,) = wire.calls
    assert (row.end_cause, row.reason) == ("no_answer", "not-reached")


def test_the_wait_ends_with_the_ring_time():  # V1
    wire, _, a, b = asleep()
    wire.directory.put(subscriber(B, voicemail=True, ring_time=5))
    a.invite(b.number)
    wire.wait(5.1)
    assert len(wire.voicemail.wishes) == 1


def test_a_woken_phone_rings_for_what_is_left_of_the_ring_time():
    wire, _, a, b = asleep()
    a.invite(b.number)
    wire.wait(8)
    before = len(wire.sent)
    b.register()
    invite = to([one for one in wire.since(before) if one[1].method == b"INVITE"], b.peer)
    b.answer(invite, 180)
    wire.wait(11.5)
    assert (b.peer, "CANCEL") not in starts(wire.since(before))
    wire.wait(1)
    assert (b.peer, "CANCEL") in starts(wire.since(before))


def test_a_caller_who_gives_up_while_the_phone_wakes_hears_487():
    wire, bell, a, b = asleep()
    a.invite(b.number)
    assert [status for _, status in starts(a.cancel())] == ["200", "487"]
    assert bell.answer(wire) == []
    before = len(wire.sent)
    b.register()
    assert (b.peer, "INVITE") not in starts(wire.since(before))
    wire.wait(40)
    assert wire.engine.ctx.waking.by_call == {}
    assert len(wire.engine.calls) == 0
    assert [row.end_cause for row in wire.calls] == ["cancelled"]


def test_a_phone_that_registers_twice_is_called_once():
    wire, _, a, b = asleep()
    a.invite(b.number)
    before = len(wire.sent)
    b.register()
    b.register()
    assert starts(wire.since(before)).count((b.peer, "INVITE")) == 1


def test_two_calls_to_one_sleeping_phone_need_one_push_and_both_ring():
    wire, bell, a, b = asleep()
    a.invite(b.number, "call-1")
    bell.answer(wire)
    assert (a.peer, "180") in starts(a.invite(b.number, "call-2"))
    assert len(bell.pushes) == 1
    before = len(wire.sent)
    b.register()
    assert starts(wire.since(before)).count((b.peer, "INVITE")) == 2


def test_a_later_call_pushes_again():
    wire, bell, a, b = asleep()
    a.invite(b.number, "call-1")
    wire.wait(3.1)
    a.invite(b.number, "call-2")
    assert len({push.ident for push in bell.pushes}) == 2


def test_a_push_service_that_fails_leaves_the_phone_to_be_called_where_it_was():
    wire, bell, a, b = asleep()
    a.invite(b.number)
    assert starts(bell.answer(wire, PushAnswer(False, "HTTP 500"))) == [(b.peer, "INVITE")]
    assert wire.counters["push", "failed"] == 1


def test_more_calls_than_may_wait_are_tried_where_the_phone_was():
    _, bell, a, b = asleep(rules=RULES._replace(waiting_calls=1))
    a.invite(b.number, "call-1")
    assert (b.peer, "INVITE") in starts(a.invite(b.number, "call-2"))
    assert len(bell.pushes) == 1


# -- two devices ------------------------------------------------------------------------------------------------------


def two_devices():
    wire, bell, a, b = asleep()
    other = Phone(wire, B, host="192.0.2.9")
    return wire, bell, a, b, other


def test_only_the_phone_that_registered_last_is_woken():  # R2
    _, bell, a, b, other = two_devices()
    other.register()
    assert starts(a.invite(b.number))[-1] == (other.peer, "INVITE")
    assert bell.pushes == []


def test_another_device_that_registers_meanwhile_does_not_ring_in_place_of_the_woken_one():  # R2
    wire, _, a, b, other = two_devices()
    a.invite(b.number)
    before = len(wire.sent)
    other.register()
    assert (other.peer, "INVITE") not in starts(wire.since(before))
    wire.wait(1)
    b.register()
    assert (b.peer, "INVITE") in starts(wire.since(before))
    assert (other.peer, "INVITE") not in starts(wire.since(before))


def test_another_device_that_registered_meanwhile_rings_when_the_woken_one_does_not_come():
    wire, _, a, b, other = two_devices()
    a.invite(b.number)
    other.register()
    assert (other.peer, "INVITE") in starts(wire.wait(10.1))


def test_when_the_sleeping_phone_signs_off_another_is_called():
    wire, _, a, b, other = two_devices()
    other.register()
    wire.wait(1)
    b.register(86_400)
    wire.wait(40)
    a.invite(b.number)
    before = len(wire.sent)
    b.register(0)
    assert (other.peer, "INVITE") in starts(wire.since(before))


def test_a_device_that_signs_off_wakes_nobody():
    wire, _, a, b, other = two_devices()
    other.register()
    wire.wait(1)
    b.register(86_400)
    wire.wait(40)
    a.invite(b.number)
    before = len(wire.sent)
    other.register(0)
    assert "INVITE" not in [what for _, what in starts(wire.since(before))]


# -- who calls --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("dialled", "caller"), [("", "+815050010001"), ("184", "")])
def test_the_caller_is_told_only_if_the_operator_wants_it_and_the_caller_does_not_hide(dialled, caller):  # N7
    _, bell, a, b = asleep(rules=RULES._replace(tell_caller=True))
    a.invite(dialled + b.number, "id@192.0.2.1")
    (push,) = bell.pushes
    assert push.caller == caller
    assert ("192.0.2.1" in push.call_id) == bool(caller)


def test_the_ringing_shows_the_caller_its_own_from():
    wire, bell, a, b = asleep()
    a.invite("184" + b.number)
    ringing = to(bell.answer(wire), a.peer)
    assert a.aor.encode() in b"\n".join(ringing.lines)


def test_a_forwarding_on_no_answer_takes_the_call_of_a_phone_that_does_not_come():  # F1
    wire, _, a, b = asleep()
    wire.directory.put(subscriber(3))
    wire.directory.put(subscriber(B, forward=Forward(False, subscriber(3).number)))
    c = Phone(wire, 3)
    c.register()
    a.invite(b.number)
    assert (c.peer, "INVITE") in starts(wire.wait(10.1))


# -- the log tells no secrets -----------------------------------------------------------------------------------------


def test_the_log_names_the_service_and_not_the_phone():
    wire, bell, a, b = asleep()
    a.invite(b.number)
    bell.answer(wire, PushAnswer(False, "HTTP 410"))
    notes = "\n".join(wire.engine.ctx.notes)
    assert "fcm" in notes
    assert "HTTP 410" in notes
    assert "token-2" not in notes


def test_with_push_switched_off_the_parameters_mean_nothing():
    wire, bell = push_wire(rules=PushRules())
    a, b = Phone(wire, A), push_phone(wire, B, provider="elsewhere")
    ok = b.register(expires=86_400)
    assert ok.status == 200
    assert b"Feature-Caps" not in b"\n".join(ok.lines)
    assert "expires=7200" in text_of(ok, CONTACT)
    wire.wait(60)
    assert (b.peer, "INVITE") in starts(a.invite(b.number))
    assert bell.pushes == []
