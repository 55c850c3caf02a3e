"""AND market mobile (seeds/003): 利用約款, FAQ, 販売約款 and 保証委託契約約款, computed (L4)."""

from __future__ import annotations

import pytest

from denwa.contracts.profiles.in_force import NoRuleError
from denwa.contracts.profiles.late_interest import late_interest
from denwa.contracts.profiles.outage import outage_credit, shares
from denwa.contracts.profiles.payments import (
    billed_in,
    evasion_surcharge,
    fee_total,
    payment_fee,
    payment_methods,
    suspension_after,
)
from denwa.contracts.profiles.recurring import Use, plan_charges
from denwa.contracts.profiles.withdrawal import cancellation, last_day
from tests.contracts.profiles.shipped import AND_MARKET, day, month


@pytest.mark.parametrize(
    ("received", "expected"),
    [
        ("2017-03-01", "2017-04-30"),  # 2017年3月ご解約お申込み分までは従来どおり、翌月末解約
        ("2017-03-31", "2017-04-30"),
        ("2017-04-01", "2017-04-30"),  # 2017年4月ご解約お申込み分より
        ("2017-04-15", "2017-04-30"),  # 第35条: 15日までに受領した場合は当月末日
        ("2017-04-16", "2017-05-31"),  # 第35条: 16日以降に受領した場合は翌月末日
        ("2017-12-31", "2018-01-31"),
        ("2018-05-15", "2018-05-31"),
        ("2018-05-16", "2018-05-31"),  # サービス終了日: 2018年5月31日
        ("2018-05-31", "2018-05-31"),
    ],
)
def test_a_notice_of_withdrawal_ends_the_contract(received: str, expected: str) -> None:  # L4, 第35条
    assert last_day(AND_MARKET, day(received)).day == day(expected)


def test_after_the_service_ended_there_is_nothing_to_leave() -> None:  # L4, サービス終了の告知
    with pytest.raises(NoRuleError, match="after the service ended"):
        last_day(AND_MARKET, day("2018-06-01"))
    with pytest.raises(NoRuleError, match="before the terms"):
        last_day(AND_MARKET, day("2015-11-24"))


def test_leaving_costs_nothing() -> None:  # L4, 解約について: 違約金や手数料はございません
    found = cancellation(AND_MARKET, day("2017-04-10"), day("2017-04-15"))
    assert found.charge_yen == 0
    assert (found.last_day - day("2017-04-15")).days == 15  # 最短でおよそ2週間が最低利用期間


def test_the_voice_service_ends_with_the_month_of_the_notice() -> None:  # L4, 別紙1 別紙第4条
    assert last_day(AND_MARKET, day("2017-04-30"), "voice").day == day("2017-04-30")
    assert last_day(AND_MARKET, day("2016-04-30"), "voice").day == day("2016-04-30")
    assert last_day(AND_MARKET, day("2017-04-30"), "data").day == day("2017-05-31")


@pytest.mark.parametrize(
    ("asked", "left"),
    [("2016-01-31", 5), ("2016-03-10", 3), ("2016-05-31", 1), ("2016-06-01", 0), ("2016-12-01", 0)],
)
def test_leaving_the_voice_service_within_six_months_costs_the_fees_that_remain(asked: str, left: int) -> None:
    # L4, 別紙1 別紙第3条 3: 最低利用期間は6ヵ月、残月数分の基本料金
    found = cancellation(AND_MARKET, day("2016-01-20"), day(asked), "voice", monthly_yen=1580)
    assert found.charge_yen == left * 1580


def test_a_charge_for_the_months_that_remain_needs_the_basic_fee() -> None:  # 第38条: 別途定める
    with pytest.raises(NoRuleError, match="monthly fee"):
        cancellation(AND_MARKET, day("2016-01-20"), day("2016-02-01"), "voice")
    assert cancellation(AND_MARKET, day("2016-01-20"), day("2016-06-01"), "voice").charge_yen == 0


@pytest.mark.parametrize(
    ("begun", "first"),
    [
        ("2017-04-01", 1000),
        ("2017-04-02", 966),  # 1000 × 29 / 30 = 966.67
        ("2017-04-30", 33),
        ("2017-05-31", 32),
        ("2016-02-29", 34),
    ],
)
def test_the_first_month_is_charged_from_the_day_of_the_beginning(begun: str, first: int) -> None:
    # L4, 料金について: 申込月はご利用開始日からの日割分
    charges = plan_charges(AND_MARKET, "data", Use(day(begun)), month(begun[:7]).plus(1), monthly_yen=1000)
    assert [charge.yen for charge in charges] == [first, 1000]


@pytest.mark.parametrize("plan", ["voice", "sms"])
def test_with_voice_or_sms_the_first_month_is_charged_whole(plan: str) -> None:  # L4, 別紙1 第8条, 別紙2 第3条
    (charge,) = plan_charges(AND_MARKET, plan, Use(day("2017-04-30")), month("2017-04"), monthly_yen=1000)
    assert charge.yen == 1000


def test_the_fee_runs_through_the_month_of_the_last_day_and_never_beyond_the_service() -> None:  # L4, 第36条 3
    use = Use(day("2018-04-01"), last_day(AND_MARKET, day("2018-05-16")).day)
    charges = plan_charges(AND_MARKET, "data", use, month("2019-01"), monthly_yen=900)
    assert [str(charge.month) for charge in charges] == ["2018-04", "2018-05"]
    assert len(plan_charges(AND_MARKET, "data", Use(day("2018-04-01")), month("2019-01"), 900)) == 2


