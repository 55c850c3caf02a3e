"""A network that loses, repeats and reorders, a disk that is slow, and a service that is killed, with calls going on.

What each storm adds (forwarding, gateways, phones that sleep) is in test_any_order.py; what must hold in all is here.
"""

from __future__ import annotations

from collections import Counter

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from denwa.voip.calls.call import FORWARDED
from denwa.voip.proxy.ports import NoPlace, Place
from denwa.voip.sip.message import CALL_ID, CSEQ, parse_message
from denwa.voip.sip.peer import Peer
from denwa.voip.sip.timers import T4, TIMEOUT
from tests.voip.calls.test_restart import restart
from tests.voip.parties import Callee, Caller
from tests.voip.wire import VOICEMAIL, Phone, Wire, subscriber, text_of

CALLS = 3
HIDDEN = CALLS - 1  # this caller dials 184
ROUNDS = 200  # seconds after which all must be quiet
_few = st.integers(0, 5)


class Storm(RuleBasedStateMachine):
    """`parties`: who is called, by where it is. `automatic`: picks up at once."""

    def world(self) -> Wire:
        return Wire(subscriber(1), subscriber(2, voicemail=True, ring_time=5))

    def called_phone(self) -> Phone:
        return Phone(self.wire, 2)

    @initialize()
    def begin(self) -> None:
        self.wire = wire = self.world()
        a, b = Phone(wire, 1), self.called_phone()
        b.register()
        self.callers = {f"c{i}": self.caller(a, b, i) for i in range(CALLS)}
        self.callee = Callee(b)
        self.machine = Callee(Phone(wire, 9, host=VOICEMAIL[0], port=VOICEMAIL[1]))
        self.a, self.b = a.peer, b.peer
        self.parties: dict[Peer, Callee] = {b.peer: self.callee, VOICEMAIL: self.machine}
        self.automatic = [self.machine]
        # What is in the air, and since when; RFC 3261 counts on T4 being the longest that anything stays there.
        self.to_engine: list[tuple[Peer, str, float]] = []
        self.to_phones: list[tuple[Peer, bytes]] = []
        self.first: dict[str, float] = {}  # when a message was first sent
        self.leases = self.places = self.restarts = 0
        self.died: dict[Peer, int] = {}  # phones that lost their power, and when
        self.stubborn = False  # somebody has refused a BYE
        self.settle()
        self.seen = len(wire.sent)
        wire.auto_commit = False
        wire.engine.ctx.journal_ok = True

    def settle(self) -> None:
        """What else there is before the storm begins."""

    def caller(self, a: Phone, b: Phone, i: int) -> Caller:
        number = b.number if i != HIDDEN else "184" + b.number
        uri = f"sip:{number}@denwa.example"
        text = a.request("INVITE", uri, to="<sip:x@y>", call_id=f"first{i}", cseq=1)
        challenge = self.wire.send(a.peer, text)[-1][1]
        return Caller(Phone(self.wire, 1, tag=f"t{i}"), number, a.authorization(challenge, "INVITE", uri), f"c{i}")

    # -- the network ----------------------------------------------------------------------------------------------

    def put(self, peer: Peer, texts: list[str]) -> None:
        if peer not in self.died:
            for text in texts:
                if self.wire.now - self.first.setdefault(text, self.wire.now) < TIMEOUT - T4:
                    self.to_engine.append((peer, text, self.wire.now))

    def take(self) -> None:
        """What the engine has sent is in the air; an answer in it must be on disk."""
        committed = {entry.call_id for entry in self.wire.calls if entry.answered_at}
        for peer, message, data in self.wire.sent[self.seen :]:
            if 200 <= message.status < 300 and peer == self.a and b"INVITE" in (message.value(CSEQ) or b""):
                assert text_of(message, CALL_ID) in committed, "an answer before its record"
            self.to_phones.append((peer, data))
        self.seen = len(self.wire.sent)

    def hear(self, peer: Peer, data: bytes) -> None:
        if peer in self.died:
            return
        message = parse_message(data)
        if peer == self.a:
            caller = self.callers.get(text_of(message, CALL_ID))
            self.put(peer, caller.receive(message) if caller else [])
            return
        party = self.parties[peer]
        self.put(peer, party.receive(message))
        if party in self.automatic and message.method == b"INVITE":
            self.put(peer, party.pick_up())

    @rule(which=_few, copies=st.sampled_from([0, 1, 1, 1, 2]))
    def deliver_to_engine(self, which: int, copies: int) -> None:
        if self.to_engine:
            peer, text, since = self.to_engine.pop(which % len(self.to_engine))
            for _ in range(copies if self.wire.now - since < T4 else 0):
                self.wire.send(peer, text)
                self.take()

    @rule(which=_few, copies=st.sampled_from([0, 1, 1, 1, 2]))
    def deliver_to_phone(self, which: int, copies: int) -> None:
        if self.to_phones:
            peer, data = self.to_phones.pop(which % len(self.to_phones))
            for _ in range(copies):
                self.hear(peer, data)

    @rule(seconds=st.sampled_from([0.1, 0.6, 3.0, 6.0]))
    def time_passes(self, seconds: float) -> None:
        self.wire.wait(seconds)
        self.take()
        self.repeat()

    def repeat(self) -> None:
        for caller in self.callers.values():
            self.put(self.a, caller.repeat())
        for peer, party in self.parties.items():
            self.put(peer, party.repeat())

    @rule()
    def all_is_delivered(self) -> None:
        for _ in range(200):
            if not self.to_engine and not self.to_phones:
                return
            for peer, text, since in [self.to_engine.pop(0) for _ in range(len(self.to_engine))]:
                if self.wire.now - since < T4:
                    self.wire.send(peer, text)
                    self.take()
            for peer, data in [self.to_phones.pop(0) for _ in range(len(self.to_phones))]:
                self.hear(peer, data)
        raise AssertionError("the exchange does not come to an end")

    # -- people ---------------------------------------------------------------------------------------------------

    @rule(i=st.integers(0, CALLS - 1), what=st.sampled_from(["call", "call", "cancel", "hang_up"]))
    def caller_does(self, i: int, what: str) -> None:
        self.put(self.a, getattr(self.callers[f"c{i}"], what)())

    @rule(what=st.sampled_from(["pick_up", "pick_up", "reject", "hang_up"]))
    def callee_does(self, what: str) -> None:
        self.put(self.b, getattr(self.callee, what)())

    def calm(self) -> None:
        """The disk is done and the network delivers, until nothing is on its way."""
        for _ in range(3):
            self.disk_is_done()
            self.all_is_delivered()

    @rule(i=st.integers(0, CALLS - 1), what=st.sampled_from(["pick_up", "reject", "repeat"]))
    def a_call_gets_through(self, i: int, what: str) -> None:
        """Most of what is worth a storm begins with a call that is up."""
        self.caller_does(i, "call")
        self.calm()
        self.callee_does(what)
        self.calm()

    @rule(i=st.integers(0, CALLS - 1), other=st.booleans())
    def somebody_will_refuse_a_bye(self, i: int, other: bool) -> None:
        self.stubborn = True
        who = self.callee if other else self.callers[f"c{i}"]
        who.stubborn += 1

    @rule(which=st.sampled_from(["a", "b"]))
    def power_fails(self, which: str) -> None:
        """A phone is gone for good, and what it had sent has arrived."""
        peer = getattr(self, which)
        if len(self.wire.calls) and not self.died:
            self.to_engine = [sent for sent in self.to_engine if sent[0] != peer]
            self.died[peer] = self.wire.ms

    # -- the service ----------------------------------------------------------------------------------------------

    @rule()
    def disk_is_done(self) -> None:
        self.wire.commit()
        self.take()

    @rule(full=st.sampled_from([False, False, True]))
    def voicemail_answers(self, full: bool) -> None:
        if self.wire.voicemail.waiting:
            self.leases += 1
            place = Place(b"sip:%d@192.0.2.90:7000" % self.leases, VOICEMAIL, str(self.leases))
            self.wire.voicemail.answer = NoPlace(480, "full") if full else place
            self.places += not full
            self.wire.give_place()
            self.take()

    @rule()
    def service_is_killed(self) -> None:
        if self.restarts < 1:
            self.restarts += 1
            self.wire.pending.clear()
            self.questions().clear()
            self.wire.voicemail.waiting.clear()
            restart(self.wire, away=1.0)
            self.take()

    def questions(self) -> list:
        """What a killed service has asked and will not hear the answer of."""
        return []

    # -- in the end -----------------------------------------------------------------------------------------------

    def everything_is_answered(self) -> None:
        """The disk is done, and nobody keeps a call waiting."""
        self.disk_is_done()
        while self.wire.voicemail.waiting:
            self.voicemail_answers(True)

    def teardown(self) -> None:
        if not hasattr(self, "wire"):
            return
        for round_ in range(ROUNDS):
            self.everything_is_answered()
            self.all_is_delivered()
            if round_ > 8:
                for i in range(CALLS):
                    self.caller_does(i, "hang_up")
                for peer, party in self.parties.items():
                    self.put(peer, party.hang_up())
            if round_ > 45:  # an answer that nobody acknowledges is given up (RFC 3261 §13.3.1.4)
                for peer, party in self.parties.items():
                    self.put(peer, party.hang_up("unacknowledged"))
            if round_ < ROUNDS - 60:
                self.time_passes(1.0)
            else:  # callers that were never answered have given up by now
                self.wire.wait(1.0)
                self.take()
                self.to_engine.clear()
        self.nothing_stays()
        self.records_are_true()
        self.places_are_given_back_once()

    def nothing_stays(self) -> None:
        assert self.wire.transactions == 0
        assert len(self.wire.engine.calls) == 0
        assert not self.wire.engine.admission.busy

    def records_are_true(self) -> None:
        answered = {entry.id: entry for entry in self.wire.calls if entry.answered_at}
        ends = Counter(end.id for end in self.wire.ends)
        assert set(ends) == set(answered), "an answered record without its end, or an end without its record"
        assert set(ends.values()) <= {1}, "a record ended twice"
        for end in self.wire.ends:
            assert end.duration_ms >= 0
            assert end.ended_at - end.duration_ms == answered[end.id].answered_at
            lost = end.end_cause == "lost" and not answered[end.id].voicemail
            if lost and self.died and not self.stubborn:  # C5
                assert end.ended_at <= max(*self.died.values(), answered[end.id].answered_at or 0)
        whole = {entry.call_id: entry for entry in answered.values() if entry.leg != FORWARDED}
        ended = {end.id: end._replace(id=0) for end in self.wire.ends}
        for entry in answered.values():
            if entry.leg == FORWARDED:  # F4
                first = whole[entry.call_id]
                assert entry.answered_at == first.answered_at
                assert ended[entry.id] == ended[first.id]
                assert (entry.subscriber, entry.forwarded_by) == (first.callee, first.callee)
        heard = {call_id for call_id, caller in self.callers.items() if caller.answered}
        assert heard <= {entry.call_id for entry in answered.values()}
        if not self.restarts:
            rows = Counter((entry.call_id, entry.leg) for entry in self.wire.calls)
            assert set(rows.values()) <= {1}, "a leg with two rows"

    def places_are_given_back_once(self) -> None:
        assert set(Counter(self.wire.voicemail.released).values()) <= {1}
        if not self.restarts:
            used = sum(entry.voicemail for entry in self.wire.calls if entry.leg != FORWARDED)
            assert len(self.wire.voicemail.released) + used == self.places
