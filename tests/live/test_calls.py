"""Calls between real telephones, gateways and the service: what is heard, what is refused, what is recorded."""

from __future__ import annotations

from typing import Any

import pytest

from tests.live.wire import ALICE, BOB, CAROL, DAVE, ERIN, account, assert_lasted, assert_unanswered, converse
from tests.peers import sipp, wav
from tests.peers.baresip import Baresip
from tests.peers.phone import SERVICE_CODECS, Phone
from tests.peers.service import Record, Service
from tests.peers.sipp import Sipp
from tests.peers.talk import eventually, talk

pytestmark = pytest.mark.live


def demo_password(number: str) -> str:
    return f"demo-{account(number)}"


def login(number: str) -> dict[str, Any]:
    """SIPp's part of a demo subscriber."""
    return {"user": account(number), "password": demo_password(number)}


def newest(service: Service, **columns: str) -> Record:
    """The last record with these columns."""

    def look() -> Record | None:
        rows = [row for row in service.calls() if row["ended_at"] and columns.items() <= row.items()]
        return rows[-1] if rows else None

    found = eventually(look)
    assert found
    return found


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_two_phones_hear_each_other_and_leave_one_record(service: Service, transport: str) -> None:
    # R1 C1 C4 C8 T1 T2 N2
    with (
        service.phone(account(ALICE), transport=transport) as alice,
        service.phone(account(BOB), codecs=SERVICE_CODECS) as bob,
    ):
        service.registered(alice, bob)
        bob.answering(200, after=0.3)
        call = alice.call(BOB)
        call.wait("ringing")
        heard = bob.incoming()
        record = converse(service, call, heard, 3, by_callee=transport == "tcp")
        assert (record["leg"], record["direction"], record["class"]) == ("outgoing", "outgoing", "on-net")
        assert (record["subscriber"], record["caller"], record["callee"]) == (ALICE, ALICE, BOB)
        assert (record["units"], record["charge_yen"], record["voicemail"]) == ("1", "0", "no")
        assert wav.likeness(heard.recording, alice.voice) > 0.9
        assert wav.likeness(call.recording, bob.voice) > 0.9


@pytest.mark.parametrize("codec", ["speex/8000", "iLBC/8000", "GSM/8000", "G722/16000"])
def test_each_codec_of_the_service_carries_speech(service: Service, codec: str) -> None:
    # C3
    with (
        service.phone(account(CAROL), codecs=[codec]) as carol,
        service.phone(account(DAVE), codecs=SERVICE_CODECS) as dave,
    ):
        service.registered(carol, dave)
        dave.answering(200)
        call = carol.call(DAVE)
        converse(service, call, dave.incoming(), 2.5)
        assert codec.partition("/")[0].lower() in str(call.event("media")["codec"]).lower()
        assert wav.likeness(dave.incoming().recording, carol.voice) > 0.7


def test_sipp_registers_and_calls_a_phone(service: Service) -> None:
    with service.phone(account(BOB)) as bob:
        bob.register()
        bob.answering(200)
        voice = wav.write_voice(service.folder / "sipp-caller.wav", 4, seed=11)
        sipp.run(
            service.folder, "register", service=service.address, user=account(ALICE), password=demo_password(ALICE)
        )
        trace = sipp.run(
            service.folder,
            "caller",
            service=service.address,
            number=BOB,
            play=voice,
            hold=2500,
            **login(ALICE),
        )
        heard = bob.incoming()
        heard.ended()
        bye = next(m for m in trace if m.sent and m.start.startswith("BYE"))
        record = service.record(bye.header("Call-ID"))
        assert_lasted(record, heard.wait("answered")["at"], bye.at)
        assert wav.likeness(heard.recording, voice) > 0.9


