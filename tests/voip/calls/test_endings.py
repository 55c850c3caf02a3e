"""How calls end (C4, C5, C6, L2, N2): the record follows the call, and both sides hear of it."""

from __future__ import annotations

import pytest

from denwa.voip.calls.cutting import Stop
from denwa.voip.sip import message as m
from tests.voip.calls.test_restart import restart
from tests.voip.wire import (
    GATEWAY,
    SDP,
    CallUp,
    Phone,
    Sent,
    Talk,
    Wire,
    answer,
    call_up,
    starts,
    subscriber,
    text_of,
    to,
)

CALLER, CALLEE = "+815050010001", "+815050010002"
both = pytest.mark.parametrize("who", ["caller", "callee"])


def scene(**settings: object) -> tuple[Wire, CallUp]:
    wire = Wire(**settings)  # type: ignore[arg-type]
    up = call_up(wire, Phone(wire, 1), Phone(wire, 2))
    wire.wait(10)
    return wire, up


def sides(up: CallUp, who: str) -> tuple[Talk, Phone, Phone]:
    return (up.a, up.caller, up.callee) if who == "caller" else (up.b, up.callee, up.caller)


def answer_all(wire: Wire, up: CallUp, sent: Sent, status: int = 200) -> None:
    for peer, message in sent:
        if message.method in (b"OPTIONS", b"BYE"):
            (up.caller if peer == up.caller.peer else up.callee).answer(message, status)


# -- a BYE that is refused (the record follows the call) ---------------------------------------------------------------


@both
@pytest.mark.parametrize("status", [400, 401, 403, 407, 500, 503, 603])
def test_a_bye_that_the_far_end_refuses_does_not_end_the_record(who, status):
    wire, up = scene()
    assert up.hang_up(who, status).status == status
    assert wire.ends == []
    assert wire.counters["bye_refused", str(status)] == 1
    answer_all(wire, up, wire.wait(1))  # both are asked at once, and both live
    wire.wait(20)
    assert up.hang_up(who).status == 200
    assert [(end.end_cause, end.duration_ms) for end in wire.ends] == [(who, 31_000)]


def test_a_phone_that_is_gone_after_its_bye_was_refused_ends_the_call_there_and_the_other_hears_bye():  # C5
    wire, up = scene()
    up.hang_up("caller", 500)
    asked = {peer: message for peer, message in wire.wait(1) if message.method == b"OPTIONS"}
    up.callee.answer(asked[up.callee.peer], 200)
    sent = up.caller.answer(asked[up.caller.peer], 481)
    assert to([s for s in sent if s[1].method == b"BYE"], up.callee.peer).value(m.REASON)
    assert [(end.end_cause, end.duration_ms) for end in wire.ends] == [("lost", 10_000)]


@both
@pytest.mark.parametrize("status", [404, 408, 410, 481, 604])
def test_a_far_end_that_knows_no_such_call_ends_it_with_the_time_of_the_bye(who, status):  # RFC 3261 §15.1.1, RFC 5057
    wire, up = scene()
    talk, near, far = sides(up, who)
    bye = to(talk.send("BYE"), far.peer)
    wire.wait(0.4)
    assert to(far.answer(bye, status), near.peer).status == status
    assert [(end.end_cause, end.duration_ms) for end in wire.ends] == [(who, 10_000)]


def test_a_bye_that_nobody_answers_ends_the_call_with_the_time_of_the_bye():
    wire, up = scene()
    up.a.send("BYE")
    wire.wait(31)
    assert wire.ends == []
    wire.wait(2)
    assert [(end.end_cause, end.duration_ms) for end in wire.ends] == [("caller", 10_000)]
    wire.wait(60)
    assert len(wire.engine.calls) == 0
    assert not wire.engine.admission.busy


def test_byes_that_cross_and_are_both_refused_leave_the_call_up():
    wire, up = scene()
    from_a, from_b = to(up.a.send("BYE"), up.callee.peer), to(up.b.send("BYE"), up.caller.peer)
    up.callee.answer(from_a, 500)
    up.caller.answer(from_b, 500)
    assert wire.ends == []
    wire.wait(5)
    up.hang_up("callee")
    assert [(end.end_cause, end.duration_ms) for end in wire.ends] == [("callee", 15_000)]


