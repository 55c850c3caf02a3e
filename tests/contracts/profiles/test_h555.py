"""h555.net (seeds/004): サービス契約約款 and 別表, computed (L4)."""

from __future__ import annotations

import pytest

from denwa.contracts.profiles.in_force import NoRuleError
from denwa.contracts.profiles.late_interest import late_interest
from denwa.contracts.profiles.outage import outage_credit
from denwa.contracts.profiles.payments import billed_in, fee_total, payment_fee, payment_methods
from denwa.contracts.profiles.recurring import Use, option_charges, plan_charges, year_charges
from denwa.contracts.profiles.withdrawal import cancellation, last_day
from tests.contracts.profiles.shipped import H555, day, month


@pytest.mark.parametrize(
    ("received", "expected"),
    [
        ("2026-11-01", "2026-11-30"),
        ("2026-11-20", "2026-11-30"),  # 初日から20日まで: 当該暦月の末日
        ("2026-11-21", "2026-12-31"),  # 21日から末日まで: 翌月の末日
        ("2026-12-31", "2027-01-31"),
        ("2027-01-21", "2027-02-28"),
        ("2028-02-20", "2028-02-29"),
    ],
)
def test_a_withdrawal_notified_by_the_20th_ends_that_month_and_a_later_one_the_next(
    received: str, expected: str
) -> None:  # L4, 第10条 1 (1)
    assert last_day(H555, day(received)).day == day(expected)
    assert cancellation(H555, day("2020-01-01"), day(received)).charge_yen == 0


@pytest.mark.parametrize(
    ("method", "payments", "fee"),
    [("card", 1, 0), ("bank-debit", 1, 139), ("bank-debit", 2, 278), ("bank-transfer", 1, 0), ("store", 1, 300)],
)
def test_each_way_to_pay_has_its_fee(method: str, payments: int, fee: int) -> None:  # L4, 第24条
    assert payment_fee(H555, method, month("2026-11"), payments).fee_yen == fee


def test_the_four_ways_to_pay() -> None:  # L4, 第24条 1
    assert payment_methods(H555, day("2026-11-21")) == ["card", "bank-debit", "bank-transfer", "store"]
    assert "契約者が負担" in payment_fee(H555, "bank-transfer", month("2026-11")).working[-1]  # 第24条 4


@pytest.mark.parametrize(
    ("owed", "paid", "days", "yen"),
    [
        (10_000, "2026-11-30", 0, 0),
        (10_000, "2026-11-29", 0, 0),
        (10_000, "2026-12-01", 0, 0),  # 翌日から支払日の前日まで: no day lies between
        (10_000, "2026-12-02", 1, 3),  # 10,000 × 14.5 % / 365 = 3.97
        (10_000, "2027-12-01", 365, 1_450),
        (73_000, "2026-12-12", 11, 319),  # 29 yen a day
        (7_300, "2026-12-12", 11, 31),  # 2.9 yen a day, cut once at the end
    ],
)
def test_late_payment_costs_14_5_percent_a_year_up_to_the_day_before_payment(
    owed: int, paid: str, days: int, yen: int
) -> None:  # L4, 第27条 1
    found = late_interest(H555, owed, day("2026-11-30"), day(paid))
    assert (found.days, found.yen) == (days, yen)


def test_a_day_of_interest_is_a_365th_of_the_year_in_leap_years_too() -> None:  # 第27条
    found = late_interest(H555, 36_500, day("2027-12-31"), day("2029-01-01"))  # all of 2028
    assert (found.days, found.yen) == (366, 5_307)  # 14.5 yen a day


