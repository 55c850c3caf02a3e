"""Which numbers were given on one payment card (T7). The tokens of the cards never leave this module."""

from __future__ import annotations

from itertools import groupby
from typing import NamedTuple

from sqlalchemy import Engine, exists, func, select

from denwa.storage.tables.contracts import changes, subscribers
from denwa.storage.tables.rating import adjustments

_FEE = "number-fee"  # the kind of adjustment
_CARD = "card_token"  # as the change log names it


class CardNumber(NamedTuple):
    """A number (E.164) that was given on a card, and whether a fee for it is in the ledger."""

    number: str
    charged: bool


def numbers_by_card(engine: Engine, number: str = "") -> list[list[str]]:
    """The numbers (E.164) of each card in the order in which they were given, those of ended contracts among them.

    Contracts without a card are left out; with `number` only its card's numbers are told.
    """
    columns = subscribers.c
    query = (
        select(columns.card_token, columns.number)
        .where(columns.card_token != "")
        .order_by(columns.card_token, columns.created_at, columns.number)
    )
    if number:
        query = query.where(columns.card_token.in_(select(columns.card_token).where(columns.number == number)))
    with engine.execution_options(read_only=True).connect() as connection:
        rows = connection.execute(query).all()
    return [[row.number for row in card] for _, card in groupby(rows, key=lambda row: row.card_token)]


def cards_with_further_numbers(engine: Engine) -> list[list[CardNumber]]:
    """The cards that several numbers were given on, if the fee for one of them may be missing; as `numbers_by_card`.

    Only contracts that have the card they were given on: a card that was set or changed later says nothing of the
    application (料金表 第1表 第4 備考 1: 契約申込における…), so no fee follows from it by itself.
    """
    columns = subscribers.c
    changed = exists().where(changes.c.subscriber == columns.number, changes.c.what.contains(_CARD, autoescape=True))
    charged = exists().where(adjustments.c.subscriber == columns.number, adjustments.c.kind == _FEE)
    several = (
        select(columns.card_token).where(columns.card_token != "").group_by(columns.card_token).having(func.count() > 1)
    )
    query = (
        select(columns.card_token, columns.number, charged.label("charged"))
        .where(columns.card_token.in_(several), ~changed)
        .order_by(columns.card_token, columns.created_at, columns.number)
    )
    with engine.execution_options(read_only=True).connect() as connection:
        rows = connection.execute(query).all()
    cards = [
        [CardNumber(row.number, bool(row.charged)) for row in card]
        for _, card in groupby(rows, key=lambda row: row.card_token)
    ]
    return [card for card in cards if not all(one.charged for one in card[1:])]
