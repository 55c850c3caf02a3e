"""Calls that a subscriber does not take (B1-B6), from a SIPp gateway to a pjsua2 telephone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.live.wire import BOB, account, assert_unanswered
from tests.peers.phone import Phone
from tests.peers.service import Record, Service
from tests.peers.sipp import Sipp

pytestmark = pytest.mark.live
LISTED, OTHER = "0312345678", "0698765432"


@pytest.fixture
def phone(service: Service) -> Iterator[Phone]:
    """Bob, who does not take calls of `LISTED`, and none that hide."""
    service.cli("block", "add", BOB, LISTED)
    service.set(BOB, reject_anonymous="on")
    with service.phone(account(BOB)) as bob:
        bob.register()
        bob.answering(200)
        yield bob
    service.cli("block", "remove", BOB, LISTED)
    service.set(BOB, reject_anonymous="off")


def network(service: Service, scenario: str, number: str, display: str = "", **more: int) -> Record:
    """A call from the telephone network; `display`: why its number is missing. Its record."""
    hidden = {
        "from_": f'"{display}" <sip:anonymous@anonymous.invalid>',
        "identity": "Privacy: id",
    }
    shown = {"from_": f"<sip:{number}@pstn.example>", "identity": f"P-Asserted-Identity: <tel:+81{number[1:]}>"}
    with Sipp(
        service.folder, scenario, service=service.address, port=service.gateway_port, number=BOB, hold=300,
        **(hidden if display else shown), **more,
    ) as caller:  # fmt: skip
        trace = caller.finished()
    return service.record(trace[0].header("Call-ID"))


def test_a_listed_number_and_one_that_hides_are_refused_and_the_phone_does_not_ring(
    service: Service, phone: Phone
) -> None:
    # B1 B2 B5
    for number, display in ((LISTED, ""), (OTHER, "Anonymous")):
        record = network(service, "refused_trunk", number, display, status=603)
        assert_unanswered(record, "rejected", 603)
        assert (record["reason"], record["voicemail"]) == ("rejected", "no")
    assert phone.incoming_count == 0
    assert service.voicemail(BOB) == []


def test_other_numbers_public_telephones_and_whoever_cannot_be_shown_ring(service: Service, phone: Phone) -> None:
    # B2 B4: only what the caller chose to hide is rejected
    cases = (
        (OTHER, ""),
        (OTHER, "Coin line/payphone"),
        (OTHER, "Unavailable"),
        (OTHER, "Interaction with other service"),
    )
    for number, (caller, display) in enumerate(cases, 1):
        record = network(service, "trunk_caller", caller, display)
        phone.incoming(number).ended()
        assert record["end_cause"] == "caller"


def test_a_listed_number_that_hides_itself_is_caught_by_the_other_switch_only(service: Service, phone: Phone) -> None:
    # B3
    service.set(BOB, reject_anonymous="off")
    assert network(service, "trunk_caller", LISTED, "Anonymous")["end_cause"] == "caller"
    phone.incoming().ended()
