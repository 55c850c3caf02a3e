"""Whoever forwards to whomever: a call tries each number once, ends, and its records agree (F1, F3, F4)."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from denwa.voip.sip.message import Message
from denwa.voip.sip.peer import Peer
from denwa.voip.subscribers import Forward
from tests.voip.wire import GATEWAY, SDP, Phone, Sent, Wire, answer, subscriber

_COUNT = 6
_NUMBERS = [f"+81505001000{n}" for n in range(1, _COUNT + 1)]
_one = st.integers(1, _COUNT)
_forward = st.none() | st.builds(Forward, st.booleans(), st.sampled_from([*_NUMBERS, "+81312345678", "+33123456789"]))


class Exchange:
    """Six subscribers, and whom the call has reached."""

    def __init__(self, forwards: list[Forward | None], registered: set[int]) -> None:
        made = [subscriber(n, ring_time=5, forward=forward) for n, forward in enumerate(forwards, 1)]
        self.wire = Wire(*made)
        self.phones = {n: Phone(self.wire, n) for n in range(1, _COUNT + 1)}
        for n in registered:
            self.phones[n].register()
        self.rung: list[Peer] = []
        self.final: Message | None = None

    def look(self, sent: Sent, caller: Phone) -> tuple[Peer, Message] | None:
        """The INVITE that somebody has got now; the caller's final answer is kept."""
        invites = [(peer, message) for peer, message in sent if message.method == b"INVITE"]
        finals = [message for peer, message in sent if peer == caller.peer and message.status >= 200]
        assert len(invites) + len(finals) <= 1
        self.final = finals[0] if finals else self.final
        return invites[0] if invites else None

    def react(self, peer: Peer, invite: Message, status: int) -> Sent:
        """The called side rings, and answers with `status`, or not at all (180) until it is cancelled."""
        self.rung.append(peer)
        self.wire.send(peer, answer(invite, 180, peer))
        if status == 180:
            sent = self.wire.wait(180.5 if peer == GATEWAY else 5.1)
            return sent + self.wire.send(peer, answer(invite, 487, peer))
        return self.wire.send(peer, answer(invite, status, peer, body=SDP if status == 200 else ""))


@given(
    forwards=st.lists(_forward, min_size=_COUNT, max_size=_COUNT),
    registered=st.sets(_one),
    answers=st.lists(st.sampled_from([180, 180, 200, 302, 404, 486, 503, 603]), min_size=8, max_size=8),
    caller=_one,
    callee=_one,
)
@settings(max_examples=60)
def test_a_call_tries_each_number_once_and_all_its_records_say_the_same(forwards, registered, answers, caller, callee):
    scene = Exchange(forwards, registered)
    me = scene.phones[caller]
    got = scene.look(me.invite(scene.phones[callee].number), me)
    for status in answers:
        if got is None:
            break
        got = scene.look(scene.react(*got, status), me)
    assert got is None
    assert scene.final is not None
    assert len(set(scene.rung)) == len(scene.rung)
    first, *others = scene.wire.calls
    assert first.leg == "outgoing"
    # A chain: each part begins where the one before ended, and nobody pays twice.
    assert [part.leg for part in others] == ["forwarded"] * len(others)
    assert [part.subscriber for part in others] == [part.callee for part in scene.wire.calls][: len(others)]
    assert len({part.subscriber for part in others}) == len(others)
    for part in others[:-1]:
        assert part.end_cause != "refused"
    if scene.final.status == 200:
        assert {(part.answered_at, part.ended_at, part.end_cause) for part in scene.wire.calls} == {
            (first.answered_at, None, "")
        }
        assert len(scene.wire.engine.calls) == 1
        return
    assert {part.answered_at for part in scene.wire.calls} == {None}
    me.ack_failure(scene.final)
    scene.wire.wait(240)
    assert scene.wire.transactions == 0
    assert len(scene.wire.engine.calls) == 0
    assert not scene.wire.engine.admission.busy
