"""One line asks, one line answers, over a Unix socket in the data folder (mode 0600).

Requests: ``subscribers`` (directory changed), ``mailboxes NUMBER`` (messages of this E.164 changed), ``sync`` (rate
what has ended), ``limits`` (orders or holds changed), ``spent NUMBER`` (the answer is JSON: yen of this day and month),
``gateways`` (the answer is JSON: addresses and how they are), ``cut CALL-ID`` (end a call; the answer is ``ok`` and
how many there were), ``trace CALL-ID`` (the answer is the ladder, its line breaks written as `LINE_BREAK`).
The answer ``ok`` comes after the change is in force, so `denwa subscriber set` takes effect before it returns.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

SOCKET_NAME = "service.sock"
LINE_BREAK = "\x1e"
Handler = Callable[[str], Awaitable[str]]


def tell(data_dir: Path, request: str, timeout: float = 10.0) -> str | None:
    """Send one request to the running service; None when no service runs on this data folder."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(timeout)
        try:
            client.connect(str(data_dir / SOCKET_NAME))
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        client.sendall(request.encode() + b"\n")
        answer = b""
        while not answer.endswith(b"\n"):
            more = client.recv(65536)
            if not more:
                break
            answer += more
    return answer.decode().strip()


async def listen(data_dir: Path, handler: Handler) -> asyncio.Server:
    """Serve requests until the returned server is closed. A stale socket of a killed service is replaced."""
    path = data_dir / SOCKET_NAME
    path.unlink(missing_ok=True)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = await reader.readline()
        if line:
            try:
                reply = await handler(line.decode("utf-8", "replace").strip())
            except Exception as fault:
                reply = f"error {type(fault).__name__}: {fault}"
            writer.write(reply.encode() + b"\n")
            await writer.drain()
        writer.close()

    mask = os.umask(0o177)
    try:
        return await asyncio.start_unix_server(answer, path=str(path))
    finally:
        os.umask(mask)
