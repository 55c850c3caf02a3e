"""Drives the linphonec telephone: commands on stdin, what it says on stdout. It knows Speex, μ-law, A-law, GSM, G.722.

(linphonecsh is no way: its socket is one per user of the machine.)
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.peers import ports, wav
from tests.peers.events import Event, EventLog
from tests.peers.talk import eventually

_CONFIG = """\
[sip]
sip_port={sip}
sip_tcp_port=0
sip_tls_port=0
default_proxy=0
use_ipv6=0
guess_hostname=1
contact=sip:{user}@127.0.0.1
[net]
firewall_policy=0
[proxy_0]
reg_proxy=<sip:{service}>
reg_route=<sip:{service};lr>
reg_identity=sip:{user}@{domain}
reg_expires=300
reg_sendregister=1
publish=0
[auth_info_0]
username={user}
passwd={password}
realm={domain}
domain={domain}
[rtp]
audio_rtp_port={rtp}
video_rtp_port={video_rtp}
"""
_CODEC = "[audio_codec_{number}]\nmime={name}\nrate={rate}\nchannels={channels}\nenabled={enabled}\n"
_KNOWN = ("opus/48000", "speex/16000", "speex/32000", "speex/8000", "PCMU/8000", "PCMA/8000", "GSM/8000", "G722/8000",
          "G729/8000")  # fmt: skip


class Linphone:
    """One telephone, registered at start, which offers `codecs` in that order; `video`: and its camera's still.

    `keep_wire`: the SIP messages it has sent and received are in `wire_log`.
    """

    def __init__(
        self,
        folder: Path,
        user: str,
        *,
        service: str,
        password: str,
        domain: str = "denwa.example",
        codecs: Sequence[str] = ("PCMU/8000",),
        answer: bool = True,
        video: bool = False,
        keep_wire: bool = False,
    ) -> None:
        self.user, self.service, port = user, service, ports.free_port()
        self.folder = folder / f"linphone-{user}-{port}"
        (self.folder / "home/.local/share/linphone").mkdir(parents=True)
        self.voice = wav.write_voice(self.folder / "voice.wav", 20, seed=port)
        self.heard = self.folder / "heard.wav"
        rtp = ports.media_ports()
        config = _CONFIG.format(
            sip=port, user=user, service=service, domain=domain, password=password, rtp=rtp, video_rtp=rtp + 2
        )
        # What stands in the file keeps its place; what does not is added, switched on.
        ordered = [*codecs, *(codec for codec in _KNOWN if codec not in codecs)]
        for number, codec in enumerate(ordered):
            name, _, rate = codec.partition("/")
            config += _CODEC.format(
                number=number, name=name, rate=rate, channels=1 + (name == "opus"), enabled=int(codec in codecs)
            )
        (self.folder / "linphonerc").write_text(config)
        self.wire_log = self.folder / "wire.log"
        wire = ["-d", "6", "-l", str(self.wire_log)]
        self._options = ["-a"] * answer + ["-V"] * video + wire * keep_wire
        self.log = EventLog(f"linphone {user}")
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            ["linphonec", "-c", str(self.folder / "linphonerc"), *self._options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "HOME": str(self.folder / "home")},
            cwd=self.folder,
            text=True,
            errors="replace",
        )
        threading.Thread(target=self._read, args=(self._process,), daemon=True).start()
        self.command("soundcard use files")
        self.command(f"play {self.voice}")
        self.command(f"record {self.heard}")
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        assert self._process
        if self._process.poll() is None:
            self.command("quit")
            try:
                self._process.wait(8)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._process.wait()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout
        for line in process.stdout:
            self.log.add({"at": time.time(), "line": line.strip()})
        self.log.close()

    def command(self, line: str) -> None:
        assert self._process
        assert self._process.stdin
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def wait(self, text: str, timeout: float = 15, since: int = 0) -> Event:
        """The line that holds `text`."""
        return self.log.wait(lambda event: text in event["line"], timeout, repr(text), since)

    def registered(self) -> Self:
        """Wait for the registration, which nothing announces: ask."""

        def look() -> bool:
            since = self.log.mark()
            self.command("status register")
            return "identity" in self.wait("registered", since=since)["line"]  # or `registered=-1`

        eventually(look)
        return self

    def dial(self, number: str) -> None:
        self.command(f"call sip:{number}@{self.service}")

    def hangup(self) -> None:
        self.command("terminate")
