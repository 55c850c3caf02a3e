"""Notices before 12 months without a bill, and when a contract may be ended (約款 第13条 3, 4; L2)."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from denwa.contracts.dormancy import Dormant, QuietContract, due_notices, outdated, told
from denwa.contracts.notices import Addressee, Notice, NoticeState, dormancy_notice

DORMANT_ON = date(2027, 10, 1)
BEFORE = (90, 30, 10)
CONTRACT = QuietContract("+815050010001", "山田", "y@example.jp", date(2026, 9, 1), 1, None)
TO = Addressee(CONTRACT.number, "山田", "Denwa")
DUE = [date(2027, 7, 3), date(2027, 9, 1), date(2027, 9, 21)]


@pytest.mark.parametrize(
    ("day", "due"),
    [
        (date(2027, 7, 2), []),
        (date(2027, 7, 3), DUE[:1]),
        (date(2027, 8, 31), DUE[:1]),
        (date(2027, 9, 1), DUE[:2]),
        (date(2027, 9, 21), DUE),
        (date(2028, 1, 1), DUE),
    ],
)
def test_notices_are_due_90_30_and_10_days_before(day: date, due: list[date]) -> None:
    assert due_notices(DORMANT_ON, day, BEFORE) == due


def written(*due: date, dormant_on: date = DORMANT_ON, state: NoticeState = NoticeState.WAITING) -> list[Notice]:
    made = [dormancy_notice(TO, dormant_on, day) for day in due]
    return [one._replace(key=at, state=state) for at, one in enumerate(made)]


def test_of_several_that_wait_only_the_last_is_given() -> None:
    assert [notice.due_on for notice in outdated(written(*DUE), DORMANT_ON)] == DUE[:2]
    assert outdated(written(*DUE[:1]), DORMANT_ON) == []


def test_a_new_bill_makes_what_waits_outdated() -> None:
    notices = written(*DUE)
    assert outdated(notices, date(2028, 1, 1)) == notices
    assert outdated(notices, None) == notices
    assert outdated(written(*DUE, state=NoticeState.GIVEN), None) == []


@pytest.mark.parametrize(
    ("told_on", "day", "may_end"),
    [
        ((), date(2028, 1, 1), False),  # never told
        ((date(2027, 9, 21),), date(2027, 9, 30), False),  # not complete
        ((date(2027, 9, 21),), date(2027, 10, 1), True),
        ((date(2027, 9, 25),), date(2027, 10, 4), False),  # told less than 10 days ago
        ((date(2027, 9, 25),), date(2027, 10, 5), True),
        ((date(2027, 7, 3), date(2027, 9, 30)), date(2027, 10, 1), True),
    ],
)
def test_a_contract_may_be_ended_when_the_months_are_complete_and_it_was_told_in_time(
    told_on: tuple[date, ...], day: date, may_end: bool
) -> None:
    assert Dormant(CONTRACT, DORMANT_ON, told_on).may_end(day, min(BEFORE)) is may_end


def test_only_notices_of_that_very_day_count_as_told() -> None:  # K9
    day = date(2027, 7, 3)
    given_now = [n._replace(given_on=day) for n in written(DUE[0], state=NoticeState.GIVEN)]
    earlier = written(date(2026, 7, 3), dormant_on=date(2026, 10, 1), state=NoticeState.GIVEN)
    earlier = [notice._replace(given_on=date(2026, 7, 3)) for notice in earlier]
    assert told([*earlier, *given_now], DORMANT_ON) == (day,)


def test_the_notice_names_the_day_in_both_languages() -> None:
    notice = dormancy_notice(TO, DORMANT_ON, DUE[0])
    assert "2027年10月1日" in notice.text
    assert "2027-10-01" in notice.text
    assert notice.text.startswith("山田 様")


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.lists(st.integers(0, 365), max_size=5), st.integers(-400, 400))
def test_notices_are_due_in_order_each_once_and_never_ahead(dormant_on: date, before: list[int], offset: int) -> None:
    day = dormant_on + timedelta(days=offset)
    due = due_notices(dormant_on, day, before)
    assert due == sorted(set(due))
    assert all(due_on <= day for due_on in due)
    assert set(due_notices(dormant_on, day + timedelta(days=1), before)) >= set(due)
