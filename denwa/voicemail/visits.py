"""Calls to voicemail boxes as the service runs them: a place each, and answers to what their workers ask (V6)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from denwa.voicemail.box import BoxDesk
from denwa.voicemail.leases import Kind
from denwa.voicemail.pool import Pool


@dataclass(frozen=True, slots=True)
class VisitRequest:
    """A call to a box. `mailbox` (E.164): that of the phone that calls; "" from elsewhere: number and PIN are asked
    for."""

    mailbox: str
    call_id: str


class Visits:
    """Bound to the service's loop.

    `prompts`: folders in which a prompt is looked for, the first first. `most`: calls at once, so that callers who want
    to leave a message find places, however many listen or try PINs.
    """

    def __init__(
        self,
        pool: Pool,
        desk: BoxDesk,
        prompts: list[Path],
        spawn: Callable[[Coroutine[Any, Any, None]], object],
        most: int,
    ) -> None:
        self._pool = pool
        self._desk = desk
        self._prompts = [str(folder) for folder in prompts]
        self._spawn = spawn
        self._most = most
        self._turns: dict[str, asyncio.Lock] = {}  # questions of a call are answered one after the other
        pool.on("ask", self._asked)

    def __len__(self) -> int:
        return len(self._turns)

    async def place(self, lease: str, request: VisitRequest, patience: float) -> int | None:
        """The SIP port of a worker that expects the call; None: there is no place. Raises OSError."""
        if len(self._turns) >= self._most or not (request.mailbox or self._desk.open_to_others):
            return None
        self._turns[lease] = asyncio.Lock()
        port = None
        try:
            folder = await asyncio.to_thread(self._desk.begin, lease, request.mailbox)
            command = {
                "do": Kind.BOX,
                "own": bool(request.mailbox),
                "folder": str(folder),
                "prompts": self._prompts,
                "call_id": request.call_id,
            }
            port = await self._pool.lease(lease, command, patience)
        finally:
            if port is None:
                self.ended(lease)
        return port

    def ended(self, lease: str) -> bool:
        """The call is over or will not come; False: it is no call to a box."""
        if self._turns.pop(lease, None) is None:
            return False
        self._spawn(asyncio.to_thread(self._desk.end, lease))
        return True

    def _asked(self, event: dict[str, Any]) -> None:
        lease = event.get("lease")
        if isinstance(lease, str) and lease in self._turns:
            self._spawn(self._answer(lease, event))

    async def _answer(self, lease: str, question: dict[str, Any]) -> None:
        turn = self._turns.get(lease)
        if turn is None:
            return
        async with turn:
            answer = await asyncio.to_thread(self._desk.answer, lease, question)
        if answer is not None:
            self._pool.tell(lease, {"do": "answer", **answer})
