"""Requests inside a call find the other side; strangers find nothing (C2; RFC 3261 §12.2, §16.4)."""

from __future__ import annotations

import pytest

from denwa.voip.sip import message as m
from denwa.voip.sip.message import Message
from tests.voip.wire import SDP, CallUp, Phone, Sent, Talk, Wire, answer, call_up, starts, text_of, to

UPDATED = SDP.replace("40000", "40002")


def scene(**settings: object) -> tuple[Wire, CallUp]:
    wire = Wire(**settings)  # type: ignore[arg-type]
    return wire, call_up(wire, Phone(wire, 1), Phone(wire, 2))


def sides(up: CallUp, who: str) -> tuple[Talk, Phone, Phone]:
    return (up.a, up.caller, up.callee) if who == "caller" else (up.b, up.callee, up.caller)


both = pytest.mark.parametrize("who", ["caller", "callee"])


@both
@pytest.mark.parametrize("method", ["INFO", "UPDATE", "REFER", "NOTIFY", "OPTIONS", "PRACK", "SUBSCRIBE"])
def test_a_request_of_either_side_reaches_the_other_and_its_answer_comes_back(who, method):
    wire, up = scene()
    talk, near, far = sides(up, who)
    got = to(talk.send(method, body=UPDATED, extra="X-Kept: yes\r\n"), far.peer)
    assert got.method == method.encode()
    assert got.uri == far.contact.encode()
    assert got.body == UPDATED.encode()
    assert b"X-Kept: yes" in got.lines
    assert got.value(m.MAX_FORWARDS) == b"69"
    assert m.ROUTE not in got.at
    other = up.b if who == "caller" else up.a
    assert (text_of(got, m.FROM), text_of(got, m.TO)) == (other.remote, other.local)
    response = to(far.answer(got, 200, body=SDP), near.peer)
    assert (text_of(response, m.FROM), text_of(response, m.TO)) == (talk.local, talk.remote)
    assert response.body == SDP.encode()
    assert len(response.values(m.VIA)) == 1
    wire.wait(40)


@both
def test_a_re_invite_is_a_transaction_of_its_own_with_100_and_ack(who):
    wire, up = scene()
    talk, near, far = sides(up, who)
    sent = talk.send("INVITE", body=UPDATED)
    assert starts(sent) == [(near.peer, "100"), (far.peer, "INVITE")]
    got = to(sent, far.peer)
    assert to(far.answer(got, 200, body=UPDATED), near.peer).status == 200
    assert to(far.answer(got, 200, body=UPDATED), near.peer).status == 200  # the first was lost
    ack = to(talk.send("ACK"), far.peer)
    assert (ack.method, ack.value(m.CSEQ)) == (b"ACK", b"%d ACK" % talk.cseq)
    assert len(wire.calls) == 1
    assert wire.ends == []


@both
def test_a_re_invite_that_is_refused_leaves_the_call_as_it_was(who):
    wire, up = scene()
    talk, near, far = sides(up, who)
    branch = near.new_branch()
    got = to(talk.send("INVITE", body=UPDATED, branch=branch), far.peer)
    sent = far.answer(got, 488)
    assert starts(sent) == [(far.peer, "ACK"), (near.peer, "488")]
    assert talk.send("ACK", cseq=talk.cseq, branch=branch) == []  # ours, for the failure
    wire.wait(40)
    assert to(talk.send("BYE"), far.peer).method == b"BYE"


def test_a_re_invite_can_be_cancelled_and_the_call_goes_on():
    wire, up = scene()
    branch = up.caller.new_branch()
    got = to(up.a.send("INVITE", body=UPDATED, branch=branch), up.callee.peer)
    up.callee.answer(got, 180)
    sent = up.a.send("CANCEL", branch=branch)
    assert starts(sent) == [(up.caller.peer, "200"), (up.callee.peer, "CANCEL")]
    up.callee.answer(to(sent, up.callee.peer), 200)
    assert to(up.callee.answer(got, 487), up.caller.peer).status == 487
    assert wire.ends == []


def test_a_cancel_of_a_re_invite_waits_for_the_first_sign_and_goes_out_once():
    _, up = scene()
    branch = up.caller.new_branch()
    got = to(up.a.send("INVITE", body=UPDATED, branch=branch), up.callee.peer)
    assert starts(up.a.send("CANCEL", branch=branch)) == [(up.caller.peer, "200")]
    assert starts(up.callee.answer(got, 180)) == [(up.callee.peer, "CANCEL"), (up.caller.peer, "180")]
    assert starts(up.callee.answer(got, 180)) == [(up.caller.peer, "180")]


