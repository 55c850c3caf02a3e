"""Corrections of rated calls, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from denwa.rating.correct_calls import Because, CorrectionRefusal, Corrector
from denwa.rating.ledger import PostingKind
from denwa.rating.ports import ClosedMonth, EndedCall
from denwa.storage.tables.rating import corrections, credit_accounts, entries, postings
from tests.rating.journal_rows import ALICE, NOW_MS, Exchange, ms
from tests.rating.shipped import BOOK

BECAUSE = Because("taro", "cut by our own fault")


@pytest.fixture
def exchange(database_url: str, tmp_path: Path) -> Iterator[Exchange]:
    made = Exchange(database_url, tmp_path)
    made.subscriber(ALICE)
    yield made
    made.close()


@pytest.fixture
def corrector(exchange: Exchange) -> Corrector:
    return corrector_of(exchange)


def corrector_of(exchange: Exchange) -> Corrector:
    return Corrector(exchange.ledger, exchange.rater.accounts, BOOK)


def booked(exchange: Exchange) -> dict[int, tuple[int, int, int]]:
    """(calls, charge, credit) of every record after all corrections."""
    columns = postings.c
    amounts = (func.sum(columns.calls), func.sum(columns.charge_yen), func.sum(columns.credit_yen))
    with exchange.main.connect() as connection:
        rows = connection.execute(select(columns.record_id, *amounts).group_by(columns.record_id))
        return {row[0]: (int(row[1]), int(row[2]), int(row[3])) for row in rows}


def record(exchange: Exchange, record_id: int) -> EndedCall:
    (call,) = exchange.reader.ended([record_id])
    return call


def count(exchange: Exchange) -> int:
    with exchange.main.connect() as connection:
        return connection.scalar(select(func.count()).select_from(postings)) or 0


def test_a_reversed_call_costs_nothing_and_its_posting_stays(exchange: Exchange, corrector: Corrector) -> None:  # T13
    call = exchange.call(duration_ms=600_000)
    exchange.rater.catch_up(NOW_MS)
    (red,) = corrector.reverse(call, BECAUSE, NOW_MS)
    assert (red.kind, red.revision, red.corrects) == (PostingKind.REVERSAL, 1, 0)
    assert (red.calls, red.charge_yen, red.credit_yen) == (-1, -160, -100)
    assert booked(exchange) == {call: (0, 0, 0)}
    with exchange.main.connect() as connection:
        assert connection.execute(select(corrections)).one() == (call, 1, "taro", "cut by our own fault")
        assert connection.scalar(select(func.sum(entries.c.yen))) == 0


def test_a_reversed_call_is_not_rated_again(exchange: Exchange, corrector: Corrector) -> None:  # T13
    call = exchange.call()
    exchange.rater.catch_up(NOW_MS)
    corrector.reverse(call, BECAUSE, NOW_MS)
    with exchange.ledger.transaction() as ledger:
        ledger.put_marks(ledger.marks()._replace(read=0))
    assert exchange.rater.catch_up(NOW_MS).rated == 0


def test_credit_of_a_reversed_call_goes_to_the_calls_after_it(exchange: Exchange, corrector: Corrector) -> None:  # T4
    first, second, third = (exchange.call(duration_ms=ms) for ms in (240_000, 240_000, 240_000))  # 64 yen each
    exchange.rater.catch_up(NOW_MS)
    assert booked(exchange) == {first: (1, 64, 64), second: (1, 64, 36), third: (1, 64, 0)}
    corrector.reverse(first, BECAUSE, NOW_MS)
    assert booked(exchange) == {first: (0, 0, 0), second: (1, 64, 64), third: (1, 64, 36)}
    corrector.reverse(second, BECAUSE, NOW_MS)
    corrector.reverse(third, BECAUSE, NOW_MS)
    with exchange.main.connect() as connection:
        assert connection.scalar(select(credit_accounts.c.used_yen)) == 0
    late = exchange.call(duration_ms=600_000)
    exchange.rater.catch_up(NOW_MS)
    assert booked(exchange)[late] == (1, 160, 100)


def test_a_call_is_charged_anew_with_the_data_that_are_right(exchange: Exchange, corrector: Corrector) -> None:  # T3
    call = exchange.call(duration_ms=61_000)
    exchange.rater.catch_up(NOW_MS)
    right = record(exchange, call)._replace(end_cause="network_fault")
    red, black = corrector.rerate(right, BECAUSE, NOW_MS)
    assert (red.charge_yen, black.charge_yen, black.credit_yen) == (-24, 16, 16)
    assert (black.kind, black.revision, black.corrects) == (PostingKind.CALL, 2, 0)
    assert booked(exchange) == {call: (1, 16, 16)}


def test_charging_anew_what_is_right_changes_nothing(exchange: Exchange, corrector: Corrector) -> None:  # T13
    call = exchange.call()
    exchange.rater.catch_up(NOW_MS)
    assert corrector.rerate(record(exchange, call), BECAUSE, NOW_MS) == []
    right = record(exchange, call)._replace(number_class="mobile")
    assert len(corrector.rerate(right, BECAUSE, NOW_MS)) == 2
    assert corrector.rerate(right, BECAUSE, NOW_MS) == []
    assert count(exchange) == 3


def test_what_becomes_free_gives_its_credit_back(exchange: Exchange, corrector: Corrector) -> None:  # T2, T4
    first, second = (exchange.call(duration_ms=300_000) for _ in range(2))  # 80 yen each
    exchange.rater.catch_up(NOW_MS)
    right = record(exchange, first)._replace(number_class="partner-050")
    kinds = [posting.kind for posting in corrector.rerate(right, BECAUSE, NOW_MS)]
    assert kinds == [PostingKind.REVERSAL, PostingKind.CALL, PostingKind.CREDIT_MOVE]
    assert booked(exchange) == {first: (1, 0, 0), second: (1, 80, 80)}
    corrector.rerate(record(exchange, first), BECAUSE, NOW_MS)
    assert booked(exchange) == {first: (1, 80, 80), second: (1, 80, 20)}


def test_a_reversal_can_be_undone_by_charging_anew(exchange: Exchange, corrector: Corrector) -> None:
    call = exchange.call()
    exchange.rater.catch_up(NOW_MS)
    corrector.reverse(call, BECAUSE, NOW_MS)
    (black,) = corrector.rerate(record(exchange, call), BECAUSE, NOW_MS)
    assert (black.revision, booked(exchange)) == (2, {call: (1, 24, 24)})


def test_a_correction_after_the_close_is_red_and_black_in_the_next_open_month(
    exchange: Exchange, corrector: Corrector
) -> None:  # L3
    call = exchange.call(duration_ms=600_000)
    exchange.rater.catch_up(NOW_MS)
    with exchange.ledger.transaction() as ledger:
        ledger.close_month(ClosedMonth("2026-11", NOW_MS, "0" * 64), [])
    made = corrector.rerate(record(exchange, call)._replace(duration_ms=30_000), BECAUSE, NOW_MS)
    assert [(p.month.name, str(p.call_month_start), p.charge_yen, p.credit_yen) for p in made] == [
        ("2026-12", "2026-11-01", -160, -100),
        ("2026-12", "2026-11-01", 8, 8),
    ]
    lines = exchange.statements.corrected(made[0].month.start, made[0].month.end)
    assert [(line.kind, line.payable_yen) for line in lines] == [(PostingKind.REVERSAL, -60), (PostingKind.CALL, 0)]


def test_a_call_known_late_takes_its_place_among_corrected_ones(exchange: Exchange, corrector: Corrector) -> None:  # T4
    late = exchange.row(answered_ms=NOW_MS - 3_600_000, duration_ms=150_000)  # 40 yen
    first, second = (exchange.call(duration_ms=300_000) for _ in range(2))  # 80 yen each
    exchange.rater.catch_up(NOW_MS)
    corrector.rerate(record(exchange, first)._replace(number_class="mobile", duration_ms=120_000), BECAUSE, NOW_MS)
    assert booked(exchange) == {first: (1, 32, 32), second: (1, 80, 68)}
    exchange.put(late | {"end_seq": 99})
    exchange.rater.catch_up(NOW_MS)
    assert booked(exchange) == {late["id"]: (1, 40, 40), first: (1, 32, 32), second: (1, 80, 28)}


def test_a_trial_writes_nothing(exchange: Exchange, corrector: Corrector) -> None:
    call = exchange.call()
    exchange.rater.catch_up(NOW_MS)
    assert corrector.reverse(call, BECAUSE, NOW_MS, post=False)[0].charge_yen == -24
    assert corrector.rerate(record(exchange, call)._replace(duration_ms=1), BECAUSE, NOW_MS, post=False)
    assert count(exchange) == 1


def test_a_call_that_could_not_be_rated_is_rated_by_hand(exchange: Exchange, corrector: Corrector) -> None:  # T8, T4
    unclear = exchange.call(duration_ms=300_000, **{"class": ""})
    later = exchange.call(duration_ms=300_000)
    exchange.rater.catch_up(NOW_MS)
    assert exchange.ledger.progress().problems == 1
    right = record(exchange, unclear)._replace(number_class="mobile")
    made = corrector.rerate(right, BECAUSE, NOW_MS)
    assert [(posting.kind, posting.revision) for posting in made] == [
        (PostingKind.CALL, 0),
        (PostingKind.CREDIT_MOVE, 1),
    ]
    assert booked(exchange) == {unclear: (1, 80, 80), later: (1, 80, 20)}
    assert exchange.ledger.progress().problems == 0
    assert exchange.rater.catch_up(NOW_MS + 1, at_once=True).rated == 0  # T13


def test_what_cannot_be_corrected_is_refused_with_the_reason(exchange: Exchange, corrector: Corrector) -> None:
    with pytest.raises(CorrectionRefusal, match="not rated"):
        corrector.reverse(999, BECAUSE, NOW_MS)
    call = exchange.call()
    exchange.rater.catch_up(NOW_MS)
    found = record(exchange, call)
    for because, says in ((Because("", "r"), "who"), (Because("w", " "), "reason")):
        with pytest.raises(CorrectionRefusal, match=says):
            corrector.reverse(call, because, NOW_MS)
    with pytest.raises(CorrectionRefusal, match=r"cannot be rated: .*'satellite'"):
        corrector.rerate(found._replace(number_class="satellite"), BECAUSE, NOW_MS)
    corrector.reverse(call, BECAUSE, NOW_MS)
    with pytest.raises(CorrectionRefusal, match="taken back already"):
        corrector.reverse(call, BECAUSE, NOW_MS)


CORRECTIONS = st.lists(
    st.tuples(
        st.sampled_from(["reverse", "rerate", "arrive"]), st.integers(0, 5), st.integers(0, 200_000),
        st.sampled_from(["fixed", "on-net", "international"]),
    ),
    min_size=1, max_size=8,
)  # fmt: skip


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(CORRECTIONS)
def test_credit_used_is_the_least_of_100_and_the_charges_whatever_is_corrected(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, int, str]]
) -> None:  # T4, T13
    folder = tmp_path_factory.mktemp("corrections")
    exchange = Exchange(f"sqlite:///{folder / 'test.db'}", folder)
    exchange.subscriber(ALICE)
    corrector = corrector_of(exchange)
    known = [exchange.call(duration_ms=90_000) for _ in range(3)]
    exchange.rater.catch_up(NOW_MS)
    for step, index, duration, number_class in steps:
        call = known[index % len(known)]
        if step == "reverse" and booked(exchange)[call][0]:
            corrector.reverse(call, BECAUSE, NOW_MS)
        elif step == "rerate":
            right = record(exchange, call)._replace(duration_ms=duration, number_class=number_class)
            corrector.rerate(right, BECAUSE, NOW_MS)
        elif step == "arrive":
            given_ms = ms(2026, 11, 20) + index * 1000 + duration
            known.append(exchange.call(answered_ms=given_ms, duration_ms=duration, **{"class": number_class}))
            exchange.rater.catch_up(NOW_MS)
        check_credit(exchange)
    exchange.close()


def check_credit(exchange: Exchange) -> None:
    """The credit is used from the earliest end on, and none is left while a charge is not covered."""
    now = booked(exchange)
    ends = {call.record_id: (call.ended_ms, call.call_id) for call in exchange.reader.ended(list(now))}
    left = 100
    for record_id in sorted(now, key=lambda one: ends[one]):
        _, charge, credit = now[record_id]
        assert credit == min(charge, left)
        left -= credit
    with exchange.main.connect() as connection:
        assert connection.scalar(select(credit_accounts.c.used_yen)) == 100 - left
        assert connection.scalar(select(func.coalesce(func.sum(entries.c.yen), 0))) == 0
