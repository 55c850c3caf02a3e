"""The embedded relay itself: rtp.io in this process, real packets through real sockets."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from denwa.voip.media.relay import Crossing, StreamEnd
from denwa.voip.media.rtpio import RelayFault, RtpIo
from tests.peers import ports
from tests.peers.talk import eventually

CALLER, CALLEE, STRANGER = "127.0.0.2", "127.0.0.3", "127.0.0.9"


@pytest.fixture
def first_port() -> int:
    return ports.service_media_ports()


@pytest.fixture(scope="module")
def running() -> Iterator[RtpIo]:
    """One for all tests: to stop its threads takes a second."""
    first = ports.service_media_ports()
    relay = RtpIo("127.0.0.1", first, first + ports.SERVICE_MEDIA_BLOCK - 1)
    yield relay
    relay.close()


@pytest.fixture
def relay(running: RtpIo) -> Iterator[RtpIo]:
    yield running
    for number in range(6):
        running.release(f"{number:x}")
    eventually(lambda: running.active() == 0, 5, every=0.01)


class Side:
    """A phone's RTP socket."""

    def __init__(self, host: str) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.socket.settimeout(2)
        self.host, self.port = self.socket.getsockname()
        self._sent = 0

    def end(self, *, known: bool = True, port: int = 0) -> StreamEnd:
        return StreamEnd(self.host, port or self.port, known)

    def send(self, port: int, mark: int) -> None:
        """One RTP packet whose sound is `mark`."""
        self._sent += 1
        head = b"\x80\x00" + self._sent.to_bytes(2, "big") + (160 * self._sent).to_bytes(4, "big") + b"\0\0\0\1"
        self.socket.sendto(head + bytes((mark,)) * 160, ("127.0.0.1", port))

    def heard(self) -> int:
        """The sound of the next packet. Raises TimeoutError."""
        return self.socket.recv(2048)[20]

    def hears_nothing(self) -> bool:
        self.socket.settimeout(0.1)
        try:
            self.socket.recv(2048)
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(2)
        return False


@pytest.fixture
def caller() -> Iterator[Side]:
    side = Side(CALLER)
    yield side
    side.socket.close()


@pytest.fixture
def callee() -> Iterator[Side]:
    side = Side(CALLEE)
    yield side
    side.socket.close()


@pytest.fixture
def stranger() -> Iterator[Side]:
    side = Side(STRANGER)
    yield side
    side.socket.close()


def cross(relay: RtpIo, end: StreamEnd | None, *, from_caller: bool, answers: bool, session: str = "1") -> int:
    """The port that the receiver of this description sends to."""
    given = relay.cross(Crossing(session, from_caller, answers, (end,), b""))
    assert given is not None
    assert given[0] is not None
    return given[0].port


def connected(relay: RtpIo, a: StreamEnd, b: StreamEnd) -> tuple[int, int]:
    """The ports that caller and callee send to."""
    for_callee = cross(relay, a, from_caller=True, answers=False)
    return cross(relay, b, from_caller=False, answers=True), for_callee


def test_packets_of_both_sides_reach_the_other(relay: RtpIo, caller: Side, callee: Side) -> None:
    caller_sends_to, callee_sends_to = connected(relay, caller.end(), callee.end())
    caller.send(caller_sends_to, 7)
    callee.send(callee_sends_to, 9)
    assert (callee.heard(), caller.heard()) == (7, 9)


def test_a_side_behind_a_nat_is_found_by_its_first_packet(relay: RtpIo, caller: Side, callee: Side) -> None:
    # R4: its SDP names a port that the NAT has turned into another one
    caller_sends_to, callee_sends_to = connected(relay, caller.end(), callee.end(known=False, port=9))
    callee.send(callee_sends_to, 9)
    assert caller.heard() == 9
    caller.send(caller_sends_to, 7)
    assert callee.heard() == 7


def test_packets_from_another_host_than_the_known_one_are_not_let_in(
    relay: RtpIo, caller: Side, callee: Side, stranger: Side
) -> None:
    caller_sends_to, callee_sends_to = connected(relay, caller.end(), callee.end())
    for port in (caller_sends_to, callee_sends_to):
        stranger.send(port, 66)
    assert caller.hears_nothing()
    assert callee.hears_nothing()
    caller.send(caller_sends_to, 7)
    assert callee.heard() == 7
    assert stranger.hears_nothing()


def test_a_phone_that_moves_is_found_again_by_its_next_offer(relay: RtpIo, caller: Side, callee: Side) -> None:
    caller_sends_to, callee_sends_to = connected(relay, caller.end(), callee.end())
    moved = Side(CALLER)
    assert cross(relay, moved.end(), from_caller=True, answers=False) == callee_sends_to
    assert cross(relay, callee.end(), from_caller=False, answers=True) == caller_sends_to
    callee.send(callee_sends_to, 9)
    assert moved.heard() == 9
    moved.socket.close()