def test_no_cancel_goes_out_when_the_answer_was_the_first_sign():
    _, up = scene()
    branch = up.caller.new_branch()
    got = to(up.a.send("INVITE", body=UPDATED, branch=branch), up.callee.peer)
    up.a.send("CANCEL", branch=branch)
    assert starts(up.callee.answer(got, 200, body=SDP)) == [(up.caller.peer, "200")]


def test_a_re_invite_that_nobody_answers_is_408_and_nothing_is_left():
    wire, up = scene(probe_interval=100_000)
    up.a.send("INVITE", body=UPDATED)
    finals = [message.status for peer, message in wire.wait(33) if peer == up.caller.peer]
    assert finals[0] == 408
    wire.wait(64)
    assert wire.transactions == 0


def test_a_re_invite_that_rings_for_ever_is_given_up_after_timer_c():
    wire, up = scene(probe_interval=100_000)
    up.callee.answer(to(up.a.send("INVITE", body=UPDATED), up.callee.peer), 180)
    sent = starts(wire.wait(181))
    assert (up.callee.peer, "CANCEL") in sent
    assert (up.caller.peer, "408") in sent
    wire.wait(120)
    assert wire.transactions == 0


def test_a_request_that_is_not_answered_gets_no_made_up_answer():  # RFC 4320 §4.2
    wire, up = scene(probe_interval=100_000)
    up.a.send("INFO")
    assert {start for _, start in starts(wire.wait(60))} == {"INFO", "100"}
    assert wire.transactions == 0


def test_no_short_messages_and_no_fax_inside_a_call_either():  # N8
    wire, up = scene()
    response = to(up.a.send("MESSAGE"), up.caller.peer)
    assert response.status == 405
    assert any(line.startswith(b"Allow:") for line in response.lines)
    fax = SDP.replace("m=audio 40000 RTP/AVP 0", "m=image 40000 udptl t38")
    assert to(up.b.send("INVITE", body=fax), up.callee.peer).status == 488
    assert to(up.a.send("UPDATE", body=SDP + "m=image 4 udptl t38\r\n"), up.caller.peer).status == 488
    assert wire.ends == []


# -- where things go ---------------------------------------------------------------------------------------------------


@both
def test_a_phone_that_moved_is_followed(who):  # R4
    _, up = scene()
    talk, near, far = sides(up, who)
    near.peer = ("192.0.2.1", 6000)
    near.contact = f"sip:{near.account}@192.0.2.1:6000"
    got = to(talk.send("UPDATE"), far.peer)
    assert to(far.answer(got, 200), near.peer).status == 200
    other = up.b if who == "caller" else up.a
    other.target = near.contact
    assert to(other.send("INFO"), near.peer).uri == near.contact.encode()


def test_a_strict_router_before_us_is_undone():  # §16.4
    _, up = scene()
    target, up.a.target = up.a.target, "sip:192.0.2.10:5060;lr"
    up.a.routes = f"<{target}>"
    got = to(up.a.send("INFO"), up.callee.peer)
    assert got.uri == target.encode()
    assert m.ROUTE not in got.at


def test_routes_beyond_us_stay():
    _, up = scene()
    up.a.routes = "<sip:192.0.2.10:5060;lr>, <sip:198.51.100.9;lr>"
    got = to(up.a.send("INFO"), up.callee.peer)
    assert got.values(m.ROUTE) == [b"<sip:198.51.100.9;lr>"]


def test_hops_are_counted_inside_a_call_too():
    _, up = scene()
    text = up.a.text("INFO").replace("Max-Forwards: 70", "Max-Forwards: 0")
    assert to(up.caller.wire.send(up.caller.peer, text), up.caller.peer).status == 483


# -- early dialogs (RFC 3262, RFC 3311) --------------------------------------------------------------------------------


def early(wire: Wire) -> tuple[Phone, Phone, Message, Talk, Talk]:
    a, b = Phone(wire, 1), Phone(wire, 2)
    b.register()
    invite = to(a.invite(b.number, extra="Supported: 100rel\r\n"), b.peer)
    ringing = to(b.answer(invite, 183, body=SDP, extra="Require: 100rel\r\nRSeq: 1\r\n"), a.peer)
    assert b"RSeq: 1" in ringing.lines
    return a, b, invite, Talk.of_caller(a, ringing), Talk.of_callee(b, invite)


