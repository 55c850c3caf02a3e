"""Forwarding: where a forwarded call goes, what it says of itself, its two records, and what stops it (F1-F4, K1)."""

from __future__ import annotations

import pytest

from denwa.voip.context import Trunk
from denwa.voip.media.codec_policy import CodecOrder
from denwa.voip.sip import message as m
from denwa.voip.sip.message import Message
from denwa.voip.subscribers import Forward
from tests.voip.calls.test_restart import restart
from tests.voip.proxy.test_invite_chain import gateway_invite
from tests.voip.wire import GATEWAY, SDP, VOICEMAIL, Phone, Sent, Talk, Wire, answer, starts, subscriber, text_of, to

FIXED = "+81312345678"
A, B, C, D = (f"+81505001000{n}" for n in range(1, 5))


class Scene:
    """A calls B, who forwards to `target`; C and D are other subscribers."""

    def __init__(self, target: str = FIXED, *, always: bool = True, registered: bool = True, c: dict | None = None,
                 d: dict | None = None, b: dict | None = None, **settings: object) -> None:  # fmt: skip
        forward = Forward(always, target)
        subscribers = [
            subscriber(1),
            subscriber(2, forward=forward, **(b or {})),
            subscriber(3, **(c or {})),
            subscriber(4, **(d or {})),
        ]
        self.wire = Wire(*subscribers, **settings)
        self.a, self.b, self.c, self.d = (Phone(self.wire, n) for n in range(1, 5))
        for phone in (self.b, self.c, self.d) if registered else (self.c, self.d):
            phone.register()

    def call(self, dialled: str = "", call_id: str = "call-1") -> Sent:
        return self.a.invite(dialled or self.b.number, call_id)

    def by_leg(self) -> dict[str, list]:
        found: dict[str, list] = {}
        for entry in self.wire.calls:
            found.setdefault(entry.leg, []).append(entry)
        return found

    def finish(self) -> None:
        """Nothing stays behind."""
        self.wire.wait(240)
        assert self.wire.transactions == 0
        assert len(self.wire.engine.calls) == 0
        assert not self.wire.engine.admission.busy
        assert not self.wire.engine._forwarding._in_setup


def refused(sent: Sent, scene: Scene) -> Message:
    """The 480 that the caller got."""
    response = to(sent, scene.a.peer)
    assert response.status == 480, response.lines[0]
    scene.a.ack_failure(response)
    return response


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


def wire_answer(scene: Scene, invite: Message, status: int, **more: str) -> Sent:
    return scene.wire.send(GATEWAY, answer(invite, status, GATEWAY, **more))


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


def up(scene: Scene, ring: float = 3.0) -> tuple[Talk, Message]:
    """The gateway answers a forwarded call: the caller's dialog, and what the gateway got."""
    invite = to(scene.call(), GATEWAY)
    wire_answer(scene, invite, 180)
    scene.wire.wait(ring)
    talk = Talk.of_caller(scene.a, to(wire_answer(scene, invite, 200, body=SDP), scene.a.peer))
    talk.send("ACK")
    return talk, invite


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


# -- who is shown (K1, N7) --------------------------------------------------------------------------------------------


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


# -- F3, and what else stops a forwarding -----------------------------------------------------------------------------


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