def test_when_one_of_two_crossing_byes_is_taken_the_call_ends_with_the_first():
    wire, up = scene()
    from_a = to(up.a.send("BYE"), up.callee.peer)
    wire.wait(0.1)
    from_b = to(up.b.send("BYE"), up.caller.peer)
    up.callee.answer(from_a, 500)
    up.caller.answer(from_b, 200)
    assert [(end.end_cause, end.duration_ms) for end in wire.ends] == [("caller", 10_000)]


# -- a kill while a BYE is under way -----------------------------------------------------------------------------------


def test_a_kill_while_a_bye_waits_for_its_answer_ends_the_call_with_the_time_of_the_bye():
    wire, up = scene()
    up.a.send("BYE")
    wire.wait(0.3)  # not answered at once: it is written down
    restart(wire, away=60)
    sent = wire.wait(1)
    assert [(end.end_cause, end.duration_ms) for end in wire.ends] == [("caller", 10_000)]
    assert {start for start in starts(sent) if start[1] == "BYE"} == {(up.caller.peer, "BYE"), (up.callee.peer, "BYE")}


def test_a_bye_that_comes_again_after_a_kill_to_a_phone_that_has_hung_up_ends_at_the_last_proof_of_life():  # C5
    wire, up = scene()
    answered = wire.calls[0].answered_at
    up.a.send("BYE")
    restart(wire, away=20)  # at once: nothing of the BYE is on disk, and the callee has taken it
    bye = to(up.a.send("BYE", cseq=3), up.callee.peer)
    up.callee.answer(bye, 481)
    (end,) = wire.ends
    assert (end.end_cause, end.ended_at) == ("lost", answered)  # never longer than the wire


def test_a_refused_bye_is_forgotten_on_disk_too():
    wire, up = scene()
    bye = to(up.a.send("BYE"), up.callee.peer)
    wire.wait(0.3)
    up.callee.answer(bye, 500)
    restart(wire)
    answer_all(wire, up, wire.wait(1))
    assert wire.ends == []
    up.hang_up()
    assert [end.end_cause for end in wire.ends] == ["caller"]


# -- strangers ---------------------------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("method", ["BYE", "INFO", "UPDATE", "INVITE"])
def test_a_stranger_with_the_right_call_id_and_tags_is_asked_who_it_is_and_ends_nothing(who, method):  # C2
    wire, up = scene()
    talk, near, _ = sides(up, who)
    near.peer = ("198.51.100.66", 5060)
    sent = talk.send(method)
    assert starts(sent) == [(near.peer, "407")]
    assert wire.ends == []


@both
def test_a_phone_in_another_network_hangs_up_with_its_password(who):  # R4, C2
    wire, up = scene()
    talk, near, far = sides(up, who)
    near.peer = ("198.51.100.66", 6000)
    challenge = to(talk.send("BYE"), near.peer)
    proof = near.authorization(challenge, "BYE", talk.target)
    bye = to(talk.send("BYE", extra=proof), far.peer)
    assert m.PROXY_AUTHORIZATION not in bye.at
    assert to(far.answer(bye, 200), near.peer).status == 200
    assert [end.end_cause for end in wire.ends] == [who]


def test_another_subscriber_s_password_opens_nobody_else_s_call():  # C2
    wire, up = scene()
    up.caller.peer = ("198.51.100.66", 6000)
    challenge = to(up.a.send("BYE"), up.caller.peer)
    proof = Phone(wire, 3).authorization(challenge, "BYE", up.a.target)
    assert to(up.a.send("BYE", extra=proof), up.caller.peer).status == 403
    assert wire.ends == []


def test_a_nat_that_gives_a_new_port_changes_nothing():  # R4
    wire, up = scene()
    up.caller.peer = (up.caller.peer[0], 40001)
    assert up.hang_up().status == 200
    assert [end.end_cause for end in wire.ends] == ["caller"]


def test_a_gateway_s_side_is_spoken_for_by_gateways_only():  # C2
    wire = Wire()
    a = Phone(wire, 1)
    invite = to(a.invite("0312345678"), GATEWAY)
    ok = to(wire.send(GATEWAY, answer(invite, 200, GATEWAY, body=SDP)), a.peer)
    Talk.of_caller(a, ok).send("ACK")
    stranger = Phone(wire, 7, host="198.51.100.66")
    assert to(Talk.of_callee(stranger, invite).send("BYE"), stranger.peer).status == 481
    network = Phone(wire, 80, host=GATEWAY[0], port=GATEWAY[1] + 1)
    assert to(Talk.of_callee(network, invite).send("BYE"), a.peer).method == b"BYE"


