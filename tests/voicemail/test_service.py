"""The service around the workers: leases that come to nothing, faults, settings."""

from __future__ import annotations

import asyncio
import os
import threading
import wave
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from denwa.config.settings import Mail
from denwa.storage.voicemail_store import MailboxStore
from denwa.voicemail import leases
from denwa.voicemail.faults import VoicemailSettingsFault
from denwa.voicemail.ports import Recording
from denwa.voicemail.service import NoPlace
from denwa.voicemail.worker.lines import Lines
from tests.voicemail.rig import (
    CALLER,
    NUMBER,
    add_subscriber,
    eventually,
    make_tables,
    place_for,
    refused,
    request,
    running,
    settings_for,
)


@pytest.fixture
def engine(tmp_path: Path):
    engine = make_tables(f"sqlite:///{tmp_path / 'denwa.db'}")
    add_subscriber(engine)
    yield engine
    engine.dispose()


async def test_first_call_waits_for_a_worker_that_is_still_starting(tmp_path, engine):
    async with running(settings_for(tmp_path), engine) as service:
        place = await place_for(service)
        assert place.uri == f"sip:{place.lease}@127.0.0.1:{place.port}"


async def test_lease_without_invite_gives_its_place_back_by_itself(tmp_path, engine, monkeypatch):
    """V3: a proxy that was killed holds no place for ever."""
    monkeypatch.setattr(leases, "INVITE_PATIENCE", 0.3)
    async with running(settings_for(tmp_path, max_messages=1), engine) as service:
        await place_for(service)
        assert (await refused(service)).full
        await eventually(lambda: service._pool.leases == 0)
        await eventually(lambda: not service._storing.waiting)
        await place_for(service)


async def test_released_lease_gives_its_place_back_at_once(tmp_path, engine):
    async with running(settings_for(tmp_path, max_messages=1), engine) as service:
        place = await place_for(service)
        service.release(place.lease)
        await eventually(lambda: service._mailboxes.totals() == (0, 0), seconds=2)
        service.release("unknown")


async def test_caller_who_gives_up_while_a_place_is_sought_holds_none(tmp_path, engine):
    async with running(settings_for(tmp_path, max_messages=1), engine) as service:
        asked = asyncio.create_task(service.lease(request()))
        await asyncio.sleep(0)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        await eventually(lambda: not service._jobs and service._mailboxes.totals() == (0, 0), seconds=5)
        await place_for(service)


async def test_number_without_subscriber_has_no_mailbox(tmp_path, engine):
    async with running(settings_for(tmp_path), engine) as service:
        no_place = await refused(service, mailbox="+815050019999")
    assert (no_place.status, no_place.full) == (480, False)


async def test_database_that_fails_is_a_refusal_and_no_exception(tmp_path, engine, caplog):
    async with running(settings_for(tmp_path), engine) as service:
        with engine.begin() as connection:
            connection.execute(text("ALTER TABLE reservations RENAME TO away"))
        assert await refused(service) == NoPlace(480, "Voicemail Unavailable", full=False)
        with engine.begin() as connection:
            connection.execute(text("ALTER TABLE away RENAME TO reservations"))
        await place_for(service)
    assert "no place can be reserved" in caplog.text


async def test_all_places_taken_is_a_refusal_that_gives_the_place_in_the_mailbox_back(tmp_path, engine, monkeypatch):
    monkeypatch.setattr("denwa.voicemail.service.LEASE_PATIENCE", 0.2)
    monkeypatch.setattr(leases, "INVITE_PATIENCE", 60.0)
    async with running(settings_for(tmp_path, max_workers=1), engine) as service:
        monkeypatch.setattr("denwa.voicemail.service.LEASE_PATIENCE", 5.0)
        for _ in range(4):
            await place_for(service)
        monkeypatch.setattr("denwa.voicemail.service.LEASE_PATIENCE", 0.2)
        assert not (await refused(service)).full
        await eventually(lambda: service._mailboxes.totals() == (0, 4))


