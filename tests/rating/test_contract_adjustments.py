"""Drafts of adjustments from a contract's history (T7, T9, T10, T12)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from denwa.rating.adjustment import AdjustmentKind
from denwa.rating.arithmetic.usage import UsedCall, months_before
from denwa.rating.billing_month import BillingMonth, billing_month_of, midnight_ms, tokyo_day
from denwa.rating.contract_adjustments import ContractAdjustments, Draft, Refused
from denwa.rating.ports import AccountTerms, BilledPosting
from denwa.rating.tariff import TaxClass

ALICE, BOB, CAROL = "+815050010001", "+815050010002", "+815050010003"
HOUR_MS = 3_600_000
LONG_AGO = date(2020, 1, 1)


class Ledger:
    """The ports `ContractHistory` and `Accounts`, over calls kept in a list."""

    def __init__(self) -> None:
        self.contracts: dict[str, AccountTerms] = {}
        self.used: dict[str, list[UsedCall]] = {}

    def contract(self, number: str = ALICE, bill_day: int = 1, start: date = LONG_AGO) -> None:
        self.contracts[number] = AccountTerms(number, midnight_ms(start), bill_day)

    def call(self, day: date, yen: int, number: str = ALICE, tax: TaxClass = TaxClass.TAXED, hour: int = 12) -> None:
        mine = self.used.setdefault(number, [])
        mine.append(UsedCall(len(mine), f"c{len(mine)}", midnight_ms(day) + hour * HOUR_MS, tax, yen))

    def terms(self, numbers: Collection[str]) -> dict[str, AccountTerms]:
        return {number: self.contracts[number] for number in numbers if number in self.contracts}

    def bill_days(self) -> set[int]:
        return {terms.bill_day for terms in self.contracts.values()}

    def months(
        self, subscribers: Collection[str], first_day: date, last_day: date
    ) -> dict[str, dict[date, dict[TaxClass, int]]]:
        found: dict[str, dict[date, dict[TaxClass, int]]] = {}
        for number in subscribers:
            for call in self.calls(number, first_day, last_day):
                month = found.setdefault(number, {}).setdefault(self._month(number, call).start, {})
                month[call.tax] = month.get(call.tax, 0) + call.payable_yen
        return found

    def calls(self, subscriber: str, first_day: date, last_day: date) -> list[UsedCall]:
        mine = self.used.get(subscriber, [])
        return [call for call in mine if first_day <= self._month(subscriber, call).start <= last_day]

    def billed(self, subscriber: str, month: BillingMonth) -> list[BilledPosting]:
        raise NotImplementedError  # no draft is made of bills

    def _month(self, number: str, call: UsedCall) -> BillingMonth:
        return billing_month_of(call.day, self.contracts[number].bill_day)


@pytest.fixture
def ledger() -> Ledger:
    made = Ledger()
    made.contract()
    return made


@pytest.fixture
def computing(ledger: Ledger) -> ContractAdjustments:
    return ContractAdjustments(ledger, ledger)


def only(drafts: object) -> Draft:
    (draft,) = list(drafts)  # type: ignore[call-overload]
    assert isinstance(draft, Draft), draft
    return draft


def refused(drafts: object) -> str:
    (found,) = list(drafts)  # type: ignore[call-overload]
    assert isinstance(found, Refused), found
    return found.why


def use_six_months(ledger: Ledger, yen: int, day: date, number: str = ALICE) -> None:
    for month in months_before(day, ledger.contracts[number].bill_day):
        ledger.call(month.start, yen, number)


def test_an_outage_is_credited_by_the_six_months_before_its_first_day(
    ledger: Ledger, computing: ContractAdjustments
) -> None:  # T10
    began = midnight_ms(date(2026, 11, 3))
    use_six_months(ledger, 920, date(2026, 11, 3))  # 5520 / 184 = 30 a day
    ledger.call(date(2026, 11, 2), 10**6)  # of the same month: not before it
    draft = only(computing.outage([ALICE], began, began, began + 49 * HOUR_MS))
    assert (draft.computed.yen, draft.month.name) == (-60, "2026-11")


def test_the_hours_count_from_the_knowledge_and_the_months_from_the_beginning(
    ledger: Ledger, computing: ContractAdjustments
) -> None:  # T10: 当社が知った時刻から; 初日の属する料金月
    began, known = midnight_ms(date(2026, 10, 31)), midnight_ms(date(2026, 11, 2))
    use_six_months(ledger, 915, date(2026, 10, 31))  # April to September: 5490 / 183
    draft = only(computing.outage([ALICE], began, known, known + 24 * HOUR_MS))
    assert (draft.computed.yen, draft.month.name) == (-30, "2026-11")


def test_a_young_contract_is_credited_by_the_days_before(ledger: Ledger, computing: ContractAdjustments) -> None:
    ledger.contract(BOB, 15, date(2026, 10, 20))  # T10 注
    ledger.call(date(2026, 10, 25), 140, BOB)
    ledger.call(date(2026, 11, 3), 10**6, BOB)  # on the day itself
    began = midnight_ms(date(2026, 11, 3)) + 9 * HOUR_MS
    assert only(computing.outage([BOB], began, began, began + 24 * HOUR_MS)).computed.yen == -10


def test_a_contract_that_began_after_the_outage_gets_nothing(ledger: Ledger, computing: ContractAdjustments) -> None:
    ledger.contract(BOB, start=date(2026, 11, 10))
    began = midnight_ms(date(2026, 11, 3))
    assert "started after" in refused(computing.outage([BOB], began, began, began + 48 * HOUR_MS))
    assert refused(computing.outage([CAROL], began, began, began + 48 * HOUR_MS)) == "no subscriber"


def test_lost_days_are_charged_by_the_lowest_of_the_six_months(
    ledger: Ledger, computing: ContractAdjustments
) -> None:  # T9 ア
    use_six_months(ledger, 620, date(2026, 11, 3))
    ledger.call(date(2026, 8, 2), 620)
    draft = only(computing.lost_metering([ALICE], date(2026, 11, 3), date(2026, 11, 5), date(2026, 11, 6)))
    assert (draft.computed.yen, draft.month.name) == (60, "2026-11")  # 620 / 31 in May, July, October


def test_a_month_that_is_not_to_be_relied_on_is_left_out(ledger: Ledger, computing: ContractAdjustments) -> None:
    use_six_months(ledger, 620, date(2026, 11, 3))  # T9 イ (1)
    ledger.used[ALICE] = [call for call in ledger.used[ALICE] if call.day.month != 8]
    days = (date(2026, 11, 3), date(2026, 11, 5), date(2026, 11, 6))
    assert only(computing.lost_metering([ALICE], *days)).computed.yen == 0
    with_gap = only(computing.lost_metering([ALICE], *days, ["2026-08"]))
    assert with_gap.computed.yen == 60
    assert "イ(1)" in with_gap.computed.text()


def test_a_young_contract_waits_for_the_seven_days_after(ledger: Ledger, computing: ContractAdjustments) -> None:
    ledger.contract(BOB, start=date(2026, 10, 24))  # T9 イ (2)
    ledger.call(date(2026, 10, 25), 200, BOB)  # 20 a day until 2 November
    ledger.call(date(2026, 11, 12), 77, BOB)  # 11 a day in the 7 days after
    ledger.call(date(2026, 11, 13), 10**6, BOB)
    days = (date(2026, 11, 3), date(2026, 11, 5))
    assert "computed from 2026-11-13 on" in refused(computing.lost_metering([BOB], *days, date(2026, 11, 12)))
    draft = only(computing.lost_metering([BOB], *days, date(2026, 11, 13)))
    assert draft.computed.yen == 33
    ledger.call(date(2026, 11, 4), 24, BOB)  # was measured all the same
    assert only(computing.lost_metering([BOB], *days, date(2026, 11, 13))).computed.yen == 9


def test_days_before_the_contract_cannot_be_charged(ledger: Ledger, computing: ContractAdjustments) -> None:
    ledger.contract(BOB, start=date(2026, 11, 4))
    days = (date(2026, 11, 3), date(2026, 11, 5), date(2026, 12, 1))
    assert "started after 2026-11-03" in refused(computing.lost_metering([BOB], *days))


def test_a_waiver_takes_back_the_calls_of_its_time_month_by_month(
    ledger: Ledger, computing: ContractAdjustments
) -> None:  # T12
    for day in (date(2026, 10, 30), date(2026, 10, 31), date(2026, 11, 1), date(2026, 11, 2)):
        ledger.call(day, 24)
    ledger.call(date(2026, 10, 31), 80, tax=TaxClass.EXEMPT)
    drafts = list(computing.waiver([ALICE, ALICE], midnight_ms(date(2026, 10, 31)), midnight_ms(date(2026, 11, 2))))
    assert [(d.month.name, dict(d.computed.amounts)) for d in drafts if isinstance(d, Draft)] == [
        ("2026-10", {TaxClass.TAXED: -24, TaxClass.EXEMPT: -80}),
        ("2026-11", {TaxClass.TAXED: -24}),
    ]


def test_only_the_set_of_contracts_is_waived(ledger: Ledger, computing: ContractAdjustments) -> None:  # T12
    ledger.contract(BOB, 16)
    ledger.call(date(2026, 10, 31), 24)
    ledger.call(date(2026, 10, 31), 8, BOB)
    span = (midnight_ms(date(2026, 10, 31)), midnight_ms(date(2026, 11, 1)))
    draft = only(computing.waiver([BOB], *span))
    assert (draft.subscriber, draft.month.start, draft.computed.yen) == (BOB, date(2026, 10, 16), -8)
    assert list(computing.waiver([CAROL], *span)) == [Refused(CAROL, "no subscriber")]


def test_number_fees_go_by_the_order_on_the_card(ledger: Ledger, computing: ContractAdjustments) -> None:  # T7
    numbers = [f"+81505001000{n}" for n in range(1, 7)]
    for n, number in enumerate(numbers):
        ledger.contract(number, 16, date(2026, 9, 14) + timedelta(days=n))
    drafts = list(computing.number_fees([numbers]))
    assert [d.computed.yen for d in drafts if isinstance(d, Draft)] == [0, 500, 500, 500, 500]
    assert [d.month.name for d in drafts if isinstance(d, Draft)] == ["2026-08", "2026-08"] + ["2026-09"] * 3
    assert isinstance(drafts[5], Refused)
    assert "第9条" in drafts[5].why
    assert list(computing.number_fees([[CAROL[:-1] + "9"]])) == [Refused(CAROL[:-1] + "9", "no subscriber")]


def test_a_draft_becomes_one_adjustment_for_each_tax_class_under_its_own_reference(
    ledger: Ledger, computing: ContractAdjustments
) -> None:
    ledger.call(date(2026, 10, 31), 24)
    ledger.call(date(2026, 10, 31), 8, tax=TaxClass.EXEMPT)
    draft = only(computing.waiver([ALICE], midnight_ms(date(2026, 10, 31)), midnight_ms(date(2026, 11, 1))))
    made = draft.adjustments(AdjustmentKind.WAIVER, "flood", "台風", "cli:me")
    assert [(one.reference, one.yen, one.tax) for one in made] == [
        ("flood:+815050010001:2026-10:taxed", -24, TaxClass.TAXED),
        ("flood:+815050010001:2026-10:exempt", -8, TaxClass.EXEMPT),
    ]
    assert {(one.kind, one.reason, one.who) for one in made} == {(AdjustmentKind.WAIVER, "台風", "cli:me")}
    assert all(one.working == draft.computed.text() for one in made)


@pytest.mark.parametrize("times", [(2, 1, 3), (1, 3, 2)])
def test_times_out_of_order_are_refused(computing: ContractAdjustments, times: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="in this order"):
        list(computing.outage([ALICE], *times))
    with pytest.raises(ValueError, match="before it ends"):
        list(computing.waiver([ALICE], times[1], times[1]))


@given(
    st.lists(st.tuples(st.integers(0, 120), st.integers(0, 500), st.booleans()), max_size=15),
    st.integers(0, 120), st.integers(0, 120), st.integers(1, 28),
)  # fmt: skip
def test_waiving_two_stretches_one_after_the_other_is_waiving_both(
    used: list[tuple[int, int, bool]], one: int, other: int, bill_day: int
) -> None:  # T12
    ledger = Ledger()
    ledger.contract(ALICE, bill_day)
    first = date(2026, 7, 20)
    for day, yen, abroad in used:
        ledger.call(first + timedelta(days=day), yen, tax=TaxClass.EXEMPT if abroad else TaxClass.TAXED)
    cut, end = sorted((one, other))
    stops = [midnight_ms(first + timedelta(days=n)) for n in (0, cut + 1, end + 2)]

    def waived(start_ms: int, end_ms: int) -> int:
        drafts = ContractAdjustments(ledger, ledger).waiver([ALICE], start_ms, end_ms)
        return sum(draft.computed.yen for draft in drafts if isinstance(draft, Draft))

    assert waived(stops[0], stops[1]) + waived(stops[1], stops[2]) == waived(stops[0], stops[2])
    assert waived(stops[0], stops[2]) == -sum(yen for day, yen, _ in used if day < end + 2)
    assert tokyo_day(stops[0]) == first
