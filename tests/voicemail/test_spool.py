"""The spool's sidecars and locks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from denwa.voicemail import spool
from denwa.voicemail.spool import SpoolFault, Taken

TAKEN = Taken("a1", "+815050010001", "+819012345678", "", "c@x", 486, 1_795_294_584_123)

HOLDER = """
import sys
from pathlib import Path
from denwa.voicemail import spool
hold = spool.take(Path(sys.argv[1]), spool.Taken("a1", "+815050010001", "", "anonymous", "c@x", 480, 5))
print("held", flush=True)
sys.stdin.read()
"""


def test_sidecar_is_read_back_as_it_was_taken(tmp_path: Path) -> None:
    spool.take(tmp_path, TAKEN).release()
    assert spool.read(tmp_path, "a1") == TAKEN
    assert list(spool.leases(tmp_path)) == ["a1"]
    assert (tmp_path / "a1.json").stat().st_mode & 0o077 == 0


def test_call_is_claimed_only_once_its_worker_is_dead_however_it_died(tmp_path: Path) -> None:
    """V7"""
    worker = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"held\n"
        assert spool.claim(tmp_path, "a1") is None
        assert spool.is_held(tmp_path, "a1")
    finally:
        worker.kill()
        worker.communicate()
    assert not spool.is_held(tmp_path, "a1")
    hold = spool.claim(tmp_path, "a1")
    assert hold is not None
    hold.release()


def test_two_cannot_claim_the_same_call(tmp_path: Path) -> None:
    spool.take(tmp_path, TAKEN).release()
    first = spool.claim(tmp_path, "a1")
    assert first is not None
    assert spool.claim(tmp_path, "a1") is None
    first.release()


def test_call_that_was_cleared_cannot_be_claimed(tmp_path: Path) -> None:
    spool.take(tmp_path, TAKEN).release()
    spool.sound_path(tmp_path, "a1").write_bytes(b"")
    spool.clear(tmp_path, "a1")
    assert spool.claim(tmp_path, "a1") is None
    assert not spool.is_held(tmp_path, "a1")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"lease": "a1"}', "\0\0\0"])
def test_damaged_sidecar_is_a_fault_that_names_the_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "a1.json").write_text(text)
    with pytest.raises(SpoolFault, match=r"a1\.json"):
        spool.read(tmp_path, "a1")


def test_sidecar_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        spool.take(tmp_path / "missing", TAKEN)
