"""Numbers and headers as a gateway wants them (N7, K1)."""

from __future__ import annotations

import pytest

from denwa.voip.gateways.formats import dressed, request_uri, written
from denwa.voip.gateways.trunk import Format, ForwardedHeader, IdentityHeader, NumberForm
from denwa.voip.sip import message as m
from denwa.voip.sip.message import Message, parse_message

PEER = ("192.0.2.80", 5080)
SHOWN = '"05050010001" <sip:05050010001@denwa.example>;tag=t1'


def invite(*extra: str, sender: str = SHOWN) -> Message:
    lines = [
        "INVITE sip:0312345678@denwa.example SIP/2.0",
        "Via: SIP/2.0/UDP 192.0.2.1:5061;branch=z9hG4bK1",
        f"From: {sender}",
        "To: <sip:0312345678@denwa.example>",
        "Call-ID: c1",
        "CSeq: 2 INVITE",
        "P-Asserted-Identity: <sip:+815050010001@denwa.example;user=phone>",
        *extra,
        "\r\n",
    ]
    return parse_message("\r\n".join(lines).encode())


@pytest.mark.parametrize(("e164", "form", "text"), [
    ("+81312345678", NumberForm.E164, "+81312345678"),
    ("+81312345678", NumberForm.PLAIN_E164, "81312345678"),
    ("+81312345678", NumberForm.NATIONAL, "0312345678"),
    ("+33123456789", NumberForm.NATIONAL, "01033123456789"),
    ("+33123456789", NumberForm.PLAIN_E164, "33123456789"),
])  # fmt: skip
def test_a_number_is_written_as_the_gateway_reads_it(e164: str, form: NumberForm, text: str) -> None:
    assert written(e164, form) == text


@pytest.mark.parametrize(("form", "uri"), [
    (Format(), b"sip:+81312345678@192.0.2.80:5080;user=phone"),
    (Format(user_phone=False, prefix="77"), b"sip:77+81312345678@192.0.2.80:5080"),
    (Format(NumberForm.NATIONAL, domain=b"carrier.example"), b"sip:0312345678@carrier.example;user=phone"),
])  # fmt: skip
def test_the_request_uri_has_number_prefix_and_domain(form: Format, uri: bytes) -> None:
    assert request_uri("+81312345678", PEER, form) == uri


def test_an_ipv6_gateway_stands_in_brackets() -> None:
    assert (
        request_uri("+81312345678", ("2001:db8::1", 5060), Format())
        == b"sip:+81312345678@[2001:db8::1]:5060;user=phone"
    )


def test_from_keeps_its_tag_and_gets_the_carriers_domain_and_form() -> None:
    form = Format(NumberForm.PLAIN_E164, from_domain=b"carrier.example", user_phone=False)
    sender = dressed(invite(), form, b"denwa.example").value(m.FROM)
    assert sender == b'"05050010001" <sip:815050010001@carrier.example>;tag=t1'


@pytest.mark.parametrize(("identity", "line"), [
    (IdentityHeader.ASSERTED, b"P-Asserted-Identity: <sip:+815050010001@denwa.example;user=phone>"),
    (IdentityHeader.PREFERRED, b"P-Preferred-Identity: <sip:+815050010001@denwa.example;user=phone>"),
    (IdentityHeader.REMOTE_PARTY, b"Remote-Party-ID: <sip:+815050010001@denwa.example;user=phone>;party=calling;"
                                  b"screen=yes;privacy=off"),
])  # fmt: skip
def test_the_caller_stands_in_one_header_the_one_that_the_gateway_reads(identity: IdentityHeader, line: bytes) -> None:
    lines = dressed(invite(), Format(identity=identity), b"denwa.example").lines
    named = [one for one in lines if one.startswith((b"P-Asserted", b"P-Preferred", b"Remote-Party"))]
    assert named == [line]


def test_a_gateway_may_want_no_identity_at_all() -> None:
    assert b"Identity" not in dressed(invite(), Format(identity=IdentityHeader.NONE), b"denwa.example").encode()


def hidden() -> Message:
    return invite("Privacy: id", sender='"Anonymous" <sip:anonymous@anonymous.invalid>;tag=t1')


def test_a_hidden_caller_is_known_to_a_trusted_gateway_only() -> None:  # N7, RFC 3325 §7
    trusted = dressed(hidden(), Format(identity=IdentityHeader.REMOTE_PARTY), b"denwa.example")
    assert b"privacy=full" in (trusted.value(m.REMOTE_PARTY_ID) or b"")
    assert trusted.value(m.PRIVACY) == b"id"
    stranger = dressed(hidden(), Format(trusted=False, from_domain=b"carrier.example"), b"denwa.example").encode()
    assert b"50010001" not in stranger
    assert b'From: "Anonymous" <sip:anonymous@anonymous.invalid>;tag=t1' in stranger


@pytest.mark.parametrize(("wanted", "left"), [
    (ForwardedHeader.BOTH, {b"Diversion", b"History-Info"}),
    (ForwardedHeader.DIVERSION, {b"Diversion"}),
    (ForwardedHeader.HISTORY_INFO, {b"History-Info"}),
    (ForwardedHeader.NONE, set()),
])  # fmt: skip
def test_a_forwarded_call_says_so_in_the_header_that_the_gateway_reads(
    wanted: ForwardedHeader, left: set[bytes]
) -> None:  # K1
    request = invite("Diversion: <sip:+815050010002@denwa.example>", "History-Info: <sip:a@b>;index=1")
    names = {line.partition(b":")[0] for line in dressed(request, Format(forwarded=wanted), b"denwa.example").lines}
    assert names & {b"Diversion", b"History-Info"} == left


def test_the_callers_own_request_stays_as_it_was() -> None:
    request = invite("Diversion: <sip:+815050010002@denwa.example>")
    before = request.encode()
    dressed(request, Format(NumberForm.NATIONAL, identity=IdentityHeader.NONE, forwarded=ForwardedHeader.NONE), b"x")
    assert request.encode() == before


def test_lines_put_at_the_end_without_an_entry_are_found_all_the_same() -> None:
    request = invite()
    request.remove(m.P_ASSERTED_IDENTITY)
    request.lines.append(b"P-Asserted-Identity: <sip:+815050010009@denwa.example>")
    sent = dressed(request, Format(identity=IdentityHeader.PREFERRED), b"denwa.example").encode()
    assert b"P-Preferred-Identity: <sip:+815050010009@" in sent
    assert b"P-Asserted" not in sent
