"""Where a call goes, one target after the other, and how it ends when nobody answers (R3, V1, V3)."""

from __future__ import annotations

import pytest

from denwa.voip.proxy.ports import NoPlace
from denwa.voip.sip import message as m
from denwa.voip.sip.message import Message
from tests.voip.wire import SDP, VOICEMAIL, Phone, Sent, Talk, Wire, answer, call_up, starts, subscriber, text_of, to


class Scene:
    """050-5001-0001 calls 050-5001-0002, which has voicemail and rings for 20 s."""

    def __init__(self, *, registered: bool = True, mailbox: bool = True, voicemail: bool = True, ring_time: int = 20):
        callee = subscriber(2, voicemail=mailbox, ring_time=ring_time)
        self.wire = Wire(subscriber(1), callee, voicemail=voicemail)
        self.a, self.b = Phone(self.wire, 1), Phone(self.wire, 2)
        if registered:
            self.b.register()

    def call(self) -> Message:
        """INVITE; the phone rings. What the phone got."""
        invite = to(self.a.invite(self.b.number), self.b.peer)
        self.b.answer(invite, 180)
        return invite

    def end(self) -> tuple[str, int, int]:
        """The one record, of a call that was not answered: why, status, voicemail."""
        (entry,) = self.wire.calls
        assert entry.answered_at is None
        assert entry.duration_ms == 0
        return entry.end_cause, entry.sip_status, entry.voicemail

    def finish(self) -> None:
        """Whatever is still going on ends by itself, and nothing stays behind."""
        self.wire.wait(120)
        assert self.wire.transactions == 0
        assert len(self.wire.engine.calls) == 0
        assert not self.wire.engine.admission.busy

    @property
    def released(self) -> list[str]:
        return self.wire.voicemail.released


def only(sent: Sent, method: str) -> Message:
    (found,) = [message for _, message in sent if message.method == method.encode()]
    return found


# -- ring time --------------------------------------------------------------------------------------------------------


def test_after_the_ring_time_the_phone_is_cancelled_and_the_voicemail_takes_the_call():  # V1
    scene = Scene()
    wire = scene.wire
    invite = scene.call()
    assert wire.wait(19.9) == []
    cancel = to(wire.wait(0.2), scene.b.peer)
    assert cancel.method == b"CANCEL"
    assert cancel.values(m.VIA) == invite.values(m.VIA)[:1]
    scene.b.answer(cancel, 200)
    sent = scene.b.answer(invite, 487)
    assert starts(sent) == [(scene.b.peer, "ACK")]  # the caller hears nothing of it
    (wish,) = wire.voicemail.wishes
    assert (wish.mailbox, wish.caller, wish.hidden, wish.cause) == ("+815050010002", "+815050010001", "", 408)
    place = to(wire.give_place(), VOICEMAIL)
    assert place.uri == b"sip:lease1@192.0.2.90:7000"
    ok = to(wire.send(VOICEMAIL, answer(place, 200, VOICEMAIL, tag="vm", body=SDP)), scene.a.peer)
    assert ok.status == 200
    (entry,) = wire.calls
    assert (entry.voicemail, entry.subscriber, entry.callee) == (1, "+815050010001", "+815050010002")
    assert scene.released == []  # the place is used


def test_the_ring_time_is_the_subscriber_s_own():  # V1
    scene = Scene(ring_time=5)
    scene.call()
    assert scene.wire.wait(4.9) == []
    assert to(scene.wire.wait(0.2), scene.b.peer).method == b"CANCEL"


def test_without_voicemail_the_caller_gets_480_after_the_ring_time():
    scene = Scene(mailbox=False)
    invite = scene.call()
    cancel = to(scene.wire.wait(20.1), scene.b.peer)
    scene.b.answer(cancel, 200)
    sent = scene.b.answer(invite, 487)
    assert starts(sent) == [(scene.b.peer, "ACK"), (scene.a.peer, "480")]
    scene.a.ack_failure(to(sent, scene.a.peer))
    assert scene.end() == ("no_answer", 480, 0)
    scene.finish()


def test_a_phone_that_was_cancelled_and_says_nothing_more_is_not_waited_for():
    scene = Scene()
    scene.call()
    scene.wire.wait(20.1)
    assert scene.wire.voicemail.wishes == []
    scene.wire.wait(5.0)
    assert len(scene.wire.voicemail.wishes) == 1
    scene.wire.voicemail.answer = NoPlace(480, "full")
    scene.a.ack_failure(to(scene.wire.give_place(), scene.a.peer))
    scene.finish()


