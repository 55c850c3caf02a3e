"""The two servers under measurement, each started fresh on core 0 with the same 10,000 subscribers."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Protocol

from bench.processes import cpu_us, pinned, process_tree

HERE = Path(__file__).parent
SERVER_CORE = 0
IDLE_US = 30_000  # CPU of the process tree in half a second
SIP = ("127.0.0.1", 5060)
# All of the own range 0505001 that the shipped operator file names.
ACCOUNTS = [str(50_010_000 + n) for n in range(10_000)]

_DENWA_TOML = """\
data_dir = "{data}"

[sip]
domains = ["denwa.example"]

[limits]
calls_per_subscriber = 100
new_calls_per_minute = 6000

[[gateways]]
name = "bench"
host = "127.0.0.1"
port = 5080
addresses = ["127.0.0.1:5080"]
"""


class ServerFault(Exception):
    """A server did not start or died; the text names its log."""


class Server(Protocol):
    """How to start one of the servers."""

    name: str

    def command(self, folder: Path) -> list[str]:
        """The command line; ``folder`` is empty and belongs to this run."""
        ...


class Kamailio:
    """Debian's Kamailio with the fast allocator, digest, dialog state and accounting in memory."""

    name = "kamailio"

    def command(self, folder: Path) -> list[str]:
        arguments = ["kamailio", "-DD", "-E", "-x", "tlsf", "-X", "tlsf", "-m", "1024", "-M", "32"]
        return [*arguments, "-f", str(HERE / "kamailio.cfg"), "-P", str(folder / "pid"), "-Y", str(folder)]


class Denwa:
    """`denwa serve` on its embedded databases, the subscribers put in by `denwa subscriber import`."""

    name = "denwa"

    def __init__(self, prepared: Path) -> None:
        """Import the subscribers once into ``prepared``; every start gets a copy. Raises ServerFault."""
        self._prepared = prepared
        config = self._configure(self._prepared)
        people = self._prepared / "people.csv"
        with people.open("w", encoding="utf-8") as file:
            file.write("number,sip_password,name,mail,web_password,bill_day\n")
            for account in ACCOUNTS:
                file.write(f"050{account},secret-{account},,,,1\n")
        done = subprocess.run(
            [*_denwa(), "--config", str(config), "subscriber", "import", str(people)],
            capture_output=True,
            text=True,
            env=_environment(),
        )
        if done.returncode != 0:
            raise ServerFault(f"denwa subscriber import: {done.stderr.strip()}")

    def _configure(self, folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "bench.toml"
        config.write_text(_DENWA_TOML.format(data=folder / "data"), encoding="utf-8")
        return config

    def command(self, folder: Path) -> list[str]:
        shutil.copytree(self._prepared / "data", folder / "data")
        return [*_denwa(), "serve", "--config", str(self._configure(folder))]


def _denwa() -> list[str]:
    return [sys.executable, "-m", "denwa"]


def _environment() -> dict[str, str]:
    """Ours without the operator's settings: a measurement is the same for everybody."""
    return {key: value for key, value in os.environ.items() if not key.startswith("DENWA_")}


class Running:
    """A started server: a context manager that returns when it answers SIP and its start is over (a start is no part of
    what an operation costs), and ends it afterwards."""

    def __init__(self, server: Server, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.name = server.name
        self._log_path = folder / "server.log"
        self._log: IO[bytes] = self._log_path.open("wb")
        self.process = subprocess.Popen(
            [*pinned(SERVER_CORE), *server.command(folder)],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            env=_environment(),
            cwd=folder,
        )

    @property
    def pid(self) -> int:
        return self.process.pid

    def __enter__(self) -> Running:
        try:
            self._wait_answer(20)
            self._wait_settled(20)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def check_alive(self) -> None:
        """Raises ServerFault when the server has ended by itself."""
        if self.process.poll() is not None:
            raise ServerFault(f"{self.name} ended with {self.process.returncode}; see {self._log_path}")

    def _wait_answer(self, seconds: float) -> None:
        """Ask with OPTIONS until any answer comes."""
        deadline = time.monotonic() + seconds
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            probe.settimeout(0.1)
            attempt = 0
            while time.monotonic() < deadline:
                self.check_alive()
                attempt += 1
                try:
                    probe.sendto(_options(probe.getsockname()[1], attempt), SIP)
                    if probe.recv(65536).startswith(b"SIP/2.0 "):
                        return
                except ConnectionRefusedError:
                    time.sleep(0.05)  # nobody there yet: loopback says so at once
                except TimeoutError:
                    continue
        raise ServerFault(f"{self.name} did not answer on {SIP[0]}:{SIP[1]} in {seconds:.0f} s; see {self._log_path}")

    def _wait_settled(self, seconds: float) -> None:
        """Until the process tree has been nearly idle for half a second."""
        deadline = time.monotonic() + seconds
        used = cpu_us(self.pid)
        while time.monotonic() < deadline:
            time.sleep(0.5)
            before, used = used, cpu_us(self.pid)
            if used - before <= IDLE_US:
                return
        raise ServerFault(f"{self.name} is still busy {seconds:.0f} s after it answered; see {self._log_path}")

    def _end(self) -> None:
        members = process_tree(self.process.pid)
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                for member in members:
                    _kill(member)
                self.process.wait()
        self._log.close()


def _kill(pid: int) -> None:
    try:
        os.kill(pid, 9)
    except ProcessLookupError:
        return


def _options(port: int, attempt: int) -> bytes:
    return (
        f"OPTIONS sip:127.0.0.1:5060 SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bKready{attempt};rport\r\n"
        f"Max-Forwards: 70\r\nFrom: <sip:ready@127.0.0.1>;tag=r{attempt}\r\nTo: <sip:127.0.0.1>\r\n"
        f"Call-ID: ready-{port}-{attempt}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    ).encode("ascii")
