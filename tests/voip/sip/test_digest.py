"""Digest authentication (RFC 7616, RFC 8760, RFC 3261 §22; service rule R1)."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from denwa.voip.sip.authorization import Credentials, parse_credentials
from denwa.voip.sip.digest import Digest, Verdict, ha1

NOW = 1_795_000_000_000
SECRET = bytes(range(32))
REALM = b"denwa.example"
URI = b"sip:denwa.example"
USER, PASSWORD = b"50010001", b"demo-50010001"
HA1 = (ha1(b"MD5", USER, REALM, PASSWORD), ha1(b"SHA-256", USER, REALM, PASSWORD))


def make_digest(**more: object) -> Digest:
    values = {"realm": REALM, "algorithms": (b"SHA-256", b"MD5"), "secret": SECRET, "nonce_lifetime": 300} | more
    return Digest(**values)  # type: ignore[arg-type]


def nonce_of(line: bytes) -> bytes:
    return line.split(b'nonce="')[1].split(b'"')[0]


def answer(
    digest: Digest,
    now_ms: int = NOW,
    *,
    nonce: bytes = b"",
    algorithm: bytes = b"MD5",
    method: bytes = b"REGISTER",
    uri: bytes = URI,
    password: bytes = PASSWORD,
    qop: bytes = b"auth",
    nc: bytes = b"00000001",
) -> Credentials:
    """What a phone sends back; written from the RFC, not with the code under test."""
    nonce = nonce or nonce_of(digest.challenge(now_ms)[0])

    def hashed(text: bytes) -> bytes:
        return hashlib.new(algorithm.decode().replace("-", ""), text).hexdigest().encode()

    secret = hashed(USER + b":" + REALM + b":" + password)
    middle = nonce + b":" + nc + b":cafe:auth:" if qop else nonce + b":"
    response = hashed(secret + b":" + middle + hashed(method + b":" + uri))
    header = b'Digest username="%b", realm="%b", nonce="%b", uri="%b", response="%b"' % (
        USER,
        REALM,
        nonce,
        uri,
        response,
    )
    header += b", algorithm=" + algorithm
    if qop:
        header += b', cnonce="cafe", qop=auth, nc=' + nc
    credentials = parse_credentials(header)
    assert credentials is not None
    return credentials


def judge(digest: Digest, credentials: Credentials, now_ms: int = NOW, uri: bytes = URI, method: bytes = b"REGISTER"):
    return digest.check(credentials, method, uri, *HA1, now_ms)


def test_sha256_is_offered_before_md5_each_in_a_header_of_its_own():  # R1, RFC 8760 §2.4
    lines = make_digest().challenge(NOW)
    assert [b"algorithm=SHA-256" in line for line in lines] == [True, False]
    assert b"algorithm=MD5" in lines[1]
    assert all(line.startswith(b'WWW-Authenticate: Digest realm="denwa.example", nonce="') for line in lines)
    assert all(b'qop="auth"' in line and b"stale" not in line for line in lines)


def test_a_proxy_challenge_and_a_stale_one_say_so():
    (line, _) = make_digest().challenge(NOW, stale=True, proxy=True)
    assert line.startswith(b"Proxy-Authenticate: Digest ")
    assert b"stale=true" in line


def test_challenges_differ_from_second_to_second_and_between_secrets():
    digest = make_digest()
    nonces = {nonce_of(digest.challenge(NOW + ms)[0]) for ms in (0, 999, 1000, 2000)}
    assert len(nonces) == 3
    assert nonce_of(make_digest(secret=b"y" * 32).challenge(NOW)[0]) not in nonces


@pytest.mark.parametrize("algorithm", [b"MD5", b"SHA-256"])
@pytest.mark.parametrize("qop", [b"auth", b""])
def test_the_right_password_is_accepted_with_each_algorithm_with_and_without_qop(algorithm, qop):  # R1
    digest = make_digest()
    assert judge(digest, answer(digest, algorithm=algorithm, qop=qop)) is Verdict.OK


@pytest.mark.parametrize("algorithm", [b"MD5", b"SHA-256"])
def test_a_wrong_password_is_refused_with_each_algorithm(algorithm):
    digest = make_digest()
    assert judge(digest, answer(digest, algorithm=algorithm, password=b"guess")) is Verdict.WRONG


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        (b"MD5", b"8ca523f5e9506fed4657c9700eebdbec"),
        (b"SHA-256", b"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_published_example_computes(algorithm, response):  # RFC 7616 §3.9.1; its nonce is not ours: STALE
    realm, user, password = b"http-auth@example.org", b"Mufasa", b"Circle of Life"
    credentials = parse_credentials(
        b'Digest username="Mufasa",\r\n realm="http-auth@example.org", uri="/dir/index.html", algorithm=%b, '
        b'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001, '
        b'cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth, response="%b", '
        b'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"' % (algorithm, response)
    )
    assert credentials is not None
    digest = make_digest(realm=realm)
    secrets = (ha1(b"MD5", user, realm, password), ha1(b"SHA-256", user, realm, password))
    assert digest.check(credentials, b"GET", b"/dir/index.html", *secrets, NOW) is Verdict.STALE
    assert digest.check(credentials, b"PUT", b"/dir/index.html", *secrets, NOW) is Verdict.WRONG


def test_a_nonce_lives_for_its_lifetime_and_is_then_stale_not_wrong():
    digest = make_digest()
    credentials = answer(digest)
    assert judge(digest, credentials, NOW + 300_000) is Verdict.OK
    assert judge(digest, credentials, NOW + 301_000) is Verdict.STALE


def test_a_nonce_is_good_after_a_restart_with_the_same_secret_and_stale_after_one_with_another():
    credentials = answer(make_digest())
    assert judge(make_digest(), credentials) is Verdict.OK
    assert judge(make_digest(secret=b"z" * 32), credentials) is Verdict.STALE


@pytest.mark.parametrize("nonce", [b"0", b"zzzzzzzz" + b"0" * 32, b"%08x" % (NOW // 1000) + b"0" * 32, b"-1", b"\xff"])
def test_a_made_up_nonce_is_never_accepted(nonce):
    digest = make_digest()
    assert judge(digest, answer(digest, nonce=nonce)) is Verdict.STALE
    assert judge(digest, answer(digest, nonce=nonce, password=b"guess")) is Verdict.WRONG


def test_a_nonce_from_the_future_is_not_accepted_when_the_clock_went_back():
    digest = make_digest()
    assert judge(digest, answer(digest, NOW + 60_000), NOW) is Verdict.STALE


def test_credentials_for_another_realm_or_algorithm_are_refused():
    digest = make_digest()
    credentials = answer(digest)
    assert judge(digest, credentials._replace(realm=b"elsewhere.example")) is Verdict.WRONG
    assert judge(digest, credentials._replace(algorithm=b"MD5-SESS")) is Verdict.WRONG
    assert judge(make_digest(algorithms=(b"SHA-256",)), credentials) is Verdict.WRONG
    assert judge(digest, credentials._replace(qop=b"auth-int")) is Verdict.WRONG


@pytest.mark.parametrize("change", [{"nc": b"1"}, {"nc": b"0000000g"}, {"cnonce": b""}, {"response": b"ab"}])
def test_credentials_that_no_client_computes_are_malformed(change):
    digest = make_digest()
    assert judge(digest, answer(digest)._replace(**change)) is Verdict.MALFORMED


def test_credentials_for_one_number_do_not_serve_for_another():
    digest = make_digest(own_hosts=[b"127.0.0.1"])
    domestic, abroad = b"sip:0312345678@denwa.example", b"sip:0103312345678@denwa.example"
    credentials = answer(digest, uri=domestic, method=b"INVITE")
    assert judge(digest, credentials, uri=domestic, method=b"INVITE") is Verdict.OK
    assert judge(digest, credentials, uri=abroad, method=b"INVITE") is Verdict.WRONG
    assert judge(digest, credentials, uri=domestic, method=b"BYE") is Verdict.WRONG


@pytest.mark.parametrize(
    ("signed", "requested", "verdict"),
    [
        (b"sip:denwa.example", b"sip:127.0.0.1:5060", Verdict.OK),  # both are this service
        (b"sip:DENWA.example;transport=tcp", b"sip:denwa.example", Verdict.OK),
        (b"sip:127.0.0.1:5060", b"sip:0312345678@127.0.0.1:5060", Verdict.OK),  # signs its server only
        (b"sip:0312345678@denwa.example", b"sip:0312345678;npdi@127.0.0.1", Verdict.OK),
        (b"sip:0312345678@elsewhere.example", b"sip:0312345678@denwa.example", Verdict.WRONG),
        (b"sip:%30312345678@denwa.example", b"sip:0312345678@denwa.example", Verdict.OK),
        (b"tel:0312345678", b"sip:0312345678@denwa.example", Verdict.WRONG),
        (b"garbage", b"sip:denwa.example", Verdict.WRONG),
    ],
)
def test_the_signed_uri_must_name_the_requested_target(signed, requested, verdict):
    digest = make_digest(own_hosts=[b"127.0.0.1"])
    assert judge(digest, answer(digest, uri=signed), uri=requested) is verdict


def test_memory_is_bounded_against_made_up_nonces_and_uris():
    digest = make_digest()
    for count in range(10_000):
        judge(digest, answer(digest, uri=b"sip:%d@denwa.example" % count, nonce=b"%040x" % count))
    assert len(digest._known) <= 4096
    assert len(digest._ha2) <= 4096


# Parsing


def test_quoted_commas_and_escapes_are_read_as_content():
    credentials = parse_credentials(
        b'digest USERNAME="a,b=\\"c\\"" , Realm = "r,s", nonce="n", uri="sip:x,y", response="00" , qop="auth", nc=1'
    )
    assert credentials is not None
    assert (credentials.username, credentials.realm, credentials.uri) == (b'a,b="c"', b"r,s", b"sip:x,y")
    assert (credentials.qop, credentials.nc, credentials.algorithm) == (b"auth", b"1", b"MD5")


GOOD = b'Digest username="u", realm="r", nonce="n", uri="sip:r", response="00", nc=00000001, qop=auth'


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"Basic dXNlcjpwYXNz",
        b"Digest",
        b"Digest ",
        GOOD.replace(b'"n"', b'"n'),  # quote not closed
        GOOD.replace(b'username="u", ', b""),
        GOOD.replace(b'"sip:r"', b'""'),
        GOOD + b", nc=00000002",
        GOOD + b", realm=r2",
        GOOD + b", =",
        GOOD + b', ="x"',
        GOOD + b", opaque",
        GOOD + b",",
        GOOD.replace(b'"r",', b'"r" x,'),
        GOOD.replace(b'"r",', b'"r"'),
        GOOD.replace(b", nonce", b" nonce"),
        GOOD.replace(b'"u"', b'"u\\"'),
        GOOD.replace(b'"u"', b'"\\u" x'),
        GOOD + b', opaque="a\\',
    ],
)
def test_credentials_out_of_shape_are_not_read(header):
    assert parse_credentials(header) is None


def test_the_well_formed_neighbour_of_the_bad_ones_is_read():
    assert parse_credentials(GOOD) is not None


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1).map(str.encode)


@given(username=TEXT, realm=TEXT, nonce=TEXT, uri=TEXT, cnonce=TEXT)
def test_any_quoted_content_comes_back_as_it_was(username, realm, nonce, uri, cnonce):
    def quoted(text: bytes) -> bytes:
        return b'"' + text.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'

    header = b"Digest " + b", ".join(
        [
            b"username=" + quoted(username),
            b"realm=" + quoted(realm),
            b"nc=0000000a",
            b"nonce=" + quoted(nonce),
            b"uri=" + quoted(uri),
            b"cnonce=" + quoted(cnonce),
            b'response="aa"',
        ]
    )
    expected = Credentials(username, realm, nonce, uri, b"aa", b"MD5", b"", b"0000000a", cnonce)
    assert parse_credentials(header) == expected


@given(st.binary())
def test_no_bytes_make_the_parser_raise(noise):
    parse_credentials(b"Digest " + noise)
    parse_credentials(GOOD + noise)
