"""rtpengine behind the same port: the ng protocol, and the real daemon with real packets where it is installed."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from denwa.voip.media.relay import Crossing, RelayEnd, StreamEnd, media_ends
from denwa.voip.media.rtpengine import NgFault, RtpEngine, decode, encode
from tests.peers.rtpengine import MISSING, RtpEngineDaemon
from tests.peers.talk import eventually

with_daemon = pytest.mark.skipif(bool(MISSING), reason=MISSING)

_values = st.recursive(
    st.integers() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def _as_read(value: object) -> object:
    """Text is read as bytes."""
    if isinstance(value, dict):
        return {key.encode(): _as_read(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_as_read(inner) for inner in value]
    return value.encode() if isinstance(value, str) else value


@given(_values)
def test_what_is_written_is_read(value: object) -> None:
    assert decode(encode(value)) == _as_read(value)


@given(st.binary(max_size=200))
def test_no_bytes_harm_the_reading(data: bytes) -> None:
    with contextlib.suppress(NgFault):
        decode(data)


@pytest.mark.parametrize("data", [b"", b"i1", b"5:abc", b"l", b"d1:ae", b"i1ex", b"x", b"-1:", b"l" * 5000])
def test_what_is_no_bencoding_is_a_fault(data: bytes) -> None:
    with pytest.raises(NgFault):
        decode(data)


def described(port: int, host: str = "127.0.0.1") -> bytes:
    return (
        f"v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n"
        "a=rtpmap:0 PCMU/8000\r\na=sendrecv\r\n"
    ).encode()


class Side:
    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(2)
        self.port: int = self.socket.getsockname()[1]
        self._sent = 0

    def send(self, port: int, mark: int) -> None:
        self._sent += 1
        head = b"\x80\x00" + self._sent.to_bytes(2, "big") + (160 * self._sent).to_bytes(4, "big") + b"\0\0\0\1"
        self.socket.sendto(head + bytes((mark,)) * 160, ("127.0.0.1", port))

    def heard(self) -> int:
        return self.socket.recv(2048)[20]


@pytest.fixture
def sides() -> Iterator[tuple[Side, Side]]:
    both = Side(), Side()
    yield both
    for side in both:
        side.socket.close()


@pytest.fixture(scope="module")
def daemon() -> Iterator[tuple[str, int]]:
    with RtpEngineDaemon() as running:
        yield running.address


@pytest.fixture
def relay(daemon: tuple[str, int]) -> Iterator[RtpEngine]:
    running = RtpEngine(daemon, "denwa-test")
    yield running
    for session in running.kept():
        running.release(session)
    running.close()


def cross(relay: RtpEngine, port: int, *, from_caller: bool, answers: bool, known: bool = True) -> int:
    stream = StreamEnd("127.0.0.1", port, known)
    given = relay.cross(Crossing("1", from_caller, answers, (stream,), described(port)))
    assert given is not None
    assert given[0] is not None
    return given[0].port


@with_daemon
@pytest.mark.parametrize("caller_offers", [True, False])
def test_packets_of_both_sides_reach_the_other_and_are_counted(
    relay: RtpEngine, sides: tuple[Side, Side], caller_offers: bool
) -> None:
    offerer, answerer = sides
    answerer_sends_to = cross(relay, offerer.port, from_caller=caller_offers, answers=False)
    offerer_sends_to = cross(relay, answerer.port, from_caller=not caller_offers, answers=True)
    assert offerer_sends_to != answerer_sends_to
    for mark in (1, 2, 3):
        offerer.send(offerer_sends_to, mark)
        assert answerer.heard() == mark
    answerer.send(answerer_sends_to, 9)
    assert offerer.heard() == 9

    def counted() -> bool:
        heard = relay.heard("1")
        return heard is not None and (heard.caller, heard.callee) == ((3, 1) if caller_offers else (1, 3))

    eventually(counted, 5)
    relay.release("1")
    assert relay.heard("1") is None


@with_daemon
def test_an_offer_inside_the_call_finds_its_ports_again_from_either_side(
    relay: RtpEngine, sides: tuple[Side, Side]
) -> None:
    a, b = sides
    b_sends_to = cross(relay, a.port, from_caller=True, answers=False)
    a_sends_to = cross(relay, b.port, from_caller=False, answers=True)
    assert cross(relay, b.port, from_caller=False, answers=False) == a_sends_to
    assert cross(relay, a.port, from_caller=True, answers=True) == b_sends_to


@with_daemon
def test_a_restarted_service_finds_its_sessions_and_only_its_own(
    relay: RtpEngine, daemon: tuple[str, int], sides: tuple[Side, Side]
) -> None:
    # decision on media after a kill: rtpengine goes on, the service takes its sessions up or gives them back
    cross(relay, sides[0].port, from_caller=True, answers=False)
    again = RtpEngine(daemon, "denwa-test")
    other = RtpEngine(daemon, "denwa-other")
    assert (again.kept(), other.kept()) == (frozenset(("1",)), frozenset())
    assert again.sessions == 1
    again.release("1")
    assert relay.kept() == frozenset()
    for one in (again, other):
        one.close()


def test_a_relay_that_is_not_there_is_waited_for_once_and_then_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.setblocking(False)
        relay = RtpEngine(deaf.getsockname(), "denwa-test")
        crossing = Crossing("1", True, False, (StreamEnd("127.0.0.1", 4000, True),), described(4000))
        assert relay.cross(crossing) is None
        assert relay.cross(crossing) is None
        assert relay.heard("1") is None
        assert len(deaf.recv(2048)) > 0
        with pytest.raises(BlockingIOError):
            deaf.recv(2048)
        relay.close()


def test_an_answer_to_an_earlier_question_is_not_taken_for_this_ones() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.settimeout(5)
        relay = RtpEngine(peer.getsockname(), "denwa-test")

        def serve() -> None:
            data, where = peer.recvfrom(4096)
            cookie, _, body = data.partition(b" ")
            asked = decode(body)
            assert asked[b"command"] == b"offer"
            peer.sendto(b"old " + encode({"result": "ok", "sdp": described(1)}), where)
            peer.sendto(cookie + b" " + encode({"result": "ok", "sdp": described(4242)}), where)

        thread = threading.Thread(target=serve)
        thread.start()
        stream = StreamEnd("127.0.0.1", 4000, True)
        given = relay.cross(Crossing("1", True, False, (stream,), described(4000)))
        thread.join()
        relay.close()
        assert given == (RelayEnd("127.0.0.1", 4242),)
        assert media_ends(described(4242))[0].port == 4242
