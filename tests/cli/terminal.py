"""`denwa` as a person runs it, in this process: arguments in, exit code and both streams out."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from denwa.cli.main import main


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Terminal:
    """`terminal("subscriber", "list")` on a data folder of its own."""

    data_dir: Path
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str) -> Ended:
        self.capsys.readouterr()
        self.monkeypatch.setattr(sys, "argv", ["denwa", *arguments])
        code: object = 0
        try:
            main()
        except SystemExit as leave:
            code = leave.code
        streams = self.capsys.readouterr()
        assert isinstance(code, int) or code is None
        return Ended(code or 0, streams.out, streams.err)

    def done(self, *arguments: str) -> Ended:
        """The command must succeed."""
        ended = self(*arguments)
        assert ended.code == 0, ended.err
        return ended


def open_terminal(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    """A terminal on an empty machine: no settings but a data folder that does not exist yet."""
    for name in [name for name in os.environ if name.startswith("DENWA_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DENWA_DATA_DIR", str(folder / "data"))
    return Terminal(folder / "data", monkeypatch, capsys)
