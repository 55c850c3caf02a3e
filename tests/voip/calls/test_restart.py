"""After a restart the open records are taken up again: calls go on, end with their true length, or are found dead."""

from __future__ import annotations

import pytest

from denwa.voip.calls.call import restore_call
from denwa.voip.calls.journal import BindingEntry, CallEntry
from denwa.voip.sip import message as m
from tests.voip.wire import GATEWAY, SDP, CallUp, Phone, Sent, Wire, answer, call_up, starts, subscriber, text_of, to


def journal(wire: Wire) -> list[CallEntry]:
    """The open records as a store gives them back: rows, with the ends and proofs of life folded in."""
    ended = {end.id for end in wire.ends}
    alive = {entry.id: entry for group in wire.committed for entry in group.alive}
    rows = []
    for row in wire.calls:
        if row.ended_at is None and row.id not in ended:
            known = alive.get(row.id)
            rows.append(row._replace(alive_at=known.alive_at, dialog=known.dialog) if known else row)
    return rows


def restart(wire: Wire, *, away: float = 5.0) -> None:
    """The process is killed and started again after `away` seconds; what was not committed is lost."""
    open_calls = journal(wire)
    last_words = {(word.aor, word.contact): word for group in wire.committed for word in group.bindings}
    bindings = [word for word in last_words.values() if isinstance(word, BindingEntry)]
    wire.now += away
    wire.start()
    wire.engine.restore(bindings, open_calls, wire.now, wire.ms)
    wire.collect()


def scene(**more: str) -> tuple[Wire, CallUp]:
    wire = Wire()
    up = call_up(wire, Phone(wire, 1), Phone(wire, 2), **more)
    wire.wait(10)
    return wire, up


def probes(wire: Wire) -> dict[object, m.Message]:
    """The next OPTIONS to both sides."""
    found: dict[object, m.Message] = {}
    end = wire.now + 35
    while len(found) < 2 and wire.now < end:
        found.update({peer: message for peer, message in wire.wait(0.5) if message.method == b"OPTIONS"})
    return found


# -- calls that go on -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["caller", "callee"])
def test_a_call_over_a_restart_ends_with_its_true_length(who):  # C4
    wire, up = scene()
    restart(wire)
    wire.wait(5)
    talk, near, far = (up.a, up.caller, up.callee) if who == "caller" else (up.b, up.callee, up.caller)
    bye = to(talk.send("BYE"), far.peer)
    assert to(far.answer(bye, 200), near.peer).status == 200
    (end,) = wire.ends
    assert (end.end_cause, end.duration_ms) == (who, 20_000)
    assert end.id == wire.calls[0].id
    wire.wait(60)
    assert len(wire.engine.calls) == 0


def test_requests_inside_the_call_find_their_way_and_the_right_faces():  # N7
    wire, up = scene(dialled="18405050010002")
    restart(wire)
    info = to(up.a.send("INFO"), up.callee.peer)
    assert text_of(info, m.FROM) == up.b.remote
    assert b"50010001" not in info.encode()
    up.callee.answer(info, 200)
    back = to(up.b.send("INFO"), up.caller.peer)
    assert back.uri == up.caller.contact.encode()
    assert text_of(back, m.TO) == up.a.local


def test_a_restarted_service_counts_the_calls_it_took_up():  # C6
    wire = Wire(calls_per_subscriber=1)
    up = call_up(wire, Phone(wire, 1), Phone(wire, 2))
    restart(wire)
    assert to(up.caller.invite("0312345678", "call-2"), up.caller.peer).status == 403
    up.hang_up("callee")
    assert to(up.caller.invite("0312345678", "call-3"), GATEWAY).method == b"INVITE"


def test_bindings_are_still_there():  # R1
    wire = Wire()
    b = Phone(wire, 2)
    b.register()
    restart(wire)
    assert to(Phone(wire, 1).invite(b.number), b.peer).method == b"INVITE"


# -- proof of life (C5) -----------------------------------------------------------------------------------------------


def test_both_sides_are_asked_and_a_call_that_lives_goes_on():
    wire, up = scene()
    restart(wire)
    asked = probes(wire)
    assert set(asked) == {up.caller.peer, up.callee.peer}
    for phone, talk in ((up.caller, up.a), (up.callee, up.b)):
        message = asked[phone.peer]
        assert (text_of(message, m.FROM), text_of(message, m.TO)) == (talk.remote, talk.local)
        # Never ahead of the CSeq that the other phone has really reached, or its next request would be refused.
        assert int(text_of(message, m.CSEQ).split()[0]) <= 2
        phone.answer(message, 200)
    assert wire.ends == []


def test_a_side_that_has_no_such_call_ends_it_at_the_last_proof_of_life_with_a_bye_to_both():
    wire, up = scene()
    answered = wire.calls[0].answered_at
    restart(wire, away=3600)
    asked = probes(wire)
    sent = up.callee.answer(asked[up.callee.peer], 481)
    (end,) = wire.ends
    assert (end.end_cause, end.ended_at, end.duration_ms) == ("lost", answered, 0)
    assert sorted(starts(sent)) == [(up.caller.peer, "BYE"), (up.callee.peer, "BYE")]


