"""Digest authentication of requests (RFC 7616, RFC 8760, RFC 3261 §22), without state of its own.

A nonce is the second it was made in and an HMAC over it, so it cannot be guessed or made by others, needs no table,
and stays good across a restart while the secret is the same. A nonce serves everybody who asks in that second. The
nonce count is hashed but not remembered: until its nonce ages, a captured request can be replayed, but only as it is
(the method and the Request-URI are part of the response, and the URI is checked against the request).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from enum import Enum

from denwa.voip.sip.authorization import Credentials
from denwa.voip.sip.uri import SipUri, UriFault, parse_uri

_HEX_DIGITS = b"0123456789abcdefABCDEF"
_MAC_LENGTH = 32  # hexadecimal digits
_STAMP_LENGTH = 8
_NONCES_KEPT = 4096
_HA2_KEPT = 4096
_HA2_LONGEST = 256  # longer URIs are hashed each time
_RESPONSE_LENGTH = {b"MD5": 32, b"SHA-256": 64}


class Verdict(Enum):
    """What the credentials are worth."""

    OK = "ok"
    STALE = "stale"  # the password is right, the nonce is too old or not ours: challenge with stale=true
    WRONG = "wrong"
    MALFORMED = "malformed"


def _md5(text: bytes) -> bytes:
    return hashlib.md5(text, usedforsecurity=False).hexdigest().encode()


def _sha256(text: bytes) -> bytes:
    return hashlib.sha256(text, usedforsecurity=False).hexdigest().encode()


def ha1(algorithm: bytes, username: bytes, realm: bytes, password: bytes) -> bytes:
    """H(username:realm:password) in lower-case hexadecimal (RFC 7616 §3.4.2); `algorithm` is MD5 or SHA-256."""
    return (_sha256 if algorithm == b"SHA-256" else _md5)(b":".join((username, realm, password)))


class Digest:
    """Challenges and checks for one realm.

    `algorithms`: of b"SHA-256" and b"MD5", in order of preference. `secret`: 32 random bytes, kept across restarts.
    `nonce_lifetime`: whole seconds, a nonce lives that long and at most a second longer. `own_hosts`: the names and
    addresses that all mean this service, for a phone that signs `sip:denwa.example` and sends to its address.
    """

    def __init__(
        self,
        realm: bytes,
        algorithms: tuple[bytes, ...],
        secret: bytes,
        nonce_lifetime: int,
        *,
        own_hosts: Iterable[bytes] = (),
    ) -> None:
        if not algorithms or any(algorithm not in _RESPONSE_LENGTH for algorithm in algorithms):
            raise ValueError("digest algorithms are SHA-256 and MD5")
        if len(secret) < 16 or b'"' in realm or b"\\" in realm:
            raise ValueError("digest secret is shorter than 16 bytes, or the realm holds a quote")
        self.realm = realm
        self.algorithms = algorithms
        self._secret = secret
        self._lifetime = nonce_lifetime
        self._own_hosts = frozenset(host.lower() for host in own_hosts) | {realm.lower()}
        self._known: dict[bytes, int] = {}  # nonce -> the second it was made in
        self._ha2: dict[tuple[bytes, bytes, bytes], bytes] = {}
        self._challenges: dict[tuple[bool, bool], list[bytes]] = {}
        self._challenge_second = -1

    def challenge(self, now_ms: int, *, stale: bool = False, proxy: bool = False) -> list[bytes]:
        """Header lines for a 401 (407 when `proxy`), one for each algorithm; callers share it, do not change it."""
        second = now_ms // 1000
        if second != self._challenge_second:
            self._challenges.clear()
            self._challenge_second = second
        lines = self._challenges.get((stale, proxy))
        if lines is None:
            name = b"Proxy-Authenticate" if proxy else b"WWW-Authenticate"
            nonce = self._make_nonce(second)
            self._remember(nonce, second)
            tail = b', stale=true, qop="auth"' if stale else b', qop="auth"'
            lines = [
                b'%b: Digest realm="%b", nonce="%b", algorithm=%b%b' % (name, self.realm, nonce, algorithm, tail)
                for algorithm in self.algorithms
            ]
            self._challenges[stale, proxy] = lines
        return lines

    def check(
        self,
        credentials: Credentials,
        method: bytes,
        request_uri: bytes,
        ha1_md5: bytes,
        ha1_sha256: bytes,
        now_ms: int,
    ) -> Verdict:
        """Judge `credentials` for one request (RFC 7616 §3.4.6).

        `ha1_md5`, `ha1_sha256`: lower-case hexadecimal as from `ha1`. For a user that does not exist pass those of a
        random password: the work, and so the time, is the same. Whether the user name is the one that the request
        speaks for is the caller's question.
        """
        _, realm, nonce, uri, response, algorithm, qop, nc, cnonce = credentials
        if algorithm not in self.algorithms or realm != self.realm:
            return Verdict.WRONG
        if len(response) != _RESPONSE_LENGTH[algorithm]:
            return Verdict.MALFORMED
        hashed, secret = (_sha256, ha1_sha256) if algorithm == b"SHA-256" else (_md5, ha1_md5)
        if qop == b"auth":
            if len(nc) != 8 or not cnonce or nc.translate(None, _HEX_DIGITS):
                return Verdict.MALFORMED
            middle = b"%b:%b:%b:auth" % (nonce, nc, cnonce)
        elif not qop:
            middle = nonce  # RFC 2069, still sent by old phones (RFC 3261 §22.4 item 9)
        else:
            return Verdict.WRONG
        key = (algorithm, method, uri)
        ha2 = self._ha2.get(key)
        if ha2 is None:
            ha2 = hashed(b"%b:%b" % (method, uri))
            if len(uri) <= _HA2_LONGEST:
                if len(self._ha2) >= _HA2_KEPT:
                    self._ha2.clear()
                self._ha2[key] = ha2
        expected = hashed(b"%b:%b:%b" % (secret, middle, ha2))
        if not hmac.compare_digest(expected, response.lower()):
            return Verdict.WRONG
        if uri != request_uri and not self._same_target(uri, request_uri):
            return Verdict.WRONG
        return Verdict.OK if self._fresh(nonce, now_ms // 1000) else Verdict.STALE

    def _same_target(self, signed: bytes, requested: bytes) -> bool:
        """Whether the signed URI stands for the requested one: same user at the same host (RFC 3261 §22.4 item 5).

        A signed URI without a user is taken for any user of that host: user agents exist that sign only their server.
        """
        try:
            one, other = parse_uri(signed), parse_uri(requested)
        except UriFault:
            return False
        if not isinstance(one, SipUri) or not isinstance(other, SipUri):
            return one == other
        if one.user and one.user_name != other.user_name:
            return False
        host, asked = one.host.lower(), other.host.lower()
        return host == asked or (host in self._own_hosts and asked in self._own_hosts)

    def _fresh(self, nonce: bytes, second: int) -> bool:
        made = self._known.get(nonce)
        if made is None:
            try:
                made = int(nonce[:_STAMP_LENGTH], 16)
            except ValueError:
                return False
            if not 0 <= made <= second + 1 or not hmac.compare_digest(self._make_nonce(made), nonce):
                return False
            self._remember(nonce, made)
        return made - 1 <= second <= made + self._lifetime

    def _make_nonce(self, second: int) -> bytes:
        stamp = b"%08x" % second
        mac = hmac.new(self._secret, stamp + b":" + self.realm, hashlib.sha256).hexdigest()
        return stamp + mac[:_MAC_LENGTH].encode()

    def _remember(self, nonce: bytes, second: int) -> None:
        if len(self._known) >= _NONCES_KEPT:
            self._known.clear()
        self._known[nonce] = second