def test_a_phone_that_is_gone_without_unregistering_costs_the_ring_time_and_no_more():  # F1: phone off
    scene = Scene()
    sent = scene.a.invite(scene.b.number)
    invite = to(sent, scene.b.peer)
    resent = scene.wire.wait(19.9)
    assert starts(resent) == [(scene.b.peer, "INVITE")] * 5  # A at 0.5, 1.5, 3.5, 7.5, 15.5 s
    scene.wire.wait(0.2)
    assert len(scene.wire.voicemail.wishes) == 1
    # It wakes up too late: it is told to stop.
    late = scene.b.answer(invite, 180)
    assert starts(late) == [(scene.b.peer, "CANCEL")]
    scene.wire.voicemail.answer = NoPlace(480, "full")
    scene.a.ack_failure(to(scene.wire.give_place(), scene.a.peer))
    scene.finish()


# -- what the phone says ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [486, 600, 603])
def test_busy_goes_to_voicemail(status):  # V1
    scene = Scene()
    scene.b.answer(scene.call(), status)
    assert [wish.cause for wish in scene.wire.voicemail.wishes] == [486]
    assert to(scene.wire.give_place(), VOICEMAIL).method == b"INVITE"


@pytest.mark.parametrize("status", [404, 408, 480, 487, 500, 503])
def test_a_phone_that_cannot_be_reached_goes_to_voicemail(status):  # F1, V1
    scene = Scene()
    scene.b.answer(scene.call(), status)
    assert [wish.cause for wish in scene.wire.voicemail.wishes] == [480]


def test_a_number_without_a_registered_phone_goes_to_voicemail_at_once():  # R3, V1
    scene = Scene(registered=False)
    sent = scene.a.invite(scene.b.number)
    assert starts(sent) == [(scene.a.peer, "100")]
    assert [wish.cause for wish in scene.wire.voicemail.wishes] == [480]


def test_a_number_whose_last_registration_has_expired_goes_to_voicemail_at_once():  # R3
    scene = Scene(registered=False)
    scene.b.register(expires=60)
    scene.wire.wait(60)
    scene.a.invite(scene.b.number)
    assert len(scene.wire.voicemail.wishes) == 1


@pytest.mark.parametrize(
    ("status", "cause"), [(486, "busy"), (600, "busy"), (603, "rejected"), (480, "no_answer"), (488, "failed")]
)
def test_without_voicemail_the_caller_gets_what_the_phone_said(status, cause):
    scene = Scene(mailbox=False)
    sent = scene.b.answer(scene.call(), status)
    response = to(sent, scene.a.peer)
    assert response.status == status
    assert text_of(response, m.FROM) == f"{scene.a.aor};tag=tag1"
    assert len(response.values(m.VIA)) == 1
    scene.a.ack_failure(response)
    assert scene.end() == (cause, status, 0)
    scene.finish()


@pytest.mark.parametrize("status", [401, 404, 407, 481, 482, 503])
def test_what_concerns_the_phone_and_not_the_caller_is_480(status):
    scene = Scene(mailbox=False)
    response = to(scene.b.answer(scene.call(), status), scene.a.peer)
    assert response.status == 480
    assert b"Authenticate" not in response.encode()  # no phone asks for the caller's password


def test_what_no_voicemail_can_mend_is_told_to_the_caller():
    scene = Scene()
    assert to(scene.b.answer(scene.call(), 488), scene.a.peer).status == 488
    assert scene.wire.voicemail.wishes == []


def test_without_voicemail_a_number_that_is_not_registered_is_480_at_once():  # R3
    scene = Scene(registered=False, mailbox=False)
    response = to(scene.a.invite(scene.b.number), scene.a.peer)
    assert (response.status, b"not registered" in (response.value(m.REASON) or b"")) == (480, True)
    assert scene.end() == ("no_answer", 480, 0)


def test_a_service_without_voicemail_answers_for_a_mailbox_in_its_own_time():
    scene = Scene(registered=False, voicemail=False)
    response = to(scene.a.invite(scene.b.number), scene.a.peer)
    assert response.status == 480
    assert starts(scene.wire.wait(3.6)) == [(scene.a.peer, "480")] * 3  # not acknowledged yet: timer G
    scene.a.ack_failure(response)
    scene.finish()


# -- no place (V3) ----------------------------------------------------------------------------------------------------


def test_a_full_mailbox_is_480_and_the_call_is_not_answered():  # V3
    scene = Scene(registered=False)
    scene.a.invite(scene.b.number)
    scene.wire.voicemail.answer = NoPlace(480, "mailbox full")
    response = to(scene.wire.give_place(), scene.a.peer)
    assert (response.status, b"full" in (response.value(m.REASON) or b"")) == (480, True)
    scene.a.ack_failure(response)
    assert scene.end() == ("refused", 480, 0)
    assert scene.released == []
    scene.finish()


