"""How a worker and the service talk: JSON objects, one a line, on the worker's stdin and stdout.

To the worker: ``{"do": "lease", …Taken without called_at_ms,
"greeting": file or ""}``, ``{"do": "guide", "lease": …, "prompt": file}``,
``{"do": "box", "lease": …, "own": from the own phone, "folder": for its files, "prompts": folders}``,
``{"do": "answer", "lease": …, "answer": …}`` (to an ``ask``, which has ``what``; see box.py),
``{"do": "forget", "lease": …}``, ``{"do": "ping"}``, ``{"do": "leave"}`` (end when the last call is over),
``{"do": "stop"}`` (end calls and go). From it: ``ready`` (port, pid), ``alive`` (the answer to ping), ``leaving`` (give
it no more calls), ``answered`` (or being spoken to), ``closed`` (nothing more is recorded; not of a guidance), ``gone``
(the place is free), ``forgotten``, ``refused`` (an INVITE without a lease), ``fault`` (text). Those of one call carry
its ``lease``.
"""

from __future__ import annotations

import json
import os
from typing import Any


class Lines:
    """Non-blocking commands in, events out. The end of stdin means that the service is gone: `orphaned`."""

    def __init__(self, stdin: int = 0, stdout: int = 1) -> None:
        self._stdin = stdin
        self._stdout = stdout
        self._rest = b""
        self.orphaned = False
        os.set_blocking(stdin, False)

    def commands(self) -> list[dict[str, Any]]:
        """Every whole line that has arrived; a line that is no JSON object is dropped."""
        data = self._rest + self._read()
        *lines, self._rest = data.split(b"\n")
        found = []
        for line in lines:
            try:
                command = json.loads(line)
            except ValueError:
                continue
            if isinstance(command, dict):
                found.append(command)
        return found

    def tell(self, event: str, **fields: Any) -> None:
        if self.orphaned:
            return
        line = json.dumps({"event": event, **fields}).encode() + b"\n"
        try:
            while line:
                line = line[os.write(self._stdout, line) :]
        except BrokenPipeError:
            self.orphaned = True

    def _read(self) -> bytes:
        data = b""
        while not self.orphaned:
            try:
                more = os.read(self._stdin, 65536)
            except BlockingIOError:
                break
            if not more:
                self.orphaned = True
            data += more
        return data
