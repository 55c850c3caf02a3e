"""Forwarding between real telephones and a gateway: who rings, what is heard, two records, what each costs (F1-F5)."""

from __future__ import annotations

import csv
import io
import json
import time
from pathlib import Path

import pytest

from tests.live.wire import (
    ALICE,
    BOB,
    CAROL,
    DAVE,
    Moment,
    account,
    assert_lasted,
    assert_unanswered,
    hang_up,
    picked_up,
)
from tests.peers import sipp, wav
from tests.peers.service import Record, Service
from tests.peers.sipp import Sipp
from tests.peers.talk import talk

pytestmark = pytest.mark.live
FIXED = "0312345678"


def both(service: Service, call_id: str) -> tuple[Record, Record]:
    """The two records of a forwarded call: the caller's and the forwarder's."""
    rows = service.records(call_id, 2)
    assert [row["leg"] == "forwarded" for row in rows] == [False, True], rows
    first, second = rows
    for column in ("call_id", "answered_at", "ended_at", "duration_ms", "end_cause", "sip_status"):
        assert first[column] == second[column], rows
    assert (first["forwarded_by"], second["forwarded_by"]) == ("", BOB)
    assert (first["callee"], second["subscriber"], second["direction"]) == (BOB, BOB, "outgoing")
    return first, second


@pytest.fixture
def forwarding(service: Service) -> Service:
    """Nobody forwards."""
    for number in (ALICE, BOB, CAROL):
        service.set(number, forward="off", voicemail="off", ring_time=20)
    return service


def test_unconditional_forwarding_rings_the_other_phone_and_both_hear_each_other(forwarding: Service) -> None:
    # F1 F4 F5: in force when the command returns
    service = forwarding
    with (
        service.phone(account(ALICE)) as alice,
        service.phone(account(BOB)) as bob,
        service.phone(account(CAROL)) as carol,
    ):
        service.registered(alice, bob, carol)
        bob.answering(200)
        carol.answering(200, after=0.3)
        service.set(BOB, forward=f"always:{CAROL}")
        call = alice.call(BOB)
        heard = carol.incoming()
        answered = picked_up(call, heard)
        talk(3)
        ended = hang_up(heard, call)
        assert bob.incoming_count == 0
        first, second = both(service, call.call_id)
        for record in (first, second):
            assert_lasted(record, answered, ended)
            assert record["charge_yen"] == "0"  # free is free (F4, T2)
        assert (first["leg"], first["subscriber"], second["callee"]) == ("outgoing", ALICE, CAROL)
        assert (second["class"], second["end_cause"]) == ("on-net", "callee")
        assert wav.likeness(heard.recording, alice.voice) > 0.9
        assert wav.likeness(call.recording, carol.voice) > 0.9
        invite = sipp.Seen(0, False, heard.event("incoming")["invite"])
        assert account(ALICE) in invite.header("From")  # N7
        assert "reason=unconditional" in invite.header("Diversion")  # K1
        service.cli("forward", "stop", BOB)  # F5: the operator; at once, and the subscriber is told
        (notice,) = json.loads(service.cli("notices", "list", "--number", BOB, "--json"))
        assert (notice["kind"], notice["state"]) == ("forwarding", "given")
        service.cli("subscriber", "set", BOB, f"forward=always:{CAROL}", expect=1)
        service.cli("forward", "allow", BOB, CAROL)
        call = alice.call(BOB)
        call.wait("confirmed")
        call.hangup()
        call.ended()
        assert (bob.incoming_count, carol.incoming_count) == (1, 1)


def test_a_busy_phone_s_calls_go_to_the_gateway_and_the_forwarder_pays(forwarding: Service) -> None:
    # F1 F4 K1 T1
    service = forwarding
    with (
        service.phone(account(ALICE)) as alice,
        service.phone(account(BOB)) as bob,
        Sipp(service.folder, "callee", port=service.gateway_port) as gateway,
    ):
        service.registered(alice, bob)
        bob.answering(486)
        service.set(BOB, forward=f"noanswer:{FIXED}")
        call = alice.call(BOB)
        call.wait("confirmed")
        talk(1)
        hung_up = call.hangup()["at"]
        call.ended()
        seen = gateway.finished()
        invite = next(m for m in seen if not m.sent)
        assert invite.start.startswith("INVITE sip:+81312345678@")
        assert "5050010001" in invite.header("P-Asserted-Identity")  # the caller's, K1
        assert "5050010002" in invite.header("Diversion")
        assert "reason=user-busy" in invite.header("Diversion")
        assert "cause=486" in invite.header("History-Info")
        answer = sipp.message(seen, "SIP/2.0 200", sent=True).at
        bye = sipp.message(seen, "BYE", sent=False).at
        first, second = both(service, call.call_id)
        for record in (first, second):
            assert_lasted(record, Moment(answer, call.wait("confirmed")["at"]), Moment(hung_up, bye))
        assert (first["class"], first["charge_yen"]) == ("on-net", "0")  # C8: the caller's call is free
        assert (second["class"], second["units"], second["charge_yen"]) == ("fixed", "1", "8")
        assert (second["caller"], second["callee"]) == (ALICE, FIXED)


