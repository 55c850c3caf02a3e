"""Which numbers were given on one payment card (T7), on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import update

from denwa.cli.number_fee_posting import NumberFeePosting
from denwa.rating.adjust import Adjuster
from denwa.storage.card_numbers import CardNumber, cards_with_further_numbers, numbers_by_card
from denwa.storage.tables.contracts import changes, subscribers
from denwa.storage.tables.rating import adjustments
from tests.rating.journal_rows import ALICE, BOB, Exchange

CAROL, DAVE = "+815050010003", "+815050010004"
NOW = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.fixture
def exchange(database_url: str, tmp_path: Path) -> Iterator[Exchange]:
    made = Exchange(database_url, tmp_path)
    for number, card, hour in ((ALICE, "b", 3), (BOB, "a", 1), (CAROL, "b", 2), (DAVE, "", 1)):
        made.subscriber(number)
        with made.main.begin() as connection:
            row = update(subscribers).where(subscribers.c.number == number)
            connection.execute(row.values(card_token=card, created_at=datetime(2026, 11, 1, hour, tzinfo=UTC)))
    yield made
    made.close()


def test_a_cards_numbers_come_in_the_order_in_which_they_were_given(exchange: Exchange) -> None:
    assert numbers_by_card(exchange.main) == [[BOB], [CAROL, ALICE]]


def test_one_contracts_card_can_be_asked_for(exchange: Exchange) -> None:
    assert numbers_by_card(exchange.main, ALICE) == [[CAROL, ALICE]]
    assert numbers_by_card(exchange.main, DAVE) == []
    assert numbers_by_card(exchange.main, "+815050010009") == []


def charge(exchange: Exchange) -> list[str]:
    """The numbers for which the daily step charges now."""
    accounts = exchange.rater.accounts
    posting = NumberFeePosting(exchange.main, accounts, Adjuster(exchange.ledger, accounts))
    return [number for number, _ in posting("service", NOW)]


def on_one_card(exchange: Exchange, count: int) -> list[str]:
    """So many numbers on the card "b", in the order in which they were given."""
    for n in range(2, count):
        number = f"+8150500100{n + 10}"
        exchange.subscriber(number)
        with exchange.main.begin() as connection:
            row = update(subscribers).where(subscribers.c.number == number)
            connection.execute(row.values(card_token="b", created_at=datetime(2026, 11, 2, n, tzinfo=UTC)))
    return next(card for card in numbers_by_card(exchange.main) if CAROL in card)


def changed_card(exchange: Exchange, number: str) -> None:
    with exchange.main.begin() as connection:
        values = {"at": NOW, "who": "cli", "subscriber": number, "what": "card_token; priority False -> True"}
        connection.execute(changes.insert().values(values))


def test_the_second_to_fifth_number_on_a_card_are_charged_once(exchange: Exchange) -> None:  # T7, T13
    card = on_one_card(exchange, 6)
    assert cards_with_further_numbers(exchange.main) == [[CardNumber(number, False) for number in card]]
    assert charge(exchange) == card[1:5]
    assert charge(exchange) == []
    with exchange.main.connect() as connection:
        booked = connection.execute(adjustments.select().order_by(adjustments.c.subscriber)).all()
    assert {(row.kind, row.yen, row.tax, row.who) for row in booked} == {("number-fee", 500, "taxed", "service")}
    assert sorted(row.subscriber for row in booked) == sorted(card[1:5])


def test_a_card_with_all_its_fees_in_the_ledger_is_looked_at_no_more(exchange: Exchange) -> None:
    assert charge(exchange) == [ALICE]
    assert cards_with_further_numbers(exchange.main) == []


def test_a_fee_that_was_taken_back_does_not_come_again(exchange: Exchange) -> None:  # T13
    charge(exchange)
    adjuster = Adjuster(exchange.ledger, exchange.rater.accounts)
    with exchange.main.connect() as connection:
        reference = connection.execute(adjustments.select()).one().reference
    adjuster.take_back(reference, reason="goodwill", who="taro", now_ms=0)
    assert charge(exchange) == []


@pytest.mark.parametrize("number", [ALICE, CAROL])
def test_a_card_that_was_changed_after_the_contract_causes_no_fee(
    exchange: Exchange, number: str
) -> None:  # T7, 備考 1
    """Neither for the contract that came to the card nor for the one that was there alone."""
    changed_card(exchange, number)
    assert charge(exchange) == []