def test_the_last_proof_of_life_before_the_restart_is_kept():
    wire, up = scene()
    for _ in range(2):
        for peer, message in probes(wire).items():
            (up.caller if peer == up.caller.peer else up.callee).answer(message, 200)
    alive = wire.ms
    restart(wire, away=3600)
    wire.wait(80)  # nobody answers
    (end,) = wire.ends
    assert (end.end_cause, end.ended_at) == ("lost", alive)


def test_our_bye_after_a_restart_is_ahead_of_what_was_said_unseen():
    """The caller may have counted on while nobody wrote it down: a gap is allowed, a step back is not (§12.2.1.1)."""
    wire, up = scene()
    for _ in range(5):
        up.callee.answer(to(up.a.send("INFO"), up.callee.peer), 200)
    restart(wire)
    asked = probes(wire)
    sent = up.caller.answer(asked[up.caller.peer], 481)
    bye = to([(peer, message) for peer, message in sent if message.method == b"BYE"], up.callee.peer)
    assert int(text_of(bye, m.CSEQ).split()[0]) > up.a.cseq


# -- answers that come after a restart ---------------------------------------------------------------------------------


def test_an_answer_repeated_after_the_restart_reaches_the_caller_when_the_call_has_its_record():
    wire = Wire()
    extra = "Supported: timer\r\n"
    up = call_up(wire, Phone(wire, 1), Phone(wire, 2), ack=False, extra=extra)
    restart(wire)
    ok = to(wire.send(up.callee.peer, up.answer_text), up.caller.peer)
    assert ok.status == 200
    assert ok.values(m.VIA) == up.ok.values(m.VIA)
    assert text_of(ok, m.FROM) == up.a.local
    assert ok.value(m.SESSION_EXPIRES) == up.ok.value(m.SESSION_EXPIRES) == b"1800;refresher=uac"
    assert to(up.a.send("ACK", cseq=2), up.callee.peer).method == b"ACK"
    assert len(wire.calls) == 1


def test_an_answer_whose_record_was_lost_goes_nowhere():
    wire = Wire()
    a, b = Phone(wire, 1), Phone(wire, 2)
    b.register()
    invite = to(a.invite(b.number), b.peer)
    wire.auto_commit = False
    text = answer(invite, 200, b.peer, body=SDP)
    wire.send(b.peer, text)
    wire.pending.clear()  # killed before the commit
    wire.auto_commit = True
    restart(wire)
    assert wire.send(b.peer, text) == []
    assert wire.calls == []
    assert wire.counters["dropped", "answer without call"] == 1


def test_an_answer_with_another_tag_or_a_provisional_one_goes_nowhere():
    wire = Wire()
    up = call_up(wire, Phone(wire, 1), Phone(wire, 2), ack=False)
    restart(wire)
    assert wire.send(up.callee.peer, up.answer_text.replace("tag=callee", "tag=other")) == []
    assert wire.send(up.callee.peer, up.answer_text.replace("200 Whatever", "180 Ringing")) == []
    assert wire.send(up.callee.peer, up.answer_text.replace("192.0.2.10:5060", "192.0.2.11:5060")) == []


# -- what is kept -----------------------------------------------------------------------------------------------------


def test_a_call_and_its_text_are_the_same():
    _, up = scene(extra="Record-Route: <sip:198.51.100.1;lr>\r\n", from_='"\xe9" <sip:x@y>;tag=tag1')
    wire = up.caller.wire
    (before,) = list(wire.engine.calls)
    (row,) = wire.calls
    after = restore_call(row, 0)
    for name in ("id", "call_id", "caller_true", "caller_shown", "callee_to", "answered_ms", "subscriber", "leg",
                 "direction", "number_from", "number_to", "number_class", "hidden", "session_interval"):  # fmt: skip
        assert getattr(after, name) == getattr(before, name), name
    for side in ("caller", "callee"):
        kept, was = getattr(after, side), getattr(before, side)
        assert (kept.peer, kept.tag, kept.contact, kept.routes) == (was.peer, was.tag, was.contact, was.routes)


@pytest.mark.parametrize("dialog", ["", "{}", "[]", "[1,2,3]", "nonsense", '["a","b","c",0,0,["udp:x"],[]]', "null"])
def test_a_record_that_cannot_be_read_is_named_and_does_not_stop_the_others(dialog):
    wire, up = scene()
    (row,) = wire.calls
    bad = row._replace(id=7, call_id="bad", dialog=dialog)
    with pytest.raises(ValueError, match="record 7"):
        restore_call(bad, 0)
    wire.start()
    wire.engine.restore([], [bad, row], wire.now, wire.ms)
    assert any("record 7" in note for note in wire.engine.ctx.notes)
    assert to(up.a.send("BYE"), up.callee.peer).method == b"BYE"


def test_a_call_over_tcp_is_reached_again_at_its_address():
    wire = Wire(subscriber(1), subscriber(2))
    a, b = Phone(wire, 1), Phone(wire, 2)
    b.peer = (*b.peer, 4)  # type: ignore[assignment]
    up = call_up(wire, a, b)
    restart(wire)
    sent: Sent = up.a.send("BYE")
    ((peer, message),) = sent
    assert peer == ("192.0.2.1", 5062, -1)
    assert message.method == b"BYE"
