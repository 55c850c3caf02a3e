"""Forwarding: when a call is forwarded, its two records, and the rules of where it goes (F1, F4)."""

from __future__ import annotations

import pytest

from denwa.voip.context import Trunk
from denwa.voip.media.codec_policy import CodecOrder
from denwa.voip.sip import message as m
from denwa.voip.subscribers import Forward
from tests.voip.calls.test_restart import restart
from tests.voip.proxy.forwarding import FIXED, A, B, C, D, Scene, refused, up, wire_answer
from tests.voip.proxy.test_invite_chain import gateway_invite
from tests.voip.wire import GATEWAY, SDP, VOICEMAIL, Phone, Talk, answer, starts, text_of, to

# -- F1 ---------------------------------------------------------------------------------------------------------------


def test_unconditional_forwarding_rings_only_the_target_and_tells_the_caller_181():  # F1
    scene = Scene()
    sent = scene.call()
    assert starts(sent) == [(scene.a.peer, "100"), (scene.a.peer, "181"), (GATEWAY, "INVITE")]
    invite = to(sent, GATEWAY)
    assert invite.uri == b"sip:+81312345678@192.0.2.80:5080;user=phone"
    said = sent[1][1]
    assert text_of(said, m.FROM) == f"{scene.a.aor};tag=tag1"
    assert b"81312345678" not in said.encode()  # where it goes is not the caller's business
    ringing = to(wire_answer(scene, invite, 180), scene.a.peer)
    assert ringing.status == 180


def test_forwarding_on_no_answer_waits_for_the_ring_time():  # F1
    scene = Scene(always=False, b={"ring_time": 7})
    invite = to(scene.call(), scene.b.peer)
    scene.b.answer(invite, 180)
    assert scene.wire.wait(6.9) == []
    cancel = to(scene.wire.wait(0.2), scene.b.peer)
    assert cancel.method == b"CANCEL"
    scene.b.answer(cancel, 200)
    sent = scene.b.answer(invite, 487)
    assert starts(sent) == [(scene.b.peer, "ACK"), (scene.a.peer, "181"), (GATEWAY, "INVITE")]


@pytest.mark.parametrize("status", [302, 404, 408, 480, 486, 500, 503, 600, 603])
def test_a_phone_that_is_busy_or_not_reached_is_no_answer(status):  # F1
    scene = Scene(always=False)
    invite = to(scene.call(), scene.b.peer)
    sent = scene.b.answer(invite, status, extra="Contact: <sip:0990123456@elsewhere.example>\r\n")
    assert to(sent, GATEWAY).uri.startswith(b"sip:+81312345678@")
    assert b"elsewhere" not in to(sent, GATEWAY).encode()


def test_a_number_that_is_not_registered_is_forwarded_at_once():  # F1, R3
    scene = Scene(always=False, registered=False)
    assert to(scene.call(), GATEWAY).method == b"INVITE"


def test_the_phone_that_answers_within_the_ring_time_has_the_call_and_no_second_one_is_made():  # F1
    scene = Scene(always=False)
    invite = to(scene.call(), scene.b.peer)
    assert to(scene.b.answer(invite, 200, body=SDP), scene.a.peer).status == 200
    assert [entry.leg for entry in scene.wire.calls] == ["outgoing"]


def test_a_call_from_the_telephone_network_is_forwarded_to_a_phone_and_to_the_network():  # F1, C8
    for target in (C, FIXED):
        scene = Scene(target)
        sent = scene.wire.send(GATEWAY, gateway_invite("0345678901", "05050010002"))
        invites = [(peer, message) for peer, message in sent if message.method == b"INVITE"]
        ((peer, invite),) = invites
        assert peer == (scene.c.peer if target == C else GATEWAY)
        sent = scene.wire.send(peer, answer(invite, 200, peer, body=SDP))
        assert to(sent, GATEWAY).status == 200
        incoming, forwarded = scene.wire.calls
        assert (incoming.leg, incoming.subscriber, incoming.callee) == ("incoming", B, B)
        assert (forwarded.leg, forwarded.subscriber, forwarded.callee) == ("forwarded", B, target)


# -- F4 ---------------------------------------------------------------------------------------------------------------


def test_a_forwarded_call_is_two_calls_measured_from_the_answer_of_the_target():  # F4, C4
    scene = Scene()
    talk, _ = up(scene)
    scene.wire.wait(61.5)
    bye = to(talk.send("BYE"), GATEWAY)
    assert to(wire_answer(scene, bye, 200), scene.a.peer).status == 200
    first, second = scene.wire.calls
    assert (first.leg, first.subscriber, first.caller, first.callee, first.number_class, first.forwarded_by) == (
        "outgoing", A, A, B, "on-net", "")  # fmt: skip
    assert (second.leg, second.subscriber, second.caller, second.callee, second.number_class) == (
        "forwarded", B, A, FIXED, "fixed")  # fmt: skip
    assert (second.forwarded_by, second.direction) == (B, "outgoing")
    assert first.call_id == second.call_id == "call-1"
    assert first.answered_at == second.answered_at
    one, other = scene.wire.ends
    assert (one.id, other.id) == (first.id, second.id)
    assert one._replace(id=0) == other._replace(id=0)
    assert (one.duration_ms, one.end_cause) == (61_500, "caller")
    scene.finish()