@pytest.mark.parametrize("caller_offers", [True, False])
def test_packets_are_counted_on_the_side_that_sent_them(
    relay: RtpIo, caller: Side, callee: Side, caller_offers: bool
) -> None:
    # C5: also when the offer was late, and the callee's description came first
    ends = {True: caller.end(), False: callee.end()}
    first = cross(relay, ends[caller_offers], from_caller=caller_offers, answers=False)
    second = cross(relay, ends[not caller_offers], from_caller=not caller_offers, answers=True)
    for mark in (1, 2, 3):
        caller.send(second if caller_offers else first, mark)
        assert callee.heard() == mark
    callee.send(first if caller_offers else second, 4)
    assert caller.heard() == 4
    heard = relay.heard("1")
    assert heard is not None
    assert (heard.caller, heard.callee) == (3, 1)
    assert heard.silent <= 1


def test_it_knows_how_long_a_call_has_been_silent(relay: RtpIo, caller: Side, callee: Side) -> None:
    # C5: in whole seconds
    caller_sends_to, _ = connected(relay, caller.end(), callee.end())
    caller.send(caller_sends_to, 1)
    begun = time.monotonic()
    while True:
        heard = relay.heard("1")
        assert heard is not None
        if heard.silent >= 2:
            break
        assert time.monotonic() - begun < 10
        time.sleep(0.1)
    assert 1 <= time.monotonic() - begun <= 4


def test_all_ports_are_given_back(relay: RtpIo, caller: Side, callee: Side) -> None:
    for number in range(5):
        name = f"{number:x}"
        cross(relay, caller.end(), from_caller=True, answers=False, session=name)
        cross(relay, callee.end(), from_caller=False, answers=True, session=name)
    assert (relay.sessions, relay.active()) == (5, 5)
    for number in range(5):
        relay.release(f"{number:x}")
        relay.release(f"{number:x}")  # a second time harms nobody
    assert (relay.sessions, relay.active()) == (0, 0)
    assert relay.heard("1") is None


def test_no_ports_left_is_said_and_they_can_be_had_again(first_port: int, caller: Side, callee: Side) -> None:
    # 23 pairs of ports, two for each call, and some that stay free
    relay = RtpIo("127.0.0.1", first_port, first_port + 45)
    try:
        for _ in range(2):
            for number in range(9):
                cross(relay, caller.end(), from_caller=True, answers=False, session=f"{number}")
                cross(relay, callee.end(), from_caller=False, answers=True, session=f"{number}")
            assert relay.cross(Crossing("9", True, False, (caller.end(),), b"")) is None
            assert (relay.sessions, relay.active()) == (9, 9)
            for number in range(9):
                relay.release(f"{number}")
            assert (relay.sessions, relay.active()) == (0, 0)
            # Its threads let go of the sockets a moment later.
            eventually(lambda: sum(not _is_free(first_port + i) for i in range(46)) == 2, 5, every=0.01)
    finally:
        relay.close()


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def test_several_streams_have_ports_of_their_own_and_one_not_in_use_has_none(relay: RtpIo, caller: Side) -> None:
    given = relay.cross(Crossing("1", True, False, (caller.end(), None, caller.end()), b""))
    assert given is not None
    one, none, other = given
    assert none is None
    assert one is not None
    assert other is not None
    assert one.port != other.port


def test_ipv6_is_refused_and_not_guessed(relay: RtpIo) -> None:
    assert relay.cross(Crossing("1", True, False, (StreamEnd("2001:db8::1", 4000, True),), b"")) is None
    assert relay.sessions == 0


def test_an_address_that_is_not_ours_is_a_fault_with_its_reason() -> None:
    with pytest.raises(RelayFault, match=r"rtp\.io does not start on 192\.0\.2\.1"):
        RtpIo("192.0.2.1", 30000, 30010)


def test_it_stops_its_threads_and_writes_no_files(
    first_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = len(os.listdir("/proc/self/task"))
    relay = RtpIo("127.0.0.1", first_port, first_port + 9)
    relay.cross(Crossing("1", True, False, (StreamEnd(CALLER, 4000, True),), b""))
    assert len(os.listdir("/proc/self/task")) > before
    relay.close()
    until = time.monotonic() + 5
    while len(os.listdir("/proc/self/task")) > before:
        assert time.monotonic() < until
        time.sleep(0.01)
    assert list(tmp_path.iterdir()) == []
