"""A call becomes one record, whatever is lost or comes twice; the record is on disk before the wire goes on (C4)."""

from __future__ import annotations

import pytest

from denwa.voip.calls.call import CallTable
from denwa.voip.sip import message as m
from tests.voip.wire import GATEWAY, SDP, START_MS, Phone, Talk, Wire, answer, call_up, starts, to


def scene(**settings: object) -> tuple[Wire, Phone, Phone]:
    wire = Wire(**settings)  # type: ignore[arg-type]
    return wire, Phone(wire, 1), Phone(wire, 2)


# -- the record comes first --------------------------------------------------------------------------------------------


def test_the_caller_hears_of_the_answer_only_when_its_record_is_on_disk():
    wire, a, b = scene()
    b.register()
    invite = to(a.invite(b.number), b.peer)
    wire.auto_commit = False
    assert b.answer(invite, 200, body=SDP) == []
    wire.wait(0.5)
    assert b.answer(invite, 200, body=SDP) == []  # the callee says it again: still not on disk
    (group,) = wire.pending
    assert len(group.calls) == 1
    assert to(wire.commit(), a.peer).status == 200
    assert to(b.answer(invite, 200, body=SDP), a.peer).status == 200  # from now on repetitions go straight through
    assert len(wire.calls) == 1


def test_the_measured_time_begins_when_the_answer_is_seen_and_not_when_it_is_on_disk():  # C4
    wire, a, b = scene()
    b.register()
    invite = to(a.invite(b.number), b.peer)
    wire.wait(2.0)
    wire.auto_commit = False
    b.answer(invite, 200, body=SDP)
    wire.wait(0.3)
    wire.commit()
    assert wire.calls[0].answered_at == START_MS + 2000
    assert wire.calls[0].started_at == START_MS


def test_an_answer_that_is_lost_and_repeated_makes_one_record_with_the_first_moment():
    wire, a, b = scene()
    up = call_up(wire, a, b, ack=False)
    answered = wire.ms
    for pause in (0.5, 1.0, 2.0):
        wire.wait(pause)
        assert starts(wire.send(b.peer, up.answer_text)) == [(a.peer, "200")]
    (entry,) = wire.calls
    assert entry.answered_at == answered
    assert entry.ended_at is None


def test_an_ack_that_is_lost_loses_nothing():
    wire, a, b = scene()
    up = call_up(wire, a, b, ack=False)
    wire.wait(0.5)
    wire.send(b.peer, up.answer_text)
    assert to(up.a.send("ACK", cseq=2), b.peer).method == b"ACK"
    assert to(up.a.send("ACK", cseq=2), b.peer).method == b"ACK"  # also when it comes twice
    wire.wait(1.5)
    up.hang_up("callee")
    assert [end.duration_ms for end in wire.ends] == [2000]


# -- the end -----------------------------------------------------------------------------------------------------------


def test_who_hangs_up_hears_so_when_the_end_is_on_disk():
    wire, a, b = scene()
    up = call_up(wire, a, b)
    wire.auto_commit = False
    bye = to(up.a.send("BYE"), b.peer)
    assert wire.pending == []  # a BYE alone ends nothing
    assert b.answer(bye, 200) == []
    (group,) = wire.pending
    assert [end.end_cause for end in group.ends] == ["caller"]
    assert to(wire.commit(), a.peer).status == 200


def test_the_answer_to_a_bye_passes_after_200_ms_when_the_disk_is_slow_and_the_end_follows():
    wire, a, b = scene()
    up = call_up(wire, a, b)
    wire.wait(9.0)
    wire.auto_commit = False
    bye = to(up.a.send("BYE"), b.peer)
    wire.wait(0.15)
    b.answer(bye, 200)
    assert wire.wait(0.149) == []
    assert to(wire.wait(0.002), a.peer).status == 200
    wire.wait(5.0)
    assert wire.commit() == []  # and is not sent twice
    assert [end.duration_ms for end in wire.ends] == [9000]
    assert wire.counters["journal", "end_passed_before_commit"] == 1


def test_an_answer_never_passes_before_its_record_however_slow_the_disk_is():
    wire, a, b = scene()
    b.register()
    invite = to(a.invite(b.number), b.peer)
    wire.auto_commit = False
    b.answer(invite, 200, body=SDP)
    assert [start for start in starts(wire.wait(10.0)) if start[0] == a.peer] == []
    assert to(wire.commit(), a.peer).status == 200


def test_not_even_when_the_disk_hangs_for_longer_than_a_transaction_lives():
    wire, a, b = scene()
    b.register()
    invite = to(a.invite(b.number), b.peer)
    wire.auto_commit = False
    b.answer(invite, 200, body=SDP)
    wire.wait(33.0)
    assert b.answer(invite, 200, body=SDP) == []
    assert to(wire.commit(), a.peer).status == 200
    assert to(b.answer(invite, 200, body=SDP), a.peer).status == 200


def test_a_call_that_ends_before_its_answer_is_on_disk_has_both_in_order():
    wire, a, b = scene()
    b.register()
    invite = to(a.invite(b.number), b.peer)
    wire.auto_commit = False
    b.answer(invite, 200, body=SDP)
    wire.wait(0.1)
    assert Talk.of_callee(b, invite).send("BYE") == []
    sent = wire.commit()
    assert starts(sent) == [(a.peer, "200"), (a.peer, "BYE")]
    wire.auto_commit = True
    a.answer(sent[-1][1], 200)
    (entry,), (end,) = wire.calls, wire.ends
    assert (end.id, end.duration_ms, end.end_cause) == (entry.id, 100, "callee")
    assert wire.counters["calls", "answered"] == 1