def test_an_ack_of_a_stranger_goes_nowhere():
    wire = Wire()
    up = call_up(wire, Phone(wire, 1), Phone(wire, 2), ack=False)
    up.caller.peer = ("198.51.100.66", 5060)
    assert up.a.send("ACK", cseq=2, body=SDP) == []
    assert wire.counters["dropped", "ACK from a stranger"] == 1


@both
def test_a_bye_with_a_cseq_that_has_passed_is_500_and_ends_nothing(who):  # RFC 3261 §12.2.2
    wire, up = scene()
    talk, near, far = sides(up, who)
    talk.cseq = 10
    far.answer(to(talk.send("INFO"), far.peer), 200)
    assert to(talk.send("BYE", cseq=9), near.peer).status == 500
    assert wire.ends == []


# -- targets -----------------------------------------------------------------------------------------------------------


@both
def test_a_target_refresh_takes_effect_with_its_2xx_only(who):  # RFC 3261 §12.2.1.2
    wire, up = scene()
    talk, near, far = sides(up, who)
    old, near.contact = near.contact, "sip:moved@192.0.2.1:5999"
    refused = to(talk.send("INVITE", body=SDP), far.peer)
    far.answer(refused, 488)
    wire.engine.cut_call(b"call-1", wire.now, wire.ms)
    wire.collect()
    assert to([(p, s) for p, s, _ in wire.sent[-2:]], near.peer).uri == old.encode()


@both
def test_a_target_refresh_that_was_accepted_is_where_our_bye_goes(who):
    wire, up = scene()
    talk, near, far = sides(up, who)
    near.contact = "sip:moved@192.0.2.1:5999"
    far.answer(to(talk.send("UPDATE", body=SDP), far.peer), 200, body=SDP)
    wire.engine.cut_call(b"call-1", wire.now, wire.ms)
    wire.collect()
    assert to([(p, s) for p, s, _ in wire.sent[-2:]], near.peer).uri == near.contact.encode()


# -- the service ends calls --------------------------------------------------------------------------------------------


def ended_by_us(wire: Wire, up: CallUp, act: object) -> dict[object, m.Message]:
    """Both BYEs after `act`."""
    before = len(wire.sent)
    act()  # type: ignore[operator]
    wire.collect()
    sent = wire.since(before)
    return {phone.peer: to([s for s in sent if s[1].method == b"BYE"], phone.peer) for phone in (up.caller, up.callee)}


def test_the_operator_s_cut_ends_the_call_on_both_sides_and_in_the_record():  # O1
    wire, up = scene()
    byes = ended_by_us(wire, up, lambda: wire.engine.cut_call(b"call-1", wire.now, wire.ms))
    for phone, talk in ((up.caller, up.a), (up.callee, up.b)):
        bye = byes[phone.peer]
        assert (text_of(bye, m.FROM), text_of(bye, m.TO)) == (talk.remote, talk.local)
        assert bye.value(m.REASON) == Stop.OPERATOR.reason.partition(b": ")[2]
    assert int(text_of(byes[up.callee.peer], m.CSEQ).split()[0]) == 3  # the caller's INVITE was 2
    assert [(end.end_cause, end.duration_ms) for end in wire.ends] == [("service", 10_000)]
    assert wire.engine.cut_call(b"call-1", wire.now, wire.ms) == 0


def test_a_call_whose_voicemail_died_ends_as_a_fault_of_the_service():  # T3
    wire, up = scene()
    byes = ended_by_us(wire, up, lambda: wire.engine.cut_call(b"call-1", wire.now, wire.ms, why=Stop.VOICEMAIL_LOST))
    assert all(bye.value(m.REASON) == b'Q.850;cause=41;text="voicemail was lost"' for bye in byes.values())
    assert [(end.end_cause, end.duration_ms) for end in wire.ends] == [("network_fault", 10_000)]


