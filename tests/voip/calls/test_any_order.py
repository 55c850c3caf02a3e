"""Calls over a network that loses, repeats and reorders, a disk that is slow, and a service that is killed.

Whatever happens: nobody hears of an answer that is not on disk, each answered call has one record and one end, a
forwarded one two that are alike, no place of the voicemail and no channel is given back twice, and when all is quiet
nothing stays behind.
"""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import rule

from denwa.voip.gateways.trunk import Trunk
from denwa.voip.push.ports import PushAnswer
from denwa.voip.sip.message import TO, parse_message
from denwa.voip.sip.peer import Peer
from denwa.voip.subscribers import Forward
from tests.voip.calls.storm import Storm
from tests.voip.parties import Callee
from tests.voip.push.doorbell import RULES, Doorbell, push_phone
from tests.voip.wire import Phone, Wire, subscriber, text_of

FIRST, SECOND = ("192.0.2.80", 5080), ("192.0.2.81", 5080)
_settings = settings(max_examples=40, stateful_step_count=40)


class ForwardedStorm(Storm):
    """The called phone's number is forwarded, at once or when nobody answers, to one with a voicemail (F4)."""

    third: Peer = ("192.0.2.1", 5063)

    def settle(self) -> None:
        phone = Phone(self.wire, 3)
        self.wire.directory.put(subscriber(3, ring_time=5, voicemail=True))
        phone.register()
        self.parties[self.third] = Callee(phone)
        self.forward(always=True)

    @rule(always=st.booleans())
    def forward(self, always: bool) -> None:
        forward = Forward(always, subscriber(3).number)
        self.wire.directory.put(subscriber(2, ring_time=5, forward=forward))

    @rule(what=st.sampled_from(["pick_up", "pick_up", "reject", "hang_up"]))
    def third_does(self, what: str) -> None:
        self.put(self.third, getattr(self.parties[self.third], what)())

    @rule(i=st.integers(0, 2))
    def a_call_is_forwarded(self, i: int) -> None:
        self.a_call_gets_through(i, "reject")
        self.third_does("pick_up")
        self.calm()


class GatewayStorm(Storm):
    """Who does not answer forwards to the telephone network, at two gateways of which either may fail (F4, C1)."""

    def world(self) -> Wire:
        forward = Forward(False, "+81312345678")
        self.silent: set[Peer] = set()
        return Wire(
            subscriber(1),
            subscriber(2, ring_time=5, forward=forward),
            trunks=tuple(
                Trunk(f"gateway{at[1]}{at[0]}", at, frozenset((at,)), True, True, priority, max_calls=2)
                for priority, at in enumerate((FIRST, SECOND))
            ),
        )

    def settle(self) -> None:
        for index, at in enumerate((FIRST, SECOND)):
            self.parties[at] = Callee(Phone(self.wire, 8 - index, host=at[0], port=at[1]))

    def hear(self, peer: Peer, data: bytes) -> None:
        if peer not in self.silent or not data.startswith(b"INVITE "):
            super().hear(peer, data)

    @rule(at=st.sampled_from([FIRST, SECOND]), what=st.sampled_from(["pick_up", "pick_up", "fail", "hang_up"]))
    def gateway_does(self, at: Peer, what: str) -> None:
        self.put(at, getattr(self.parties[at], what)())

    @rule(i=st.integers(0, 2), at=st.sampled_from([FIRST, SECOND]))
    def a_call_is_forwarded(self, i: int, at: Peer) -> None:
        self.a_call_gets_through(i, "reject")
        self.gateway_does(at, "pick_up")
        self.calm()

    @rule(at=st.sampled_from([FIRST, SECOND]))
    def gateway_falls_silent_or_speaks_again(self, at: Peer) -> None:
        self.silent ^= {at}

    def everything_is_answered(self) -> None:
        super().everything_is_answered()
        self.silent.clear()
        for at in (FIRST, SECOND):
            self.put(at, self.parties[at].reject())

    def nothing_stays(self) -> None:
        super().nothing_stays()
        assert not self.wire.engine.ctx.lines.held


class SleepingStorm(Storm):
    """The called phone sleeps; the push service takes its time or fails; the phone registers when it likes (R5)."""

    def world(self) -> Wire:
        self.bell = Doorbell()
        self.awake = False
        rules = RULES._replace(wait=4, awake=0)
        people = subscriber(1), subscriber(2, voicemail=True, ring_time=10)
        return Wire(*people, push_service=self.bell, push=rules, max_calls=50)

    def called_phone(self) -> Phone:
        return push_phone(self.wire, 2)

    def settle(self) -> None:
        phone = self.callee.phone
        challenge = self.wire.send(phone.peer, phone.register_text())[-1][1]
        self.proof = phone.authorization(challenge, "REGISTER", "sip:denwa.example")

    def hear(self, peer: Peer, data: bytes) -> None:
        knocking = data.startswith(b"OPTIONS ") and ";tag=" not in text_of(parse_message(data), TO)
        if self.awake or not knocking:
            super().hear(peer, data)

    @rule()
    def app_is_opened_or_closed(self) -> None:
        """An app that is closed hears no knocking; of calls that are up it is told."""
        self.awake = not self.awake

    @rule(expires=st.sampled_from([3600, 3600, 3600, 0]))
    def phone_registers(self, expires: int) -> None:
        self.put(self.b, [self.callee.phone.register_text(f"Expires: {expires}\r\n{self.proof}")])

    @rule(i=st.integers(0, 2))
    def a_call_wakes_the_phone(self, i: int) -> None:
        self.caller_does(i, "call")
        self.calm()
        self.phone_registers(3600)
        self.calm()
        self.callee_does("pick_up")
        self.calm()

    @rule(taken=st.sampled_from([True, True, False]))
    def push_service_answers(self, taken: bool) -> None:
        if self.bell.waiting:
            self.bell.answer(self.wire, PushAnswer(taken, "as it likes"))
            self.take()

    def questions(self) -> list:
        return self.bell.waiting

    def everything_is_answered(self) -> None:
        super().everything_is_answered()
        while self.bell.waiting:
            self.push_service_answers(True)

    def nothing_stays(self) -> None:
        super().nothing_stays()
        waking = self.wire.engine.ctx.waking
        assert waking is not None
        assert not waking.by_call
        assert not waking._by_account


TestStorm = Storm.TestCase
TestStorm.settings = _settings
TestGatewayStorm = GatewayStorm.TestCase
TestGatewayStorm.settings = settings(_settings, max_examples=100)
TestForwardedStorm = ForwardedStorm.TestCase
TestForwardedStorm.settings = _settings
TestSleepingStorm = SleepingStorm.TestCase
TestSleepingStorm.settings = _settings


def test_a_refusal_of_a_gateway_that_is_lost_once_leaves_nothing_behind() -> None:
    # A gateway says it again until it is acknowledged, so that nobody waits for timer C
    storm = GatewayStorm()
    storm.begin()
    storm.a_call_gets_through(0, "reject")
    storm.gateway_does(FIRST, "fail")
    storm.to_engine.clear()
    storm.teardown()
