"""Runs `denwa` commands, each in a process of its own that is forked from this one, which has imported what they need.

Starting Python and importing are nine tenths of a short command. Here they happen once: one JSON object a line comes
in, one with the exit code goes out.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
from typing import Any

from denwa.cli.main import COMMANDS, main


def _become(command: dict[str, Any]) -> None:
    """The command as `python -m denwa …` would find it."""
    os.chdir(command["folder"])
    os.environ.clear()
    os.environ.update(command["environment"])
    for stream, name in enumerate((os.devnull, command["stdout"], command["stderr"])):
        file = os.open(name, os.O_RDONLY if not stream else os.O_WRONLY | os.O_TRUNC)
        os.dup2(file, stream)
        os.close(file)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout, sys.stderr = (open(stream, "w", closefd=False) for stream in (1, 2))  # noqa: SIM115
    sys.argv = ["denwa", *command["arguments"]]


def _run(command: dict[str, Any]) -> int:
    """In the forked process: the exit code."""
    try:
        _become(command)
        main()
    except SystemExit as leave:
        return leave.code if isinstance(leave.code, int) else bool(leave.code)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def serve() -> None:
    """Until the end of stdin."""
    for module, _, _ in COMMANDS.values():
        importlib.import_module(module)
    for line in sys.stdin:
        child = os.fork()
        if not child:
            code = _run(json.loads(line))
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
        _, status = os.waitpid(child, 0)
        print(json.dumps({"exit": os.waitstatus_to_exitcode(status)}), flush=True)
