"""A dead call ends, at its last proof of life and never later (C5; RFC 4028 §8)."""

from __future__ import annotations

import pytest

from denwa.voip.calls.session import IntervalTooSmall, agree_timer, ask_for_timer
from denwa.voip.sip import message as m
from denwa.voip.sip.fields import FieldFault
from denwa.voip.sip.message import Message, parse_message
from tests.voip.wire import (
    GATEWAY,
    SDP,
    START_MS,
    VOICEMAIL,
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

TIMER = "Supported: timer\r\n"


def invite(*lines: str) -> Message:
    head = "\r\n".join(("INVITE sip:x SIP/2.0", "Via: SIP/2.0/UDP h", *lines))
    return parse_message(head.encode() + b"\r\n\r\n")


def ok(*lines: str) -> Message:
    return parse_message("\r\n".join(("SIP/2.0 200 OK", "Via: SIP/2.0/UDP h", *lines)).encode() + b"\r\n\r\n")


# -- what is asked for (§8.1) -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "interval", "header"),
    [
        ([], 1800, b"1800"),
        (["Supported: timer"], 1800, b"1800"),
        (["Min-SE: 3600"], 3600, b"3600"),
        (["Session-Expires: 3600"], 1800, b"1800"),  # too long for us
        (["Session-Expires: 600"], 600, b"600"),  # shorter is the phone's good right
        (["Session-Expires: 3600;refresher=uac"], 1800, b"1800;refresher=uac"),
        (["Session-Expires: 3600", "Min-SE: 2000"], 2000, b"2000"),  # never below what a side can stand
        (["x: 90"], 90, b"90"),
    ],
)
def test_the_interval_asked_for_is_the_shorter_wish_but_never_below_the_least(lines, interval, header):
    request = invite(*lines)
    assert ask_for_timer(request, 1800) == interval
    assert parse_message(request.encode()).values(m.SESSION_EXPIRES) == [header]


def test_an_interval_below_90_s_is_refused_to_a_phone_that_knows_and_mended_for_one_that_does_not():
    with pytest.raises(IntervalTooSmall):
        ask_for_timer(invite("Session-Expires: 89", "Supported: timer"), 1800)
    request = invite("Session-Expires: 30")
    assert ask_for_timer(request, 1800) == 90
    assert parse_message(request.encode()).values(m.MIN_SE) == [b"90"]


@pytest.mark.parametrize("lines", [["Session-Expires: soon"], ["Session-Expires: 1800", "Min-SE: x"], ["Min-SE: -1"]])
def test_nonsense_is_a_fault(lines):
    with pytest.raises(FieldFault):
        ask_for_timer(invite(*lines), 1800)


# -- what comes of it (§8.2) ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answered", "caller_knows", "interval", "told"),
    [
        (["Session-Expires: 900;refresher=uas", "Require: timer"], True, 900, b"900;refresher=uas"),
        (["Session-Expires: 900;refresher=uas"], False, 900, b"900;refresher=uas"),
        ([], True, 1800, b"1800;refresher=uac"),  # only the caller knows: it is told that it refreshes
        ([], False, 0, None),  # nobody knows: the service asks itself
        (["Session-Expires: nonsense"], True, 1800, b"nonsense"),
        (["Session-Expires: 5"], True, 90, b"5"),
    ],
)
def test_the_answer_decides_who_refreshes_and_how_often(answered, caller_knows, interval, told):
    response = ok(*answered)
    assert agree_timer(response, 1800, caller_knows) == interval
    again = parse_message(response.encode())
    assert again.value(m.SESSION_EXPIRES) == told
    if not answered and caller_knows:
        assert again.values(m.REQUIRE) == [b"timer"]


# -- at the engine ----------------------------------------------------------------------------------------------------


def calm(wire: Wire, up: CallUp, seconds: float, *, a: bool = True, b: bool = True) -> Sent:
    """Let time run while the phones answer the service's OPTIONS (`a`, `b`: whether each is still there)."""
    seen: Sent = []
    end = wire.now + seconds
    while wire.now < end:
        sent = wire.wait(min(0.5, end - wire.now))
        for peer, message in sent:
            phone, there = (up.caller, a) if peer == up.caller.peer else (up.callee, b)
            if message.method == b"OPTIONS" and there:
                phone.answer(message, 200)
        seen += [(peer, message) for peer, message in sent if message.method != b"OPTIONS"]
    return seen


