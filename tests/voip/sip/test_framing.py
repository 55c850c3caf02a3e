"""Messages out of a byte stream (RFC 3261 §18.3, §7.5; RFC 5626 §4.4.1)."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from denwa.voip.sip.framing import PING, FramingFault, KeepAlive, StreamFramer


def message(body: bytes = b"", header: bytes = b"Content-Length") -> bytes:
    head = b"MESSAGE sip:a@b SIP/2.0\r\nCall-ID: 1\r\nContact: <sip:a@c>\r\n"
    return head + header + b": %d\r\nX: y\r\n\r\n" % len(body) + body


def split(stream: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({cut % (len(stream) + 1) for cut in cuts} | {0, len(stream)})
    return [stream[start:end] for start, end in pairwise(places)]


def feed_all(pieces: list[bytes]) -> tuple[list[bytes | KeepAlive], str]:
    framer = StreamFramer(max_head=300, max_body=500)
    whole: list[bytes | KeepAlive] = []
    for piece in pieces:
        try:
            whole += framer.feed(piece)
        except FramingFault as fault:
            return whole + fault.before, str(fault)
    return whole, ""


def test_messages_sent_in_one_piece_come_out_one_by_one():
    one, two = message(b"x" * 7), message()
    framer = StreamFramer()
    assert framer.feed(one + two + one[:-1]) == [one, two]
    assert framer.pending == len(one) - 1
    assert framer.feed(one[-1:]) == [one]
    assert framer.pending == 0


@pytest.mark.parametrize("header", [b"l", b"L", b"CONTENT-LENGTH", b"content-length \t", b"Content-Length"])
def test_the_length_is_found_under_every_spelling(header):  # RFC 3261 §7.3.3
    wanted = message(b"12345", header)
    assert StreamFramer().feed(wanted) == [wanted]


def test_a_folded_length_is_read():  # RFC 3261 §7.3.1
    wanted = b"A b SIP/2.0\r\nSubject: x\r\n y\r\nContent-Length:\r\n  3\r\n\r\nabc"
    assert StreamFramer().feed(wanted) == [wanted]


def test_blank_lines_between_messages_are_skipped_and_a_double_one_is_a_ping():
    assert StreamFramer().feed(b"\r\n" + message()) == [message()]
    assert StreamFramer().feed(message() + b"\r\n\r\n" + message()) == [message(), PING, message()]
    assert StreamFramer().feed(b"\r\n\r\n\r\n\r\n") == [PING, PING]


@pytest.mark.parametrize(
    ("stream", "reason", "answerable"),
    [
        (b"A b SIP/2.0\r\nX: y\r\n\r\n", "no Content-Length", True),
        (b"A b SIP/2.0\r\nl: 5\r\nContent-Length: 6\r\n\r\n", "Content-Length differs", True),  # RFC 4475 §3.3.9
        (b"A b SIP/2.0\r\nContent-Length: -999\r\n\r\n", "Content-Length is no number", True),  # RFC 4475 §3.1.2.3
        (b"A b SIP/2.0\r\nContent-Length: 9999999999\r\n\r\n", "Content-Length is no number", True),
        (b"A b SIP/2.0\r\nContent-Length: 501\r\n\r\n", "body too long", True),
        (b"A b SIP/2.0\r\n" + b"X: y\r\n" * 100, "head too long", False),
        (b"A b SIP/2.0\r\nX: " + b"y" * 400 + b"\r\n\r\n", "head too long", False),
        (b"\rA b SIP/2.0\r\n\r\n", "CR without LF between messages", False),
    ],
)
def test_a_stream_whose_next_message_cannot_be_found_is_a_fault_after_what_was_whole(stream, reason, answerable):
    framer = StreamFramer(max_head=300, max_body=500)
    with pytest.raises(FramingFault, match=reason) as caught:
        framer.feed(message() + stream)
    assert caught.value.before == [message()]
    assert bool(caught.value.message) == answerable
    assert stream.startswith(caught.value.message)


def test_the_same_length_twice_is_no_fault():
    wanted = b"A b SIP/2.0\r\nContent-Length: 1\r\nl: 1\r\n\r\nx"
    assert StreamFramer().feed(wanted) == [wanted]


MESSAGES = st.builds(message, st.binary(max_size=60), st.sampled_from([b"l", b"Content-Length"]))
PIECES = st.lists(MESSAGES | st.sampled_from([b"\r\n", b"\r\n\r\n"]), max_size=6).map(b"".join)
CUTS = st.lists(st.integers(0, 10_000), max_size=12)


@given(stream=PIECES, cuts=CUTS)
def test_any_split_of_a_stream_gives_the_same_messages(stream, cuts):
    assert feed_all(split(stream, cuts)) == feed_all([stream])


@given(stream=st.lists(PIECES | st.binary(max_size=80), max_size=4).map(b"".join), cuts=CUTS)
def test_any_split_of_noise_gives_the_same_messages_and_the_same_fault(stream, cuts):
    assert feed_all(split(stream, cuts)) == feed_all([stream])


def test_a_message_that_comes_byte_by_byte_costs_no_rescan():
    framer = StreamFramer()
    wanted = message(b"z" * 20_000)
    out: list[bytes | KeepAlive] = []
    for place in range(len(wanted)):
        out += framer.feed(wanted[place : place + 1])
    assert out == [wanted]
