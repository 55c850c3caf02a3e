"""C3, N8 on the wire: which message carries an offer or an answer, and what becomes of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from denwa.voip.media.codec_policy import CodecOrder
from denwa.voip.media.negotiation import Negotiation
from denwa.voip.sip import message as m
from denwa.voip.sip.message import Message
from tests.voip.media.offers import EVERYTHING, HEAD, audio, formats, media_lines
from tests.voip.proxy.test_invite_chain import ending, gateway_invite, refused
from tests.voip.wire import GATEWAY, SDP, VOICEMAIL, CallUp, Phone, Talk, Wire, answer, call_up, starts, subscriber, to

FIVE = ["97", "104", "3", "0", "9"]
ALAW = audio("8", "rtpmap:8 PCMA/8000")
BOTH_LAWS = audio("8 0 101", "rtpmap:8 PCMA/8000", "rtpmap:0 PCMU/8000", "rtpmap:101 telephone-event/8000")
MU_LAW = audio("0 101", "rtpmap:0 PCMU/8000", "rtpmap:101 telephone-event/8000")


def scene(**codecs: CodecOrder) -> tuple[Wire, Phone, Phone]:
    """Two subscribers, `caller` and `callee` with their setting, the callee registered."""
    wire = Wire(
        subscriber(1, codecs=codecs.get("caller", CodecOrder.PHONE)),
        subscriber(2, codecs=codecs.get("callee", CodecOrder.PHONE)),
    )
    caller, callee = Phone(wire, 1), Phone(wire, 2)
    callee.register()
    return wire, caller, callee


def body_of(message: Message) -> str:
    """The body, after seeing that Content-Length says its length."""
    assert int(message.value(m.CONTENT_LENGTH) or b"-1") == len(message.body)
    return message.body.decode()


def from_gateway(callee: Phone, body: str) -> str:
    """An INVITE from the telephone network."""
    text = gateway_invite("0312345678", callee.number)
    return text.partition("Content-Length:")[0] + f"Content-Length: {len(body)}\r\n\r\n{body}"


def up() -> tuple[Wire, CallUp]:
    wire, caller, callee = scene()
    return wire, call_up(wire, caller, callee)


# -- the first offer ----------------------------------------------------------------------------------------------


def test_the_callee_is_offered_the_five_codecs_and_the_answer_goes_back_as_it_is():  # C3
    wire, caller, callee = scene()
    invite = to(caller.invite(callee.number, body=EVERYTHING), callee.peer)
    assert formats(body_of(invite)) == [*FIVE, "120", "121"]
    ok = to(wire.send(callee.peer, answer(invite, 200, callee.peer, body=MU_LAW)), caller.peer)
    assert body_of(ok) == MU_LAW


def test_an_offer_within_the_policy_is_not_touched():
    _, caller, callee = scene()
    for n, body in enumerate((SDP, SDP, MU_LAW, SDP.replace("40000", "40010"))):  # also what is known already
        assert body_of(to(caller.invite(callee.number, f"call-{n}", body=body), callee.peer)) == body


def test_nothing_in_common_is_488_with_reason_record_metric_and_log_line_and_no_phone_rings():  # C3
    wire = Wire()
    Phone(wire, 2).register()
    response = refused(wire, Phone(wire, 1), "05050010002", body=ALAW)
    assert response.status == 488
    assert b"no codec of this service" in (response.value(m.REASON) or b"")
    assert ending(wire) == ("refused", 488)
    assert wire.counters["refused", "488"] == 1
    assert any("488 no codec" in note for note in wire.engine.ctx.notes)


def test_video_alone_is_488_and_beside_sound_gets_port_0():  # C3
    wire, caller, callee = scene()
    video = "m=video 40002 RTP/AVP 34\r\n"
    assert to(caller.invite(callee.number, body=HEAD + video), caller.peer).status == 488
    invite = to(caller.invite(callee.number, "call-2", body=MU_LAW + video), callee.peer)
    assert body_of(invite) == MU_LAW + "m=video 0 RTP/AVP 34\r\n"
    # A phone that takes no notice of port 0 does not get its video accepted.
    ok = answer(invite, 200, callee.peer, body=MU_LAW + "m=video 50000 RTP/AVP 34\r\n")
    assert media_lines(body_of(to(wire.send(callee.peer, ok), caller.peer)))[1] == "m=video 0 RTP/AVP 34"


def test_calls_to_and_from_the_telephone_network_obey_the_policy_too():  # C3
    wire, caller, callee = scene()
    assert body_of(to(caller.invite("0312345678", body=BOTH_LAWS), GATEWAY)) == MU_LAW
    assert body_of(to(wire.send(GATEWAY, from_gateway(callee, BOTH_LAWS)), callee.peer)) == MU_LAW


def test_the_voicemail_gets_the_filtered_offer():
    wire = Wire(subscriber(1), subscriber(2, voicemail=True))
    Phone(wire, 1).invite("05050010002", body=BOTH_LAWS)
    assert body_of(to(wire.give_place(), VOICEMAIL)) == MU_LAW


# -- order --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("caller_has", "callee_has", "order"),
    [
        (CodecOrder.PHONE, CodecOrder.PHONE, ["97", "104", "3", "0", "9"]),
        (CodecOrder.MOBILE, CodecOrder.PHONE, ["104", "3", "97", "0", "9"]),
        (CodecOrder.PHONE, CodecOrder.MOBILE, ["104", "3", "97", "0", "9"]),  # who is called may have the narrow line
        (CodecOrder.WIFI, CodecOrder.PHONE, ["9", "0", "97", "104", "3"]),
        (CodecOrder.PHONE, CodecOrder.WIFI, ["9", "0", "97", "104", "3"]),
        (CodecOrder.WIFI, CodecOrder.MOBILE, ["104", "3", "97", "0", "9"]),  # the narrow line decides
        (CodecOrder.MOBILE, CodecOrder.WIFI, ["104", "3", "97", "0", "9"]),
    ],
)
def test_either_subscribers_setting_orders_the_offer(caller_has, callee_has, order):  # C3
    _, caller, callee = scene(caller=caller_has, callee=callee_has)
    invite = to(caller.invite(callee.number, body=EVERYTHING), callee.peer)
    assert formats(body_of(invite)) == [*order, "120", "121"]


def test_a_changed_setting_counts_from_the_next_call():
    wire, caller, callee = scene()
    assert body_of(to(caller.invite(callee.number, body=audio("0 3")), callee.peer)) == audio("0 3")
    wire.directory.put(subscriber(1, codecs=CodecOrder.MOBILE))
    assert body_of(to(caller.invite(callee.number, "call-2", body=audio("0 3")), callee.peer)) == audio("3 0")


def test_an_answer_with_several_codecs_is_ordered_too():  # RFC 3264 §7: its first format is what is sent
    wire, caller, callee = scene(callee=CodecOrder.MOBILE)
    invite = to(caller.invite(callee.number, body=EVERYTHING), callee.peer)
    ok = wire.send(callee.peer, answer(invite, 200, callee.peer, body=audio("0 3")))
    assert body_of(to(ok, caller.peer)) == audio("3 0")


# -- answers ------------------------------------------------------------------------------------------------------


def test_early_media_the_answer_and_its_repetition_are_filtered_alike():
    wire, caller, callee = scene()
    invite = to(caller.invite(callee.number, body=MU_LAW), callee.peer)
    for status in (183, 200, 200):
        got = to(wire.send(callee.peer, answer(invite, status, callee.peer, body=BOTH_LAWS)), caller.peer)
        assert (got.status, body_of(got)) == (status, MU_LAW)


def test_an_answer_in_another_ilbc_mode_is_told_to_the_caller_as_both_must_use_it():  # RFC 3952 §5
    wire, caller, callee = scene()
    slow, fast = (audio("98", "rtpmap:98 iLBC/8000", f"fmtp:98 mode={mode}") for mode in (30, 20))
    invite = to(caller.invite(callee.number, body=slow), callee.peer)
    ok = to(wire.send(callee.peer, answer(invite, 200, callee.peer, body=fast)), caller.peer)
    assert body_of(ok) == slow
    again = to(Talk.of_caller(caller, ok).send("INVITE", body=fast), callee.peer)
    assert body_of(to(callee.answer(again, 200, body=slow), caller.peer)) == slow
    third = to(Talk.of_callee(callee, invite).send("UPDATE", body=fast), caller.peer)
    assert body_of(to(caller.answer(third, 200, body=fast), callee.peer)) == fast


def test_what_a_phone_says_it_could_do_in_a_refusal_is_not_touched():  # RFC 3261 §21.4.26
    wire, caller, callee = scene()
    invite = to(caller.invite(callee.number), callee.peer)
    response = to(wire.send(callee.peer, answer(invite, 488, callee.peer, body=ALAW)), caller.peer)
    assert (response.status, body_of(response)) == (488, ALAW)


# -- late offer: the offer stands in the 200, the answer in the ACK -------------------------------------------------


def test_a_late_offer_is_filtered_and_so_is_its_answer_in_the_ack():  # RFC 3261 §13.2.1
    wire, caller, callee = scene()
    invite = to(caller.invite(callee.number, body=""), callee.peer)
    assert invite.body == b""
    ok = to(wire.send(callee.peer, answer(invite, 200, callee.peer, body=EVERYTHING)), caller.peer)
    assert formats(body_of(ok)) == [*FIVE, "120", "121"]
    ack = to(Talk.of_caller(caller, ok).send("ACK", cseq=2, body=BOTH_LAWS), callee.peer)
    assert (ack.method, body_of(ack)) == (b"ACK", MU_LAW)


def test_the_answer_in_the_ack_keeps_to_the_ilbc_mode_of_the_late_offer():  # RFC 3952 §5
    wire, caller, callee = scene()
    slow, fast = (audio("98", "rtpmap:98 iLBC/8000", f"fmtp:98 mode={mode}") for mode in (30, 20))
    invite = to(caller.invite(callee.number, body=""), callee.peer)
    ok = to(wire.send(callee.peer, answer(invite, 200, callee.peer, body=slow)), caller.peer)
    assert body_of(to(Talk.of_caller(caller, ok).send("ACK", cseq=2, body=fast), callee.peer)) == slow


def test_a_late_offer_beside_fax_loses_the_fax_and_goes_on():  # N8: nobody can refuse a 200
    wire, caller, callee = scene()
    invite = to(caller.invite(callee.number, body=""), callee.peer)
    ok = answer(invite, 200, callee.peer, body=SDP + "m=image 40002 udptl t38\r\n")
    assert media_lines(body_of(to(wire.send(callee.peer, ok), caller.peer)))[1] == "m=image 0 udptl t38"


@pytest.mark.parametrize("offer", [ALAW, HEAD + "m=image 40002 udptl t38\r\n", HEAD + "m=audio\r\n"])
def test_a_late_offer_with_nothing_in_common_ends_the_call_on_both_sides(offer):  # C3
    wire = Wire(subscriber(1), subscriber(2, voicemail=True))
    caller, callee = Phone(wire, 1), Phone(wire, 2)
    callee.register()
    invite = to(caller.invite(callee.number, body=""), callee.peer)
    text = answer(invite, 200, callee.peer, body=offer)
    sent = wire.send(callee.peer, text)
    assert starts(sent) == [(callee.peer, "ACK"), (callee.peer, "BYE"), (caller.peer, "488")]
    response = to(sent, caller.peer)
    assert (response.value(m.REASON) or b"").startswith(b"SIP;cause=488;text=")
    assert ending(wire) == ("refused", 488)
    assert wire.counters["refused", "488"] == 1
    assert wire.voicemail.wishes == []
    caller.ack_failure(response)
    callee.answer(next(message for _, message in sent if message.method == b"BYE"), 200)
    assert starts(wire.send(callee.peer, text)) == [(callee.peer, "ACK")]  # the 200 comes again
    wire.wait(64)
    assert (wire.transactions, len(wire.engine.calls)) == (0, 0)


def test_an_offer_in_a_reliable_183_is_answered_in_the_prack():  # RFC 3262 §5
    wire, caller, callee = scene()
    invite = to(caller.invite(callee.number, body="", extra="Supported: 100rel\r\n"), callee.peer)
    reliable = answer(invite, 183, callee.peer, body=BOTH_LAWS, extra="Require: 100rel\r\nRSeq: 1\r\n")
    ringing = to(wire.send(callee.peer, reliable), caller.peer)
    assert body_of(ringing) == MU_LAW
    talk = Talk.of_caller(caller, ringing)
    prack = to(talk.send("PRACK", extra="RAck: 1 2 INVITE\r\n", body=BOTH_LAWS), callee.peer)
    assert (prack.method, body_of(prack)) == (b"PRACK", MU_LAW)
    assert to(callee.answer(prack, 200), caller.peer).status == 200
    assert body_of(to(wire.send(callee.peer, answer(invite, 200, callee.peer)), caller.peer)) == ""


# -- while the call is being set up, and later ----------------------------------------------------------------------


def test_offers_in_prack_and_update_before_the_answer_are_filtered_or_488():  # RFC 3262 §5, RFC 3311
    wire, caller, callee = scene()
    invite = to(caller.invite(callee.number, extra="Supported: 100rel\r\n"), callee.peer)
    reliable = answer(invite, 183, callee.peer, body=SDP, extra="Require: 100rel\r\nRSeq: 1\r\n")
    talk = Talk.of_caller(caller, to(wire.send(callee.peer, reliable), caller.peer))
    prack = to(talk.send("PRACK", extra="RAck: 1 2 INVITE\r\n", body=BOTH_LAWS), callee.peer)
    assert body_of(prack) == MU_LAW
    assert body_of(to(callee.answer(prack, 200, body=BOTH_LAWS), caller.peer)) == MU_LAW
    update = to(talk.send("UPDATE", body=BOTH_LAWS), callee.peer)
    assert body_of(update) == MU_LAW
    assert body_of(to(callee.answer(update, 200, body=BOTH_LAWS), caller.peer)) == MU_LAW
    assert to(talk.send("UPDATE", body=ALAW), caller.peer).status == 488
    assert to(wire.send(callee.peer, answer(invite, 200, callee.peer)), caller.peer).status == 200


@pytest.mark.parametrize(
    "hold",
    [
        audio("0", "sendonly"),
        audio("0", "inactive"),
        audio("0", head=HEAD.replace("c=IN IP4 192.0.2.1", "c=IN IP4 0.0.0.0")),
        audio("0", port="0"),
    ],
)
@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_hold_passes_both_ways_byte_for_byte(hold, method):  # RFC 3264 §8.4
    _, call = up()
    for talk, far, near in ((call.a, call.callee, call.caller), (call.b, call.caller, call.callee)):
        got = to(talk.send(method, body=hold), far.peer)
        assert body_of(got) == hold
        assert body_of(to(far.answer(got, 200, body=hold), near.peer)) == hold
        if method == "INVITE":
            talk.send("ACK", cseq=talk.cseq)


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_a_new_offer_in_a_call_is_filtered_and_one_with_nothing_left_is_488_while_the_call_goes_on(method):  # C3
    wire, call = up()
    response = to(call.a.send(method, body=ALAW), call.caller.peer)
    assert response.status == 488
    assert b"no codec of this service" in (response.value(m.REASON) or b"")
    got = to(call.b.send(method, body=BOTH_LAWS), call.caller.peer)
    assert body_of(got) == MU_LAW
    assert body_of(to(call.caller.answer(got, 200, body=BOTH_LAWS), call.callee.peer)) == MU_LAW
    assert wire.ends == []


def test_a_fax_machine_that_wants_t38_in_a_call_hears_488_and_stays_with_sound():  # N8
    wire = Wire()
    phone = Phone(wire, 2)
    phone.register()
    invite = to(wire.send(GATEWAY, from_gateway(phone, SDP)), phone.peer)
    phone.answer(invite, 200, body=SDP)
    response = to(Talk.of_callee(phone, invite).send("INVITE", body=HEAD + "m=image 4 udptl t38\r\n"), phone.peer)
    assert response.status == 488
    assert b"fax" in (response.value(m.REASON) or b"")
    assert wire.ends == []


def test_a_re_invite_without_an_offer_gets_a_filtered_one():
    _, call = up()
    got = to(call.a.send("INVITE"), call.callee.peer)
    ok = to(call.callee.answer(got, 200, body=BOTH_LAWS), call.caller.peer)
    assert body_of(ok) == MU_LAW
    assert body_of(to(call.a.send("ACK", cseq=call.a.cseq, body=BOTH_LAWS), call.callee.peer)) == MU_LAW


def test_a_late_offer_in_a_call_that_has_nothing_left_offers_closed_streams():
    """Nobody can refuse a 200: the call stays, without sound, until the phones agree on something that is allowed."""
    wire, call = up()
    got = to(call.a.send("INVITE"), call.callee.peer)
    ok = to(call.callee.answer(got, 200, body=ALAW), call.caller.peer)
    assert media_lines(body_of(ok)) == ["m=audio 0 RTP/AVP 8"]
    assert wire.ends == []


def test_an_offer_in_a_call_is_ordered_by_the_same_setting_whoever_makes_it():
    wire, caller, callee = scene(callee=CodecOrder.MOBILE)
    call = call_up(wire, caller, callee)
    for talk, far in ((call.a, callee), (call.b, caller)):
        assert body_of(to(talk.send("UPDATE", body=audio("0 3")), far.peer)) == audio("3 0")


def test_an_answer_that_comes_again_after_a_restart_is_filtered_as_before():
    wire, caller, callee = scene()
    invite = to(caller.invite(callee.number, body=MU_LAW), callee.peer)
    text = answer(invite, 200, callee.peer, body=BOTH_LAWS)
    first = to(wire.send(callee.peer, text), caller.peer)
    wire.start()
    wire.engine.restore([], wire.calls, wire.now, wire.ms)
    assert to(wire.send(callee.peer, text), caller.peer).body == first.body == MU_LAW.encode()


# -- bodies -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["INFO", "NOTIFY", "REFER", "BYE"])
def test_other_requests_keep_their_bodies(method):
    _, call = up()
    assert body_of(to(call.a.send(method, body=ALAW), call.callee.peer)) == ALAW


@pytest.mark.parametrize(
    "header",
    ["Content-Type: Application/SDP", "content-type:application/sdp", "c: application/sdp", "C:application/sdp ; x=y"],
)
def test_every_spelling_of_the_content_type_is_known(header):  # RFC 3261 §7.3.1, §7.3.3
    _, caller, callee = scene()
    sent = caller.invite(callee.number, body=BOTH_LAWS, change=("Content-Type: application/sdp", header))
    invite = to(sent, callee.peer)
    assert body_of(invite) == MU_LAW
    assert header.encode() in invite.lines


def test_a_compact_content_length_is_put_right():
    _, caller, callee = scene()
    sent = caller.invite(callee.number, body=BOTH_LAWS, change=("Content-Length:", "l:"))
    assert body_of(to(sent, callee.peer)) == MU_LAW


@pytest.mark.parametrize("header", ["Content-Type: application/isup; version=x", "Content-Type: text/plain"])
def test_what_is_no_sdp_is_left_alone_and_means_a_late_offer(header):
    wire, caller, callee = scene()
    invite = to(caller.invite(callee.number, body=ALAW, change=("Content-Type: application/sdp", header)), callee.peer)
    assert body_of(invite) == ALAW
    ok = wire.send(callee.peer, answer(invite, 200, callee.peer, body=ALAW))
    assert to(ok, caller.peer).status == 488  # a late offer with nothing in common


PARTS = (
    "--b1\r\nContent-Type: application/isup;version=x\r\n\r\n\x01\x02\r\n"
    "--b1\r\nc: APPLICATION/SDP\r\n\r\n{}\r\n--b1--\r\n"
)


@pytest.mark.parametrize("boundary", ["boundary=b1", 'Boundary="b1"', "x=y; boundary=b1;z=1"])
def test_the_sdp_in_a_multipart_body_is_filtered_in_its_place(boundary):  # RFC 5621
    _, caller, callee = scene()
    kind = ("Content-Type: application/sdp", f"Content-Type: multipart/mixed;{boundary}")
    sent = caller.invite(callee.number, body=PARTS.format(BOTH_LAWS), change=kind)
    assert body_of(to(sent, callee.peer)) == PARTS.format(MU_LAW)
    assert to(caller.invite(callee.number, "call-2", body=PARTS.format(ALAW), change=kind), caller.peer).status == 488


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/mixed", PARTS.format(ALAW)),  # no boundary
        ("multipart/mixed;boundary=other", PARTS.format(ALAW)),
        ("multipart/mixed;boundary=b1", "--b1\r\nContent-Type: application/sdp\r\n\r\n" + ALAW),  # never ends
        ("multipart/mixed;boundary=b1", "--b1"),
        ("multipart/mixed;boundary=b1", "--b1\r\n\r\n" + ALAW + "\r\n--b1--"),  # a part without headers is text
        ("multipart/mixed;boundary=b1", "--b1\r\nX: y\r\n\r\n1\r\n" * 30 + "--b1--"),
    ],
)
def test_a_multipart_body_in_which_no_sdp_is_found_goes_on_as_it_is(kind, body):
    _, caller, callee = scene()
    sent = caller.invite(callee.number, body=body, change=("application/sdp", kind))
    assert body_of(to(sent, callee.peer)) == body


# -- what is remembered of descriptions -----------------------------------------------------------------------------


class Parties:
    """What the policy knows of a call."""

    number_from, number_to = "+815050010001", "+815050010002"
    ilbc_modes: tuple[int, ...] = ()
    forwarded = ()


def said(negotiation: Negotiation, body: str) -> str:
    """What goes on of an offer, or why it is refused."""
    text = f"INVITE sip:x SIP/2.0\r\nContent-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    request = m.parse_message(text.encode())
    return negotiation.offer(Parties(), request) or request.body.decode()  # type: ignore[arg-type]


def test_what_is_remembered_does_not_depend_on_the_port_but_on_everything_that_decides():
    directory = Wire(subscriber(1), subscriber(2)).directory
    negotiation = Negotiation(directory)
    ilbc = audio("0 98", "rtpmap:98 iLBC/8000")
    for _ in range(2):
        assert said(negotiation, audio("0 98", port="0")) == audio("0 98", port="0")
        assert said(negotiation, audio("0 98")) == audio("0")
        assert said(negotiation, ilbc) == ilbc
        assert said(negotiation, ilbc.replace("40000", "40002")) == ilbc.replace("40000", "40002")
        assert said(negotiation, ilbc.replace("m=audio", "m=video 4 RTP/AVP 34\r\nm=audio")).count("m=video 0") == 1
    directory.put(subscriber(2, codecs=CodecOrder.MOBILE))
    assert said(negotiation, ilbc) == audio("98 0", "rtpmap:98 iLBC/8000")


def test_descriptions_that_are_never_the_same_twice_fill_no_memory():
    negotiation = Negotiation(Wire().directory)
    sizes = []
    for n in range(1200):
        said(negotiation, audio("0", f"ssrc:{n} cname:x"))
        sizes.append(len(negotiation._untouched))
    assert max(sizes) == 512


def test_a_description_too_long_to_be_remembered_is_filtered_all_the_same():
    long = "".join(f"a=candidate:{n} 1 UDP 1 192.0.2.1 40000 typ host\r\n" for n in range(120))
    assert said(Negotiation(Wire().directory), BOTH_LAWS + long) == MU_LAW + long


KINDS = st.sampled_from(
    ["application/sdp", "multipart/mixed;boundary=b1", 'multipart/mixed; boundary="b 1"', "text/plain", ""]
)
LINES = st.sampled_from(
    ["--b1", "--b1--", "--b 1", "Content-Type: application/sdp", "", "v=0", "m=audio 4 RTP/AVP 8 0",
     "m=audio 4 RTP/AVP 8", "m=video 4 RTP/AVP 34", "a=rtpmap:8 PCMA/8000", "m=image 4 udptl t38", "m=", "x"]
)  # fmt: skip


@given(KINDS, st.lists(LINES).map("\r\n".join), st.sampled_from(CodecOrder))
def test_no_body_breaks_the_negotiation_and_its_length_is_always_right(kind, body, order):
    negotiation = Negotiation(Wire(subscriber(1, codecs=order)).directory)
    text = f"INVITE sip:x SIP/2.0\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
    for late_offer in (None, False, True):
        message = m.parse_message(text)
        if late_offer is None:
            negotiation.offer(Parties(), message)  # type: ignore[arg-type]
        else:
            negotiation.response(Parties(), message, late_offer=late_offer)  # type: ignore[arg-type]
        out = body_of(message)
        assert len(out) <= len(body)
        if kind in ("text/plain", ""):
            assert out == body
