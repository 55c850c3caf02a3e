"""A caller that hides (N7): whole calls of real phones, and everything that the called phone has ever seen of them."""

from __future__ import annotations

import pytest

from tests.live.wire import ALICE, BOB, account, converse, hang_up, picked_up
from tests.peers import wav
from tests.peers.phone import Phone
from tests.peers.service import Service
from tests.peers.sipp import Sipp
from tests.peers.talk import talk

pytestmark = pytest.mark.live


def seen_by(phone: Phone) -> str:
    """Every SIP message that a phone has received and sent."""
    return (phone.folder / "pjsip.log").read_text(errors="replace")


def assert_nothing_known(text: str, caller: Phone, call_id: str) -> None:
    for secret in (account(ALICE), ALICE, call_id, "taro-phone", "184" + BOB, str(caller.port)):
        assert secret not in text, text[max(0, text.find(secret) - 600) : text.find(secret) + 200]


def test_a_called_phone_learns_nothing_of_a_caller_that_hides_and_both_hear_each_other(service: Service) -> None:
    # N7 N3
    with (
        service.phone(account(ALICE), user_agent="taro-phone") as alice,
        service.phone(account(BOB), reliable=True) as bob,
    ):
        service.registered(alice, bob)
        bob.answering(200, after=0.5)
        for by_callee in (False, True):
            call = alice.call("184" + BOB, headers={"Subject": "taro-phone", "Organization": "taro-phone"})
            heard = bob.incoming(1 + by_callee)
            record = converse(service, call, heard, 3, by_callee=by_callee)
            assert (record["caller"], record["hidden_reason"]) == (ALICE, "anonymous")  # the caller's own record
            assert wav.likeness(heard.recording, alice.voice) > 0.9
            assert wav.likeness(call.recording, bob.voice) > 0.9
            assert heard.call_id != call.call_id
            assert_nothing_known(seen_by(bob), alice, call.call_id)


def test_a_hidden_call_outlives_the_service_and_stays_hidden(own_service: Service) -> None:
    # N7 C4
    with own_service as service, service.phone(account(ALICE)) as alice, service.phone(account(BOB)) as bob:
        service.registered(alice, bob)
        bob.answering(200)
        call = alice.call("184" + BOB)
        heard = bob.incoming()
        picked_up(call, heard)
        service.kill()
        service.start()
        talk(0.3)
        hang_up(heard, call)
        assert service.record(call.call_id)["end_cause"] == "callee"
        assert_nothing_known(seen_by(bob), alice, call.call_id)


def test_the_operator_s_trace_shows_both_halves_of_a_hidden_call(service: Service) -> None:
    # O2
    with service.phone(account(ALICE)) as alice, service.phone(account(BOB)) as bob:
        service.registered(alice, bob)
        bob.answering(200)
        call = alice.call("184" + BOB)
        call.wait("confirmed")
        hang_up(call, bob.incoming())
        ladder = service.cli("trace", call.call_id).splitlines()
        for phone in (alice, bob):
            assert [line for line in ladder if f":{phone.port} " in line and "BYE" in line], ladder


def test_baresip_takes_and_ends_a_hidden_call(service: Service) -> None:
    # N7: another stack finds its dialog, too
    with (
        service.phone(account(ALICE)) as alice,
        service.baresip(account(BOB), answer=True) as baresip,
    ):
        alice.register()
        baresip.registered()
        call = alice.call("184" + BOB)
        call.wait("confirmed")
        baresip.hangup()
        call.ended()
        assert service.record(call.call_id)["end_cause"] == "callee"


@pytest.mark.parametrize(
    ("display", "reason"),
    [("Coin line/payphone", "payphone"), ("Anonymous", "anonymous"), ("Unavailable", "unavailable")],
)
def test_a_call_from_the_network_without_a_number_says_why_and_nothing_else(
    service: Service, display: str, reason: str
) -> None:
    # N7 B4
    with service.phone(account(BOB)) as bob:
        bob.register()
        bob.answering(200)
        with Sipp(
            service.folder,
            "trunk_caller",
            service=service.address,
            port=service.gateway_port,
            number=BOB,
            hold=300,
            from_=f'"{display}" <sip:+81312345678@pstn.example>',
            identity="P-Asserted-Identity: <tel:+81312345678>\nPrivacy: id\nSubject: 0312345678",
        ) as network:
            trace = network.finished()
        bob.incoming().ended()
        text = seen_by(bob)
        assert f'"{display}" <sip:anonymous@anonymous.invalid>' in text
        assert "312345678" not in text
        record = service.record(trace[0].header("Call-ID"))
        assert (record["caller"], record["hidden_reason"]) == ("", reason)
