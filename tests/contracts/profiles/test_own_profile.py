"""An operator's own profile: rules that change on a day, and combinations that no shipped provider has (L4, T8)."""

from __future__ import annotations

from pathlib import Path

import pytest

from denwa.contracts.profiles.files import check_profiles, load_profile
from denwa.contracts.profiles.in_force import NoRuleError
from denwa.contracts.profiles.late_interest import late_interest
from denwa.contracts.profiles.recurring import Use, option_charges, plan_charges, year_charges
from denwa.contracts.profiles.schema import Profile
from denwa.contracts.profiles.withdrawal import cancellation, last_day
from tests.contracts.profiles.shipped import day, month

HEAD = """\
schema = 1
name = "ours"
title = "私たちの電話"
operator = "私たち"
source = "ours"
valid_from = 2026-01-01
"""
RULES = """
[[withdrawal]]
article = "第1条"
ends = "this-month"

[[term]]
article = "第2条"
months = 12
renews = "monthly"
charge = "by-plan"

[[late_interest]]
article = "第3条"
basis_points = 1450
through = "day-before-payment"

[[late_interest]]
valid_from = 2027-04-01
article = "第3条"
basis_points = 300
through = "day-before-payment"

[[plan]]
article = "第4条"
id = "line"
name = "回線"
monthly_yen = 1000
yearly_yen = 10000

[[plan]]
valid_from = 2026-06-16
article = "第4条"
id = "line"
name = "回線"
monthly_yen = 1200
yearly_yen = 12000

[[option]]
article = "第5条"
id = "extra"
name = "追加"
monthly_yen = 300
free_months = 1
again_yen = 3000
"""


@pytest.fixture
def ours(tmp_path: Path) -> Profile:
    (tmp_path / "ours.toml").write_text(HEAD + RULES, encoding="utf-8")
    return load_profile(tmp_path, "ours")


def test_a_new_price_counts_from_the_first_month_that_begins_with_it(ours: Profile) -> None:  # T8
    charges = plan_charges(ours, "line", Use(day("2026-05-10")), month("2026-08"))
    assert [charge.yen for charge in charges] == [1000, 1000, 1200, 1200]  # changed on 16 June
    begun_after = plan_charges(ours, "line", Use(day("2026-06-20")), month("2026-07"))
    assert [charge.yen for charge in begun_after] == [1200, 1200]
    years = year_charges(ours, "line", Use(day("2026-05-10")), month("2027-12"))
    assert [year.yen for year in years] == [10000, 12000]


def test_the_rate_on_the_due_day_counts(ours: Profile) -> None:  # T8
    for due, yen in (("2027-03-31", 145), ("2027-04-01", 30)):
        paid = day(due).replace(year=2028)  # 366 days later: 365 between
        assert late_interest(ours, 1000, day(due), paid).yen == yen


@pytest.mark.parametrize(("asked", "charge"), [("2026-03-01", 5000), ("2027-02-28", 5000), ("2027-03-01", 0)])
def test_after_the_minimum_term_one_leaves_free_of_charge(ours: Profile, asked: str, charge: int) -> None:
    for length in (None, 24):  # the terms' own months count before those of the question
        found = cancellation(
            ours, day("2026-03-20"), max(day(asked), day("2026-03-20")), months=length, charge_yen=5000
        )
        assert found.charge_yen == charge
    later = cancellation(ours, day("2026-03-20"), day("2030-07-07"), charge_yen=5000)
    assert later.charge_yen == 0


def test_an_option_ended_and_taken_again_on_one_day(ours: Profile) -> None:
    uses = [Use(day("2026-03-05"), day("2026-04-10")), Use(day("2026-04-10"))]
    charges = option_charges(ours, "extra", uses, month("2026-05")).charges
    assert [(str(charge.month), charge.yen) for charge in charges] == [
        ("2026-03", 0), ("2026-04", 300), ("2026-04", 3000), ("2026-04", 0), ("2026-05", 300),
    ]  # fmt: skip


def test_what_comes_after_the_last_month_asked_for_is_not_charged(ours: Profile) -> None:
    uses = [Use(day("2026-03-05"), day("2026-04-10")), Use(day("2026-06-01"))]
    assert option_charges(ours, "extra", uses, month("2026-05")).total_yen == 300
    assert option_charges(ours, "extra", uses, month("2026-06")).total_yen == 3300


def test_a_plan_that_there_is_not_is_told(ours: Profile) -> None:
    with pytest.raises(NoRuleError, match=r"'tv'.*line"):
        last_day(ours, day("2026-03-05"), "tv")
    assert last_day(ours, day("2026-03-05"), "line").day == day("2026-03-31")


@pytest.mark.parametrize("changed", ["2025-12-31", "2028-01-01"], ids=["before the terms", "after the service"])
def test_a_rule_outside_the_days_of_the_profile_is_a_fault(tmp_path: Path, changed: str) -> None:  # T8
    text = HEAD + "ends = 2027-12-31\n" + RULES.replace("2027-04-01", changed)
    (tmp_path / "ours.toml").write_text(text, encoding="utf-8")
    (fault,) = check_profiles(tmp_path)
    assert fault.reason == "late_interest.1.valid_from: outside the days of the profile"
    assert text.splitlines()[fault.line - 1] == f"valid_from = {changed}"
