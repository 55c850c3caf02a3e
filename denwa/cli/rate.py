"""`denwa rate`: rates files offline, with the engine that rates live calls."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO

import click

from denwa.cli.main import StateError, settings_of
from denwa.cli.rating_desk import load_rating_data
from denwa.config.settings import ConfigurationError
from denwa.numbering import PlanFault, load_plan
from denwa.rating.csv_rows import CsvFault, CsvRows, csv_line
from denwa.rating.file_rating import CALL_COLUMNS, REJECT_COLUMNS, SUBSCRIBER_COLUMNS, FileRating, RowFault, add_rows

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
    settings = settings_of(ctx)
    data = load_rating_data(settings, tariff)
    try:
        plan = load_plan(settings.numbering.directory, providers or settings.numbering.operator_file)
    except PlanFault as fault:
        raise ConfigurationError(str(fault)) from None
    rating = FileRating(data.tariffs, data.tax, plan)
    with _no_garbage():
        try:
            faulty = _read_subscribers(rating, subscribers)
            rejects = _read_calls(rating, calls)
        except CsvFault as fault:
            raise StateError(str(fault)) from None
        rated_lines, month_lines = rating.results()
        with _written(out) as file:
            file.writelines(rated_lines)
        with _written(months) as file:
            file.writelines(month_lines)
    if bad is not None:
        with _written(bad) as file:
            file.write(csv_line(REJECT_COLUMNS))
            file.writelines(csv_line(reject) for reject in rejects)
    _report(faulty, rejects, calls, bad)


def _read_subscribers(rating: FileRating, file: Path) -> list[str]:
    faults: list[str] = []
    rows = CsvRows(file, SUBSCRIBER_COLUMNS, lambda line, problem: faults.append(f"{file}:{line}: {problem}"))
    for number, service_start, bill_day in rows:
        try:
            rating.add_subscriber(rows.line, number, service_start, bill_day)
        except RowFault as fault:
            faults.append(f"{file}:{rows.line}: {fault}")
    return faults


def _read_calls(rating: FileRating, file: Path) -> list[tuple[int, str, str]]:
    rejects: list[tuple[int, str, str]] = []
    rows = CsvRows(file, CALL_COLUMNS, lambda line, problem: rejects.append((line, "", problem)))
    add_rows(rows, rating.add_call, lambda call_id, problem: rejects.append((rows.line, call_id, problem)))
    return rejects


def _report(faulty: list[str], rejects: list[tuple[int, str, str]], calls: Path, bad: Path | None) -> None:
    if not faulty and not rejects:
        return
    told = list(faulty)
    if rejects and bad is None:
        told += [f"{calls}:{line}: {call_id}: {problem}" for line, call_id, problem in rejects[:_SHOWN]]
        if len(rejects) > _SHOWN:
            told.append(f"… and {len(rejects) - _SHOWN} more; name a file with --bad to get them all")
    if rejects:
        told.append(f"{len(rejects)} rows of {calls} could not be rated" + (f", see {bad}" if bad else ""))
    raise StateError("\n".join(told))


@contextmanager
def _no_garbage() -> Iterator[None]:
    """Millions of rows are kept and none of them in a cycle: the collector would only walk through them."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def _written(file: Path) -> Iterator[TextIO]:
    """A file that appears whole or not at all."""
    unfinished = file.with_name(file.name + ".unfinished")
    with ExitStack() as stack:
        try:
            # What came in as no UTF-8 goes into the rejects as an escape.
            stream = stack.enter_context(unfinished.open("w", encoding="utf-8", errors="backslashreplace", newline=""))
            yield stream
            stack.close()
            unfinished.replace(file)
        except OSError as fault:
            unfinished.unlink(missing_ok=True)
            raise StateError(f"{file}: {fault.strerror}") from None
