"""Denwa beside Kamailio: interleaved rounds, server CPU per operation, one table.

Run it by `bench/run`, which gives it a network namespace of its own.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from bench.processes import cpu_model, cpu_us, memory_mb, udp_drops
from bench.report import Operation, Run, capacity_lines, comparison_table, run_table, write_between_markers
from bench.servers import ACCOUNTS, Denwa, Kamailio, Running, Server, ServerFault
from bench.sipp import Counts, Sipp, SippFault, load, write_people

ROOT = Path(__file__).parent.parent
WORK = ROOT / "bench" / "work"
DOCUMENT = ROOT / "docs" / "performance.md"

CALL = Operation("call", "proxied call: dialog and call record", 3000, 2.0)
REGISTER = Operation("register", "REGISTER: 401, digest, 200", 6000, 3.0)
CAPACITY = Operation("capacity", "proxied call without a loss", 2000, 0.0)
OPERATIONS = (CALL, REGISTER, CAPACITY)

GATEWAY_PORT = 5080
PHONE_PORT = 5070
# After the last call a server still has transactions to let go; their cost belongs to the calls.
DRAIN_SECONDS = 1.0


class Bench:
    """One session of measurements in one scratch folder."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._people = scratch / "people.csv"
        write_people(self._people, ACCOUNTS)

    def measure(self, number: int, operation: Operation, server: Server, seconds: float) -> Run:
        """Start the server, load it, stop it. Raises ServerFault or SippFault."""
        folder = self._scratch / f"{number}-{operation.key}-{server.name}"
        with Running(server, folder / "server") as running:
            if operation.key == REGISTER.key:
                return self._timed(number, operation, running, folder, seconds, None)
            self._register_everybody(folder)
            phones = Sipp(folder / "phones", "call_uas.xml", PHONE_PORT)
            try:
                phones.wait_bound(PHONE_PORT)
                return self._timed(number, operation, running, folder, seconds, phones)
            finally:
                phones.stop()

    def _register_everybody(self, folder: Path) -> None:
        sender = load(folder / "registers", "register.xml", PHONE_PORT, self._people, 3000, len(ACCOUNTS))
        counts = sender.finish(60)
        if counts.succeeded < len(ACCOUNTS):
            raise SippFault(f"only {counts.succeeded} of {len(ACCOUNTS)} could register; see {folder / 'registers'}")

    def _timed(
        self, number: int, operation: Operation, running: Running, folder: Path, seconds: float, phones: Sipp | None
    ) -> Run:
        scenario, port = ("register.xml", PHONE_PORT) if phones is None else ("call_uac.xml", GATEWAY_PORT)
        drops, before, start = udp_drops(), cpu_us(running.pid), time.monotonic()
        sender = load(folder / "load", scenario, port, self._people, operation.rate, int(operation.rate * seconds))
        counts = sender.finish(seconds * 3 + 40)
        sending = time.monotonic() - start
        time.sleep(DRAIN_SECONDS)
        used = cpu_us(running.pid) - before
        running.check_alive()
        memory = memory_mb(running.pid)
        answers = Counts(0, 0, 0)
        if phones is not None:
            phones.stop()
            answers = phones.counts()
        return Run(
            round=number,
            operation=operation.key,
            server=running.name,
            offered=operation.rate,
            rate=counts.succeeded / sending,
            succeeded=counts.succeeded,
            failed=counts.failed + int(operation.rate * seconds) - counts.succeeded - counts.failed + answers.failed,
            retransmissions=counts.retransmissions + answers.retransmissions,
            drops=udp_drops() - drops,
            cpu_us=used / max(counts.succeeded, 1),
            busy=used / 1e6 / sending,
            memory_mb=memory,
        )


def _surroundings(rounds: int) -> str:
    """One sentence: when, where, with what."""
    versions = []
    for command, word in ((["kamailio", "-v"], 2), (["sipp", "-v"], 1)):
        done = subprocess.run(command, capture_output=True, text=True)
        words = (done.stdout + done.stderr).split()
        versions.append(words[word].partition("-")[0].lstrip("v") if len(words) > word else "unknown")
    return (
        f"Measured {datetime.now(UTC):%Y-%m-%d} on {cpu_model()}, server on core 0, load on core 1, {rounds} rounds; "
        f"Python {platform.python_version()}, Kamailio {versions[0]}, SIPp {versions[1]}."
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench/run", description="Denwa beside Kamailio: CPU time per operation.")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds (default 5)")
    parser.add_argument("--seconds", type=float, default=4.0, help="length of one load (default 4)")
    parser.add_argument(
        "--only", choices=[o.key for o in OPERATIONS], action="append", help="one operation, repeatable"
    )
    parser.add_argument("--server", choices=["denwa", "kamailio"], action="append", help="one server, repeatable")
    parser.add_argument("--rate", type=int, help="another rate than the goal's (operations a second)")
    parser.add_argument("--write", action="store_true", help="write the tables into docs/performance.md")
    return parser.parse_args()


def _plan(arguments: argparse.Namespace, number: int) -> list[tuple[Operation, str]]:
    """The runs of one round; every other round starts with the other server, so that neither has the quiet minutes."""
    order = ["kamailio", "denwa"] if number % 2 else ["denwa", "kamailio"]
    wanted = [op for op in OPERATIONS if not arguments.only or op.key in arguments.only]
    if arguments.rate:
        wanted = [Operation(op.key, op.title, arguments.rate, op.goal) for op in wanted]
    return [
        (operation, server)
        for operation in wanted
        for server in order
        if (not arguments.server or server in arguments.server)
        and not (operation.key == "capacity" and server == "kamailio" and not arguments.server)
    ]


def _report(runs: list[Run], rounds: int) -> list[str]:
    rates = {run.operation: run.offered for run in runs}
    shown = [Operation(op.key, op.title, rates.get(op.key, op.rate), op.goal) for op in OPERATIONS]
    return [
        _surroundings(rounds),
        "",
        *comparison_table(runs, shown[:2]),
        "",
        *capacity_lines(runs, shown[2]),
        "",
        "Every run:",
        "",
        *run_table(runs),
    ]


@contextmanager
def _alone() -> Iterator[None]:
    """Two measurements at once would measure each other."""
    WORK.mkdir(parents=True, exist_ok=True)
    with (WORK / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            print("bench: waiting for another measurement to end", file=sys.stderr, flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> int:
    arguments = _arguments()
    with _alone():
        return _session(arguments)


def _session(arguments: argparse.Namespace) -> int:
    scratch = WORK / "runs"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    runs: list[Run] = []
    try:
        bench = Bench(scratch)
        servers: dict[str, Server] = {"kamailio": Kamailio()}
        if not arguments.server or "denwa" in arguments.server:
            servers["denwa"] = Denwa(scratch / "prepared")
        for number in range(1, arguments.rounds + 1):
            for operation, name in _plan(arguments, number):
                seconds = arguments.seconds * (2 if operation.key == "capacity" else 1)
                runs.append(bench.measure(number, operation, servers[name], seconds))
                print("\n".join(run_table(runs[-1:])[0 if len(runs) == 1 else 2 :]), flush=True)
    except (ServerFault, SippFault) as fault:
        print(f"bench: {fault}", file=sys.stderr)
        return 1
    lines = _report(runs, arguments.rounds)
    (WORK / "results.json").write_text(json.dumps([run.as_dict() for run in runs], indent=1) + "\n", encoding="utf-8")
    print("\n" + "\n".join(lines[: lines.index("Every run:")]))
    if arguments.write:
        write_between_markers(DOCUMENT, lines)
    return 0


if __name__ == "__main__":
    sys.exit(main())
