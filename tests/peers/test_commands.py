"""The test suite's way to run commands gives what a shell would."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.peers.commands import commands


@pytest.mark.parametrize(
    "arguments", [("dial", "0312345678", "--json"), ("dial",), ("--help",), ("calls", "--nothing")]
)
def test_a_forked_command_says_and_returns_what_a_started_one_does(arguments: tuple[str, ...], tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "DENWA_DATA_DIR": str(tmp_path / "data")}
    own = subprocess.run(
        [sys.executable, "-m", "denwa", *arguments], env=environment, cwd=tmp_path, capture_output=True, text=True
    )
    done = commands().run(arguments, tmp_path, environment)
    program = "python -m denwa"
    assert (done.exit, done.stdout, done.stderr) == (
        own.returncode, own.stdout.replace(program, "denwa"), own.stderr.replace(program, "denwa")
    )  # fmt: skip
    assert done.exit in (0, 2)
    assert done.stdout or done.stderr


def test_nothing_of_a_command_stays_for_the_next(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
        environment = {"PATH": os.environ["PATH"], "DENWA_CONFIG": "own.toml", "DENWA_DATA_DIR": str(folder)}
        (folder / "own.toml").write_text(f"[nothing]\nof = '{folder.name}'\n", encoding="utf-8")
        done = commands().run(("config", "check"), folder, environment)
        assert done.exit == 2
        assert str(folder) in done.stdout + done.stderr or "own.toml:1" in done.stdout + done.stderr
    assert commands().run(("--help",), tmp_path, {}).exit == 0
