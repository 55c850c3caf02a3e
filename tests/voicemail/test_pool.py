"""Workers that crash, hang, are told to go, and a service that stops, with real phones in the middle of messages."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from denwa.config.settings import Settings
from denwa.storage.voicemail_store import MailboxStore
from denwa.voicemail.pulse import PATIENCE
from denwa.voicemail.service import Place, VoicemailService
from tests.voicemail.rig import (
    NUMBER,
    SPEECH,
    PhoneCall,
    add_subscriber,
    eventually,
    likeness,
    make_tables,
    place_for,
    refused,
    running,
    settings_for,
    sound_of,
    stored,
)
from tests.voicemail.worker_pids import worker_pids

pytestmark = pytest.mark.live

HEARD = 24000  # bytes: a second and a half, of which a message can be made


@pytest.fixture
def engine(tmp_path: Path):
    engine = make_tables(f"sqlite:///{tmp_path / 'denwa.db'}")
    add_subscriber(engine)
    yield engine
    engine.dispose()


def _recorded(settings: Settings, place: Place) -> int:
    """Bytes of sound that are in the spool for a call."""
    path = settings.data_dir / "voicemail" / "spool" / f"{place.lease}.wav"
    return path.stat().st_size if path.exists() else 0


async def _recording(settings: Settings, service: VoicemailService, count: int) -> list[tuple[Place, PhoneCall]]:
    """That many callers, all in the middle of their messages."""
    places = [await place_for(service, call_id=f"call-{number}") for number in range(count)]
    calls = [await PhoneCall.to(place.uri) for place in places]
    await eventually(lambda: all(_recorded(settings, place) > HEARD for place in places), seconds=30)
    return list(zip(places, calls, strict=True))


def _lost(service: VoicemailService) -> list[str]:
    """Fills with the Call-IDs of calls whose worker died."""
    lost: list[str] = []
    service.on_lost = lost.append
    return lost


async def _worker_fails(tmp_path: Path, engine: Any, number: signal.Signals, patience: float) -> VoicemailService:
    """Four callers in a worker that gets a signal, a fifth in another one; returns the service, stopped."""
    settings = settings_for(tmp_path, max_seconds=30, max_workers=3)
    async with running(settings, engine) as service:
        lost = _lost(service)
        calls = await _recording(settings, service, 5)
        had = {place.lease: _recorded(settings, place) for place, _ in calls}
        first, second = (pid for _, pid in sorted(worker_pids(settings.data_dir).items())[:2])
        os.kill(first, number)
        begun = time.monotonic()
        messages = await stored(engine, 4, seconds=patience + 15)
        assert time.monotonic() - begun < patience + 10
        assert {message.recording.lease for message in messages} == {place.lease for place, _ in calls[:4]}
        for message in messages:
            # The recorder writes blocks of 4096 bytes: what it had not yet written is lost, at most 0.26 s.
            assert message.recording.duration_ms * 16 >= had[message.recording.lease] - 60
            assert likeness(SPEECH, sound_of(settings, message)) > 0.9
        assert sorted(lost) == [f"call-{n}" for n in range(4)]  # their callers can be told

        place, other = calls[4]
        size = _recorded(settings, place)
        await eventually(lambda: _recorded(settings, place) > size + HEARD)
        places = [await place_for(service) for _ in range(4)]  # more than the second worker has left
        again = await PhoneCall.to(places[-1].uri, seconds=0.3)
        assert await again.over() == 200
        assert first not in (pids := worker_pids(settings.data_dir).values())
        assert second in pids
        other.hang_up()
        assert await other.over() == 200
        for _, call in calls[:4]:
            await call.kill()
        last = (await stored(engine, 5))[-1]
        assert last.recording.lease == place.lease
        assert likeness(SPEECH, sound_of(settings, last)) > 0.9
        return service


async def test_a_worker_that_crashes_loses_no_message_and_disturbs_no_other_worker(tmp_path, engine):
    # V7
    service = await _worker_fails(tmp_path, engine, signal.SIGKILL, 0)
    assert service._pool.faults == {"workers_died": 1}


async def test_a_worker_that_hangs_is_found_and_killed_and_its_messages_are_kept(tmp_path, engine, monkeypatch):
    # V7
    monkeypatch.setattr("denwa.voicemail.pool.BEAT", 0.5)
    service = await _worker_fails(tmp_path, engine, signal.SIGSTOP, 0.5 * (PATIENCE + 1))
    assert service._pool.faults == {"workers_died": 1, "workers_hung": 1}


async def test_a_crowd_gets_places_from_workers_that_start_side_by_side(tmp_path, engine):
    # V1: nobody is refused because everybody comes at once
    settings = settings_for(tmp_path, max_messages=20, max_workers=6)
    async with running(settings, engine) as service:
        places = await asyncio.gather(*(place_for(service) for _ in range(20)))
        assert sorted(map([place.port for place in places].count, {place.port for place in places})) == [4] * 5
        for place in places:
            service.release(place.lease)
        await eventually(lambda: service._pool.leases == 0)


async def test_a_stop_lets_a_message_be_finished_and_takes_no_new_call(tmp_path, engine):
    # V7
    settings = settings_for(tmp_path, max_seconds=4, drain_seconds=30)
    async with running(settings, engine) as service:
        [(_, call)] = await _recording(settings, service, 1)
        draining = asyncio.create_task(service.drain())
        assert not (await refused(service)).full
        await draining
        assert await call.over() == 200
        assert (await stored(engine))[0].recording.duration_ms == 4000


async def test_a_stop_waits_for_a_message_no_longer_than_it_is_told(tmp_path, engine):
    settings = settings_for(tmp_path, max_seconds=30, drain_seconds=0.5)
    async with running(settings, engine) as service:
        [(_, call)] = await _recording(settings, service, 1)
        async with asyncio.timeout(5):
            await service.drain()
    assert await call.over() == 200  # our BYE
    assert len(MailboxStore(engine).messages(NUMBER)) == 1


async def test_a_stop_in_a_hurry_waits_for_nobody(tmp_path, engine):
    settings = settings_for(tmp_path, max_seconds=30, drain_seconds=30)
    async with running(settings, engine) as service:
        [(_, call)] = await _recording(settings, service, 1)
        draining = asyncio.create_task(service.drain())
        await asyncio.sleep(0)
        service.hurry()
        async with asyncio.timeout(5):
            await draining
    assert await call.over() == 200
    assert len(MailboxStore(engine).messages(NUMBER)) == 1


async def test_sigterm_to_a_worker_lets_its_call_finish_while_another_one_takes_over(tmp_path, engine):
    """A service manager sends it to every process of a service at once."""
    settings = settings_for(tmp_path, max_seconds=4)
    async with running(settings, engine) as service:
        [(place, call)] = await _recording(settings, service, 1)
        [pid] = worker_pids(settings.data_dir).values()
        os.kill(pid, signal.SIGTERM)
        await eventually(lambda: service._pool.workers == 2 and service._pool.free == 4)
        assert (await place_for(service)).port != place.port
        assert await call.over() == 200
        assert (await stored(engine))[0].recording.duration_ms == 4000
        await eventually(lambda: pid not in worker_pids(settings.data_dir).values())
    assert not service._pool.faults["workers_died"]


async def test_a_worker_that_cannot_live_is_started_again_but_not_in_a_tight_loop(tmp_path, engine, monkeypatch):
    monkeypatch.setattr("denwa.voicemail.service.LEASE_PATIENCE", 2.5)
    monkeypatch.setattr("denwa.voicemail.worker_process.sys.executable", "/bin/false")
    async with running(settings_for(tmp_path), engine) as service:
        await refused(service)
        assert 2 <= service._pool.faults["workers_died"] <= 2 * 3  # two numbers, after 0, 1 and 3 s
        monkeypatch.undo()
        await place_for(service)
