"""Drives the baresip telephone over its control socket (ctrl_tcp: netstrings of JSON)."""

from __future__ import annotations

import itertools
import json
import socket
import subprocess
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.peers import ports, wav
from tests.peers.events import Event, EventLog
from tests.peers.talk import eventually

_MODULES = ("g711", "gsm", "g722", "aufile", "sndfile", "aubridge")
_APPLICATIONS = ("account", "menu", "ctrl_tcp")
_CONFIG = """\
sip_listen {host}:{sip}
{security}
audio_source aufile,{voice}
audio_player aubridge,nil
audio_alert aubridge,nil
ausrc_srate 8000
auplay_srate 8000
ausrc_channels 1
auplay_channels 1
ausrc_format s16
auplay_format s16
rtp_ports {rtp}-{rtp_last}
net_interface {interface}
module_path {modules}
{loaded}
ctrl_tcp_listen 127.0.0.1:{control}
snd_path {folder}
"""
_ENDLESS = 100  # subscriptions


class Baresip:
    """One telephone, registered at start. Its voice file must outlast the call: at its end baresip hangs up."""

    def __init__(
        self,
        folder: Path,
        user: str,
        *,
        service: str,
        password: str,
        domain: str = "denwa.example",
        answer: bool = True,
        transport: str = "udp",
        codec: str = "PCMU/8000",
        ipv6: bool = False,
        ca_file: Path | None = None,
        mwi: bool = False,
    ) -> None:
        # baresip takes its SIP port and the next one (TLS); the control socket gets the third of the four
        self.user, self.port = user, ports.free_port()
        self.folder = folder / f"baresip-{user}-{self.port}"
        self.folder.mkdir(parents=True)
        self.voice = wav.write_voice(self.folder / "voice.wav", 20, seed=self.port)
        self.domain = domain
        self.log = EventLog(f"baresip {user}")
        self._tokens = itertools.count(1)
        self._family = "-6" if ipv6 else "-4"
        self._interface = "::1" if ipv6 else "127.0.0.1"
        self._ca_file = ca_file
        self._applications = (*_APPLICATIONS, "mwi") if mwi else _APPLICATIONS
        self._write_files(service, password, codec, transport, answer)
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def _write_files(self, service: str, password: str, codec: str, transport: str, answer: bool) -> None:
        modules = next(Path("/usr/lib").glob("**/baresip/modules/aufile.so")).parent
        loaded = [f"module {name}.so" for name in _MODULES] + [f"module_app {name}.so" for name in self._applications]
        rtp = ports.media_ports()
        config = _CONFIG.format(
            host=f"[{self._interface}]" if ":" in self._interface else self._interface,
            interface=self._interface,
            security=f"sip_cafile {self._ca_file}" if self._ca_file else "",
            sip=self.port,
            voice=self.voice,
            rtp=rtp,
            rtp_last=rtp + ports.MEDIA_BLOCK - 1,
            modules=modules,
            loaded="\n".join(loaded),
            control=self.port + 2,
            folder=self.folder,
        )
        (self.folder / "config").write_text(config)
        (self.folder / "contacts").write_text("")
        account = (
            f"<sip:{self.user}@{self.domain};transport={transport}>;auth_user={self.user};auth_pass={password};"
            f'outbound="sip:{service};transport={transport}";regint=120;audio_codecs={codec};'
            f"answermode={'auto' if answer else 'manual'}\n"
        )
        (self.folder / "accounts").write_text(account)

    def __enter__(self) -> Self:
        self._start()
        return self

    def _start(self) -> None:
        with (self.folder / "screen").open("wb") as screen:
            self._process = subprocess.Popen(
                ["baresip", "-f", str(self.folder), self._family, "-t", "100"],
                stdin=subprocess.DEVNULL,
                stdout=screen,
                stderr=screen,
                cwd=self.folder,  # sndfile's recordings come here
            )
        self._control = eventually(self._connect, 10, every=0.02)
        threading.Thread(target=self._read, args=(self._control, self.log), daemon=True).start()

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        assert self._process
        if self._control:
            self._control.close()
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._process.wait()

    def _connect(self) -> socket.socket | None:
        assert self._process
        assert self._process.poll() is None, self.screen()[-2000:]
        try:
            return socket.create_connection(("127.0.0.1", self.port + 2), timeout=5)
        except OSError:
            return None

    def screen(self) -> str:
        """All that it has printed."""
        return (self.folder / "screen").read_text(errors="replace")

    def _read(self, control: socket.socket, log: EventLog) -> None:
        control.settimeout(None)
        pending = b""
        try:
            while data := control.recv(65536):
                pending += data
                while b":" in pending:
                    length, _, rest = pending.partition(b":")
                    if len(rest) <= int(length):
                        break
                    log.add({"at": time.time(), **json.loads(rest[: int(length)])})
                    pending = rest[int(length) + 1 :]
        except OSError:
            pass
        log.close()

    def command(self, name: str, parameters: str = "") -> Event:
        """One of baresip's commands (dial, accept, hangup, sndcode, …); its answer."""
        assert self._control
        token = str(next(self._tokens))
        text = json.dumps({"command": name, "params": parameters, "token": token}).encode()
        self._control.sendall(b"%d:%s," % (len(text), text))
        return self.log.wait(lambda e: e.get("token") == token, 5, f"answer to {name}")

    def wait(self, event: str, timeout: float = 10, since: int = 0) -> Event:
        """Types: REGISTER_OK, REGISTER_FAIL, CALL_INCOMING, CALL_RINGING, CALL_ESTABLISHED, CALL_CLOSED, …"""
        return self.log.wait(lambda e: e.get("type") == event, timeout, event, since)

    def registered(self) -> Self:
        """Wait for the registration; its event may have come before the control socket was there, so ask."""
        eventually(self._is_registered, 20)
        return self

    def _is_registered(self) -> bool:
        try:
            return "OK " in str(self.command("reginfo").get("data"))
        except AssertionError:
            # Its mwi module looks through its subscriptions a millisecond after its start and makes one more of each,
            # also of those: on a busy machine there may be one by then, and it does nothing else any more.
            if self.screen().count("mwi: subscribing") < _ENDLESS:
                raise
        self.kill()
        self.log = EventLog(self.log.owner)
        self._start()
        return False

    def dial(self, number: str) -> None:
        target = number if number.startswith("sip:") else f"sip:{number}@{self.domain}"
        answer = self.command("dial", target)
        assert answer["ok"], answer

    def hangup(self) -> None:
        self.command("hangup")

    def kill(self) -> None:
        assert self._process
        self._process.kill()
        self._process.wait()

    def heard(self) -> Path:
        """Recording of the last call's incoming sound (sndfile module), its header written when the call closed."""

        def newest() -> Any:
            found = sorted(self.folder.glob("dump-*-dec.wav"), key=lambda path: path.stat().st_mtime)
            return found[-1] if found else None

        return Path(eventually(newest, 5))
