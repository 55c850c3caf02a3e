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
from functools import lru_cache
from typing import NamedTuple

from denwa.voip.sip.uri import SipUri, UriFault, parse_uri

_HEX_DIGITS = b"0123456789abcdefABCDEF"
_MAC_LENGTH = 32  # hexadecimal digits
_STAMP_LENGTH = 8
_NONCES_KEPT = 4096
_HA2_KEPT = 4096
_HA2_LONGEST = 256  # longer URIs are hashed each time
_PIECE_LONGEST = 128
_RESPONSE_LENGTH = {b"MD5": 32, b"SHA-256": 64}
_NAMES = (b"username", b"realm", b"nonce", b"uri", b"response")


class Verdict(Enum):
    """What the credentials are worth."""

    OK = "ok"
    STALE = "stale"  # the password is right, the nonce is too old or not ours: challenge with stale=true
    WRONG = "wrong"
    MALFORMED = "malformed"


class Credentials(NamedTuple):
    """The fields of an Authorization or Proxy-Authorization header, unquoted; b"" when absent."""

    username: bytes
    realm: bytes
    nonce: bytes
    uri: bytes
    response: bytes
    algorithm: bytes  # as in `_RESPONSE_LENGTH`, upper case; MD5 when absent
    qop: bytes
    nc: bytes
    cnonce: bytes


def _md5(text: bytes) -> bytes:
    return hashlib.md5(text, usedforsecurity=False).hexdigest().encode()


def _sha256(text: bytes) -> bytes:
    return hashlib.sha256(text, usedforsecurity=False).hexdigest().encode()


def ha1(algorithm: bytes, username: bytes, realm: bytes, password: bytes) -> bytes:
    """H(username:realm:password) in lower-case hexadecimal (RFC 7616 §3.4.2); `algorithm` is MD5 or SHA-256."""
    return (_sha256 if algorithm == b"SHA-256" else _md5)(b":".join((username, realm, password)))


def parse_credentials(header_value: bytes) -> Credentials | None:
    """Read the value of an Authorization header; None when it is not Digest or not well-formed (RFC 7616 §3.4).

    A phone writes the same fields in the same order every time, so that what stands between the quoted values says
    which of them is what: that reading is kept as a template.
    """
    pieces = header_value.split(b'"')
    between = tuple(pieces[::2])
    template = _templates.get(between)
    if template is None:
        if len(header_value) <= _TEMPLATE_LONGEST and b"\\" not in header_value:
            _keep_template(between, len(pieces))
        return _parse_credentials(header_value)
    username, realm, nonce, uri, response = [pieces[i] for i in template.quoted]
    if not username or not nonce or not uri or not response or b"\\" in header_value:
        return _parse_credentials(header_value)
    cnonce = pieces[template.cnonce] if template.cnonce else b""
    fields = (username, realm, nonce, uri, response, template.algorithm, template.qop, template.nc, cnonce)
    return tuple.__new__(Credentials, fields)  # a NamedTuple's own constructor is a Python function


class _Template(NamedTuple):
    """Where the quoted values of one manner of writing stand, and the fields that are not quoted."""

    quoted: tuple[int, ...]  # username, realm, nonce, uri, response
    cnonce: int  # 0: absent
    algorithm: bytes
    qop: bytes
    nc: bytes


_templates: dict[tuple[bytes, ...], _Template] = {}
_TEMPLATES_KEPT = 1024
_TEMPLATE_LONGEST = 1024


def _keep_template(between: tuple[bytes, ...], pieces: int) -> None:
    """Read a header with marks in the place of its quoted values, to learn which is which."""
    if not pieces & 1:
        return
    marks = {b"\x00%d" % i: i for i in range(1, pieces, 2)}
    probe = between[0] + b"".join(b'"%b"%b' % pair for pair in zip(marks, between[1:], strict=True))
    read = _parse_credentials(probe)
    if read is None:
        return
    quoted = tuple(marks.get(value, 0) for value in read[:5])
    cnonce = marks.get(read.cnonce, 0)
    plain = (read.algorithm, read.qop, read.nc)
    if not all(quoted) or any(value in marks for value in plain) or (read.cnonce and not cnonce):
        return
    if len(_templates) >= _TEMPLATES_KEPT:
        _templates.clear()
    _templates[between] = _Template(quoted, cnonce, *plain)


