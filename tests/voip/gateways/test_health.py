"""Up and down with hysteresis."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from denwa.voip.gateways.health import (
    DOWN_AFTER,
    LONGEST_RETRY_AFTER,
    REST,
    TRANSITIONS,
    UP_AFTER,
    Condition,
    Health,
    Sign,
)


def after(*signs: Sign, probed: bool = True) -> Health:
    health = Health(probed=probed)
    for sign in signs:
        health.note(sign, 0.0)
    return health


GOOD, BAD = Sign.GOOD, Sign.BAD


def test_it_takes_several_failures_in_a_row_to_go_down_and_several_answers_to_come_back() -> None:
    assert after(*[BAD] * (DOWN_AFTER - 1)).condition is Condition.UP
    assert after(*[BAD] * DOWN_AFTER).condition is Condition.DOWN
    assert after(*[BAD] * DOWN_AFTER, *[GOOD] * (UP_AFTER - 1)).condition is Condition.DOWN
    assert after(*[BAD] * DOWN_AFTER, *[GOOD] * UP_AFTER).condition is Condition.UP


@given(st.lists(st.sampled_from(list(Sign)), max_size=40))
def test_it_changes_only_after_a_whole_run_and_says_so(signs: list[Sign]) -> None:
    health = Health(probed=True)
    for i, sign in enumerate(signs):
        before = health.condition
        changed = health.note(sign, float(i))
        assert changed == (health.condition is not before)
        if changed:
            count = TRANSITIONS[before, sign][1]
            assert signs[: i + 1][-count:] == [sign] * count


def test_failures_that_alternate_with_answers_change_nothing() -> None:
    assert after(*[BAD, BAD, GOOD] * 10).condition is Condition.UP


def test_what_is_probed_stays_out_until_the_probe_says_so_and_is_no_last_resort() -> None:
    health = after(*[BAD] * DOWN_AFTER)
    assert not health.usable(REST * 100)
    assert not health.last_resort(REST * 100)


def test_what_is_not_probed_is_tried_again_after_a_rest_and_one_answer_is_enough() -> None:
    health = after(*[BAD] * DOWN_AFTER, probed=False)
    assert not health.usable(REST - 1)
    assert health.last_resort(REST - 1)
    assert health.usable(REST)
    assert health.note(GOOD, REST)
    assert health.spotless


@pytest.mark.parametrize(("asked", "kept"), [(60, 60), (10**9, LONGEST_RETRY_AFTER)])
def test_retry_after_shuts_it_for_so_long_but_not_for_ever(asked: float, kept: float) -> None:
    health = Health(probed=False)
    health.shut(asked, 10.0)
    assert not health.usable(10.0 + kept - 1)
    assert not health.last_resort(10.0 + kept - 1)
    assert health.usable(10.0 + kept)
