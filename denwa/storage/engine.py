"""Database engines. SQLite (WAL, full sync) embedded; PostgreSQL through psycopg 3."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import make_url

MAIN_FILE = "denwa.db"
JOURNAL_FILE = "journal.db"


def open_main(url: str, data_dir: Path) -> Engine:
    """Contracts, ledger, mailboxes, outbox. `url` empty: SQLite in `data_dir`."""
    return open_engine(url or f"sqlite:///{data_dir / MAIN_FILE}")


def open_journal(url: str, data_dir: Path) -> Engine:
    """Call records and bindings. On SQLite a file of its own, so that no other writer delays a call."""
    return open_engine(url or f"sqlite:///{data_dir / JOURNAL_FILE}")


def open_engine(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.drivername in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    engine = create_engine(parsed, pool_pre_ping=parsed.drivername.startswith("postgresql"))
    if parsed.drivername.startswith("sqlite"):
        event.listen(engine, "connect", _set_pragmas)
        event.listen(engine, "begin", _begin_immediate)
    return engine


def _set_pragmas(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions are begun by us, not by the driver
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_immediate(connection: Any) -> None:
    # A read that later writes would fail with SQLITE_BUSY at once under WAL; take the write lock first.
    read_only = connection.get_execution_options().get("read_only", False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")