async def test_worker_that_nobody_needs_any_more_is_stopped(tmp_path, engine, monkeypatch):
    monkeypatch.setattr(leases, "IDLE_PATIENCE", 0.3)
    async with running(settings_for(tmp_path, max_workers=2), engine) as service:
        places = [await place_for(service) for _ in range(5)]
        assert service._pool.workers == 2
        for place in places:
            service.release(place.lease)
        await eventually(lambda: service._pool.workers == 1)
        await place_for(service)


async def test_nothing_is_leased_after_the_stop(tmp_path, engine):
    async with running(settings_for(tmp_path), engine) as service:
        await place_for(service)
    assert isinstance(await service.lease(request()), NoPlace)


def _stereo(path: Path) -> Path:
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(2)
        sound.setsampwidth(2)
        sound.setframerate(8000)
    return path


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"greeting": "no.wav"}, "voicemail.greeting"),
        ({"greeting": "stereo.wav"}, "voicemail.greeting"),
        ({"rtp_port_max": 20001, "rtp_port_min": 20000}, "voicemail.rtp_port_max"),
    ],
)
async def test_settings_that_cannot_work_are_named_before_the_service_starts(tmp_path, engine, changes, key):
    _stereo(tmp_path / "stereo.wav")
    if "greeting" in changes:
        changes = {"greeting": tmp_path / changes["greeting"]}
    with pytest.raises(VoicemailSettingsFault, match=key):
        async with running(settings_for(tmp_path, **changes), engine):
            pass


async def test_mail_server_url_that_cannot_work_is_named_before_the_service_starts(tmp_path, engine):
    with pytest.raises(VoicemailSettingsFault, match=r"mail\.smtp_url"):
        async with running(settings_for(tmp_path, mail=Mail(smtp_url="mail.example")), engine):
            pass


def test_lines_come_whole_whatever_the_pieces_and_junk_is_dropped():
    (read_end, write_end), (out_read, out_write) = os.pipe(), os.pipe()
    lines = Lines(read_end, out_write)
    assert lines.commands() == []
    os.write(write_end, b'{"do": "le')
    assert lines.commands() == []
    os.write(write_end, b'ase"}\nnot json\n[1]\n{"do": "stop"}\n')
    assert lines.commands() == [{"do": "lease"}, {"do": "stop"}]
    lines.tell("closed", lease="a")
    assert os.read(out_read, 100) == b'{"event": "closed", "lease": "a"}\n'
    os.close(write_end)
    assert lines.commands() == []
    assert lines.orphaned
    for descriptor in (read_end, out_read, out_write):
        os.close(descriptor)


def test_reader_that_is_gone_makes_an_orphan_and_no_crash():
    (read_end, write_end), (out_read, out_write) = os.pipe(), os.pipe()
    lines = Lines(read_end, out_write)
    os.close(out_read)
    lines.tell("closed", lease="a")
    assert lines.orphaned
    for descriptor in (read_end, write_end, out_write):
        os.close(descriptor)


async def test_message_that_is_deleted_at_the_end_of_its_time_is_told_of_on_the_loop(tmp_path, engine):
    """V6: whoever keeps phones informed may touch what belongs to the loop."""
    long_ago = datetime(2026, 1, 1, tzinfo=UTC)
    old = Recording("a", NUMBER, CALLER, "", "c1@phone", 486, long_ago, long_ago, 1000, 16044, "a.wav")
    MailboxStore(engine).deposit(old, None, long_ago)
    told: asyncio.Queue[tuple[str, int]] = asyncio.Queue()
    async with running(settings_for(tmp_path), engine) as service:
        service.on_change = lambda mailbox: told.put_nowait((mailbox, threading.get_ident()))
        assert await asyncio.wait_for(told.get(), 20) == (NUMBER, threading.get_ident())
