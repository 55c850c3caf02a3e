"""Requests the service makes inside a dialog that it only watches: BYE, OPTIONS, ACK (RFC 3261 §12.2.1.1)."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from denwa.voip.calls.call import Call
from denwa.voip.sip.fields import FieldFault, address_uri, cseq_of
from denwa.voip.sip.message import CALL_ID, CONTACT, CSEQ, FROM, TO, Message
from denwa.voip.sip.peer import Peer

ViaLine = Callable[[Peer], bytes]


class Side(Enum):
    CALLER = "caller"
    CALLEE = "callee"


def farewell(call: Call, side: Side, via: ViaLine, reason: bytes) -> tuple[Peer, bytes]:
    """A BYE to `side`, as if the other side had sent it, with the next CSeq of that other side. `reason`: a line."""
    sender = call.callee if side is Side.CALLER else call.caller
    sender.cseq += 1 + sender.behind
    sender.behind = 0
    return _inside(call, side, b"BYE", sender.cseq, via, reason)


def ask_whether_alive(call: Call, side: Side, via: ViaLine) -> tuple[Peer, bytes]:
    """An OPTIONS to `side` with a CSeq that was used before: a phone that knows the call answers (200 or 500), one
    that does not says 481, and neither counts it. Of a side that has sent nothing yet it is 0, which is lower than all
    that it, or a BYE of ours, will have."""
    sender = call.callee if side is Side.CALLER else call.caller
    return _inside(call, side, b"OPTIONS", sender.cseq, via)


def _inside(call: Call, side: Side, method: bytes, cseq: int, via: ViaLine, *extra: bytes) -> tuple[Peer, bytes]:
    to_caller = side is Side.CALLER
    leg = call.caller if to_caller else call.callee
    sender, receiver = (call.told_callee, call.caller_true) if to_caller else (call.caller_shown, call.callee_to)
    lines = [method + b" " + (leg.contact or b"sip:invalid.invalid") + b" SIP/2.0", via(leg.peer)]
    lines += [b"Route: " + route for route in leg.routes]
    lines += [
        b"From: " + sender,
        b"To: " + receiver,
        b"Call-ID: " + (call.call_id if to_caller else call.shown_call_id),
        b"CSeq: %d %b" % (cseq, method),
        b"Max-Forwards: 70",
        *extra,
        b"Content-Length: 0\r\n\r\n",
    ]
    return leg.peer, b"\r\n".join(lines)


def ack_to_answer(response: Message, via: bytes, routes: tuple[bytes, ...]) -> bytes:
    return _to_answerer(response, b"ACK", 0, via, routes)


def bye_of_dismissed(response: Message, via: bytes, routes: tuple[bytes, ...]) -> bytes:
    return _to_answerer(response, b"BYE", 1, via, routes)


def _to_answerer(response: Message, method: bytes, ahead: int, via: bytes, routes: tuple[bytes, ...]) -> bytes:
    number, _ = cseq_of(response.value(CSEQ) or b"1 INVITE")
    try:
        target = address_uri(response.value(CONTACT) or b"") or b"sip:invalid.invalid"
    except FieldFault:
        target = b"sip:invalid.invalid"
    lines = [method + b" " + target + b" SIP/2.0", via]
    lines += [b"Route: " + route for route in routes]
    lines += [response.lines[response.at[kind]] for kind in (FROM, TO, CALL_ID)]
    lines += [b"CSeq: %d %b" % (number + ahead, method), b"Max-Forwards: 70", b"Content-Length: 0\r\n\r\n"]
    return b"\r\n".join(lines)
