"""Adjustments in the ledger, on both databases."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import event, func, select

from denwa.rating.adjust import Adjuster
from denwa.rating.adjustment import Adjustment, AdjustmentKind, AdjustmentRefusal
from denwa.rating.billing_month import BillingMonth, billing_month_of
from denwa.rating.ports import ClosedMonth
from denwa.rating.statement import Statement, statements_of
from denwa.rating.tariff import TaxClass
from denwa.storage.tables.rating import adjustment_entries, adjustments
from tests.rating.journal_rows import ALICE, BOB, NOW_MS, Exchange, ms
from tests.rating.shipped import TAX

NOVEMBER = billing_month_of(date(2026, 11, 1), 1)


@pytest.fixture
def exchange(database_url: str, tmp_path: Path) -> Iterator[Exchange]:
    made = Exchange(database_url, tmp_path)
    made.subscriber(ALICE)
    made.subscriber(BOB, bill_day=15)
    yield made
    made.close()


@pytest.fixture
def adjuster(exchange: Exchange) -> Adjuster:
    return Adjuster(exchange.ledger, exchange.rater.accounts)


def fee(reference: str = "fee-1", **given: object) -> Adjustment:
    made = Adjustment(
        reference, AdjustmentKind.NUMBER_FEE, ALICE, NOVEMBER, 500, TaxClass.TAXED, "1 × 500 yen", "2nd number", "taro"
    )
    return made._replace(**given)


def entries(exchange: Exchange) -> dict[str, int]:
    query = select(adjustment_entries.c.account, func.sum(adjustment_entries.c.yen)).group_by(
        adjustment_entries.c.account
    )
    with exchange.main.connect() as connection:
        return {account: int(yen) for account, yen in connection.execute(query)}


def statements(exchange: Exchange, first: date, last: date) -> list[Statement]:
    reader = exchange.statements
    return statements_of(
        reader.sums(first, last), TAX, (booked.adjustment for booked in reader.adjustments(first, last))
    )


def test_an_adjustment_is_owed_by_the_subscriber_and_sums_to_zero(exchange: Exchange, adjuster: Adjuster) -> None:
    (posted,) = adjuster.post([fee()], NOW_MS)
    assert posted == (fee(), True)
    assert entries(exchange) == {f"receivable:{ALICE}": 500, "revenue:number-fee": -500}


def test_one_reference_is_posted_once_whatever_the_words_are(exchange: Exchange, adjuster: Adjuster) -> None:  # T13
    adjuster.post([fee()], NOW_MS)
    (again,) = adjuster.post([fee(reason="said otherwise")], NOW_MS + 1)
    assert again == (fee(), False)
    assert entries(exchange)[f"receivable:{ALICE}"] == 500


@pytest.mark.parametrize("given", [{"yen": 501}, {"tax": TaxClass.EXEMPT}, {"kind": AdjustmentKind.MANUAL}])
def test_one_reference_never_means_two_things(
    exchange: Exchange, adjuster: Adjuster, given: dict[str, object]
) -> None:  # T13
    adjuster.post([fee()], NOW_MS)
    with pytest.raises(AdjustmentRefusal, match=r"posted before with another content: number-fee, 2026-11, 500 yen"):
        adjuster.post([fee(**given)], NOW_MS)


def test_one_that_is_refused_takes_the_others_of_its_batch_with_it(exchange: Exchange, adjuster: Adjuster) -> None:
    adjuster.post([fee()], NOW_MS)
    with pytest.raises(AdjustmentRefusal):
        adjuster.post([fee("fee-2"), fee(yen=1)], NOW_MS)
    assert entries(exchange)[f"receivable:{ALICE}"] == 500


def test_what_belongs_to_a_closed_month_is_billed_in_the_next_open_one(
    exchange: Exchange, adjuster: Adjuster
) -> None:  # L3
    with exchange.ledger.transaction() as ledger:
        for name in ("2026-11", "2026-12"):
            ledger.close_month(ClosedMonth(name, NOW_MS, "0" * 64), [])
    (posted,) = adjuster.post([fee()], NOW_MS)
    assert posted.adjustment.month == BillingMonth(date(2027, 1, 1), date(2027, 1, 31))
    assert adjuster.post([fee()], NOW_MS) == [(posted.adjustment, False)]  # asked for the same month again


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"yen": 0}, "nothing to post"),
        ({"reason": " "}, "no reason"),
        ({"who": ""}, "no who"),
        ({"subscriber": "+815050019999"}, "is no subscriber"),
        ({"subscriber": BOB}, "is no billing month of .*, whose months start on day 15"),
        ({"corrects": "never"}, "which there is not"),
        ({"corrects": "fee-1"}, "cannot take itself back"),
    ],
)
def test_what_no_adjustment_may_be_is_refused(adjuster: Adjuster, given: dict[str, object], says: str) -> None:
    with pytest.raises(AdjustmentRefusal, match=says):
        adjuster.post([fee(**given)], NOW_MS)


def test_money_that_is_no_int_is_refused(adjuster: Adjuster) -> None:
    with pytest.raises(TypeError, match="whole yen"):
        adjuster.post([fee(yen=500.0)], NOW_MS)


def test_an_adjustment_is_taken_back_once_and_in_full(exchange: Exchange, adjuster: Adjuster) -> None:  # T13
    adjuster.post([fee()], NOW_MS)
    back = adjuster.take_back("fee-1", reason="wrong card", who="hanako", now_ms=NOW_MS)
    assert (back.new, back.adjustment.yen, back.adjustment.corrects) == (True, -500, "fee-1")
    assert not adjuster.take_back("fee-1", reason="wrong card", who="hanako", now_ms=NOW_MS).new
    assert set(entries(exchange).values()) == {0}
    with pytest.raises(AdjustmentRefusal, match="is taken back already, by 'fee-1:taken-back'"):
        adjuster.post([fee("fee-1b", yen=-500, corrects="fee-1")], NOW_MS)
    with pytest.raises(AdjustmentRefusal, match="itself takes"):
        adjuster.take_back("fee-1:taken-back", reason="r", who="w", now_ms=NOW_MS)
    with pytest.raises(AdjustmentRefusal, match="there is no adjustment"):
        adjuster.take_back("fee-9", reason="r", who="w", now_ms=NOW_MS)


def test_a_batch_may_name_a_reference_twice_and_take_back_what_it_posts(
    exchange: Exchange, adjuster: Adjuster
) -> None:  # T13
    posted = adjuster.post([fee(), fee(), fee("back", yen=-500, corrects="fee-1")], NOW_MS)
    assert [one.new for one in posted] == [True, False, True]
    assert set(entries(exchange).values()) == {0}
    with pytest.raises(AdjustmentRefusal, match="another content"):
        adjuster.post([fee("fee-2"), fee("fee-2", yen=1)], NOW_MS)
    twice = [fee("fee-3"), fee("a", yen=-500, corrects="fee-3"), fee("b", yen=-500, corrects="fee-3")]
    with pytest.raises(AdjustmentRefusal, match="is taken back already, by 'a'"):
        adjuster.post(twice, NOW_MS)


def test_many_adjustments_are_few_statements(exchange: Exchange, adjuster: Adjuster) -> None:
    statements: list[str] = []
    event.listen(exchange.main, "before_cursor_execute", lambda *a: statements.append(a[2]))
    adjuster.post([fee(f"fee-{n}") for n in range(1000)], NOW_MS)
    assert len(statements) < 15


def test_what_takes_back_takes_all_of_it_and_nothing_else(adjuster: Adjuster) -> None:  # T13
    adjuster.post([fee()], NOW_MS)
    with pytest.raises(AdjustmentRefusal, match="does not take back all"):
        adjuster.post([fee("fee-2", yen=-499, corrects="fee-1")], NOW_MS)


def test_tax_is_rounded_once_over_calls_and_taxed_adjustments(exchange: Exchange, adjuster: Adjuster) -> None:  # K3, T6
    exchange.call(duration_ms=150_000)  # 40 yen, all credit
    exchange.call(duration_ms=270_000)  # 72 yen, 12 to pay
    exchange.rater.catch_up(NOW_MS)
    adjuster.post(
        [
            fee("number", yen=507),
            fee("abroad", kind=AdjustmentKind.WAIVER, yen=-9, tax=TaxClass.EXEMPT),
            fee("late", kind=AdjustmentKind.LATE_INTEREST, yen=33, tax=TaxClass.OUT_OF_SCOPE),
        ],
        NOW_MS,
    )
    (november,) = statements(exchange, NOVEMBER.start, NOVEMBER.end)
    assert (november.taxed_yen, november.exempt_yen, november.out_of_scope_yen) == (12 + 507, -9, 33)
    assert (november.tax_yen, november.total_yen) == (51, 519 - 9 + 33 + 51)  # 51.9: not 1 + 50
    assert (november.adjustment_yen, november.adjusted(AdjustmentKind.LATE_INTEREST)) == (531, 33)


def test_a_month_without_calls_has_a_statement_when_something_is_owed(exchange: Exchange, adjuster: Adjuster) -> None:
    adjuster.post([fee(subscriber=BOB, month=billing_month_of(date(2026, 11, 20), 15))], NOW_MS)
    (bobs,) = statements(exchange, NOVEMBER.start, NOVEMBER.end)
    assert (bobs.subscriber, bobs.calls, bobs.tax_yen, bobs.total_yen) == (BOB, 0, 50, 550)


def test_several_that_post_the_same_at_once_post_it_once(exchange: Exchange, adjuster: Adjuster) -> None:  # T13
    start = threading.Barrier(4)
    new: list[bool] = []

    def post() -> None:
        start.wait()
        new.append(adjuster.post([fee()], ms(2026, 11, 22))[0].new)

    threads = [threading.Thread(target=post) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(new) == [False, False, False, True]
    with exchange.main.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(adjustments)) == 1
