"""SIP, SIPS and tel URIs and the addresses around them (RFC 3261 §19, §20.10, §25.1; RFC 3966), as bytes.

Parsed values are shared through a bounded cache: treat them as read-only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address
from typing import NamedTuple

_ALNUM = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_UNRESERVED = _ALNUM + b"-_.!~*'()"
# Raw bytes above 0x7F are let through: phones send full-width digits unescaped (service rule N3).
_HIGH = bytes(range(0x80, 0x100))
_USER_CHARS = _UNRESERVED + b"%&=+$,;?/" + b"#" + _HIGH
_PASSWORD_CHARS = _UNRESERVED + b"%&=+$,"
_PARAM_CHARS = _UNRESERVED + b"%[]/:&+$=;"
_HEADER_CHARS = _UNRESERVED + b"%[]/?:+$&=@;"
_HOST_CHARS = _ALNUM + b"-._"
_TEL_DIGITS = b"0123456789"
_HEX_DIGITS = b"0123456789abcdefABCDEF"
_TEL_CHARS = b"0123456789abcdefABCDEF*#-.()"
DISPLAY_FORBIDDEN = b',;:"<>@\x00\r\n'
_BLANK = b" \t\r\n"
_ipv4 = re.compile(rb"(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}").fullmatch
_CACHED_LENGTH = 200  # longer URIs are rare and would make the cache large
_UNRESERVED_SET = frozenset(_UNRESERVED)
# Parameters that make two URIs differ when only one has them (RFC 3261 §19.1.4).
_ALWAYS_COMPARED = (b"user", b"ttl", b"method", b"maddr")


class UriFault(ValueError):
    """A URI or address that breaks the grammar; the text says how."""


class SipUri(NamedTuple):
    """A SIP or SIPS URI as received; names of parameters and the scheme are lower case, nothing is unescaped."""

    scheme: bytes
    user: bytes  # with its own parameters, as in 0312345678;npdi; empty when absent
    password: bytes
    host: bytes  # name, IPv4 address, or IPv6 address in brackets
    port: int  # 0 when absent
    params: Mapping[bytes, bytes]  # in order; b"" for a parameter without value
    headers: bytes  # what follows "?", not split

    @property
    def user_phone(self) -> bool:
        """The user part is a telephone number by its own word (RFC 3261 §19.1.1)."""
        return self.params.get(b"user", b"").lower() == b"phone"

    @property
    def user_name(self) -> bytes:
        """The user without its parameters, unescaped."""
        return unescape(self.user.partition(b";")[0])

    @property
    def transport(self) -> bytes:
        """Lower case; empty when the URI does not say."""
        return self.params.get(b"transport", b"").lower()


class TelUri(NamedTuple):
    """A tel URI (RFC 3966): the number as written, separators included."""

    number: bytes
    params: Mapping[bytes, bytes]


class Address(NamedTuple):
    """A name-addr or addr-spec with the parameters of its header (RFC 3261 §20.10)."""

    display: bytes  # without quotes and escapes
    uri: bytes
    params: dict[bytes, bytes]  # names in lower case, values without quotes


def parse_uri(raw: bytes) -> SipUri | TelUri:
    """Read a sip:, sips: or tel: URI. Raises UriFault, also for other schemes."""
    return _parse_cached(raw) if len(raw) <= _CACHED_LENGTH else _parse(raw)


def _parse(raw: bytes) -> SipUri | TelUri:
    scheme, colon, rest = raw.partition(b":")
    scheme = scheme.lower()
    if scheme == b"tel":
        return _parse_tel(rest)
    if scheme not in (b"sip", b"sips") or not colon:
        raise UriFault("scheme is none of sip, sips, tel")
    user = password = b""
    userinfo, at, hostpart = rest.partition(b"@")
    if at:
        user, _, password = userinfo.partition(b":")
        if not user or user.translate(None, _USER_CHARS) or password.translate(None, _PASSWORD_CHARS):
            raise UriFault("user part")
        if b"%" in userinfo:
            _check_escapes(userinfo)
    else:
        hostpart = rest
    hostpart, mark, headers = hostpart.partition(b"?")
    if mark and (not headers or headers.translate(None, _HEADER_CHARS)):
        raise UriFault("headers")
    hostport, semicolon, tail = hostpart.partition(b";")
    params = _uri_params(tail) if semicolon else {}
    host, port = split_host_port(hostport)
    return SipUri(scheme, user, password, host, port, params, headers)


_parse_cached = lru_cache(maxsize=32_768)(_parse)


def _parse_tel(rest: bytes) -> TelUri:
    number, semicolon, tail = rest.partition(b";")
    digits = number[1:] if number[:1] == b"+" else number
    if not digits or digits.translate(None, _TEL_CHARS) or (digits is not number and not _has_digit(digits)):
        raise UriFault("telephone number")
    return TelUri(number, _uri_params(tail) if semicolon else {})


def _has_digit(text: bytes) -> bool:
    return len(text.translate(None, _TEL_DIGITS)) < len(text)


def _uri_params(tail: bytes) -> dict[bytes, bytes]:
    if tail.translate(None, _PARAM_CHARS):
        raise UriFault("parameters")
    if b"%" in tail:
        _check_escapes(tail)
    params: dict[bytes, bytes] = {}
    for part in tail.split(b";"):
        name, _, value = part.partition(b"=")
        name = name.lower()
        if not name or name in params:
            raise UriFault("parameter empty or given twice")
        params[name] = value
    return params


def split_host_port(hostport: bytes) -> tuple[bytes, int]:
    """Host as written and port, 0 when absent. Raises UriFault (RFC 3261 §25.1 hostport, RFC 5118)."""
    if hostport[:1] == b"[":
        host, bracket, after = hostport.partition(b"]")
        try:
            IPv6Address(host[1:].decode("ascii"))
        except (AddressValueError, UnicodeDecodeError):
            raise UriFault("IPv6 address") from None
        if not bracket or b"%" in host:
            raise UriFault("IPv6 address")
        host += bracket
        if not after:
            return host, 0
        colon, digits = after[:1], after[1:]
    else:
        host, colon, digits = hostport.partition(b":")
        if not host or host.translate(None, _HOST_CHARS) or host[0] in b"-.":
            raise UriFault("host")
        last = host.rpartition(b".")[2]
        if last[:1].isdigit():
            _check_ipv4(host)
        elif b".." in host:
            raise UriFault("host")
        if not colon:
            return host, 0
    if colon != b":" or not digits.isdigit() or len(digits) > 5:
        raise UriFault("port")
    port = int(digits)
    if not 0 < port < 65536:
        raise UriFault("port")
    return host, port


def _check_ipv4(host: bytes) -> None:
    if host.isdigit() or b"." not in host:
        raise UriFault("host")  # a bare number is neither a name nor an address
    if _ipv4(host) is None:
        raise UriFault("IPv4 address")


def _check_escapes(text: bytes) -> None:
    for part in text.split(b"%")[1:]:
        if len(part) < 2 or part[:2].translate(None, _HEX_DIGITS):
            raise UriFault("escape")


def unescape(text: bytes) -> bytes:
    """Undo %HH (RFC 3261 §19.1.2); an incomplete escape stays as it is."""
    if b"%" not in text:
        return text
    first, *parts = text.split(b"%")
    out = [first]
    for part in parts:
        code = part[:2]
        if len(code) == 2 and not code.translate(None, _HEX_DIGITS):
            out.append(bytes((int(code, 16),)) + part[2:])
        else:
            out.append(b"%" + part)
    return b"".join(out)


def _canonical(text: bytes) -> bytes:
    """Escapes in upper case, and none where the character needs none (RFC 3261 §19.1.4)."""
    if b"%" not in text:
        return text
    first, *parts = text.split(b"%")
    out = [first]
    for part in parts:
        code = part[:2].upper()
        char = unescape(b"%" + code)
        out.append((char if len(char) == 1 and char[0] in _UNRESERVED_SET else b"%" + code) + part[2:])
    return b"".join(out)


def same_binding_key(uri: SipUri | TelUri) -> bytes:
    """A key that equal URIs share (RFC 3261 §19.1.4); parameters that may differ are left out, see `same_uri`."""
    if isinstance(uri, TelUri):
        key = b"tel:" + uri.number.translate(None, b"-.()").lower()
        return key + b";" + uri.params.get(b"phone-context", b"").lower()
    user, password, params = uri.user, uri.password, uri.params
    if password:
        user += b":" + password
    key = b"%b:%b@%b:%d" % (uri.scheme, _canonical(user), uri.host.lower(), uri.port)
    if params:
        for name in _ALWAYS_COMPARED:
            if name in params:
                key += b";%b=%b" % (name, _canonical(params[name]).lower())
    return key


def same_uri(one: SipUri | TelUri, other: SipUri | TelUri) -> bool:
    """Whether two URIs are equal by RFC 3261 §19.1.4 (which is not transitive) or RFC 3966 §4."""
    if same_binding_key(one) != same_binding_key(other):
        return False
    if isinstance(one, SipUri) and isinstance(other, SipUri) and _headers(one) != _headers(other):
        return False
    both = one.params.keys() & other.params.keys()
    return all(_canonical(one.params[name]).lower() == _canonical(other.params[name]).lower() for name in both)


def _headers(uri: SipUri) -> list[bytes]:
    return sorted(_canonical(header) for header in uri.headers.split(b"&"))


def split_addresses(value: bytes) -> list[bytes]:
    """Split a comma-separated list of addresses; commas in quotes and in <> do not count. Raises UriFault."""
    if b"," not in value:
        return [value.strip(_BLANK)]
    if b'"' not in value and value.count(b"<") == 0:
        return _not_empty(value.split(b","))
    parts: list[bytes] = []
    start = position = 0
    while position < len(value):
        char = value[position]
        if char == 0x22:
            position = _end_of_quotes(value, position)
        elif char == 0x3C:
            position = value.find(b">", position)
            if position < 0:
                raise UriFault("< without >")
        elif char == 0x2C:
            parts.append(value[start:position])
            start = position + 1
        position += 1
    parts.append(value[start:])
    return _not_empty(parts)


def _not_empty(parts: list[bytes]) -> list[bytes]:
    stripped = [part.strip(_BLANK) for part in parts]
    if not all(stripped):
        raise UriFault("empty element in a list of addresses")
    return stripped


def _end_of_quotes(value: bytes, start: int) -> int:
    """Position of the quote that closes the one at `start`."""
    position = start + 1
    while True:
        end = value.find(b'"', position)
        if end < 0:
            raise UriFault("quote not closed")
        backslash = value.find(b"\\", position, end)
        if backslash < 0:
            return end
        position = backslash + 2


def unquote(text: bytes) -> bytes:
    """Content of a quoted-string given without its quotes: a backslash stands for what follows it (RFC 3261 §25.1)."""
    if b"\\" not in text:
        return text
    out = bytearray()
    escaped = False
    for char in text:
        if char == 0x5C and not escaped:
            escaped = True
        else:
            out.append(char)
            escaped = False
    return bytes(out)


def parse_address(value: bytes) -> Address:
    """Read one name-addr or addr-spec with its header parameters; the URI itself is not read. Raises UriFault."""
    value = value.strip(_BLANK)
    display = b""
    position = 0
    if value[:1] == b'"':
        end = _end_of_quotes(value, 0)
        display = unquote(value[1:end])
        position = end + 1
        if value[position:].lstrip(_BLANK)[:1] != b"<":
            raise UriFault("no <URI> after the quoted name")
    left = value.find(b"<", position)
    if left < 0:
        uri, semicolon, tail = value.partition(b";")
        uri = uri.rstrip(_BLANK)
        # Without <> a "?" or "," would belong to nobody (RFC 3261 §20.10).
        if b"?" in uri or b"," in uri:
            raise UriFault("URI with ? or , must be in <>")
    else:
        if position == 0:
            display = value[:left].strip(_BLANK)
            if len(display.translate(None, DISPLAY_FORBIDDEN)) != len(display):
                raise UriFault("display name must be quoted")
        right = value.find(b">", left)
        if right < 0:
            raise UriFault("< without >")
        uri = value[left + 1 : right]
        tail = value[right + 1 :].strip(_BLANK)
        if tail and tail[0] != 0x3B:
            raise UriFault("text after >")
        semicolon, tail = tail[:1], tail[1:]
    scheme, colon, rest = uri.partition(b":")
    if not colon or not scheme or not rest or b" " in uri or b"\t" in uri or b"<" in uri or b'"' in uri:
        raise UriFault("no URI in the address")
    return Address(display, uri, parse_params(tail) if semicolon else {})


def parse_params(tail: bytes) -> dict[bytes, bytes]:
    """Header parameters `a=1;b="x;y";c`: names in lower case, values unquoted. Raises UriFault."""
    params: dict[bytes, bytes] = {}
    for part in tail.split(b";") if b'"' not in tail else _split_quoted(tail):
        name, equals, value = part.partition(b"=")
        name = name.strip(_BLANK).lower()
        value = value.strip(_BLANK)
        if value[:1] == b'"':
            if len(value) < 2 or _end_of_quotes(value, 0) != len(value) - 1:
                raise UriFault("parameter value")
            value = unquote(value[1:-1])
        elif b'"' in value or b" " in value or b"\t" in value or (equals and not value):
            raise UriFault("parameter value")
        if not name or name in params or b" " in name or b'"' in name:
            raise UriFault("parameter empty or given twice")
        params[name] = value
    return params


def _split_quoted(tail: bytes) -> list[bytes]:
    parts: list[bytes] = []
    start = position = 0
    while position < len(tail):
        if tail[position] == 0x22:
            position = _end_of_quotes(tail, position)
        elif tail[position] == 0x3B:
            parts.append(tail[start:position])
            start = position + 1
        position += 1
    parts.append(tail[start:])
    return parts
