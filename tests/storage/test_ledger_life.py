"""Whatever happens to a ledger in whatever order, it agrees with itself, and closed months stay as they are."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from denwa.rating.adjust import Adjuster
from denwa.rating.adjustment import Adjustment, AdjustmentKind, AdjustmentRefusal
from denwa.rating.billing_month import billing_month_named
from denwa.rating.correct_calls import Because, CorrectionRefusal, Corrector
from denwa.rating.ledger import Posting, PostingKind, as_it_stands
from denwa.rating.month_end import MonthEnd
from denwa.rating.tariff import TaxClass
from denwa.rating.trial_balance import trial_balance
from denwa.storage.ledger_books import SqlLedgerBooks
from tests.rating.journal_rows import ALICE, BOB, NOW_MS, Exchange, ms
from tests.rating.shipped import BOOK, TAX

BILL_DAYS = {ALICE: 1, BOB: 20}
BECAUSE = Because("taro", "found wrong")
MONTHS = ("2026-08", "2026-09", "2026-10")  # over for both on the day of the tests, 2026-11-21
CLASSES = st.sampled_from(["on-net", "fixed", "mobile", "international"])
DURATIONS = st.sampled_from([0, 1, 30_000, 30_001, 120_000, 400_000])


class Life:
    """A ledger with everything that works on it."""

    def __init__(self, database_url: str, folder: Path) -> None:
        self.exchange = Exchange(database_url, folder)
        for number, bill_day in BILL_DAYS.items():
            self.exchange.subscriber(number, bill_day=bill_day, start=datetime(2026, 7, 1, tzinfo=UTC))
        self.rater = self.exchange.rater
        self.corrector = Corrector(self.exchange.ledger, self.rater.accounts, BOOK)
        self.adjuster = Adjuster(self.exchange.ledger, self.rater.accounts)
        self.ending = MonthEnd(
            self.exchange.reader, self.rater.accounts, self.exchange.ledger, self.exchange.statements, TAX, str
        )
        self.books = SqlLedgerBooks(self.exchange.main)
        self.records: list[int] = []

    def call(self, subscriber: str, day: int, number_class: str, duration_ms: int) -> None:
        answered = ms(2026, 8, 1) + day * 86_400_000
        values = {"subscriber": subscriber, "answered_ms": answered, "duration_ms": duration_ms, "class": number_class}
        self.records.append(self.exchange.call(**values))

    def differences(self) -> tuple[str, ...]:
        return trial_balance(self.ending, self.books).differences


class LedgerLife(RuleBasedStateMachine):
    """T4, T13, L3 in any order of events."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(mkdtemp(prefix="denwa-ledger-"))
        self.life = Life(f"sqlite:///{self.folder / 'test.db'}", self.folder)
        self.closed: dict[str, dict[str, bytes]] = {}
        self.references = itertools.count()

    def teardown(self) -> None:
        self.life.exchange.close()
        shutil.rmtree(self.folder)

    @rule(subscriber=st.sampled_from([ALICE, BOB]), day=st.integers(0, 80), number_class=CLASSES, duration=DURATIONS)
    def a_call_becomes_known(self, subscriber: str, day: int, number_class: str, duration: int) -> None:
        self.life.call(subscriber, day, number_class, duration)

    @rule()
    def rate(self) -> None:
        self.life.rater.catch_up(NOW_MS)

    @precondition(lambda self: self.life.records)
    @rule(index=st.integers(0, 20))
    def reverse(self, index: int) -> None:
        record, postings = self._one(index)
        if postings and as_it_stands(postings).in_force:
            assert self.life.corrector.reverse(record, BECAUSE, NOW_MS)[0].kind is PostingKind.REVERSAL
        else:
            with pytest.raises(CorrectionRefusal, match="taken back already" if postings else "not rated"):
                self.life.corrector.reverse(record, BECAUSE, NOW_MS)

    @precondition(lambda self: self.life.records)
    @rule(index=st.integers(0, 20), number_class=CLASSES, duration=DURATIONS)
    def rerate(self, index: int, number_class: str, duration: int) -> None:
        record, postings = self._one(index)
        (call,) = self.life.exchange.reader.ended([record])
        right = call._replace(number_class=number_class, duration_ms=duration)
        made = self.life.corrector.rerate(right, BECAUSE, NOW_MS)
        assert made or postings
        assert self.life.corrector.rerate(right, BECAUSE, NOW_MS) == []

    def _one(self, index: int) -> tuple[int, list[Posting]]:
        record = self.life.records[index % len(self.life.records)]
        return record, [posting for posting, _ in self.life.books.history(record)]

    @rule(
        subscriber=st.sampled_from([ALICE, BOB]), kind=st.sampled_from(AdjustmentKind), tax=st.sampled_from(TaxClass),
        yen=st.integers(-500, 500).filter(bool), month=st.sampled_from(MONTHS), back=st.booleans(),
    )  # fmt: skip
    def adjust(self, subscriber: str, kind: AdjustmentKind, tax: TaxClass, yen: int, month: str, back: bool) -> None:
        reference = f"decision-{next(self.references)}"
        billed = billing_month_named(month, BILL_DAYS[subscriber])
        asked = Adjustment(reference, kind, subscriber, billed, yen, tax, "working", "reason", "taro")
        for new in (True, False):
            assert self.life.adjuster.post([asked], NOW_MS)[0].new is new
        with pytest.raises(AdjustmentRefusal):
            self.life.adjuster.post([asked._replace(yen=yen + 1000)], NOW_MS)
        if back:
            self.life.adjuster.take_back(reference, reason="wrong", who="taro", now_ms=NOW_MS)

    @precondition(lambda self: len(self.closed) < len(MONTHS))
    @rule()
    def close_the_next_month(self) -> None:
        name = MONTHS[len(self.closed)]
        self.life.rater.catch_up(NOW_MS)
        self.closed[name] = self.life.ending.close(name, NOW_MS).files()

    @invariant()
    def the_books_agree(self) -> None:
        told = [text for text in self.life.differences() if "neither rated nor told" not in text]
        assert told == []

    @invariant()
    def closed_months_stay_as_they_are(self) -> None:
        for name, files in self.closed.items():
            assert self.life.ending.export(name).files() == files


