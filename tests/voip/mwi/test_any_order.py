"""Whatever phones do and the network loses: what is told last is true, and nothing is left behind."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import example, given, settings
from hypothesis import strategies as st

from denwa.voip.mwi.machines import LAMP, SUBSCRIPTION, Action, Event, LampState, SubscriptionState
from denwa.voip.mwi.summary import EMPTY, Counts
from tests.voip.mwi.rig import Watcher, fill, lamp, left_behind, scene
from tests.voip.wire import Phone, Wire

STATUS = st.sampled_from([200, 200, 200, 202, 401, 408, 480, 481, 489, 500, 503, 603])
STEP = st.one_of(
    st.tuples(st.just("fill"), st.integers(0, 3)),
    st.tuples(st.just("register"), st.sampled_from(["same", "anew", "away"])),
    st.tuples(st.just("subscribe"), st.sampled_from([0, 60, 600])),
    st.tuples(st.just("watch anew"), st.sampled_from([0, 60, 600])),
    st.tuples(st.just("answer"), STATUS),
    st.tuples(st.just("answer later"), st.integers(1, 40)),
    st.tuples(st.just("unreachable"), st.just(0)),
    st.tuples(st.just("wait"), st.sampled_from([0.01, 0.6, 5.0, 33.0, 61.0])),
    st.tuples(st.just("forget"), st.just(0)),
)
# A phone that stays registered and never says no.
PATIENT = st.one_of(
    st.tuples(st.just("fill"), st.integers(0, 3)),
    st.tuples(st.just("register"), st.just("same")),
    st.tuples(st.sampled_from(["subscribe", "watch anew"]), st.sampled_from([0, 60, 600])),
    st.tuples(st.just("answer"), st.sampled_from([200, 200, 408, 480, 503])),
    st.tuples(st.just("answer later"), st.integers(1, 40)),
    st.tuples(st.just("unreachable"), st.just(0)),
    st.tuples(st.just("wait"), st.sampled_from([0.01, 0.6, 33.0])),
)


class Life:
    """One subscriber's phone; NOTIFYs that it has not answered are kept until a step does."""

    def __init__(self) -> None:
        self.wire: Wire
        self.phone: Phone
        self.wire, [self.phone] = scene()
        self.watcher = Watcher(self.phone)
        self.seen = 0
        self.open: dict[bytes, bytes] = {}  # branch to datagram
        self.told: tuple[bool, str] = (False, "0/0 (0/0)")
        self.counts = EMPTY

    def look(self) -> None:
        """Take in what was sent, and check that no dialog has two NOTIFYs under way."""
        for _, message, data in self.wire.sent[self.seen :]:
            if message.method == b"NOTIFY":
                self.open[message.lines[1]] = data
        self.seen = len(self.wire.sent)
        under_way = defaultdict(set)
        live = {client.sent for client in self.wire.engine.ctx.layer.clients.values() if client.state < 3}
        for branch, data in self.open.items():
            if data in live:
                under_way[data.partition(b"Call-ID: ")[2].partition(b"\r\n")[0]].add(branch)
        assert all(len(branches) == 1 for branches in under_way.values()), under_way

    def step(self, what: str, value: object) -> None:
        wire, phone = self.wire, self.phone
        if what == "fill":
            self.counts = Counts(int(str(value)), 0)
            fill(wire, phone, self.counts)
        elif what == "register":
            call_id = f"anew-{wire.now}" if value == "anew" else ""
            phone.register(expires=0 if value == "away" else 3600, call_id=call_id)
        elif what in ("subscribe", "watch anew"):
            if what == "watch anew":
                self.watcher = Watcher(phone, f"watch-{wire.now}-{self.seen}")
            self.watcher.subscribe(int(str(value)))
        elif what == "answer":
            self.answer(int(str(value)))
        elif what == "answer later":
            self.answer(503, f"Retry-After: {value}\r\n")
        elif what == "unreachable" and self.open:
            wire.engine.undeliverable(self.open.pop(next(iter(self.open))), wire.now, wire.ms)
            wire.collect()
        elif what == "wait":
            wire.wait(float(str(value)))
        elif what == "forget":
            wire.engine.registrar.forget(phone.account.encode())
            wire.collect()
        self.look()

    def answer(self, status: int, extra: str = "") -> None:
        if self.open:
            data = self.open.pop(next(iter(self.open)))
            notify = next(message for _, message, sent in self.wire.sent if sent == data)
            if status < 300 and notify.body:  # the last one to a subscriber who is gone says nothing of messages
                self.told = lamp(notify)
            self.phone.answer(notify, status, extra=extra)

    def settle(self, call_id: str) -> None:
        """The phone registers once more and answers everything from now on."""
        self.phone.register(call_id=call_id)
        self.look()
        for _ in range(100):
            while self.open:
                self.answer(200)
                self.look()
            sent = len(self.wire.sent)
            self.wire.wait(65)  # longer than any Retry-After
            self.look()
            if len(self.wire.sent) == sent:
                return
        raise AssertionError("NOTIFYs never end")


@given(st.lists(STEP, max_size=25))
@example([("subscribe", 60), ("answer", 200), ("forget", 0), ("answer", 200)])
@settings(max_examples=80, deadline=None)
def test_the_last_word_is_true_and_nothing_is_left_behind(steps: list[tuple[str, object]]) -> None:  # V6, RFC 6665
    life = Life()
    for what, value in steps:
        life.step(what, value)
    life.wire.wait(33)  # whatever was never answered is over
    life.look()
    life.open.clear()
    life.settle("settled")
    assert life.told == (life.counts.new > 0, f"{life.counts.new}/0 (0/0)")
    life.phone.register(expires=0, call_id="settled")
    life.wire.wait(7300)
    assert left_behind(life.wire) == (0, 0, 0)
    assert len(life.wire.engine.mwi.lamps) == 0
    assert not life.wire.engine.mwi.owing


@given(st.lists(PATIENT, max_size=25))
@settings(max_examples=80, deadline=None)
def test_a_phone_that_only_refreshes_is_told_what_it_missed(steps: list[tuple[str, object]]) -> None:
    life = Life()
    life.phone.register()
    for what, value in steps:
        life.step(what, value)
    life.settle("")
    assert life.told == (life.counts.new > 0, f"{life.counts.new}/0 (0/0)")


def test_what_is_under_way_is_abandoned_before_anything_else_is_sent() -> None:
    """Two at once would arrive in any order; a state in which nothing is under way has nothing to abandon."""
    for table, under_way in (
        (SUBSCRIPTION, {SubscriptionState.SENDING, SubscriptionState.OUTDATED}),
        (LAMP, {LampState.SENDING, LampState.OUTDATED}),
    ):
        for (state, event), (_, actions) in table.items():
            sends = Action.SEND in actions or Action.SEND_LAST in actions
            if state in under_way and sends and event is not Event.TAKEN:
                assert actions[0] is Action.ABANDON
            if Action.ABANDON in actions:
                assert state in under_way


def test_every_subscription_can_end_whatever_its_state() -> None:
    """From each state a close or what a transaction must come to leads to the end."""
    ends = {SubscriptionState.OVER}
    for _ in SubscriptionState:
        for (state, event), (after, _) in SUBSCRIPTION.items():
            if after in ends and event in (Event.CLOSE, Event.UNREACHED):
                ends.add(SubscriptionState(state))
    assert ends == set(SubscriptionState)
