"""Many leave messages at once: every one is whole, none is lost or doubled when something is killed (V7)."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.continuity import Heard, Spoken, read_samples
from denwa.config.settings import Settings
from denwa.voicemail.sound_store.opening import open_sounds
from tests.live.wire import ALICE, BOB, account
from tests.peers import wav
from tests.peers.priority import undisturbed
from tests.peers.service import Service
from tests.peers.sipp import Sipp
from tests.peers.talk import eventually, talk
from tests.voicemail.worker_pids import worker_pids

pytestmark = pytest.mark.live

CALLERS = 20
GREETING_SECONDS = 0.6
TONE_SECONDS = 0.5
MESSAGE_SECONDS = 6.0
MOST_MISSING = 0.5  # seconds of a message
BLOCK_SECONDS = 0.26  # a recorder writes 4096 bytes at a time
BYTES_A_SECOND = 16_000


@pytest.fixture(scope="module")
def voice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What every caller says: longer than any call here, so that no part of it comes twice."""
    return wav.write_voice(tmp_path_factory.mktemp("voice") / "voice.wav", 40, seed=80)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    greeting = wav.write_voice(tmp_path / "greeting.wav", GREETING_SECONDS, seed=81)
    settings = {
        "voicemail__greeting": str(greeting),
        "voicemail__max_workers": "6",
        "voicemail__max_messages": str(CALLERS),
    }
    running = Service(tmp_path / "service", settings)
    with undisturbed():
        running.start()
    try:
        yield running
    finally:
        running.__exit__(None, None, None)


@contextlib.contextmanager
def crowd(service: Service, folder: Path, voice: Path, seconds: float) -> Iterator[Sipp]:
    """Callers from the telephone network for one mailbox, all within a fraction of a second."""
    callers = Sipp(
        folder,
        "trunk_caller",
        service=service.address,
        port=service.gateway_port,
        number=BOB,
        play=voice,
        hold=int((GREETING_SECONDS + TONE_SECONDS + seconds) * 1000),
        calls=CALLERS,
        rate=100,
    )
    with undisturbed():
        callers.__enter__()
    try:
        yield callers
    finally:
        callers.__exit__(None, None, None)


def spooled(service: Service) -> dict[str, int]:
    """Bytes of sound in the spool, by call."""
    found = {}
    for path in (service.data / "voicemail" / "spool").glob("*.wav"):
        try:
            found[path.stem] = path.stat().st_size
        except FileNotFoundError:
            continue  # stored meanwhile
    return found


def all_recorded(service: Service, seconds: float) -> dict[str, int]:
    """Returns when every caller has said so much."""

    def look() -> dict[str, int]:
        found = spooled(service)
        return found if len(found) == CALLERS and min(found.values()) > seconds * BYTES_A_SECOND else {}

    with undisturbed():
        return eventually(look, 30)


def kept(service: Service, voice: Path, folder: Path, count: int = CALLERS) -> dict[str, Heard]:
    """What is to be heard in the messages of the mailbox, by call, once there are `count`."""
    messages = eventually(lambda: found if len(found := service.voicemail(BOB)) >= count else [], 40, every=0.5)
    sounds, said = open_sounds(Settings(data_dir=service.data)), Spoken(read_samples(voice))
    keys = sounds.keys()
    assert len(messages) == len(keys) == count  # none lost, none twice
    found = {}
    for key in sorted(keys):
        path = folder / Path(key).name
        path.write_bytes(sounds.read(key))
        there = said.heard(read_samples(path))
        assert there is not None, key
        found[path.stem] = there
    return found


def assert_whole(message: Heard, start: float, end: float) -> None:
    """`start` and `end`: seconds of the voice between which it was to be recorded."""
    assert end - start - message.sound <= MOST_MISSING, message
    assert message.longest_gap <= MOST_MISSING / 2, message


