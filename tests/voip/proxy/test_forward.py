"""The mechanics of passing a message on (RFC 3261 §16.4, §16.6, §16.7)."""

from __future__ import annotations

import pytest

from denwa.voip.proxy.forward import (
    count_hop,
    foreign_routes,
    is_loop,
    is_own_uri,
    loop_mark,
    pop_via,
    record_route,
    strip_own_routes,
)
from denwa.voip.sip import message as m
from denwa.voip.sip.checks import request_fault
from denwa.voip.sip.message import Message, parse_message
from tests.voip.sip.messages import INVITE, RINGING, line
from tests.voip.wire import Wire

CTX = Wire().engine.ctx
OURS = b"SIP/2.0/UDP 192.0.2.10:5060;branch="


def request(*changes: tuple[bytes, bytes]) -> Message:
    data = INVITE
    for old, new in changes:
        data = line(data, old, new)
    message = parse_message(data)
    assert request_fault(message) is None
    return message


@pytest.mark.parametrize(
    ("uri", "own"),
    [
        (b"sip:192.0.2.10:5060;lr", True),
        (b"sip:192.0.2.10:5060", True),
        (b"sip:192.0.2.10", True),
        (b"SIP:DENWA.example;lr", True),
        (b"sip:192.0.2.10:50601;lr", False),
        (b"sip:192.0.2.10:5062;lr", False),
        (b"sip:192.0.2.100:5060;lr", False),
        (b"sip:denwa.example.evil.example", False),
        (b"tel:+81312345678", False),
        (b"nonsense", False),
    ],
)
def test_a_uri_names_this_service_by_domain_or_address_and_its_port(uri, own):
    assert is_own_uri(CTX, uri) == own


@pytest.mark.parametrize(("before", "after"), [(b"70", b"69"), (b"1", b"0")])
def test_a_hop_is_counted(before, after):
    message = request((b"Max-Forwards: 70", b"Max-Forwards: " + before))
    assert count_hop(message)
    assert message.value(m.MAX_FORWARDS) == after


def test_no_hop_is_left_at_0():
    assert not count_hop(request((b"Max-Forwards: 70", b"Max-Forwards: 0")))


@pytest.mark.parametrize(
    ("routes", "left"),
    [
        (b"<sip:192.0.2.10;lr>", None),
        (b"<sip:192.0.2.10;lr>, <sip:192.0.2.10:5060;transport=tcp;lr>", None),  # both of a double Record-Route
        (b"<sip:192.0.2.10;lr>, <sip:198.51.100.1;lr>", b"<sip:198.51.100.1;lr>"),
        (b"<sip:198.51.100.1;lr>, <sip:192.0.2.10;lr>", b"<sip:198.51.100.1;lr>, <sip:192.0.2.10;lr>"),
        (b'"a, b" <sip:denwa.example;lr>,"c" <sip:x;lr>', b'"c" <sip:x;lr>'),
        (b"<sip:192.0.2.10;lr", b"<sip:192.0.2.10;lr"),
        (b"", None),
    ],
)
def test_our_own_routes_are_taken_off_the_top_and_others_stay(routes, left):
    message = request((b"Route: <sip:192.0.2.10;lr>, <sip:198.51.100.1;lr>", b"Route: " + routes))
    strip_own_routes(CTX, message)
    assert message.value(m.ROUTE) == left


def test_what_a_strict_router_did_is_undone():  # §16.4
    message = request((b"INVITE sip:0312345678@denwa.example", b"INVITE sip:192.0.2.10:5060;lr"))
    strip_own_routes(CTX, message)
    assert message.uri == b"sip:198.51.100.1;lr"
    assert message.lines[0] == b"INVITE sip:198.51.100.1;lr SIP/2.0"
    assert message.value(m.ROUTE) is None


