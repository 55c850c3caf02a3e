"""Tariffs and tax rates as data: `<directory>/<name>/<date>.toml`, `<directory>/consumption-tax.toml` (T8).

Every file is checked against a schema when it is loaded; a fault names file and line, and all faults come at once.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from denwa.rating.tariff import PRICED_CLASSES, Price, Tariff, TariffBook, TaxClass
from denwa.rating.tax import TaxRate, TaxRates

TAX_FILE = "consumption-tax.toml"
_LINE = re.compile(r"\(at line (\d+)")
_HEADER = re.compile(r"\s*\[(\[?)\s*([A-Za-z0-9_.-]+)\s*\]\]?")
_KEY = re.compile(r"\s*([A-Za-z0-9_-]+)\s*=")


class FileFault(NamedTuple):
    """What is wrong where. `line` counts from 1; it is 1 when the fault is of the file as a whole."""

    file: Path
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}"


class TariffFault(Exception):
    """Tariff data cannot be used. `faults` holds all of them, the text one a line."""

    def __init__(self, faults: list[FileFault]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = faults


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Credit(_Row):
    yen: Annotated[int, Field(ge=0, le=1_000_000)]


class _Price(_Row):
    number_class: Annotated[
        Literal["on-net", "partner-050", "paid-050", "fixed", "mobile", "international"], Field(alias="class")
    ]
    unit_ms: Annotated[int, Field(ge=1, le=86_400_000)]
    yen_per_unit: Annotated[int, Field(ge=0, le=1_000_000)]
    tax: Literal["taxed", "exempt"]


class _TariffFile(_Row):
    format: Annotated[Literal[1], Field(alias="schema")]
    name: str
    valid_from: date
    credit: _Credit
    price: list[_Price]


class _Rate(_Row):
    valid_from: date
    percent: Annotated[int, Field(ge=0, le=100)]


class _TaxFile(_Row):
    format: Annotated[Literal[1], Field(alias="schema")]
    rate: Annotated[list[_Rate], Field(min_length=1)]


_Schema = TypeVar("_Schema", bound=_Row)
_Result = TypeVar("_Result")
_Path = tuple[int | str, ...]


def tariff_names(directory: Path) -> list[str]:
    """Names of the tariffs in `directory`, sorted."""
    return sorted(entry.name for entry in directory.iterdir() if entry.is_dir()) if directory.is_dir() else []


def load_tariff(directory: Path, name: str) -> TariffBook:
    """Every dated file of tariff `name`. Raises TariffFault."""
    folder = directory / name
    files = sorted(folder.glob("*.toml")) if name in tariff_names(directory) else []
    if not files:
        known = ", ".join(tariff_names(directory)) or "none"
        raise TariffFault([FileFault(folder, 1, f"no tariff {name!r} here (there are: {known})")])
    return TariffBook(name, _each(files, lambda file: _tariff(file, name)))


def load_tax_rates(directory: Path) -> TaxRates:
    """The consumption tax rates. Raises TariffFault."""
    file = directory / TAX_FILE
    rates, lines = _read(file, _TaxFile)
    seen: set[date] = set()
    faults = []
    for index, rate in enumerate(rates.rate):
        if rate.valid_from in seen:
            faults.append(
                FileFault(file, _line(lines, ("rate", index, "valid_from")), f"{rate.valid_from} comes twice")
            )
        seen.add(rate.valid_from)
    if faults:
        raise TariffFault(faults)
    return TaxRates(TaxRate(rate.valid_from, rate.percent) for rate in rates.rate)


def check_tariffs(directory: Path) -> list[FileFault]:
    """Faults of every tariff and of the tax rates under `directory`; empty when all can be used."""
    checks: list[Callable[[], object]] = [lambda: load_tax_rates(directory)]
    checks += [lambda name=name: load_tariff(directory, name) for name in tariff_names(directory)]  # type: ignore[misc]
    faults: list[FileFault] = []
    for check in checks:
        try:
            check()
        except TariffFault as fault:
            faults += fault.faults
    return faults


def _tariff(file: Path, name: str) -> Tariff:
    data, lines = _read(file, _TariffFile)
    faults = []
    if data.name != name:
        faults.append(FileFault(file, _line(lines, ("name",)), f"name {data.name!r} is not the folder's, {name!r}"))
    if data.valid_from.isoformat() != file.stem:
        faults.append(
            FileFault(file, _line(lines, ("valid_from",)), f"valid_from {data.valid_from} is not the file name's")
        )
    prices: dict[str, Price] = {}
    for index, row in enumerate(data.price):
        if row.number_class in prices:
            faults.append(
                FileFault(file, _line(lines, ("price", index, "class")), f"{row.number_class} has two prices")
            )
        prices[row.number_class] = Price(row.number_class, row.unit_ms, row.yen_per_unit, TaxClass(row.tax))
    missing = [c for c in PRICED_CLASSES if c not in prices]
    if missing:
        faults.append(FileFault(file, 1, f"no price for {', '.join(missing)}"))
    if faults:
        raise TariffFault(faults)
    return Tariff(name, data.valid_from, data.credit.yen, prices)


def _each(files: list[Path], load: Callable[[Path], _Result]) -> list[_Result]:
    results, faults = [], []
    for file in files:
        try:
            results.append(load(file))
        except TariffFault as fault:
            faults += fault.faults
    if faults:
        raise TariffFault(faults)
    return results


def _read(file: Path, schema: type[_Schema]) -> tuple[_Schema, dict[_Path, int]]:
    try:
        text = file.read_text(encoding="utf-8")
        data: dict[str, Any] = tomllib.loads(text)
    except OSError as fault:
        raise TariffFault([FileFault(file, 1, fault.strerror or "cannot be read")]) from None
    except UnicodeDecodeError as fault:
        line = fault.object[: fault.start].count(b"\n") + 1
        raise TariffFault([FileFault(file, line, "is not UTF-8")]) from None
    except tomllib.TOMLDecodeError as fault:
        found = _LINE.search(str(fault))
        line = int(found.group(1)) if found else text.count("\n") + 1
        raise TariffFault([FileFault(file, line, str(fault))]) from None
    lines = _line_numbers(text)
    try:
        return schema.model_validate(data), lines
    except ValidationError as invalid:
        raise TariffFault([_explain(file, lines, error["loc"], error["msg"]) for error in invalid.errors()]) from None


def _explain(file: Path, lines: dict[_Path, int], path: _Path, message: str) -> FileFault:
    where = ".".join(str(part) for part in path)
    return FileFault(file, _line(lines, path), f"{where}: {message}")


def _line_numbers(text: str) -> dict[_Path, int]:
    """Line of each table and key. Good for plain tables, which is all that these files use."""
    lines: dict[_Path, int] = {}
    counts: dict[str, int] = {}
    table: _Path = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            name = header.group(2)
            if header.group(1):
                counts[name] = counts.get(name, -1) + 1
                table = (*name.split("."), counts[name])
            else:
                table = tuple(name.split("."))
            lines.setdefault(table, number)
        elif key := _KEY.match(line):
            lines.setdefault((*table, key.group(1)), number)
    return lines


def _line(lines: dict[_Path, int], path: _Path) -> int:
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)
