"""Places and leases: an invariant-checked model under any order of events."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from denwa.voicemail.leases import IDLE_PATIENCE, INVITE_PATIENCE, PLACES, Kind, LeaseBook


def test_worker_takes_four_calls_and_no_fifth() -> None:
    book = LeaseBook()
    book.worker_ready(0, 5070, 0.0)
    assert [book.give(str(n), Kind.MESSAGE, 0.0) for n in range(5)] == [(0, 5070)] * 4 + [None]


def test_lease_without_invite_is_overdue_after_five_seconds_and_is_taken_back_once() -> None:
    book = LeaseBook()
    book.worker_ready(0, 5070, 0.0)
    book.give("a", Kind.MESSAGE, 10.0)
    assert book.overdue(10.0 + INVITE_PATIENCE - 0.001) == []
    assert book.overdue(10.0 + INVITE_PATIENCE) == ["a"]
    assert book.take_back("a") == 0
    assert book.take_back("a") is None
    assert book.overdue(99.0) == []
    assert book.free == PLACES - 1  # until the worker says that it has forgotten it


def test_answered_call_is_neither_overdue_nor_taken_back() -> None:
    book = LeaseBook()
    book.worker_ready(0, 5070, 0.0)
    book.give("a", Kind.MESSAGE, 0.0)
    book.taken("a")
    assert book.overdue(1000.0) == []
    assert book.take_back("a") is None


def test_fullest_worker_is_filled_first_so_that_others_can_go() -> None:
    book = LeaseBook()
    book.worker_ready(0, 5070, 0.0)
    book.worker_ready(1, 5072, 0.0)
    given = [book.give(str(n), Kind.MESSAGE, 0.0) for n in range(4)]
    assert {worker for worker, _ in given if worker is not None} == {0}
    assert book.dispensable(1, IDLE_PATIENCE) is None  # no other place is free
    book.ended("0", 1.0)
    book.ended("1", 1.0)
    assert book.dispensable(1, IDLE_PATIENCE) == 1
    assert book.dispensable(2, IDLE_PATIENCE) is None  # two are to be kept ready


def test_dead_worker_loses_its_leases_and_only_those() -> None:
    book = LeaseBook()
    book.worker_ready(0, 5070, 0.0)
    for name in "abcd":
        book.give(name, Kind.MESSAGE, 0.0)
    book.worker_ready(1, 5072, 0.0)
    book.give("e", Kind.MESSAGE, 0.0)
    assert [lease.id for lease in book.worker_gone(0)] == ["a", "b", "c", "d"]
    assert len(book) == 1
    assert book.worker_gone(0) == []


def _book(workers: int, taken: int) -> LeaseBook:
    book = LeaseBook()
    for number in range(workers):
        book.worker_ready(number, 5070 + number, 0.0)
    for number in range(taken):
        assert book.give(str(number), Kind.MESSAGE, 0.0) is not None
    return book


def test_another_worker_is_wanted_before_the_last_place_is_taken_up_to_the_most() -> None:
    assert _book(1, 0).missing(waiting=0, starting=0, running=1, ready=1, most=3) == 0
    assert _book(1, 3).missing(waiting=0, starting=0, running=1, ready=1, most=3) == 1
    assert _book(3, 12).missing(waiting=5, starting=0, running=3, ready=1, most=3) == 0
    assert _book(0, 0).missing(waiting=0, starting=0, running=0, ready=2, most=3) == 2


def test_a_crowd_has_as_many_workers_started_as_it_needs_and_not_again_while_they_start() -> None:
    # V1: a hundred callers at once
    book = _book(1, 4)
    more = book.missing(waiting=96, starting=0, running=1, ready=1, most=40)
    assert PLACES * more >= 96 + book.spare
    assert book.missing(waiting=96, starting=more, running=1 + more, ready=1, most=40) == 0
    assert book.missing(waiting=97 + PLACES, starting=more, running=1 + more, ready=1, most=40) > 0


def test_the_more_callers_there_are_the_more_places_are_kept_free_for_others() -> None:
    assert _book(5, 1).spare == 2
    assert _book(20, 50).spare == 10


def test_a_worker_that_leaves_keeps_its_calls_and_gets_no_more() -> None:
    book = _book(1, 2)
    book.worker_leaving(0)
    assert book.free == 0
    assert book.give("new", Kind.MESSAGE, 0.0) is None
    assert len(book) == 2
    assert book.ended("0", 1.0)
    assert book.free == 0


def test_leases_are_counted_by_what_they_are_for() -> None:
    book = _book(2, 3)
    book.give("prompt", Kind.GUIDANCE, 0.0)
    assert (book.count(Kind.MESSAGE), book.count(Kind.GUIDANCE)) == (3, 1)
    book.ended("prompt", 1.0)
    book.worker_gone(0)
    assert (book.count(Kind.MESSAGE), book.count(Kind.GUIDANCE)) == (0, 0)


class AnyOrder(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.book = LeaseBook()
        self.model: dict[str, int] = {}
        self.up: set[int] = set()
        self.counter = 0
        self.now = 0.0

    @rule(worker=st.integers(0, 2))
    def start(self, worker: int) -> None:
        if worker not in self.up:
            self.up.add(worker)
            self.book.worker_ready(worker, 5070 + worker, self.now)

    @rule(worker=st.integers(0, 2))
    def die(self, worker: int) -> None:
        lost = [lease.id for lease in self.book.worker_gone(worker)]
        assert lost == sorted(lease for lease, where in self.model.items() if where == worker)
        self.model = {lease: where for lease, where in self.model.items() if where != worker}
        self.up.discard(worker)

    @rule()
    def give(self) -> None:
        self.counter += 1
        lease = str(self.counter)
        place = self.book.give(lease, Kind.MESSAGE, self.now)
        assert (place is None) == (len(self.model) == PLACES * len(self.up))
        if place is not None:
            self.model[lease] = place[0]

    @rule(number=st.integers(0, 50), seconds=st.floats(0, 10))
    def pass_time_and_end(self, number: int, seconds: float) -> None:
        self.now += seconds
        assert self.book.ended(str(number), self.now) == (self.model.pop(str(number), None) is not None)

    @rule(number=st.integers(0, 50))
    def take(self, number: int) -> None:
        self.book.taken(str(number))

    @rule(number=st.integers(0, 50))
    def take_back(self, number: int) -> None:
        self.book.take_back(str(number))

    @invariant()
    def no_worker_has_too_many(self) -> None:
        assert len(self.book) == len(self.model)
        assert self.book.free == PLACES * len(self.up) - len(self.model) >= 0
        for worker in self.up:
            assert sum(where == worker for where in self.model.values()) <= PLACES


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)
