"""What contracts used and are billed for, read from ledger and journal on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from denwa.rating.arithmetic.usage import UsedCall
from denwa.rating.billing_month import billing_month_of
from denwa.rating.ledger import reversal
from denwa.rating.tariff import TaxClass
from denwa.storage.contract_history import SqlContractHistory
from denwa.storage.tables.journal import calls
from tests.rating.journal_rows import ALICE, BOB, NOW_MS, Exchange, ms

LONG_AGO = datetime(2026, 8, 1, tzinfo=UTC)
AUGUST, SEPTEMBER, OCTOBER = (billing_month_of(date(2026, n, 1), 1) for n in (8, 9, 10))


@pytest.fixture
def exchange(database_url: str, tmp_path: Path) -> Iterator[Exchange]:
    made = Exchange(database_url, tmp_path)
    made.subscriber(ALICE, start=LONG_AGO)
    made.subscriber(BOB, start=LONG_AGO, bill_day=15)
    yield made
    made.close()


@pytest.fixture
def history(exchange: Exchange) -> SqlContractHistory:
    return SqlContractHistory(exchange.main, exchange.journal)


def take_back(exchange: Exchange, record_id: int) -> None:
    with exchange.ledger.transaction() as ledger:
        (original,) = ledger.postings_of(record_id)
        ledger.post([reversal(original, 1, OCTOBER)], NOW_MS)


def test_usage_is_what_is_payable_after_credit_by_the_month_the_calls_belong_to(
    exchange: Exchange, history: SqlContractHistory
) -> None:  # T9, T10
    exchange.call(answered_ms=ms(2026, 8, 5), duration_ms=300_000)  # 80 yen, all of it credit
    exchange.call(answered_ms=ms(2026, 8, 6), duration_ms=300_000)  # 20 credit
    exchange.call(answered_ms=ms(2026, 9, 6), **{"class": "international"})
    exchange.call(answered_ms=ms(2026, 9, 14), subscriber=BOB, duration_ms=450_000)  # in his August: 120, 100 credit
    exchange.rater.catch_up(NOW_MS)
    used = history.months([ALICE, BOB, "+815050010009"], date(2026, 8, 1), date(2026, 10, 1))
    assert used == {
        ALICE: {date(2026, 8, 1): {TaxClass.TAXED: 60}, date(2026, 9, 1): {TaxClass.EXEMPT: 24}},
        BOB: {date(2026, 8, 15): {TaxClass.TAXED: 20}},
    }
    assert history.months([ALICE], date(2026, 9, 1), date(2026, 9, 30)) == {
        ALICE: {date(2026, 9, 1): {TaxClass.EXEMPT: 24}}
    }


def test_calls_that_were_taken_back_are_not_used(exchange: Exchange, history: SqlContractHistory) -> None:  # T13
    kept = exchange.call(answered_ms=ms(2026, 9, 6), duration_ms=600_000)
    wrong = exchange.call(answered_ms=ms(2026, 9, 5))
    exchange.rater.catch_up(NOW_MS)
    take_back(exchange, wrong)
    found = history.calls(ALICE, date(2026, 9, 1), date(2026, 9, 1))
    assert found == [UsedCall(kept, f"call-{kept}@phone", ms(2026, 9, 6), TaxClass.TAXED, 160 - 76)]
    assert found[0].day == date(2026, 9, 6)
    assert history.months([ALICE], date(2026, 9, 1), date(2026, 9, 1)) == {
        ALICE: {date(2026, 9, 1): {TaxClass.TAXED: 160 - 76}}
    }


def test_what_is_billed_comes_with_callee_and_leg_from_the_journal(
    exchange: Exchange, history: SqlContractHistory
) -> None:
    first = exchange.call(answered_ms=ms(2026, 9, 6), leg="forwarded")
    wrong = exchange.call(answered_ms=ms(2026, 9, 5))
    exchange.rater.catch_up(NOW_MS)
    take_back(exchange, wrong)
    billed = history.billed(ALICE, SEPTEMBER)
    assert [(b.posting.record_id, b.leg, b.callee, b.answered_ms) for b in billed] == [
        (wrong, "outgoing", "+81312345678", ms(2026, 9, 5)),
        (first, "forwarded", "+81312345678", ms(2026, 9, 6)),
    ]
    (correction,) = history.billed(ALICE, OCTOBER)
    assert (correction.posting.kind, correction.posting.charge_yen) == ("reversal", -24)


def test_a_record_that_was_deleted_from_the_journal_leaves_the_ledgers_own_facts(
    exchange: Exchange, history: SqlContractHistory
) -> None:
    record = exchange.call(answered_ms=ms(2026, 9, 6))
    exchange.rater.catch_up(NOW_MS)
    with exchange.journal.begin() as connection:
        connection.execute(calls.delete().where(calls.c.id == record))
    (billed,) = history.billed(ALICE, SEPTEMBER)
    assert (billed.leg, billed.callee, billed.answered_ms) == ("", "", ms(2026, 9, 6))