@pytest.mark.parametrize(("item", "billed"), [("monthly", "2018-01"), ("usage", "2018-02"), ("sms", "2018-02")])
def test_the_month_is_billed_next_month_and_calls_the_month_after(item: str, billed: str) -> None:
    # L4, 料金について: 当月ご利用分は翌月請求、SMS通信料とSMARTalkの通話料は翌々月請求
    assert billed_in(AND_MARKET, item, month("2017-12")) == month(billed)


def test_an_item_that_is_not_billed_is_told_with_those_that_are() -> None:
    with pytest.raises(NoRuleError, match=r"'fax'.*monthly, sms, usage"):
        billed_in(AND_MARKET, "fax", month("2017-12"))


@pytest.mark.parametrize(
    ("owed", "paid", "days", "yen"),
    [
        (10_000, "2017-04-30", 0, 0),
        (10_000, "2017-05-01", 1, 4),  # 10,000 × 14.6 % / 365 = 4 exactly
        (10_000, "2017-05-10", 10, 40),
        (10_000, "2018-04-30", 365, 1460),
        (2_499, "2017-05-01", 1, 0),  # 0.9996
        (2_500, "2017-05-01", 1, 1),
    ],
)
def test_late_payment_costs_14_6_percent_a_year(owed: int, paid: str, days: int, yen: int) -> None:  # L4, 第42条
    found = late_interest(AND_MARKET, owed, day("2017-04-30"), day(paid))
    assert (found.days, found.yen) == (days, yen)


def test_a_late_instalment_and_a_guarantee_have_rates_of_their_own() -> None:
    # 販売約款 第7条: 商事法定利率; 保証委託契約約款 第5条: 年14.56%, 年365日の日割計算
    due, paid = day("2016-01-31"), day("2017-01-30")  # 365 days in a leap year
    assert late_interest(AND_MARKET, 100_000, due, paid, "device").yen == 6_000
    assert late_interest(AND_MARKET, 100_000, due, paid, "guarantee").yen == 14_560
    with pytest.raises(NoRuleError, match=r"'loan'.*service, device, guarantee"):
        late_interest(AND_MARKET, 100_000, due, paid, "loan")


@pytest.mark.parametrize(
    ("hours", "monthly", "days", "yen"),
    [
        (23, 3000, 0, 0),
        (24, 3000, 1, 100),
        (47, 3000, 1, 100),  # 24時間の倍数である部分に限ります
        (48, 3000, 2, 200),
        (24, 1007, 1, 33),  # 33.5667: 60銭未満切り捨て
        (24, 1008, 1, 34),  # 33.60: 60銭以上切り上げ
        (24, 1009, 1, 34),
    ],
)
def test_an_outage_of_24_hours_is_credited_by_whole_days_and_rounded_at_60_sen(
    hours: int, monthly: int, days: int, yen: int
) -> None:  # L4, 第46条
    found = outage_credit(AND_MARKET, hours, monthly, day("2017-04-05"))  # a month of 30 days
    assert (found.days, found.yen) == (days, yen)


def test_what_a_third_party_paid_is_shared_out_in_proportion() -> None:  # L4, 第50条 2
    assert shares([100, 200, 300], 600) == [100, 200, 300]
    assert shares([100, 200, 300], 1000) == [100, 200, 300]
    assert shares([100, 200, 301], 300) == [49, 99, 150]
    assert shares([], 0) == []


def test_a_debt_suspends_the_service_20_days_after_the_demand() -> None:  # L4, 第31条 1 (2)
    assert suspension_after(AND_MARKET, day("2017-04-10")).day == day("2017-05-01")


def test_an_evaded_charge_costs_twice_the_charge_with_tax() -> None:  # L4, 第41条, 第44条
    found = evasion_surcharge(AND_MARKET, 1_006, 8, day("2017-04-10"))
    assert (found.yen, found.tax_yen) == (2_012, 160)  # 160.96


def test_the_universal_service_fee_is_2_yen_from_2018() -> None:  # L4, 料金について: 2018年1月現在
    assert fee_total(AND_MARKET, {"universal-service": 1}, day("2018-01-31")).yen == 2
    with pytest.raises(NoRuleError):
        fee_total(AND_MARKET, {"universal-service": 1}, day("2017-12-31"))


def test_a_sim_card_is_changed_for_3000_yen_until_the_last_day_of_its_offer() -> None:  # SIMカード変更・再発行
    assert fee_total(AND_MARKET, {"sim-change": 2}, day("2018-02-28")).yen == 6_000
    assert fee_total(AND_MARKET, {"sim-reissue": 1}, day("2018-03-31")).yen == 3_000
    for fee, late in (("sim-change", "2018-03-01"), ("sim-reissue", "2018-04-01")):
        with pytest.raises(NoRuleError, match="no longer offered"):
            fee_total(AND_MARKET, {fee: 1}, day(late))


def test_one_pays_by_card_only_and_without_a_fee() -> None:  # L4, お支払いについて
    assert payment_methods(AND_MARKET, day("2017-04-10")) == ["card"]
    assert payment_fee(AND_MARKET, "card", month("2017-04")).fee_yen == 0
