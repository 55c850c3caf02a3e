"""What real telephones talk with: the service's five codecs and nothing else, in the subscribers' order (C3, N8)."""

from __future__ import annotations

import pytest

from tests.live.wire import ALICE, BOB, CAROL, DAVE, account, assert_unanswered, converse, hang_up, login, picked_up
from tests.peers import sipp, wav
from tests.peers.phone import SERVICE_CODECS, Phone
from tests.peers.service import Service
from tests.peers.talk import talk

pytestmark = pytest.mark.live
ALAW = "PCMA/8000"  # what the service does not carry


def spoken(service: Service, caller: Phone, callee: Phone, number: str) -> str:
    """The codec that a short call uses."""
    calls = callee.incoming_count
    call = caller.call(number)
    heard = callee.incoming(calls + 1)
    picked_up(call, heard)
    names = {str(side.event("media")["codec"]).lower() for side in (call, heard)}
    hang_up(call, heard)
    (name,) = names
    return name


@pytest.mark.parametrize("codec", SERVICE_CODECS)
def test_two_phones_that_would_rather_speak_something_else_hear_each_other_over_each_codec(
    service: Service, codec: str
) -> None:
    # C3
    with (
        service.phone(account(CAROL), codecs=[ALAW, codec]) as carol,
        service.phone(account(DAVE), codecs=[ALAW, codec]) as dave,
    ):
        service.registered(carol, dave)
        dave.answering(200)
        call = carol.call(DAVE)
        heard = dave.incoming()
        converse(service, call, heard, 2.5)
        for side, other in ((call, dave), (heard, carol)):
            assert str(side.event("media")["codec"]).lower() == codec.partition("/")[0].lower()
            assert wav.likeness(side.recording, other.voice) > 0.7


@pytest.mark.parametrize(("caller_mode", "callee_mode"), [(20, 30), (30, 20)])
def test_phones_in_different_ilbc_modes_hear_each_other(service: Service, caller_mode: int, callee_mode: int) -> None:
    # RFC 3952: both use the slower mode; neither phone is told anything else
    with (
        service.phone(account(CAROL), codecs=["iLBC/8000"], ilbc_mode=caller_mode) as carol,
        service.phone(account(DAVE), codecs=["iLBC/8000"], ilbc_mode=callee_mode) as dave,
    ):
        service.registered(carol, dave)
        dave.answering(200)
        call = carol.call(DAVE)
        converse(service, call, dave.incoming(), 2)
        assert wav.likeness(dave.incoming().recording, carol.voice) > 0.7
        assert wav.likeness(call.recording, dave.voice) > 0.7


def test_the_setting_of_either_subscriber_decides_the_codec_of_the_next_call(service: Service) -> None:
    # C3
    codecs = ("PCMU/8000", "speex/8000", "G722/16000", "iLBC/8000")
    with (
        service.phone(account(ALICE), codecs=codecs) as alice,
        service.phone(account(BOB), codecs=codecs) as bob,
    ):
        service.registered(alice, bob)
        bob.answering(200)
        try:
            assert spoken(service, alice, bob, BOB) == "pcmu"
            service.set(ALICE, codecs="wifi")
            assert spoken(service, alice, bob, BOB) == "g722"
            service.set(BOB, codecs="mobile")
            assert spoken(service, alice, bob, BOB) == "ilbc"
        finally:
            service.set(ALICE, codecs="phone")
            service.set(BOB, codecs="phone")


def test_a_phone_with_nothing_in_common_is_refused_and_nobody_is_rung(service: Service) -> None:
    # C3
    with service.phone(account(ALICE), codecs=[ALAW]) as alice, service.phone(account(BOB)) as bob:
        service.registered(alice, bob)
        call = alice.call(BOB)
        assert call.ended()["status"] == 488
        assert_unanswered(service.record(call.call_id), "refused", 488)
        assert bob.incoming_count == 0


@pytest.mark.parametrize("codec", ["GSM/8000", "G722/16000", "PCMU/8000"])
def test_baresip_that_prefers_a_law_speaks_what_the_service_carries(service: Service, codec: str) -> None:
    # C3
    with (
        service.phone(account(BOB), codecs=SERVICE_CODECS) as bob,
        service.baresip(account(ALICE), codec=f"{ALAW},{codec}") as alice,
    ):
        bob.register()
        alice.registered()
        bob.answering(200)
        alice.dial(BOB)
        heard = bob.incoming()
        alice.wait("CALL_ESTABLISHED")
        talk(2)
        heard.hangup()
        heard.ended()
        alice.wait("CALL_CLOSED")
        assert str(heard.event("media")["codec"]).lower() == codec.partition("/")[0].lower()
        assert wav.likeness(heard.recording, alice.voice) > 0.7
        assert wav.likeness(alice.heard(), bob.voice) > 0.7


def test_baresip_with_a_law_only_is_refused(service: Service) -> None:
    # C3
    with service.baresip(account(ALICE), codec=ALAW) as alice:
        alice.registered()
        alice.dial(BOB)
        assert "488" in str(alice.wait("CALL_CLOSED")["param"])


@pytest.mark.parametrize("sound", ["", "m=audio [media_port] RTP/AVP 0\n"])
def test_a_fax_machine_is_refused_alone_and_beside_sound(service: Service, sound: str) -> None:
    # N8
    trace = sipp.run(
        service.folder,
        "refused_caller",
        service=service.address,
        number=BOB,
        status=488,
        streams=f"{sound}m=image [media_port] udptl t38\na=T38FaxVersion:0\na=T38FaxMaxDatagram:400",
        **login(ALICE),
    )
    refusal = sipp.message(trace, "SIP/2.0 488", sent=False)
    assert "no fax" in refusal.header("Reason")
    assert_unanswered(service.record(refusal.header("Call-ID")), "refused", 488)


def test_a_gateway_that_lets_the_phone_offer_hears_it_over_mu_law(service: Service) -> None:
    # C3: the offer is in the 200, the answer in the ACK
    with service.phone(account(BOB), codecs=[ALAW, "PCMU/8000"]) as bob:
        bob.register()
        bob.answering(200)
        voice = wav.write_voice(service.folder / "late-offer.wav", 4, seed=14)
        trace = sipp.run(
            service.folder,
            "trunk_late_offer",
            service=service.address,
            port=service.gateway_port,
            number=BOB,
            play=voice,
            hold=2000,
        )
        offer = sipp.message(trace, "SIP/2.0 200", sent=False)
        assert "PCMU/8000" in offer.text
        assert "PCMA" not in offer.text
        heard = bob.incoming()
        heard.ended()
        assert str(heard.event("media")["codec"]).lower() == "pcmu"
        assert wav.likeness(heard.recording, voice) > 0.9
        assert service.record(offer.header("Call-ID"))["end_cause"] == "caller"
