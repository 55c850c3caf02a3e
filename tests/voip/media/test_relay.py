"""What an SDP looks like behind the relay, and who needs one. Pure."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from denwa.voip.media.relay import (
    MediaEnd,
    RelayEnd,
    StreamEnd,
    cannot_meet,
    media_ends,
    strays,
    stream_ends,
    through,
)

PHONE = (
    b"v=0\r\no=alice 4711 2 IN IP4 192.168.1.20\r\ns=-\r\nc=IN IP4 192.168.1.20\r\nt=0 0\r\na=ice-ufrag:abcd\r\n"
    b"m=audio 4000 RTP/SAVP 0 101\r\na=rtcp:4001 IN IP4 192.168.1.20\r\na=rtpmap:0 PCMU/8000\r\n"
    b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj\r\n"
    b"a=candidate:1 1 UDP 2130706431 192.168.1.20 4000 typ host\r\na=sendrecv\r\n"
    b"m=video 0 RTP/AVP 34\r\nc=IN IP4 192.168.1.20\r\n"
    b"m=audio 4010/2 RTP/AVP 0\r\nc=IN IP4 192.168.1.21\r\na=sendonly\r\n"
)
ENDS = (RelayEnd("", 30000), None, RelayEnd("", 30004))


def test_every_stream_is_read_with_its_own_address_or_that_of_the_session() -> None:
    assert media_ends(PHONE) == (
        MediaEnd("192.168.1.20", 4000),
        MediaEnd("192.168.1.20", 0),
        MediaEnd("192.168.1.21", 4010),
    )


def test_addresses_and_ports_become_the_relays_and_all_else_stays() -> None:
    # R4: c=, o=, m= and a=rtcp change, ICE goes; keys (SRTP), codecs, directions, session id and version stay
    assert through(PHONE, ENDS, "203.0.113.10") == (
        b"v=0\r\no=alice 4711 2 IN IP4 203.0.113.10\r\ns=-\r\nc=IN IP4 203.0.113.10\r\nt=0 0\r\n"
        b"m=audio 30000 RTP/SAVP 0 101\r\na=rtcp:30001 IN IP4 203.0.113.10\r\na=rtpmap:0 PCMU/8000\r\n"
        b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj\r\n"
        b"a=sendrecv\r\n"
        b"m=video 0 RTP/AVP 34\r\nc=IN IP4 203.0.113.10\r\n"
        b"m=audio 30004 RTP/AVP 0\r\nc=IN IP4 203.0.113.10\r\na=sendonly\r\n"
    )


@pytest.mark.parametrize("direction", [b"sendonly", b"recvonly", b"inactive", b"sendrecv"])
def test_hold_by_direction_stays(direction: bytes) -> None:
    held = PHONE.replace(b"a=sendrecv", b"a=" + direction)
    assert b"a=" + direction + b"\r\n" in through(held, ENDS, "203.0.113.10")


def test_hold_by_address_stays_on_hold() -> None:
    # RFC 3264 §8.4: as RFC 2543 had it
    held = PHONE.replace(b"c=IN IP4 192.168.1.20\r\nt=", b"c=IN IP4 0.0.0.0\r\nt=")
    assert b"c=IN IP4 0.0.0.0\r\nt=0 0" in through(held, ENDS, "203.0.113.10")
    assert not strays(media_ends(held)[:1], "198.51.100.7")


def test_a_relay_that_names_its_own_address_is_named() -> None:
    out = through(PHONE, (RelayEnd("2001:db8::5", 30000), None, RelayEnd("2001:db8::5", 30004)), "203.0.113.10")
    assert out.count(b"IN IP6 2001:db8::5") == 5
    assert b"203.0.113.10" not in out


def test_lines_that_end_without_a_carriage_return_keep_doing_so() -> None:
    assert b"\r" not in through(PHONE.replace(b"\r", b""), ENDS, "203.0.113.10")


_hosts = st.ip_addresses(v=4).map(str).filter(lambda host: host not in ("0.0.0.0", "203.0.113.10"))
_attributes = st.sampled_from([b"a=sendrecv", b"a=ptime:20", b"a=rtcp-mux", b"a=rtpmap:0 PCMU/8000", b"b=AS:64"])


@given(
    st.lists(st.tuples(_hosts, st.booleans(), st.integers(0, 65535), st.lists(_attributes)), min_size=1, max_size=8),
    _hosts,
)
def test_whatever_is_described_no_address_of_the_phone_is_left(
    streams: list[tuple[str, bool, int, list[bytes]]], session: str
) -> None:
    # N7: with 184 the address of the media betrays nobody
    lines = [b"v=0", b"o=- 1 1 IN IP4 " + session.encode(), b"s=-", b"c=IN IP4 " + session.encode(), b"t=0 0"]
    kept: list[bytes] = []
    for host, own, port, attributes in streams:
        lines.append(b"m=audio %d RTP/AVP 0" % port)
        if own:
            lines.append(b"c=IN IP4 " + host.encode())
        lines += [*attributes, b"a=candidate:1 1 UDP 1 " + host.encode() + b" 4000 typ host"]
        kept += attributes
    sdp = b"\r\n".join(lines) + b"\r\n"
    found = media_ends(sdp)
    assert [end.port for end in found] == [port for _, _, port, _ in streams]
    ends = tuple(RelayEnd("", 40000 + 4 * i) if end.port else None for i, end in enumerate(found))
    out = through(sdp, ends, "203.0.113.10")
    assert set(re.findall(rb"IN IP4 (\S+)", out)) == {b"203.0.113.10"}
    assert [end.port for end in media_ends(out)] == [end.port if end is not None else 0 for end in ends]
    attributes_left = [line for line in out.split(b"\r\n") if line[:2] in (b"a=", b"b=")]
    assert attributes_left == kept


@given(st.binary(max_size=300))
def test_no_bytes_harm_the_reading(body: bytes) -> None:
    ends = media_ends(body)
    through(body, tuple(RelayEnd("", 30000) for _ in ends), "203.0.113.10")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"m=audio x RTP/AVP 0\r\n", "a port that is none"),
        (b"m=audio 70000 RTP/AVP 0\r\n", "a port that is none"),
        (b"m=audio 4000 RTP/AVP 0\r\n" * 9, "more streams than a call has"),
        (b"m=audio\r\n", "a media line that is cut off"),
    ],
)
def test_what_cannot_be_read_has_no_ends(body: bytes, reason: str) -> None:
    assert media_ends(body) == (), reason


def test_an_address_that_is_not_where_the_message_came_from_tells_of_a_nat() -> None:
    # R4
    assert strays(media_ends(PHONE), "198.51.100.7")
    assert strays(media_ends(PHONE), "192.168.1.20")  # its third stream is elsewhere
    assert not strays(media_ends(PHONE)[:2], "192.168.1.20")


def test_only_this_machine_reaches_its_loopback() -> None:
    assert cannot_meet("127.0.0.1", "198.51.100.7")
    assert cannot_meet("198.51.100.7", "::1")
    assert not cannot_meet("127.0.0.1", "127.0.0.5")
    assert not cannot_meet("198.51.100.7", "10.0.0.1")


def test_the_relay_expects_a_phone_where_it_signals_from_and_a_gateway_where_it_says() -> None:
    ends = (MediaEnd("192.168.1.20", 4000), MediaEnd("198.51.100.7", 4002), MediaEnd("0.0.0.0", 4004), MediaEnd("", 0))
    assert stream_ends(ends, "198.51.100.7", trusted=False) == (
        StreamEnd("198.51.100.7", 4000, False),
        StreamEnd("198.51.100.7", 4002, True),
        StreamEnd("198.51.100.7", 4004, False),
        None,
    )
    assert stream_ends(ends[:1], "198.51.100.7", trusted=True) == (StreamEnd("192.168.1.20", 4000, True),)
