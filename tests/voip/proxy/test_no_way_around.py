"""A To tag, a Route or another method is no way around authentication (C2; RFC 3261 §16.4, §22, §26.3.2)."""

from __future__ import annotations

import pytest

from denwa.voip.sip.message import ROUTE
from tests.voip.wire import GATEWAY, SDP, Phone, Wire, call_up, to

STRANGER = ("198.51.100.9", 5060)
TRUNK_URI = "sip:0312345678@192.0.2.80:5080"


def stranger(wire: Wire) -> Phone:
    return Phone(wire, 1, host=STRANGER[0], port=STRANGER[1])


def ask(wire: Wire, method: str, uri: str, to_: str, *, extra: str = "", call_id: str = "strange") -> list[int]:
    """A request of a stranger with the caller's From; the statuses of what came back. Nothing may go elsewhere."""
    phone = stranger(wire)
    text = phone.request(method, uri, to=to_, call_id=call_id, cseq=1, extra=extra, body=SDP * (method == "INVITE"))
    sent = wire.send(phone.peer, text)
    assert {peer for peer, _ in sent} <= {phone.peer}
    assert wire.calls == []
    return [message.status for _, message in sent if message.status != 100]


@pytest.mark.parametrize(
    "method", ["INVITE", "BYE", "UPDATE", "INFO", "PRACK", "REFER", "NOTIFY", "SUBSCRIBE", "OPTIONS", "REGISTER"]
)
def test_a_to_tag_of_no_call_is_481(method: str) -> None:
    assert ask(Wire(), method, "sip:0312345678@denwa.example", "<sip:0312345678@denwa.example>;tag=x") == [481]


def test_an_ack_of_nothing_is_dropped() -> None:
    assert ask(Wire(), "ACK", "sip:0312345678@denwa.example", "<sip:0312345678@denwa.example>;tag=x") == []


@pytest.mark.parametrize("method", ["REFER", "NOTIFY", "SUBSCRIBE", "MESSAGE", "PUBLISH"])
def test_what_the_service_does_not_do_reaches_nobody(method: str) -> None:
    (status,) = ask(Wire(), method, "sip:05050010002@denwa.example", "<sip:05050010002@denwa.example>")
    assert status in (405, 481, 489, 501)


@pytest.mark.parametrize(
    "routes",
    [
        "Route: <sip:192.0.2.80:5080;lr>\r\n",
        "Route: <sip:192.0.2.10:5060;lr>, <sip:192.0.2.80:5080;lr>\r\n",
        "Route: <sip:192.0.2.10;lr>\r\nRoute: <sip:192.0.2.80:5080>\r\n",
    ],
)
@pytest.mark.parametrize("uri", ["sip:0312345678@denwa.example", TRUNK_URI, "sip:192.0.2.10;lr"])
def test_a_route_to_the_gateway_is_challenged_like_any_call(routes: str, uri: str) -> None:
    assert ask(Wire(), "INVITE", uri, f"<{uri}>", extra=routes) == [407]


def test_an_authenticated_call_goes_where_its_number_says_and_not_where_its_route_does() -> None:
    wire = Wire()
    phone = Phone(wire, 1)
    sent = phone.invite("0312345678", extra="Route: <sip:192.0.2.10;lr>, <sip:198.51.100.66:5060;lr>\r\n")
    invite = to(sent, GATEWAY)
    assert b"198.51.100.66" not in invite.encode()
    assert ROUTE not in invite.at
    assert {peer for peer, _ in sent} == {phone.peer, GATEWAY}


def test_the_gateways_name_in_the_request_uri_is_no_way_out() -> None:
    wire = Wire()
    phone = Phone(wire, 1)
    assert to(phone.invite("0312345678", uri=TRUNK_URI), phone.peer).status == 404


def test_what_a_caller_claims_to_be_does_not_count() -> None:
    """Neither From nor P-Asserted-Identity: the credentials say who calls (N7)."""
    claims = "P-Asserted-Identity: <sip:+81312345678@denwa.example>\r\nRemote-Party-ID: <sip:1@denwa.example>\r\n"
    assert ask(Wire(), "INVITE", "sip:0312345678@denwa.example", "<sip:0312345678@denwa.example>", extra=claims) == [
        407
    ]


@pytest.mark.parametrize("method", ["BYE", "INVITE", "UPDATE", "INFO", "REFER", "NOTIFY"])
def test_a_stranger_with_guessed_tags_neither_ends_nor_changes_a_call(method: str) -> None:
    wire = Wire()
    caller, callee = Phone(wire, 1), Phone(wire, 2)
    callee.register()
    call_up(wire, caller, callee)
    phone = stranger(wire)
    before = len(wire.sent)
    text = phone.request(method, "sip:05050010002@denwa.example", to="<sip:05050010002@denwa.example>;tag=guessed",
                         call_id="call-1", cseq=99)  # fmt: skip
    sent = wire.send(phone.peer, text)
    assert [(peer, message.status) for peer, message in sent] == [(phone.peer, 481)]
    assert len(wire.sent) == before + 1
    assert wire.ends == []
