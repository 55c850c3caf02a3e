"""One suite for every store of sounds: what is put there comes back, sealed, until it is deleted."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from denwa.config.settings import Settings
from denwa.config.sounds import Sounds
from denwa.voicemail import wav
from denwa.voicemail.sound_store.faults import SealFault
from denwa.voicemail.sound_store.opening import open_sounds
from denwa.voicemail.sound_store.sealed import SealedSounds
from tests.peers.seaweedfs import SeaweedFs

SOUND = wav.tone(milliseconds=500)
KEY = "815050010001/a.wav"
_prefixes = count()


@pytest.fixture(scope="module")
def seaweedfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFs]:
    with SeaweedFs(tmp_path_factory.mktemp("seaweedfs") / "data") as server:
        yield server


@pytest.fixture(params=["files", pytest.param("s3", marks=pytest.mark.live)])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    chosen = Sounds()
    if request.param == "s3":
        chosen = request.getfixturevalue("seaweedfs").settings(f"suite/{next(_prefixes)}")
    return Settings(data_dir=tmp_path, sounds=chosen)


@pytest.fixture
def store(settings: Settings) -> SealedSounds:
    return open_sounds(settings)


def put(store: SealedSounds, folder: Path, key: str = KEY, sound: bytes = SOUND) -> None:
    source = folder / f"{threading.get_ident()}.wav"
    source.write_bytes(sound)
    store.put(source, key)
    assert not source.exists()  # the spool's plain sound goes once it is stored


def test_sound_comes_back_as_it_was_put(store: SealedSounds, tmp_path: Path) -> None:
    put(store, tmp_path)
    assert store.read(KEY) == SOUND
    assert (store.has(KEY), store.size(KEY), store.duration_ms(KEY)) == (True, len(SOUND), 500)
    assert store.keys() == {KEY}


def test_sound_that_was_put_again_replaces_the_first(store: SealedSounds, tmp_path: Path) -> None:
    """V7: a kill between the store and the database repeats the deposit."""
    put(store, tmp_path)
    put(store, tmp_path, sound=wav.tone(milliseconds=200))
    assert store.duration_ms(KEY) == 200
    assert store.keys() == {KEY}


def test_deleted_sound_is_gone_and_can_be_deleted_again(store: SealedSounds, tmp_path: Path) -> None:
    """V4"""
    put(store, tmp_path)
    put(store, tmp_path, key="815050010001/b.wav")
    store.delete(KEY)
    store.delete(KEY)
    assert store.keys() == {"815050010001/b.wav"}
    assert not store.has(KEY)
    with pytest.raises(FileNotFoundError):
        store.read(KEY)


def test_listing_says_when_each_sound_was_put_there(store: SealedSounds, tmp_path: Path) -> None:
    before = datetime.now(UTC)
    put(store, tmp_path)
    second = timedelta(seconds=1)  # the resolution of S3
    assert before - second <= store.listing()[KEY] <= datetime.now(UTC) + second


def test_nothing_of_the_sound_is_in_the_store(store: SealedSounds, tmp_path: Path) -> None:
    put(store, tmp_path)
    data = store.objects.get(KEY)
    assert SOUND[:4] not in data
    assert SOUND[1000:1032] not in data


def test_two_stores_with_the_same_sound_hold_different_bytes(store: SealedSounds, tmp_path: Path) -> None:
    put(store, tmp_path)
    first = store.objects.get(KEY)
    put(store, tmp_path)
    assert store.objects.get(KEY) != first


def test_sound_that_was_changed_or_moved_is_refused_and_stays(store: SealedSounds, tmp_path: Path) -> None:
    put(store, tmp_path)
    data = store.objects.get(KEY)
    store.objects.put("815050010002/other.wav", data)
    store.objects.put(KEY, data[:-1] + bytes([data[-1] ^ 1]))
    for key in (KEY, "815050010002/other.wav"):
        with pytest.raises(SealFault, match=f"sound {key}: it was changed, or belongs to another message"):
            store.read(key)
    assert store.keys() == {KEY, "815050010002/other.wav"}


def test_plain_sound_of_an_earlier_release_is_read_and_sealed_by_a_rekey(store: SealedSounds, tmp_path: Path) -> None:
    store.objects.put(KEY, SOUND)
    assert store.read(KEY) == SOUND
    store.key_file.make()
    assert store.reseal(KEY)
    assert SOUND[:4] != store.objects.get(KEY)[:4]
    assert store.read(KEY) == SOUND
    assert not store.reseal(KEY)


def test_what_is_no_sound_is_refused(store: SealedSounds) -> None:
    store.objects.put(KEY, b"DWS1 short")
    with pytest.raises(SealFault, match="neither a sealed sound nor a WAV"):
        store.read(KEY)


def test_second_program_on_the_same_folder_reads_and_writes_with_the_same_key(
    store: SealedSounds, settings: Settings, tmp_path: Path
) -> None:
    put(store, tmp_path)
    other = open_sounds(settings)
    assert other.read(KEY) == SOUND
    put(other, tmp_path, key="815050010001/b.wav")
    assert store.read("815050010001/b.wav") == SOUND


def test_running_service_follows_a_new_key_and_still_opens_what_the_old_one_sealed(
    store: SealedSounds, settings: Settings, tmp_path: Path
) -> None:
    put(store, tmp_path)
    other = open_sounds(settings)
    new = other.key_file.add()
    put(store, tmp_path, key="815050010001/b.wav")
    assert new.id in store.objects.get("815050010001/b.wav")[:16]
    assert store.read(KEY) == SOUND
    assert other.reseal(KEY)
    assert other.key_file.forget_all_but_newest() == 1
    assert store.read(KEY) == SOUND


def test_lost_key_file_is_said_and_nothing_is_sealed_or_deleted(
    store: SealedSounds, settings: Settings, tmp_path: Path
) -> None:
    put(store, tmp_path)
    key = store.key_file.path.read_text()
    store.key_file.path.unlink()
    again = open_sounds(settings)
    with pytest.raises(SealFault, match=r"voicemail\.key is missing"):
        again.read(KEY)
    source = tmp_path / "spooled.wav"
    source.write_bytes(SOUND)
    with pytest.raises(SealFault, match=r"voicemail\.key is missing, .*backup"):
        again.put(source, "815050010001/b.wav")
    assert source.exists()  # tried again when the key is back
    assert again.keys() == {KEY}
    store.key_file.path.write_text(key)
    assert again.read(KEY) == SOUND
    again.put(source, "815050010001/b.wav")


def test_key_of_another_folder_is_said_by_its_id(store: SealedSounds, settings: Settings, tmp_path: Path) -> None:
    put(store, tmp_path)
    right = store.key_file.keys()[0].id.hex()
    store.key_file.path.write_text("ab" * 32 + "\n")
    with pytest.raises(SealFault, match=right):
        open_sounds(settings).read(KEY)


def test_many_threads_make_one_key_and_lose_no_sound(store: SealedSounds, tmp_path: Path) -> None:
    keys = [f"81505001000{number % 3}/{number}.wav" for number in range(24)]

    def put_and_delete(key: str) -> None:
        put(store, tmp_path, key=key)
        if int(key[-5]) % 2:
            store.delete(key)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put_and_delete, keys))
    assert len(store.key_file.keys()) == 1
    kept = {key for key in keys if int(key[-5]) % 2 == 0}
    assert store.keys() == kept
    assert all(store.read(key) == SOUND for key in kept)


def test_sound_store_that_works_has_nothing_to_complain_of(store: SealedSounds, tmp_path: Path) -> None:
    put(store, tmp_path)
    assert store.objects.check() == []
    assert store.keys() == {KEY}  # and it leaves nothing behind
