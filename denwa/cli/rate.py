"""`denwa rate`: rates files offline, with the engine that rates live calls."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import click

from denwa.cli.main import StateError, settings_of
from denwa.cli.rating_data import load_rating_data
from denwa.config.settings import ConfigurationError
from denwa.numbering import PlanFault, load_plan
from denwa.rating.csv_rows import CsvFault, CsvRows, csv_line
from denwa.rating.file_rating import SUBSCRIBER_COLUMNS, FileRating
from denwa.rating.files.faults import RowFault
from denwa.rating.files.rejects import REJECT_COLUMNS, Rejects

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEPT_BYTES = 256 << 20
_SHOWN = 20  # rejects told on stderr when no file was named for them
_READABLE = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)
_WRITABLE = click.Path(dir_okay=False, writable=True, path_type=Path)


@click.command()
@click.option("--subscribers", required=True, type=_READABLE, help="number,service_start,bill_day")
@click.option("--calls", required=True, type=_READABLE, help="call_id,subscriber,dialed,leg,answered_at,…")
@click.option("--out", required=True, type=_WRITABLE, help="rated calls, sorted by call_id")
@click.option("--months", required=True, type=_WRITABLE, help="sums per subscriber and billing month")
@click.option("--providers", type=_READABLE, help="own and partner ranges (default: the configured ones)")
@click.option("--tariff", help="name of the tariff (default: the configured one)")
@click.option("--bad", type=_WRITABLE, help="file for rows that cannot be rated: line,call_id,problem")
@click.pass_context
def rate(
    ctx: click.Context,
    subscribers: Path,
    calls: Path,
    out: Path,
    months: Path,
    providers: Path | None,
    tariff: str | None,
    bad: Path | None,
) -> None:
    """Rate call records from CSV files. 通話記録のファイルを料金計算します。"""
    _keep_freed_memory()
    settings = settings_of(ctx)
    data = load_rating_data(settings, tariff)
    try:
        plan = load_plan(settings.numbering.directory, providers or settings.numbering.operator_file)
    except PlanFault as fault:
        raise ConfigurationError(str(fault)) from None
    try:
        # Beside the result, where there is room for it; a folder for temporary files may be memory.
        rating = FileRating(data.tariffs, data.tax, plan, out.parent)
        faulty = read_subscribers(rating.add_subscriber, subscribers)
        with _progress("reading", calls.stat().st_size) as advance:
            rating.read_calls(calls, advance)
        with _progress("sorting", rating.calls) as advance:
            results = rating.results(advance)
        with _progress("writing", results.calls) as advance, _written(out) as file:
            for count, lines in results.rated:
                file.write(lines)
                advance(count)
        with _written(months) as file:
            file.writelines(line.encode() for line in results.months)
        if bad is not None:
            with _written(bad) as file:
                file.writelines(_escaped(csv_line(reject)) for reject in (REJECT_COLUMNS, *rating.rejects))
    except CsvFault as fault:
        raise StateError(str(fault)) from None
    except OSError as fault:
        raise StateError(f"{fault.filename or out}: {fault.strerror}") from None
    _report(faulty, rating.rejects, calls, bad)


def _keep_freed_memory() -> None:
    """Columns of a block come and go by the thousand: what is freed is not given back to the system, which would clear
    every page before it lends it again (mallopt(3); another C library does as it likes)."""
    with suppress(OSError, AttributeError):
        options = ctypes.CDLL(None).mallopt
        options(_M_TRIM_THRESHOLD, _KEPT_BYTES)
        options(_M_MMAP_THRESHOLD, _KEPT_BYTES)


def read_subscribers(add: Callable[[int, str, str, str], None], file: Path) -> list[str]:
    """Give every row of the subscribers file to `add`; what is wrong, with file and line."""
    faults: list[str] = []
    rows = CsvRows(file, SUBSCRIBER_COLUMNS, lambda line, problem: faults.append(f"{file}:{line}: {problem}"))
    for number, service_start, bill_day in rows:
        try:
            add(rows.line, number, service_start, bill_day)
        except RowFault as fault:
            faults.append(f"{file}:{rows.line}: {fault}")
    return faults


def _escaped(line: str) -> bytes:
    """What came in as no UTF-8 goes into the rejects as an escape."""
    return line.encode(errors="backslashreplace")


def _report(faulty: list[str], rejects: Rejects, calls: Path, bad: Path | None) -> None:
    if not faulty and not len(rejects):
        return
    told = list(faulty)
    if len(rejects) and bad is None:
        told += [f"{calls}:{line}: {call_id}: {problem}" for line, call_id, problem in islice(rejects, _SHOWN)]
        if len(rejects) > _SHOWN:
            told.append(f"… and {len(rejects) - _SHOWN} more; name a file with --bad to get them all")
    if len(rejects):
        told.append(f"{len(rejects)} rows of {calls} could not be rated" + (f", see {bad}" if bad else ""))
    raise StateError("\n".join(told))


@contextmanager
def _progress(label: str, length: int) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal; otherwise nothing."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    with click.progressbar(length=length, label=label, file=sys.stderr) as bar:
        yield bar.update


@contextmanager
def _written(file: Path) -> Iterator[BinaryIO]:
    """A file that appears whole or not at all."""
    unfinished = file.with_name(file.name + ".unfinished")
    try:
        with unfinished.open("wb") as stream:
            yield stream
        unfinished.replace(file)
    except BaseException as fault:
        unfinished.unlink(missing_ok=True)
        if isinstance(fault, OSError):
            raise StateError(f"{file}: {fault.strerror}") from None
        raise
