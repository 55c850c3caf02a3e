"""The control socket of a service, played."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from denwa.control.socket import SOCKET_NAME


@contextmanager
def service(data_dir: Path, answer: bytes) -> Iterator[list[bytes]]:
    """A service that notes what it is told and gives one answer. Short path: a Unix socket's name is bounded."""
    asked: list[bytes] = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(data_dir / SOCKET_NAME))
        listener.listen()
        listener.settimeout(20)

        def serve() -> None:
            peer, _ = listener.accept()
            with peer:
                asked.append(peer.recv(1000))
                peer.sendall(answer + b"\n")

        thread = threading.Thread(target=serve)
        thread.start()
        yield asked
        thread.join(20)
