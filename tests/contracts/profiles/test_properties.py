"""What holds for every profile, day and amount (L4)."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from denwa.contracts.profiles.calendar_month import CalendarMonth
from denwa.contracts.profiles.late_interest import late_interest
from denwa.contracts.profiles.outage import outage_credit, shares
from denwa.contracts.profiles.recurring import Use, option_charges, plan_charges
from denwa.contracts.profiles.withdrawal import last_day
from tests.contracts.profiles.shipped import AND_MARKET, H555, IP_PHONE_SMART, SPAAQS, VALUE_NET, month

DAYS = st.dates(date(2019, 9, 26), date(2040, 12, 31))
YEN = st.integers(0, 10_000_000)


@given(st.sampled_from([VALUE_NET, H555]), DAYS)
def test_a_contract_ends_on_the_last_day_of_the_month_of_the_notice_or_the_next(profile, notice: date) -> None:
    ended = last_day(profile, notice).day
    assert (ended + timedelta(days=1)).day == 1
    assert CalendarMonth.of(ended).since(CalendarMonth.of(notice)) in (0, 1)
    assert ended >= notice


@given(st.sampled_from([VALUE_NET, H555]), DAYS, st.integers(0, 60))
def test_a_later_notice_never_ends_a_contract_earlier(profile, notice: date, later: int) -> None:
    assert last_day(profile, notice + timedelta(days=later)).day >= last_day(profile, notice).day


@given(st.sampled_from([H555, IP_PHONE_SMART]), YEN, DAYS, st.integers(-30, 3_000))
def test_interest_is_exact_and_never_falls_with_time_or_debt(profile, owed: int, due: date, late: int) -> None:
    paid = due + timedelta(days=late)
    found = late_interest(profile, owed, due, paid)
    assert found.yen * 3_650_000 <= owed * 1450 * found.days < (found.yen + 1) * 3_650_000
    assert late_interest(profile, owed, due, paid + timedelta(days=1)).yen >= found.yen
    assert late_interest(profile, owed + 1, due, paid).yen >= found.yen


@given(st.integers(0, 2_000), YEN, DAYS)
def test_a_credit_never_falls_with_time_and_never_exceeds_the_fee(hours: int, monthly: int, began: date) -> None:
    found = outage_credit(H555, hours, monthly, began)
    assert 0 <= found.yen <= monthly
    assert found.yen <= outage_credit(H555, hours + 1, monthly, began).yen


@given(st.integers(0, 2_000), YEN, st.dates(date(2015, 11, 25), date(2018, 5, 31)))
def test_a_credit_rounded_at_60_sen_is_within_60_sen_of_the_exact_sum(hours: int, monthly: int, began: date) -> None:
    found = outage_credit(AND_MARKET, hours, monthly, began)
    days_of_month = CalendarMonth.of(began).days
    hundredths_over = 100 * (monthly * found.days - found.yen * days_of_month)
    assert -40 * days_of_month <= hundredths_over < 60 * days_of_month


@given(st.lists(st.integers(0, 100_000), max_size=20), st.integers(0, 1_000_000))
def test_shares_never_exceed_what_was_received_nor_the_losses(losses: list[int], received: int) -> None:
    given_out = shares(losses, received)
    assert sum(given_out) <= max(received, 0)
    assert all(part <= loss for part, loss in zip(given_out, losses, strict=True))


@given(st.sampled_from([option.id for option in SPAAQS.option]), DAYS, st.integers(0, 800), st.integers(0, 30))
def test_an_option_is_charged_once_a_month_at_most(option: str, begun: date, length: int, ahead: int) -> None:
    use = Use(begun, begun + timedelta(days=length))
    bill = option_charges(SPAAQS, option, [use], CalendarMonth.of(begun).plus(ahead))
    months = [charge.month for charge in bill.charges]
    assert months == sorted(set(months))
    rule = next(rule for rule in SPAAQS.option if rule.id == option)
    assert {charge.yen for charge in bill.charges} <= {0, rule.monthly_yen}


@given(st.dates(date(2015, 11, 25), date(2018, 4, 30)), YEN)
def test_a_prorated_month_is_never_more_than_a_whole_one(begun: date, monthly: int) -> None:
    (first, *_) = plan_charges(AND_MARKET, "data", Use(begun), month("2018-05"), monthly)
    assert 0 <= first.yen <= monthly
    assert (first.yen == monthly) or begun.day > 1