@pytest.mark.parametrize(
    ("hours", "monthly", "days", "yen"),
    [
        (47, 1_200, 0, 0),  # 48 時間以上その状態が継続した場合に限り
        (48, 1_200, 2, 80),
        (71, 1_200, 2, 80),
        (72, 1_200, 3, 120),
        (72, 2_984, 3, 298),  # 298.4: 円未満切り捨て, once
        (24 * 30, 3_253, 30, 3_253),
        (24 * 31, 3_253, 31, 3_253),  # 第34条 3 (1): at most the fee of the month
    ],
)
def test_an_outage_from_48_hours_is_credited_at_a_30th_of_the_basic_fee_a_day(
    hours: int, monthly: int, days: int, yen: int
) -> None:  # L4, 第36条 1
    found = outage_credit(H555, hours, monthly, day("2026-02-05"))
    assert (found.days, found.yen) == (days, yen)


MONTHLY = {
    "flets-family": 1200, "flets-mansion": 1200, "flets-adsl": 1500, "neo12m-shared": 2300, "neo50m-shared": 3253,
    "neo12m-dedicated": 3586, "neo50m-dedicated": 4539, "mybroad-50-plus": 3474, "mybroad-12m": 2929,
    "nattoku-1-5": 2984, "nattoku-3": 3184, "nattoku-8": 2884, "nattoku-12": 3384, "commit-12": 3154,
    "mobile-1gb": 980, "mobile-3gb": 1480, "mobile-7gb": 2480, "mobile-10gb": 3280, "dialup": 500,
}  # fmt: skip
FIRST_MONTH_PAID = {"flets-family", "flets-mansion", "mobile-1gb", "mobile-3gb", "mobile-7gb", "mobile-10gb", "dialup"}
YEARLY = {
    "nattoku-1-5": 22600, "nattoku-3": 24600, "nattoku-8": 25600, "nattoku-12": 29600, "commit-1-5": 22600,
    "commit-8": 25600, "commit-12": 29600, "nattoku-47": 36600,
}  # fmt: skip


def test_every_plan_of_the_price_list_is_there() -> None:  # L4, 別表 1
    assert {plan.id: plan.monthly_yen for plan in H555.plan if plan.monthly_yen} == MONTHLY
    assert {plan.id: plan.yearly_yen for plan in H555.plan if plan.yearly_yen} == YEARLY


@pytest.mark.parametrize("plan", sorted(MONTHLY))
def test_the_month_of_the_beginning_is_free_where_the_price_list_says_so(plan: str) -> None:
    # L4, 別表 1.2 - 1.4: ご契約開始月の料金は無料; 1.1, 1.5, 1.6 do not: paid from admission (第25条)
    charges = plan_charges(H555, plan, Use(day("2026-11-21"), day("2026-12-31")), month("2027-12"))
    first = MONTHLY[plan] if plan in FIRST_MONTH_PAID else 0
    assert [charge.yen for charge in charges] == [first, MONTHLY[plan]]


@pytest.mark.parametrize("plan", sorted(YEARLY))
def test_a_yearly_plan_is_paid_ahead_for_twelve_months_from_the_month_after_the_beginning(plan: str) -> None:
    # L4, 別表 1.4.1: 年間契約の場合は利用開始翌月から12カ月分を前払い
    charges = year_charges(H555, plan, Use(day("2026-11-21")), month("2028-12"))
    assert [(str(c.first), str(c.last), c.yen) for c in charges] == [
        ("2026-12", "2027-11", YEARLY[plan]),
        ("2027-12", "2028-11", YEARLY[plan]),
        ("2028-12", "2029-11", YEARLY[plan]),
    ]


def test_a_year_that_was_paid_is_not_given_back_and_no_other_begins() -> None:  # L4, 第24条 1, 第10条 1
    ended = last_day(H555, day("2027-02-21")).day
    assert len(year_charges(H555, "nattoku-47", Use(day("2026-11-21"), ended), month("2030-01"))) == 1
    assert year_charges(H555, "nattoku-47", Use(day("2026-11-21"), day("2026-11-30")), month("2030-01")) == []


def test_a_plan_without_a_yearly_fee_says_so() -> None:
    with pytest.raises(NoRuleError, match="no yearly contract"):
        year_charges(H555, "flets-family", Use(day("2026-11-21")), month("2027-12"))
    with pytest.raises(NoRuleError, match="monthly fee is needed"):
        plan_charges(H555, "nattoku-47", Use(day("2026-11-21")), month("2027-12"))


