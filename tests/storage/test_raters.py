"""Several raters on one ledger: in processes of their own, killed, in any order; the ledger is always the same."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from denwa.rating.month_end import MonthEnd, MonthRefusal
from denwa.rating.statement import statements_of
from denwa.rating.tariff import PRICED_CLASSES
from denwa.storage.ledger_books import SqlLedgerBooks
from denwa.storage.tables.rating import postings
from tests.rating.journal_rows import ALICE, BOB, NOW_MS, Exchange, ms
from tests.rating.shipped import TAX
from tests.storage.rater_process import CALLS_AT_ONCE

LONG_AGO = datetime(2026, 8, 1, tzinfo=UTC)
CLAIRE = "+815050010003"
BILL_DAYS = {ALICE: 1, BOB: 15, CLAIRE: 28}
_SECONDS = 60


@pytest.fixture
def exchange(database_url: str, tmp_path: Path) -> Iterator[Exchange]:
    made = open_exchange(database_url, tmp_path)
    yield made
    made.close()


def open_exchange(database_url: str, folder: Path) -> Exchange:
    made = Exchange(database_url, folder)
    for number, bill_day in BILL_DAYS.items():
        made.subscriber(number, bill_day=bill_day, start=LONG_AGO)
    return made


def random_calls(exchange: Exchange, count: int) -> list[dict[str, Any]]:
    chance = random.Random(20261121)
    return [
        exchange.row(
            subscriber=chance.choice(list(BILL_DAYS)),
            answered_ms=ms(2026, 8, 1) + chance.randrange(100 * 86_400_000),
            duration_ms=chance.choice([0, 1, 30_000, 30_001, chance.randrange(200_000)]),
            end_cause=chance.choice(["caller", "callee", "network_fault", "lost"]),
            leg=chance.choice(["outgoing", "forwarded"]),
            **{"class": chance.choice(PRICED_CLASSES)},
        )
        for _ in range(count)
    ]


class Booked(NamedTuple):
    """What a call comes to after all corrections."""

    calls: int
    charge_yen: int
    credit_yen: int


def booked(exchange: Exchange) -> dict[str, Booked]:
    columns = postings.c
    sums = (func.sum(columns.calls), func.sum(columns.charge_yen), func.sum(columns.credit_yen))
    with exchange.main.execution_options(read_only=True).connect() as connection:  # beside a rater that writes
        rows = connection.execute(select(columns.call_id, *sums).group_by(columns.call_id))
        return {row[0]: Booked(*map(int, row[1:])) for row in rows}


def alone(rows: list[dict[str, Any]], folder: Path) -> dict[str, Booked]:
    """What one rater makes of the calls when it gets them in the order in which they ended."""
    folder.mkdir()
    exchange = open_exchange(f"sqlite:///{folder / 'alone.db'}", folder)
    ordered = sorted(rows, key=lambda row: (row["ended_at"], row["call_id"]))
    exchange.put(*[row | {"end_seq": seq} for seq, row in enumerate(ordered, 1)])
    exchange.rater.catch_up(NOW_MS)
    found = booked(exchange)
    exchange.close()
    return found


class RaterProcess:
    """`tests.storage.rater_process`, spoken to through its standard streams."""

    def __init__(self, exchange: Exchange, hold_at: int | None = None) -> None:
        urls = [engine.url.render_as_string(hide_password=False) for engine in (exchange.main, exchange.journal)]
        arguments = [*urls, *([str(hold_at)] if hold_at else [])]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.storage.rater_process", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )

    def __enter__(self) -> RaterProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait(_SECONDS)
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()

    def says(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()


def test_raters_in_processes_of_which_one_is_killed_rate_each_call_once(
    exchange: Exchange, tmp_path: Path
) -> None:  # T13
    rows = random_calls(exchange, 600)
    exchange.put(*rows)
    with ExitStack() as stack:
        killed = stack.enter_context(RaterProcess(exchange, hold_at=3))
        others = [stack.enter_context(RaterProcess(exchange)) for _ in range(2)]
        assert {rater.says() for rater in (killed, *others)} == {"ready"}
        killed.go()
        assert killed.says() == "holding"  # two batches are committed, the third is written and is not
        assert len(booked(exchange)) == 2 * CALLS_AT_ONCE
        for rater in others:
            rater.go()  # they wait for the lock of the one that holds
        killed.process.kill()
        killed.process.wait(_SECONDS)
        rated = [int(rater.says()) for rater in others]
    assert sum(rated) == 600 - 2 * CALLS_AT_ONCE
    assert booked(exchange) == alone(rows, tmp_path / "alone")
    assert SqlLedgerBooks(exchange.main).differences() == []


CALLS = st.lists(
    st.tuples(
        st.sampled_from([ALICE, BOB]),
        st.sampled_from(PRICED_CLASSES),
        st.integers(0, 120),  # seconds after the first when it ended: many end together
        st.sampled_from([0, 1, 30_000, 30_001, 90_000, 240_000]),
        st.sampled_from(["caller", "network_fault"]),
    ),
    min_size=1, max_size=25,
)  # fmt: skip


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(CALLS, st.randoms(use_true_random=False), st.data())
def test_any_order_and_any_split_of_the_calls_gives_the_same_ledger(
    tmp_path_factory: pytest.TempPathFactory, calls: list[Any], chance: random.Random, data: st.DataObject
) -> None:  # T4, T13
    folder = tmp_path_factory.mktemp("split")
    exchange = open_exchange(f"sqlite:///{folder / 'test.db'}", folder)
    rows = [
        exchange.row(
            subscriber=subscriber, ended_ms=NOW_MS + second * 1000, answered_ms=NOW_MS + second * 1000 - duration,
            duration_ms=duration, end_cause=cause, **{"class": number_class},
        )
        for subscriber, number_class, second, duration, cause in calls
    ]  # fmt: skip
    expected = alone(rows, folder / "alone")
    chance.shuffle(rows)
    for seq, row in enumerate(rows, 1):
        exchange.put(row | {"end_seq": seq})
        if data.draw(st.booleans(), label="rate now"):
            exchange.rater.rate_ended_calls(NOW_MS, data.draw(st.integers(1, 4), label="at once"))
    exchange.rater.catch_up(NOW_MS)
    assert booked(exchange) == expected
    for number in (ALICE, BOB):
        mine = [expected[row["call_id"]] for row in rows if row["subscriber"] == number]
        assert sum(one.credit_yen for one in mine) == min(100, sum(one.charge_yen for one in mine))
    assert SqlLedgerBooks(exchange.main).differences() == []
    exchange.close()


def month_end(exchange: Exchange) -> MonthEnd:
    return MonthEnd(exchange.reader, exchange.rater.accounts, exchange.ledger, exchange.statements, TAX, str)


def test_what_arrives_after_a_close_moves_money_to_the_next_month_and_loses_none(exchange: Exchange) -> None:  # L3, T4
    ending = month_end(exchange)
    rows = [row for row in random_calls(exchange, 150) if row["answered_at"] < datetime(2026, 10, 1, tzinfo=UTC)]
    random.Random(7).shuffle(rows)
    early, late = rows[: len(rows) // 2], rows[len(rows) // 2 :]
    exchange.put(*[row | {"end_seq": seq} for seq, row in enumerate(early, 1)])
    exchange.rater.catch_up(NOW_MS)
    closed = {name: ending.close(name, NOW_MS) for name in ("2026-07", "2026-08", "2026-09")}
    exchange.put(*[row | {"end_seq": seq} for seq, row in enumerate(late, len(early) + 1)])
    exchange.rater.catch_up(NOW_MS)
    for name, export in closed.items():
        assert ending.export(name) == export
        with pytest.raises(MonthRefusal, match="closed already"):
            ending.close(name, NOW_MS)
    everything = exchange.statements.sums(date(2026, 7, 1), date(2026, 12, 31))
    assert sum(one.calls for one in everything) == len(rows)
    for number in BILL_DAYS:
        mine = [one for one in everything if one.subscriber == number]
        assert sum(one.credit_yen for one in mine) == min(100, sum(one.charge_yen for one in mine))
    october = ending.export("2026-10")
    assert {line["line"] for line in october.lines} >= {"late"}
    assert sum(int(str(line["calls"])) for line in october.lines) == len(late)
    assert SqlLedgerBooks(exchange.main).differences() == []


@pytest.mark.parametrize("bill_day", range(1, 29))
def test_a_call_belongs_to_the_month_in_which_it_was_answered_to_the_millisecond(
    tmp_path: Path, bill_day: int
) -> None:  # T5
    """Start days 1-28, a leap February, a call across the end of the month."""
    exchange = Exchange(f"sqlite:///{tmp_path / 'test.db'}", tmp_path)
    exchange.subscriber(ALICE, bill_day=bill_day, start=datetime(2023, 1, 1, tzinfo=UTC))
    starts = ms(2024, 2, bill_day) - 9 * 3_600_000  # midnight in Tokyo
    ends = ms(2024, 3, bill_day) - 9 * 3_600_000
    across = 3_600_000
    for answered in (starts - 1, starts, ends - 1, ends):
        exchange.call(answered_ms=answered, duration_ms=across)
    exchange.rater.catch_up(NOW_MS)
    first, last = date(2024, 1, 1), date(2024, 3, 31)
    shown = statements_of(exchange.statements.sums(first, last), TAX)
    assert [(str(s.month.start), s.calls) for s in shown] == [
        (f"2024-0{month}-{bill_day:02d}", calls) for month, calls in ((1, 1), (2, 2), (3, 1))
    ]
    days = [(s.month.end - s.month.start).days + 1 for s in shown]
    assert days == [31, 29, 31]  # whatever the start day: February 2024 has 29
    exchange.close()