def test_a_phone_calls_sipp_which_is_registered_and_hangs_up(service: Service) -> None:
    with service.phone(account(ALICE)) as alice:
        alice.register()
        with Sipp(service.folder, "register", service=service.address, **login(BOB)) as registration:
            registration.finished()
        voice = wav.write_voice(service.folder / "sipp-callee.wav", 4, seed=12)
        with Sipp(service.folder, "callee_hangs_up", port=registration.port, play=voice, hold=2500) as callee:
            call = alice.call(BOB)
            call.ended()
            trace = callee.finished()
        answered = next(m.at for m in trace if m.sent and m.start.startswith("SIP/2.0 200"))
        ended = next(m.at for m in trace if m.sent and m.start.startswith("BYE"))
        record = service.record(call.call_id)
        assert_lasted(record, answered, ended)
        assert record["end_cause"] == "callee"
        assert wav.likeness(call.recording, voice) > 0.9
        sipp.run(service.folder, "register", service=service.address, port=registration.port, expires=0, **login(BOB))


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_baresip_and_a_phone_call_each_other(service: Service, transport: str) -> None:
    with (
        service.phone(account(BOB)) as bob,
        Baresip(
            service.folder, account(ALICE), service=service.address, password=demo_password(ALICE), transport=transport
        ) as alice,
    ):
        bob.register()
        alice.registered()
        bob.answering(200)
        alice.dial(BOB)
        heard = bob.incoming()
        alice.wait("CALL_ESTABLISHED")
        answered = heard.wait("answered")["at"]
        talk(2.5)
        ended = heard.hangup()["at"]
        heard.ended()
        alice.wait("CALL_CLOSED")
        assert_lasted(newest(service, subscriber=ALICE), answered, ended)
        assert wav.likeness(heard.recording, alice.voice) > 0.9
        assert wav.likeness(alice.heard(), bob.voice) > 0.9
        since = alice.log.mark()
        call = bob.call(ALICE)
        call.wait("confirmed")
        alice.wait("CALL_ESTABLISHED", since=since)
        talk(1)
        call.hangup()
        call.ended()
        assert service.record(call.call_id)["end_cause"] == "caller"


def test_a_call_to_the_telephone_network_goes_to_the_gateway_and_costs_8_yen(service: Service) -> None:
    # C1 N3 N7 T1 T2 K1
    with (
        service.phone(account(ALICE)) as alice,
        Sipp(service.folder, "callee", port=service.gateway_port) as gateway,
    ):
        alice.register()
        call = alice.call("03-1234-5678")
        call.wait("confirmed")
        talk(2)
        ended = call.hangup()["at"]
        call.ended()
        trace = gateway.finished()
        invite = next(m for m in trace if not m.sent)
        assert "5050010001" in invite.header("P-Asserted-Identity")
        answered = next(m.at for m in trace if m.sent and m.start.startswith("SIP/2.0 200"))
        record = service.record(call.call_id)
        assert_lasted(record, answered, ended)
        assert (record["leg"], record["class"], record["callee"]) == ("outgoing", "fixed", "0312345678")
        assert (record["units"], record["charge_yen"]) == ("1", "8")
        assert wav.likeness(call.recording, alice.voice) > 0.9  # the gateway sends back what it hears


@pytest.mark.parametrize(
    ("dialled", "number_class", "callee", "yen"),
    [
        ("09012345678", "mobile", "09012345678", "8"),
        ("+81312345678", "fixed", "0312345678", "8"),
        ("05010001234", "partner-050", "05010001234", "0"),
        ("05099991234", "paid-050", "05099991234", "8"),
        ("03177", "fixed", "03177", "8"),  # N5: area code + 177 is allowed
    ],
)
def test_the_class_of_the_number_decides_the_charge(
    service: Service, dialled: str, number_class: str, callee: str, yen: str
) -> None:
    # N4 T2
    with Sipp(service.folder, "callee", port=service.gateway_port) as gateway:
        trace = sipp.run(service.folder, "caller", service=service.address, number=dialled, hold=300, **login(ERIN))
        gateway.finished()
    record = service.record(trace[0].header("Call-ID"))
    assert (record["class"], record["callee"], record["charge_yen"]) == (number_class, callee, yen)


