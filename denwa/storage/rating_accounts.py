"""What rating knows of contracts (port `denwa.rating.ports.Accounts`), read from the subscribers' table."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Engine, select

from denwa.rating.ports import AccountTerms
from denwa.storage.columns import to_millis
from denwa.storage.rating_store import chunks
from denwa.storage.tables.contracts import subscribers


class SqlAccounts:
    """Terms of every contract there is or was; a terminated one's last calls are rated too."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine.execution_options(read_only=True)

    def terms(self, numbers: Collection[str]) -> dict[str, AccountTerms]:
        columns = subscribers.c
        found: dict[str, AccountTerms] = {}
        with self._engine.connect() as connection:
            for chunk in chunks(numbers):
                query = select(columns.number, columns.service_start, columns.bill_day).where(columns.number.in_(chunk))
                for number, start, bill_day in connection.execute(query):
                    found[number] = AccountTerms(number, to_millis(start), bill_day)
        return found

    def bill_days(self) -> set[int]:
        with self._engine.connect() as connection:
            return set(connection.scalars(select(subscribers.c.bill_day).distinct()))
