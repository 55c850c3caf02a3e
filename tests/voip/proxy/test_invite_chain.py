"""The chain an INVITE walks before it is routed: who calls, may they, what is dialled, and what the callee sees."""

from __future__ import annotations

import pytest

from denwa.voip.sip import message as m
from denwa.voip.sip.message import Message
from tests.voip.wire import GATEWAY, SDP, Phone, Wire, answer, starts, subscriber, text_of, to

FAX = SDP.replace("m=audio 40000 RTP/AVP 0", "m=image 40000 udptl t38")


def refused(wire: Wire, phone: Phone, dialled: str, **more: str) -> Message:
    """Dial something that is refused: the answer, after seeing that nobody else was bothered."""
    sent = phone.invite(dialled, **more)
    response = to(sent, phone.peer)
    assert len(sent) == 1
    assert response.status >= 400
    phone.ack_failure(response)
    wire.wait(40)
    assert wire.transactions == 0
    assert len(wire.engine.calls) == 0
    return response


def ending(wire: Wire) -> tuple[str, int]:
    """The end of the one record that was written."""
    (entry,) = wire.calls
    assert entry.answered_at is None
    assert entry.ended_at is not None
    return entry.end_cause, entry.sip_status


# -- who calls (C2) ---------------------------------------------------------------------------


def test_a_caller_must_show_its_password_first():  # C2
    wire = Wire()
    phone = Phone(wire, 1)
    text = phone.request("INVITE", "sip:05050010002@denwa.example", to="<sip:x@y>", call_id="c", cseq=1, body=SDP)
    response = to(wire.send(phone.peer, text), phone.peer)
    assert response.status == 407
    assert b"Proxy-Authenticate: Digest " in b"\n".join(response.lines)
    assert wire.calls == []  # a challenge is no call


def test_a_wrong_password_is_refused_and_counted():
    wire = Wire()
    response = refused(wire, Phone(wire, 1), "05050010002", password="guess")
    assert response.status == 403
    assert b"password" in (response.value(m.REASON) or b"")
    assert wire.counters["authentication_failures", "INVITE"] == 1
    assert wire.calls == []


def test_an_account_that_does_not_exist_is_refused_in_the_same_words():
    wire = Wire()
    known, unknown = Phone(wire, 1), Phone(wire, 99)
    wrong = refused(wire, known, "05050010002", password="guess")
    nobody = refused(wire, unknown, "05050010002")
    assert (wrong.status, wrong.value(m.REASON)) == (nobody.status, nobody.value(m.REASON))


def test_a_subscriber_that_is_suspended_may_not_call_out_but_is_reached():  # C2, L2
    wire = Wire(subscriber(1, active=False), subscriber(2))
    suspended, other = Phone(wire, 1), Phone(wire, 2)
    assert refused(wire, suspended, "05050010002").status == 403
    assert ending(wire) == ("refused", 403)
    suspended.register()
    assert to(other.invite(suspended.number, "call-2"), suspended.peer).method == b"INVITE"


def test_a_changed_password_stops_calls_at_once():  # N2
    wire = Wire()
    phone = Phone(wire, 1)
    assert to(phone.invite("0312345678"), GATEWAY).method == b"INVITE"
    wire.directory.put(subscriber(1, ha1_md5=b"1" * 32, ha1_sha256=b"2" * 64))
    assert to(phone.invite("0312345678", "call-2"), phone.peer).status == 403


# -- what is dialled (N3, N4, N5, N6, N8) -----------------------------------------------------


@pytest.mark.parametrize(
    ("dialled", "status", "text"),
    [
        ("110", 403, "emergency"),  # N5, K2
        ("119", 403, "emergency"),
        ("0120123456", 403, "freephone"),
        ("0570012345", 403, ""),
        ("%239110", 403, ""),
        ("0033312345678", 403, "carrier"),
        ("03", 484, "incomplete"),
        ("0312", 484, "incomplete"),
        ("09101", 404, "does not know"),  # N4: never guessed
        ("05050010099", 404, "not in use"),
        ("031234567890", 404, "too many digits"),
        ("hello", 404, ""),
        ("+33123456789", 403, "switched off"),  # N6: off at first
        ("010331123456789", 404, ""),
        ("01081120123456", 403, "freephone"),  # N6: 010 + 81 is not a way around N5
        ("+12425551234", 403, "not offered"),  # N6: +1 also holds the Caribbean
    ],
)
def test_a_number_that_is_not_called_is_refused_with_code_and_reason(dialled, status, text):
    wire = Wire()
    response = refused(wire, Phone(wire, 1), dialled)
    assert response.status == status
    assert text.encode() in (response.value(m.REASON) or b"")
    assert response.value(m.REASON)
    (entry,) = wire.calls
    assert (entry.subscriber, entry.end_cause, entry.sip_status) == ("+815050010001", "refused", status)


