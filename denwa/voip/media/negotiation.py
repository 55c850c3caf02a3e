"""Puts the codec policy (C3, N8) on the messages that carry offers and answers (RFC 3264, RFC 3261 §13, RFC 6337)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from denwa.voip.media.codec_policy import CodecOrder, Plan, Role, plan
from denwa.voip.media.sdp import edit, essence
from denwa.voip.sip.message import CONTENT_LENGTH, CONTENT_TYPE, Message
from denwa.voip.subscribers import Directory

if TYPE_CHECKING:
    from denwa.voip.calls.call import Call

# Requests whose body, and whose answer's body, is part of the negotiation (ACK besides).
NEGOTIATING: Final = frozenset((b"INVITE", b"UPDATE", b"PRACK"))
# Members of an enumeration are slow to get at, and this is asked in every call.
_OFFER, _ANSWER, _PHONE = Role.OFFER, Role.ANSWER, CodecOrder.PHONE
_PLAIN: Final = frozenset((b"Content-Type: application/sdp", b"c: application/sdp"))
_BOUNDARY: Final = re.compile(rb';\s*boundary\s*=\s*(?:"([^"]{1,70})"|([^\s";]{1,70}))', re.IGNORECASE)
_MAX_PARTS: Final = 10
_ZERO: Final = ord(b"0")
_MAX_UNTOUCHED: Final = 600  # octets
_UNTOUCHED: Final = 512
_MAX_REMEMBERED: Final = 4096  # octets of an SDP whose plan is worth keeping: ordinary ones have 200 to 1,500


class Negotiation:
    """The policy for the calls of a service's subscribers."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        # What follows the port of the only or first stream, of SDPs that stay as they are: with many phones it is the
        # same in every call, so that nothing needs to be read.
        self._untouched: dict[tuple[Role, CodecOrder, tuple[int, ...], bytes], Plan] = {}

    def offer(self, call: Call, request: Message) -> str:
        """An offer in a request: filter it. Gives the reason when it must be refused (488), "" otherwise."""
        decided = self._apply(call, request, _OFFER)
        return decided.refusal if decided is not None else ""

    def answer(self, call: Call, message: Message) -> None:
        """An answer in a request (ACK, PRACK): filter it."""
        self._apply(call, message, _ANSWER)

    def response(self, call: Call, response: Message, *, late_offer: bool) -> str:
        """The body of a provisional or successful response: an answer, or with `late_offer` (the INVITE had none) the
        offer. Gives the reason when nothing of such an offer is left, "" otherwise."""
        decided = self._apply(call, response, _OFFER if late_offer else _ANSWER)
        return "" if decided is None or decided.playable else decided.refusal

    def _apply(self, call: Call, message: Message, role: Role) -> Plan | None:
        place = sdp_place(message)
        if place is None:
            return None
        start, end = place
        body = message.body
        whole = end - start == len(body)
        sdp = body if whole else body[start:end]
        decided = self._decide(sdp, self._order(call), role, call.ilbc_modes or () if role is _ANSWER else ())
        if role is _OFFER:
            call.ilbc_modes = decided.ilbc_modes
        if decided.changes:
            sdp = edit(sdp, decided.changes, decided.refused_mids)
            message.body = sdp if whole else body[:start] + sdp + body[end:]
            message.replace(CONTENT_LENGTH, b"Content-Length: %d" % len(message.body))
        return decided

    def _decide(self, sdp: bytes, order: CodecOrder, role: Role, offered: tuple[int, ...]) -> Plan:
        before, _, stream = sdp.partition(b"\nm=audio ")
        port, _, rest = stream.partition(b" ")
        plain = port.isdigit() and port[0] != _ZERO and b"\nm=" not in before and len(rest) <= _MAX_UNTOUCHED
        if plain:
            known = self._untouched.get((role, order, offered, rest))
            if known is not None:
                return known
        find = plan if len(sdp) <= _MAX_REMEMBERED else plan.__wrapped__
        decided: Plan = find(essence(sdp), order, role, offered)
        if plain and not decided.changes and not decided.refusal:
            if len(self._untouched) >= _UNTOUCHED:
                self._untouched.clear()
            self._untouched[role, order, offered, rest] = decided
        return decided

    def _order(self, call: Call) -> CodecOrder:
        """The order that both sides' subscribers want. A narrow line decides for both: the other one can do with
        less."""
        known = self._directory.by_number
        called = call.forwarded[-1].number_to if call.forwarded else call.number_to
        caller, callee = known.get(call.number_from), known.get(called)
        one = _PHONE if caller is None else caller.codecs
        other = _PHONE if callee is None else callee.codecs
        if one is other or other is _PHONE:
            return one
        return other if one is _PHONE else CodecOrder.MOBILE  # one wants the narrow, one the wide


def has_sdp(message: Message) -> bool:
    """Whether a message carries a session description."""
    return sdp_place(message) is not None


def sdp_place(message: Message) -> tuple[int, int] | None:
    """Where in the body the SDP stands, as start and end: the whole of it, or the first such part of a multipart/mixed
    body (RFC 5621 §3); None when there is none."""
    body = message.body
    if not body:
        return None
    at = message.at.get(CONTENT_TYPE)
    if at is None:
        return None
    line = message.lines[at]
    if line in _PLAIN:
        return 0, len(body)
    value = line.partition(b":")[2]
    kind = value.partition(b";")[0].strip().lower()
    if kind == b"application/sdp":
        return 0, len(body)
    return _part(value, body) if kind == b"multipart/mixed" else None


def _part(content_type: bytes, body: bytes) -> tuple[int, int] | None:
    """The first SDP part of a multipart body (RFC 2046 §5.1.1)."""
    found = _BOUNDARY.search(content_type)
    if found is None:
        return None
    mark = b"--" + (found[1] or found[2])
    at = 0 if body.startswith(mark) else body.find(b"\r\n" + mark) + 2
    for _ in range(_MAX_PARTS):
        begin = body.find(b"\r\n", at)
        end = body.find(b"\r\n" + mark, begin)
        if at < 0 or begin < 0 or end < 0:
            return None
        head, blank, _ = body[begin:end].partition(b"\r\n\r\n")
        if blank and _is_sdp_part(head):
            return begin + len(head) + len(blank), end
        at = end + 2
    return None


def _is_sdp_part(head: bytes) -> bool:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() in (b"content-type", b"c"):
            return value.partition(b";")[0].strip().lower() == b"application/sdp"
    return False