def test_a_call_is_as_long_as_it_may_be_and_no_longer():  # C6
    wire, up = scene(call_seconds=60, probe_interval=1000)
    assert wire.wait(49) == []
    sent = wire.wait(2)
    assert set(starts(sent)) == {(up.caller.peer, "BYE"), (up.callee.peer, "BYE")}
    (end,) = wire.ends
    assert end.end_cause == "service"
    assert 60_000 <= end.duration_ms <= 60_500


def test_the_longest_call_counts_over_a_restart():  # C6
    wire, up = scene(call_seconds=60, probe_interval=1000)
    restart(wire, away=20)
    assert [s for s in wire.wait(29) if s[1].method == b"BYE"] == []
    wire.wait(2)
    assert [end.end_cause for end in wire.ends] == ["service"]
    assert up.caller.peer


@pytest.mark.parametrize(
    ("number", "why", "ends"),
    [(CALLER, Stop.SUSPENDED, True), (CALLEE, Stop.SUSPENDED, False), (CALLER, Stop.PASSWORD, True),
     (CALLEE, Stop.PASSWORD, True), (CALLER, Stop.TERMINATED, True), (CALLEE, Stop.TERMINATED, True),
     ("+815050010003", Stop.TERMINATED, False)],
)  # fmt: skip
def test_whose_calls_end_with_whose_standing(number, why, ends):  # L2, N2
    wire, up = scene()
    assert wire.engine.stop_calls(number, why, wire.now, wire.ms) == ends
    wire.collect()
    assert [end.end_cause for end in wire.ends] == ["service"] * ends
    assert why.reason in up.caller.wire.sent[-1][1].lines or not ends


def test_a_voicemail_goes_on_when_the_box_s_password_changes_and_ends_with_its_contract():  # N2, L2
    wire = Wire(subscriber(1), subscriber(2, voicemail=True))
    a, machine = Phone(wire, 1), Phone(wire, 9, host="192.0.2.90", port=7000)
    a.invite("05050010002")
    invite = to(wire.give_place(), machine.peer)
    to(machine.answer(invite, 200, body=SDP), a.peer)
    assert wire.engine.stop_calls(CALLEE, Stop.PASSWORD, wire.now, wire.ms) == 0
    assert wire.engine.stop_calls(CALLEE, Stop.TERMINATED, wire.now, wire.ms) == 1
    wire.collect()
    assert [end.end_cause for end in wire.ends] == ["service"]


def test_a_call_that_still_rings_is_given_up():  # L2
    wire = Wire()
    a, b = Phone(wire, 1), Phone(wire, 2)
    b.register()
    invite = to(a.invite(b.number), b.peer)
    b.answer(invite, 180)
    before = len(wire.sent)
    assert wire.engine.stop_calls(CALLER, Stop.SUSPENDED, wire.now, wire.ms) == 1
    wire.collect()
    assert starts(wire.since(before)) == [(b.peer, "CANCEL")]
    assert to([s for s in b.answer(invite, 487) if s[0] == a.peer], a.peer).status == 487
    assert wire.calls[0].answered_at is None


def test_a_call_whose_answer_is_not_on_disk_yet_ends_when_it_is():
    wire = Wire()
    a, b = Phone(wire, 1), Phone(wire, 2)
    b.register()
    invite = to(a.invite(b.number), b.peer)
    wire.auto_commit = False
    b.answer(invite, 200, body=SDP)
    assert wire.engine.stop_calls(CALLER, Stop.PASSWORD, wire.now, wire.ms) == 1
    wire.auto_commit = True
    wire.commit()
    wire.wait(1)
    assert [end.end_cause for end in wire.ends] == ["service"]


def test_a_bye_that_is_under_way_was_the_end_of_a_call_that_is_cut():
    wire, up = scene()
    up.a.send("BYE")
    wire.wait(5)
    wire.engine.cut_call(b"call-1", wire.now, wire.ms)
    wire.collect()
    assert [(end.end_cause, end.duration_ms) for end in wire.ends] == [("caller", 10_000)]


def test_the_far_end_s_word_that_there_is_no_call_is_looked_into_at_once():  # C5, RFC 5057
    wire, up = scene(probe_interval=1000)
    up.callee.answer(to(up.a.send("INFO"), up.callee.peer), 481)
    asked = {peer: message for peer, message in wire.wait(1) if message.method == b"OPTIONS"}
    up.callee.answer(asked[up.callee.peer], 481)
    assert [(end.end_cause, end.duration_ms) for end in wire.ends] == [("lost", 0)]