def test_both_records_are_in_the_group_that_the_answer_and_the_bye_wait_for():
    scene = Scene()
    scene.wire.auto_commit = False
    invite = to(scene.call(), GATEWAY)
    assert wire_answer(scene, invite, 200, body=SDP) == []  # the 200 waits for the disk
    (group,) = scene.wire.pending
    assert [call.leg for call in group.calls] == ["outgoing", "forwarded"]
    ok = to(scene.wire.commit(), scene.a.peer)
    talk = Talk.of_caller(scene.a, ok)
    talk.send("ACK")
    bye = to(talk.send("BYE"), GATEWAY)
    assert wire_answer(scene, bye, 200) == []  # and the 200 of the BYE too
    (group,) = scene.wire.pending
    assert [end.id for end in group.ends] == [call.id for call in scene.wire.calls]


@pytest.mark.parametrize("who", ["caller", "gateway"])
def test_a_forwarded_call_over_a_restart_ends_in_both_records_with_its_true_length(who):  # F4
    scene = Scene(calls_per_subscriber=1)
    talk, invite = up(scene)
    scene.wire.wait(10)
    restart(scene.wire)
    assert scene.wire.engine.admission.busy == {A: 1, B: 1}
    scene.wire.wait(5)
    if who == "caller":
        wire_answer(scene, to(talk.send("BYE"), GATEWAY), 200)
    else:
        network = Phone(scene.wire, 80, host=GATEWAY[0], port=GATEWAY[1])
        scene.a.answer(to(Talk.of_callee(network, invite).send("BYE"), scene.a.peer), 200)
    assert [end.duration_ms for end in scene.wire.ends] == [20_000, 20_000]  # the restart took 5 s
    assert [end.id for end in scene.wire.ends] == [call.id for call in scene.wire.calls]
    scene.finish()


def test_a_record_whose_call_is_gone_ends_at_its_last_proof_of_life():
    """The two are written together; should one be lost all the same, the other is not open for ever."""
    scene = Scene()
    up(scene)
    forwarded = scene.wire.calls[1]
    scene.wire.committed[:] = []
    scene.wire.start()
    scene.wire.engine.restore([], [forwarded], scene.wire.now, scene.wire.ms)
    scene.wire.collect()
    (end,) = scene.wire.ends
    assert (end.id, end.end_cause, end.duration_ms) == (forwarded.id, "lost", 0)
    assert len(scene.wire.engine.calls) == 0


def test_a_call_whose_phones_vanish_ends_in_both_records_at_the_last_proof_of_life():  # C5
    scene = Scene()
    up(scene)
    scene.wire.wait(200)
    one, other = scene.wire.ends
    assert one.end_cause == other.end_cause == "lost"
    assert one.duration_ms == other.duration_ms


@pytest.mark.parametrize(
    ("status", "heard", "cause"), [(486, 486, "busy"), (404, 480, "no_answer"), (503, 480, "no_answer"),
                                   (603, 480, "no_answer"), (482, 480, "no_answer")]
)  # fmt: skip
def test_a_target_that_does_not_take_the_call_leaves_two_records_that_say_so(status, heard, cause):
    scene = Scene()
    invite = to(scene.call(), GATEWAY)
    sent = wire_answer(scene, invite, status, extra='Warning: 399 x "+81312345678"\r\n')
    response = to(sent, scene.a.peer)
    assert response.status == heard
    assert b"81312345678" not in response.encode()
    scene.a.ack_failure(response)
    assert [(e.leg, e.end_cause, e.sip_status, e.answered_at) for e in scene.wire.calls] == [
        ("outgoing", cause, heard, None), ("forwarded", cause, heard, None)]  # fmt: skip
    scene.finish()


def test_a_caller_that_gives_up_while_the_target_rings_leaves_two_cancelled_records():
    scene = Scene()
    invite = to(scene.call(), GATEWAY)
    wire_answer(scene, invite, 180)
    cancel = next(message for _, message in scene.a.cancel() if message.method == b"CANCEL")
    wire_answer(scene, cancel, 200)
    scene.a.ack_failure(to(wire_answer(scene, invite, 487), scene.a.peer))
    assert [(e.leg, e.end_cause) for e in scene.wire.calls] == [("outgoing", "cancelled"), ("forwarded", "cancelled")]
    scene.finish()


