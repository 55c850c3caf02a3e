from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from denwa.rating.billing_month import billing_month_of, next_month
from denwa.rating.charge import charge_call
from denwa.rating.ledger import (
    Entry,
    Posting,
    PostingKind,
    UnbalancedError,
    call_posting,
    check_balanced,
    credit_move,
    entries_of,
    reversal,
)
from denwa.rating.tariff import PRICED_CLASSES
from tests.rating.shipped import BOOK

MONTH = billing_month_of(date(2026, 11, 21), 1)


def posting(number_class: str = "fixed", duration_ms: int = 61_000, credit: int = 0) -> Posting:
    charge = charge_call(BOOK.on(date(2026, 11, 21)), number_class, duration_ms, "caller").with_credit(credit)
    return call_posting(7, "+815050010001", "c", 0, charge, MONTH, MONTH)


def test_a_call_is_owed_by_the_subscriber_and_its_credit_by_the_service() -> None:
    assert entries_of(posting(credit=16)) == (
        Entry("receivable:+815050010001", 8),
        Entry("credit-granted", 16),
        Entry("revenue:fixed", -24),
    )


def test_a_free_call_books_nothing() -> None:
    assert entries_of(posting("on-net")) == ()


def test_a_reversal_names_what_it_corrects_and_takes_all_of_it_back() -> None:  # T13
    original = posting(credit=16)
    back = reversal(original, 1, next_month(MONTH))
    assert (back.kind, back.revision, back.corrects, back.month.name) == (PostingKind.REVERSAL, 1, 0, "2026-12")
    assert (back.calls, back.charge_yen, back.credit_yen, back.payable_yen) == (-1, -24, -16, -8)
    booked: dict[str, int] = {}
    for entry in (*entries_of(original), *entries_of(back)):
        booked[entry.account] = booked.get(entry.account, 0) + entry.yen
    assert set(booked.values()) == {0}


def test_entries_that_do_not_sum_to_zero_are_refused() -> None:
    with pytest.raises(UnbalancedError, match="sum to 1 yen"):
        check_balanced([Entry("a", 3), Entry("b", -2)])


def test_money_that_is_no_int_never_reaches_an_account() -> None:
    with pytest.raises(TypeError, match="whole yen"):
        entries_of(posting()._replace(charge_yen=8.0))  # type: ignore[arg-type]


@given(st.sampled_from(PRICED_CLASSES), st.integers(0, 10**8), st.integers(0, 100), st.integers(-100, 100))
def test_whatever_is_posted_sums_to_zero(number_class: str, duration_ms: int, credit: int, moved: int) -> None:  # T13
    plain = posting(number_class, duration_ms)
    original = posting(number_class, duration_ms, min(credit, plain.charge_yen))
    for made in (original, reversal(original, 1, MONTH), credit_move(original, 1, moved, MONTH)):
        assert sum(entry.yen for entry in entries_of(made)) == 0
        assert made.payable_yen == made.charge_yen - made.credit_yen
