"""Who may speak inside a call: its parties, and nobody who only knows its Call-ID and tags (C2; decision 0014).

A request from the host where that side was last heard of is the party's, whatever its port: a NAT gives new ones. From
elsewhere a gateway is known by its address; a subscriber has to prove itself with its password, as a phone does that
has come into another network; anybody else has no such call.
"""

from __future__ import annotations

from denwa.voip.calls.call import Call
from denwa.voip.context import Context
from denwa.voip.registrar.authentication import Unproven, authenticate
from denwa.voip.sip.message import Message
from denwa.voip.sip.peer import Peer
from denwa.voip.sip.transactions import ServerTransaction


def subscriber_at(ctx: Context, call: Call, *, caller: bool) -> str:
    """The number (E.164) of the subscriber at one side of a call, "" for a gateway or the voicemail."""
    if caller:
        return call.subscriber if call.direction == "outgoing" else ""
    number = call.forwarded[-1].number_to if call.forwarded else call.number_to
    return number if not call.voicemail and number in ctx.directory.by_number else ""


def is_known_source(ctx: Context, call: Call, from_caller: bool, peer: Peer, known: Peer) -> bool:
    """Whether a message from `peer` needs no proof that it is of that side, last heard of at `known`."""
    if peer[0] == known[0]:
        return True
    return not subscriber_at(ctx, call, caller=from_caller) and not call.voicemail and ctx.trunk_of(peer) is not None


def proves_party(
    ctx: Context,
    server: ServerTransaction,
    call: Call,
    from_caller: bool,
    request: Message,
    peer: Peer,
    known: Peer,
    now: float,
) -> bool:
    """Whether a request from a new place is of that side of the call. False: it has been answered."""
    if is_known_source(ctx, call, from_caller, peer, known):
        return True
    number = subscriber_at(ctx, call, caller=from_caller)
    if not number:
        ctx.refuse(server, 481, "no such call", now)
        return False
    found = authenticate(ctx, request, peer, proxy=True)
    if not isinstance(found, Unproven):
        if found.number == number:
            return True
        ctx.refuse(server, 403, "this is not your call", now)
    elif found.status:
        ctx.refuse(server, found.status, found.text, now, *found.headers())
    else:
        ctx.challenge(server, stale=found.stale, now=now)
    return False
