"""Which rule of a profile answers a question: the one for the plan or debt, in force on the day."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import TypeVar

from denwa.contracts.profiles.schema import DatedRule, Fee, Option, Plan, Profile, Recurring, Term, Withdrawal

_Dated = TypeVar("_Dated", bound=DatedRule)
_OfPlans = TypeVar("_OfPlans", Withdrawal, Term)


class NoRuleError(Exception):
    """The provider's terms do not answer the question; the text says what is missing, for a person."""


def in_force(profile: Profile, rules: Iterable[_Dated], day: date) -> _Dated | None:
    """The rule with the latest first day that is not after `day`; None when none has begun.

    NoRuleError for a day before the profile's first or after its last: then there are no terms at all.
    """
    if day < profile.valid_from:
        raise NoRuleError(f"{profile.name}: {day} は約款の実施日 {profile.valid_from} より前です (before the terms)")
    if profile.ends and day > profile.ends:
        raise NoRuleError(f"{profile.name}: {day} はサービス終了日 {profile.ends} より後です (after the service ended)")
    begun = [rule for rule in rules if (rule.valid_from or profile.valid_from) <= day]
    return max(begun, key=lambda rule: rule.valid_from or profile.valid_from, default=None)


def needed(profile: Profile, rules: Iterable[_Dated], day: date, what: str) -> _Dated:
    """As `in_force`, but NoRuleError when there is none. `what`: the question, in Japanese and English."""
    rule = in_force(profile, rules, day)
    if rule is None:
        raise NoRuleError(f"{profile.name}: {what}の定めがありません")
    return rule


def of_plan(profile: Profile, rules: Sequence[_OfPlans], plan: str) -> list[_OfPlans]:
    """The rules for `plan`: its own if it has any, else those for every plan."""
    if plan:
        check_plan(profile, plan)
    own = [rule for rule in rules if plan and plan in rule.plans]
    return own or [rule for rule in rules if not rule.plans]


def check_plan(profile: Profile, plan: str) -> None:
    _known(profile, profile.plan, plan, "プラン (plan)")


def plan_on(profile: Profile, plan: str, day: date) -> Plan:
    """Raises NoRuleError for a plan that there is not (yet)."""
    return needed(profile, _known(profile, profile.plan, plan, "プラン (plan)"), day, f"プラン {plan} ")


def option_on(profile: Profile, option: str, day: date) -> Option:
    """Raises NoRuleError for an option that there is not (yet)."""
    return needed(profile, _known(profile, profile.option, option, "オプション (option)"), day, f"オプション {option} ")


def fee_on(profile: Profile, fee: str, day: date) -> Fee:
    """Raises NoRuleError for a fee that there is not (yet), or no longer."""
    found = needed(profile, _known(profile, profile.fee, fee, "料金 (fee)"), day, f"料金 {fee} ")
    if found.until and day > found.until:
        raise NoRuleError(f"{profile.name}: {found.name}の受付は {found.until} までです (no longer offered)")
    return found


_Named = TypeVar("_Named", Plan, Option, Fee, Recurring)


def _known(profile: Profile, rules: Sequence[_Named], name: str, what: str) -> list[_Named]:
    found = [rule for rule in rules if rule.id == name]
    if not found:
        known = ", ".join(dict.fromkeys(rule.id for rule in rules)) or "none"
        raise NoRuleError(f"{profile.name}: {what} {name!r} はありません (there are: {known})")
    return found
