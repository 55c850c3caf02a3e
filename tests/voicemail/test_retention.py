"""Deletion in the running service: as a message's time ends, not at the next round that happens to come (V4)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, update

from denwa.config.settings import Settings
from denwa.storage.tables.contracts import subscribers
from denwa.storage.voicemail_store import MailboxStore
from denwa.voicemail import retention, wav
from denwa.voicemail.faults import VoicemailSettingsFault
from denwa.voicemail.ports import Recording
from denwa.voicemail.sound_store.opening import open_sounds
from tests.voicemail.rig import NUMBER, add_subscriber, eventually, make_tables, running, settings_for

WEEK = timedelta(days=7)
KEY = "815050010001/{}.wav"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = make_tables(f"sqlite:///{tmp_path / 'denwa.db'}")
    add_subscriber(engine)
    yield engine
    engine.dispose()


@pytest.fixture(autouse=True)
def _rounds_an_hour_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "INTERVAL", 3600.0)


def deposit(settings: Settings, engine: Engine, name: str, recorded_at: datetime) -> None:
    source = settings.data_dir / "source.wav"
    source.write_bytes(wav.tone(milliseconds=100))
    key = KEY.format(name)
    open_sounds(settings).put(source, key)
    moment = recorded_at.replace(microsecond=recorded_at.microsecond // 1000 * 1000)
    recording = Recording(name, NUMBER, "", "anonymous", "c@x", 486, moment, moment, 100, 1644, key)
    assert MailboxStore(engine).deposit(recording, None, moment) is not None


async def test_message_is_deleted_when_its_time_ends_and_not_before(tmp_path: Path, engine: Engine) -> None:
    """V4"""
    settings = settings_for(tmp_path)
    store = MailboxStore(engine)
    ends = datetime.now(UTC) + timedelta(seconds=8)
    for name, after in (("first", 0), ("second", 2), ("next-week", 3 * 24 * 3600)):
        deposit(settings, engine, name, ends - WEEK + timedelta(seconds=after))
    gone: list[datetime] = []
    async with running(settings, engine) as service:
        service.on_change = lambda mailbox: gone.append(datetime.now(UTC))
        await eventually(lambda: len(gone) == 2, seconds=40)
    assert [message.recording.lease for message in store.messages(NUMBER)] == ["next-week"]
    assert open_sounds(settings).keys() == {KEY.format("next-week")}
    assert gone[0] >= ends
    assert gone[1] >= ends + timedelta(seconds=2)


async def test_messages_go_as_soon_as_the_contract_has_ended(tmp_path: Path, engine: Engine) -> None:
    """V4; a suspension (L2) leaves them."""
    settings = settings_for(tmp_path)
    deposit(settings, engine, "a", datetime.now(UTC))
    async with running(settings, engine) as service:
        for state, left in (("suspended", 1), ("terminated", 0)):
            with engine.begin() as connection:
                connection.execute(update(subscribers).values(state=state))
            service.subscribers_changed()
            await eventually(lambda left=left: MailboxStore(engine).totals() == (left, 0))  # type: ignore[misc]
        await eventually(lambda: open_sounds(settings).keys() == set())


async def test_first_start_makes_the_key_and_says_that_it_is_to_be_kept(
    tmp_path: Path, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    key = tmp_path / "voicemail.key"
    async with running(settings_for(tmp_path), engine):
        await eventually(key.exists)
        await eventually(lambda: "keep a copy elsewhere" in caplog.text)
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.read_text().split()[-1] not in caplog.text
    key.unlink()
    with pytest.raises(VoicemailSettingsFault, match=r"sounds\.key_file: .*voicemail\.key is missing.*backup"):
        async with running(settings_for(tmp_path), engine):
            pytest.fail("it must not start")


async def test_key_file_that_is_none_is_a_fault_that_names_the_line(tmp_path: Path, engine: Engine) -> None:
    (tmp_path / "voicemail.key").write_text(f"# ours\n{'ab' * 32}\nabcd\n")
    with pytest.raises(VoicemailSettingsFault, match=r"voicemail\.key, line 3: not a key of 32 bytes") as fault:
        async with running(settings_for(tmp_path), engine):
            pytest.fail("it must not start")
    assert "abcd" not in str(fault.value)
