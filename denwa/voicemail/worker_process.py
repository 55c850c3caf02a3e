"""One worker process as the service sees it: how it is started, spoken to and listened to."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class PoolOptions:
    """What the pool and its workers need of the settings. `tone`: where the pool puts the tone for its workers."""

    spool: Path
    greeting: Path
    tone: Path
    saved: Path
    max_seconds: int
    silence_seconds: float
    clock_rate: int
    media_address: str
    rtp_port_min: int
    rtp_port_max: int
    ready: int
    most: int

    def rtp_range(self, number: int) -> tuple[int, int]:
        """The share of worker `number` (0 to most - 1): workers do not race for the same ports."""
        share = (self.rtp_port_max + 1 - self.rtp_port_min) // self.most // 2 * 2
        first = self.rtp_port_min + number * share
        return first, first + share - 1


class WorkerProcess:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, options: PoolOptions, number: int) -> Self:
        """Raises OSError."""
        first, last = options.rtp_range(number)
        return cls(
            await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "denwa.voicemail.worker"),
                *("--spool", str(options.spool)),
                *("--greeting", str(options.greeting)),
                *("--tone", str(options.tone)),
                *("--saved", str(options.saved)),
                *("--max-seconds", str(options.max_seconds)),
                *("--silence-seconds", str(options.silence_seconds)),
                *("--clock-rate", str(options.clock_rate)),
                *("--media-address", options.media_address),
                *("--rtp-first", str(first)),
                *("--rtp-last", str(last)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
        )

    def tell(self, command: dict[str, Any]) -> None:
        """Without effect on a worker that has ended."""
        stdin = self._process.stdin
        if stdin is not None and not stdin.is_closing():
            stdin.write(json.dumps(command).encode() + b"\n")

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        """What it says until its end; a last line that its death cut off is dropped."""
        assert self._process.stdout is not None  # asked for in start
        async for line in self._process.stdout:
            with contextlib.suppress(ValueError):
                event = json.loads(line)
                if isinstance(event, dict):
                    yield event

    async def ended(self) -> int:
        """Its exit status, negative for the signal that killed it."""
        return await self._process.wait()

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
