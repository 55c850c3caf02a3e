"""rtpengine in user space on loopback, as a media relay beside the service (Debian: rtpengine-daemon)."""

from __future__ import annotations

import shutil
import socket
import subprocess
from types import TracebackType
from typing import Self

from denwa.voip.media.rtpengine import encode
from tests.peers import ports
from tests.peers.talk import eventually

PROGRAM = shutil.which("rtpengine")
MISSING = "" if PROGRAM else "rtpengine (Debian: rtpengine-daemon) is not installed"


class RtpEngineDaemon:
    """`address`: of its ng socket."""

    def __init__(self) -> None:
        self.address = ("127.0.0.1", ports.free_port())
        self._first = ports.service_media_ports()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        assert PROGRAM, MISSING
        host, port = self.address
        last = self._first + ports.SERVICE_MEDIA_BLOCK - 1
        arguments = ["--config-file=none", "--table=-1", "--foreground", "--log-stderr", f"--interface={host}"]
        arguments += [f"--listen-ng={host}:{port}", f"--port-min={self._first}", f"--port-max={last}"]
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen([PROGRAM, *arguments], stdin=quiet, stdout=quiet, stderr=quiet)
        try:
            eventually(self._answers, 10, every=0.05)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        self._stop()

    def _stop(self) -> None:
        assert self._process
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _answers(self) -> bool:
        assert self._process
        assert self._process.poll() is None, "rtpengine ended"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.settimeout(0.2)
            probe.connect(self.address)
            try:
                probe.send(b"1 " + encode({"command": "ping"}))
                return b"pong" in probe.recv(999)
            except OSError:
                return False