def test_a_block_that_the_plan_does_not_know_alarms_the_operator_with_the_number_masked():  # N4, K5
    wire = Wire()
    refused(wire, Phone(wire, 1), "09101234567")
    assert sum(count for (kind, _), count in wire.counters.items() if kind == "number_plan_alarms") == 1
    (alarm,) = wire.engine.admission.limits.take_alarms()
    assert alarm.kind == "unknown-block"
    assert "091012" in alarm.text
    assert "09101234567" not in alarm.text


@pytest.mark.parametrize(
    "uri",
    ["sip:0312345678@denwa.example", "sip:03-1234-5678@192.0.2.10", "sip:+81312345678@denwa.example;user=phone",
     "tel:+81-3-1234-5678", "tel:0312345678", "sip:%EF%BC%90312345678@denwa.example",
     "sip:1860312345678@denwa.example", "sip:010810312345678@denwa.example"],
)  # fmt: skip
def test_all_forms_of_a_number_reach_the_same_place(uri):  # N3
    wire = Wire()
    invite = to(Phone(wire, 1).invite("", uri=uri), GATEWAY)
    assert invite.uri == b"sip:+81312345678@192.0.2.80:5080;user=phone"


def test_international_calls_go_out_once_the_subscriber_switched_them_on():  # N6
    wire = Wire(subscriber(1, international=True))
    invite = to(Phone(wire, 1).invite("01033123456789"), GATEWAY)
    assert invite.uri == b"sip:+33123456789@192.0.2.80:5080;user=phone"


def test_a_domain_that_is_not_ours_is_404():
    wire = Wire()
    assert refused(wire, Phone(wire, 1), "", uri="sip:0312345678@elsewhere.example").status == 404


@pytest.mark.parametrize("body", [FAX, SDP + "m=image 40002 udptl t38\r\n"])
def test_fax_is_488(body):  # N8
    wire = Wire()
    response = refused(wire, Phone(wire, 1), "0312345678", body=body)
    assert response.status == 488
    assert ending(wire) == ("refused", 488)


def test_a_message_is_405_with_allow():  # N8: no SMS
    wire = Wire()
    phone = Phone(wire, 1)
    text = phone.request("MESSAGE", "sip:05050010002@denwa.example", to="<sip:x@y>", call_id="m", cseq=1)
    response = to(wire.send(phone.peer, text), phone.peer)
    assert response.status == 405
    allowed = next(line for line in response.lines if line.startswith(b"Allow:"))
    assert b"INVITE" in allowed
    assert b"MESSAGE" not in allowed


@pytest.mark.parametrize(("method", "status"), [("SUBSCRIBE", 489), ("PUBLISH", 405), ("FLURB", 501)])
def test_what_the_service_does_not_do_is_405_and_what_nobody_knows_501(method, status):  # RFC 3261 §8.2.1, §21.5.2
    wire = Wire()
    phone = Phone(wire, 1)
    text = phone.request(method, "sip:denwa.example", to="<sip:x@y>", call_id="m", cseq=1)
    assert to(wire.send(phone.peer, text), phone.peer).status == status


def test_options_tells_what_the_service_does():
    wire = Wire()
    phone = Phone(wire, 1)
    response = to(wire.send(phone.peer, phone.request("OPTIONS", "sip:denwa.example", to="<sip:denwa.example>",
                                                      call_id="o", cseq=1)), phone.peer)  # fmt: skip
    assert response.status == 200
    assert any(line.startswith(b"Allow:") for line in response.lines)


# -- the mechanics of a proxy (RFC 3261 §16.3) ------------------------------------------------


def changed(phone: Phone, old: str, new: str, call_id: str = "c") -> Message:
    """The answer to an INVITE in whose text a part was changed."""
    sent = phone.invite("0312345678", call_id, change=(old, new))
    assert new in phone.invite_text
    return to(sent, phone.peer)


def test_max_forwards_0_is_483():
    assert changed(Phone(Wire(), 1), "Max-Forwards: 70", "Max-Forwards: 0").status == 483


def test_a_hop_is_counted_and_70_put_on_when_there_is_no_count():
    wire = Wire()
    assert to(Phone(wire, 1).invite("0312345678"), GATEWAY).value(m.MAX_FORWARDS) == b"69"
    text = gateway_invite("0312345678", "05050010002").replace("Max-Forwards: 70\r\n", "")
    Phone(wire, 2).register()
    assert to(wire.send(GATEWAY, text), ("192.0.2.1", 5062)).value(m.MAX_FORWARDS) == b"70"


