"""The client's half of digest: answering the challenge of a carrier (RFC 7616, RFC 8760, RFC 3261 §22). Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final, NamedTuple

from denwa.voip.gateways.trunk import Account
from denwa.voip.sip.message import Message

# In order of preference, wherever the carrier lists them: MD5 only when there is nothing else (RFC 8760 §2.4).
_HASHES: Final = {b"SHA-256": "sha256", b"MD5": "md5"}


class Challenge(NamedTuple):
    """`algorithm` b"" when the carrier named none (MD5). `proxy`: of a 407."""

    realm: bytes
    nonce: bytes
    algorithm: bytes
    qop: bool  # auth is offered
    opaque: bytes | None
    stale: bool
    proxy: bool

    @property
    def hash_name(self) -> bytes:
        return self.algorithm.upper() or b"MD5"


def challenge_of(response: Message) -> Challenge | None:
    """What a 401 or 407 asks for; None: nothing that can be answered."""
    proxy = response.status == 407
    wanted = b"proxy-authenticate" if proxy else b"www-authenticate"
    split = (line.partition(b":") for line in response.lines[1:])
    return read_challenge((value for name, _, value in split if name.strip().lower() == wanted), proxy=proxy)


def read_challenge(values: Iterable[bytes], *, proxy: bool) -> Challenge | None:
    """The best challenge among the header values of a 401 or 407; None: there is none that can be answered."""
    found = [challenge for value in values if (challenge := _read(value, proxy)) is not None]
    order = list(_HASHES)
    return min(found, key=lambda challenge: order.index(challenge.hash_name), default=None)


def _read(value: bytes, proxy: bool) -> Challenge | None:
    scheme, _, rest = value.strip().partition(b" ")
    if scheme.lower() != b"digest":
        return None
    fields = _fields(rest)
    if fields is None or b"realm" not in fields or not fields.get(b"nonce"):
        return None
    algorithm = fields.get(b"algorithm", b"")
    offered = fields.get(b"qop")
    qop = offered is not None and b"auth" in [part.strip().lower() for part in offered.split(b",")]
    if (algorithm.upper() or b"MD5") not in _HASHES or (offered is not None and not qop):
        return None
    stale = fields.get(b"stale", b"").lower() == b"true"
    return Challenge(fields[b"realm"], fields[b"nonce"], algorithm, qop, fields.get(b"opaque"), stale, proxy)


def _fields(text: bytes) -> dict[bytes, bytes] | None:
    """name=value and name="value", comma separated. Quoted values stay as written: they are sent back so."""
    fields: dict[bytes, bytes] = {}
    position = 0
    while position < len(text):
        name, equals, _ = text[position:].partition(b"=")
        if not equals:
            return None if name.strip(b" \t,") else fields
        start = position + len(name) + 1
        while text[start : start + 1] in (b" ", b"\t"):
            start += 1
        if text[start : start + 1] == b'"':
            end = start + 1
            while end < len(text) and text[end : end + 1] != b'"':
                end += 2 if text[end : end + 1] == b"\\" else 1
            if end >= len(text):
                return None
            value = text[start + 1 : end]
            end += 1
        else:
            end = text.find(b",", start)
            end = len(text) if end < 0 else end
            value = text[start:end].strip()
        fields.setdefault(name.strip(b" \t,").lower(), value)
        position = end
    return fields


class Credentials:
    """One account at one carrier: the challenge last met, and how often its nonce was used (RFC 7616 §3.4)."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._challenge: Challenge | None = None
        self._count = 0

    @property
    def known(self) -> bool:
        """A challenge was met: requests can carry credentials at once."""
        return self._challenge is not None

    def challenged(self, challenge: Challenge) -> None:
        if self._challenge is None or challenge.nonce != self._challenge.nonce:
            self._count = 0
        self._challenge = challenge

    def forget(self) -> None:
        """The carrier refused them."""
        self._challenge = None

    def line(self, method: bytes, uri: bytes, cnonce: bytes) -> bytes:
        """The header line for one request; each counts the nonce on. Only when `known`."""
        challenge = self._challenge
        if challenge is None:
            raise ValueError("no challenge was met")
        self._count += 1
        account = self._account
        response = answer(challenge, account.user, account.password, method, uri, self._count, cnonce)
        out = [
            b'username="%b"' % account.user,  # no quote or backslash is in it: the settings see to that
            b'realm="%b"' % challenge.realm,
            b'nonce="%b"' % challenge.nonce,
            b'uri="%b"' % uri,
            b'response="%b"' % response,
        ]
        if challenge.algorithm:
            out.append(b"algorithm=" + challenge.algorithm)
        if challenge.qop:
            out.append(b'cnonce="%b", qop=auth, nc=%08x' % (cnonce, self._count))
        if challenge.opaque is not None:
            out.append(b'opaque="%b"' % challenge.opaque)
        name = b"Proxy-Authorization" if challenge.proxy else b"Authorization"
        return name + b": Digest " + b", ".join(out)


def answer(
    challenge: Challenge, user: bytes, password: bytes, method: bytes, uri: bytes, count: int, cnonce: bytes
) -> bytes:
    """The `response` of RFC 7616 §3.4.1, or of RFC 2069 when no qop was offered."""
    name = _HASHES[challenge.hash_name]

    def hashed(text: bytes) -> bytes:
        return hashlib.new(name, text, usedforsecurity=False).hexdigest().encode()

    secret = hashed(b":".join((user, challenge.realm, password)))
    middle = b"%b:%08x:%b:auth" % (challenge.nonce, count, cnonce) if challenge.qop else challenge.nonce
    return hashed(b":".join((secret, middle, hashed(method + b":" + uri))))