def test_every_call_asks_for_a_session_timer():  # C5
    wire = Wire(subscriber(1), subscriber(2, voicemail=True))
    a = Phone(wire, 1)
    outside = to(a.invite("0312345678"), GATEWAY)
    assert outside.value(m.SESSION_EXPIRES) == b"1800"
    a.invite("05050010002", "call-2")
    assert to(wire.give_place(), VOICEMAIL).value(m.SESSION_EXPIRES) == b"1800"


def test_a_wish_that_is_too_short_is_422_with_the_least_and_no_call():
    wire = Wire()
    a = Phone(wire, 1)
    response = to(a.invite("0312345678", extra=TIMER + "Session-Expires: 60\r\n"), a.peer)
    assert response.status == 422
    assert response.value(m.MIN_SE) == b"90"
    assert len(wire.engine.calls) == 0
    assert [(entry.reason, entry.sip_status, entry.answered_at) for entry in wire.calls] == [
        ("short-session", 422, None)
    ]
    assert to(a.invite("0312345678", "call-2", extra="Session-Expires: soon\r\n"), a.peer).status == 400


def test_the_caller_that_refreshes_alone_is_told_so_each_time_the_answer_comes():
    wire = Wire()
    up = call_up(wire, Phone(wire, 1), Phone(wire, 2), extra=TIMER, ack=False)
    wire.wait(0.5)
    again = to(wire.send(up.callee.peer, up.answer_text), up.caller.peer)  # the first was lost
    for response in (up.ok, again):
        assert response.value(m.SESSION_EXPIRES) == b"1800;refresher=uac"
        assert response.values(m.REQUIRE) == [b"timer"]


def refresh(up: CallUp, talk: Talk, *, method: str = "UPDATE", extra: str = "", answer_extra: str = "") -> Message:
    """One side refreshes; the answer as it gets it."""
    near, far = (up.caller, up.callee) if talk is up.a else (up.callee, up.caller)
    body = SDP if method == "INVITE" else ""
    asked = to(talk.send(method, extra=extra, body=body), far.peer)
    response = to(far.answer(asked, 200, extra=answer_extra, body=body), near.peer)
    if method == "INVITE":
        talk.send("ACK", cseq=talk.cseq)
    return response


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
@pytest.mark.parametrize("who", ["caller", "callee"])
def test_a_call_lives_as_long_as_it_is_refreshed_and_ends_at_the_last_proof_of_life(method, who):  # C5
    wire = Wire(session_expires=90, probe_interval=100_000)
    up = call_up(wire, Phone(wire, 1), Phone(wire, 2), callee_extra="Session-Expires: 90;refresher=uac\r\n")
    talk = up.a if who == "caller" else up.b
    timer = TIMER + "Session-Expires: 90;refresher=uac\r\n"
    for _ in range(3):
        calm(wire, up, 80)
        refresh(up, talk, method=method, extra=timer, answer_extra="Session-Expires: 90;refresher=uac\r\n")
    alive = wire.ms
    assert wire.ends == []
    assert calm(wire, up, 89) == []
    byes = [(peer, message) for peer, message in calm(wire, up, 2) if message.method == b"BYE"]
    (end,) = wire.ends
    assert (end.end_cause, end.ended_at) == ("lost", alive)
    assert {peer for peer, _ in byes} == {up.caller.peer, up.callee.peer}


@pytest.mark.parametrize("gone", ["caller", "callee"])
def test_the_bye_to_who_is_left_comes_after_every_question_in_its_dialog(gone):
    # C5: a phone refuses a BYE with a CSeq that it has had, and would talk on to nobody (RFC 3261 §12.2.2)
    wire = Wire()
    up = call_up(wire, Phone(wire, 1), Phone(wire, 2))
    left = up.callee if gone == "caller" else up.caller
    asked = dict(wire.wait(30.3))[left.peer]
    left.answer(asked, 200)
    (bye,) = [message for peer, message in wire.wait(40) if peer == left.peer and message.method == b"BYE"][:1]
    assert int(text_of(bye, m.CSEQ).split()[0]) > int(text_of(asked, m.CSEQ).split()[0])


def test_a_callee_s_first_request_comes_after_every_question_asked_in_its_name():
    # It may begin with CSeq 1, and the caller must take it
    wire = Wire()
    up = call_up(wire, Phone(wire, 1), Phone(wire, 2))
    asked = dict(wire.wait(30.3))[up.caller.peer]
    bye = to(up.b.send("BYE"), up.caller.peer)
    assert int(text_of(bye, m.CSEQ).split()[0]) == 1 > int(text_of(asked, m.CSEQ).split()[0])


