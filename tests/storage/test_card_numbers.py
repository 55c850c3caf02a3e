"""Which numbers were given on one payment card (T7), on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import update

from denwa.storage.card_numbers import numbers_by_card
from denwa.storage.tables.contracts import subscribers
from tests.rating.journal_rows import ALICE, BOB, Exchange

CAROL, DAVE = "+815050010003", "+815050010004"


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