def _parse_credentials(header_value: bytes) -> Credentials | None:
    if header_value[:7].lower() != b"digest ":
        return None
    if b"\\" in header_value:
        scanned = _scan(header_value, 7)
        return None if scanned is None else _credentials(scanned)
    # What stands between quoted values is nearly the same in every message, so its reading is cached.
    pieces = header_value.split(b'"')
    last = len(pieces) - 1
    if last & 1:
        return None
    fields: dict[bytes, bytes] = {}
    count = 0
    pieces[0] = b"," + pieces[0][7:]
    for index in range(0, last, 2):
        piece = pieces[index]
        read = _between(piece) if len(piece) <= _PIECE_LONGEST else _read_between(piece)
        if read is None or not read[1]:
            return None
        tokens, name = read
        if tokens:
            fields.update(tokens)
        fields[name] = pieces[index + 1]
        count += len(tokens) + 1
    if pieces[last]:
        piece = pieces[last] + b",="
        read = _between(piece) if len(piece) <= _PIECE_LONGEST else _read_between(piece)
        if read is None:
            return None
        fields.update(read[0])
        count += len(read[0])
    return _credentials(fields) if count == len(fields) else None


def _read_between(piece: bytes) -> tuple[dict[bytes, bytes], bytes] | None:
    """Read `, nc=00000001, qop=auth, uri=`: the whole fields, and the name of the quoted one that follows."""
    parts = [part.strip() for part in piece.split(b",")]
    if parts.pop(0):
        return None
    tail = parts.pop() if parts else b""
    tokens: dict[bytes, bytes] = {}
    for part in parts:
        name, _, value = part.partition(b"=")
        name, value = name.rstrip().lower(), value.lstrip()
        if not name or not value or b" " in name or b" " in value or name in tokens:
            return None
        tokens[name] = value
    name = tail[:-1].rstrip().lower()
    return None if tail[-1:] != b"=" or b"=" in name or b" " in name else (tokens, name)


_between = lru_cache(maxsize=1024)(_read_between)


def _credentials(fields: dict[bytes, bytes]) -> Credentials | None:
    get = fields.get
    username, realm, nonce, uri, response = map(get, _NAMES)
    if not username or realm is None or not nonce or not uri or not response:
        return None
    return Credentials(
        username,
        realm,
        nonce,
        uri,
        response,
        get(b"algorithm", b"MD5").upper(),
        get(b"qop", b"").lower(),
        get(b"nc", b""),
        get(b"cnonce", b""),
    )


def _scan(text: bytes, position: int) -> dict[bytes, bytes] | None:
    """The fields from `position` on, quotes and escapes honoured; None when not well-formed."""
    fields: dict[bytes, bytes] = {}
    while True:
        equals = text.find(b"=", position)
        if equals < 0:
            return None
        name = text[position:equals].strip().lower()
        position = equals + 1
        while text[position : position + 1] in (b" ", b"\t"):
            position += 1
        if text[position : position + 1] == b'"':
            read = _quoted(text, position + 1)
            if read is None:
                return None
            value, position = read
            comma = text.find(b",", position)
            if text[position : comma if comma >= 0 else None].strip():
                return None
        else:
            comma = text.find(b",", position)
            value = text[position : comma if comma >= 0 else None].strip()
            if not value or b'"' in value or b" " in value:
                return None
        if not name or name in fields or b'"' in name or b" " in name or b"," in name:
            return None
        fields[name] = value
        if comma < 0:
            return fields
        position = comma + 1


def _quoted(text: bytes, position: int) -> tuple[bytes, int] | None:
    """A quoted string's content, unescaped, and the position after its closing quote."""
    out = bytearray()
    end = len(text)
    while position < end:
        char = text[position]
        if char == 0x22:
            return bytes(out), position + 1
        if char == 0x5C:
            position += 1
            if position >= end:
                return None
            char = text[position]
        out.append(char)
        position += 1
    return None


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
