"""Incoming calls as carriers write them (C2, N3, N7)."""

from __future__ import annotations

import pytest

from denwa.voip.gateways.trunk import PLAIN, Format, NumberForm
from denwa.voip.sip import message as m
from tests.voip.gateways.test_failover import FIRST, trunk
from tests.voip.proxy.test_invite_chain import gateway_invite
from tests.voip.wire import Phone, Wire, to

PLAIN_E164 = Format(NumberForm.PLAIN_E164)


def called(wire: Wire, text: str) -> list[str]:
    """Statuses and methods that an INVITE from the gateway leads to, and who the record says is calling."""
    sent = wire.send(FIRST, text)
    return [message.method.decode() or str(message.status) for _, message in sent if message.status != 100]


@pytest.mark.parametrize(("dialled", "form"), [
    ("05050010002", PLAIN), ("+815050010002", PLAIN), ("815050010002", PLAIN_E164), ("+815050010002", PLAIN_E164),
    ("05050010002", PLAIN_E164),
])  # fmt: skip
def test_a_number_rings_in_the_form_of_its_gateway(dialled: str, form: Format) -> None:  # N3
    wire = Wire(trunks=(trunk("a", FIRST, format=form),))
    Phone(wire, 2).register()
    assert called(wire, gateway_invite("0312345678", dialled)) == ["INVITE"]


def test_without_being_told_a_number_without_plus_is_not_guessed() -> None:
    wire = Wire(trunks=(trunk("a", FIRST),))
    Phone(wire, 2).register()
    assert called(wire, gateway_invite("0312345678", "815050010002")) != ["INVITE"]


def test_a_caller_without_plus_is_known_by_its_number_and_blocked_by_it() -> None:  # N7
    wire = Wire(trunks=(trunk("a", FIRST, format=PLAIN_E164),))
    phone = Phone(wire, 2)
    phone.register()
    invite = to(wire.send(FIRST, gateway_invite("81312345678", "815050010002")), phone.peer)
    phone.answer(invite, 486)
    assert wire.calls[-1].caller == "+81312345678"


def test_a_carrier_that_calls_what_we_registered_has_the_number_in_to() -> None:
    wire = Wire(trunks=(trunk("a", FIRST, called_in_to=True),))
    phone = Phone(wire, 2)
    phone.register()
    text = gateway_invite("0312345678", "05050010002").replace("INVITE sip:05050010002@", "INVITE sip:u123@", 1)
    assert "To: <sip:05050010002@" in text
    assert to(wire.send(FIRST, text), phone.peer).value(m.MAX_FORWARDS) == b"69"


def test_the_number_in_to_may_be_a_tel_uri() -> None:
    wire = Wire(trunks=(trunk("a", FIRST, called_in_to=True),))
    Phone(wire, 2).register()
    text = gateway_invite("0312345678", "05050010002")
    to_line = next(line for line in text.split("\r\n") if line.startswith("To:"))
    assert called(wire, text.replace(to_line, "To: <tel:+815050010002>")) == ["INVITE"]


def test_a_caller_that_hides_is_not_shown_by_its_form() -> None:  # N7, B4
    wire = Wire(trunks=(trunk("a", FIRST, format=PLAIN_E164),))
    phone = Phone(wire, 2)
    phone.register()
    text = gateway_invite("81312345678", "815050010002").replace("From: <", 'From: "Unavailable" <', 1)
    assert 'From: "Unavailable"' in text
    phone.answer(to(wire.send(FIRST, text), phone.peer), 486)
    assert wire.calls[-1].caller == ""
