"""Whatever is lost, doubled or crosses on the wire: one record, and it says what the wire said. Raw SIP peers."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.live.wire import ALICE, BOB, Moment, account, assert_lasted, assert_unanswered
from tests.peers.raw import Dialog, RawPeer
from tests.peers.service import Record, Service
from tests.peers.talk import talk

pytestmark = pytest.mark.live


def raw_peer(service: Service, number: str) -> RawPeer:
    return RawPeer(service.address, account(number), f"demo-{account(number)}")


@pytest.fixture
def alice(service: Service) -> Iterator[RawPeer]:
    with raw_peer(service, ALICE) as peer:
        yield peer


@pytest.fixture
def bob(service: Service) -> Iterator[RawPeer]:
    with raw_peer(service, BOB) as peer:
        peer.register()
        yield peer
        peer.register(expires=0)


class Answered:
    """A call from alice to bob whose 200 has been sent by bob and has come to alice; no ACK yet."""

    def __init__(self, alice: RawPeer, bob: RawPeer) -> None:
        self.dialog = alice.invite(BOB)
        self.invite = bob.expect("INVITE")
        bob.answer(self.invite, 180, "Ringing", tag="b")
        alice.expect(180)
        sent = time.time()
        self.ok = bob.answer(self.invite, 200, "OK", tag="b", body=bob.sdp())
        self.answer = alice.expect(200)
        self.at = Moment(sent, self.answer.at)
        self.callee: Dialog = bob.accepted(self.invite, "b")
        alice.established(self.dialog, self.answer)


def only_record(service: Service, call_id: str) -> Record:
    """The one record; asked for twice, so that a second one written late is seen."""
    record = service.record(call_id)
    assert [row for row in service.calls() if row["call_id"] == call_id] == [record]
    return record


def end(alice: RawPeer, bob: RawPeer, call: Answered) -> Moment:
    """Alice hangs up, Bob agrees. Returns the time of the BYE."""
    sent = time.time()
    alice.bye(call.dialog)
    bye = bob.expect("BYE")
    bob.answer(bye, 200, "OK")
    alice.expect(200, "BYE")
    return Moment(sent, bye.at)


def test_an_ordinary_call_of_two_raw_peers(service: Service, alice: RawPeer, bob: RawPeer) -> None:
    call = Answered(alice, bob)
    alice.ack(call.dialog)
    ack = bob.expect("ACK")
    assert ack.all("route") == []  # the service takes its own Route off
    talk(0.4)
    ended = end(alice, bob, call)
    assert_lasted(only_record(service, call.dialog.call_id), call.at, ended)


def test_a_lost_200_that_is_sent_again_counts_once_from_the_first(
    service: Service, alice: RawPeer, bob: RawPeer
) -> None:
    # C4: the moment the service saw the call answered
    call = Answered(alice, bob)  # alice does as if the 200 had not come
    for wait in (0.5, 1.0):
        talk(wait)
        bob.send_bytes(call.ok, call.invite.source)
        alice.expect(200, "INVITE")
    alice.ack(call.dialog)
    bob.expect("ACK")
    talk(0.3)
    ended = end(alice, bob, call)
    assert_lasted(only_record(service, call.dialog.call_id), call.at, ended)


def test_a_lost_ack_is_asked_for_again_and_counts_once(service: Service, alice: RawPeer, bob: RawPeer) -> None:
    call = Answered(alice, bob)
    alice.ack(call.dialog)
    bob.expect("ACK")  # bob does as if it had not come
    talk(0.5)
    bob.send_bytes(call.ok, call.invite.source)
    alice.expect(200, "INVITE")
    alice.ack(call.dialog)
    bob.expect("ACK")
    talk(0.3)
    ended = end(alice, bob, call)
    assert_lasted(only_record(service, call.dialog.call_id), call.at, ended)


def test_a_bye_sent_twice_ends_the_call_once_at_the_first(service: Service, alice: RawPeer, bob: RawPeer) -> None:
    call = Answered(alice, bob)
    alice.ack(call.dialog)
    bob.expect("ACK")
    talk(0.4)
    sent = time.time()
    bye = alice.bye(call.dialog)
    alice.send_bytes(bye)
    seen = bob.expect("BYE")
    bob.answer(seen, 200, "OK")
    alice.expect(200, "BYE")
    talk(0.3)
    alice.send_bytes(bye)  # its 200 was lost: the transaction answers again
    alice.expect(200, "BYE")
    record = only_record(service, call.dialog.call_id)
    assert_lasted(record, call.at, Moment(sent, seen.at))
    assert record["end_cause"] == "caller"


def test_byes_from_both_sides_at_once_leave_one_record(service: Service, alice: RawPeer, bob: RawPeer) -> None:
    call = Answered(alice, bob)
    alice.ack(call.dialog)
    bob.expect("ACK")
    talk(0.4)
    sent = time.time()
    alice.bye(call.dialog)
    bob.bye(call.callee)
    byes = {peer: peer.expect("BYE") for peer in (alice, bob)}
    for peer, bye in byes.items():
        peer.answer(bye, 200, "OK")
    for peer in (alice, bob):
        peer.expect(200, "BYE")
    seen = max(bye.at for bye in byes.values())
    assert_lasted(only_record(service, call.dialog.call_id), call.at, Moment(sent, seen))


@pytest.mark.parametrize("cancel_is_first", [True, False])
def test_a_cancel_that_crosses_the_200_leaves_an_answered_record(
    service: Service, alice: RawPeer, bob: RawPeer, cancel_is_first: bool
) -> None:
    """RFC 3261 §9.1: a CANCEL that comes too late has no effect; the caller gets the 200, and ends with ACK and BYE."""
    dialog = alice.invite(BOB)
    invite = bob.expect("INVITE")
    bob.answer(invite, 180, "Ringing", tag="b")
    alice.expect(180)
    if cancel_is_first:
        alice.cancel(dialog)
        cancel = bob.expect("CANCEL")  # on its way while bob picks up
    picked_up = time.time()
    bob.answer(invite, 200, "OK", tag="b", body=bob.sdp())
    if cancel_is_first:
        bob.answer(cancel, 481, "Call/Transaction Does Not Exist")
    else:
        alice.cancel(dialog)
    answer = alice.expect(200, "INVITE")
    alice.established(dialog, answer)
    alice.ack(dialog)
    bob.expect("ACK")
    talk(0.3)
    hung_up = time.time()
    alice.bye(dialog)
    bye = bob.expect("BYE")
    bob.answer(bye, 200, "OK")
    alice.expect(200, "BYE")
    record = only_record(service, dialog.call_id)
    assert_lasted(record, Moment(picked_up, answer.at), Moment(hung_up, bye.at))


def test_a_repeated_invite_rings_once(service: Service, alice: RawPeer, bob: RawPeer) -> None:
    dialog = alice.invite(BOB)
    alice.send_bytes(alice.last_sent)
    invite = bob.expect("INVITE")
    bob.answer(invite, 100, "Trying")  # so that the service has no reason of its own to repeat it
    bob.expect_silence(0.4)
    bob.answer(invite, 180, "Ringing", tag="b")
    alice.expect(180)
    alice.cancel(dialog)
    bob.answer(bob.expect("CANCEL"), 200, "OK", tag="b")
    bob.answer(invite, 487, "Request Terminated", tag="b")
    alice.expect(487, "INVITE")
    assert_unanswered(only_record(service, dialog.call_id), "cancelled", 487)


def test_a_bye_that_is_answered_late_ends_the_call_with_its_own_time(
    service: Service, alice: RawPeer, bob: RawPeer
) -> None:
    call = Answered(alice, bob)
    alice.ack(call.dialog)
    bob.expect("ACK")
    talk(0.3)
    sent = time.time()
    alice.bye(call.dialog)
    bye = bob.expect("BYE")
    talk(1)
    assert [row["call_id"] for row in service.active()] == [call.dialog.call_id]  # a BYE alone ends nothing
    bob.answer(bye, 200, "OK")
    assert_lasted(only_record(service, call.dialog.call_id), call.at, Moment(sent, bye.at))
