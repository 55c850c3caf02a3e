"""Numbers in use, stopped, resting on any date (K7, N1)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from denwa.contracts.numbers_in_use import NumberLife, NumberUse, count, end_of, use_of
from denwa.contracts.stock import OwnRange

DAY = date(2026, 11, 30)
MOMENT = end_of(DAY)
RANGES = (OwnRange("+815050010000", "+815050010099"), OwnRange("+815050020000", "+815050020009"))
GIVEN = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_day_ends_at_midnight_in_tokyo() -> None:
    assert end_of(DAY) == datetime(2026, 11, 30, 15, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("ended_at", "stopped", "quarantine_days", "use"),
    [
        (None, False, 0, NumberUse.IN_USE),
        (None, True, 0, NumberUse.STOPPED),
        (MOMENT, False, 0, NumberUse.IN_USE),  # ended with the first moment of the day after
        (MOMENT - timedelta(milliseconds=1), False, 0, NumberUse.RESTING),
        (GIVEN, False, 0, NumberUse.RESTING),  # for ever
        (MOMENT - timedelta(days=180), False, 180, NumberUse.RESTING),
        (MOMENT - timedelta(days=180, milliseconds=1), False, 180, NumberUse.RESTED),
    ],
)
def test_a_number_is_used_as_its_contract_stands(
    ended_at: datetime | None, stopped: bool, quarantine_days: int, use: NumberUse
) -> None:
    assert use_of(NumberLife("+815050010000", GIVEN, ended_at, stopped), MOMENT, quarantine_days) is use


lives = st.lists(
    st.builds(
        NumberLife,
        st.integers(0, 99).map(lambda n: f"+8150500100{n:02}"),
        st.just(GIVEN),
        st.none() | st.integers(1, 365).map(lambda days: GIVEN + timedelta(days=days)),
        st.booleans(),
    ),
    unique_by=lambda life: life.number,
    max_size=30,
)


@given(lives, st.integers(0, 400))
def test_every_number_of_the_ranges_is_counted_once(lives: list[NumberLife], quarantine_days: int) -> None:
    counted = count(DAY, lives, RANGES, quarantine_days, MOMENT)
    assert sum(counted.uses.values()) == len(lives)
    assert sum(counted.uses.values()) + counted.free == 110
    assert counted.active == counted.uses[NumberUse.IN_USE] + counted.uses[NumberUse.STOPPED]


def test_a_number_that_is_in_no_range_any_more_is_still_counted() -> None:
    counted = count(DAY, [NumberLife("+815099990000", GIVEN, None, False)], RANGES, 0, MOMENT)
    assert (counted.active, counted.free) == (1, 110)
