"""The service under test: `denwa serve` as a process of its own, with its own data folder and ports."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.peers import ports
from tests.peers.baresip import Baresip
from tests.peers.commands import commands
from tests.peers.linphone import Linphone
from tests.peers.phone import Phone
from tests.peers.talk import eventually

Record = dict[str, str]
DOMAIN = "denwa.example"
_ENDS_WITH_US = ["setpriv", "--pdeathsig", "KILL"]  # also when the tests are killed


@dataclass
class Service:
    """Ports and folder are fixed at construction, so that a restart is found at the same place.

    `settings`: `SECTION__KEY` to value, given as `DENWA_SECTION__KEY`. The demo's gateway is at `gateway_port`, so that
    services of parallel tests do not meet.
    """

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    config: str = ""  # more TOML
    demo: bool = True

    def __post_init__(self) -> None:
        self.sip_port, self.http_port, self.gateway_port = (ports.free_port() for _ in range(3))
        self.rtp_first = ports.service_media_ports()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.data = self.folder / "data"
        self.log_file = self.folder / "service.log"
        (self.folder / "denwa.toml").write_text(self._toml() + self.config, encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None

    def _toml(self) -> str:
        gateway = f'name = "pstn"\nhost = "127.0.0.1"\nport = {self.gateway_port}\n'
        return f'[[gateways]]\n{gateway}addresses = ["127.0.0.1:{self.gateway_port}"]\n'

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.sip_port}"

    @property
    def environment(self) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("DENWA_")}
        ours = {
            "DENWA_SIP_PORT": str(self.sip_port),
            "DENWA_HTTP_PORT": str(self.http_port),
            "DENWA_DATA_DIR": str(self.data),
            "DENWA_CONFIG": str(self.folder / "denwa.toml"),
            "DENWA_VOICEMAIL__RTP_PORT_MIN": str(self.rtp_first),
            "DENWA_VOICEMAIL__RTP_PORT_MAX": str(self.rtp_first + ports.SERVICE_MEDIA_BLOCK - 1),
            "DENWA_VOICEMAIL__MAX_WORKERS": "5",
            "DENWA_MEDIA__PORT_MIN": "33000",  # above all slices: the relay draws ports that are free
        }
        return clean | ours | {f"DENWA_{name.upper()}": value for name, value in self.settings.items()}

    # life

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        if self._process and self._process.poll() is None:
            self.stop(hurry=True)

    def start(self, timeout: float = 30) -> float:
        """Start, and wait until it can take calls. Returns the seconds that took."""
        begun = time.monotonic()
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [*_ENDS_WITH_US, sys.executable, "-m", "denwa", "serve", *["--demo"] * self.demo],
                env=self.environment,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # so that its workers can be ended with it
            )
        try:
            eventually(self._is_up_or_dead, timeout, every=0.02)
        except AssertionError:
            self.kill()
            raise AssertionError(f"the service is not ready after {timeout} s:\n{self.log()}") from None
        if self._process.poll() is not None:
            raise AssertionError(f"the service ended with {self._process.returncode}:\n{self.log()}")
        return time.monotonic() - begun

    def _is_up_or_dead(self) -> bool:
        assert self._process
        return self._process.poll() is not None or self.healthy()

    def healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}/healthz", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def metrics(self) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}/metrics", timeout=5) as answer:
            return str(answer.read().decode())

    def kill(self) -> float:
        """SIGKILL to the service and its workers, as power loss would. Returns the wall-clock time of the kill."""
        assert self._process
        at = time.time()
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)
        return at

    def stop(self, timeout: float = 15, *, hurry: bool = False) -> int:
        """SIGTERM, as an operator would; `hurry`: once more if it waits for messages being left. The exit code."""
        assert self._process
        self._process.terminate()
        if hurry:
            with suppress(subprocess.TimeoutExpired):
                return self._process.wait(3)
            self._process.terminate()
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the service did not stop within {timeout} s:\n{self.log()}") from None

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def log(self, last: int = 4000) -> str:
        return self.log_file.read_text(encoding="utf-8", errors="replace")[-last:]

    # commands

    def cli(self, *arguments: str, expect: int = 0) -> str:
        """Run `denwa …` beside the service; its stdout. Raises AssertionError for another exit code."""
        done = commands().run(arguments, self.folder, self.environment)
        assert done.exit == expect, f"denwa {' '.join(arguments)}: exit {done.exit}\n{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
        return done.stdout

    def calls(self, *filters: str) -> list[Record]:
        """All call records, as `denwa calls --format csv` gives them."""
        return list(csv.DictReader(io.StringIO(self.cli("calls", "--format", "csv", *filters))))

    def records(self, call_id: str, count: int = 1, timeout: float = 8) -> list[Record]:
        """The ended records of a call, once there are `count` of them."""

        def look() -> list[Record]:
            found = [row for row in self.calls() if row["call_id"] == call_id and row["ended_at"]]
            return found if len(found) >= count else []

        return eventually(look, timeout)

    def record(self, call_id: str, timeout: float = 8) -> Record:
        """The one record of a call. Raises AssertionError when there are more."""
        (record,) = self.records(call_id, 1, timeout)
        return record

    def active(self) -> list[dict[str, Any]]:
        return list(json.loads(self.cli("calls", "--active", "--json")))

    def set(self, number: str, **keys: str | int) -> None:
        """`denwa subscriber set NUMBER key=value …`, in force when it returns."""
        self.cli("subscriber", "set", number, *[f"{key}={value}" for key, value in keys.items()])

    def voicemail(self, number: str) -> list[dict[str, Any]]:
        return list(json.loads(self.cli("voicemail", "list", number, "--json")))

    # telephones

    def phone(self, account: str, *, password: str = "", **more: Any) -> Phone:
        """A pjsua2 telephone of a demo subscriber (`50010001`), not yet registered."""
        return Phone(
            self.folder, account, password=password or f"demo-{account}", service=self.address, domain=DOMAIN, **more
        )

    def baresip(self, account: str, *, address: str = "", **more: Any) -> Baresip:
        """A baresip of a demo subscriber, at another of the service's addresses when one is given."""
        return Baresip(self.folder, account, password=f"demo-{account}", service=address or self.address, **more)

    def linphone(self, account: str, **more: Any) -> Linphone:
        """A linphonec of a demo subscriber."""
        return Linphone(self.folder, account, password=f"demo-{account}", service=self.address, **more)

    def registered(self, *phones: Phone) -> Sequence[Phone]:
        for phone in phones:
            phone.register()
        return phones