def test_an_extension_that_a_proxy_must_know_is_420_with_its_name():
    response = changed(Phone(Wire(), 1), "Max-Forwards", "Proxy-Require: timer, foo\r\nMax-Forwards")
    assert response.status == 420
    assert b"Unsupported: foo" in response.lines


def test_a_request_that_comes_back_is_482():  # RFC 5393
    wire = Wire()
    phone = Phone(wire, 1)
    sent = to(phone.invite("0312345678"), GATEWAY)
    # The gateway sends it back as it is, but for a Via of its own and the Request-URI as it was dialled.
    sent.lines[0] = b"INVITE sip:0312345678@denwa.example SIP/2.0"
    back = sent.encode_under(b"Via: SIP/2.0/UDP 192.0.2.80:5080;branch=z9hG4bKgw")
    response = to(wire.send(GATEWAY, back), GATEWAY)
    assert response.status == 482
    # Also when it has no Via of ours any more, as the same call on another way (§8.2.2.2).
    stripped = phone.invite_text.replace(phone.invite_branch, "z9hG4bKelsewhere")
    assert to(wire.send(phone.peer, stripped), phone.peer).status == 482


def test_a_busy_service_says_so_and_when_to_come_again():
    wire = Wire(max_calls=1, max_transactions=8)
    phone = Phone(wire, 1)
    phone.invite("0312345678")
    for i in range(20):  # first there are too many calls, then too many transactions
        response = changed(phone, "", "", f"other{i}")
        assert response.status == 503
        assert b"Retry-After: 5" in response.lines
    assert wire.transactions == 8


def test_an_overloaded_service_takes_no_new_call_and_goes_on_with_those_it_has():
    wire = Wire()
    phone, other = Phone(wire, 1), Phone(wire, 3)
    callee = Phone(wire, 2)
    callee.register()
    invite = to(phone.invite("05050010002"), callee.peer)
    callee.answer(invite, 180)
    wire.engine.ctx.overloaded = True
    response = to(wire.send(other.peer, other.request("INVITE", "sip:05050010002@denwa.example",
                  to="<sip:05050010002@denwa.example>", call_id="new", cseq=1)), other.peer)  # fmt: skip
    assert response.status == 503
    assert b"Retry-After: 5" in response.lines
    assert wire.counters["dropped", "overload"] == 1
    again = wire.send(phone.peer, phone.invite_text)  # a repetition of the call that was taken
    assert starts(again) == [(phone.peer, "180")]
    assert wire.counters["dropped", "overload"] == 1
    wire.engine.ctx.overloaded = False
    assert starts(other.invite("0312345678", "later")) == [(other.peer, "100"), (GATEWAY, "INVITE")]


def test_no_call_begins_while_it_could_not_be_recorded():
    wire = Wire()
    wire.engine.ctx.journal_ok = False
    assert changed(Phone(wire, 1), "", "").status == 503


def test_the_invite_that_goes_on_has_our_via_our_record_route_and_no_password():
    wire = Wire()
    phone = Phone(wire, 1)
    sent = phone.invite("0312345678", extra="Route: <sip:192.0.2.10:5060;lr>\r\nX-Phone: kept\r\n")
    assert starts(sent) == [(phone.peer, "100"), (GATEWAY, "INVITE")]
    invite = to(sent, GATEWAY)
    assert invite.values(m.VIA)[0].startswith(b"SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK")
    assert b";received=192.0.2.1;rport=5061" in invite.values(m.VIA)[1]  # R4
    assert invite.values(m.RECORD_ROUTE) == [b"<sip:192.0.2.10:5060;lr>"]
    assert m.ROUTE not in invite.at
    assert m.PROXY_AUTHORIZATION not in invite.at
    assert b"X-Phone: kept" in invite.lines
    assert invite.body == SDP.encode()


# -- incoming from the telephone network (C2) -------------------------------------------------


def gateway_invite(caller: str, dialled: str, *, from_: str = "", extra: str = "", call_id: str = "gw-1") -> str:
    from_ = from_ or f"<sip:{caller}@192.0.2.80>;tag=gw"
    return (
        f"INVITE sip:{dialled}@192.0.2.10 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.80:5080;branch=z9hG4bKgw{call_id}\r\n"
        f"From: {from_}\r\nTo: <sip:{dialled}@192.0.2.10>\r\nCall-ID: {call_id}\r\nCSeq: 1 INVITE\r\n"
        f"Contact: <sip:192.0.2.80:5080>\r\nMax-Forwards: 70\r\n{extra}Content-Type: application/sdp\r\n"
        f"Content-Length: {len(SDP)}\r\n\r\n{SDP}"
    )


