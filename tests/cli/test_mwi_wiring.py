"""What changes in mailboxes reaches the engine, and its subscriptions the database (V6)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from sqlalchemy import Engine, text, update

from denwa.cli import mwi_wiring
from denwa.cli.mwi_wiring import MailboxLamps
from denwa.storage.mailbox_counts import MailboxCounts
from denwa.storage.subscription_store import MwiSubscriptionStore
from denwa.storage.tables.voicemail import messages
from denwa.storage.voicemail_store import MailboxStore
from denwa.voicemail.ports import Recording
from denwa.voip.mwi.summary import Counts
from denwa.voip.server import SipServer
from tests.voicemail.rig import CALLER, NUMBER, eventually, make_tables
from tests.voip.mwi.rig import Watcher, scene
from tests.voip.wire import Phone, Wire

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


class House:
    """An engine on a wire of its own, a database, and what joins them."""

    def __init__(self, folder: Path) -> None:
        self.database = make_tables(f"sqlite:///{folder / 'denwa.db'}")
        self.boxes = MailboxStore(self.database)
        self.wire: Wire
        self.phone: Phone
        self.wire, [self.phone] = scene()
        server = SimpleNamespace(engine=self.wire.engine, flush=self.wire.collect, now_ms=lambda: self.wire.ms)
        counts, store = MailboxCounts(self.database), MwiSubscriptionStore(self.database)
        self.lamps = MailboxLamps(counts, store, cast("SipServer", server))

    def leave(self, lease: str, mailbox: str = NUMBER) -> None:
        self.boxes.reserve(lease, mailbox, "node", NOW, 10)
        recording = Recording(lease, mailbox, CALLER, "", "c@x", 486, NOW, NOW, 1000, 16044, f"{lease}.wav")
        self.boxes.deposit(recording, None, NOW)

    @property
    def counted(self) -> dict[bytes, Counts]:
        return self.wire.engine.mwi.boxes


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    built = House(tmp_path)
    yield built
    built.database.dispose()


def rename(database: Engine, old: str, new: str) -> None:
    with database.begin() as connection:
        connection.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))


def test_at_start_every_box_that_was_ever_used_is_known(house: House) -> None:
    house.leave("a")
    house.leave("b")
    with house.database.begin() as connection:
        connection.execute(update(messages).where(messages.c.lease == "a").values(heard_at=NOW))
    house.leave("c", "+815050010002")
    house.boxes.forget(3)
    house.leave("d", "+815099999999")  # nobody's
    house.lamps.load()
    assert house.counted == {b"50010001": Counts(1, 1), b"50010002": Counts(0, 0)}


async def test_a_change_is_in_force_when_refresh_returns(house: House) -> None:
    house.leave("a")
    await house.lamps.refresh(NUMBER)
    assert house.counted == {b"50010001": Counts(1, 0)}
    house.boxes.forget(1)
    await house.lamps.refresh(NUMBER)
    assert house.counted == {b"50010001": Counts(0, 0)}
    await house.lamps.refresh("")
    await house.lamps.refresh("no number")


async def test_changes_that_are_told_are_taken_up_also_after_the_database_failed(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(mwi_wiring, "RETRY_PAUSE", 0.02)
    running = asyncio.create_task(house.lamps.run())
    house.leave("a")
    rename(house.database, "messages", "away")
    house.lamps.changed(NUMBER)
    await eventually(lambda: "cannot be counted" in caplog.text)
    rename(house.database, "away", "messages")
    await eventually(lambda: bool(house.counted))
    assert house.counted == {b"50010001": Counts(1, 0)}
    running.cancel()


async def test_what_another_machine_changed_is_seen_after_a_while(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mwi_wiring, "LOOK_AGAIN", 0.02)
    running = asyncio.create_task(house.lamps.run())
    house.leave("a")
    await eventually(lambda: bool(house.counted))
    running.cancel()


async def test_subscriptions_are_stored_and_taken_up_also_after_the_database_failed(house: House) -> None:
    watcher = Watcher(house.phone)
    watcher.subscribe()
    rename(house.database, "mwi_subscriptions", "away")
    assert not await house.lamps.store()
    rename(house.database, "away", "mwi_subscriptions")
    assert await house.lamps.store()
    assert await house.lamps.store()  # nothing has changed
    house.wire.start()
    house.lamps._server.engine = house.wire.engine
    house.lamps.load()
    assert len(house.wire.engine.mwi.notifier) == 1
    assert watcher.subscribe(0)[0][1].status == 200
