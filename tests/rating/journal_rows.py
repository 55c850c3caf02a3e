"""A contract and a journal with calls in them, written as the SIP service writes them."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, update

from denwa.rating.rate_calls import Rater
from denwa.storage.columns import from_millis
from denwa.storage.ended_calls import SqlJournalReader
from denwa.storage.engine import open_engine
from denwa.storage.rating_accounts import SqlAccounts
from denwa.storage.rating_store import SqlLedger
from denwa.storage.statement_store import SqlStatements
from denwa.storage.tables import journal_metadata, metadata
from denwa.storage.tables import rating as _rating  # noqa: F401  (fills metadata)
from denwa.storage.tables.contracts import subscribers
from denwa.storage.tables.journal import calls
from tests.rating.shipped import BOOK

ALICE = "+815050010001"
BOB = "+815050010002"
START = datetime(2026, 11, 1, tzinfo=UTC)
NOW_MS = int(datetime(2026, 11, 21, tzinfo=UTC).timestamp()) * 1000


def ms(year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0) -> int:
    """Milliseconds since 1970 of a time in UTC."""
    return int(datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()) * 1000


class Exchange:
    """The two databases of a service; `call()` puts ended calls into the journal."""

    def __init__(self, database_url: str, tmp_path: Path) -> None:
        self.main: Engine = open_engine(database_url)
        journal_url = f"sqlite:///{tmp_path / 'journal.db'}" if database_url.startswith("sqlite") else database_url
        self.journal: Engine = open_engine(journal_url)
        metadata.create_all(self.main)
        journal_metadata.create_all(self.journal)
        self.ledger = SqlLedger(self.main)
        self.statements = SqlStatements(self.main)
        self.reader = SqlJournalReader(self.journal)
        self.rater = Rater(self.reader, self.ledger, SqlAccounts(self.main), BOOK)
        self._ids = count(1)

    def close(self) -> None:
        self.main.dispose()
        self.journal.dispose()

    def subscriber(self, number: str = ALICE, *, bill_day: int = 1, start: datetime = START) -> None:
        columns: dict[str, Any] = {
            "number": number, "account": number[-8:], "name": "", "mail": "", "state": "active",
            "service_start": start, "bill_day": bill_day, "ring_time": 20, "voicemail": True, "mail_notice": "none",
            "delete_after_mail": False, "forward_mode": "off", "forward_target": "", "reject_anonymous": False,
            "international": False, "codecs": "phone", "profile": "", "realm": "denwa.example", "ha1_md5": "",
            "ha1_sha256": "", "sip_password_sealed": "", "web_password_hash": "", "created_at": start,
            "changed_at": start,
        }  # fmt: skip
        with self.main.begin() as connection:
            connection.execute(subscribers.insert().values(columns))

    def row(self, **given: Any) -> dict[str, Any]:
        """Columns of an ended call of 61 s to a fixed number; times of `given` in ms."""
        record = next(self._ids)
        answered = given.pop("answered_ms", NOW_MS + record * 1000)
        duration = given.pop("duration_ms", 61_000)
        ended = given.pop("ended_ms", answered + duration)
        values = {
            "id": record, "end_seq": record, "call_id": f"call-{record}@phone", "leg": "outgoing", "subscriber": ALICE,
            "direction": "outgoing", "caller": ALICE, "callee": "+81312345678", "class": "fixed",
            "started_at": from_millis(answered - 3000), "answered_at": from_millis(answered),
            "ended_at": from_millis(ended), "duration_ms": duration, "end_cause": "caller", "sip_status": 200,
            "forwarded_by": "", "voicemail": 0, "alive_at": None, "dialog": "",
        }  # fmt: skip
        return values | given

    def put(self, *rows: dict[str, Any]) -> None:
        with self.journal.begin() as connection:
            connection.execute(calls.insert(), list(rows))

    def call(self, **given: Any) -> int:
        """One more ended call; its record id."""
        row = self.row(**given)
        self.put(row)
        return int(row["id"])

    def end(self, record_id: int, end_seq: int, ended_ms: int, duration_ms: int) -> None:
        with self.journal.begin() as connection:
            connection.execute(
                update(calls)
                .where(calls.c.id == record_id)
                .values(end_seq=end_seq, ended_at=from_millis(ended_ms), duration_ms=duration_ms, end_cause="caller")
            )