def test_a_call_from_a_known_gateway_rings_the_subscriber_without_a_password():
    wire = Wire()
    phone = Phone(wire, 2)
    phone.register()
    sent = wire.send(GATEWAY, gateway_invite("0312345678", phone.number))
    assert to(sent, phone.peer).method == b"INVITE"
    phone.answer(to(sent, phone.peer), 200, body=SDP)
    (entry,) = wire.calls
    assert (entry.leg, entry.subscriber, entry.caller, entry.callee) == (
        "incoming", "+815050010002", "+81312345678", "+815050010002")  # fmt: skip


def test_a_gateway_reaches_own_numbers_only():  # C2: the service is no transit
    wire = Wire()
    outside = to(wire.send(GATEWAY, gateway_invite("0312345678", "0398765432")), GATEWAY)
    unused = to(wire.send(GATEWAY, gateway_invite("0312345678", "05050010099", call_id="gw-2")), GATEWAY)
    assert (outside.status, unused.status) == (403, 404)


def test_the_gateway_s_address_from_another_port_or_another_address_is_a_stranger():
    wire = Wire()
    text = gateway_invite("0312345678", "05050010002")
    assert wire.send(("192.0.2.80", 6000), text)[-1][1].status == 407
    assert wire.send(("192.0.2.81", 5080), text)[-1][1].status == 407


# -- who is rejected (B1 to B4) ---------------------------------------------------------------


def incoming(wire: Wire, **more: str) -> Message:
    """A call from 03-1234-5678 for 050-5001-0002, which is registered: what came of it."""
    Phone(wire, 2).register()
    return wire.send(GATEWAY, gateway_invite("0312345678", "05050010002", **more))[-1][1]


def test_a_listed_number_gets_603_and_the_phone_does_not_ring():  # B1, B5
    wire = Wire(subscriber(2, blocked=frozenset({"+81312345678"}), voicemail=True))
    assert incoming(wire).status == 603
    assert ending(wire) == ("rejected", 603)
    assert wire.voicemail.wishes == []  # B5: nothing in voicemail


def test_a_listed_subscriber_of_ours_gets_603():  # B1
    wire = Wire(subscriber(1), subscriber(2, blocked=frozenset({"+815050010001"})))
    Phone(wire, 2).register()
    assert refused(wire, Phone(wire, 1), "05050010002").status == 603


@pytest.mark.parametrize("dialled", ["18405050010002"])
def test_a_subscriber_that_hides_gets_603_where_hidden_calls_are_rejected(dialled):  # B2
    wire = Wire(subscriber(1), subscriber(2, reject_anonymous=True))
    Phone(wire, 2).register()
    assert refused(wire, Phone(wire, 1), dialled).status == 603
    assert to(Phone(wire, 1).invite("05050010002", "call-2"), ("192.0.2.1", 5062)).method == b"INVITE"


def test_a_listed_number_that_hides_itself_is_caught_by_the_other_switch_only():  # B3
    blocked = frozenset({"+815050010001", "+81312345678"})
    wire = Wire(subscriber(1), subscriber(2, blocked=blocked))
    Phone(wire, 2).register()
    assert to(Phone(wire, 1).invite("18405050010002"), ("192.0.2.1", 5062)).method == b"INVITE"
    hidden = "P-Asserted-Identity: <tel:+81312345678>\r\nPrivacy: id\r\n"
    assert incoming(wire, from_="<sip:anonymous@anonymous.invalid>;tag=g", extra=hidden).method == b"INVITE"


@pytest.mark.parametrize(
    ("name", "rings"),
    [("Anonymous", False), ("anonymous", False), ("Coin line/payphone", True), ("Interaction with other service", True),
     ("Unavailable", True)],
)  # fmt: skip
def test_only_what_the_caller_chose_to_hide_is_rejected(name, rings):  # B2, B4
    wire = Wire(subscriber(2, reject_anonymous=True))
    came = incoming(wire, from_=f'"{name}" <sip:anonymous@anonymous.invalid>;tag=g')
    assert (came.method == b"INVITE") == rings
    assert came.status == (0 if rings else 603)
    if rings:
        assert name in text_of(came, m.FROM)


@pytest.mark.parametrize("privacy", ["id", "user;critical", "ID", "header; id"])
def test_a_privacy_header_from_the_network_means_the_caller_chose_to_hide(privacy):  # B2
    wire = Wire(subscriber(2, reject_anonymous=True))
    assert incoming(wire, extra=f"Privacy: {privacy}\r\n").status == 603


