"""Whatever three gateways do and whenever they do it: one call is answered by one of them at most (C1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from denwa.voip.gateways.lines import KINDS
from denwa.voip.sip.message import Message
from tests.voip.gateways.test_failover import FIRST, SECOND, THIRD, trunk
from tests.voip.wire import SDP, Phone, Talk, Wire, answer

# What a gateway says to an INVITE, and after how many seconds.
_FINAL = st.sampled_from([200, 404, 486, 500, 503, 603])
_DELAY = st.sampled_from([0.0, 0.2, 1.0, 2.4, 2.6, 4.0, 9.0])
_SAYS = st.tuples(
    st.lists(st.tuples(_DELAY, st.sampled_from([100, 180, 183])), max_size=2), st.none() | st.tuples(_DELAY, _FINAL)
).map(lambda parts: sorted([*parts[0], *([parts[1]] if parts[1] else [])]))
_STEP = 0.1


@dataclass
class Gateway:
    """Answers as its script says, as a gateway would: nothing after a final answer, 487 after a CANCEL."""

    peer: tuple[str, int]
    script: list[tuple[float, int]]
    invite: Message | None = None
    since: float = 0.0
    final: int = 0
    rang: bool = False
    cancelled: bool = False
    ended: bool = False
    said: list[int] = field(default_factory=list)

    def hear(self, wire: Wire, request: Message) -> None:
        if request.method == b"INVITE" and self.invite is None:
            self.invite, self.since = request, wire.now
        elif request.method == b"CANCEL":
            wire.send(self.peer, answer(request, 200, self.peer))
            self.cancelled = True
            if not self.final and self.invite is not None:
                self.say(wire, 487)
        elif request.method == b"BYE":
            self.ended = True
            wire.send(self.peer, answer(request, 200, self.peer))

    def act(self, wire: Wire) -> None:
        while self.invite is not None and not self.final and self.script:
            after, status = self.script[0]
            if wire.now < self.since + after:
                return
            self.script.pop(0)
            self.say(wire, status)

    def say(self, wire: Wire, status: int) -> None:
        assert self.invite is not None
        self.said.append(status)
        if status >= 200:
            self.final = status
        elif status > 100:
            self.rang = True
        wire.send(self.peer, answer(self.invite, status, self.peer, body=SDP if status == 200 else ""))

    @property
    def holds(self) -> bool:
        """It has a call up, or one that still rings."""
        return (self.final == 200 and not self.ended) or (self.rang and not self.final and not self.cancelled)


class Run:
    """One call, and all that is said until nothing is going on any more."""

    def __init__(self, scripts: list[list[tuple[float, int]]]) -> None:
        peers = (FIRST, SECOND, THIRD)
        self.wire = Wire(trunks=tuple(trunk(str(i), peer, priority=i) for i, peer in enumerate(peers)))
        self.gateways = {peer: Gateway(peer, list(script)) for peer, script in zip(peers, scripts, strict=True)}
        self.phone = Phone(self.wire, 1)
        self.caller_got: list[Message] = []
        self.heard = 0
        self.phone.invite("0312345678")
        self.go(45.0)

    def count(self, kind: str) -> int:
        return sum(self.wire.counters["gateway_calls", f"{number} {kind}"] for number in range(3))

    def go(self, seconds: float) -> None:
        until = self.wire.now + seconds
        while self.wire.now < until:
            self.deliver()
            for gateway in self.gateways.values():
                gateway.act(self.wire)
            self.deliver()
            self.wire.wait(_STEP)

    def deliver(self) -> None:
        while self.heard < len(self.wire.sent):
            peer, message, _ = self.wire.sent[self.heard]
            self.heard += 1
            if peer in self.gateways and message.method:
                self.gateways[peer].hear(self.wire, message)
            elif peer == self.phone.peer and message.status >= 200 and message.status != 407:
                if not self.caller_got and message.status >= 300:
                    self.phone.ack_failure(message)
                elif not self.caller_got:
                    Talk.of_caller(self.phone, message).send("ACK", cseq=2)
                self.caller_got.append(message)


@settings(max_examples=40)
@given(st.lists(_SAYS, min_size=3, max_size=3))
def test_one_call_is_up_at_one_gateway_at_most_and_the_caller_knows_of_it(
    scripts: list[list[tuple[float, int]]],
) -> None:
    run = Run(scripts)
    holding = [gateway for gateway in run.gateways.values() if gateway.holds]
    finals = {message.status for message in run.caller_got}
    assert len(finals) <= 1
    if finals == {200}:
        assert [gateway.final for gateway in holding] == [200]
        assert [entry.answered_at is not None for entry in run.wire.calls] == [True]
    elif finals:
        assert not holding
        assert [entry.answered_at for entry in run.wire.calls] == [None]
    else:  # it rings on at one of them, or one was asked to wait
        assert len(holding) <= 1
        assert run.wire.calls == []
    assert_counted(run)


def assert_counted(run: Run) -> None:
    """Every try at a gateway has one outcome in the metrics, but for one that is still open."""
    counted = {kind: run.count(kind) for kind in KINDS}
    asked = sum(gateway.invite is not None for gateway in run.gateways.values())
    over = sum(counted[kind] for kind in ("answered", "refused", "failed", "cancelled"))
    assert counted["tried"] == asked
    assert over == asked - (0 if run.caller_got else 1)
    assert counted["answered"] == sum(message.status == 200 for message in run.caller_got[:1])


@settings(max_examples=25)
@given(st.lists(_SAYS, min_size=3, max_size=3))
def test_no_gateway_is_asked_before_the_one_that_rang_has_refused(scripts: list[list[tuple[float, int]]]) -> None:
    run = Run(scripts)
    asked = sorted((gateway for gateway in run.gateways.values() if gateway.invite), key=lambda gateway: gateway.since)
    for one, following in pairwise(asked):
        rang_at = [after for after, status in scripts[int(one.peer[0][-1])] if status > 100 and status < 200]
        if rang_at and one.since + rang_at[0] < following.since - 2 * _STEP:
            raise AssertionError("it rang there, and the next one was asked all the same")
