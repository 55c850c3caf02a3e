"""The trace of messages behind `denwa trace` (service rule O2)."""

from __future__ import annotations

import pytest

from denwa.voip.sip.trace import LONGEST, Trace, mask

NOW = 1_795_000_000_123
PHONE, GATEWAY = ("192.0.2.7", 5062), ("192.0.2.9", 5080, 3)


def message(
    call_id: bytes, start: bytes = b"INVITE sip:0312345678@denwa.example SIP/2.0", spelling: bytes = b"Call-ID"
):
    return start + b"\r\nVia: x\r\n" + spelling + b": " + call_id + b"\r\nContent-Length: 0\r\n\r\n"


def test_the_ladder_of_a_call_shows_its_messages_and_no_others():
    trace = Trace(10)
    trace.received(NOW, "h:1", PHONE, message(b"a@1"))
    trace.received(NOW + 5, "h:1", PHONE, message(b"b@1"))
    trace.sent(NOW + 20, "h:1", [(GATEWAY, message(b"a@1", spelling=b"i"))])
    trace.received(NOW + 1500, "h:1", GATEWAY, message(b"a@1", b"SIP/2.0 200 OK", b"CALL-ID "))
    first, second, third = trace.ladder(b"a@1").split("\n")
    assert first.split()[:4] == ["20:06:40.123", "+0.000", "udp:192.0.2.7:5062", "-->"]  # Asia/Tokyo
    assert first.endswith("-->  INVITE sip:0312345678@denwa.example SIP/2.0")
    assert second.split()[1:4] == ["+0.020", "tcp:192.0.2.9:5080", "<--"]
    assert third.endswith("-->  SIP/2.0 200 OK")
    assert trace.ladder(b"a@") == trace.ladder(b"nobody") == ""


def test_a_call_id_in_another_header_is_not_that_call():
    trace = Trace(10)
    trace.received(NOW, "h:1", PHONE, b"REFER sip:a SIP/2.0\r\nReplaces: a@1\r\nCall-ID: z\r\n\r\n")
    assert trace.messages(b"a@1") == []
    assert len(trace.messages(b"z")) == 1


def test_memory_is_bounded_in_messages_and_in_bytes_of_each():
    trace = Trace(3)
    for count in range(10):
        trace.received(NOW + count, "h:1", PHONE, message(b"a@1") + b"x" * 100_000)
    kept = trace.messages(b"a@1")
    assert [entry.at for entry in kept] == [NOW + 7, NOW + 8, NOW + 9]
    assert all(len(entry.data) <= LONGEST for entry in kept)


def test_a_trace_of_no_messages_is_off():
    assert not Trace(0).enabled
    assert Trace(1).enabled


@pytest.mark.parametrize(
    ("raw", "secret"),
    [
        (b'Authorization: Digest username="u", response="5ec7e7", uri="sip:a"', b"5ec7e7"),
        (b'authorization : Digest username="u",\r\n Response = "5ec7e7",\r\n uri="x"', b"5ec7e7"),
        (b"Proxy-Authorization: Digest response=5ec7e7, nc=1", b"5ec7e7"),
        (b'Proxy-Authorization: Digest response="5ec7e7', b"5ec7e7"),
        (b"Authorization: Basic 5ec7e7==", b"5ec7e7"),
        (b"Contact: <sip:bob:5ec7e7@192.0.2.1>", b"5ec7e7"),
        (b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:5ec7e7|2^20", b"5ec7e7"),
    ],
)
def test_secrets_are_never_shown(raw, secret):
    data = b"REGISTER sip:a SIP/2.0\r\n" + raw + b"\r\nCall-ID: a@1\r\nTo: <sip:u@a>\r\n\r\n"
    trace = Trace(1)
    trace.sent(NOW, "h:1", [(PHONE, data)])
    (kept,) = trace.messages(b"a@1")
    assert secret not in kept.data
    assert b"To: <sip:u@a>" in kept.data


def test_what_is_no_secret_stays_as_it_is():
    data = message(b"a@1") + b"v=0\r\nc=IN IP4 192.0.2.1\r\n"
    assert mask(data) == data
    contact = b"Contact: <sip:bob@192.0.2.1:5060>, <sip:192.0.2.1:5060;ob>\r\n"
    assert mask(contact) == contact


def test_control_characters_of_a_stranger_do_not_reach_the_terminal():
    trace = Trace(1)
    trace.received(NOW, "h:1", PHONE, message(b"a@1", b"\x1b[2JINVITE"))
    assert "\x1b" not in trace.ladder(b"a@1")


@pytest.mark.parametrize("body", ["Signal=7\r\nDuration=160\r\n", "7"])
def test_keys_of_a_telephone_are_masked(body: str) -> None:  # V6: they may be a PIN
    kind = "application/dtmf-relay" if body.startswith("Signal") else "Application/DTMF"
    info = f"INFO sip:a@b SIP/2.0\r\nCall-ID: 1@b\r\nContent-Type: {kind}\r\n\r\n{body}".encode()
    assert mask(info).endswith(b"\r\n\r\n***")
    other = info.replace(b"pplication/", b"pplication/x-")
    assert mask(other) == other
