"""What stops a forwarding: circles (F3), numbers that may not be called, and limits."""

from __future__ import annotations

import pytest

from denwa.voip.sip import message as m
from denwa.voip.subscribers import Forward
from tests.voip.proxy.forwarding import A, B, C, D, Scene, refused, up, wire_answer
from tests.voip.proxy.test_invite_chain import gateway_invite
from tests.voip.wire import GATEWAY, Phone, Wire, starts, subscriber, to


@pytest.mark.parametrize(
    "scene",
    [
        lambda: Scene(A),  # A -> B -> A
        lambda: Scene(B),  # saved before the rule was
        lambda: Scene(C, c={"forward": Forward(True, A)}),
        lambda: Scene(C, c={"forward": Forward(True, B)}),
        lambda: Scene(C, c={"forward": Forward(True, D)}, d={"forward": Forward(True, C)}),
    ],
    ids=["A-B-A", "A-B-B", "A-B-C-A", "A-B-C-B", "A-B-C-D-C"],
)
def test_a_circle_ends_with_480_and_no_phone_rings(scene):  # F3
    scene = scene()
    sent = scene.call()
    assert [s for s in starts(sent) if s[1] == "INVITE"] == []
    response = refused([s for s in sent if s[1].status != 181], scene)
    assert b"circle" in (response.value(m.REASON) or b"")
    assert scene.wire.calls[-1].end_cause == "refused"
    scene.finish()


def test_a_chain_has_an_end():  # F3
    numbers = range(2, 12)
    chain = [subscriber(n, forward=Forward(True, f"+81505001{n + 1:04d}")) for n in numbers]
    wire = Wire(subscriber(1), *chain, subscriber(12))
    phone = Phone(wire, 1)
    Phone(wire, 12).register()
    response = to([s for s in phone.invite("05050010002") if s[1].status != 181], phone.peer)
    assert response.status == 480
    assert len([e for e in wire.calls if e.leg == "forwarded"]) == 6  # five were made, the sixth was not


@pytest.mark.parametrize(
    "extra",
    [
        "Diversion: <sip:05050010002@carrier.example>;reason=unconditional\r\n",
        "Diversion: <tel:+81-50-5001-0002>;reason=no-answer, <sip:+81311111111@x>;reason=unknown\r\n",
        "History-Info: <sip:+815050010002@x>;index=1, <sip:+81312345678@x>;index=1.1, <sip:a@x>;index=1.2\r\n",
        "Diversion: <sip:+81311111111@x>;reason=unconditional;counter=5\r\n",
        "".join(f"Diversion: <sip:nobody{n}@x>;reason=unknown\r\n" for n in range(5)),
        "History-Info: " + ", ".join(f"<sip:x@x>;index=1.{n}" for n in range(6)) + "\r\n",
    ],
    ids=["diversion", "diversions", "history", "counter", "five diversions", "five entries"],
)  # fmt: skip
def test_a_call_that_comes_back_through_the_network_ends_with_480(extra):  # F3
    scene = Scene()
    sent = scene.wire.send(GATEWAY, gateway_invite("0345678901", "05050010002", extra=extra))
    assert starts(sent) == [(GATEWAY, "100"), (GATEWAY, "480")]
    assert [(e.leg, e.end_cause) for e in scene.wire.calls] == [("incoming", "refused"), ("forwarded", "refused")]
    hidden = gateway_invite("", "05050010002", from_='"Anonymous" <sip:a@b>;tag=gw', extra=extra)
    assert starts(Scene().wire.send(GATEWAY, hidden)) == starts(sent)  # whoever calls


def test_a_loop_through_a_network_that_tells_nothing_stops_after_two_rounds():  # F3
    scene = Scene()
    invite = to(scene.call(), GATEWAY)
    rounds = 0
    for rounds in range(1, 10):
        sent = scene.wire.send(
            GATEWAY,
            gateway_invite("0345678901", "05050010002", call_id=f"round-{rounds}",
                           from_="<sip:05050010001@carrier.example>;tag=r"),
        )  # fmt: skip
        if not [message for _, message in sent if message.method == b"INVITE"]:
            break
    assert rounds == 2
    assert to(sent, GATEWAY).status == 480
    wire_answer(scene, invite, 480)
    scene.wire.wait(300)
    assert not scene.wire.engine._forwarding._in_setup


def test_max_forwards_goes_down_on_a_forwarded_call_and_ends_it():  # F3
    scene = Scene()
    invite = to(scene.call(), GATEWAY)
    assert invite.value(m.MAX_FORWARDS) == b"69"
    assert to(wire_answer(scene, invite, 483), scene.a.peer).status == 480


@pytest.mark.parametrize(
    "target", ["+33123456789", "+81120123456", "+81570000000", "+8150500199990"], ids=["abroad", "0120", "0570", "none"]
)
def test_what_may_not_be_called_is_not_forwarded_to_whoever_saved_it(target):  # F3
    scene = Scene(target)
    refused(scene.call(), scene)
    assert [(e.leg, e.end_cause, e.callee) for e in scene.wire.calls] == [
        ("outgoing", "refused", B), ("forwarded", "refused", target)]  # fmt: skip
    scene.finish()


def test_a_suspended_subscriber_s_calls_are_not_forwarded():  # L2
    scene = Scene(b={"active": False})
    response = refused(scene.call(), scene)
    assert b"may not call" not in (response.value(m.REASON) or b"")  # that is between the service and who forwards
    assert scene.wire.calls[1].reason == "suspended"
    assert scene.wire.voicemail.wishes == []
    scene.finish()


def test_forwarded_calls_count_among_the_calls_of_who_forwards():  # C6
    scene = Scene(calls_per_subscriber=1)
    up(scene)
    other = Phone(scene.wire, 3)
    sent = other.invite(scene.b.number, "call-2")
    assert to(sent, other.peer).status == 480
    assert to(scene.b.invite("0312345678", "call-3"), scene.b.peer).status == 403


def test_an_own_number_that_nobody_has_is_480():
    scene = Scene("+815050019999")
    refused(scene.call(), scene)
    assert scene.wire.calls[1].reason == "not-in-use"


def test_a_caller_who_asks_for_tls_is_not_forwarded_over_anything_else():
    scene = Scene()
    sent = scene.a.invite(scene.b.number, uri=f"sips:{scene.b.number}@denwa.example")
    assert [s for s in starts(sent) if s[1] == "INVITE"] == []
    assert to([s for s in sent if s[1].status != 181], scene.a.peer).status == 480


def test_forwarding_that_is_switched_off_while_the_phone_rings_is_not_made():  # F5
    scene = Scene(always=False)
    invite = to(scene.call(), scene.b.peer)
    scene.wire.directory.put(subscriber(2))
    response = to(scene.b.answer(invite, 486), scene.a.peer)
    assert response.status == 486
    assert [e.leg for e in scene.wire.calls] == ["outgoing"]
