"""Reading what was rated: the list of calls, statements, the end of a month, on both databases."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from denwa.cli.wiring import RatingLoop
from denwa.numbering import PhoneNumber
from denwa.rating.billing_month import BillingMonth
from denwa.rating.month_end import MonthEnd, MonthRefusal
from denwa.rating.month_export import LAYOUT
from denwa.rating.statement import LedgerSum, statements_of
from denwa.rating.tariff import TaxClass
from denwa.storage.call_listing import CallListing
from tests.rating.journal_rows import ALICE, BOB, NOW_MS, Exchange, ms
from tests.rating.shipped import TAX
from tests.rating.test_file_rating import NUMBERS, rate

LONG_AGO = datetime(2026, 8, 1, tzinfo=UTC)


@pytest.fixture
def exchange(database_url: str, tmp_path: Path) -> Iterator[Exchange]:
    made = Exchange(database_url, tmp_path)
    made.subscriber(ALICE, start=LONG_AGO)
    made.subscriber(BOB, start=LONG_AGO, bill_day=15)
    yield made
    made.close()


def test_every_call_is_listed_once_in_the_order_of_its_start_with_its_charge(exchange: Exchange) -> None:
    exchange.put(*[exchange.row(answered_ms=NOW_MS - i * 1000) for i in range(1100)])
    exchange.rater.catch_up(NOW_MS)
    listed = list(CallListing(exchange.main, exchange.journal).calls())
    assert len(listed) == len({call.call_id for call in listed}) == 1100
    assert [call.started_at for call in listed] == sorted(call.started_at for call in listed)
    assert {(call.units, call.charge_yen) for call in listed} == {(3, 24)}


def test_calls_in_progress_have_no_charge_yet(exchange: Exchange) -> None:
    exchange.call()
    exchange.put(exchange.row(call_id="up", end_seq=None, ended_at=None, duration_ms=0, end_cause=""))
    (up,) = CallListing(exchange.main, exchange.journal).active()
    assert (up.call_id, up.units, up.charge_yen) == ("up", None, None)


def test_the_sums_of_a_month_are_by_contract_and_class(exchange: Exchange) -> None:  # T5
    exchange.call(answered_ms=ms(2026, 9, 30, 14, 59, 59))
    exchange.call(answered_ms=ms(2026, 9, 30, 15))  # October in Tokyo
    exchange.call(answered_ms=ms(2026, 9, 20), subscriber=BOB, duration_ms=1)
    exchange.rater.catch_up(NOW_MS)
    september = BillingMonth(date(2026, 9, 1), date(2026, 9, 30))
    bobs = BillingMonth(date(2026, 9, 15), date(2026, 10, 14))
    assert sorted(exchange.statements.sums(date(2026, 9, 1), date(2026, 9, 30))) == [
        LedgerSum(ALICE, september, "fixed", TaxClass.TAXED, 1, 61_000, 24, 24),
        LedgerSum(BOB, bobs, "fixed", TaxClass.TAXED, 1, 1, 8, 8),
    ]


def test_a_month_is_closed_once_and_keeps_its_checksum(exchange: Exchange) -> None:  # L3
    ending = MonthEnd(exchange.reader, exchange.rater.accounts, exchange.ledger, exchange.statements, TAX, str)
    exchange.call(answered_ms=ms(2026, 9, 20))
    with pytest.raises(MonthRefusal, match="not rated: 1"):
        ending.close("2026-09", NOW_MS)
    exchange.rater.catch_up(NOW_MS)
    closed = ending.close("2026-09", NOW_MS)
    assert exchange.statements.closed("2026-09") == ("2026-09", NOW_MS, closed.sha256, LAYOUT, closed.lines_sha256)
    with pytest.raises(MonthRefusal, match="closed already"):
        ending.close("2026-09", NOW_MS)
    exchange.call(answered_ms=ms(2026, 9, 21))
    exchange.rater.catch_up(NOW_MS)
    assert ending.export("2026-09") == closed


def test_problems_are_counted(exchange: Exchange) -> None:
    exchange.call(**{"class": ""})
    exchange.rater.catch_up(NOW_MS)
    assert exchange.ledger.progress().problems == 1
    assert asyncio.run(RatingLoop(exchange.rater).gauges()) == {"calls_not_rated": 1.0}


def test_live_calls_and_files_come_to_the_same_yen(exchange: Exchange) -> None:  # T1-T6: one engine
    chance = random.Random(20261121)
    rows: list[dict[str, Any]] = []
    calls: list[tuple[str, ...]] = []
    for _ in range(300):
        number_class, dialled = chance.choice(sorted(NUMBERS.items()))
        row = exchange.row(
            subscriber=chance.choice([ALICE, BOB]),
            answered_ms=ms(2026, 8, 1) + chance.randrange(100 * 86_400_000),
            duration_ms=chance.choice([0, 1, 30_000, 30_001, chance.randrange(60_000)]),
            end_cause=chance.choice(["caller", "callee", "network_fault", "lost"]),
            **{"class": number_class},
        )
        calls.append(
            (row["call_id"], row["subscriber"], dialled, row["leg"], row["answered_at"].isoformat(),
             str(row["duration_ms"]), row["end_cause"])
        )  # fmt: skip
        rows.append(row)
    for seq, row in enumerate(rows, 1):  # known in another order than they ended in
        exchange.put(row | {"end_seq": seq})
        if seq % 50 == 0:
            exchange.rater.catch_up(NOW_MS)
    rated, months, problems = rate(*calls, contracts=((ALICE, "2026-08-01", "1"), (BOB, "2026-08-01", "15")))
    assert problems == []
    listed = {
        call.call_id: (call.units, call.charge_yen) for call in CallListing(exchange.main, exchange.journal).calls()
    }
    assert listed == {row["call_id"]: (int(row["units"]), int(row["charge_yen"])) for row in rated}
    live = statements_of(exchange.statements.sums(date(2026, 7, 1), date(2026, 11, 30)), TAX)
    columns = ("subscriber", "period_start", "calls", "duration_ms", "credit_yen", "tax_yen", "total_yen")
    assert [
        (
            PhoneNumber(s.subscriber).national(),
            str(s.month.start),
            *map(str, (s.calls, s.duration_ms, s.credit_yen, s.tax_yen, s.total_yen)),
        )
        for s in live
    ] == [tuple(month[column] for column in columns) for month in months]
