"""A profile in words: one line for each rule of the terms, in the order in which a person asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from denwa.contracts.profiles.schema import (
    Billing,
    Dunning,
    Evasion,
    Fee,
    LateInterest,
    Option,
    Outage,
    Payment,
    Plan,
    Profile,
    Recurring,
    Term,
    Withdrawal,
)

METHODS = {
    "card": "クレジットカード",
    "bank-debit": "口座振替",
    "bank-transfer": "銀行振込",
    "store": "コンビニエンスストア",
    "invoice": "請求書",
}
_MONTH_ENDS = {"this-month": "当月末", "next-month": "翌月末"}
_AFTER = {0: "当月", 1: "翌月", 2: "翌々月", 3: "3か月後"}


def described(profile: Profile) -> Iterator[tuple[str, str]]:
    """(heading, rule) of every rule: what it says, from when, the article, and the note."""
    for heading, rules, describe in _sections(profile):
        for rule in rules:
            since = f"{rule.valid_from} から、" if rule.valid_from else ""
            note = f" ※{rule.note}" if rule.note else ""
            yield heading, f"{describe(rule)} ({since}{rule.article}){note}"


def _sections(profile: Profile) -> list[tuple[str, list[Any], Callable[[Any], str]]]:
    return [
        ("退会・解約", profile.withdrawal, _withdrawal),
        ("最低利用期間", profile.term, _term),
        ("支払方法", profile.payment, _payment),
        ("請求", profile.billing, _billing),
        ("延滞利息", profile.late_interest, _late_interest),
        ("催告", profile.dunning, _dunning),
        ("割増金", profile.evasion, _evasion),
        ("利用不能", profile.outage, _outage),
        ("プラン", profile.plan, _recurring),
        ("オプション", profile.option, _recurring),
        ("料金", profile.fee, _fee),
    ]


def _withdrawal(rule: Withdrawal) -> str:
    plans = f"プラン {', '.join(rule.plans)}: " if rule.plans else ""
    if rule.cut_off_day is None or rule.ends_after is None:
        return f"{plans}{_MONTH_ENDS[rule.ends]}に解約"
    day = rule.cut_off_day
    return f"{plans}{day}日までの受理は{_MONTH_ENDS[rule.ends]}、{day + 1}日以降は{_MONTH_ENDS[rule.ends_after]}に解約"


def _term(rule: Term) -> str:
    plans = f"プラン {', '.join(rule.plans)}: " if rule.plans else ""
    length = f"{rule.months}か月" if rule.months else "月数はプランによる"
    renews = "更新月以外の解約は契約解除料" if rule.renews == "same-term" else "満了後は1か月ごとに延長"
    charge = "額はプランによる" if rule.charge == "by-plan" else "途中解約は残月数分の基本料金"
    return f"{plans}{length}、{renews}、{charge}"


def _payment(rule: Payment) -> str:
    per = "月" if rule.fee_per == "month" else "回"
    fee = f"手数料 {rule.fee_yen}円/{per}(税別)" if rule.fee_yen else "手数料なし"
    if rule.payer_bears_bank_fee:
        fee = "振込手数料は契約者の負担"
    debit = f"、毎月{rule.debit_day}日に引き落とし" if rule.debit_day else ""
    cards = f" ({', '.join(rule.cards)})" if rule.cards else ""
    return f"{METHODS[rule.method]} [{rule.method}]{cards} {fee}{debit}"


def _billing(rule: Billing) -> str:
    return f"{rule.item}: {_AFTER[rule.months_after]}に請求"


def _late_interest(rule: LateInterest) -> str:
    through = "支払日" if rule.through == "payment-day" else "支払日の前日"
    grace = f"、{rule.grace_days}日以内の支払いは0円" if rule.grace_days else ""
    return f"{rule.debt}: 年{rule.basis_points / 100:g}%、期日の翌日から{through}まで{grace}"


def _dunning(rule: Dunning) -> str:
    return f"催告から{rule.notice_days}日を過ぎても支払いがなければ利用停止"


def _evasion(rule: Evasion) -> str:
    return f"免れた額の{rule.times}倍と消費税相当額"


def _outage(rule: Outage) -> str:
    share = "30分の1" if rule.day_share == "thirtieth" else "その月の日数分の1"
    fraction = "円未満切り捨て" if rule.fraction == "cut" else "60銭未満切り捨て、60銭以上切り上げ"
    most = "、月額を上限" if rule.at_most_month else ""
    return f"{rule.least_hours}時間以上で、24時間ごとに月額の{share} ({fraction}{most})"


def _recurring(rule: Plan | Option) -> str:
    return (
        f"{rule.name} [{rule.id}] {_price(rule)}{_beginning(rule)}{_ending(rule) if isinstance(rule, Option) else ''}"
    )


def _price(rule: Recurring) -> str:
    monthly = f"{rule.monthly_yen}円/月" if rule.monthly_yen is not None else ""
    yearly = f"{rule.yearly_yen}円/年" if rule.yearly_yen is not None else ""
    return " ".join(filter(None, (monthly, yearly))) or "金額は書類にない"


def _beginning(rule: Recurring) -> str:
    if rule.prorated:
        return "、開始月は日割り"
    return f"、開始月から{rule.free_months}か月は無料" if rule.free_months else ""


def _ending(rule: Option) -> str:
    again = f"、再申し込みに {rule.again_yen}円" if rule.again_yen else ""
    exclusion = f"、免責期間 {rule.exclusion_months}か月" if rule.exclusion_months else ""
    return again + exclusion + (f"、{rule.most} まで" if rule.most > 1 else "")


def _fee(rule: Fee) -> str:
    until = f"、{rule.until} まで" if rule.until else ""
    return f"{rule.name} [{rule.id}] {rule.yen}円/{rule.per}{' (税込)' if rule.tax == 'included' else ''}{until}"