def test_a_call_from_the_gateway_rings_the_subscriber_and_is_free(service: Service) -> None:
    # C1 C2 C8 N7
    with service.phone(account(BOB)) as bob:
        bob.register()
        bob.answering(200)
        voice = wav.write_voice(service.folder / "trunk.wav", 4, seed=13)
        trace = sipp.run(
            service.folder,
            "trunk_caller",
            service=service.address,
            port=service.gateway_port,
            number=BOB,
            play=voice,
            hold=2000,
        )
        heard = bob.incoming()
        heard.ended()
        assert "312345678" in sipp.Seen(0, False, heard.event("incoming")["invite"]).header("From")
        record = service.record(trace[0].header("Call-ID"))
        assert (record["leg"], record["direction"], record["subscriber"]) == ("incoming", "incoming", BOB)
        assert (record["caller"], record["callee"], record["charge_yen"] or "0") == ("0312345678", BOB, "0")
        assert wav.likeness(heard.recording, voice) > 0.9


def test_nobody_but_a_gateway_calls_in_without_a_password(service: Service) -> None:
    # C2: from another port of the same machine the call is an unauthenticated one
    with service.phone(account(BOB)) as bob:
        bob.register()
        with (
            Sipp(service.folder, "trunk_caller", service=service.address, number=BOB) as stranger,
            pytest.raises(AssertionError, match=r"40[137]"),
        ):
            stranger.finished()
        assert bob.incoming_count == 0


def test_a_call_cancelled_while_ringing_leaves_an_unanswered_record(service: Service) -> None:
    with service.phone(account(ALICE)) as alice, service.phone(account(BOB)) as bob:
        service.registered(alice, bob)
        call = alice.call(BOB)
        call.wait("ringing")
        ringing = bob.incoming()
        call.hangup()
        assert call.ended()["status"] == 487
        ringing.ended()
        assert_unanswered(service.record(call.call_id), "cancelled", 487)


def test_sipp_cancels_a_call_to_a_phone_and_a_phone_a_call_to_sipp(service: Service) -> None:
    with service.phone(account(BOB)) as bob:
        bob.register()
        trace = sipp.run(
            service.folder, "cancelling_caller", service=service.address, number=BOB, hold=300, **login(ALICE)
        )
        bob.incoming().ended()
        assert_unanswered(service.record(trace[0].header("Call-ID")), "cancelled", 487)
        with Sipp(service.folder, "ringing_callee", port=service.gateway_port) as gateway:
            call = bob.call("0312345678")
            call.wait("ringing")
            call.hangup()
            assert call.ended()["status"] == 487
            gateway.finished()


def test_busy_and_refused_reach_the_caller_and_the_record(service: Service) -> None:
    service.set(BOB, voicemail="off")
    with service.phone(account(ALICE)) as alice, service.phone(account(BOB)) as bob:
        service.registered(alice, bob)
        bob.answering(486)
        call = alice.call(BOB)
        assert call.ended()["status"] == 486
        assert_unanswered(service.record(call.call_id), "busy", 486)
    with service.phone(account(ALICE)) as alice, Sipp(service.folder, "refusing_callee", port=service.gateway_port):
        alice.register()
        call = alice.call("0312345678")
        assert call.ended()["status"] == 486
        assert_unanswered(service.record(call.call_id), "busy", 486)
    service.set(BOB, voicemail="on")


def test_a_wrong_password_neither_registers_nor_calls(service: Service) -> None:
    # R1 C2
    with service.phone(account(CAROL), password="wrong") as phone:
        phone.register(expect=403)
        assert phone.call(BOB).ended()["status"] == 403
    with service.phone("59999999", password="demo-59999999") as unknown:
        unknown.register(expect=403)
    assert not [row for row in service.calls("--subscriber", CAROL) if row["answered_at"]]


