"""Which workers hang, by what they say and do not say (V7)."""

from __future__ import annotations

from denwa.voicemail.pulse import PATIENCE, START_PATIENCE, Pulse


def _beats(pulse: Pulse, count: int, workers: tuple[int, ...] = (1,)) -> list[int]:
    return [worker for _ in range(count) for worker in pulse.beat(workers)]


def test_a_worker_that_answers_within_its_patience_never_hangs() -> None:
    pulse = Pulse()
    for _ in range(100):
        pulse.heard(1)
        assert _beats(pulse, PATIENCE) == []


def test_a_worker_that_is_silent_for_longer_is_named_once() -> None:
    pulse = Pulse()
    pulse.heard(1)
    pulse.heard(2)
    assert _beats(pulse, PATIENCE, (1, 2)) == []
    pulse.heard(2)
    assert _beats(pulse, 1, (1, 2)) == [1]
    assert _beats(pulse, PATIENCE - 1, (1, 2)) == []


def test_a_worker_that_is_still_starting_has_more_time() -> None:
    pulse = Pulse()
    assert _beats(pulse, START_PATIENCE) == []
    assert _beats(pulse, 1) == [1]


def test_the_next_worker_of_a_number_starts_anew() -> None:
    pulse = Pulse()
    pulse.heard(1)
    assert _beats(pulse, PATIENCE + 1) == [1]
    pulse.gone(1)
    assert _beats(pulse, START_PATIENCE) == []
