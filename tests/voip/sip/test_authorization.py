"""The manner in which a program writes its credentials reads them as careful reading does."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from denwa.voip.sip.authorization import FIELDS, Credentials, manner_of, parse_credentials

PJSUA = (
    b'Digest username="50010001", realm="denwa.example", nonce="6b02", uri="sip:denwa.example", '
    b'response="51fc", algorithm=MD5, cnonce="x.y", qop=auth, nc=00000001'
)
SIPP = (
    b'Digest username="50010001",realm="denwa.example",cnonce="1d70",nc=00000001,qop=auth,uri="sip:denwa.example",'
    b'nonce="6b02",response="51fc",algorithm=SHA-256'
)
OLD = b'digest realm="", nonce="6b02", opaque="kept", response="51fc", uri="sip:a", username="u"'
ORDINARY = (PJSUA, SIPP, OLD, PJSUA.replace(b"nc=", b"opaque=nc=00000001, NC = "))


def read(by: bytes, value: bytes) -> Credentials | None:
    """`value`, by the manner of another one."""
    manner = manner_of(by)
    found = re.fullmatch(manner.pattern, value, re.ASCII) if manner is not None else None
    if manner is None or found is None:
        return None
    username, realm, nonce, uri, response, nc, cnonce = found.group(*FIELDS)
    return Credentials(username, realm, nonce, uri, response, manner.algorithm, manner.qop, nc, cnonce)


@pytest.mark.parametrize("value", ORDINARY)
def test_another_value_of_the_same_program_is_read_by_its_manner(value):
    later = value.replace(b"6b02", b"other").replace(b"51fc", b"0000")
    later = later[:-8] + b"0000ABcd" if later.endswith(b"00000001") else later.replace(b"nc=00000001", b"nc=0000000a")
    assert read(value, value) == parse_credentials(value) is not None
    assert read(value, later) == parse_credentials(later) is not None


@pytest.mark.parametrize(
    "value",
    [
        PJSUA.replace(b"nc=00000001", b'nc="00000001"'),
        PJSUA.replace(b"algorithm=MD5", b'algorithm="MD5"'),
        PJSUA.replace(b"qop=auth", b'qop="auth"'),
        PJSUA.replace(b'"x.y"', b"x.y"),
        PJSUA.replace(b"nc=00000001", b"nc=1"),
        PJSUA.replace(b'"x.y"', b'"x\\"y"'),
        PJSUA.replace(b"x.y", b'x"'),
        PJSUA + b", nc=00000001",
        b"Basic abc",
    ],
)
def test_no_manner_is_made_of_what_is_not_written_in_the_ordinary_way(value):
    assert manner_of(value) is None


_PIECES = (
    b'"',
    b",",
    b" ",
    b"=",
    b"nc=0000000b",
    b"\\",
    b'nc="00000001"',
    b'realm="x"',
    b"qop=auth-int",
    b"\0",
    b"a",
    b"",
)
PARTS = st.sampled_from(_PIECES)


@st.composite
def spoilt(draw: st.DrawFn) -> bytes:
    value = draw(st.sampled_from(ORDINARY))
    for at, length, part in draw(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 12), PARTS), max_size=3)):
        value = value[: at % len(value)] + part + value[at % len(value) + length :]
    return value.strip()


@given(spoilt(), spoilt())
def test_whatever_a_manner_takes_is_read_as_with_care(one, other):
    for by in (one, other, *ORDINARY):
        for value in (one, other):
            taken = read(by, value)
            assert taken is None or taken == parse_credentials(value)
