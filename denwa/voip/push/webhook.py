"""The push port over HTTP: a signed POST of JSON to the operator's address, which knows the push services.

The body: `id`, `kind` ("call"), `provider`, `param`, `prid`, `call_id`, `ttl` (seconds), and `caller` if it is to be
told. The header `Denwa-Signature: t=SECONDS,v1=HEX` is HMAC-SHA256 of `SECONDS.BODY` with the secret. A second attempt,
after a time-out, a broken connection, 429 or 5xx, has the same `id`.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import h11

from denwa.voip.push.ports import PushAnswer, PushRequest

log = logging.getLogger(__name__)
AT_ONCE: Final = 64  # connections
ATTEMPTS: Final = 2
PAUSE: Final = 0.3  # seconds before the second
SIGNATURE: Final = "Denwa-Signature"


class PushWebhook:
    """`url` is http: or https:, `timeout` seconds for each attempt."""

    def __init__(self, url: str, secret: str, *, timeout: float, ca_file: Path | None = None) -> None:
        parts = urlsplit(url)
        self._tls = ssl.create_default_context(cafile=ca_file) if parts.scheme == "https" else None
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if self._tls else 80)
        self._authority = parts.netloc.rpartition("@")[2]
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._secret = secret.encode()
        self._timeout = timeout
        self._connections = asyncio.Semaphore(AT_ONCE)
        self._jobs: set[asyncio.Task[None]] = set()
        self.flush: Callable[[], None] = lambda: None  # called after each answer

    def request(self, push: PushRequest, deliver: Callable[[PushAnswer, float], None]) -> None:
        job = asyncio.get_running_loop().create_task(self._ask(push, deliver))
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)

    def close(self) -> None:
        for job in self._jobs:
            job.cancel()

    async def _ask(self, push: PushRequest, deliver: Callable[[PushAnswer, float], None]) -> None:
        try:
            answer = await self._attempts(body_of(push))
        except Exception:
            log.exception("push: %s cannot be asked", push.device.provider)
            answer = PushAnswer(False, "internal error")
        deliver(answer, time.monotonic())
        self.flush()

    async def _attempts(self, body: bytes) -> PushAnswer:
        answer = PushAnswer(False)
        for attempt in range(ATTEMPTS):
            if attempt:
                await asyncio.sleep(PAUSE)
            try:
                async with asyncio.timeout(self._timeout), self._connections:
                    status = await self._post(body)
            except TimeoutError:
                answer = PushAnswer(False, "no answer in time")
            except (OSError, h11.RemoteProtocolError) as fault:
                answer = PushAnswer(False, f"{type(fault).__name__}: {fault}")
            else:
                answer = PushAnswer(200 <= status < 300, f"HTTP {status}")
                if status < 500 and status != 429:
                    break
        return answer

    async def _post(self, body: bytes) -> int:
        """Status of the answer. Raises OSError, h11.RemoteProtocolError."""
        reader, writer = await asyncio.open_connection(self._host, self._port, ssl=self._tls)
        try:
            connection = h11.Connection(h11.CLIENT)
            writer.write(self._written(connection, body))
            await writer.drain()
            while True:
                event = connection.next_event()
                if event is h11.NEED_DATA:
                    connection.receive_data(await reader.read(4096))
                elif isinstance(event, h11.Response):
                    return event.status_code
                elif not isinstance(event, h11.InformationalResponse):
                    raise h11.RemoteProtocolError("closed without an answer")
        finally:
            writer.close()

    def _written(self, connection: h11.Connection, body: bytes) -> bytes:
        headers = [
            ("Host", self._authority),
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            ("User-Agent", "Denwa"),
            ("Connection", "close"),
            (SIGNATURE, signature(body, self._secret, int(time.time()))),
        ]
        start = connection.send(h11.Request(method="POST", target=self._path, headers=headers)) or b""
        return start + (connection.send(h11.Data(data=body)) or b"") + (connection.send(h11.EndOfMessage()) or b"")


def body_of(push: PushRequest) -> bytes:
    """The JSON that is posted."""
    told = {
        "id": push.ident,
        "kind": "call",
        "provider": push.device.provider,
        "param": push.device.param,
        "prid": push.device.prid,
        "call_id": push.call_id,
        "ttl": push.seconds,
    }
    if push.caller:
        told["caller"] = push.caller
    return json.dumps(told, ensure_ascii=False).encode()


def signature(body: bytes, secret: bytes, seconds: int) -> str:
    """Value of `Denwa-Signature`; `seconds` since 1970, so that an old request can be told from a new one."""
    return f"t={seconds},v1={hmac.new(secret, b'%d.' % seconds + body, hashlib.sha256).hexdigest()}"