@pytest.mark.parametrize("who", ["caller", "callee"])
def test_the_record_says_who_hung_up_and_how_long_it_was(who):  # C4
    wire, a, b = scene()
    up = call_up(wire, a, b)
    wire.wait(29.999)
    assert up.hang_up(who).status == 200
    (end,) = wire.ends
    assert (end.end_cause, end.duration_ms, end.sip_status) == (who, 29_999, 200)
    assert end.ended_at - end.duration_ms == wire.calls[0].answered_at
    wire.wait(120)
    assert len(wire.engine.calls) == 0
    assert not wire.engine.admission.busy


def test_a_bye_that_comes_twice_ends_once():
    wire, a, b = scene()
    up = call_up(wire, a, b)
    branch = a.new_branch()
    up.a.send("BYE", cseq=3, branch=branch)
    wire.wait(0.5)
    assert up.a.send("BYE", cseq=3, branch=branch) == []  # a retransmission: it is on its way
    for bye in (wire.sent[-1][1], to(up.a.send("BYE", cseq=4), b.peer)):  # another one: passed on, not counted
        b.answer(bye, 200)
    assert len(wire.ends) == 1


def test_byes_that_cross_end_the_call_once_with_the_first():
    wire, a, b = scene()
    up = call_up(wire, a, b)
    from_a = to(up.a.send("BYE"), b.peer)
    from_b = to(up.b.send("BYE"), a.peer)
    assert to(a.answer(from_b, 200), b.peer).status == 200
    assert to(b.answer(from_a, 481), a.peer).status == 481
    assert [end.end_cause for end in wire.ends] == ["caller"]


def test_a_bye_nobody_answers_still_ends_the_call_and_no_answer_is_made_up():  # RFC 4320
    wire, a, b = scene()
    up = call_up(wire, a, b)
    up.a.send("BYE")
    sent = wire.wait(60)
    assert len(wire.ends) == 1
    assert set(starts(sent)) == {(b.peer, "BYE"), (a.peer, "100")}
    assert wire.transactions == 0


# -- clocks ------------------------------------------------------------------------------------------------------------


def test_a_wall_clock_set_back_makes_no_negative_length_and_no_second_number():
    wire, a, b = scene()
    up = call_up(wire, a, b)
    answered = wire.calls[0].answered_at
    wire.skew = -3_600_000
    wire.wait(5)
    up.hang_up()
    (end,) = wire.ends
    assert (end.duration_ms, end.ended_at) == (0, answered)
    call_up(wire, a, b, call_id="call-2")
    first, second = wire.calls
    assert second.id > first.id


def test_record_numbers_are_unique_and_rise_with_time():
    table = CallTable(10)
    ids = [table.new_id(ms) for ms in (1000, 1000, 1000, 999, 2000)]
    assert ids == sorted(set(ids))
    assert ids[-1] >> 20 == 2000
    assert CallTable(10).new_id(2001) > ids[-1]  # after a restart


# -- calls that are not answered ---------------------------------------------------------------------------------------


def test_a_call_that_is_not_answered_has_a_row_that_is_ended_and_has_no_length():
    wire, a, b = scene()
    b.register()
    invite = to(a.invite(b.number), b.peer)
    wire.wait(4)
    b.answer(invite, 486)
    (entry,) = wire.calls
    assert wire.ends == []
    assert (entry.answered_at, entry.duration_ms, entry.dialog) == (None, 0, "")
    assert (entry.started_at, entry.ended_at) == (START_MS, START_MS + 4000)
    assert (entry.end_cause, entry.sip_status, entry.voicemail) == ("busy", 486, 0)


def test_each_call_has_one_row_of_its_own():
    wire, a, b = scene()
    for i in range(3):
        up = call_up(wire, a, b, call_id=f"call-{i}")
        up.hang_up("callee")
    assert len({entry.id for entry in wire.calls}) == 3
    assert [end.id for end in wire.ends] == [entry.id for entry in wire.calls]


def test_a_row_says_who_called_whom_and_how():
    wire, a, b = scene()
    call_up(wire, a, b)
    invite = to(a.invite("05010001234", "call-2"), GATEWAY)
    wire.send(GATEWAY, answer(invite, 200, GATEWAY, body=SDP))
    on_net, partner = wire.calls
    assert (on_net.leg, on_net.direction, on_net.subscriber) == ("outgoing", "outgoing", "+815050010001")
    assert (on_net.caller, on_net.callee, on_net.number_class) == ("+815050010001", "+815050010002", "on-net")
    assert (partner.callee, partner.number_class, partner.call_id) == ("+815010001234", "partner-050", "call-2")
    assert (partner.forwarded_by, partner.voicemail) == ("", 0)


def test_a_record_keeps_the_number_of_a_caller_that_hides_because_it_pays():
    wire, a, b = scene()
    call_up(wire, a, b, dialled="184" + b.number)
    assert wire.calls[0].caller == "+815050010001"


def test_when_the_answer_has_no_contact_the_call_is_still_kept_and_ended():
    wire, a, b = scene()
    b.register()
    invite = to(a.invite(b.number), b.peer)
    text = "\r\n".join(
        line for line in answer(invite, 200, b.peer, body=SDP).split("\r\n") if not line.startswith("Contact")
    )
    ok = to(wire.send(b.peer, text), a.peer)
    assert m.CONTACT not in ok.at
    wire.wait(2)
    assert starts(wire.wait(0)) == []
    bye = a.request("BYE", "sip:192.0.2.1", to=(ok.value(m.TO) or b"").decode(), call_id="call-1", cseq=3)
    b.answer(to(wire.send(a.peer, bye), b.peer), 200)
    assert [end.duration_ms for end in wire.ends] == [2000]
