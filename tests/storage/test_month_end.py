"""Closing and checking a month while others go on posting, on both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine

from denwa.rating.adjust import Adjuster
from denwa.rating.adjustment import Adjustment, AdjustmentKind
from denwa.rating.billing_month import billing_month_of
from denwa.rating.month_check import check_month
from denwa.rating.month_end import MonthEnd, MonthRefusal
from denwa.rating.statement import LedgerSum
from denwa.rating.tariff import TaxClass
from denwa.storage.ledger_books import SqlLedgerBooks
from denwa.storage.statement_store import SqlStatements
from tests.rating.journal_rows import ALICE, NOW_MS, Exchange, ms
from tests.rating.shipped import TAX

SEPTEMBER = billing_month_of(date(2026, 9, 1), 1)


class DisturbedStatements(SqlStatements):
    """Something happens right after the sums were read, as often as there is something in `events`."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.events: list[Callable[[], object]] = []

    def sums(self, first_day: date, last_day: date, subscriber: str = "") -> list[LedgerSum]:
        found = super().sums(first_day, last_day, subscriber)
        if self.events:
            self.events.pop()()
        return found


@pytest.fixture
def exchange(database_url: str, tmp_path: Path) -> Iterator[Exchange]:
    made = Exchange(database_url, tmp_path)
    made.subscriber(ALICE, start=datetime(2026, 8, 1, tzinfo=UTC))
    made.call(answered_ms=ms(2026, 9, 5), duration_ms=600_000)
    made.rater.catch_up(NOW_MS)
    yield made
    made.close()


@pytest.fixture
def statements(exchange: Exchange) -> DisturbedStatements:
    return DisturbedStatements(exchange.main)


@pytest.fixture
def ending(exchange: Exchange, statements: DisturbedStatements) -> MonthEnd:
    return MonthEnd(exchange.reader, exchange.rater.accounts, exchange.ledger, statements, TAX, str)


def fees(exchange: Exchange, count: int) -> list[Callable[[], object]]:
    """Each posts a fee of 500 yen into September."""
    adjuster = Adjuster(exchange.ledger, exchange.rater.accounts)

    def fee(number: int) -> Callable[[], object]:
        made = Adjustment(
            f"fee-{number}", AdjustmentKind.NUMBER_FEE, ALICE, SEPTEMBER, 500, TaxClass.TAXED, "500 yen", "test", "taro"
        )
        return lambda: adjuster.post([made], NOW_MS)

    return [fee(number) for number in range(count)]


def test_what_is_posted_while_a_month_is_being_closed_is_billed_in_it(
    exchange: Exchange, statements: DisturbedStatements, ending: MonthEnd
) -> None:  # L3
    statements.events = fees(exchange, 2)
    closed = ending.close("2026-09", NOW_MS)
    assert closed.totals["number_fee_yen"] == 1000
    assert ending.export("2026-09") == closed
    assert [bill.total_yen for bill in statements.bills("2026-09")] == [60 + 1000 + 106]
    assert check_month(ending, SqlLedgerBooks(exchange.main), "2026-09").differences == ()


def test_a_month_that_does_not_come_to_rest_is_not_closed(
    exchange: Exchange, statements: DisturbedStatements, ending: MonthEnd
) -> None:
    statements.events = fees(exchange, 20)
    with pytest.raises(MonthRefusal, match="posted into it all the time"):
        ending.close("2026-09", NOW_MS)
    assert statements.closed("2026-09") is None
    with pytest.raises(MonthRefusal, match="cannot be checked: something is posted"):
        check_month(ending, SqlLedgerBooks(exchange.main), "2026-09")


def test_a_check_begins_again_when_something_was_posted_meanwhile(
    exchange: Exchange, statements: DisturbedStatements, ending: MonthEnd
) -> None:
    statements.events = fees(exchange, 1)
    checked = check_month(ending, SqlLedgerBooks(exchange.main), "2026-09")
    assert checked.differences == ()
    assert {one.statements_yen for one in checked.compared if one.name == "adjustment_yen"} == {500}


def test_two_that_close_at_once_close_once(
    exchange: Exchange, statements: DisturbedStatements, ending: MonthEnd
) -> None:  # L3
    other = MonthEnd(exchange.reader, exchange.rater.accounts, exchange.ledger, exchange.statements, TAX, str)
    statements.events = [lambda: other.close("2026-09", NOW_MS)]
    with pytest.raises(MonthRefusal, match="closed already"):
        ending.close("2026-09", NOW_MS)


def test_a_call_that_waits_for_its_contract_hinders_the_close_on_every_page(
    exchange: Exchange, ending: MonthEnd, monkeypatch: pytest.MonkeyPatch
) -> None:  # L3
    monkeypatch.setattr("denwa.storage.ended_calls._PAGE", 3)
    for index in range(10):
        exchange.call(answered_ms=ms(2026, 9, 6 + index), subscriber="+815050019999")
        exchange.call(answered_ms=ms(2026, 9, 6 + index), leg="incoming", direction="incoming")
    exchange.rater.catch_up(NOW_MS)
    assert len(ending.hindrances("2026-09", NOW_MS).unrated) == 10


def test_a_call_of_no_length_at_all_is_billed_with_nothing_and_hinders_no_month(
    exchange: Exchange, ending: MonthEnd
) -> None:  # T1, L3
    exchange.call(answered_ms=ms(2026, 9, 6), duration_ms=0)
    exchange.rater.catch_up(NOW_MS)
    closed = ending.close("2026-09", NOW_MS)
    assert (closed.totals["calls"], closed.totals["fixed_yen"]) == (2, 160)
    assert check_month(ending, SqlLedgerBooks(exchange.main), "2026-09").differences == ()
