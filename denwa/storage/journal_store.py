"""The journal's stores, one for each database; both keep the contract of `denwa.voip.calls.journal.JournalStore`."""

from denwa.storage.journal_postgres import PostgresJournalStore
from denwa.storage.journal_sqlite import SqliteJournalStore

__all__ = ["PostgresJournalStore", "SqliteJournalStore"]
