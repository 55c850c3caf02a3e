"""Guidance to refused callers: early media between the refusal's record and the refusal's answer."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from denwa.voip.proxy.guidance import LONGEST, START_GUARD
from denwa.voip.proxy.ports import Place
from denwa.voip.sip import message as m
from denwa.voip.sip.message import Message
from tests.voip.wire import GATEWAY, SDP, Phone, Sent, Talk, Wire, answer, starts, subscriber, text_of, to

WORKER = ("192.0.2.91", 7100)


class Speaker:
    """Gives `places` places at most; what was said to whom is for the test to see."""

    def __init__(self, places: int = 1) -> None:
        self.free = places
        self.asked: list[str] = []
        self.given: list[str] = []
        self.released: list[str] = []

    def guide(self, prompt: str) -> Place | None:
        self.asked.append(prompt)
        if len(self.given) - len(self.released) >= self.free:
            return None
        lease = f"speech{len(self.given)}"
        self.given.append(lease)
        return Place(f"sip:{lease}@192.0.2.91:7100".encode(), WORKER, lease)

    def release(self, lease: str) -> None:
        self.released.append(lease)


class SpokenWire(Wire):
    def __init__(self, *subscribers: Any, places: int = 1, **settings: Any) -> None:
        self.guidance: Speaker = Speaker(places)
        super().__init__(*subscribers, **settings)

    def says(self, request: Message, status: int, **more: str) -> Sent:
        """The worker answers."""
        return self.send(WORKER, answer(request, status, WORKER, tag="worker", **more))


def dialled_110(**more: Any) -> tuple[SpokenWire, Phone, Message]:
    """A caller of 110 and what the worker gets."""
    wire = SpokenWire(**more)
    phone = Phone(wire, 1)
    return wire, phone, to(phone.invite("110"), WORKER)


def assert_over(wire: SpokenWire, phone: Phone, response: Message) -> None:
    phone.ack_failure(response)
    wire.wait(40)
    assert (wire.transactions, len(wire.engine.calls)) == (0, 0)
    assert sorted(wire.guidance.released) == sorted(wire.guidance.given)
    assert wire.engine.admission.busy[f"+81{phone.number[1:]}"] == 0


def test_the_caller_hears_the_prompt_and_then_gets_the_refusal():  # N5 K2
    wire, phone, invite = dialled_110()
    assert wire.guidance.asked == ["barred"]
    (entry,) = wire.calls  # on disk before anything is said
    assert (entry.reason, entry.end_cause, entry.sip_status) == ("barred-emergency", "refused", 403)
    assert entry.answered_at is None
    progress = to(wire.says(invite, 183, body=SDP), phone.peer)
    assert progress.status == 183
    assert b"m=audio" in progress.body
    wire.wait(5)
    refusal = to([one for one in wire.says(invite, 480) if one[1].status], phone.peer)
    assert refusal.status == 403
    assert b"Q.850;cause=57" in (refusal.value(m.REASON) or b"")
    assert len(wire.calls) == 1
    assert wire.ends == []
    assert_over(wire, phone, refusal)


def test_a_caller_who_hangs_up_during_the_prompt_is_let_go_and_stays_refused_in_the_record():
    wire, phone, invite = dialled_110()
    wire.says(invite, 183, body=SDP)
    sent = phone.cancel()
    cancel = next(message for peer, message in sent if peer == WORKER)
    assert cancel.method == b"CANCEL"
    wire.says(cancel, 200)
    ended = to([one for one in wire.says(invite, 487) if one[0] == phone.peer], phone.peer)
    assert ended.status == 487
    (entry,) = wire.calls
    assert (entry.end_cause, entry.sip_status) == ("refused", 403)
    assert_over(wire, phone, ended)


@pytest.mark.parametrize("early", [True, False], ids=["after its 183", "at all"])
def test_a_worker_that_says_nothing_keeps_no_caller_waiting(early: bool):
    wire, phone, invite = dialled_110()
    patience = START_GUARD
    if early:
        wire.says(invite, 183, body=SDP)
        patience = LONGEST
    assert [peer for peer, _ in wire.wait(patience - 0.1) if peer == phone.peer] == []
    refusal = to([one for one in wire.wait(0.2) if one[0] == phone.peer], phone.peer)
    assert refusal.status == 403
    assert_over(wire, phone, refusal)


def test_nobody_is_ever_answered():
    # a worker out of its mind: it is told that the call is over, the caller is refused
    wire, phone, invite = dialled_110()
    wire.says(invite, 183, body=SDP)
    sent = wire.says(invite, 200, body=SDP)
    assert [what for peer, what in starts(sent) if peer == WORKER] == ["ACK", "BYE"]
    refusal = to([one for one in sent if one[0] == phone.peer], phone.peer)
    assert refusal.status == 403
    assert [entry.answered_at for entry in wire.calls] == [None]
    wire.says(next(message for _, message in sent if message.method == b"BYE"), 200)
    assert_over(wire, phone, refusal)


def test_without_a_free_place_the_refusal_comes_at_once():
    wire = SpokenWire(places=0)
    phone = Phone(wire, 1)
    refusal = to(phone.invite("110"), phone.peer)
    assert refusal.status == 403
    assert wire.counters["guidance", "no place"] == 1
    assert_over(wire, phone, refusal)


FAX = SDP.replace("m=audio 40000 RTP/AVP 0", "m=image 40000 udptl t38")
A_LAW = SDP.replace("RTP/AVP 0", "RTP/AVP 8")


@pytest.mark.parametrize("body", ["", FAX, A_LAW], ids=["late offer", "fax", "no codec of the service"])
def test_who_offers_nothing_that_can_be_spoken_to_is_refused_at_once(body: str):
    wire = SpokenWire()
    phone = Phone(wire, 1)
    refusal = to(phone.invite("110", body=body), phone.peer)
    assert refusal.status == 403
    assert wire.guidance.asked == []
    assert_over(wire, phone, refusal)


def test_strangers_hear_nothing():  # C2
    wire = SpokenWire()
    phone = Phone(wire, 1)
    assert to(phone.invite("110", password="guess"), phone.peer).status == 403
    assert wire.guidance.asked == []
    assert wire.calls == []


def test_a_subscriber_hears_one_prompt_at_a_time():
    wire = SpokenWire(places=5)
    phone, other = Phone(wire, 1), Phone(wire, 1, port=5999, tag="other")
    to(phone.invite("110", "first"), WORKER)
    assert to(other.invite("119", "second"), other.peer).status == 403
    third = Phone(wire, 2)
    assert to(third.invite("119", "third"), WORKER)


@pytest.mark.parametrize("guided", [False, True])
def test_callers_of_the_telephone_network_hear_it_only_where_that_is_set(guided: bool):
    wire = SpokenWire(guide_gateways=guided)
    trunk = Phone(wire, 1, host=GATEWAY[0], port=GATEWAY[1])
    sent = trunk.invite("05050019999", from_="<sip:0312345678@pstn>;tag=t")
    assert [what for _, what in starts(sent) if what != "100"] == (["INVITE"] if guided else ["404"])
    assert wire.guidance.asked == (["unallocated"] if guided else [])
    assert wire.calls[0].reason == "not-in-use"


def test_callers_of_the_telephone_network_do_not_wait_for_one_another():
    wire = SpokenWire(subscriber(1, blocked=frozenset(("+81312345678",))), places=5, guide_gateways=True)
    for attempt in ("first", "second"):
        trunk = Phone(wire, 1, host=GATEWAY[0], port=GATEWAY[1])
        sent = trunk.invite("05050010001", attempt, from_=f"<sip:0312345678@pstn>;tag={attempt}")
        assert [what for _, what in starts(sent) if what != "100"] == ["INVITE"]
    assert wire.guidance.asked == ["rejected", "rejected"]
    # and who is called can hear a prompt, too
    assert to(Phone(wire, 1).invite("110", "own"), WORKER)


def test_an_unreachable_number_is_said_to_be_so():  # R3
    wire = SpokenWire()
    phone = Phone(wire, 1)
    invite = to([one for one in phone.invite("05050010002") if one[1].method], WORKER)
    assert wire.guidance.asked == ["unreachable"]
    assert wire.calls[0].reason == "not-registered"
    assert to(wire.says(invite, 183, body=SDP), phone.peer).status == 183
    refusal = to([one for one in wire.says(invite, 480) if one[0] == phone.peer], phone.peer)
    assert refusal.status == 480
    assert text_of(refusal, m.FROM).startswith(phone.aor)
    assert_over(wire, phone, refusal)


def test_the_worker_does_not_get_the_callers_credentials():
    _, _, invite = dialled_110()
    assert invite.value(m.PROXY_AUTHORIZATION) is None


def test_a_hidden_caller_hears_it_in_its_own_dialog():  # N7
    wire = SpokenWire()
    phone = Phone(wire, 1)
    invite = to([one for one in phone.invite("18405050010002") if one[1].method], WORKER)
    progress = to(wire.says(invite, 183, body=SDP), phone.peer)
    assert text_of(progress, m.CALL_ID) == "call-1"
    assert text_of(progress, m.FROM).endswith("tag=tag1")
    refusal = to([one for one in wire.says(invite, 480) if one[0] == phone.peer], phone.peer)
    assert text_of(refusal, m.CALL_ID) == "call-1"
    assert_over(wire, phone, refusal)


def test_a_caller_who_requires_100rel_acknowledges_the_183():  # RFC 3262
    wire = SpokenWire()
    phone = Phone(wire, 1)
    invite = to(phone.invite("110", extra="Require: 100rel\r\n"), WORKER)
    assert invite.value(m.REQUIRE) == b"100rel"
    progress = to(wire.says(invite, 183, body=SDP, extra="Require: 100rel\r\nRSeq: 7\r\n"), phone.peer)
    talk = Talk.of_caller(phone, progress)
    prack = to(talk.send("PRACK", extra="RAck: 7 2 INVITE\r\n"), WORKER)
    assert to(wire.says(prack, 200), phone.peer).status == 200
    refusal = to([one for one in wire.says(invite, 480) if one[0] == phone.peer], phone.peer)
    assert refusal.status == 403


@settings(max_examples=60)
@given(
    st.lists(
        st.sampled_from(["183", "180", "480", "200", "cancel", "0.3 s", "3 s", "20 s"]),
        max_size=8,
    )
)
def test_whatever_happens_there_is_one_record_one_refusal_and_no_place_lost(events: list[str]) -> None:
    wire, phone, invite = dialled_110()
    for event in events:
        if event == "cancel":
            phone.cancel()
        elif event.endswith("s"):
            wire.wait(float(event.split()[0]))
        else:
            wire.says(invite, int(event), body=SDP if event in ("183", "200") else "")
    wire.wait(60)
    invite_answers = [
        message.status
        for peer, message, _ in wire.sent
        if peer == phone.peer and (message.value(m.CSEQ) or b"") == b"2 INVITE"
    ]
    finals = {status for status in invite_answers if status >= 200}  # sent again until its ACK comes
    assert len(finals) == 1
    assert finals <= {403, 487}
    assert [(entry.end_cause, entry.sip_status, entry.answered_at) for entry in wire.calls] == [("refused", 403, None)]
    assert wire.ends == []
    assert len(wire.guidance.released) >= len(wire.guidance.given) == 1
    assert len(wire.engine.calls) == 0