def test_prack_and_update_pass_before_the_call_is_answered():
    wire = Wire()
    a, b, invite, from_a, from_b = early(wire)
    prack = to(from_a.send("PRACK", extra="RAck: 1 2 INVITE\r\n"), b.peer)
    assert b"RAck: 1 2 INVITE" in prack.lines
    assert text_of(prack, m.FROM) == from_b.remote
    assert to(b.answer(prack, 200), a.peer).status == 200
    update = to(from_b.send("UPDATE", body=UPDATED), a.peer)
    assert to(a.answer(update, 200, body=SDP), b.peer).status == 200
    assert to(b.answer(invite, 200, body=SDP), a.peer).status == 200
    (entry,) = wire.calls
    assert entry.answered_at is not None


def test_a_caller_may_end_an_early_call_with_bye():  # §15
    wire = Wire()
    a, b, invite, from_a, _ = early(wire)
    bye = to(from_a.send("BYE"), b.peer)
    assert to(b.answer(bye, 200), a.peer).status == 200
    assert to(b.answer(invite, 487), a.peer).status >= 480
    (entry,) = wire.calls
    assert entry.answered_at is None
    assert wire.ends == []


# -- strangers (C2) ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["INVITE", "BYE", "INFO", "UPDATE", "REFER", "SUBSCRIBE"])
@pytest.mark.parametrize("target", ["sip:0312345678@denwa.example", "sip:50010002@192.0.2.1:5062"])
def test_a_to_tag_is_no_way_around_authentication(method, target):  # C2
    wire = Wire()
    Phone(wire, 2).register()
    stranger = Phone(wire, 9, host="198.51.100.66")
    text = stranger.request(method, target, to=f"<{target}>;tag=made-up", call_id="x", cseq=1, body=SDP)
    ((peer, response),) = wire.send(stranger.peer, text)
    assert (peer, response.status) == (stranger.peer, 481)
    assert wire.calls == []


@pytest.mark.parametrize("spoil", ["from", "to", "call"])
@pytest.mark.parametrize("method", ["BYE", "INFO", "INVITE"])
def test_who_does_not_know_both_tags_and_the_call_id_is_told_481(method, spoil):
    wire, up = scene()
    talk = Talk(Phone(wire, 9, host="198.51.100.66"), up.a.local, up.a.remote, up.a.call_id, up.a.target, "", 50)
    if spoil == "from":
        talk.local = talk.local.replace("tag=tag1", "tag=guess")
    elif spoil == "to":
        talk.remote = talk.remote.replace("tag=callee", "tag=guess")
    else:
        talk.call_id = "call-99"
    ((peer, response),) = talk.send(method, body=SDP if method == "INVITE" else "")
    assert (peer, response.status) == (talk.phone.peer, 481)
    assert talk.send("ACK") == []
    assert wire.ends == []


@pytest.mark.parametrize("method", ["BYE", "UPDATE", "PRACK", "INFO"])
def test_a_request_that_lives_in_calls_only_is_481_without_a_to_tag(method):
    wire = Wire()
    phone = Phone(wire, 1)
    text = phone.request(method, "sip:denwa.example", to="<sip:denwa.example>", call_id="x", cseq=1)
    assert to(wire.send(phone.peer, text), phone.peer).status == 481


def test_requests_after_the_end_are_for_the_phones_to_refuse_and_later_481():
    wire, up = scene()
    up.callee.answer(to(up.a.send("BYE"), up.callee.peer), 200)
    late: Sent = up.b.send("INFO")
    assert to(late, up.caller.peer).method == b"INFO"
    wire.wait(40)
    assert to(up.b.send("INFO"), up.callee.peer).status == 481


def test_a_retransmitted_request_is_not_passed_on_twice():
    _, up = scene()
    branch = up.caller.new_branch()
    got = to(up.a.send("INFO", cseq=3, branch=branch), up.callee.peer)
    assert up.a.send("INFO", cseq=3, branch=branch) == []
    up.callee.answer(got, 200)
    assert starts(up.a.send("INFO", cseq=3, branch=branch)) == [(up.caller.peer, "200")]


def test_an_answer_is_matched_to_the_wire_it_came_for():
    """What a stranger sends as an answer, without knowing a branch of ours, changes nothing."""
    wire, up = scene()
    got = to(up.a.send("INFO"), up.callee.peer)
    forged = answer(got, 200, up.callee.peer).replace("z9hG4bK", "z9hG4bKx", 1)
    assert wire.send(("198.51.100.66", 5060), forged) == []