@pytest.mark.parametrize(
    ("option", "monthly", "yearly"),
    [
        ("mail-address", 100, 1200), ("spam-check", 200, 2400), ("mcafee", 500, None), ("multi-device", 500, None),
        ("sagiwall", 300, 2800), ("i-filter", 360, None), ("userweb", 300, 3600), ("userweb-space", 500, None),
    ],
)  # fmt: skip
def test_options_are_free_in_their_first_month(option: str, monthly: int, yearly: int | None) -> None:
    # L4, 別表 2: ご契約開始月の料金は無料, 月間契約は利用開始翌月分から後払い, 年間契約は12カ月分を前払い
    use = Use(day("2026-11-21"), day("2027-01-31"))
    charges = option_charges(H555, option, [use], month("2027-12")).charges
    assert [charge.yen for charge in charges] == [0, monthly, monthly]
    if yearly:
        assert [charge.yen for charge in year_charges(H555, option, use, month("2027-12"))] == [yearly]


def test_options_of_a_mobile_or_dial_up_line_are_charged_from_the_first_month() -> None:  # L4, 別表 1.5, 1.6
    for option, monthly in (("mobile-option-7gb", 2480), ("mobile-details", 200), ("dialup-option", 300)):
        assert option_charges(H555, option, [Use(day("2026-11-21"))], month("2026-11")).total_yen == monthly


def test_space_is_added_in_units_up_to_the_most() -> None:  # L4, 別表 2: 200MB 単位で最大 800MB まで
    assert option_charges(H555, "userweb-space", [Use(day("2026-10-01"))], month("2026-11"), units=3).total_yen == 1500
    for units in (0, 4):
        with pytest.raises(NoRuleError, match="1 to 3 units"):
            option_charges(H555, "userweb-space", [Use(day("2026-10-01"))], month("2026-11"), units)


def test_works_are_the_basic_charge_and_what_was_done() -> None:
    # L4, 別表 1.3.3: 基本工事費と実施した回線調整工事費を合計して算定
    counts = {"works-basic": 1, "works-transfer": 1, "works-bridge-tap": 2, "works-protector": 1}
    assert fee_total(H555, counts, day("2026-11-21")).yen == 11_000 + 8_000 + 2 * 9_000 + 8_000
    mybroad = {"mybroad-works-basic": 1, "mybroad-works-transfer": 1, "mybroad-works-connection": 2}
    assert fee_total(H555, mybroad, day("2026-11-21")).yen == 4_500 + 4_600 + 2 * 2_050  # 別表 1.4.3


def test_fees_named_with_tax_are_kept_apart() -> None:  # 第32条 5: 申請 1 件あたり 800 円（税込）
    found = fee_total(H555, {"disclosure": 1, "sim": 2, "contract": 1}, day("2026-11-21"))
    assert (found.yen, found.tax_included_yen) == (6_800, 800)
    with pytest.raises(NoRuleError, match="at least once"):
        fee_total(H555, {"sim": 0}, day("2026-11-21"))


def test_a_visit_is_the_basic_charge_and_its_items() -> None:  # 別表 3.1
    assert fee_total(H555, {"visit": 1, "visit-router-basic": 1, "visit-diagnosis": 2}, day("2026-11-21")).yen == 20_240
    visits = [fee for fee in H555.fee if fee.article == "別表 3.1"]
    assert (len(visits), sum(fee.yen for fee in visits)) == (42, 189_586)


def test_a_monthly_contract_is_paid_afterwards_and_a_yearly_one_ahead() -> None:  # L4, 第26条 1, 別表 1.4.1
    assert billed_in(H555, "monthly", month("2026-11")) == month("2026-12")
    assert billed_in(H555, "yearly", month("2026-12")) == month("2026-12")