# -- the target's own rules -------------------------------------------------------------------------------------------


def test_a_target_of_our_own_rings_for_its_own_ring_time_and_its_voicemail_answers():  # V1
    scene = Scene(C, c={"voicemail": True, "ring_time": 6})
    invite = to(scene.call(), scene.c.peer)
    scene.c.answer(invite, 180)
    scene.wire.wait(6.1)
    scene.c.answer(invite, 487)
    (wish,) = scene.wire.voicemail.wishes
    assert (wish.mailbox, wish.caller, wish.cause) == (C, A, 408)
    place = to(scene.wire.give_place(), VOICEMAIL)
    assert to(scene.wire.send(VOICEMAIL, answer(place, 200, VOICEMAIL, body=SDP)), scene.a.peer).status == 200
    assert [(e.leg, e.voicemail) for e in scene.wire.calls] == [("outgoing", 1), ("forwarded", 1)]


@pytest.mark.parametrize("blocks", [A, B])
def test_a_target_that_lists_the_caller_or_the_forwarder_does_not_ring(blocks):  # B1
    scene = Scene(C, c={"blocked": frozenset((blocks,)), "voicemail": True})
    response = refused(scene.call(), scene)
    assert b"take" not in (response.value(m.REASON) or b"")  # who rejects whom is not for the caller
    assert [(e.leg, e.reason) for e in scene.wire.calls] == [("outgoing", "not-forwarded"), ("forwarded", "rejected")]
    assert scene.wire.voicemail.wishes == []
    scene.finish()


def test_the_blocklist_of_who_forwards_holds_before_forwarding():  # B1, B5
    scene = Scene(b={"blocked": frozenset((A,))})
    assert to(scene.call(), scene.a.peer).status == 603
    (entry,) = scene.wire.calls
    assert (entry.leg, entry.end_cause) == ("outgoing", "rejected")


def test_a_chain_of_forwardings_is_charged_part_by_part():  # F4
    scene = Scene(C, c={"forward": Forward(True, D)}, d={"forward": Forward(False, FIXED)})
    sent = scene.call()
    assert [status for peer, status in starts(sent) if peer == scene.a.peer] == ["100", "181", "181"]
    invite = next(message for peer, message in sent if peer == scene.d.peer)
    sent = scene.d.answer(invite, 486)
    invite = to(sent, GATEWAY)
    assert invite.value(m.DIVERSION) == b", ".join(
        b"<sip:%b@denwa.example;user=phone>;reason=%b;counter=1" % (number.encode(), reason)
        for number, reason in ((D, b"user-busy"), (C, b"unconditional"), (B, b"unconditional"))
    )
    assert (invite.value(m.HISTORY_INFO) or b"").endswith(b";cause=486>;index=1.1.1.1;mp=1.1.1")
    wire_answer(scene, invite, 200, body=SDP)
    assert [(e.leg, e.subscriber, e.callee) for e in scene.wire.calls] == [
        ("outgoing", A, B), ("forwarded", B, C), ("forwarded", C, D), ("forwarded", D, FIXED)]  # fmt: skip
    assert scene.wire.engine.admission.busy == {A: 1, B: 1, C: 1, D: 1}


def test_the_codecs_are_in_the_order_of_who_is_called_in_the_end():  # C3
    offer = SDP.replace("RTP/AVP 0", "RTP/AVP 9 0 3").replace("s=-", "s=x")
    scene = Scene(C, c={"codecs": CodecOrder.MOBILE}, b={"codecs": CodecOrder.WIFI})
    invite = to([s for s in scene.a.invite(scene.b.number, body=offer) if s[0] == scene.c.peer], scene.c.peer)
    assert b"RTP/AVP 3 0 9" in invite.body or b"RTP/AVP 3 9 0" in invite.body
    assert int(text_of(invite, m.CONTENT_LENGTH)) == len(invite.body)


def test_a_gateway_that_fails_is_followed_by_another_and_the_call_is_forwarded_once():  # C1, F4
    second = ("192.0.2.81", 5080)
    trunks = tuple(
        Trunk(name, peer, frozenset((peer,)), True, True, priority)
        for priority, (name, peer) in enumerate((("one", GATEWAY), ("two", second)))
    )
    scene = Scene(trunks=trunks)
    sent = wire_answer(scene, to(scene.call(), GATEWAY), 503)
    invite = to(sent, second)
    assert (invite.value(m.DIVERSION) or b"").startswith(b"<sip:+815050010002@")
    ok = to(scene.wire.send(second, answer(invite, 200, second, body=SDP)), scene.a.peer)
    assert ok.status == 200
    assert [e.leg for e in scene.wire.calls] == ["outgoing", "forwarded"]
