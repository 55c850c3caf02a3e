"""The same storm over calls that are forwarded: both records of each are the same call, whatever happens (F4)."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from denwa.voip.sip.message import parse_message
from denwa.voip.sip.peer import Peer
from denwa.voip.subscribers import Forward
from tests.voip.calls.test_any_order import Storm
from tests.voip.parties import Callee
from tests.voip.wire import Phone, subscriber


class ForwardedStorm(Storm):
    """The callee forwards, at once or when it does not answer; the number it forwards to has voicemail."""

    @initialize(always=st.sampled_from([True, True, False]))
    def begin(self, always: bool) -> None:  # type: ignore[override]
        Storm.begin(self)
        third = Phone(self.wire, 3)
        self.wire.directory.put(subscriber(2, ring_time=5, forward=Forward(always, "+815050010003")))
        self.wire.directory.put(subscriber(3, ring_time=5, voicemail=True))
        self.wire.auto_commit = True
        third.register()
        self.wire.auto_commit = False
        self.seen = len(self.wire.sent)
        self.third, self.c = Callee(third), third.peer

    def hear(self, peer: Peer, data: bytes) -> None:
        if peer == self.c:
            self.put(peer, self.third.receive(parse_message(data)))
        else:
            super().hear(peer, data)

    def repeat(self) -> None:
        super().repeat()
        self.put(self.c, self.third.repeat())

    @rule(what=st.sampled_from(["pick_up", "pick_up", "reject", "hang_up"]))
    def third_does(self, what: str) -> None:
        self.put(self.c, getattr(self.third, what)())

    def callees_hang_up(self, state: str) -> None:
        super().callees_hang_up(state)
        self.put(self.c, self.third.hang_up(state))

    def _records_are_true(self) -> None:
        super()._records_are_true()
        ends = {end.id: end._replace(id=0) for end in self.wire.ends}
        calls = {entry.call_id: entry for entry in self.wire.calls if entry.leg == "outgoing" and entry.answered_at}
        for entry in self.wire.calls:
            if entry.leg == "forwarded" and entry.answered_at:
                whole = calls[entry.call_id]
                assert entry.answered_at == whole.answered_at
                assert ends[entry.id] == ends[whole.id]
                assert (entry.subscriber, entry.forwarded_by) == (whole.callee, whole.callee)


TestForwardedStorm = ForwardedStorm.TestCase
TestForwardedStorm.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
