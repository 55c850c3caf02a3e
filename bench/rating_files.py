"""Call files for measuring `denwa rate`: as many calls of as many subscribers as wanted, always the same ones.

python -m bench.rating_files CALLS SUBSCRIBERS calls.csv subscribers.csv
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

_SEED = 20_261_121
_AT_ONCE = 100_000
_FIRST_DAY = np.datetime64("2026-09-01")
_DAYS = 61
_CLASSES = ("fixed", "mobile", "paid-050", "partner-050", "on-net", "international")
_SHARES = (0.35, 0.38, 0.07, 0.05, 0.10, 0.05)
_FIRST_NUMBER = 5_050_010_000  # 050-5001-0000


def write_subscribers(file: Path, count: int) -> None:
    """Contracts with numbers that follow one another, of every billing day."""
    with file.open("w", encoding="ascii", newline="") as stream:
        stream.write("number,service_start,bill_day\r\n")
        stream.writelines(f"0{_FIRST_NUMBER + n},2026-0{n % 8 + 1}-01,{n % 28 + 1}\r\n" for n in range(count))


def write_calls(file: Path, count: int, subscribers: int) -> None:
    """Calls in the order in which they were answered over two months, with call ids in no order."""
    chance = np.random.default_rng(_SEED)
    span = _DAYS * 86_400_000
    with file.open("w", encoding="ascii", newline="") as stream:
        stream.write("call_id,subscriber,dialed,leg,answered_at,duration_ms,end_cause\r\n")
        for first in range(0, count, _AT_ONCE):
            rows = min(_AT_ONCE, count - first)
            names = (f"{n:016x}@192.0.2.{n % 250}" for n in chance.integers(0, 1 << 63, rows).tolist())
            callers = (chance.integers(0, subscribers, rows) + _FIRST_NUMBER).tolist()
            legs = np.where(chance.random(rows) < 0.1, "forwarded", "outgoing").tolist()
            at = np.sort(chance.integers(span * first // count, span * (first + rows) // count, rows))
            moments = np.datetime_as_string(_FIRST_DAY + at.astype("m8[ms]"), unit="ms").tolist()
            lengths = (chance.exponential(90_000, rows) + 1).astype(np.int64).tolist()
            causes = chance.choice(["caller", "callee", "network_fault"], rows, p=[0.5, 0.49, 0.01]).tolist()
            columns = (names, callers, _dialed(chance, rows), legs, moments, lengths, causes)
            stream.writelines(
                f"{name},0{caller},{dialed},{leg},{moment}+09:00,{length},{cause}\r\n"
                for name, caller, dialed, leg, moment, length, cause in zip(*columns, strict=True)
            )


def _dialed(chance: np.random.Generator, rows: int) -> list[str]:
    """Numbers of every class."""
    kinds = chance.choice(len(_CLASSES), rows, p=_SHARES)
    spans = {
        "fixed": ("0{}", 332_000_000, 360_000_000),  # 03
        "mobile": ("0{}", 9_000_000_000, 9_100_000_000),
        "paid-050": ("050{}", 60_000_000, 90_000_000),
        "partner-050": ("0501000{}", 1000, 10_000),
        "on-net": ("0505001{}", 1000, 10_000),
        "international": ("010886{}", 220_000_000, 230_000_000),
    }
    numbers = [chance.integers(low, high, rows).tolist() for _, low, high in spans.values()]
    patterns = [pattern for pattern, _, _ in spans.values()]
    return [patterns[kind].format(numbers[kind][row]) for row, kind in enumerate(kinds.tolist())]


if __name__ == "__main__":
    write_calls(Path(sys.argv[3]), int(sys.argv[1]), int(sys.argv[2]))
    write_subscribers(Path(sys.argv[4]), int(sys.argv[2]))
