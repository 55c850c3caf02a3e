"""The mechanics of forwarding (RFC 3261 §16.4, §16.6, §16.7): Route, Max-Forwards, Via, Record-Route, loops."""

from __future__ import annotations

from typing import Final

from denwa.voip.context import Context
from denwa.voip.sip.fields import FieldFault, address_uri, split_list, top_via
from denwa.voip.sip.message import MAX_FORWARDS, RECORD_ROUTE, ROUTE, VIA, Message
from denwa.voip.sip.peer import Peer
from denwa.voip.sip.uri import SipUri, UriFault, parse_uri

DEFAULT_HOPS: Final = 70


def count_hop(request: Message) -> bool:
    """Take one from Max-Forwards, or put 70 on. False when there is none left (483)."""
    value = request.value(MAX_FORWARDS)
    hops = DEFAULT_HOPS + 1 if value is None else int(value)
    if hops <= 0:
        return False
    request.replace(MAX_FORWARDS, b"Max-Forwards: %d" % (hops - 1))
    return True


def is_own_uri(ctx: Context, uri: bytes) -> bool:
    """Whether a URI names this service (one of its domains or addresses, one of its ports or none)."""
    if uri.startswith(b"sip:" + ctx.sent_by):
        return uri[4 + len(ctx.sent_by) :][:1] in (b"", b";", b"?")
    try:
        parsed = parse_uri(uri)
    except UriFault:
        return False
    if not isinstance(parsed, SipUri) or not ctx.is_own_host(parsed.host):
        return False
    return not parsed.port or parsed.port in ctx.own.ports


def strip_own_routes(ctx: Context, request: Message) -> None:
    """Take the topmost Route values that name us off (§16.4); undo what a strict router did to the Request-URI."""
    i = request.at.get(ROUTE)
    if i is None:
        return
    if request.lines[i] == ctx.route_udp and not request.more >> ROUTE & 1 and b";lr" not in request.uri:
        request.remove(ROUTE)
        return
    values = [element for value in request.values(ROUTE) for element in split_list(value)]
    if values and b";lr" in request.uri and is_own_uri(ctx, request.uri):
        request.uri = address_uri(values.pop())
        request.lines[0] = request.method + b" " + request.uri + b" SIP/2.0"
    rest = list(values)
    while rest and _names_us(ctx, rest[0]):
        del rest[0]
    if rest != values or not rest:
        request.remove(ROUTE)
        if rest:
            request.replace(ROUTE, b"Route: " + b", ".join(rest))


def _names_us(ctx: Context, value: bytes) -> bool:
    try:
        return is_own_uri(ctx, address_uri(value))
    except FieldFault:
        return False


def loop_mark(request: Message, uri: bytes) -> int:
    """What must differ when a request rightly passes twice (RFC 5393 §4.2.1), as a number."""
    return hash((uri, request.from_tag, request.to_tag, request.call_id, request.cseq)) & 0xFFFFFFFF


def is_loop(ctx: Context, request: Message) -> bool:
    """Whether one of our own Vias below the top stands for the very same request."""
    if not request.more >> VIA & 1 and b"," not in request.lines[request.at[VIA]]:
        return False
    mark = loop_mark(request, request.uri)
    vias = [element for value in request.values(VIA) for element in split_list(value)]
    for value in vias[1:]:
        try:
            if ctx.own_branch_mark(top_via(value).branch) == mark:
                return True
        except FieldFault:
            continue
    return False


def record_route(ctx: Context, inward: Peer, outward: Peer) -> list[bytes]:
    """Record-Route lines: one, or one for each side when address or transport differ (RFC 5658)."""
    if len(inward) == 2 and len(outward) == 2 and not ctx.own.several:
        return [ctx.record_route_udp]
    first, second = ctx.own.of(outward).route(outward), ctx.own.of(inward).route(inward)
    return [first] if first == second else [first, second]


def pop_via(response: Message) -> None:
    """Take our Via off a response before it goes on (§16.7 step 3)."""
    i = response.at[VIA]
    line = response.lines[i]
    comma = line.find(b",")
    if comma > 0 and b'"' not in line:
        response.lines[i] = b"Via: " + line[comma + 1 :].lstrip()
        return
    if comma > 0:
        rest = split_list(line[line.find(b":") + 1 :])[1:]
        if rest:
            response.lines[i] = b"Via: " + b", ".join(rest)
            return
    response.drop_first(VIA)


def foreign_routes(ctx: Context, message: Message, *, above_ours: bool) -> tuple[bytes, ...]:
    """The Record-Route values put on by others: below ours in a request (the caller's side), above in a response."""
    i = message.at.get(RECORD_ROUTE)
    if i is None or (message.lines[i] == ctx.record_route_udp and not message.more >> RECORD_ROUTE & 1):
        return ()
    values = [element for value in message.values(RECORD_ROUTE) for element in split_list(value)]
    own = [i for i, value in enumerate(values) if _names_us(ctx, value)]
    if above_ours:
        return tuple(reversed(values[: own[0]] if own else values))
    return tuple(values[own[-1] + 1 :] if own else values)
