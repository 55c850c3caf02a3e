"""The header fields a proxy reads on every message: Via, tags, CSeq, comma lists, option tags.

Each has a fast path for the ordinary spelling and a careful one (quoted strings, LWS) behind it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from denwa.voip.sip.uri import DISPLAY_FORBIDDEN, unquote

MAGIC: Final = b"z9hG4bK"  # RFC 3261 §8.1.1.7
MAX_CSEQ: Final = 2**31 - 1
# The characters of a token, of which tags, methods and header names are made (RFC 3261 §25.1).
TOKEN: Final = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.!%*_+`'~"
# The ordinary single Via: branch, and rport without a value before or behind it.
_plain_via: Final = re.compile(
    rb"SIP/2\.0/(\w+) ([\w.:\[\]-]+);(rport;)?branch=([\w.!%*+`'~=/:-]+)(;rport)?", re.ASCII
).fullmatch


class FieldFault(Exception):
    """A header field cannot be read; the text says which and why."""


class Via(NamedTuple):
    """The topmost Via: `sent_by` as written (host or host:port), `branch` b"" when there is none."""

    transport: bytes
    sent_by: bytes
    branch: bytes
    rport: bool  # asked for (RFC 3581), no value yet


def split_list(value: bytes) -> list[bytes]:
    """Split a comma list; commas in quoted strings and in <…> do not count. Empty elements are left out."""
    if b"," not in value:
        value = value.strip()
        return [value] if value else []
    if b'"' not in value and b"<" not in value:
        return [part for part in (p.strip() for p in value.split(b",")) if part]
    return [part for part in (p.strip() for p in _split_commas(value)) if part]


def _outside_quotes(value: bytes) -> Iterator[tuple[int, bytes]]:
    """The characters that stand in no quoted string, with their places; the quotes themselves are left out."""
    i, quoted = 0, False
    while i < len(value):
        c = value[i : i + 1]
        if quoted:
            if c == b"\\":
                i += 1
            elif c == b'"':
                quoted = False
        elif c == b'"':
            quoted = True
        else:
            yield i, c
        i += 1


def _split_commas(value: bytes) -> list[bytes]:
    out, start, angle = [], 0, False
    for i, c in _outside_quotes(value):
        if c == b"<":
            angle = True
        elif c == b">":
            angle = False
        elif c == b"," and not angle:
            out.append(value[start:i])
            start = i + 1
    out.append(value[start:])
    return out


def top_via(value: bytes) -> Via:
    """Read the first element of a Via value. Raises FieldFault."""
    plain = _plain_via(value)
    if plain is not None:
        transport, sent_by, before, branch, after = plain.groups()
        # On every message, and a NamedTuple's own constructor is a Python function.
        return tuple.__new__(Via, (transport, sent_by, branch, bool(before or after)))
    if b"," in value:
        value = split_list(value)[0] if b'"' in value else value.partition(b",")[0]
    return _any_via(value)


def _any_via(value: bytes) -> Via:
    transport, sent_by, params = _careful_via(value)
    if not transport or not sent_by:
        raise FieldFault("Via without transport or sent-by")
    branch = b""
    rport = False
    for param in params.split(b";") if params else ():
        if not param:
            raise FieldFault("Via with an empty parameter")
        if param[:7] == b"branch=":
            branch = param[7:]
        elif param == b"rport":
            rport = True
        elif param[:7].lower() == b"branch=":
            branch = param[7:]
    return Via(transport, sent_by, branch, rport)


def _careful_via(value: bytes) -> tuple[bytes, bytes, bytes]:
    head, _, params = value.partition(b";")
    protocol = head.split(b"/", 2)
    if len(protocol) != 3 or protocol[0].strip().upper() != b"SIP" or protocol[1].strip() != b"2.0":
        raise FieldFault("Via of another protocol")
    rest = protocol[2].split(None, 1)
    if len(rest) != 2:
        raise FieldFault("Via without sent-by")
    tidy = b";".join(b"=".join(x.strip() for x in p.split(b"=", 1)) for p in params.split(b";"))
    return rest[0], b"".join(rest[1].split()), tidy


def tag_of(value: bytes) -> bytes:
    """The tag parameter of a From or To value, b"" when there is none (RFC 3261 §19.3)."""
    i = value.rfind(b";tag=")
    if i >= 0 and b'"' not in value and value.find(b">", i) < 0:
        end = value.find(b";", i + 5)
        return (value[i + 5 :] if end < 0 else value[i + 5 : end]).strip()
    return _careful_tag(value)


def _careful_tag(value: bytes) -> bytes:
    params = value[_end_of_address(value) :]
    for param in params.split(b";"):
        name, eq, text = param.partition(b"=")
        if eq and name.strip().lower() == b"tag":
            return text.strip()
    return b""


def _angle(value: bytes) -> int:
    """Where the first '<' outside a quoted string stands; -1: there is none."""
    return next((i for i, c in _outside_quotes(value) if c == b"<"), -1)


def _end_of_address(value: bytes) -> int:
    """Where the header parameters begin: behind '>' (outside quotes), or at the first ';' of a bare URI."""
    angle = _angle(value)
    end = value.find(b">", angle) if angle >= 0 else value.find(b";")
    return len(value) if end < 0 else end + (angle >= 0)


def address_uri(value: bytes) -> bytes:
    """The URI of a name-addr or addr-spec value, without its angle brackets. Raises FieldFault."""
    if value[:1] == b"<":
        end = value.find(b">")
        if end < 0:
            raise FieldFault("address without '>'")
        if value[1:4] != b"sip" and b":" not in value[1:end]:
            raise FieldFault("address without a URI")
        return value[1:end]
    end = _end_of_address(value)
    head = value[:end]
    angle = _angle(head)
    if angle >= 0 and head.endswith(b">"):
        return head[angle + 1 : -1]
    if b'"' in head or b"<" in head:
        raise FieldFault("address without '<…>'")
    if b":" not in head:
        raise FieldFault("address without a URI")  # a Contact may be *
    return head.strip()


def display_name(value: bytes) -> bytes:
    """The display name of an address value, unquoted; b"" when there is none."""
    if value[:1] == b'"':
        end = 1
        while end < len(value) and value[end : end + 1] != b'"':
            end += 2 if value[end : end + 1] == b"\\" else 1
        return unquote(value[1:end])
    angle = value.find(b"<")
    return value[:angle].strip() if angle > 0 else b""


def party_of(value: bytes) -> tuple[bytes, bytes]:
    """URI and tag of a From or To value. Raises FieldFault."""
    rest = value
    if rest[:1] == b'"' and b"\\" not in rest:
        rest = rest[1:].partition(b'"')[2].lstrip()
    if rest[:1] == b"<":
        uri, closed, tail = rest[1:].partition(b">")
        if uri[:1] == b" ":
            raise FieldFault("white space in the URI of From or To")
        if closed and not tail:
            return uri, b""
        if tail[:5] == b";tag=" and not tail[5:].translate(None, TOKEN):
            return uri, tail[5:]
    uri = address_uri(value)
    display = value[: max(_angle(value), 0)]
    if b" " in uri or b"\t" in uri:
        raise FieldFault("white space in the URI of From or To")
    if display[:1] != b'"' and len(display.translate(None, DISPLAY_FORBIDDEN)) != len(display):
        raise FieldFault("display name of From or To must be quoted")
    return uri, tag_of(value)


@lru_cache(maxsize=4096)
def cseq_of(value: bytes) -> tuple[int, bytes]:
    """CSeq as (number, method). Raises FieldFault."""
    number, _, method = value.partition(b" ")
    if not method or not number.isdigit() or len(number) > 10:
        parts = value.split()
        if len(parts) != 2 or not parts[0].isdigit() or len(parts[0]) > 10:
            raise FieldFault("CSeq without number and method")
        number, method = parts
    return int(number), method.strip()


@lru_cache(maxsize=4096)
def cseq_of_line(line: bytes) -> tuple[int, bytes]:
    """The same of a whole header line, of which there are few."""
    return cseq_of(line.partition(b":")[2].strip())


def has_option(values: list[bytes], option: bytes) -> bool:
    """Whether an option tag stands in Supported, Require, … values (case-insensitive)."""
    for value in values:
        for token in value.split(b","):
            if token.strip().lower() == option:
                return True
    return False


def delta_seconds(value: bytes, name: str) -> int:
    """A number of seconds, capped at 2**31 - 1; parameters behind it are ignored. Raises FieldFault."""
    digits = value.partition(b";")[0].strip()
    if not digits.isdigit():
        raise FieldFault(f"{name} is no number of seconds")
    return min(int(digits[:12]), MAX_CSEQ)
