"""SIPp as load: one process pinned to a core, its counters read from the statistics it writes."""

from __future__ import annotations

import csv
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from bench.processes import pinned, udp_port_bound

SCENARIOS = Path(__file__).parent / "sipp"
LOAD_CORE = 1


class SippFault(Exception):
    """SIPp could not do its part; the text says which run and where its output is."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What SIPp counted over a run."""

    succeeded: int
    failed: int
    retransmissions: int


class Sipp:
    """One SIPp process in a folder of its own."""

    def __init__(self, folder: Path, scenario: str, port: int, *options: str) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self._output: IO[bytes] = (folder / "output.txt").open("wb")
        command = [*pinned(LOAD_CORE), "sipp", "127.0.0.1:5060", "-i", "127.0.0.1", "-p", str(port)]
        command += ["-sf", str(SCENARIOS / scenario), "-buff_size", "4000000", "-nostdin", "-auth_uri", "denwa.example"]
        command += ["-trace_stat", "-stf", str(folder / "stat.csv"), "-fd", "1"]
        command += ["-trace_err", "-error_file", str(folder / "errors.txt"), *options]
        self.process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=self._output, stderr=self._output
        )

    def wait_bound(self, port: int, seconds: float = 5) -> None:
        """Return when the process listens. Raises SippFault when it ended or did not get there in time."""
        deadline = time.monotonic() + seconds
        while not udp_port_bound(port):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SippFault(f"SIPp does not listen on {port}; see {self._folder}")
            time.sleep(0.02)

    def finish(self, seconds: float) -> Counts:
        """Wait for the end of the load; a run that hangs is asked to leave, then made to."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.stop()
        self._output.close()
        return self.counts()

    def stop(self) -> None:
        """End a SIPp that would go on for ever (SIGUSR1: no new calls, then leave)."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGUSR1)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._output.close()

    def counts(self) -> Counts:
        """The last row of SIPp's statistics (cumulative columns)."""
        try:
            with (self._folder / "stat.csv").open(encoding="ascii", errors="replace") as file:
                last = list(csv.DictReader(file, delimiter=";"))[-1]
        except (OSError, IndexError):
            raise SippFault(f"SIPp left no statistics; see {self._folder}") from None
        return Counts(int(last["SuccessfulCall(C)"]), int(last["FailedCall(C)"]), int(last["Retransmissions(C)"]))


def load(folder: Path, scenario: str, port: int, people: Path, rate: int, count: int) -> Sipp:
    """A sender: ``count`` calls or registrations at ``rate`` a second, one line of ``people`` after another."""
    return Sipp(folder, scenario, port, "-inf", str(people), "-r", str(rate), "-m", str(count), "-l", "15000")


def write_people(path: Path, accounts: list[str]) -> None:
    """SIPp's injection file: field0 the account, field1 SIPp's keyword for its digest."""
    with path.open("w", encoding="ascii") as file:
        file.write("SEQUENTIAL\n")
        for account in accounts:
            file.write(f"{account};[authentication username={account} password=secret-{account}]\n")
