"""Answering a carrier's challenge (RFC 7616, RFC 8760)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from denwa.voip.gateways.credentials import Challenge, Credentials, answer, read_challenge
from denwa.voip.gateways.trunk import Account
from denwa.voip.sip.authorization import parse_credentials
from denwa.voip.sip.digest import Digest, Verdict, ha1

ACCOUNT = Account(b"user", b"secret", b"carrier.example")
# RFC 7616 §3.9.1
_RFC = {
    "realm": b"http-auth@example.org",
    "nonce": b"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
    "cnonce": b"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
}


@pytest.mark.parametrize(("algorithm", "response"), [
    (b"MD5", b"8ca523f5e9506fed4657c9700eebdbec"),
    (b"SHA-256", b"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
])  # fmt: skip
def test_the_examples_of_rfc_7616(algorithm: bytes, response: bytes) -> None:
    challenge = Challenge(_RFC["realm"], _RFC["nonce"], algorithm, True, None, False, False)
    args = (b"Mufasa", b"Circle of Life", b"GET", b"/dir/index.html", 1, _RFC["cnonce"])
    assert answer(challenge, *args) == response


@pytest.mark.parametrize("algorithm", [b"MD5", b"SHA-256"])
@pytest.mark.parametrize("proxy", [True, False])
def test_our_own_registrar_accepts_what_we_would_send(algorithm: bytes, proxy: bool) -> None:
    registrar = Digest(b"carrier.example", (algorithm,), b"s" * 32, 300)
    (line,) = registrar.challenge(1_000_000, proxy=proxy)
    challenge = read_challenge([line.partition(b":")[2]], proxy=proxy)
    assert challenge is not None
    credentials = Credentials(ACCOUNT)
    credentials.challenged(challenge)
    for count in (1, 2):
        header = credentials.line(b"INVITE", b"sip:1@carrier.example", b"c0ffee")
        name, _, value = header.partition(b": ")
        assert name == (b"Proxy-Authorization" if proxy else b"Authorization")
        read = parse_credentials(value)
        assert read is not None
        assert read.nc == b"%08x" % count
        secrets = [ha1(name, b"user", b"carrier.example", b"secret") for name in (b"MD5", b"SHA-256")]
        assert registrar.check(read, b"INVITE", b"sip:1@carrier.example", *secrets, 1_000_000) is Verdict.OK


def test_sha_256_is_preferred_wherever_it_stands_and_unknown_algorithms_are_passed_over() -> None:
    values = [
        b'Digest realm="r", nonce="a", algorithm=MD5',
        b'Digest realm="r", nonce="b", algorithm=SHA-512-256, qop="auth"',
        b'Digest realm="r", nonce="c", algorithm=SHA-256, qop="auth-int,auth"',
        b'Basic realm="r"',
    ]
    challenge = read_challenge(values, proxy=True)
    assert challenge is not None
    assert (challenge.nonce, challenge.qop) == (b"c", True)


def test_a_challenge_of_rfc_2069_is_answered_without_qop() -> None:
    challenge = read_challenge([b'Digest nonce="n", realm="r"'], proxy=False)
    assert challenge is not None
    credentials = Credentials(ACCOUNT)
    credentials.challenged(challenge)
    line = credentials.line(b"REGISTER", b"sip:x", b"c")
    assert b"qop" not in line
    assert b"algorithm" not in line


@pytest.mark.parametrize("value", [
    b"", b"Digest", b'Digest realm="r"', b'Digest nonce="n"', b'Digest realm="r", nonce="',
    b'Digest realm="r, nonce="n"',
    b'Digest realm="r", nonce="n", qop="auth-int"', b'Digest realm="r", nonce="n", algorithm=MD5-sess',
])  # fmt: skip
def test_what_cannot_be_answered_is_no_challenge(value: bytes) -> None:
    assert read_challenge([value], proxy=True) is None


def test_a_quoted_value_may_hold_commas_and_equal_signs_and_comes_back_as_it_was() -> None:
    challenge = read_challenge([b'Digest opaque="a,b=c\\"d", realm="r, s", nonce="n=", stale=TRUE'], proxy=True)
    assert challenge == Challenge(b"r, s", b"n=", b"", False, b'a,b=c\\"d', True, True)


@given(st.binary(max_size=200))
def test_no_challenge_breaks_the_reader(value: bytes) -> None:
    read_challenge([b"Digest " + value], proxy=True)


def test_a_new_nonce_is_counted_from_one_and_an_old_one_on() -> None:
    credentials = Credentials(ACCOUNT)
    one = Challenge(b"r", b"1", b"MD5", True, None, False, True)
    credentials.challenged(one)
    credentials.line(b"A", b"u", b"c")
    credentials.challenged(one)
    assert b"nc=00000002" in credentials.line(b"A", b"u", b"c")
    credentials.challenged(one._replace(nonce=b"2"))
    assert b"nc=00000001" in credentials.line(b"A", b"u", b"c")


def test_an_account_does_not_show_its_password() -> None:
    assert "secret" not in repr(ACCOUNT)
