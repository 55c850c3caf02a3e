"""What a forwarded call says of itself: to the target, to the network, and to the caller (K1, N7)."""

from __future__ import annotations

import pytest

from denwa.voip.sip import message as m
from tests.voip.calls.test_restart import restart
from tests.voip.proxy.forwarding import FIXED, A, C, Scene
from tests.voip.proxy.test_invite_chain import gateway_invite
from tests.voip.wire import GATEWAY, SDP, Talk, answer, text_of, to


def test_the_target_sees_the_caller_and_on_whose_behalf_it_is_called():  # K1, N7
    scene = Scene()
    invite = to(scene.call(), GATEWAY)
    assert text_of(invite, m.FROM).startswith('"05050010001" <sip:05050010001@denwa.example>')
    assert invite.value(m.P_ASSERTED_IDENTITY) == b"<sip:+815050010001@denwa.example;user=phone>"
    assert invite.values(m.DIVERSION) == [
        b"<sip:+815050010002@denwa.example;user=phone>;reason=unconditional;counter=1"
    ]
    assert invite.values(m.HISTORY_INFO) == [
        b"<sip:+815050010002@denwa.example;user=phone>;index=1, "
        b"<sip:+81312345678@denwa.example;user=phone;cause=302>;index=1.1;mp=1"
    ]


@pytest.mark.parametrize(
    ("status", "reason", "cause"),
    [(486, b"user-busy", b"486"), (480, b"unavailable", b"503"), (0, b"no-answer", b"408")],
)  # fmt: skip
def test_why_it_was_forwarded_travels_with_the_call(status, reason, cause):  # K1
    scene = Scene(always=False)
    invite = to(scene.call(), scene.b.peer)
    scene.b.answer(invite, 180)
    if not status:
        scene.wire.wait(20.1)
    sent = scene.b.answer(invite, status or 487)
    went = to(sent, GATEWAY)
    assert b";reason=" + reason + b";" in (went.value(m.DIVERSION) or b"")
    history = went.value(m.HISTORY_INFO) or b""
    said = {b"503": b"480"}.get(cause, cause)
    assert b"<sip:+815050010002@denwa.example;user=phone?Reason=SIP%3Bcause%3D" + said + b">;index=1," in history
    assert b";cause=" + cause + b">;index=1.1;mp=1" in history


def test_a_hidden_caller_stays_hidden_in_a_forwarded_call_and_in_the_other_s_record():  # N7, K1
    for target in (C, FIXED):
        scene = Scene(target)
        sent = scene.call("184" + scene.b.number)
        peer, invite = next((peer, message) for peer, message in sent if message.method == b"INVITE")
        assert text_of(invite, m.FROM).startswith('"Anonymous" <sip:anonymous@anonymous.invalid>')
        betrayed = [line for line in invite.lines if b"50010001" in line]
        if target == C:
            assert betrayed == []
        else:  # the network asserts it, and is asked not to show it
            assert [line[:20] for line in betrayed] == [b"P-Asserted-Identity:"]
            assert invite.value(m.PRIVACY) == b"id"
        assert b"184" not in (invite.value(m.HISTORY_INFO) or b"")
        scene.wire.send(peer, answer(invite, 200, peer, body=SDP))
        first, second = scene.wire.calls
        assert (first.caller, second.caller) == (A, "")


def test_what_a_phone_claims_of_its_way_goes_no_further():  # N7
    scene = Scene()
    extra = "Diversion: <sip:+81399999999@x>;reason=unknown\r\nHistory-Info: <sip:+81399999998@x>;index=1\r\n"
    invite = to(scene.a.invite(scene.b.number, extra=extra), GATEWAY)
    assert b"8139999999" not in invite.encode()


def test_what_a_gateway_tells_of_the_way_is_carried_on():  # K1
    scene = Scene()
    extra = (
        "History-Info: <sip:+81311111111@x;user=phone>;index=1\r\n"
        "History-Info: <sip:+815050010002@x;user=phone;cause=302>;index=1.1\r\n"
        "Diversion: <sip:+81311111111@x>;reason=unconditional\r\n"
    )
    sent = scene.wire.send(GATEWAY, gateway_invite("0345678901", "05050010002", extra=extra))
    invite = next(message for _, message in sent if message.method == b"INVITE")
    assert invite.values(m.HISTORY_INFO) == [
        b"<sip:+81311111111@x;user=phone>;index=1, "
        b"<sip:+815050010002@denwa.example;user=phone>;index=1.1, "
        b"<sip:+81312345678@denwa.example;user=phone;cause=302>;index=1.1.1;mp=1.1"
    ]
    assert invite.values(m.DIVERSION) == [
        b"<sip:+815050010002@denwa.example;user=phone>;reason=unconditional;counter=1, "
        b"<sip:+81311111111@x>;reason=unconditional"
    ]


def test_the_caller_does_not_learn_where_the_call_went_and_all_messages_find_their_way():
    scene = Scene(C)
    wire, a, c = scene.wire, scene.a, scene.c
    extra = "P-Asserted-Identity: <sip:+815050010003@x>\r\nRemote-Party-ID: <sip:50010003@x>\r\n"
    before = len(wire.sent)
    invite = to([s for s in scene.call() if s[0] == c.peer], c.peer)
    ringing = to(c.answer(invite, 183, body=SDP, extra=extra + "Require: 100rel\r\nRSeq: 1\r\n"), a.peer)
    early = Talk.of_caller(a, ringing)
    prack = to(early.send("PRACK", extra="RAck: 1 2 INVITE\r\n"), c.peer)
    assert prack.uri == c.contact.encode()
    c.answer(prack, 200)
    ok = to(c.answer(invite, 200, body=SDP, extra=extra), a.peer)
    talk = Talk.of_caller(a, ok)
    assert to(talk.send("ACK"), c.peer).uri == c.contact.encode()
    restart(wire)
    assert to(c.answer(invite, 200, body=SDP, extra=extra), a.peer).status == 200
    update = to(talk.send("UPDATE"), c.peer)
    assert update.uri == c.contact.encode()
    c.answer(update, 200, extra=extra)
    back = Talk.of_callee(c, invite)
    again = to(back.send("INVITE", body=SDP, extra=extra), a.peer)
    assert again.uri == a.contact.encode()
    wire.send(a.peer, answer(again, 200, a.peer, body=SDP, contact=a.contact))
    to(back.send("ACK"), a.peer)
    bye = to(talk.send("BYE"), c.peer)
    c.answer(bye, 200, extra=extra)
    heard = [data for peer, _, data in wire.sent[before:] if peer == a.peer]
    assert len(heard) > 7
    for data in heard:
        assert b"50010003" not in data, data
    assert len(wire.ends) == 2