def test_the_byes_of_a_dead_call_are_what_the_other_side_would_have_sent():  # CSeq, tags, targets
    wire = Wire(session_expires=90, probe_interval=100_000)
    up = call_up(wire, Phone(wire, 1), Phone(wire, 2), extra=TIMER)
    up.callee.answer(to(up.a.send("INFO"), up.callee.peer), 200)  # CSeq 3 of the caller
    up.caller.answer(to(up.b.send("INFO"), up.caller.peer), 200)  # CSeq 1 of the callee
    sent = dict(starts_of(wire.wait(91), b"BYE"))
    to_callee, to_caller = sent[up.callee.peer], sent[up.caller.peer]
    assert to_callee.value(m.CSEQ) == b"4 BYE"
    assert to_callee.uri == up.callee.contact.encode()
    assert (text_of(to_callee, m.FROM), text_of(to_callee, m.TO)) == (up.b.remote, up.b.local)
    assert to_caller.value(m.CSEQ) == b"2 BYE"
    assert to_caller.uri == up.caller.contact.encode()
    assert (text_of(to_caller, m.FROM), text_of(to_caller, m.TO)) == (up.a.remote, up.a.local)
    assert to_callee.call_id == to_caller.call_id
    for message in sent.values():
        assert text_of(message, m.CALL_ID) == "call-1"
        assert m.ROUTE not in message.at


def starts_of(sent: Sent, method: bytes) -> Sent:
    return [(peer, message) for peer, message in sent if message.method == method]


def test_the_byes_of_a_dead_call_go_through_the_proxies_it_went_through():  # Route
    wire = Wire(session_expires=90, probe_interval=100_000)
    a, b = Phone(wire, 1), Phone(wire, 2)
    b.register()
    a_proxy, b_proxies = "<sip:198.51.100.1;lr>", ("<sip:198.51.100.2;lr>", "<sip:198.51.100.3;lr>")
    got = to(a.invite(b.number, extra=f"{TIMER}Record-Route: {a_proxy}\r\n"), b.peer)
    text = answer(got, 200, b.peer, body=SDP, contact=b.contact)
    # The callee's proxies stand above ours in its answer, the furthest first.
    text = text.replace("Record-Route", f"Record-Route: {b_proxies[1]}, {b_proxies[0]}\r\nRecord-Route", 1)
    wire.send(b.peer, text)
    sent = dict(starts_of(wire.wait(91), b"BYE"))
    assert [route.decode() for route in sent[a.peer].values(m.ROUTE)] == [a_proxy]
    assert [route.decode() for route in sent[b.peer].values(m.ROUTE)] == list(b_proxies)


def test_a_caller_that_refreshes_a_callee_that_knows_no_timer_goes_on_being_told_so():  # §8.2 holds for each refresh
    wire = Wire(session_expires=90)
    up = call_up(wire, Phone(wire, 1), Phone(wire, 2), extra=TIMER)
    for _ in range(3):
        calm(wire, up, 60)
        response = refresh(up, up.a, method="INVITE", extra=TIMER + "Session-Expires: 90;refresher=uac\r\n")
        assert response.value(m.SESSION_EXPIRES) == b"90;refresher=uac"
    assert wire.ends == []


def test_a_refresh_that_asks_for_too_little_is_422_and_the_call_goes_on():
    wire = Wire()
    up = call_up(wire, Phone(wire, 1), Phone(wire, 2), extra=TIMER)
    response = to(up.a.send("UPDATE", extra=TIMER + "Session-Expires: 30\r\n"), up.caller.peer)
    assert (response.status, response.value(m.MIN_SE)) == (422, b"90")
    assert wire.ends == []


def test_when_a_refresh_switches_the_timer_off_the_call_does_not_end_by_it():
    """A re-INVITE of a phone that knows no timers, answered by one that keeps none: the probes watch alone."""
    wire = Wire(session_expires=90)
    up = call_up(wire, Phone(wire, 1), Phone(wire, 2), callee_extra="Session-Expires: 90;refresher=uas\r\n")
    refresh(up, up.a, method="INVITE")
    calm(wire, up, 300)
    assert wire.ends == []


