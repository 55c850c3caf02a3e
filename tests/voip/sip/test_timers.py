"""The timer queues: every timer comes in its time and in order; a stopped one is known by its due time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from denwa.voip.sip.timers import T1, T2, T4, TIMEOUT, WAIT_D, TimerQueues


def test_the_lengths_are_those_of_rfc_3261_table_4():
    assert (T1, T2, T4, TIMEOUT) == (0.5, 4.0, 5.0, 32.0)
    assert WAIT_D >= 32.0


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.5, 1.0, 4.0, 32.0]), st.integers(0, 3)), max_size=30))
def test_each_timer_comes_once_in_the_order_of_time_and_never_early(starts):
    timers = TimerQueues()
    now = 100.0
    running: list[tuple[float, int]] = []
    seen: list[tuple[float, int]] = []
    for number, (after, step) in enumerate(starts):
        now += step * 0.25
        for owner, kind, due in timers.due(now):
            assert kind == 7
            assert due <= now
            seen.append((due, owner))
        running.append((timers.start(number, 7, after, now), number))
        assert timers.next_due() == min(due for due, owner in running if (due, owner) not in seen)
    assert len(timers) == len(running) - len(seen)
    seen += [(due, owner) for owner, _, due in timers.due(now + 32.0)]
    assert sorted(seen) == sorted(running)
    assert [due for due, _ in seen] == sorted(due for due, _ in seen)
    assert timers.next_due() is None
    assert len(timers) == 0


def test_a_timer_is_not_due_before_its_time():
    timers = TimerQueues()
    due = timers.start("owner", 1, 0.5, 10.0)
    assert due == 10.5
    assert timers.due(10.499) == []
    assert timers.next_due() == 10.5
    assert timers.due(10.5) == [("owner", 1, 10.5)]
    assert timers.due(99.0) == []


def test_what_a_timer_starts_for_the_same_moment_comes_with_the_next_look():
    timers = TimerQueues()
    timers.start("first", 1, 0.0, 10.0)
    ((owner, _, _),) = timers.due(10.0)
    timers.start(owner, 2, 0.0, 10.0)
    assert timers.next_due() == 10.0
    assert timers.due(10.0) == [("first", 2, 10.0)]
