"""The Authorization header (RFC 7616 §3.4): read with care, and the pattern of how one program writes it."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

_PIECE_LONGEST = 128
_NAMES = (b"username", b"realm", b"nonce", b"uri", b"response")
_COUNT: Final = re.compile(rb"(?<![^\s,])(nc *= *)([0-9a-fA-F]{8})(?![^\s,])", re.ASCII | re.IGNORECASE)
_QUOTED: Final = rb'[^"\\\r\n\0]'


class Credentials(NamedTuple):
    """The fields of an Authorization or Proxy-Authorization header, unquoted; b"" when absent."""

    username: bytes
    realm: bytes
    nonce: bytes
    uri: bytes
    response: bytes
    algorithm: bytes  # upper case; MD5 when absent
    qop: bytes
    nc: bytes
    cnonce: bytes


def parse_credentials(header_value: bytes) -> Credentials | None:
    """Read the value of an Authorization header; None when it is not Digest or not well-formed (RFC 7616 §3.4)."""
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


class Manner(NamedTuple):
    """How one program writes its credentials: `pattern` matches the values that `parse_credentials` reads in the same
    way, with the named groups of `FIELDS`; the algorithm and qop are the same in all of them."""

    pattern: bytes
    algorithm: bytes
    qop: bytes


FIELDS: Final = ("username", "realm", "nonce", "signed_uri", "response", "nc", "cnonce")


def manner_of(header_value: bytes) -> Manner | None:
    """The manner in which this value is written; None when it is no ordinary one.

    What stands between the quoted values says which of them is what: it is read with marks in their place.
    """
    pieces = header_value.split(b'"')
    if b"\\" in header_value or not len(pieces) & 1:
        return None
    marks = {b"\x00%d" % place: place for place in range(1, len(pieces), 2)}
    probe = pieces[0] + b"".join(b'"%b"%b' % pair for pair in zip(marks, pieces[2::2], strict=True))
    read = parse_credentials(probe)
    if read is None or any(value in marks for value in (read.algorithm, read.qop, read.nc)):
        return None
    quoted = dict(zip(map(marks.get, (*read[:5], read.cnonce)), (*FIELDS[:5], FIELDS[6]), strict=True))
    if None in quoted and (len(quoted) < 6 or quoted[None] != "cnonce" or read.cnonce):
        return None
    return _manner(pieces, quoted, read)


def _manner(pieces: list[bytes], quoted: dict[int | None, str], read: Credentials) -> Manner | None:
    """`quoted`: the names of the quoted fields by place, that of a missing one under None."""
    parts: list[bytes] = []
    counts = 0
    for place, piece in enumerate(pieces):
        if place & 1:
            name = quoted.get(place)
            least = b"*" if name in (None, "realm", "cnonce") else b"+"
            parts.append(b'"%b"' % (_QUOTED + least if name is None else _group(name, _QUOTED + least)))
        elif count := _COUNT.search(piece):
            counts += len(_COUNT.findall(piece))
            parts += (
                re.escape(piece[: count.start(2)]),
                _group("nc", b"[0-9a-fA-F]{8}"),
                re.escape(piece[count.end() :]),
            )
        else:
            parts.append(re.escape(piece))
    if counts != (1 if read.nc else 0):
        return None
    parts += [_group(name, b"") for name, absent in (("nc", not read.nc), ("cnonce", None in quoted)) if absent]
    return Manner(b"".join(parts), read.algorithm, read.qop)


def _group(name: str, pattern: bytes) -> bytes:
    return b"(?P<%b>%b)" % (name.encode(), pattern)