def test_a_phone_that_nobody_picks_up_is_forwarded_after_the_ring_time(forwarding: Service) -> None:
    # F1
    service = forwarding
    with (
        service.phone(account(ALICE)) as alice,
        service.phone(account(BOB)) as bob,
        service.phone(account(CAROL)) as carol,
    ):
        service.registered(alice, bob, carol)
        bob.answering(180)
        carol.answering(200)
        service.set(BOB, forward=f"noanswer:{CAROL}", ring_time=5)
        begun = time.time()
        call = alice.call(BOB)
        at = carol.incoming(timeout=12).wait("answered")["at"]
        assert 4.8 < at - begun < 8
        assert bob.incoming().ended()["at"] >= at - 2
        call.wait("confirmed")
        hang_up(call, carol.incoming())
        both(service, call.call_id)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_baresip_is_told_of_the_forwarding_and_not_where_to_and_hangs_up(forwarding: Service, transport: str) -> None:
    # F4: the Contact that the caller has is ours, and its BYE finds the target all the same
    service = forwarding
    with (
        service.phone(account(CAROL)) as carol,
        service.baresip(account(ALICE), transport=transport) as alice,
    ):
        carol.register()
        alice.registered()
        carol.answering(200)
        service.set(BOB, forward=f"always:{CAROL}")
        alice.dial(BOB)
        heard = carol.incoming()
        call_id = sipp.Seen(0, False, heard.event("incoming")["invite"]).header("Call-ID")
        alice.wait("CALL_ESTABLISHED")
        talk(2)
        alice.hangup()
        heard.ended()
        assert wav.likeness(heard.recording, alice.voice) > 0.6  # another voice: below 0.4
        first, _ = both(service, call_id)
        assert first["end_cause"] == "caller"
        ladder = service.cli("trace", call_id)
        assert "181" in ladder


def test_a_call_from_the_network_to_a_number_without_a_phone_is_forwarded_at_once(forwarding: Service) -> None:
    # F1 R3 C8
    service = forwarding
    with service.phone(account(CAROL)) as carol:
        carol.register()
        carol.answering(200)
        service.set(BOB, forward=f"noanswer:{CAROL}")
        seen = sipp.run(
            service.folder, "trunk_caller", service=service.address, port=service.gateway_port, number=BOB, hold=600
        )
        assert any(m.start.startswith("SIP/2.0 181") for m in seen if not m.sent)
        invite = next(m for m in seen if m.sent)
        first, second = both(service, invite.header("Call-ID"))
        assert (first["leg"], first["direction"], first["subscriber"]) == ("incoming", "incoming", BOB)
        assert (second["caller"], second["callee"], second["charge_yen"]) == (FIXED, CAROL, "0")


def test_circles_end_with_480_at_once_and_nobody_s_phone_rings(forwarding: Service) -> None:
    # F3
    service = forwarding
    with service.phone(account(ALICE)) as alice, service.phone(account(BOB)) as bob:
        service.registered(alice, bob)
        alice.answering(200)
        service.set(BOB, forward=f"always:{ALICE}")
        begun = time.time()
        call = alice.call(BOB)
        assert call.ended()["status"] == 480
        assert time.time() - begun < 2
        assert (alice.incoming_count, bob.incoming_count) == (0, 0)
        rows = service.records(call.call_id, 2)
        assert_unanswered(rows[0], "refused", 480)
        assert_unanswered(rows[1], "refused", 480)


def test_the_voicemail_of_the_number_forwarded_to_takes_the_message(forwarding: Service) -> None:
    # V1: the target's own rules
    service = forwarding
    service.set(DAVE, voicemail="on")
    service.set(BOB, forward=f"always:{DAVE}")
    with service.phone(account(ALICE)) as alice:
        alice.register()
        call = alice.call(BOB)
        call.wait("confirmed")
        talk(1)
        call.hangup()
        call.ended()
        first, second = both(service, call.call_id)
        assert (first["voicemail"], second["voicemail"]) == ("yes", "yes")


def test_a_kill_in_the_middle_of_a_forwarded_call_leaves_both_records_right(
    own_service: Service, tmp_path: Path
) -> None:
    # F4 C4
    with (
        own_service as service,
        service.phone(account(ALICE)) as alice,
        Sipp(tmp_path, "callee", port=service.gateway_port) as gateway,
    ):
        alice.register()
        service.set(BOB, forward=f"always:{FIXED}")
        call = alice.call(BOB)
        call.wait("confirmed")
        talk(0.7)
        service.kill()
        talk(0.3)
        service.start()
        assert sorted(row["leg"] for row in service.active()) == ["forwarded", "outgoing"]
        talk(0.3)
        hung_up = call.hangup()["at"]
        call.ended()
        seen = gateway.finished()
        answer = sipp.message(seen, "SIP/2.0 200", sent=True).at
        bye = sipp.message(seen, "BYE", sent=False).at
        first, second = both(service, call.call_id)
        for record in (first, second):
            assert_lasted(record, Moment(answer, call.wait("confirmed")["at"]), Moment(hung_up, bye))
        assert (first["charge_yen"], second["charge_yen"]) == ("0", "8")
        service.cli("export", "month", second["answered_at"][:7], "--out", str(tmp_path / "month"))
        file = tmp_path / "month" / f"denwa-{second['answered_at'][:7]}.csv"
        billed = {row["subscriber"]: row for row in csv.DictReader(io.StringIO(file.read_text(encoding="utf-8")))}
        assert (billed[BOB]["calls"], billed[BOB]["fixed_yen"]) == ("1", "8")  # who forwards is charged
        assert billed[ALICE]["fixed_yen"] == "0"