@pytest.mark.parametrize("status", [0, 486, 503])
def test_a_voicemail_that_does_not_answer_is_480_and_its_place_is_given_back_once(status):
    scene = Scene(registered=False)
    scene.a.invite(scene.b.number)
    place = to(scene.wire.give_place(), VOICEMAIL)
    if status:
        sent = scene.wire.send(VOICEMAIL, answer(place, status, VOICEMAIL))
    else:
        sent = [(peer, message) for peer, message in scene.wire.wait(6.1) if peer == scene.a.peer]
    scene.a.ack_failure(to(sent, scene.a.peer))
    assert scene.end() == ("no_answer", 480, 0)
    scene.finish()
    assert scene.released == ["lease1"]


# -- CANCEL -----------------------------------------------------------------------------------------------------------


def test_a_caller_that_gives_up_gets_487_and_the_phone_stops():
    scene = Scene()
    invite = scene.call()
    sent = scene.a.cancel()
    assert starts(sent) == [(scene.a.peer, "200"), (scene.b.peer, "CANCEL")]
    scene.b.answer(only(sent, "CANCEL"), 200)
    sent = scene.b.answer(invite, 487)
    assert starts(sent) == [(scene.b.peer, "ACK"), (scene.a.peer, "487")]
    scene.a.ack_failure(to(sent, scene.a.peer))
    assert scene.end() == ("cancelled", 487, 0)
    assert scene.wire.voicemail.wishes == []
    scene.finish()


def test_a_cancel_waits_until_the_phone_has_said_something():  # §9.1
    scene = Scene()
    invite = to(scene.a.invite(scene.b.number), scene.b.peer)
    assert starts(scene.a.cancel()) == [(scene.a.peer, "200")]
    assert starts(scene.b.answer(invite, 180))[0] == (scene.b.peer, "CANCEL")


def test_a_cancel_of_a_phone_that_says_nothing_ends_the_call_all_the_same():
    scene = Scene()
    to(scene.a.invite(scene.b.number), scene.b.peer)
    scene.a.cancel()
    response = next(message for peer, message in scene.wire.wait(5.1) if peer == scene.a.peer)
    assert response.status == 487
    scene.a.ack_failure(response)
    assert scene.end() == ("cancelled", 487, 0)
    scene.finish()


def test_a_cancel_that_comes_twice_is_answered_twice_and_done_once():
    scene = Scene()
    scene.call()
    scene.a.cancel()
    assert starts(scene.a.cancel()) == [(scene.a.peer, "200")]


def test_a_cancel_for_nothing_is_481():
    scene = Scene()
    scene.call()
    scene.a.invite_branch = "z9hG4bKother"
    assert to(scene.a.cancel(), scene.a.peer).status == 481


def test_an_answer_that_crosses_the_caller_s_cancel_is_an_answered_call():  # §16.10
    scene = Scene()
    invite = scene.call()
    scene.a.cancel()
    ok = to(scene.b.answer(invite, 200, body=SDP), scene.a.peer)
    assert ok.status == 200
    talk = Talk.of_caller(scene.a, ok)
    assert to(talk.send("ACK"), scene.b.peer).method == b"ACK"
    bye = to(talk.send("BYE"), scene.b.peer)
    assert to(scene.b.answer(bye, 200), scene.a.peer).status == 200
    (entry,), (end,) = scene.wire.calls, scene.wire.ends
    assert entry.answered_at == end.ended_at - end.duration_ms
    assert end.end_cause == "caller"
    scene.finish()


def test_an_answer_that_crosses_the_cancel_of_the_ring_time_is_an_answered_call():
    scene = Scene()
    invite = scene.call()
    to(scene.wire.wait(20.1), scene.b.peer)
    assert to(scene.b.answer(invite, 200, body=SDP), scene.a.peer).status == 200
    assert scene.wire.voicemail.wishes == []
    assert len(scene.wire.calls) == 1


def test_a_cancel_while_the_voicemail_looks_for_a_place_gives_the_place_back_once():
    scene = Scene(registered=False)
    scene.a.invite(scene.b.number)
    sent = scene.a.cancel() + scene.wire.give_place()
    final = [message for _, message in sent if message.status == 487]
    assert len(final) == 1
    scene.a.ack_failure(final[0])
    assert scene.released == ["lease1"]
    assert scene.end() == ("cancelled", 487, 0)
    scene.finish()
    assert scene.released == ["lease1"]


def test_a_caller_that_gives_up_while_a_place_is_looked_for_is_answered_before_it_is_found():
    scene = Scene(registered=False)
    scene.a.invite(scene.b.number)
    assert starts(scene.a.cancel()) == [(scene.a.peer, "200"), (scene.a.peer, "487")]


