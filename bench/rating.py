"""`denwa rate` beside the same sums in DuckDB: CPU seconds, peak memory, and whether both agree to the byte.

bench/run rating                                         1,000,000 calls of 100,000 subscribers, 3 rounds
bench/run rating --calls 10000000 --rounds 1 --write     and puts the table into docs/performance.md
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

from bench.processes import cpu_model
from bench.report import write_between_markers

ROOT = Path(__file__).parent.parent
WORK = ROOT / "bench" / "work"
DOCUMENT = ROOT / "docs" / "performance.md"
MARKS = ("<!-- rating:begin -->", "<!-- rating:end -->")


class Cost(NamedTuple):
    """Of one process."""

    cpu: float  # seconds, user and system
    memory: float  # peak, MB
    printed: str


class Round(NamedTuple):
    """Reading (start, contracts, every field of the calls decoded), all the rest, and the peak memory."""

    denwa: tuple[float, float, float]
    duckdb: tuple[float, float, float]


def cost_of(arguments: list[str]) -> Cost:
    """Run it to its end. Raises SystemExit when it fails."""
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        printed = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(arguments)} ended with {process.returncode}")
    return Cost(used.ru_utime + used.ru_stime, used.ru_maxrss / 1000, printed)


def measure(subscribers: Path, calls: Path, folder: Path, with_duckdb: bool) -> Round:
    """One round. Raises SystemExit when the two do not agree."""
    files = ["--subscribers", str(subscribers), "--calls", str(calls)]
    ours = ["--out", str(folder / "rated.csv"), "--months", str(folder / "months.csv")]
    theirs = ["--out", str(folder / "rated-duckdb.csv"), "--months", str(folder / "months-duckdb.csv")]
    module = [sys.executable, "-m"]
    reading = cost_of([*module, "bench.rating_reading", *files]).cpu
    whole = cost_of([str(Path(sys.executable).with_name("denwa")), "rate", *files, *ours])
    denwa = (reading, whole.cpu - reading, whole.memory)
    if not with_duckdb:
        return Round(denwa, (0.0, 0.0, 0.0))
    other = cost_of([*module, "bench.rating_duckdb", *files, *theirs])
    for name in ("rated", "months"):
        if digest(folder / f"{name}.csv") != digest(folder / f"{name}-duckdb.csv"):
            raise SystemExit(f"Denwa and DuckDB differ in {folder / name}.csv")
    loading, rating = (float(part) for part in other.printed.split())
    return Round(denwa, (loading, rating, other.memory))


def digest(file: Path) -> str:
    """Of the lines, whatever ends them."""
    made = hashlib.sha256()
    with file.open("rb") as stream:
        while piece := stream.read(1 << 20):
            made.update(piece.replace(b"\r", b""))
    return made.hexdigest()


def table(calls: int, subscribers: int, rounds: list[Round]) -> list[str]:
    """Markdown."""
    lines = [
        f"Measured {datetime.now(UTC):%Y-%m-%d} on {cpu_model()}, {calls:,} calls of {subscribers:,} subscribers, "
        f"rounds: {len(rounds)} (median, lowest–highest); Python {platform.python_version()}.",
        "",
        "| | reading, CPU s a million calls | after it, CPU s a million calls | peak memory, MB |",
        "| --- | ---: | ---: | ---: |",
    ]
    for name, title in (("denwa", "`denwa rate`"), ("duckdb", "DuckDB, one thread")):
        columns = list(zip(*(getattr(one, name) for one in rounds), strict=True))
        if not any(columns[0]):
            continue
        million = calls / 1_000_000
        cells = [_spread([value / million for value in column], 2) for column in columns[:2]]
        lines.append(f"| {title} | {cells[0]} | {cells[1]} | {_spread(list(columns[2]), 0)} |")
    if any(rounds[0].duckdb):
        lines += ["", "Both wrote the same rated calls and the same months."]
    return lines


def _spread(values: list[float], digits: int) -> str:
    middle = f"{median(values):.{digits}f}"
    return middle if len(values) == 1 else f"{middle} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench/run rating", description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--subscribers", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--alone", action="store_true", help="without DuckDB")
    parser.add_argument("--folder", type=Path, default=WORK, help="where the files are made while it runs")
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        subscribers, calls = folder / "subscribers.csv", folder / "calls.csv"
        # Not in this process: a child's peak memory begins with its parent's.
        sizes = [str(arguments.calls), str(arguments.subscribers)]
        cost_of([sys.executable, "-m", "bench.rating_files", *sizes, str(calls), str(subscribers)])
        rounds = [measure(subscribers, calls, folder, not arguments.alone) for _ in range(arguments.rounds)]
    lines = table(arguments.calls, arguments.subscribers, rounds)
    print("\n".join(lines))
    if arguments.write:
        write_between_markers(DOCUMENT, lines, MARKS)
    return 0


if __name__ == "__main__":
    sys.exit(main())
