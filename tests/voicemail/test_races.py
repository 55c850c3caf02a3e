"""Two processes with many callers each on the same mailboxes: never an eleventh message (V3)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from denwa.storage.tables.voicemail import messages, reservations
from tests.voicemail.race_process import CALLS, MAILBOXES, MOST, THREADS
from tests.voicemail.rig import make_tables

ROOT = Path(__file__).parents[2]


def taken(engine: Engine, mailbox: str) -> int:
    """Stored and held at one moment."""
    stored = select(func.count()).select_from(messages).where(messages.c.mailbox == mailbox)
    held = select(func.count()).select_from(reservations).where(reservations.c.mailbox == mailbox)
    with engine.begin() as connection:
        found: int = connection.scalar(select(stored.scalar_subquery() + held.scalar_subquery())) or 0
        return found


@pytest.mark.slow
def test_no_mailbox_ever_holds_more_than_ten_whoever_comes_at_once(database_url: str) -> None:
    """V3"""
    engine = make_tables(database_url)
    command = [sys.executable, "-m", "tests.voicemail.race_process", database_url]
    processes = [
        subprocess.Popen([*command, str(seed)], cwd=ROOT, stdout=subprocess.PIPE, text=True) for seed in (1, 2)
    ]
    seen: set[int] = set()
    while any(process.poll() is None for process in processes):
        seen.update(taken(engine, mailbox) for mailbox in MAILBOXES)
    placed = [int(process.communicate()[0]) for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert max(seen) == MOST
    assert all(0 < one < THREADS * CALLS for one in placed)  # some were let in, some were not
    with engine.begin() as connection:
        assert connection.scalar(select(func.count()).select_from(reservations)) == 0
        assert (connection.scalar(select(func.count(func.distinct(messages.c.lease)))) or 0) <= MOST * len(MAILBOXES)
    engine.dispose()
