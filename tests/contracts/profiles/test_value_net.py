"""バリューネット (seeds/000): what its questions and answers say, computed (L4)."""

from __future__ import annotations

import pytest

from denwa.contracts.profiles.calendar_month import CalendarMonth
from denwa.contracts.profiles.in_force import NoRuleError
from denwa.contracts.profiles.payments import payment_fee, payment_methods
from denwa.contracts.profiles.recurring import Use, plan_charges
from denwa.contracts.profiles.withdrawal import cancellation, last_day
from tests.contracts.profiles.shipped import VALUE_NET, day, month


@pytest.mark.parametrize(
    ("received", "expected"),
    [
        ("2026-11-01", "2026-11-30"),
        ("2026-11-15", "2026-11-30"),  # 毎月15日までに受理: 申請月1ヶ月分
        ("2026-11-16", "2026-12-31"),  # 16日以降に受理: 申請の翌月分まで
        ("2026-11-30", "2026-12-31"),
        ("2026-12-16", "2027-01-31"),
        ("2028-02-15", "2028-02-29"),
    ],
)
def test_a_withdrawal_received_by_the_15th_ends_that_month_and_a_later_one_the_next(
    received: str, expected: str
) -> None:  # L4, 退会・解約
    found = last_day(VALUE_NET, day(received))
    assert found.day == day(expected)
    assert str(found.day) in found.working[-1]


def test_the_last_month_is_charged_whole() -> None:  # L4, 退会・解約: 日割りは行っておりません
    ends = last_day(VALUE_NET, day("2026-11-16")).day
    charges = plan_charges(VALUE_NET, "internet", Use(day("2026-10-20"), ends), month("2027-06"), monthly_yen=3000)
    assert [(str(charge.month), charge.yen) for charge in charges] == [
        ("2026-10", 3000),  # いつから料金が発生しますか?: 開通した月の利用分から
        ("2026-11", 3000),
        ("2026-12", 3000),
    ]


def test_a_bank_debit_costs_200_yen_a_month_and_is_made_on_the_23rd() -> None:  # L4, 口座振替
    found = payment_fee(VALUE_NET, "bank-debit", month("2026-11"))
    assert (found.fee_yen, found.debit_on) == (200, day("2026-11-23"))
    assert payment_fee(VALUE_NET, "bank-debit", month("2026-11"), payments=3).fee_yen == 200
    assert payment_fee(VALUE_NET, "bank-debit", month("2026-11"), payments=0).fee_yen == 0


def test_one_pays_by_card_without_a_fee_or_by_bank_debit() -> None:  # L4, 支払い方法は?
    assert payment_methods(VALUE_NET, day("2026-11-21")) == ["card", "bank-debit"]
    card = payment_fee(VALUE_NET, "card", month("2026-11"))
    assert (card.fee_yen, card.debit_on) == (0, None)
    with pytest.raises(NoRuleError, match=r"'store'.*card, bank-debit"):
        payment_fee(VALUE_NET, "store", month("2026-11"))


@pytest.mark.parametrize(
    ("asked", "charge"),
    [
        ("2026-04-30", 9500),  # the first month of the term
        ("2028-03-31", 9500),  # the last month of the term
        ("2028-04-01", 0),  # 更新月: 契約終了の翌月
        ("2028-04-15", 0),
        ("2028-04-30", 0),  # still asked for in the renewal month, though it ends in May
        ("2028-05-01", 9500),  # 自動契約更新
        ("2030-03-31", 9500),
        ("2030-04-10", 0),  # the next renewal month
        ("2030-05-10", 9500),
    ],
)
def test_a_term_renews_itself_and_only_in_the_renewal_month_one_leaves_free_of_charge(
    asked: str, charge: int
) -> None:  # L4, 最低利用期間はあるのか?
    found = cancellation(VALUE_NET, day("2026-04-20"), day(asked), months=24, charge_yen=9500)
    assert found.charge_yen == charge
    assert found.last_day == last_day(VALUE_NET, day(asked)).day


def test_the_term_counts_from_the_month_of_the_contract_to_the_end_of_its_last_month() -> None:  # 最低利用期間
    found = cancellation(VALUE_NET, day("2026-04-30"), day("2026-05-01"), months=12, charge_yen=5000)
    assert "2026-04 から 2027-03 まで" in found.working[-2]
    assert "次の更新月 2027-04" in found.working[-1]


def test_figures_that_differ_by_plan_must_be_given() -> None:  # L4: ご契約のプランにより金額は異なります
    with pytest.raises(NoRuleError, match="months of the term"):
        cancellation(VALUE_NET, day("2026-04-20"), day("2026-05-01"), charge_yen=9500)
    with pytest.raises(NoRuleError, match="cancellation charge"):
        cancellation(VALUE_NET, day("2026-04-20"), day("2026-05-01"), months=24)
    with pytest.raises(NoRuleError, match="monthly fee"):
        plan_charges(VALUE_NET, "internet", Use(day("2026-04-20")), month("2026-05"))


def test_one_cannot_leave_before_the_contract_began() -> None:
    with pytest.raises(NoRuleError, match="notice before the contract"):
        cancellation(VALUE_NET, day("2026-04-20"), day("2026-04-19"), months=24, charge_yen=1)


def test_the_cards_are_those_of_the_document() -> None:  # クレジットカードでのお支払いについて
    (card,) = [rule for rule in VALUE_NET.payment if rule.method == "card"]
    assert card.cards == ["JCB", "VISA", "MasterCard", "AMERICAN EXPRESS", "ダイナース"]


def test_months_are_counted_over_the_year() -> None:
    assert CalendarMonth(2026, 12).plus(1) == CalendarMonth(2027, 1)
    assert CalendarMonth(2026, 1).plus(-1) == CalendarMonth(2025, 12)
    assert CalendarMonth(2027, 1).since(CalendarMonth(2026, 11)) == 2
