"""特定IPデータ通信網サービス契約約款 (seeds/003), the service itself: late interest, surcharge (L4, T11)."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from denwa.contracts.profiles.late_interest import late_interest
from denwa.contracts.profiles.payments import evasion_surcharge, fee_total, payment_methods
from denwa.rating.arithmetic import late_interest as ledger_interest
from tests.contracts.profiles.shipped import IP_PHONE_SMART, day


@pytest.mark.parametrize(
    ("paid", "days", "yen"),
    [
        ("2026-11-30", 0, 0),
        ("2026-12-01", 0, 0),
        ("2026-12-10", 0, 0),  # 翌日から起算して10日以内
        ("2026-12-11", 10, 290),  # from the 1st to the 10th
        ("2027-12-01", 365, 10_585),
    ],
)
def test_nothing_is_due_within_ten_days_and_then_every_day_counts(paid: str, days: int, yen: int) -> None:
    # L4, T11, 第27条: 年14.5%, 支払期日の翌日から支払いの日の前日まで
    found = late_interest(IP_PHONE_SMART, 73_000, day("2026-11-30"), day(paid))
    assert (found.days, found.yen) == (days, yen)


def test_the_working_names_days_rate_and_article() -> None:
    found = late_interest(IP_PHONE_SMART, 73_000, day("2026-11-30"), day("2026-12-11"))
    assert found.working == (
        "2026-12-01 から 2026-12-10 まで 10日 (第27条)",
        "73000円 × 年14.5% × 10日 / 365日 → 290円 (円未満切り捨て)",
    )


@given(st.integers(0, 10_000_000), st.dates(date(2015, 7, 1), date(2040, 1, 1)), st.integers(-20, 3_000))
def test_the_profile_and_the_ledger_compute_the_same_interest(owed: int, due: date, late: int) -> None:  # L4, T11
    paid = due + timedelta(days=late)
    found = late_interest(IP_PHONE_SMART, owed, due, paid)
    rated = ledger_interest.late_interest(owed, due, paid)
    assert (found.days, found.yen) == (rated.days, rated.yen)


def test_an_evaded_charge_costs_twice_that_charge_with_tax() -> None:  # L4, T11, 第26条
    found = evasion_surcharge(IP_PHONE_SMART, 1_000, 10, day("2026-11-30"))
    assert (found.yen, found.tax_yen) == (2_000, 200)


def test_a_number_costs_500_yen_and_one_pays_by_card_or_by_invoice() -> None:  # 料金表 第1表 第4, 通則 6
    assert fee_total(IP_PHONE_SMART, {"number": 4}, day("2026-11-30")).yen == 2_000
    assert payment_methods(IP_PHONE_SMART, day("2026-11-30")) == ["card", "invoice"]


def test_a_debt_is_never_negative() -> None:
    with pytest.raises(ValueError, match="-1 yen"):
        late_interest(IP_PHONE_SMART, -1, day("2026-11-30"), day("2026-12-11"))
    with pytest.raises(ValueError, match="negative"):
        evasion_surcharge(IP_PHONE_SMART, -1, 10, day("2026-11-30"))
