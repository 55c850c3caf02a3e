"""Spoils SIP messages in the ways in which they come spoilt: octets, lines, numbers, parts of other messages.

Everything comes from the generator that is given, so that a run can be repeated from its seed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from random import Random
from typing import Final

BYTES: Final = (b"\0", b"\r", b"\n", b"\r\n", b" ", b"\t", b'"', b"<", b">", b";", b",", b":", b"@", b"%", b"%00",
                b"\\", b"=", b"[", b"]", b"\xff", b"\xe3\x81\x82", b"\xc0\x80", b"?", b"\r\n ",
                b"\r\n\r\n")  # fmt: skip
NUMBERS: Final = (b"0", b"-1", b"00", b"255", b"256", b"65535", b"65536", b"2147483647", b"2147483648", b"4294967296",
                  b"18446744073709551616", b"9" * 400, b"1e3", b"0x10", b"", b"\xd9\xa1")  # fmt: skip
LINES: Final = (
    b"Via: SIP/2.0/UDP 192.0.2.99;branch=z9hG4bKother",
    b"Route: <sip:192.0.2.98;lr>",
    b"Record-Route: <sip:[::1];lr>",
    b"Content-Length: 5",
    b"l: 99999",
    b"Content-Type: multipart/mixed;boundary=x",
    b"Require: 100rel, nothing",
    b"Proxy-Require: nothing",
    b"Session-Expires: 1;refresher=uac",
    b"Min-SE: 99999999",
    b"Max-Forwards: 0",
    b"Contact: *",
    b"Expires: 0",
    b"Replaces: x;to-tag=1;from-tag=2",
    b"P-Asserted-Identity: <tel:+81312345678>",
    b"Privacy: id",
    b"History-Info: <sip:05050010002@denwa.example?Reason=SIP%3Bcause%3D486>;index=1, <sip:+81312345678@x>;index=1.1",
    b"Diversion: <sip:05050010002@denwa.example>;reason=unconditional;counter=9",
    b'Authorization: Digest username="x", realm="denwa.example", nonce="", uri="", response=""',
    b"No colon at all",
    b" folded",
    b": nameless",
)
MAX_SIZE: Final = 60_000
_LENGTH: Final = re.compile(rb"(?im)^(?:Content-Length|l)\s*:[^\r\n]*")


def mutate(random: Random, messages: Sequence[bytes]) -> bytes:
    """One of the messages with one to five faults.

    Most requests are given a branch of their own (else they would be taken for what was sent before), some a Call-ID;
    in half of them Content-Length is put right again, so that the fault is met further in.
    """
    data = random.choice(messages)
    if not data.startswith(b"SIP/"):
        if random.random() < 0.8:
            data = data.replace(b"branch=z9hG4bK", b"branch=z9hG4bK%x." % random.getrandbits(40), 1)
        if random.random() < 0.3:
            data = data.replace(b"Call-ID: ", b"Call-ID: %x." % random.getrandbits(40), 1)
    for _ in range(random.choice((1, 1, 1, 2, 3, 5))):
        data = random.choice(_WAYS)(random, data, messages)
    if random.random() < 0.5:
        head, blank, body = data.partition(b"\r\n\r\n")
        data = _LENGTH.sub(b"Content-Length: %d" % len(body), head, count=1) + blank + body
    return data[:MAX_SIZE]


def _place(random: Random, data: bytes) -> int:
    return random.randrange(len(data) + 1)


def _change_octet(random: Random, data: bytes, messages: Sequence[bytes]) -> bytes:
    at = _place(random, data)
    return data[:at] + bytes((random.randrange(256),)) + data[at + 1 :]


def _insert(random: Random, data: bytes, messages: Sequence[bytes]) -> bytes:
    at = _place(random, data)
    return data[:at] + random.choice(BYTES) * random.choice((1, 1, 1, 2, 50)) + data[at:]


def _delete(random: Random, data: bytes, messages: Sequence[bytes]) -> bytes:
    at = _place(random, data)
    return data[:at] + data[at + random.choice((1, 1, 2, 10, 100)) :]


def _repeat(random: Random, data: bytes, messages: Sequence[bytes]) -> bytes:
    at = _place(random, data)
    return data[:at] + data[at : at + random.choice((1, 5, 40))] * random.choice((2, 3, 200)) + data[at:]


def _cut(random: Random, data: bytes, messages: Sequence[bytes]) -> bytes:
    return data[: _place(random, data)]


def _number(random: Random, data: bytes, messages: Sequence[bytes]) -> bytes:
    """Put another number in the place of one that stands there."""
    digits = [i for i, octet in enumerate(data) if 0x30 <= octet <= 0x39]
    if not digits:
        return data
    start = end = random.choice(digits)
    while data[end : end + 1].isdigit():
        end += 1
    return data[:start] + random.choice(NUMBERS) + data[end:]


def _line_in(random: Random, data: bytes, messages: Sequence[bytes]) -> bytes:
    lines = data.split(b"\r\n")
    lines.insert(random.randrange(len(lines) + 1), random.choice(LINES))
    return b"\r\n".join(lines)


def _line_out(random: Random, data: bytes, messages: Sequence[bytes]) -> bytes:
    lines = data.split(b"\r\n")
    del lines[random.randrange(len(lines))]
    return b"\r\n".join(lines)


def _lines_change_places(random: Random, data: bytes, messages: Sequence[bytes]) -> bytes:
    lines = data.split(b"\r\n")
    a, b = random.randrange(len(lines)), random.randrange(len(lines))
    lines[a], lines[b] = lines[b], lines[a]
    return b"\r\n".join(lines)


def _line_of_another(random: Random, data: bytes, messages: Sequence[bytes]) -> bytes:
    lines = data.split(b"\r\n")
    lines[random.randrange(len(lines))] = random.choice(random.choice(messages).split(b"\r\n"))
    return b"\r\n".join(lines)


def _splice(random: Random, data: bytes, messages: Sequence[bytes]) -> bytes:
    other = random.choice(messages)
    return data[: _place(random, data)] + other[_place(random, other) :]


_WAYS: Final[tuple[Callable[[Random, bytes, Sequence[bytes]], bytes], ...]] = (
    _change_octet,
    _insert,
    _delete,
    _repeat,
    _cut,
    _number,
    _number,
    _line_in,
    _line_out,
    _lines_change_places,
    _line_of_another,
    _splice,
)
