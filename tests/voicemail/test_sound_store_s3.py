"""The S3-compatible store when something is wrong with it: clear words, and nothing taken for gone that is not."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from denwa.config.settings import Settings
from denwa.voicemail import wav
from denwa.voicemail.faults import VoicemailSettingsFault
from denwa.voicemail.sound_store.faults import StoreAway
from denwa.voicemail.sound_store.opening import open_sounds
from denwa.voicemail.sound_store.sealed import SealedSounds
from tests.peers.seaweedfs import SECRET_KEY, SeaweedFs
from tests.peers.smtp import issue_certificate

pytestmark = pytest.mark.live

SOUND = wav.tone(milliseconds=100)
KEY = "815050010001/a.wav"


@pytest.fixture(scope="module")
def seaweedfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFs]:
    with SeaweedFs(tmp_path_factory.mktemp("seaweedfs") / "data") as server:
        yield server


@pytest.fixture
def opened(seaweedfs: SeaweedFs, tmp_path: Path) -> Callable[..., SealedSounds]:
    """A store with these settings changed; all of one test have the same key and the same place."""

    def open_with(**changes: object) -> SealedSounds:
        store = open_sounds(Settings(data_dir=tmp_path, sounds=seaweedfs.settings(tmp_path.name, **changes)))
        if not store.key_file.keys():
            store.key_file.make()
        return store

    return open_with


def put(store: SealedSounds, folder: Path, key: str = KEY) -> Path:
    source = folder / "spooled.wav"
    source.write_bytes(SOUND)
    store.put(source, key)
    return source


def faults(store: SealedSounds, folder: Path) -> set[str]:
    """What every operation says; none may take the sound for gone."""
    source = folder / "spooled.wav"
    source.write_bytes(SOUND)
    said = set()
    for work in (
        lambda: store.put(source, KEY),
        lambda: store.read(KEY),
        lambda: store.has(KEY),
        lambda: store.delete(KEY),
        store.listing,
        store.objects.check,
    ):
        with pytest.raises(StoreAway) as fault:
            work()
        said.add(str(fault.value))
    assert source.read_bytes() == SOUND
    assert SECRET_KEY not in " ".join(said)
    return said


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"bucket": "nowhere"}, "the bucket does not exist (sounds.bucket)"),
        ({"secret_key": "wrong"}, "the secret key is wrong (sounds.secret_key)"),
        ({"access_key": "wrong"}, "the access key is unknown there (sounds.access_key)"),
        ({"endpoint": "http://127.0.0.1:1"}, "nobody listens there"),
        ({"endpoint": "http://sounds.invalid"}, "its name is not known"),
    ],
)
def test_what_is_wrong_is_said_in_words_of_the_settings(
    opened: Callable[..., SealedSounds], tmp_path: Path, changes: dict[str, object], words: str
) -> None:
    put(opened(), tmp_path)
    [said] = faults(opened(**changes), tmp_path)
    assert words in said
    assert opened().read(KEY) == SOUND


def test_store_that_does_not_answer_is_given_up_in_time(opened: Callable[..., SealedSounds], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        store = opened(endpoint=f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=0.5)
        began = time.monotonic()
        with pytest.raises(StoreAway, match=r"no answer in time \(sounds.timeout\)"):
            store.read(KEY)
        assert time.monotonic() - began < 5


def test_store_that_was_away_has_everything_when_it_is_back(
    seaweedfs: SeaweedFs, opened: Callable[..., SealedSounds], tmp_path: Path
) -> None:
    store = opened()
    put(store, tmp_path)
    seaweedfs.stop()
    try:
        with pytest.raises(StoreAway, match="nobody listens there"):
            put(store, tmp_path, "815050010001/b.wav")
        assert (tmp_path / "spooled.wav").read_bytes() == SOUND
    finally:
        seaweedfs.start()
    assert store.read(KEY) == SOUND
    put(store, tmp_path, "815050010001/b.wav")
    assert store.keys() == {KEY, "815050010001/b.wav"}


def test_bucket_that_keeps_versions_is_told_of(
    seaweedfs: SeaweedFs, opened: Callable[..., SealedSounds], tmp_path: Path
) -> None:
    """V4: deleted means not restorable."""
    assert opened().objects.check() == []
    seaweedfs.make_bucket("versions")
    seaweedfs.keep_versions("versions")
    [fault] = opened(bucket="versions").objects.check()
    assert "deleted messages could be restored (V4)" in fault


def test_store_over_tls_is_trusted_by_its_authority_only(
    seaweedfs: SeaweedFs, opened: Callable[..., SealedSounds], tmp_path: Path
) -> None:
    put(opened(endpoint=seaweedfs.tls_endpoint, ca_file=seaweedfs.authority), tmp_path)
    assert opened().read(KEY) == SOUND
    (tmp_path / "other").mkdir()
    issue_certificate(tmp_path / "other")
    for authority in (None, tmp_path / "other" / "ca.pem"):
        [said] = faults(opened(endpoint=seaweedfs.tls_endpoint, ca_file=authority), tmp_path)
        assert "its certificate is of no authority that is trusted" in said
    [said] = faults(opened(endpoint=seaweedfs.endpoint.replace("http:", "https:")), tmp_path)
    assert "it does not speak TLS there" in said


def test_machine_with_credentials_of_its_own_uses_those_of_the_settings(
    opened: Callable[..., SealedSounds], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_BUCKET", "AWS_ENDPOINT"):
        monkeypatch.setenv(name, "another")
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    put(opened(), tmp_path)
    assert opened().read(KEY) == SOUND


def test_second_machine_without_the_key_file_makes_no_key_of_its_own(
    seaweedfs: SeaweedFs, opened: Callable[..., SealedSounds], tmp_path: Path
) -> None:
    put(opened(), tmp_path)
    second = Settings(data_dir=tmp_path / "second", sounds=seaweedfs.settings(tmp_path.name))
    with pytest.raises(OSError, match="copy it from the machine that sealed them"):
        open_sounds(second).prepare()
    assert not (tmp_path / "second" / "voicemail.key").exists()


@pytest.mark.parametrize(
    "text", ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_authority_that_is_none_is_a_fault_of_the_settings(
    opened: Callable[..., SealedSounds], tmp_path: Path, text: str
) -> None:
    path = tmp_path / "ca.pem"
    path.write_text(text)
    with pytest.raises(VoicemailSettingsFault, match=r"sounds\.ca_file: .*ca\.pem"):
        opened(ca_file=path)
    with pytest.raises(VoicemailSettingsFault, match=r"sounds\.ca_file: .*no\.pem: No such file"):
        opened(ca_file=tmp_path / "no.pem")