def test_a_refresh_that_fails_is_no_refresh():
    wire = Wire(session_expires=90, probe_interval=100_000)
    up = call_up(wire, Phone(wire, 1), Phone(wire, 2), extra=TIMER)
    wire.wait(80)
    asked = to(up.a.send("UPDATE", extra=TIMER + "Session-Expires: 90\r\n"), up.callee.peer)
    up.callee.answer(asked, 488)
    wire.wait(11)
    assert [end.end_cause for end in wire.ends] == ["lost"]


# -- probes -----------------------------------------------------------------------------------------------------------


def test_a_call_without_a_timer_is_asked_whether_it_lives_and_disturbed_by_nothing_else():  # C5
    wire = Wire()
    up = call_up(wire, Phone(wire, 1), Phone(wire, 2))
    sent = wire.wait(30.3)
    assert sorted(starts(sent)) == [(up.caller.peer, "OPTIONS"), (up.callee.peer, "OPTIONS")]
    for peer, message in sent:
        talk = up.a if peer == up.caller.peer else up.b
        assert (text_of(message, m.FROM), text_of(message, m.TO)) == (talk.remote, talk.local)
        number = int(text_of(message, m.CSEQ).split()[0])
        assert number <= 2  # never ahead of what the other side has sent: its next request must not be out of order
        assert (talk.phone.answer(message, 200), wire.ends) == ([], [])
    assert calm(wire, up, 3600) == []
    assert wire.ends == []


@pytest.mark.parametrize("status", [200, 404, 405, 500, 501])
def test_any_answer_but_that_the_call_is_gone_is_a_sign_of_life(status):
    wire = Wire()
    up = call_up(wire, Phone(wire, 1), Phone(wire, 2))
    for peer, message in wire.wait(30.6):
        (up.caller if peer == up.caller.peer else up.callee).answer(message, status)
    assert bool(wire.ends) == (status == 404)


@pytest.mark.parametrize("who", ["caller", "callee"])
def test_a_phone_that_says_it_has_no_such_call_ends_it_at_the_last_proof_of_life(who):  # C5
    wire = Wire()
    up = call_up(wire, Phone(wire, 1), Phone(wire, 2))
    calm(wire, up, 61)
    alive = START_MS + 1000 + 60_000
    probes = dict(wire.wait(30))
    near, far = (up.caller, up.callee) if who == "caller" else (up.callee, up.caller)
    far.answer(probes[far.peer], 200)  # it is alive, but a call has two sides
    byes = near.answer(probes[near.peer], 481)
    (end,) = wire.ends
    assert end.end_cause == "lost"
    assert alive - 500 <= end.ended_at <= alive + 1000
    assert sorted(starts(byes)) == [(up.caller.peer, "BYE"), (up.callee.peer, "BYE")]


@pytest.mark.parametrize("gone", ["caller", "callee", "both"])
def test_a_call_whose_phone_vanished_is_charged_to_its_last_proof_of_life_and_not_longer(gone):  # C5
    wire = Wire()
    up = call_up(wire, Phone(wire, 1), Phone(wire, 2))
    calm(wire, up, 45)
    last = START_MS + 1000 + 30_000  # both answered the first probe
    vanished = wire.ms
    calm(wire, up, 100, a=gone == "callee", b=gone == "caller")
    (end,) = wire.ends
    assert end.end_cause == "lost"
    assert last - 500 <= end.ended_at <= last + 1000 < vanished
    assert end.duration_ms == end.ended_at - wire.calls[0].answered_at


def test_a_proof_of_life_is_kept_for_a_restart():
    wire = Wire()
    up = call_up(wire, Phone(wire, 1), Phone(wire, 2))
    calm(wire, up, 61)
    alive = [entry.alive_at for group in wire.committed for entry in group.alive]
    assert alive
    assert alive == sorted(alive)
    assert alive[-1] > START_MS + 60_000


def test_a_voicemail_ends_by_itself_and_is_only_asked_when_it_lasts_longer_than_any_can():
    wire = Wire(subscriber(1), subscriber(2, voicemail=True))
    a = Phone(wire, 1)
    a.invite("05050010002")
    place = to(wire.give_place(), VOICEMAIL)
    wire.send(VOICEMAIL, answer(place, 200, VOICEMAIL, body=SDP))
    assert wire.wait(179) == []
    assert sorted(starts(wire.wait(1.4))) == sorted([(a.peer, "OPTIONS"), (VOICEMAIL, "OPTIONS")])
    wire.wait(33)  # the worker was killed, and nobody is there
    assert [end.end_cause for end in wire.ends] == ["lost"]