@pytest.mark.parametrize(
    ("dialled", "status"),
    [
        ("110", 403),  # N5 K2
        ("118", 403),
        ("119", 403),
        ("0120123456", 403),
        ("0570123456", 403),
        ("#9110", 403),
        ("0033123456789", 403),
        ("010110", 403),  # N6
        ("0103312345678", 403),  # N6: international is off at first
        ("05050019999", 404),  # on-net, never given
        ("02012345678", 404),  # N4: not in the plan
    ],
)
def test_a_barred_or_unknown_number_is_refused(service: Service, dialled: str, status: int) -> None:
    with service.phone(account(DAVE)) as dave:
        dave.register()
        call = dave.call(dialled.replace("#", "%23"))
        ended = call.ended()
        assert ended["status"] == status
        if status == 403:
            assert "\nReason:" in ended["headers"], ended["headers"]  # N5: says why
        assert_unanswered(service.record(call.call_id), "refused", status)


def test_184_hides_the_number_and_186_shows_it(service: Service) -> None:
    # N3 N7
    with service.phone(account(ALICE)) as alice, service.phone(account(BOB)) as bob:
        service.registered(alice, bob)
        bob.answering(200)
        for count, (prefix, hidden) in enumerate([("184", True), ("186", False), ("", False)], start=1):
            call = alice.call(prefix + BOB)
            call.wait("confirmed")
            call.hangup()
            call.ended()
            invite = sipp.Seen(0, False, bob.incoming(count).event("incoming")["invite"])
            seen = invite.header("From") + invite.header("P-Asserted-Identity") + invite.header("Contact")
            assert ("5001" in seen) is not hidden, invite.text
            assert ("anonymous" in invite.header("From").lower()) is hidden
            assert ("id" in invite.header("Privacy")) is hidden
            record = service.record(call.call_id)
            assert (record["caller"], record["callee"]) == (ALICE, BOB)  # the record knows both


def test_184_towards_the_gateway_asks_for_privacy_and_still_asserts_the_number(service: Service) -> None:
    # N7: RFC 3325 §9.1 towards a trusted gateway
    with service.phone(account(ALICE)) as alice, Sipp(service.folder, "callee", port=service.gateway_port) as gateway:
        alice.register()
        call = alice.call("1840312345678")
        call.wait("confirmed")
        call.hangup()
        call.ended()
        invite = next(m for m in gateway.finished() if not m.sent)
        assert "anonymous" in invite.header("From").lower()
        assert "5001" not in invite.header("From") + invite.header("Contact")
        assert invite.header("Privacy") == "id"
        assert "5050010001" in invite.header("P-Asserted-Identity")


def test_an_incoming_call_without_a_number_shows_anonymous(service: Service) -> None:
    # N7 B4
    with service.phone(account(BOB)) as bob:
        bob.register()
        bob.answering(200)
        sipp.run(
            service.folder,
            "trunk_caller",
            service=service.address,
            port=service.gateway_port,
            number=BOB,
            hold=200,
            from_='"Anonymous" <sip:anonymous@anonymous.invalid>',
            identity="Privacy: id",
        )
        invite = sipp.Seen(0, False, bob.incoming().event("incoming")["invite"])
        assert "Anonymous" in invite.header("From")


def test_the_device_that_registered_last_rings(service: Service) -> None:
    # R2
    with (
        service.phone(account(ALICE)) as alice,
        service.phone(account(BOB)) as old,
        service.phone(account(BOB)) as new,
    ):
        service.registered(alice, old, new)
        old.answering(200)
        new.answering(200)

        def call_reaches(phone: Phone, other: Phone) -> None:
            before, elsewhere = phone.incoming_count, other.incoming_count
            call = alice.call(BOB)
            call.wait("confirmed")
            call.hangup()
            call.ended()
            assert (phone.incoming_count, other.incoming_count) == (before + 1, elsewhere)

        call_reaches(new, old)
        old.register()  # a refresh counts as registering
        call_reaches(old, new)
        old.unregister()
        call_reaches(new, old)
        assert old.call(ALICE).wait("ringing")  # each device can call out


def test_a_regenerated_sip_password_works_at_once_and_the_old_one_stops(own_service: Service) -> None:
    # N2
    with own_service as service, service.phone(account(ERIN)) as erin:
        erin.register()
        service.cli("subscriber", "set", ERIN, "sip_password=generate")
        assert erin.call(BOB).ended()["status"] == 403
