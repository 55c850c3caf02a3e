"""Mutated messages through the whole engine: nothing it cannot take, nothing that grows, good traffic goes on.

The seeds are the torture messages and everything that an ordinary registration and call put on the wire, so that most
faults stand in messages that would otherwise reach the last step of what they are for.
"""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.mutations import mutate
from denwa.voip.sip.checks import request_fault, response_fault
from denwa.voip.sip.framing import FramingFault, StreamFramer
from denwa.voip.sip.message import MessageFault, parse_message
from denwa.voip.subscribers import Forward
from tests.voip.torture.deliver import STRANGER, names, vector
from tests.voip.wire import GATEWAY, Phone, Wire, answer, call_up, subscriber, to

TORTURE = [vector(folder, name) for folder in ("rfc4475", "rfc5118") for name in sorted(names(folder))]
LIMITS: dict[str, Any] = {"max_transactions": 300, "max_calls": 40, "max_bindings": 4, "new_calls_per_minute": 10_000,
                          "calls_per_subscriber": 20}  # fmt: skip


class Scene:
    """An engine with a call up and one ringing; `seeds` are messages that fit into it, with where they come from."""

    def __init__(self) -> None:
        everybody = [subscriber(1), subscriber(2), subscriber(3, voicemail=True), subscriber(4), subscriber(5)]
        away = [
            subscriber(6, forward=Forward(True, "+81312345678")),
            subscriber(7, forward=Forward(False, "+815050010006")),
        ]
        self.wire = wire = Wire(*everybody, *away, **LIMITS)
        self.seeds: list[tuple[bytes, tuple[Any, ...]]] = [(data, STRANGER) for data in TORTURE]
        plain = wire.engine.receive

        def keep(data: bytes, peer: Any, *times: Any) -> None:
            self.seeds.append((data, peer))
            plain(data, peer, *times)

        wire.engine.receive = keep  # type: ignore[method-assign]
        self.a, self.b, self.c = (Phone(wire, n) for n in (1, 2, 3))
        up = call_up(wire, self.a, self.b)
        self.c.register()
        ringing = to(self.a.invite(self.c.number, "ringing"), self.c.peer)
        self.c.answer(ringing, 180)
        self.invite_of_gateway()
        for number in (6, 7):  # forwarded to the telephone network, the second by way of the first
            self.a.invite(f"0505001000{number}", f"forwarded-{number}")
        for talk, method in ((up.a, "INVITE"), (up.b, "UPDATE"), (up.a, "INFO")):
            request = to(talk.send(method), (self.b if talk is up.a else self.a).peer)
            side = self.b if talk is up.a else self.a
            side.answer(request, 200)
        self.seeds += [(text.encode(), peer) for text, peer in (
            (up.a.text("BYE"), self.a.peer), (up.b.text("BYE"), self.b.peer), (up.a.text("ACK"), self.a.peer),
            (answer(ringing, 200, self.c.peer, contact=self.c.contact), self.c.peer),
            (answer(ringing, 486, self.c.peer), self.c.peer), (self.a.request(
                "CANCEL", "sip:x@denwa.example", to="<sip:x@denwa.example>", call_id="ringing", cseq=2,
                branch=self.a.invite_branch), self.a.peer),
        )]  # fmt: skip
        wire.engine.receive = plain  # type: ignore[method-assign]
        own = [data for data, _ in self.seeds[len(TORTURE) :]]
        self.messages = [*TORTURE, *own * 5]
        self.peers = [self.a.peer, self.b.peer, self.c.peer, GATEWAY, STRANGER, (*STRANGER, 7), (*self.a.peer, -9)]

    def invite_of_gateway(self) -> None:
        text = self.a.request("INVITE", f"sip:{self.b.number}@192.0.2.10", to=f"<sip:{self.b.number}@192.0.2.10>",
                              call_id="gw", cseq=1, from_='"x" <sip:0312345678@gw.example>;tag=gw')  # fmt: skip
        self.wire.send(GATEWAY, text)

    def check(self) -> None:
        """What must hold whatever has come."""
        wire = self.wire
        assert wire.transactions <= LIMITS["max_transactions"] * 2  # the layer's limit is for what strangers begin
        assert len(wire.engine.calls) <= LIMITS["max_calls"]
        assert wire.engine.registrar.count() <= 7 * LIMITS["max_bindings"]
        for group in wire.committed:
            for entry in (*group.calls, *group.ends, *group.bindings, *group.alive):
                for value in entry if isinstance(entry, tuple) else vars(entry).values():
                    if isinstance(value, str):  # what PostgreSQL and SQLite take
                        assert "\0" not in value, entry
                        value.encode("utf-8")
        wire.committed.clear()

    def good_traffic(self, turn: int) -> None:
        """A registration and a call go through as if nothing had happened."""
        wire = self.wire
        # Of subscribers whose credentials are in no seed: until its nonce ages, a request may be sent again by anybody.
        caller, callee = (Phone(wire, n, tag=f"g{turn}") for n in (4, 5))
        assert caller.register(call_id=f"good-reg-{turn}").status == 200
        up = call_up(wire, caller, callee, call_id=f"good-{turn}")
        wire.wait(2.0)
        bye = to(up.a.send("BYE"), callee.peer)
        callee.answer(bye, 200)
        ends = [end for group in wire.committed for end in group.ends if end.end_cause == "caller"]
        assert any(end.duration_ms == 2000 for end in ends)


