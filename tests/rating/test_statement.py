from __future__ import annotations

import csv
import random
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from denwa.rating.adjustment import Adjustment, AdjustmentKind
from denwa.rating.billing_month import billing_month_of
from denwa.rating.month_export import COLUMNS, LAYOUT, export_month
from denwa.rating.ports import BookedAdjustment
from denwa.rating.statement import LedgerSum, statements_of
from denwa.rating.tariff import PRICED_CLASSES, TaxClass
from tests.rating.shipped import TAX

NOVEMBER = billing_month_of(date(2026, 11, 1), 1)


def a_sum(
    number_class: str = "fixed", yen: int = 104, credit: int = 0, calls: int = 1, subscriber: str = "+815050010001"
) -> LedgerSum:
    tax = TaxClass.EXEMPT if number_class == "international" else TaxClass.TAXED
    return LedgerSum(subscriber, NOVEMBER, number_class, tax, calls, 1000 * calls, yen, credit)


SUMS = st.lists(
    st.builds(
        lambda c, units, credit, who: a_sum(c, units * 8, min(credit, units * 8), units, f"+81505001000{who}"),
        st.sampled_from(PRICED_CLASSES), st.integers(0, 500), st.integers(0, 100), st.integers(1, 4),
    ),
    max_size=12,
)  # fmt: skip


def test_tax_is_on_the_months_sum_after_credit_and_cut_once() -> None:  # T6
    (statement,) = statements_of([a_sum("fixed", 104, 100), a_sum("mobile", 8), a_sum("paid-050", 7)], TAX)
    assert (statement.taxed_yen, statement.tax_yen, statement.total_yen) == (19, 1, 20)  # not 0 + 0 + 0


def test_calls_abroad_are_not_taxed() -> None:  # T2, T6
    (statement,) = statements_of([a_sum("international", 1000, 100)], TAX)
    assert (statement.taxed_yen, statement.exempt_yen, statement.tax_yen, statement.total_yen) == (0, 900, 0, 900)


ADJUSTMENTS = st.lists(
    st.builds(
        lambda index, kind, yen, tax, who: Adjustment(
            f"reference-{index}", kind, f"+81505001000{who}", NOVEMBER, yen, tax, "working", "reason", "taro"
        ),
        st.integers(0, 10**6), st.sampled_from(AdjustmentKind), st.integers(-10_000, 10_000).filter(bool),
        st.sampled_from(TaxClass), st.integers(1, 5),
    ),
    max_size=6, unique_by=lambda adjustment: adjustment.reference,
)  # fmt: skip


@given(SUMS, ADJUSTMENTS)
def test_the_sum_of_the_parts_is_the_whole(sums: list[LedgerSum], adjustments: list[Adjustment]) -> None:
    statements = statements_of(sums, TAX, adjustments)
    assert sum(s.charge_yen for s in statements) == sum(s.charge_yen for s in sums)
    assert sum(s.credit_yen for s in statements) == sum(s.credit_yen for s in sums)
    for statement in statements:
        parts = statement.charge_yen - statement.credit_yen + statement.adjustment_yen
        assert statement.total_yen == parts + statement.tax_yen
        assert statement.adjustment_yen == sum(statement.adjusted(kind) for kind in AdjustmentKind)
    assert sum(s.adjustment_yen for s in statements) == sum(adjustment.yen for adjustment in adjustments)
    export = export_month("2026-11", statements, str)
    assert export.totals["total_yen"] == sum(s.total_yen for s in statements)


@given(SUMS, ADJUSTMENTS, st.integers(0, 10**6))
def test_the_export_is_the_same_to_the_byte_in_whatever_order_the_database_gives_its_rows(
    sums: list[LedgerSum], adjustments: list[Adjustment], seed: int
) -> None:  # L3
    chance = random.Random(seed)

    def files() -> dict[str, bytes]:
        booked = [BookedAdjustment(adjustment, NOVEMBER.start, 0) for adjustment in adjustments]
        return export_month("2026-11", statements_of(sums, TAX, adjustments), str, (), booked).files()

    first = files()
    chance.shuffle(sums)
    chance.shuffle(adjustments)
    assert files() == first
    rows = list(csv.reader(first["denwa-2026-11.csv"].decode().splitlines()))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == 1 + len({one.subscriber for one in (*sums, *adjustments)})
    lines = list(csv.DictReader(first["denwa-2026-11-lines.csv"].decode().splitlines()))
    assert sum(int(line["payable_yen"]) for line in lines) == sum(adjustment.yen for adjustment in adjustments)


def test_a_month_closed_in_the_first_layout_is_exported_so_for_ever() -> None:  # L3
    statements = statements_of([a_sum()], TAX)
    files = export_month("2026-11", statements, str, layout=1).files()
    assert files["denwa-2026-11.csv"].decode() == (
        "subscriber,period_start,period_end,calls,duration_ms,on_net_yen,partner_050_yen,paid_050_yen,fixed_yen,"
        "mobile_yen,international_yen,credit_yen,taxed_yen,exempt_yen,tax_percent,tax_yen,total_yen\r\n"
        "+815050010001,2026-11-01,2026-11-30,1,1000,0,0,0,104,0,0,0,104,0,10,10,114\r\n"
    )
    assert "denwa-2026-11-lines.csv" not in files


def test_later_layouts_only_add_columns_at_the_end() -> None:  # L3
    first, last = (export_month("2026-11", statements_of([a_sum()], TAX), str, layout=n).content for n in (1, LAYOUT))
    for before, after in zip(first.decode().splitlines(), last.decode().splitlines(), strict=True):
        assert after.startswith(before + ",")
