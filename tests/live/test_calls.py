"""Calls between real telephones, gateways and the service: what is heard, what is refused, what is recorded."""

from __future__ import annotations

import pytest

from tests.live.wire import ALICE, BOB, Moment, account, assert_lasted, assert_unanswered, converse, login
from tests.peers import sipp, wav
from tests.peers.phone import SERVICE_CODECS
from tests.peers.service import Record, Service
from tests.peers.sipp import Sipp
from tests.peers.talk import eventually, talk

pytestmark = pytest.mark.live


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


def test_sipp_registers_and_calls_a_phone(service: Service) -> None:
    with service.phone(account(BOB)) as bob:
        bob.register()
        bob.answering(200)
        voice = wav.write_voice(service.folder / "sipp-caller.wav", 4, seed=11)
        sipp.run(
            service.folder,
            "register",
            service=service.address,
            user=account(ALICE),
            password=str(login(ALICE)["password"]),
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
        bye = sipp.message(trace, "BYE", sent=True)
        record = service.record(bye.header("Call-ID"))
        answer = sipp.message(trace, "SIP/2.0 200", sent=False)
        picked_up = Moment(heard.event("answer")["at"], answer.at)
        assert_lasted(record, picked_up, Moment(bye.at, heard.ended()["at"]))
        assert wav.likeness(heard.recording, voice) > 0.9


def test_a_phone_calls_sipp_which_is_registered_and_hangs_up(service: Service) -> None:
    with service.phone(account(ALICE)) as alice:
        alice.register()
        with Sipp(service.folder, "register", service=service.address, **login(BOB)) as registration:
            registration.finished()
        voice = wav.write_voice(service.folder / "sipp-callee.wav", 4, seed=12)
        with Sipp(service.folder, "callee_hangs_up", port=registration.port, play=voice, hold=2500) as callee:
            call = alice.call(BOB)
            ended = call.ended()["at"]
            trace = callee.finished()
        answered = sipp.message(trace, "SIP/2.0 200", sent=True).at
        bye = sipp.message(trace, "BYE", sent=True).at
        record = service.record(call.call_id)
        assert_lasted(record, Moment(answered, call.wait("confirmed")["at"]), Moment(bye, ended))
        assert record["end_cause"] == "callee"
        assert wav.likeness(call.recording, voice) > 0.9
        sipp.run(service.folder, "register", service=service.address, port=registration.port, expires=0, **login(BOB))


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_baresip_and_a_phone_call_each_other(service: Service, transport: str) -> None:
    with (
        service.phone(account(BOB)) as bob,
        service.baresip(account(ALICE), transport=transport) as alice,
    ):
        bob.register()
        alice.registered()
        bob.answering(200)
        alice.dial(BOB)
        heard = bob.incoming()
        answered = Moment(heard.event("answer")["at"], alice.wait("CALL_ESTABLISHED")["at"])
        talk(2.5)
        hung_up = heard.hangup()["at"]
        heard.ended()
        ended = Moment(hung_up, alice.wait("CALL_CLOSED")["at"])
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
        confirmed = call.wait("confirmed")["at"]
        talk(2)
        hung_up = call.hangup()["at"]
        call.ended()
        trace = gateway.finished()
        invite = next(m for m in trace if not m.sent)
        assert "5050010001" in invite.header("P-Asserted-Identity")
        answered = sipp.message(trace, "SIP/2.0 200", sent=True).at
        bye = sipp.message(trace, "BYE", sent=False).at
        record = service.record(call.call_id)
        assert_lasted(record, Moment(answered, confirmed), Moment(hung_up, bye))
        assert (record["leg"], record["class"], record["callee"]) == ("outgoing", "fixed", "0312345678")
        assert (record["units"], record["charge_yen"]) == ("1", "8")
        assert wav.likeness(call.recording, alice.voice) > 0.9  # the gateway sends back what it hears


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
    with (
        service.phone(account(ALICE)) as alice,
        Sipp(service.folder, "refusing_callee", port=service.gateway_port, status=486),
    ):
        alice.register()
        call = alice.call("0312345678")
        assert call.ended()["status"] == 486
        assert_unanswered(service.record(call.call_id), "busy", 486)
    service.set(BOB, voicemail="on")
