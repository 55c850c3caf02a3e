from __future__ import annotations

import csv
import random
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from denwa.rating.billing_month import billing_month_of
from denwa.rating.month_export import COLUMNS, export_month
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


@given(SUMS)
def test_the_sum_of_the_parts_is_the_whole(sums: list[LedgerSum]) -> None:
    statements = statements_of(sums, TAX)
    assert sum(s.charge_yen for s in statements) == sum(s.charge_yen for s in sums)
    assert sum(s.credit_yen for s in statements) == sum(s.credit_yen for s in sums)
    for statement in statements:
        assert statement.total_yen == statement.charge_yen - statement.credit_yen + statement.tax_yen
    export = export_month("2026-11", statements, str)
    assert export.totals["total_yen"] == sum(s.total_yen for s in statements)


@given(SUMS, st.integers(0, 10**6))
def test_the_export_is_the_same_to_the_byte_in_whatever_order_the_database_gives_its_rows(
    sums, seed: int
) -> None:  # L3
    shuffled = list(sums)
    random.Random(seed).shuffle(shuffled)
    first, second = (export_month("2026-11", statements_of(s, TAX), str).files() for s in (sums, shuffled))
    assert first == second
    rows = list(csv.reader(first["denwa-2026-11.csv"].decode().splitlines()))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == 1 + len({s.subscriber for s in sums})
