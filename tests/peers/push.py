"""The operator's end of the push webhook: a real HTTP server that checks signatures and passes nothing on by itself."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from tests.peers.events import EventLog

SECRET = "a secret of this test"


class PushServer:
    """`log` has an event `push` with the JSON for each signed request, `forged` for others. `status`: the answer;
    0 answers nothing until the end."""

    def __init__(self) -> None:
        self.log = EventLog("push server")
        self.status = 202
        self.over = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/wake?from=denwa"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()
        self.log.close()


def _handler(owner: PushServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            signed = _is_signed(self.headers.get("Denwa-Signature", ""), body)
            told = json.loads(body) if signed else {}
            owner.log.add({"event": "push" if signed else "forged", "path": self.path, "body": told, "at": time.time()})
            if not owner.status:
                owner.over.wait(10)
                return
            self.send_response(owner.status if signed else 403)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def _is_signed(header: str, body: bytes) -> bool:
    parts = dict(part.split("=", 1) for part in header.split(",") if "=" in part)
    wanted = hmac.new(SECRET.encode(), parts.get("t", "").encode() + b"." + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(wanted, parts.get("v1", "")) and abs(time.time() - int(parts["t"])) < 60
