"""Rating from the journal into the ledger, on both databases."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, func, select

from denwa.rating.ports import ClosedMonth
from denwa.rating.rate_calls import SWEEP_INTERVAL_MS
from denwa.storage.tables.rating import credit_accounts, entries, postings, rating_problems
from tests.rating.journal_rows import ALICE, BOB, NOW_MS, Exchange, ms


@pytest.fixture
def exchange(database_url: str, tmp_path: Path) -> Iterator[Exchange]:
    made = Exchange(database_url, tmp_path)
    made.subscriber(ALICE)
    yield made
    made.close()


def booked(exchange: Exchange) -> dict[int, tuple[int, int]]:
    """(charge, credit) of every record after all corrections."""
    columns = postings.c
    with exchange.main.connect() as connection:
        rows = connection.execute(
            select(columns.record_id, func.sum(columns.charge_yen), func.sum(columns.credit_yen)).group_by(
                columns.record_id
            )
        )
        return {record: (int(charge), int(credit)) for record, charge, credit in rows}


def snapshot(exchange: Exchange) -> list[Any]:
    with exchange.main.connect() as connection:
        return [
            sorted(map(tuple, connection.execute(select(table))))
            for table in (postings, entries, credit_accounts, rating_problems)
        ]


def unbalanced(exchange: Exchange) -> list[Any]:
    query = (
        select(entries.c.record_id)
        .group_by(entries.c.record_id, entries.c.revision)
        .having(func.sum(entries.c.yen) != 0)
    )
    with exchange.main.connect() as connection:
        return list(connection.scalars(query))


def test_an_ended_call_is_charged_with_its_working(exchange: Exchange) -> None:  # T1, T4
    record = exchange.call(duration_ms=61_000)
    assert exchange.rater.catch_up(NOW_MS).rated == 1
    with exchange.main.connect() as connection:
        row = connection.execute(select(postings)).one()
    assert (row.record_id, row.units, row.charge_yen, row.credit_yen, row.tariff) == (record, 3, 24, 24, "default")
    assert (row.month_start.isoformat(), row.month_end.isoformat()) == ("2026-11-01", "2026-11-30")


def test_rating_twice_charges_once_and_changes_nothing(exchange: Exchange) -> None:  # T13
    for _ in range(10):
        exchange.call()
    exchange.rater.catch_up(NOW_MS)
    before = snapshot(exchange)
    assert exchange.rater.catch_up(NOW_MS + 1).rated == 0
    with exchange.ledger.transaction() as ledger:  # even when the mark was lost
        ledger.put_marks(ledger.marks()._replace(read=0))
    assert exchange.rater.catch_up(NOW_MS + 2).rated == 0
    assert snapshot(exchange) == before


def test_entries_of_every_posting_sum_to_zero(exchange: Exchange) -> None:  # T13
    for number_class in ("on-net", "partner-050", "paid-050", "fixed", "mobile", "international") * 4:
        exchange.call(**{"class": number_class})
    exchange.rater.catch_up(NOW_MS)
    assert unbalanced(exchange) == []
    with exchange.main.connect() as connection:
        accounts = dict(
            map(
                tuple,
                connection.execute(select(entries.c.account, func.sum(entries.c.yen)).group_by(entries.c.account)),
            )
        )
    assert {account: int(yen) for account, yen in accounts.items()} == {
        f"receivable:{ALICE}": 24 * 16 - 100,
        "credit-granted": 100,
        "revenue:paid-050": -96,
        "revenue:fixed": -96,
        "revenue:mobile": -96,
        "revenue:international": -96,
    }


def test_only_answered_outgoing_and_forwarded_legs_are_charged(exchange: Exchange) -> None:  # C8, F4
    exchange.call(leg="incoming", direction="incoming")
    exchange.call(answered_at=None, duration_ms=0, end_cause="busy")
    forwarded = exchange.call(leg="forwarded")
    up = exchange.row(end_seq=None, ended_at=None, duration_ms=0, end_cause="")
    exchange.put(up)
    assert exchange.rater.catch_up(NOW_MS).rated == 1
    assert set(booked(exchange)) == {forwarded}


def test_a_call_that_goes_on_is_rated_when_it_has_ended(exchange: Exchange) -> None:
    up = exchange.row(end_seq=None, ended_at=None, duration_ms=0, end_cause="", answered_ms=NOW_MS)
    exchange.put(up)
    later = exchange.call()
    exchange.rater.catch_up(NOW_MS)
    assert set(booked(exchange)) == {later}
    exchange.end(up["id"], later + 1, NOW_MS + 30_001, 30_001)
    exchange.rater.catch_up(NOW_MS)
    assert booked(exchange)[up["id"]] == (16, 16)


def test_the_credit_of_a_contract_is_one_total_over_batches_and_classes(exchange: Exchange) -> None:  # T4
    for index in range(20):
        exchange.call(**{"class": "fixed" if index % 2 else "international"})
    batches = 0
    while exchange.rater.rate_ended_calls(NOW_MS, limit=3).more:
        batches += 1
    assert batches == 7
    shares = [credit for _, (_, credit) in sorted(booked(exchange).items())]
    assert shares == [24, 24, 24, 24, 4] + [0] * 15


def test_each_contract_has_its_own_credit(exchange: Exchange) -> None:  # T4
    exchange.subscriber(BOB)
    for number in (ALICE, BOB):
        exchange.call(subscriber=number, duration_ms=600_000)
    exchange.rater.catch_up(NOW_MS)
    assert list(booked(exchange).values()) == [(160, 100), (160, 100)]


def test_a_call_that_becomes_known_late_gets_the_credit_it_has_a_right_to(exchange: Exchange) -> None:  # T4, T13
    late = exchange.row(answered_ms=NOW_MS - 3_600_000, duration_ms=200_000)
    first = exchange.call(duration_ms=150_000, **{"class": "international"})
    second = exchange.call(duration_ms=300_000)
    exchange.rater.catch_up(NOW_MS)
    assert booked(exchange) == {first: (40, 40), second: (80, 60)}
    exchange.put(late | {"end_seq": 99})
    exchange.rater.catch_up(NOW_MS)
    assert booked(exchange) == {late["id"]: (56, 56), first: (40, 40), second: (80, 4)}
    with exchange.main.connect() as connection:
        moved = connection.execute(select(postings).where(postings.c.kind == "credit")).one()
        original = connection.execute(
            select(postings).where(postings.c.record_id == second, postings.c.revision == 0)
        ).one()
    assert (moved.record_id, moved.revision, moved.corrects, moved.credit_yen) == (second, 1, 0, -56)
    assert original.credit_yen == 60  # never changed
    assert unbalanced(exchange) == []


def test_credit_comes_out_the_same_for_every_order_of_arrival(exchange: Exchange) -> None:  # T4
    rows = [exchange.row(answered_ms=NOW_MS - 1000 * i, duration_ms=(i * 37_123) % 120_000) for i in range(30)]
    ended = sorted(rows, key=lambda row: (row["ended_at"], row["call_id"]))
    expected, left = {}, 100
    for row in ended:
        yen = -(-row["duration_ms"] // 30_000) * 8
        expected[row["id"]] = (yen, min(yen, left))
        left -= min(yen, left)
    random.Random(4).shuffle(rows)
    for seq, row in enumerate(rows, 1):
        exchange.put(row | {"end_seq": seq})
        if seq % 4 == 0:
            exchange.rater.catch_up(NOW_MS)
    exchange.rater.catch_up(NOW_MS)
    assert booked(exchange) == expected


def test_a_call_that_cannot_be_rated_is_a_visible_problem_until_it_can(exchange: Exchange) -> None:  # T8
    stranger = exchange.call(subscriber=BOB)
    unclear = exchange.call(**{"class": ""})
    early = exchange.call(answered_ms=ms(2026, 10, 1))
    good = exchange.call()
    batch = exchange.rater.catch_up(NOW_MS)
    assert set(booked(exchange)) == {good}
    assert {problem.record_id: problem.problem for problem in batch.problems} == {
        stranger: "the subscriber is unknown",
        unclear: "tariff default of 2000-01-01 has no price for class ''",
        early: "answered before the contract started",
    }
    exchange.subscriber(BOB)
    assert exchange.rater.catch_up(NOW_MS + 1).rated == 0  # not looked at again at every call
    assert exchange.rater.catch_up(NOW_MS + 1, at_once=True).rated == 1
    assert {problem.record_id for problem in exchange.statements.problems()} == {unclear, early}
    assert booked(exchange)[stranger] == (24, 24)


def test_a_call_known_after_its_month_was_closed_is_billed_in_the_next_open_one(exchange: Exchange) -> None:  # L3
    with exchange.ledger.transaction() as ledger:
        for name in ("2026-11", "2026-12"):
            ledger.close_month(ClosedMonth(name, NOW_MS, "0" * 64), [])
    exchange.call()
    exchange.rater.catch_up(NOW_MS)
    with exchange.main.connect() as connection:
        row = connection.execute(select(postings)).one()
    assert (row.month_start.isoformat(), row.call_month_start.isoformat()) == ("2027-01-01", "2026-11-01")


def test_raters_at_the_same_time_charge_each_call_once(exchange: Exchange) -> None:  # T13
    for _ in range(120):
        exchange.call()
    start = threading.Barrier(4)

    def rate() -> None:
        start.wait()
        while exchange.rater.rate_ended_calls(NOW_MS, limit=7).more:
            pass

    threads = [threading.Thread(target=rate) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(booked(exchange)) == 120
    assert sum(credit for _, credit in booked(exchange).values()) == 100


def test_a_failure_in_the_middle_leaves_nothing_behind(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    exchange.call()
    before = snapshot(exchange)
    with monkeypatch.context() as patch:
        patch.setattr("denwa.storage.rating_store.SqlLedgerTransaction.put_marks", _power_cut)
        with pytest.raises(RuntimeError, match="power cut"):
            exchange.rater.rate_ended_calls(NOW_MS)
    assert snapshot(exchange) == before
    assert exchange.rater.catch_up(NOW_MS).rated == 1


def _power_cut(*_: object) -> None:
    raise RuntimeError("power cut")


def test_a_record_that_appears_behind_the_mark_is_found_on_postgresql(postgres_url: str, tmp_path: Path) -> None:
    exchange = Exchange(postgres_url, tmp_path)
    exchange.subscriber()
    hidden = exchange.row()
    exchange.call()
    exchange.rater.catch_up(NOW_MS)
    exchange.put(hidden)  # a lower end_seq, committed later
    assert exchange.rater.catch_up(NOW_MS + 1).rated == 0
    assert exchange.rater.catch_up(NOW_MS + SWEEP_INTERVAL_MS).rated == 1
    assert hidden["id"] in booked(exchange)
    exchange.close()


def test_a_thousand_calls_are_one_transaction_of_few_statements(exchange: Exchange) -> None:
    exchange.put(*[exchange.row() for _ in range(1000)])
    statements: list[str] = []
    event.listen(exchange.main, "before_cursor_execute", lambda *a: statements.append(a[2]))
    assert exchange.rater.rate_ended_calls(NOW_MS).rated == 1000
    assert len(statements) < 25
