"""How calls end besides hanging up: real phones, and raw peers that refuse a BYE or speak in others' calls."""

from __future__ import annotations

import socket
import time

import pytest

from tests.live.test_records import Answered, end, only_record, raw_peer
from tests.live.wire import ALICE, BOB, CAROL, Moment, account, assert_lasted, instant, picked_up
from tests.peers.phone import Phone, PhoneCall
from tests.peers.raw import Message
from tests.peers.service import Record, Service
from tests.peers.talk import eventually, talk

pytestmark = pytest.mark.live


def up(caller: Phone, number: str) -> PhoneCall:
    call = caller.call(number)
    call.wait("confirmed")
    return call


def assert_cut(service: Service, caller: PhoneCall, callee: PhoneCall) -> Record:
    """Both phones were hung up, and the record ends as they saw it."""
    answered = picked_up(caller, callee)
    seen = sorted((caller.ended()["at"], callee.ended()["at"]))
    record = only_record(service, caller.call_id)
    assert record["end_cause"] == "service"
    assert instant(record["answered_at"]) <= answered.seen + 0.05
    assert seen[0] - 0.5 <= instant(record["ended_at"]) <= seen[0] + 0.05
    return record


def test_the_operator_ends_a_call_for_both_phones(service: Service) -> None:
    # O1
    with service.phone(account(ALICE)) as alice, service.phone(account(BOB)) as bob:
        service.registered(alice, bob)
        bob.answering(200)
        call = up(alice, BOB)
        assert "切断しました" in service.cli("calls", "cut", call.call_id)
        assert_cut(service, call, bob.incoming())
        service.cli("calls", "cut", call.call_id, expect=1)  # it is over


def test_a_new_password_a_suspension_and_the_end_of_the_contract_end_calls_that_are_up(own_service: Service) -> None:
    # N2 L2
    with (
        own_service as service,
        service.phone(account(ALICE)) as alice,
        service.phone(account(BOB)) as bob,
        service.phone(account(CAROL)) as carol,
    ):
        service.registered(alice, bob, carol)
        bob.answering(200)
        alice.answering(200)
        first = up(alice, BOB)
        service.cli("subscriber", "suspend", BOB)  # the called one: no outgoing calls, but this is none
        service.cli("subscriber", "suspend", ALICE)
        assert_cut(service, first, bob.incoming(1))
        service.cli("subscriber", "resume", BOB)
        second = up(bob, ALICE)
        service.set(BOB, sip_password="generate")  # a lost phone
        assert_cut(service, second, alice.incoming(1))
        assert bob.call(ALICE).ended()["status"] in (403, 407)
        third = up(carol, ALICE)
        service.cli("subscriber", "terminate", CAROL)
        assert_cut(service, third, alice.incoming(2))


def test_a_call_is_ended_when_it_is_as_long_as_a_call_may_be(own_service: Service) -> None:
    # C6
    own_service.settings["limits__call_seconds"] = "2"
    with own_service as service, service.phone(account(ALICE)) as alice, service.phone(account(BOB)) as bob:
        service.registered(alice, bob)
        bob.answering(200)
        call = up(alice, BOB)
        record = assert_cut(service, call, bob.incoming())
        assert 2000 <= int(record["duration_ms"]) <= 2700


def test_a_bye_that_the_far_end_refuses_ends_nothing(service: Service) -> None:
    # C4: the record follows the call
    with raw_peer(service, ALICE) as alice, raw_peer(service, BOB) as bob:
        bob.register()
        call = Answered(alice, bob)
        alice.ack(call.dialog)
        bob.expect("ACK")
        alice.bye(call.dialog)
        bob.answer(bob.expect("BYE"), 500, "Server Internal Error")
        alice.expect(500, "BYE")
        for peer in (alice, bob):  # both are asked whether they are still there
            peer.answer(peer.expect("OPTIONS"), 200, "OK")
        assert [row["call_id"] for row in service.active()] == [call.dialog.call_id]
        talk(0.5)
        ended = end(alice, bob, call)
        assert_lasted(only_record(service, call.dialog.call_id), call.at, ended)


def test_who_only_knows_call_id_and_tags_ends_no_call(service: Service) -> None:
    # C2
    with (
        raw_peer(service, ALICE) as alice,
        raw_peer(service, BOB) as bob,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as elsewhere,
    ):
        bob.register()
        call = Answered(alice, bob)
        alice.ack(call.dialog)
        bob.expect("ACK")
        elsewhere.bind(("127.0.0.2", 0))
        elsewhere.settimeout(5)
        call.dialog.cseq += 1
        headers = alice._dialog_headers(call.dialog, "BYE")
        forged = alice.request("BYE", call.dialog.target, headers)
        elsewhere.sendto(forged, alice.service)
        answer = Message.parse(*elsewhere.recvfrom(65535))
        assert answer.status == 407
        bob.expect_silence(0.3)
        assert [row["call_id"] for row in service.active()] == [call.dialog.call_id]
        # The subscriber itself, from another network: with the password it may.
        uri = call.dialog.target
        proof = f"Proxy-Authorization: {alice.credentials(answer.get('proxy-authenticate'), 'BYE', uri)}"
        sent = time.time()
        elsewhere.sendto(alice.request("BYE", uri, [*headers, proof]), alice.service)
        bye = bob.expect("BYE")
        bob.answer(bye, 200, "OK")
        assert Message.parse(*elsewhere.recvfrom(65535)).status == 200
        assert_lasted(only_record(service, call.dialog.call_id), call.at, Moment(sent, bye.at))


def test_a_kill_while_a_bye_waits_for_its_answer_ends_the_record_with_the_bye(own_service: Service) -> None:
    # C4: 0 longer than the wire
    with own_service as service, raw_peer(service, ALICE) as alice, raw_peer(service, BOB) as bob:
        bob.register()
        call = Answered(alice, bob)
        alice.ack(call.dialog)
        bob.expect("ACK")
        talk(0.5)
        sent = time.time()
        alice.bye(call.dialog)
        bye = bob.expect("BYE")  # and does not answer
        talk(0.6)
        service.kill()
        service.start()
        eventually(lambda: [row for row in service.calls() if row["ended_at"]], 10)
        record = only_record(service, call.dialog.call_id)
        assert record["end_cause"] == "caller"
        assert_lasted(record, call.at, Moment(sent, bye.at))
