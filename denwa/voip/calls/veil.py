"""What stands between a caller that hides and the called side: a dialog of another name (N7).

To the called side the call has a Call-ID, a From tag and a To of our own, and no Via, Contact or Record-Route of the
caller's. The caller knows its own ones; each message that crosses is put into the terms of the side it goes to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from denwa.voip.sip.fields import tag_of
from denwa.voip.sip.message import CALL_ID, FROM, RECORD_ROUTE, ROUTE, TO, VIA, Message, kind_of

if TYPE_CHECKING:
    from denwa.voip.calls.call import Call


@dataclass(frozen=True, slots=True)
class Veil:
    """`call_id`: what the called side has; `shown_to` and `dialled_to`: the To value (without a tag) that it got and
    that the caller sent, which may begin with the dialled 184; `vias`: Via lines of the caller's INVITE."""

    call_id: bytes
    shown_to: bytes
    dialled_to: bytes
    vias: tuple[bytes, ...]

    def lines(self) -> tuple[bytes, ...]:
        """For the journal: one value a line."""
        return self.call_id, self.shown_to, self.dialled_to, b"%d" % len(self.vias), *self.vias


def take_veil(values: list[bytes]) -> Veil | None:
    """Read what `Veil.lines` wrote, or one empty value for none, from the front of `values`, which loses it. Raises
    ValueError."""
    if values[:1] == [b""]:
        del values[:1]
        return None
    call_id, shown_to, dialled_to, count = values[:4]
    vias = tuple(values[4 : 4 + int(count)])
    if len(vias) != int(count):
        raise ValueError("Vias are missing")
    del values[: 4 + int(count)]
    return Veil(call_id, shown_to, dialled_to, vias)


def tagged(value: bytes, tag: bytes) -> bytes:
    return value + b";tag=" + tag if tag else value


def reveal_answer(call: Call, veil: Veil, response: Message, asked: Message | None) -> None:
    """Put a response of the called side into the caller's terms. `asked`: the request as the caller sent it inside the
    call; None: the INVITE that began it."""
    if asked is None:
        vias: tuple[bytes, ...] = veil.vias
        sender, call_id = b"From: " + call.caller_true, b"Call-ID: " + call.call_id
        if RECORD_ROUTE in response.at and call.caller.routes:
            response.lines.append(b"Record-Route: " + b", ".join(call.caller.routes))
    else:
        vias = tuple(asked.lines_of(VIA))
        sender, call_id = asked.lines[asked.at[FROM]], asked.lines[asked.at[CALL_ID]]
    response.remove(VIA)
    response.replace(FROM, sender)
    response.replace(CALL_ID, call_id)
    response.replace(TO, b"To: " + tagged(veil.dialled_to, tag_of(response.value(TO) or b"")))
    response.lines[1:1] = vias
    response.at = {kind: i + len(vias) for kind, i in response.at.items()}


def reveal_request(call: Call, veil: Veil, request: Message) -> Message:
    """A copy of a request of the called side, as the caller can place it."""
    lines = [b"" if kind_of(line) == ROUTE else line for line in request.lines]
    copy = Message(lines, {kind: i for kind, i in request.at.items() if kind != ROUTE}, request.body)
    copy.more = request.more & ~(1 << ROUTE)
    copy.method = request.method
    copy.uri = call.caller.contact or request.uri
    lines[0] = request.method + b" " + copy.uri + b" SIP/2.0"
    copy.call_id, copy.cseq = call.call_id, request.cseq
    copy.from_tag, copy.to_tag = request.from_tag, call.caller.tag
    copy.replace(FROM, b"From: " + tagged(veil.dialled_to, request.from_tag))
    copy.replace(TO, b"To: " + call.caller_true)
    copy.replace(CALL_ID, b"Call-ID: " + call.call_id)
    if call.caller.routes:
        lines.append(b"Route: " + b", ".join(call.caller.routes))
    return copy