TestLedgerLife = pytest.mark.slow(LedgerLife.TestCase)
TestLedgerLife.settings = settings(max_examples=12, stateful_step_count=14)


@pytest.fixture
def life(database_url: str, tmp_path: Path) -> Iterator[Life]:
    made = Life(database_url, tmp_path)
    yield made
    made.exchange.close()


def test_the_books_agree_after_corrections_adjustments_and_a_close(life: Life) -> None:  # L3, T13
    for day in range(12):
        life.call(ALICE if day % 2 else BOB, 5 * day, "fixed" if day % 3 else "international", 61_000 * (day + 1))
    life.rater.catch_up(NOW_MS)
    life.ending.close("2026-08", NOW_MS)
    assert life.exchange.reader.find("call-3@phone")[0].callee == "+81312345678"
    life.corrector.reverse(life.records[2], BECAUSE, NOW_MS)
    (call,) = life.exchange.reader.ended([life.records[5]])
    life.corrector.rerate(call._replace(number_class="on-net"), BECAUSE, NOW_MS)
    month = billing_month_named("2026-08", 1)
    life.adjuster.post(
        [Adjustment("w", AdjustmentKind.WAIVER, ALICE, month, -80, TaxClass.TAXED, "80 yen", "flood", "taro")], NOW_MS
    )
    life.ending.close("2026-09", NOW_MS)
    shown = trial_balance(life.ending, life.books)
    assert (shown.differences, shown.months) == ((), ("2026-08", "2026-09"))
    assert shown.debit_yen == shown.credit_yen > 0
    history = life.books.history(life.records[5])
    assert [why.reason if why else "" for _, why in history][-1] == "found wrong"
    assert [posting.kind for posting, _ in history][:1] == [PostingKind.CALL]
    first, last = date(2026, 9, 1), date(2026, 9, 30)
    assert {line.kind for line in life.exchange.statements.corrected(first, last)} >= {
        PostingKind.REVERSAL,
        PostingKind.CALL,
    }