def test_a_cancel_while_the_voicemail_is_rung_gives_the_place_back_once():
    scene = Scene(registered=False)
    scene.a.invite(scene.b.number)
    place = to(scene.wire.give_place(), VOICEMAIL)
    scene.wire.send(VOICEMAIL, answer(place, 180, VOICEMAIL))
    cancel = only(scene.a.cancel(), "CANCEL")
    scene.wire.send(VOICEMAIL, answer(cancel, 200, VOICEMAIL))
    scene.a.ack_failure(to(scene.wire.send(VOICEMAIL, answer(place, 487, VOICEMAIL)), scene.a.peer))
    scene.finish()
    assert scene.released == ["lease1"]


# -- late and second answers -------------------------------------------------------------------------------------------


def test_an_answer_after_the_call_went_on_is_taken_and_ended_at_once_and_each_repetition_acknowledged():
    scene = Scene()
    invite = scene.call()
    scene.wire.wait(25.2)  # ring time, and no 487
    place = to(scene.wire.give_place(), VOICEMAIL)
    assert place.method == b"INVITE"
    late = scene.b.answer(invite, 200, body=SDP)
    assert starts(late) == [(scene.b.peer, "ACK"), (scene.b.peer, "BYE")]
    ack, bye = (message for _, message in late)
    assert ack.value(m.CSEQ) == b"2 ACK"
    assert bye.value(m.CSEQ) == b"3 BYE"
    for message in (ack, bye):
        assert message.uri == scene.b.contact.encode()
        assert text_of(message, m.TO).endswith(";tag=callee")
        assert message.value(m.FROM) == invite.value(m.FROM)
    scene.b.answer(bye, 200)
    again = scene.b.answer(invite, 200, body=SDP)
    assert starts(again) == [(scene.b.peer, "ACK")]
    # The voicemail has the call, as if nothing had been.
    ok = to(scene.wire.send(VOICEMAIL, answer(place, 200, VOICEMAIL, tag="vm", body=SDP)), scene.a.peer)
    assert text_of(ok, m.TO).endswith(";tag=vm")
    assert len(scene.wire.calls) == 1


def test_the_dismissed_answer_behind_another_proxy_is_reached_through_it():
    scene = Scene()
    invite = scene.call()
    scene.wire.wait(25.2)
    route = "Record-Route: <sip:198.51.100.5;lr>\r\n"
    text = answer(invite, 200, scene.b.peer, body=SDP).replace("Record-Route", route + "Record-Route", 1)
    late = scene.wire.send(scene.b.peer, text)
    for _, message in late:
        assert message.values(m.ROUTE) == [b"<sip:198.51.100.5;lr>"]


def test_a_second_answer_of_another_phone_behind_the_first_is_ended():
    """The phone forked: two dialogs, one call."""
    scene = Scene()
    invite = scene.call()
    ok = to(scene.b.answer(invite, 200, body=SDP, tag="one"), scene.a.peer)
    Talk.of_caller(scene.a, ok).send("ACK")
    second = scene.b.answer(invite, 200, body=SDP, tag="two")
    assert starts(second) == [(scene.b.peer, "ACK"), (scene.b.peer, "BYE")]
    for _, message in second:
        assert text_of(message, m.TO).endswith(";tag=two")
    assert len(scene.wire.calls) == 1


def test_an_answer_repeated_after_the_call_ended_is_acknowledged_and_ends_nothing_more():
    wire = Wire()
    a, b = Phone(wire, 1), Phone(wire, 2)
    up = call_up(wire, a, b, ack=False)
    bye = to(up.a.send("BYE", cseq=3), b.peer)
    again = wire.send(b.peer, up.answer_text)
    assert "BYE" not in [start for _, start in starts(again)]
    assert to(b.answer(bye, 200), a.peer).status == 200
    assert len(wire.ends) == 1


# -- R2 ---------------------------------------------------------------------------------------------------------------


def test_only_the_device_that_registered_last_rings_and_a_refresh_counts():  # R2
    scene = Scene(registered=False)
    old, new = Phone(scene.wire, 2, port=5070), Phone(scene.wire, 2, port=5071)
    old.register()
    scene.wire.wait(1)
    new.register()
    assert to(scene.a.invite(scene.b.number, "c1"), new.peer).method == b"INVITE"
    scene.wire.wait(1)
    old.register()
    sent = scene.a.invite(scene.b.number, "c2")
    assert to(sent, old.peer).uri == old.contact.encode()


def test_a_phone_behind_nat_is_reached_where_it_registered_from():  # R4
    wire = Wire()
    inside = Phone(wire, 2)
    inside.contact = "sip:50010002@10.0.0.7:5060"
    inside.register()
    invite = to(Phone(wire, 1).invite(inside.number), inside.peer)
    assert invite.uri == b"sip:50010002@10.0.0.7:5060"
