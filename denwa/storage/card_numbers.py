"""Which numbers were given on one payment card (T7). The tokens of the cards never leave this module."""

from __future__ import annotations

from itertools import groupby

from sqlalchemy import Engine, select

from denwa.storage.tables.contracts import subscribers


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
