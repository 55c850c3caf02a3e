"""A caller that hides (N7, 184): nothing that the called side ever receives says who it is, and both sides work as if
nothing stood between them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from denwa.voip.calls.call import restore_call
from denwa.voip.proxy.concealment import anonymous_sdp
from denwa.voip.sip import message as m
from denwa.voip.sip.message import Message, parse_message
from tests.voip.calls.test_restart import restart
from tests.voip.wire import GATEWAY, CallUp, Phone, Wire, answer, call_up, subscriber, text_of, to

CALLER_HOST = "203.0.113.77"
CALL_ID = "1-4711@203.0.113.77"
MEDIA = "198.51.100.20"  # where the sound goes: the relay's to hide
SDP = (
    f"v=0\r\no=05050010001 998877 1 IN IP4 {CALLER_HOST}\r\ns=call of 50010001\r\ni=Taro\r\nu=http://taro.example/\r\n"
    f"e=taro@example.jp\r\nc=IN IP4 {MEDIA}\r\nt=0 0\r\na=tool:taro-phone\r\nm=audio 40000 RTP/AVP 0 101\r\n"
    f"a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=rtcp:40001 IN IP4 {CALLER_HOST}\r\n"
    f"a=candidate:1 1 UDP 2130706431 {CALLER_HOST} 40000 typ host\r\na=ice-ufrag:taro\r\n"
    f"a=ssrc:1 cname:taro@{CALLER_HOST}\r\na=sendrecv\r\n"
)
BETRAYING = (
    "User-Agent: taro-phone\r\nServer: taro-phone\r\nOrganization: Taro KK\r\nSubject: taro\r\n"
    "Call-Info: <http://taro.example/taro.jpg>\r\nReply-To: <sip:taro@example.jp>\r\nAlert-Info: <http://taro.example/>\r\n"
    "Geolocation: <sip:taro@example.jp>\r\nP-Preferred-Identity: <sip:05050010001@denwa.example>\r\n"
    "P-Asserted-Identity: <tel:+815050010001>\r\nRemote-Party-ID: <sip:05050010001@x>\r\nX-Owner: taro\r\n"
    "History-Info: <sip:05050010001@denwa.example>;index=1\r\nDiversion: <sip:05050010001@denwa.example>\r\n"
    'Referred-By: <sip:taro@example.jp>\r\nReason: SIP;cause=200;text="taro hung up"\r\nWarning: 399 taro "taro"\r\n'
)
BEFORE_IT = f"Via: SIP/2.0/UDP taro-pbx.{CALLER_HOST}.example:5080;branch=z9hG4bKpbx\r\n"
SECRETS = (b"50010001", b"8150", CALLER_HOST.encode(), b"taro", b"Taro", b"998877", b"1840505", CALL_ID.encode())


def scene(**more: str) -> tuple[Wire, CallUp]:
    """A hidden call that is up, everything that a phone can betray itself with in its INVITE."""
    wire = Wire()
    a, b = Phone(wire, 1, host=CALLER_HOST, tag="taro-1"), Phone(wire, 2)
    up = hidden_call(wire, a, b, extra=BETRAYING + more.get("extra", ""))
    return wire, up


def hidden_call(wire: Wire, a: Phone, b: Phone, extra: str = "") -> CallUp:
    b.register()
    sender = f'"Taro" {a.aor};tag={a.tag}'
    invite = to(a.invite("184" + b.number, CALL_ID, body=SDP, extra=BEFORE_IT + extra, from_=sender), b.peer)
    b.answer(invite, 180)
    text = answer(invite, 200, b.peer, body=SDP.replace("taro", "jiro"), contact=b.contact)
    ok = to(wire.send(b.peer, text), a.peer)
    up = CallUp(a, b, invite, ok, text)
    up.a.send("ACK", cseq=2, extra=BETRAYING)
    return up


def told(wire: Wire, phone: Phone) -> list[bytes]:
    return [data for peer, _, data in wire.sent if peer == phone.peer and b"REGISTER" not in data]


def exchange(up: CallUp, who: str, method: str, body: str = "") -> tuple[Message, Message]:
    """A request of one side and its answer: as the other side got it, and as the first one heard it."""
    talk, near, far = (up.a, up.caller, up.callee) if who == "caller" else (up.b, up.callee, up.caller)
    got = to(talk.send(method, body=body, extra=BETRAYING if who == "caller" else ""), far.peer)
    text = answer(got, 200, far.peer, body=body, extra=BETRAYING if who == "callee" else "", contact=far.contact)
    heard = to(far.wire.send(far.peer, text), near.peer)
    if method == "INVITE":
        talk.send("ACK", cseq=talk.cseq, extra=BETRAYING if who == "caller" else "")
    return got, heard


def test_nothing_in_a_whole_call_says_who_hides():  # N7
    wire, up = scene()
    for who in ("caller", "callee"):
        for method, body in (("INVITE", SDP), ("UPDATE", SDP), ("INFO", ""), ("OPTIONS", "")):
            exchange(up, who, method, body)
    exchange(up, "callee", "BYE")
    heard = told(wire, up.callee)
    assert len(heard) > 12
    for data in heard:
        for secret in SECRETS:
            assert secret not in data, data.decode()


def test_nor_do_the_provisional_steps_and_a_call_given_up():  # N7: PRACK, UPDATE before the answer, CANCEL
    wire = Wire()
    a, b = Phone(wire, 1, host=CALLER_HOST, tag="taro-1"), Phone(wire, 2)
    b.register()
    extra = BEFORE_IT + BETRAYING + "Supported: 100rel\r\n"
    invite = to(a.invite("184" + b.number, CALL_ID, body=SDP, extra=extra), b.peer)
    ringing = to(b.answer(invite, 183, body=SDP, extra="Require: 100rel\r\nRSeq: 1\r\n"), a.peer)
    assert text_of(ringing, m.TO) == "<sip:18405050010002@denwa.example>;tag=callee"
    assert [value.partition(b";")[0] for value in ringing.values(m.VIA)][-1].endswith(b".example:5080")
    up = CallUp(a, b, invite, ringing, "")
    for method in ("PRACK", "UPDATE"):
        got = to(up.a.send(method, extra=BETRAYING + "RAck: 1 2 INVITE\r\n"), b.peer)
        assert text_of(got, m.TO) == f"{text_of(invite, m.TO)};tag=callee"
        assert (b"RAck: 1 2 INVITE" in got.lines) == (method == "PRACK") or method == "UPDATE"
        assert to(b.answer(got, 200), a.peer).status == 200
    cancel = to(a.cancel()[1:], b.peer)
    assert (cancel.method, cancel.value(m.CALL_ID)) == (b"CANCEL", invite.value(m.CALL_ID))
    b.answer(cancel, 200)
    failed = to([sent for sent in b.answer(invite, 487) if sent[1].status], a.peer)
    assert (failed.status, text_of(failed, m.CALL_ID)) == (487, CALL_ID)
    for data in told(wire, b):
        for secret in SECRETS:
            assert secret not in data, data.decode()


def test_both_sides_find_their_own_dialog_in_everything():
    _, up = scene()
    a, b = up.caller, up.callee
    assert text_of(up.ok, m.CALL_ID) == CALL_ID
    assert text_of(up.ok, m.FROM) == f'"Taro" {a.aor};tag={a.tag}'
    assert text_of(up.ok, m.TO) == "<sip:18405050010002@denwa.example>;tag=callee"
    assert len(up.ok.values(m.VIA)) == 2
    assert text_of(up.invite, m.TO) == "<sip:05050010002@denwa.example>"
    for method in ("INFO", "INVITE"):
        got, heard = exchange(up, "caller", method, SDP if method == "INVITE" else "")
        assert (text_of(got, m.FROM), text_of(got, m.TO)) == (up.b.remote, up.b.local)
        assert text_of(got, m.CALL_ID) == up.b.call_id
        assert (text_of(heard, m.FROM), text_of(heard, m.TO)) == (up.a.local, up.a.remote)
        assert text_of(heard, m.CALL_ID) == CALL_ID
        got, heard = exchange(up, "callee", method, SDP if method == "INVITE" else "")
        assert (text_of(got, m.FROM), text_of(got, m.TO)) == (up.a.remote, up.a.local)
        assert text_of(got, m.CALL_ID) == CALL_ID
        assert got.uri == a.contact.encode()
        assert (text_of(heard, m.FROM), text_of(heard, m.TO)) == (up.b.local, up.b.remote)
        assert len(heard.values(m.VIA)) == 1
    assert to(a.answer(to(up.b.send("BYE"), a.peer), 200), b.peer).status == 200


def test_the_media_keep_what_they_need_and_one_number_for_the_whole_call():
    _, up = scene()
    got, _ = exchange(up, "caller", "INVITE", SDP.replace("998877 1", "998877 2"))
    first, second = up.invite.body.split(b"\r\n"), got.body.split(b"\r\n")
    session = int(up.b.call_id[:7], 16)
    assert first[1] == b"o=- %d 1 IN IP4 192.0.2.10" % session
    assert second[1] == b"o=- %d 2 IN IP4 192.0.2.10" % session
    for line in (f"c=IN IP4 {MEDIA}", "m=audio 40000 RTP/AVP 0 101", "a=rtpmap:101 telephone-event/8000", "a=sendrecv"):
        assert line.encode() in first
    assert b"a=rtcp:40001" in first
    assert up.invite.value(m.CONTENT_LENGTH) == b"%d" % len(up.invite.body)


def test_a_body_that_is_not_understood_does_not_pass_and_keys_do():
    _, up = scene()
    vcard = "Content-Type: text/vcard\r\nContent-Length: 11\r\n\r\nFN:50010001"
    text = up.a.text("INFO").replace("Content-Length: 0\r\n\r\n", vcard)
    got = to(up.caller.wire.send(up.caller.peer, text), up.callee.peer)
    assert (got.body, got.value(m.CONTENT_LENGTH)) == (b"", b"0")
    keys = "Content-Type: application/dtmf-relay\r\nContent-Length: 9\r\n\r\nSignal=5\n"
    text = up.a.text("INFO").replace("Content-Length: 0\r\n\r\n", keys)
    assert to(up.caller.wire.send(up.caller.peer, text), up.callee.peer).body == b"Signal=5\n"


def test_the_reason_of_a_bye_keeps_its_cause_without_its_text():
    _, up = scene()
    got = to(up.a.send("BYE", extra='Reason: Q.850;cause=16;text="bye from Taro"\r\n'), up.callee.peer)
    assert got.values(m.REASON) == [b"Q.850;cause=16"]


def test_a_hidden_call_goes_on_over_a_restart_and_its_answer_still_finds_the_caller():  # C5
    wire, up = scene()
    restart(wire)
    ok = to(wire.send(up.callee.peer, up.answer_text), up.caller.peer)
    assert ok.values(m.VIA) == up.ok.values(m.VIA)
    assert (text_of(ok, m.FROM), text_of(ok, m.TO), text_of(ok, m.CALL_ID)) == (up.a.local, up.a.remote, CALL_ID)
    exchange(up, "caller", "INFO")
    exchange(up, "callee", "INFO")
    wire.wait(10)
    exchange(up, "callee", "BYE")
    assert [end.end_cause for end in wire.ends] == ["callee"]
    wire.wait(60)
    assert len(wire.engine.calls) == 0
    assert wire.engine.calls.find(up.b.call_id.encode(), b"callee", up.b.remote.partition("tag=")[2].encode()) is None


def test_our_own_byes_are_in_each_side_s_terms():
    wire, up = scene()
    wire.wait(31)
    asked = {peer: message for peer, message, _ in wire.sent if message.method == b"OPTIONS"}
    assert text_of(asked[up.callee.peer], m.CALL_ID) == up.b.call_id
    sent = up.callee.answer(asked[up.callee.peer], 481)
    for phone, talk in ((up.caller, up.a), (up.callee, up.b)):
        bye = to([s for s in sent if s[1].method == b"BYE"], phone.peer)
        assert (text_of(bye, m.FROM), text_of(bye, m.TO), text_of(bye, m.CALL_ID)) == (
            talk.remote,
            talk.local,
            talk.call_id,
        )


def test_the_called_side_cannot_speak_as_the_caller():  # C2
    _, up = scene()
    shown_tag = up.b.remote.partition("tag=")[2]
    up.b.local, up.b.remote = f"<sip:x@y>;tag={shown_tag}", "<sip:x@y>;tag=callee"
    assert to(up.b.send("BYE"), up.callee.peer).status == 481


def test_routes_of_the_caller_s_side_are_kept_for_it_and_not_shown():
    wire = Wire()
    a, b = Phone(wire, 1, host=CALLER_HOST, tag="taro-1"), Phone(wire, 2)
    up = hidden_call(wire, a, b, extra=f"Record-Route: <sip:{CALLER_HOST}:5090;lr>\r\n")
    assert CALLER_HOST.encode() not in up.invite.encode()
    assert up.ok.values(m.RECORD_ROUTE)[-1] == f"<sip:{CALLER_HOST}:5090;lr>".encode()
    info = to(up.b.send("INFO"), a.peer)
    assert info.values(m.ROUTE) == [f"<sip:{CALLER_HOST}:5090;lr>".encode()]


@pytest.mark.parametrize(
    ("display", "shown"),
    [("Anonymous", "Anonymous"), ("Coin line/payphone", "Coin line/payphone"), ("Unavailable", "Unavailable"),
     ("Interaction with other service", "Interaction with other service"), ("Taro", "Anonymous")],
)  # fmt: skip
def test_a_call_from_the_network_that_hides_is_hidden_alike_and_says_why(display, shown):  # N7, B4
    wire = Wire(subscriber(2))
    b, gateway = Phone(wire, 2), Phone(wire, 80, host=GATEWAY[0], port=GATEWAY[1], tag="gw-taro")
    gateway.contact = f"sip:+81312345678@{GATEWAY[0]}:{GATEWAY[1]}"
    b.register()
    text = gateway.request(
        "INVITE", "sip:+815050010002@denwa.example", to="<sip:+815050010002@denwa.example>", call_id="1@taro", cseq=1,
        from_=f'"{display}" <sip:+81312345678@pstn.example>;tag=gw-taro', body=SDP,
        extra="P-Asserted-Identity: <tel:+81312345678>\r\nPrivacy: id\r\nDiversion: <tel:+81312345678>\r\n",
    )  # fmt: skip
    invite = to(wire.send(GATEWAY, text), b.peer)
    assert text_of(invite, m.FROM).startswith(f'"{shown}" <sip:anonymous@anonymous.invalid>;tag=')
    ok = to(wire.send(b.peer, answer(invite, 200, b.peer, body=SDP)), GATEWAY)
    up = CallUp(gateway, b, invite, ok, "")
    up.a.send("ACK", cseq=1)
    exchange(up, "caller", "BYE")
    assert wire.calls[0].caller == ""
    assert wire.ends
    for data in told(wire, b):
        assert b"312345678" not in data
        assert b"taro" not in data


@pytest.mark.parametrize(
    "display", ["Anonymous", "Coin line/payphone", "Interaction with other service", "Unavailable"]
)
def test_why_a_number_is_missing_travels_to_record_and_voicemail(display):  # B4
    reason = {"Anonymous": "anonymous", "Coin line/payphone": "payphone", "Unavailable": "unavailable"}.get(
        display, "interaction"
    )
    wire = Wire(subscriber(2, voicemail=True))
    gateway, machine = Phone(wire, 80, host=GATEWAY[0], port=GATEWAY[1]), Phone(wire, 9, host="192.0.2.90", port=7000)
    own = "sip:+815050010002@denwa.example"
    sender = f'"{display}" <sip:anonymous@anonymous.invalid>;tag=g'
    text = gateway.request("INVITE", own, to=f"<{own}>", call_id="c", cseq=1, from_=sender, body=SDP)
    wire.send(GATEWAY, text)
    assert (wire.voicemail.wishes[0].hidden, wire.voicemail.wishes[0].caller) == (reason, "")
    machine.answer(to(wire.give_place(), machine.peer), 200, body=SDP)
    assert [(row.hidden_reason, row.caller) for row in wire.calls] == [(reason, "")]
    restart(wire)
    assert [call.hidden_reason for call in wire.engine.calls] == [reason]


def test_a_rejected_call_s_record_says_why_its_number_is_missing():  # B2, B4
    wire = Wire(subscriber(1), subscriber(2, reject_anonymous=True))
    Phone(wire, 1).invite("18405050010002")
    Phone(wire, 1).invite("05050010002", "call-2")
    assert [row.hidden_reason for row in wire.calls][:1] == ["anonymous"]
    assert wire.calls[0].end_cause == "rejected"
    assert wire.calls[-1].hidden_reason == ""


def test_a_call_that_shows_its_number_is_changed_in_nothing_else():
    wire = Wire()
    up = call_up(wire, Phone(wire, 1), Phone(wire, 2), extra="X-Owner: taro\r\nSubject: lunch\r\n")
    assert b"X-Owner: taro" in up.invite.lines
    assert up.b.call_id == "call-1"


def test_a_call_id_that_is_no_text_is_found_again_after_a_restart():
    wire = Wire()
    a, b = Phone(wire, 1), Phone(wire, 2)
    wire_id = b"caf\xe9\xff@x"
    b.register()
    uri = f"sip:{b.number}@denwa.example"
    same = {"to": "<sip:x@y>", "call_id": "CALLID", "body": SDP}
    first = a.request("INVITE", uri, cseq=1, **same)
    challenge = wire.send(a.peer, first.encode().replace(b"CALLID", wire_id))[-1][1]
    second = a.request("INVITE", uri, cseq=2, extra=a.authorization(challenge, "INVITE", uri), **same)
    invite = to(wire.send(a.peer, second.encode().replace(b"CALLID", wire_id)), b.peer)
    text = answer_bytes(invite, b)
    wire.send(b.peer, text)
    row = wire.calls[0]
    assert restore_call(row, 0).call_id == wire_id
    restart(wire)
    bye = (
        b"BYE %b SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bKraw;rport\r\n"
        b"From: %b;tag=callee\r\nTo: %b\r\n"
        b"Call-ID: %b\r\nCSeq: 1 BYE\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    ) % (a.contact.encode(), invite.value(m.TO), invite.value(m.FROM), wire_id)
    assert to(wire.send(b.peer, bye), a.peer).method == b"BYE"


def answer_bytes(invite: Message, phone: Phone) -> bytes:
    keep = [line for line in invite.lines if line.partition(b":")[0] in (b"Via", b"From", b"Call-ID", b"CSeq")]
    head = [b"SIP/2.0 200 OK", *keep, b"To: %b;tag=callee" % (invite.value(m.TO) or b"")]
    return b"\r\n".join([*head, b"Contact: <%b>" % phone.contact.encode(), b"Content-Length: 0\r\n\r\n"])


@given(st.binary(max_size=300).map(lambda noise: SDP.encode() + noise.replace(b"\n", b"\r\n")))
def test_whatever_an_sdp_holds_only_lines_that_are_known_pass(sdp):  # N7
    for line in anonymous_sdp(sdp, b"0123456789abcdef", "192.0.2.10").split(b"\r\n")[:-1]:
        assert line[:2] in (b"v=", b"o=", b"s=", b"c=", b"b=", b"t=", b"r=", b"z=", b"k=", b"m=", b"a=")
        assert not line.startswith((b"a=candidate", b"a=ssrc", b"a=tool", b"a=ice"))


def test_the_names_of_two_hidden_calls_have_nothing_in_common():
    wire = Wire()
    a, b = Phone(wire, 1), Phone(wire, 2)
    b.register()
    first, second = (to(a.invite("184" + b.number, f"c{i}"), b.peer) for i in range(2))
    assert len({text_of(first, m.CALL_ID), text_of(second, m.CALL_ID)}) == 2
    assert parse_message(first.encode()).value(m.FROM) != second.value(m.FROM)
