"""Calls over a network that loses, repeats and reorders, a disk that is slow, and a service that is killed.

Whatever happens: nobody hears of an answer that is not on disk, each answered call has one record and one end, no place
of the voicemail is given back twice, and when all is quiet nothing stays behind.
"""

from __future__ import annotations

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from denwa.voip.proxy.ports import NoPlace, Place
from denwa.voip.sip.message import CALL_ID, CSEQ, parse_message
from denwa.voip.sip.peer import Peer
from denwa.voip.sip.timers import T4, TIMEOUT
from tests.voip.calls.test_restart import restart
from tests.voip.parties import Callee, Caller
from tests.voip.wire import VOICEMAIL, Phone, Wire, subscriber, text_of

_CALLS = 3
_few = st.integers(0, 5)


class Storm(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.wire = wire = Wire(subscriber(1), subscriber(2, voicemail=True, ring_time=5))
        a, b = Phone(wire, 1), Phone(wire, 2)
        b.register()
        text = a.request("INVITE", f"sip:{b.number}@denwa.example", to="<sip:x@y>", call_id="first", cseq=1)
        challenge = wire.send(a.peer, text)[-1][1]
        ticket = a.authorization(challenge, "INVITE", f"sip:{b.number}@denwa.example")
        self.callers = {f"c{i}": Caller(Phone(wire, 1, tag=f"t{i}"), b.number, ticket, f"c{i}") for i in range(_CALLS)}
        self.callee = Callee(b)
        self.machine = Callee(Phone(wire, 9, host=VOICEMAIL[0], port=VOICEMAIL[1]))
        self.a, self.b = a.peer, b.peer
        # What is in the air, and since when; RFC 3261 counts on T4 being the longest that anything stays there.
        self.to_engine: list[tuple[Peer, str, float]] = []
        self.to_phones: list[tuple[Peer, bytes]] = []
        self.first: dict[str, float] = {}  # when a message was first sent
        self.seen = len(wire.sent)
        self.leases = self.places = self.restarts = 0
        self.died: dict[Peer, int] = {}  # phones that lost their power, and when
        wire.auto_commit = False
        wire.engine.ctx.journal_ok = True

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
        else:
            party = self.callee if peer == self.b else self.machine
            out = party.receive(message)
            self.put(peer, out)
            if party is self.machine and message.method == b"INVITE":
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
        self.put(self.b, self.callee.repeat())
        self.put(VOICEMAIL, self.machine.repeat())

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

    @rule(i=st.integers(0, _CALLS - 1), what=st.sampled_from(["call", "call", "cancel", "hang_up"]))
    def caller_does(self, i: int, what: str) -> None:
        self.put(self.a, getattr(self.callers[f"c{i}"], what)())

    @rule(what=st.sampled_from(["pick_up", "pick_up", "reject", "hang_up"]))
    def callee_does(self, what: str) -> None:
        self.put(self.b, getattr(self.callee, what)())

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
            self.wire.voicemail.waiting.clear()
            restart(self.wire, away=1.0)
            self.take()

    # -- in the end -----------------------------------------------------------------------------------------------

    def teardown(self) -> None:
        if not hasattr(self, "wire"):
            return
        for round_ in range(200):
            self.disk_is_done()
            while self.wire.voicemail.waiting:
                self.voicemail_answers(True)
            self.all_is_delivered()
            if round_ > 8:
                for i in range(_CALLS):
                    self.caller_does(i, "hang_up")
                self.callees_hang_up("up")
            if round_ > 45:  # an answer that nobody acknowledges is given up (RFC 3261 §13.3.1.4)
                self.callees_hang_up("unacknowledged")
            if round_ < 140:
                self.time_passes(1.0)
            else:  # callers that were never answered have given up by now
                self.wire.wait(1.0)
                self.take()
                self.to_engine.clear()
        self._nothing_stays()
        self._records_are_true()
        self._places_are_given_back_once()

    def callees_hang_up(self, state: str) -> None:
        self.put(self.b, self.callee.hang_up(state))
        self.put(VOICEMAIL, self.machine.hang_up(state))

    def _nothing_stays(self) -> None:
        assert self.wire.transactions == 0
        assert len(self.wire.engine.calls) == 0
        assert not self.wire.engine.admission.busy

    def _records_are_true(self) -> None:
        answered = {entry.id: entry for entry in self.wire.calls if entry.answered_at}
        ends = Counter(end.id for end in self.wire.ends)
        assert set(ends) == set(answered), "an answered record without its end, or an end without its record"
        assert set(ends.values()) <= {1}, "a record ended twice"
        for end in self.wire.ends:
            assert end.duration_ms >= 0
            assert end.ended_at - end.duration_ms == answered[end.id].answered_at
            if end.end_cause == "lost" and self.died and not answered[end.id].voicemail:  # C5
                assert end.ended_at <= max(*self.died.values(), answered[end.id].answered_at or 0)
        heard = {call_id for call_id, caller in self.callers.items() if caller.answered}
        assert heard <= {entry.call_id for entry in answered.values()}
        if not self.restarts:
            rows = Counter((entry.call_id, entry.leg) for entry in self.wire.calls)
            assert set(rows.values()) <= {1}, "a call with two rows"

    def _places_are_given_back_once(self) -> None:
        assert set(Counter(self.wire.voicemail.released).values()) <= {1}
        if not self.restarts:
            used = sum(entry.voicemail for entry in self.wire.calls if entry.leg != "forwarded")
            assert len(self.wire.voicemail.released) + used == self.places


TestStorm = Storm.TestCase
TestStorm.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
