"""The service is killed in the middle of calls and comes back: no record lost, none doubled, none too long."""

from __future__ import annotations

import time

import pytest

from tests.live.test_records import Answered, end, only_record, raw_peer
from tests.live.wire import ALICE, BOB, CAROL, account, assert_lasted, hang_up, instant, picked_up
from tests.peers.service import Service
from tests.peers.talk import eventually, talk

pytestmark = pytest.mark.live


def test_calls_that_outlive_the_service_end_with_their_full_length(own_service: Service) -> None:
    with (
        own_service as service,
        service.phone(account(ALICE)) as alice,
        service.phone(account(BOB)) as bob,
        service.phone(account(CAROL)) as carol,
    ):
        service.registered(alice, bob, carol)
        bob.answering(200)
        carol.answering(200)
        calls = [alice.call(BOB), alice.call(CAROL), bob.call(CAROL)]
        for call in calls:
            call.wait("confirmed")
        callees = {callee.call_id: callee for callee in (bob.incoming(1), carol.incoming(1), carol.incoming(2))}
        assert set(callees) == {call.call_id for call in calls}
        talk(1)
        service.kill()
        talk(0.5)
        assert service.start() < 5
        talk(0.5)
        assert {row["call_id"] for row in service.active()} == set(callees)
        for call in calls:
            callee = callees[call.call_id]
            answered, ended = picked_up(call, callee), hang_up(call, callee)
            record = only_record(service, call.call_id)
            assert_lasted(record, answered, ended)
            assert record["end_cause"] == "caller"
        assert len(service.calls()) == 3


def test_registrations_survive_a_kill(own_service: Service) -> None:
    with own_service as service, service.phone(account(ALICE)) as alice, service.phone(account(BOB)) as bob:
        service.registered(alice, bob)
        bob.answering(200)
        service.kill()
        service.start()
        call = alice.call(BOB)
        call.wait("confirmed")  # nobody registered again
        call.hangup()
        call.ended()
        assert bob.incoming_count == 1


def test_a_password_proof_from_before_the_kill_is_still_good(own_service: Service) -> None:
    """A restart asks nobody for a new challenge: nonces outlive the process."""
    with own_service as service, raw_peer(service, ALICE) as alice:
        uri = f"sip:{alice.domain}"
        own = f"<sip:{alice.user}@{alice.domain}>"
        headers = [f"From: {own};tag=r", f"To: {own}", "Call-ID: before-and-after", f"Contact: {alice.contact}"]
        alice.send_bytes(alice.request("REGISTER", uri, [*headers, "CSeq: 1 REGISTER"]))
        challenge = alice.expect(401).get("www-authenticate")
        service.kill()
        service.start()
        proof = f"Authorization: {alice.credentials(challenge, 'REGISTER', uri)}"
        alice.send_bytes(alice.request("REGISTER", uri, [*headers, "CSeq: 2 REGISTER", proof]))
        alice.expect(200)


def test_a_call_that_ended_while_the_service_was_down_ends_at_its_last_proof_of_life(own_service: Service) -> None:
    # C5: never later than it was known to be alive
    own_service.settings["sip__probe_interval"] = "5"
    with own_service as service, raw_peer(service, ALICE) as alice, raw_peer(service, BOB) as bob:
        bob.register()
        call = Answered(alice, bob)
        alice.ack(call.dialog)
        bob.expect("ACK")
        talk(1)
        killed = service.kill()
        hung_up = time.time()
        alice.bye(call.dialog)  # nobody is there to hear it
        talk(0.5)
        service.start()

        def closed() -> bool:
            for peer in (alice, bob):  # neither knows of a call any more
                for question in peer.requests(0.2):
                    peer.answer(question, 481, "Call/Transaction Does Not Exist")
            return bool([row for row in service.calls() if row["ended_at"]])

        eventually(closed, 60)
        record = only_record(service, call.dialog.call_id)
        ended = instant(record["ended_at"])
        assert call.at.sent - 0.01 <= ended <= max(killed, hung_up) + 0.05
        assert int(record["duration_ms"]) <= (hung_up - call.at.sent) * 1000 + 50
        assert record["end_cause"] == "lost"


def test_a_call_goes_on_through_a_kill_even_when_it_has_just_been_answered(own_service: Service) -> None:
    """The record comes first: a caller that has heard the 200 finds the call in the journal."""
    with own_service as service, raw_peer(service, ALICE) as alice, raw_peer(service, BOB) as bob:
        bob.register()
        call = Answered(alice, bob)
        service.kill()
        service.start()
        alice.ack(call.dialog)
        bob.expect("ACK")
        ended = end(alice, bob, call)
        assert_lasted(only_record(service, call.dialog.call_id), call.at, ended)


def test_sigterm_ends_the_service_cleanly_and_keeps_calls_in_progress(own_service: Service) -> None:
    with own_service as service, raw_peer(service, ALICE) as alice, raw_peer(service, BOB) as bob:
        bob.register()
        call = Answered(alice, bob)
        alice.ack(call.dialog)
        bob.expect("ACK")
        assert service.stop() == 0
        service.start()
        ended = end(alice, bob, call)
        assert_lasted(only_record(service, call.dialog.call_id), call.at, ended)