@pytest.mark.parametrize(
    ("vias", "left"),
    [
        ([OURS + b"1"], []),
        ([OURS + b"1", b"SIP/2.0/TCP b"], [b"SIP/2.0/TCP b"]),
        ([OURS + b"1, SIP/2.0/TCP b;x=1", b"SIP/2.0/UDP c"], [b"SIP/2.0/TCP b;x=1", b"SIP/2.0/UDP c"]),
        ([OURS + b'1;x="a,b", SIP/2.0/TCP b'], [b"SIP/2.0/TCP b"]),
        ([OURS + b'1;x="a,b"', b"SIP/2.0/TCP b"], [b"SIP/2.0/TCP b"]),
    ],
)
def test_our_via_is_taken_off_a_response_and_only_ours(vias, left):  # §16.7 step 3
    head, _, rest = RINGING.partition(b"\r\n")
    kept = b"\r\n".join(x for x in rest.split(b"\r\n") if not x.startswith(b"v:"))
    response = parse_message(b"\r\n".join([head, *(b"Via: " + via for via in vias), kept]))
    pop_via(response)
    again = parse_message(response.encode())
    assert again.values(m.VIA) == left


def test_a_loop_is_told_from_a_call_that_rightly_passes_twice():  # RFC 5393 §4.2.1
    first = request()
    mark = loop_mark(first, first.uri)
    branch = CTX.new_branch(mark)
    other = (b"SIP/2.0/TCP proxy.example;branch=z9hG4bKold", OURS + branch)
    back = request(other)
    assert is_loop(CTX, back)
    spiral = request(other, (b"INVITE sip:0312345678@", b"INVITE sip:0398765432@"))
    assert not is_loop(CTX, spiral)
    again = request(other, (b"CSeq: 7", b"CSeq: 8"))
    assert not is_loop(CTX, again)
    assert not is_loop(CTX, first)
    # Vias that cannot be read, or whose branch only looks like ours, are not ours.
    for via in (b"nonsense", OURS + branch.rpartition(b".")[0], OURS + branch.rpartition(b".")[0] + b".zz"):
        odd = request((b"SIP/2.0/TCP proxy.example;branch=z9hG4bKold", via))
        assert not is_loop(CTX, odd)


def test_a_loop_through_folded_vias_is_seen_too():
    first = request()
    branch = CTX.new_branch(loop_mark(first, first.uri))
    back = request((b"rport\r\nVia: SIP/2.0/TCP", b"rport, " + OURS + branch + b", SIP/2.0/TCP"))
    assert is_loop(CTX, back)


def test_record_route_is_one_line_or_one_for_each_transport():  # RFC 5658
    udp, tcp = ("192.0.2.1", 5060), ("192.0.2.1", 5060, 3)
    one, two = b"Record-Route: <sip:192.0.2.10:5060;lr>", b"Record-Route: <sip:192.0.2.10:5060;transport=tcp;lr>"
    assert record_route(CTX, udp, udp) == [one]
    assert record_route(CTX, tcp, tcp) == [two]
    assert record_route(CTX, udp, tcp) == [two, one]  # the outward one on top
    assert record_route(CTX, tcp, udp) == [one, two]


def test_the_proxies_of_each_side_are_told_from_ourselves():
    own, near, far = b"<sip:192.0.2.10:5060;lr>", b"<sip:n.example;lr>", b"<sip:f.example;lr>"
    none = request()
    assert foreign_routes(CTX, none, above_ours=True) == foreign_routes(CTX, none, above_ours=False) == ()
    routed = (b"Max-Forwards", b"Record-Route: %b\r\nRecord-Route: %b, %b\r\nMax-Forwards")
    asked = request((routed[0], b"Record-Route: %b\r\nRecord-Route: %b\r\nMax-Forwards" % (near, far)))
    assert foreign_routes(CTX, asked, above_ours=False) == (near, far)  # towards the caller, nearest first
    answered = request((routed[0], routed[1] % (far, near, own)))
    assert foreign_routes(CTX, answered, above_ours=True) == (near, far)  # towards the callee, nearest first
    ours = request((routed[0], b"Record-Route: %b\r\nMax-Forwards" % own))
    assert foreign_routes(CTX, ours, above_ours=True) == ()
