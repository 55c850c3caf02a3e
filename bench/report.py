"""From single runs to the table of the documentation: ratios within a round, medians over the rounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

BEGIN = "<!-- bench:begin -->"
END = "<!-- bench:end -->"


@dataclass(frozen=True, slots=True)
class Operation:
    """What is measured, how fast it is offered (a second), and how many times Kamailio's cost it may take at most."""

    key: str
    title: str
    rate: int
    goal: float


@dataclass(frozen=True, slots=True)
class Run:
    """One server under one load.

    ``cpu_us`` is per successful operation, ``busy`` the share of core 0, ``rate`` what was reached a second.
    """

    round: int
    operation: str
    server: str
    offered: int
    rate: float
    succeeded: int
    failed: int
    retransmissions: int
    drops: int
    cpu_us: float
    busy: float
    memory_mb: float

    @property
    def clean(self) -> bool:
        """No failure, no retransmission by either side, no datagram thrown away."""
        return self.failed == self.retransmissions == self.drops == 0 and self.succeeded > 0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def ratios(runs: Sequence[Run], operation: str) -> list[float]:
    """Denwa's cost over Kamailio's, one figure for each round that has both (in the order of the rounds)."""
    cost: dict[tuple[int, str], float] = {
        (run.round, run.server): run.cpu_us for run in runs if run.operation == operation and run.succeeded
    }
    both = sorted({number for number, _ in cost if {(number, "denwa"), (number, "kamailio")} <= cost.keys()})
    return [cost[number, "denwa"] / cost[number, "kamailio"] for number in both]


def _spread(values: Sequence[float], digits: int) -> str:
    if not values:
        return "–"
    middle = f"{median(values):.{digits}f}"
    return middle if len(values) == 1 else f"{middle} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def comparison_table(runs: Sequence[Run], operations: Sequence[Operation]) -> list[str]:
    """Markdown rows: cost of both servers and the ratio, each as median (lowest–highest)."""
    lines = [
        "| operation | offered a second | Kamailio, µs CPU | Denwa, µs CPU | Denwa ÷ Kamailio | goal | met |",
        "| --- | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for operation in operations:
        found = ratios(runs, operation.key)
        if not found:
            continue
        costs = [
            _spread([r.cpu_us for r in runs if r.operation == operation.key and r.server == server and r.succeeded], 0)
            for server in ("kamailio", "denwa")
        ]
        met = "yes" if median(found) <= operation.goal else "no"
        lines.append(
            f"| {operation.title} | {operation.rate:,} | {costs[0]} | {costs[1]} | {_spread(found, 2)} "
            f"| ≤ {operation.goal:.1f} | {met} |"
        )
    return lines


def run_table(runs: Sequence[Run]) -> list[str]:
    """Markdown rows: what every single run counted."""
    lines = [
        "| round | operation | server | done a second | done | failed | sent again | UDP drops | µs CPU each "
        "| core 0 busy | memory, MiB |",
        "| ---: | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {r.round} | {r.operation} | {r.server} | {r.rate:,.0f} | {r.succeeded:,} | {r.failed} "
        f"| {r.retransmissions} | {r.drops} | {r.cpu_us:.0f} | {r.busy:.0%} | {r.memory_mb:.0f} |"
        for r in runs
    ]
    return lines


def capacity_lines(runs: Sequence[Run], operation: Operation) -> list[str]:
    """One sentence on the runs that must lose nothing."""
    mine = [run for run in runs if run.operation == operation.key and run.server == "denwa"]
    if not mine:
        return []
    verdict = "goal met" if all(run.clean for run in mine) else "goal not met"
    busy = _spread([run.busy * 100 for run in mine], 0)
    return [
        f"At {operation.rate:,} calls a second on one core: {sum(r.succeeded for r in mine):,} calls, "
        f"{sum(r.failed for r in mine)} failed, {sum(r.retransmissions for r in mine)} messages sent again, "
        f"{sum(r.drops for r in mine)} datagrams dropped; core {busy} % busy ({verdict})."
    ]


def write_between_markers(path: Path, lines: Sequence[str], marks: tuple[str, str] = (BEGIN, END)) -> None:
    """Replace what stands between the markers. Raises ValueError when the file has not exactly one pair of them."""
    begin, end = marks
    text = path.read_text(encoding="utf-8")
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise ValueError(f"{path}: needs one line {begin} and after it one line {end}")
    head, tail = text[: text.index(begin)], text[text.index(end) :]
    path.write_text(f"{head}{begin}\n" + "\n".join(lines) + f"\n{tail}", encoding="utf-8")
