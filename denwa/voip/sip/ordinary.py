"""Messages as a program writes them every time, read in one pass (decision 0030).

A phone writes the same headers in the same order, each in the same manner. Of a message that was read with care and
found sound a pattern is made, once: it matches only what careful reading (`parse_message`, `request_fault`, `top_via`,
`response_fault`) would find sound too, and gives the same fields. Whatever it does not match is read with care.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from denwa.voip.sip.authorization import FIELDS, Credentials, Manner, manner_of
from denwa.voip.sip.fields import Via
from denwa.voip.sip.message import (
    AUTHORIZATION,
    CALL_ID,
    CONTACT,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    CSEQ,
    EXPIRES,
    FROM,
    MAX_FORWARDS,
    MAX_HEAD,
    PROXY_AUTHORIZATION,
    TO,
    VIA,
    Message,
)

_LEARN_EVERY: Final = 0.02  # seconds: a pattern costs a millisecond to make
_MOST_LINES: Final = 40
_MOST_ALIKE: Final = 8  # patterns that begin alike, tried one after another
_MOST_PLACES: Final = 512
_MOST_TRIED: Final = 2048
_TRIES: Final = 3  # messages with the same headers of which a pattern is made, if they are ordinary

_ANY: Final = rb"[^\r\n\0]*"
_TOKEN: Final = rb"[\w.!%*+`'~-]+"
_URI_CHARS: Final = rb"[\w.!%*+`'~@;=/&$,()#-]"
_REQUEST_URI: Final = rb"sip:" + _URI_CHARS + rb"+(?::" + _URI_CHARS + rb"*)?"
_MORE_VIAS: Final = rb'(?:,[^"\r\n\0]*)?'
_ADDRESS: Final = rb'(?:"[^"\\\r\n\0]*" ?)?<(?P<%b>%b[^\s<>"\\\0]+)>'
_VIA: Final = (
    rb"SIP/2\.0/(?P<transport>\w+) (?P<sent_by>[\w.:\[\]-]+);(?P<before>rport;)?"
    rb"branch=(?P<branch>z9hG4bK[\w.!%*+`'~=/:-]*)(?P<after>;rport)?" + _MORE_VIAS
)
_OUR_VIA: Final = (
    rb"SIP/2\.0/(?P<transport>\w+) (?P<sent_by>[\w.:\[\]-]+);branch=(?P<branch>[\w.!%*+`'~=/:-]+)"
    rb"(?P<after>;rport)?(?:;(?:received|rport)=[\w.:\[\]-]*)*" + _MORE_VIAS
)
_RESPONSE_FIELDS: Final = ("status", "transport", "sent_by", "branch", "after", "cseq_method", "length")
_REQUEST_FIELDS: Final = (
    *("uri", "transport", "sent_by", "before", "branch", "after"),
    *("from_tag", "to_uri", "to_tag", "call_id", "cseq", "length"),
)


@dataclass(frozen=True, slots=True, eq=False)
class _Shape:
    """One manner of writing: the pattern, where the fields stand in it, and what is the same in all its messages."""

    pattern: re.Pattern[bytes]
    places: tuple[int, ...]  # groups, in the order of `_REQUEST_FIELDS` or `_RESPONSE_FIELDS`
    method: bytes  # b"": a response
    at: dict[int, int]
    more: int
    typed: bool  # has a Content-Type, without which there is no body
    signed: tuple[int, ...]  # groups of the credentials, in the order of `FIELDS`; empty: none, or read with care
    algorithm: bytes
    qop: bytes


class OrdinaryMessages:
    """The manners of writing met so far, bounded."""

    def __init__(self) -> None:
        self._shapes: dict[tuple[int, bytes], list[_Shape]] = {}
        self._tried: dict[tuple[bytes, ...], int] = {}
        self._learn_at = 0.0

    def read(self, data: bytes) -> tuple[Message, Via, bytes] | None:
        """A message with its topmost Via and the method of its CSeq; the fields of a request are filled in. None: read
        it with care."""
        end = data.find(b"\r\n\r\n")
        lines = data[:end].split(b"\r\n")
        shapes = self._shapes.get((len(lines), data[:3]))
        if shapes is None or len(data) > MAX_HEAD:
            return None
        for shape in shapes:
            found = shape.pattern.match(data)
            if found is not None:
                break
        else:
            return None
        if shape is not shapes[0]:
            shapes.remove(shape)
            shapes.insert(0, shape)
        # Below, tuple.__new__: a NamedTuple's own constructor is a Python function.
        body = data[end + 4 :]
        if not shape.method:
            status, transport, sent_by, branch, after, method, length = found.group(*shape.places)
            if int(length) != len(body):
                return None
            message = Message(lines, shape.at.copy(), body, shape.more, status=int(status))
            return message, tuple.__new__(Via, (transport, sent_by, branch, after is not None)), method
        (uri, transport, sent_by, before, branch, after, from_tag, to_uri, to_tag, call_id, cseq, length) = found.group(
            *shape.places
        )
        if int(length) != len(body) or (body and not shape.typed):
            return None
        credentials = None
        if shape.signed:
            username, realm, nonce, signed_uri, response, nc, cnonce = found.group(*shape.signed)
            signed = (username, realm, nonce, signed_uri, response, shape.algorithm, shape.qop, nc, cnonce)
            credentials = tuple.__new__(Credentials, signed)
        at, to_tag = shape.at.copy(), to_tag or b""
        message = Message(
            lines, at, body, shape.more, shape.method, uri, 0, call_id, from_tag, to_uri, to_tag, int(cseq), credentials
        )  # fmt: skip
        via = tuple.__new__(Via, (transport, sent_by, branch, bool(before or after)))
        return message, via, shape.method

    def learn(self, message: Message, data: bytes, now: float) -> None:
        """Make a pattern of a message that was read with care and found sound (`message` as read, `data` its bytes).

        To be called for senders that have proved themselves: a stranger would fill the table.
        """
        if now < self._learn_at:
            return
        self._learn_at = now + _LEARN_EVERY
        lines = data.partition(b"\r\n\r\n")[0].split(b"\r\n")
        names = (message.method, *[line.partition(b":")[0] for line in lines[1:]])
        tries = self._tried.get(names, 0)
        if tries >= _TRIES or len(lines) > _MOST_LINES or CONTENT_LENGTH not in message.at:
            return
        if len(lines) != len(message.lines):  # folded
            return
        if len(self._tried) >= _MOST_TRIED:
            self._tried.clear()
        self._tried[names] = tries + 1
        manner = _manner(message)
        pattern = re.compile(_pattern(message, lines, manner), re.ASCII)
        if pattern.match(data) is not None:
            self._keep((len(lines), data[:3]), message, pattern, manner)

    def _keep(
        self, place: tuple[int, bytes], message: Message, pattern: re.Pattern[bytes], manner: Manner | None
    ) -> None:
        fields = _REQUEST_FIELDS if message.method else _RESPONSE_FIELDS
        places = tuple(pattern.groupindex[name] for name in fields)
        signed = tuple(pattern.groupindex[name] for name in FIELDS) if manner is not None else ()
        at = message.at.copy()
        typed = CONTENT_TYPE in at
        algorithm, qop = (b"", b"") if manner is None else manner[1:]
        shape = _Shape(pattern, places, message.method, at, message.more, typed, signed, algorithm, qop)
        if len(self._shapes) >= _MOST_PLACES:
            self._shapes.clear()
        alike = self._shapes.setdefault(place, [])
        alike[:] = [shape, *[one for one in alike if one.pattern.pattern != pattern.pattern]][:_MOST_ALIKE]


def _pattern(message: Message, lines: list[bytes], manner: Manner | None) -> bytes:
    """What matches the messages that differ from this one in nothing but ordinary values."""
    start = rb"%b (?P<uri>%b) SIP/2\.0" % (re.escape(message.method), _REQUEST_URI)
    parts = [start if message.method else rb"SIP/2\.0 (?P<status>[1-6]\d\d) " + _ANY]
    first = {i: kind for kind, i in message.at.items()}
    for i, line in enumerate(lines[1:], 1):
        name = line.partition(b":")[0]
        kind = first.get(i, 0)
        signed = manner is not None and kind in (AUTHORIZATION, PROXY_AUTHORIZATION)
        value = manner.pattern if signed and manner else _value_pattern(message, kind, name)
        parts.append(re.escape(name) + b":" + (_ANY if value is None else rb"[ \t]*" + value))
    return rb"\r\n".join(parts) + rb"\r\n\r\n"


def _manner(message: Message) -> Manner | None:
    """How a request writes its credentials, if it has one header of them."""
    kinds = [kind for kind in (AUTHORIZATION, PROXY_AUTHORIZATION) if kind in message.at]
    if not message.method or len(kinds) != 1 or message.more >> kinds[0] & 1:
        return None
    return manner_of(message.value(kinds[0]) or b"")


def _value_pattern(message: Message, kind: int, name: bytes) -> bytes | None:
    """The ordinary value of the first header of a kind; None: it may be anything."""
    method = message.method
    if kind == CONTENT_LENGTH:
        return rb"(?P<length>\d{1,9})"
    if kind == CSEQ:
        return rb"(?P<cseq>\d{1,9}) " + re.escape(method) if method else rb"\d{1,9} (?P<cseq_method>\w+)"
    if kind == VIA:
        return _VIA if method else _OUR_VIA
    if not method:
        return None
    if kind == FROM:
        return _ADDRESS % (b"from_uri", b"") + rb";tag=(?P<from_tag>" + _TOKEN + b")"
    if kind == TO:
        return (
            _ADDRESS % (b"to_uri", b"sips?:" if method == b"REGISTER" else b"") + rb"(?:;tag=(?P<to_tag>%b))?" % _TOKEN
        )
    if kind == CALL_ID:
        return rb"(?P<call_id>[^\s\0]{1,512})"
    if kind == MAX_FORWARDS:
        return rb"\d{1,2}"
    if method == b"REGISTER" and kind == EXPIRES:
        return rb"\d+"
    if method == b"REGISTER" and kind == CONTACT:
        return b"<" + _ANY if name == b"Contact" else rb"[^\r\n\0?]*"
    return None