# What a client of RFC 2543 may leave out goes on as it came, under a Via of ours that is none of RFC 2543.
OF_OLD = (None, (400, "INVITE without Contact"), (400, "From without a tag"))


def sound(data: bytes) -> None:
    """What leaves the engine can be read by others: a request passes our own checks."""
    message = parse_message(data)
    if message.method and message.method != b"ACK":
        assert request_fault(message) in OF_OLD, data


@pytest.mark.parametrize("seed", range(4))
def test_thousands_of_mutated_messages_harm_nothing_and_good_calls_go_on(seed):
    random = Random(seed)
    scene = Scene()
    wire = scene.wire
    for turn in range(8):
        for _ in range(150):
            data = mutate(random, scene.messages)
            peer = random.choice(scene.peers)
            before = len(wire.sent)
            wire.send(peer, data)
            for _, _, sent in wire.sent[before:]:
                sound(sent)
            if random.random() < 0.02:
                wire.wait(random.choice((0.1, 1.0, 8.0)))
        scene.check()
        wire.sent.clear()
        wire.wait(70.0)  # what strangers began has run out
        while wire.voicemail.waiting:
            wire.give_place()
        scene.good_traffic(turn)
        scene.check()
    wire.wait(400.0)
    assert wire.transactions == 0


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A torture message with edits that shrink: octets changed, put in, taken out."""
    data = bytearray(draw(st.sampled_from(TORTURE)))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, 8))] = draw(st.binary(max_size=8))
    return bytes(data)


@settings(max_examples=150)
@given(st.lists(mutated(), min_size=1, max_size=6))
def test_any_edit_of_a_torture_message_is_answered_or_dropped(packets):
    wire = Wire(**LIMITS)
    for data in packets:
        for peer in (STRANGER, GATEWAY, (*STRANGER, 3)):
            wire.send(peer, data)
    assert wire.transactions <= LIMITS["max_transactions"]


@settings(max_examples=200)
@given(mutated(), st.lists(st.integers(1, 60), max_size=40))
def test_any_edit_on_a_connection_ends_in_messages_or_a_fault_however_it_is_cut(data, cuts):
    def read(pieces: list[bytes]) -> tuple[list[Any], str]:
        framer, items = StreamFramer(), []
        try:
            for piece in pieces:
                items += framer.feed(piece)
        except FramingFault as fault:
            return items + fault.before, str(fault)
        return items, ""

    pieces, rest = [], data
    for cut in cuts:
        pieces.append(rest[:cut])
        rest = rest[cut:]
    assert read([data]) == read([*pieces, rest])


@settings(max_examples=300)
@given(mutated())
def test_what_the_checks_pass_can_be_read_field_by_field(data):
    try:
        message = parse_message(data)
    except MessageFault:
        return
    if message.method:
        fault = request_fault(message)
        assert fault is None or 400 <= fault[0] <= 505
    else:
        response_fault(message)
    for kind in message.at:
        message.value(kind)
        message.values(kind)
    assert parse_message(message.encode()).lines  # what goes on can be read again
