"""The command line of Denwa as tests use it: `python -m denwa …`, without paying for the imports each time."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import select
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import NamedTuple

_WAIT = 60.0  # seconds for one command


class Done(NamedTuple):
    exit: int
    stdout: str
    stderr: str


class Commands:
    """One process that forks the commands, for all tests of a test runner's process."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-c", "from tests.peers.command_process import serve; serve()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
            start_new_session=True,  # with its commands it can be ended, and Ctrl-C is for the tests
        )

    def run(self, arguments: tuple[str, ...], folder: Path, environment: dict[str, str]) -> Done:
        """One command, to its end. Raises TimeoutError after a minute, and then there are no more commands."""
        with self._turn, contextlib.ExitStack() as files:
            names = [files.enter_context(tempfile.NamedTemporaryFile()).name for _ in range(2)]
            command = {"arguments": arguments, "folder": str(folder), "environment": environment}
            self._tell({**command, "stdout": names[0], "stderr": names[1]})
            code = self._answer(arguments)
            return Done(code, *(Path(name).read_text(encoding="utf-8") for name in names))

    def _tell(self, command: dict[str, object]) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        self._process.stdin.flush()

    def _answer(self, arguments: tuple[str, ...]) -> int:
        assert self._process.stdout
        if not select.select([self._process.stdout], [], [], _WAIT)[0]:
            os.killpg(self._process.pid, 9)
            raise TimeoutError(f"denwa {' '.join(arguments)}: not done after {_WAIT} s")
        return int(json.loads(self._process.stdout.readline())["exit"])


@functools.cache
def commands() -> Commands:
    return Commands()
