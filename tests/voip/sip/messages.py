"""Requests and responses as seen on the wire, to be read and to be spoilt."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

INVITE = (
    b"INVITE sip:0312345678@denwa.example SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bKabc;rport\r\n"
    b"Via: SIP/2.0/TCP proxy.example;branch=z9hG4bKold\r\n"
    b"Max-Forwards: 70\r\n"
    b'From: "\xe9\x9b\xbb\xe8\xa9\xb1 \\"x\\", <y>" <sip:50010001@denwa.example;transport=udp>;tag=a1\r\n'
    b"To: <sip:0312345678@denwa.example>\r\n"
    b"Call-ID: 7e3f@192.0.2.1\r\n"
    b"CSeq: 7 INVITE\r\n"
    b"Contact: <sip:50010001@192.0.2.1:5062;ob>\r\n"
    b"Supported: timer, 100rel\r\n"
    b"Route: <sip:192.0.2.10;lr>, <sip:198.51.100.1;lr>\r\n"
    b"X-Unknown: kept as it is\r\n"
    b"Content-Type: application/sdp\r\n"
    b"Content-Length: 10\r\n"
    b"\r\n"
    b"v=0\r\ns=-\r\n"
)
RINGING = (
    b"SIP/2.0 180 Ringing\r\n"
    b"v: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bKours.1;rport=5060\r\n"
    b"v: SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bKabc;received=192.0.2.1;rport=5062\r\n"
    b"f: sip:50010001@denwa.example;tag=a1\r\n"
    b"t: <sip:0312345678@denwa.example>;tag=b2\r\n"
    b"i: 7e3f@192.0.2.1\r\n"
    b"CSeq: 7 INVITE\r\n"
    b"m: <sip:192.0.2.80:5080>\r\n"
    b"l: 0\r\n"
    b"\r\n"
)
REGISTER = (
    b"REGISTER sip:denwa.example SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 192.0.2.1:5062;rport;branch=z9hG4bKreg\r\n"
    b"From: <sip:50010001@denwa.example>;tag=r\r\n"
    b"To: <sip:50010001@denwa.example>\r\n"
    b"Call-ID: reg\r\n"
    b"CSeq: 1 REGISTER\r\n"
    b"Contact: <sip:50010001@192.0.2.1:5062>;expires=600\r\n"
    b'Authorization: Digest username="50010001", realm="denwa.example", nonce="n", uri="sip:denwa.example",'
    b' response="00", algorithm=MD5\r\n'
    b"Expires: 600\r\n"
    b"Max-Forwards: 70\r\n"
    b"User-Agent: PJSUA2\r\n"
    b"Content-Length: 0\r\n"
    b"\r\n"
)
REAL = (INVITE, RINGING, REGISTER)

_SPOIL = st.tuples(
    st.integers(0, 600),
    st.integers(0, 12),
    st.one_of(
        st.binary(max_size=8),
        st.sampled_from(
            [
                b"\r\n",
                b"\r\n\r\n",
                b"\n",
                b"\r",
                b" ",
                b"\t",
                b":",
                b",",
                b";",
                b"<",
                b">",
                b'"',
                b"\\",
                b"\0",
                b"\xff",
                b"-1",
                b"4294967296",
                b"9" * 40,
                b";tag=",
                b"SIP/2.0",
                b"Via: ",
                b"Content-Length: 9\r\n",
                b"%",
            ]
        ),
    ),
)


@st.composite
def spoilt(draw: st.DrawFn, messages: Sequence[bytes] = REAL) -> bytes:
    """A real message in which a few places were cut out or overwritten."""
    data = draw(st.sampled_from(messages))
    for at, length, what in draw(st.lists(_SPOIL, min_size=1, max_size=4)):
        at %= len(data) + 1
        data = data[:at] + what + data[at + length :]
    return data


def line(data: bytes, old: bytes, new: bytes) -> bytes:
    """`data` with a part replaced that stands in it once."""
    assert data.count(old) == 1, (old, data.count(old))
    return data.replace(old, new)