def test_twenty_callers_at_once_each_leave_a_whole_message(service: Service, voice: Path, tmp_path: Path) -> None:
    # V1 V2 V3 V5
    with crowd(service, tmp_path, voice, MESSAGE_SECONDS) as callers:
        callers.finished(60)
    start = GREETING_SECONDS + TONE_SECONDS
    for message in kept(service, voice, tmp_path).values():
        assert_whole(message, start, start + MESSAGE_SECONDS)
    records = service.calls()
    assert len(records) == CALLERS
    assert {record["voicemail"] for record in records} == {"yes"}


def test_a_worker_killed_among_twenty_recordings_loses_nothing_and_its_callers_are_hung_up(
    service: Service, voice: Path, tmp_path: Path
) -> None:
    # V7 T3
    with crowd(service, tmp_path, voice, 12) as callers:
        had = all_recorded(service, 2)
        os.kill(min(worker_pids(service.data).items())[1], signal.SIGKILL)
        lost = eventually(lambda: gone if len(gone := had.keys() - spooled(service).keys()) == 4 else set(), 5)
        messages = kept(service, voice, tmp_path)
        hung_up = {
            seen.header("Call-ID") for seen in callers.messages() if not seen.sent and seen.start.startswith("BYE")
        }
    for lease, message in messages.items():
        if lease in lost:
            assert message.sound >= had[lease] / BYTES_A_SECOND - BLOCK_SECONDS
        else:
            assert message.sound >= 12 - MOST_MISSING
    faults = [record for record in service.calls() if record["end_cause"] == "network_fault"]
    assert len(hung_up) == 4
    assert {record["call_id"] for record in faults} == hung_up


@pytest.mark.parametrize("workers_too", [True, False], ids=["with its workers", "alone"])
def test_the_service_killed_in_twenty_recordings_finds_every_one_and_none_twice(
    service: Service, voice: Path, tmp_path: Path, workers_too: bool
) -> None:
    # V7
    with crowd(service, tmp_path, voice, 12):
        had = all_recorded(service, 2)
        if workers_too:
            service.kill()
        else:
            os.kill(service.pid, signal.SIGKILL)
            eventually(lambda: not service.healthy())
        service.start()
        messages = kept(service, voice, tmp_path)
    assert messages.keys() == had.keys()
    for lease, message in messages.items():
        # Workers that live go on recording without the service.
        assert message.sound >= (had[lease] / BYTES_A_SECOND - BLOCK_SECONDS if workers_too else 12 - MOST_MISSING)


def test_a_stop_lets_a_message_being_left_be_finished(service: Service, tmp_path: Path) -> None:
    # V7
    with service.phone(account(ALICE)) as alice:
        alice.register()
        call = alice.call(BOB)
        call.wait("confirmed")
        eventually(lambda: any(spooled(service).values()))
        os.kill(service.pid, signal.SIGTERM)
        refused = alice.call(BOB)
        assert refused.ended()["status"] == 480
        talk(2)
        call.hangup()
        call.ended()
        assert service.stop() == 0  # the second SIGTERM finds nothing to wait for
    service.start()
    (message,) = service.voicemail(BOB)
    assert message["duration_ms"] > 2000
    assert service.record(call.call_id)["end_cause"] == "caller"


def test_a_second_sigterm_ends_messages_being_left_at_once_and_keeps_them(service: Service) -> None:
    # V7
    with service.phone(account(ALICE)) as alice:
        alice.register()
        call = alice.call(BOB)
        call.wait("confirmed")
        eventually(lambda: sum(spooled(service).values()) > BYTES_A_SECOND)
        os.kill(service.pid, signal.SIGTERM)
        talk(1)
        assert service.healthy()
        begun = time.monotonic()
        assert service.stop() == 0
        assert time.monotonic() - begun < 10
        call.ended()  # by our BYE
    service.start()
    (message,) = service.voicemail(BOB)
    assert message["duration_ms"] > 1000