def test_a_hidden_call_from_the_network_shows_anonymous_and_no_number():  # N7
    wire = Wire(subscriber(2))
    hidden = "P-Asserted-Identity: <tel:+81312345678>\r\nPrivacy: id\r\n"
    invite = incoming(wire, extra=hidden)
    assert text_of(invite, m.FROM).startswith('"Anonymous" <sip:anonymous@anonymous.invalid>;tag=')
    assert b"312345678" not in invite.encode()


# -- what the callee sees (N7) ----------------------------------------------------------------


def test_the_callee_sees_the_subscriber_s_number_whatever_the_phone_wrote():  # N7
    wire = Wire()
    phone, other = Phone(wire, 1), Phone(wire, 2)
    other.register()
    lies = (
        "P-Asserted-Identity: <tel:+81399999999>\r\nP-Preferred-Identity: <sip:+81399999999@x>\r\n"
        'Remote-Party-ID: "Bank" <sip:0399999999@x>;privacy=off\r\n'
    )
    from_ = '"Bank" <sip:0399999999@denwa.example>;tag=lie'
    for peer, dialled in ((other.peer, other.number), (GATEWAY, "0312345678")):
        invite = to(phone.invite(dialled, dialled, extra=lies, from_=from_), peer)
        assert text_of(invite, m.FROM) == '"05050010001" <sip:05050010001@denwa.example>;tag=lie'
        assert b"399999999" not in invite.encode()
        assert b"Bank" not in invite.encode()


def test_the_number_is_asserted_towards_the_gateway_only():  # N7, RFC 3325
    wire = Wire()
    phone, other = Phone(wire, 1), Phone(wire, 2)
    other.register()
    outside = to(phone.invite("0312345678"), GATEWAY)
    assert outside.values(m.P_ASSERTED_IDENTITY) == [b"<sip:+815050010001@denwa.example;user=phone>"]
    inside = to(phone.invite(other.number, "call-2"), other.peer)
    assert m.P_ASSERTED_IDENTITY not in inside.at
    assert m.PRIVACY not in inside.at


def test_with_184_the_gateway_is_told_to_keep_the_number_secret():  # N7
    wire = Wire()
    invite = to(Phone(wire, 1).invite("1840312345678"), GATEWAY)
    assert text_of(invite, m.FROM).startswith('"Anonymous" <sip:anonymous@anonymous.invalid>;tag=')
    assert invite.values(m.PRIVACY) == [b"id"]
    assert invite.values(m.P_ASSERTED_IDENTITY) == [b"<sip:+815050010001@denwa.example;user=phone>"]


def test_with_186_the_number_is_shown():  # N3
    wire = Wire()
    invite = to(Phone(wire, 1).invite("1860312345678"), GATEWAY)
    assert "05050010001" in text_of(invite, m.FROM)
    assert m.PRIVACY not in invite.at


# -- limits (C6) ------------------------------------------------------------------------------


def test_a_subscriber_has_so_many_calls_at_once():  # C6
    wire = Wire(calls_per_subscriber=2)
    phone = Phone(wire, 1)
    for i in range(2):
        assert to(phone.invite("0312345678", f"c{i}"), GATEWAY).method == b"INVITE"
    third = to(phone.invite("0312345678", "c2"), phone.peer)
    assert (third.status, b"at once" in (third.value(m.REASON) or b"")) == (403, True)
    # One ends: there is room again.
    phone.invite_text = next(d for _, mess, d in wire.sent if mess.method == b"INVITE").decode()
    first = next(mess for peer, mess, _ in wire.sent if peer == GATEWAY and mess.method == b"INVITE")
    wire.send(GATEWAY, answer(first, 486, GATEWAY))
    assert to(phone.invite("0312345678", "c3"), GATEWAY).method == b"INVITE"


def test_a_subscriber_begins_so_many_calls_a_minute():  # C6
    wire = Wire(new_calls_per_minute=3)
    phone = Phone(wire, 1)
    wire.wait(60 - wire.ms // 1000 % 60)  # a minute begins
    for i in range(3):
        invite = to(phone.invite("0312345678", f"c{i}"), GATEWAY)
        wire.send(GATEWAY, answer(invite, 486, GATEWAY))
    fourth = to(phone.invite("0312345678", "c3"), phone.peer)
    assert (fourth.status, b"a minute" in (fourth.value(m.REASON) or b"")) == (403, True)
    wire.wait(60)
    assert to(phone.invite("0312345678", "c4"), GATEWAY).method == b"INVITE"
