"""Tariffs and tax rates as data: `<directory>/<name>/<date>.toml`, `<directory>/consumption-tax.toml` (T8).

Every file is checked against a schema when it is loaded; a fault names file and line, and all faults come at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from denwa.numbering.plan import NumberingPlan
from denwa.numbering.toml_source import DataFault, Fault, SourceFault, TomlSource, in_order, spelled
from denwa.rating.tariff import PRICED_CLASSES, Price, Tariff, TariffBook, TaxClass
from denwa.rating.tax import TaxRate, TaxRates

TAX_FILE = "consumption-tax.toml"
_DAY = timedelta(days=1)


class TariffFault(DataFault):
    """Tariff data cannot be used."""


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Credit(_Row):
    yen: Annotated[int, Field(ge=0, le=1_000_000)]


_Range = Annotated[str, spelled(r"\+[1-9][0-9]{0,13}", "a range of numbers: + and the country code, and more digits")]


class _Price(_Row):
    """With `ranges` the price of those numbers of the class only; the longest range wins."""

    number_class: Annotated[
        Literal["on-net", "partner-050", "paid-050", "fixed", "mobile", "international"], Field(alias="class")
    ]
    unit_ms: Annotated[int, Field(ge=1, le=86_400_000)]
    yen_per_unit: Annotated[int, Field(ge=0, le=1_000_000)]
    tax: Literal["taxed", "exempt"]
    ranges: Annotated[list[_Range], Field(min_length=1)] | None = None

    def made(self) -> Price:
        return Price(self.number_class, self.unit_ms, self.yen_per_unit, TaxClass(self.tax))


class _TariffFile(_Row):
    format: Annotated[Literal[1], Field(alias="schema")]
    name: str
    valid_from: date
    valid_to: date | None = None  # absent: until the next file's first day
    credit: _Credit
    price: list[_Price]


class _Rate(_Row):
    valid_from: date
    percent: Annotated[int, Field(ge=0, le=100)]


class _TaxFile(_Row):
    format: Annotated[Literal[1], Field(alias="schema")]
    rate: Annotated[list[_Rate], Field(min_length=1)]


class _Loaded(NamedTuple):
    source: TomlSource
    file: _TariffFile


def tariff_names(directory: Path) -> list[str]:
    """Names of the tariffs in `directory`, sorted."""
    return sorted(entry.name for entry in directory.iterdir() if entry.is_dir()) if directory.is_dir() else []


def load_tariff(directory: Path, name: str) -> TariffBook:
    """Every dated file of tariff `name`. Raises TariffFault."""
    faults: list[Fault] = []
    loaded = _load_all(directory, name, faults)
    if faults:
        raise TariffFault(faults)
    return TariffBook(name, [_tariff(each.file) for each in loaded])


def _load_all(directory: Path, name: str, faults: list[Fault]) -> list[_Loaded]:
    folder = directory / name
    names = tariff_names(directory)
    if name not in names:
        known = ", ".join(names) or "none"
        faults.append(Fault(folder, 1, f"no tariff {name!r} here (there are: {known})"))
        return []
    files = sorted(folder.glob("*.toml"))
    loaded = [found for file in files if (found := _load(file, faults))]
    if not files:
        faults.append(Fault(folder, 1, "the tariff has no file: DATE.toml, the date being its first day"))
    for each in loaded:
        faults += _check(each, name)
    faults += _check_days(sorted(loaded, key=lambda each: each.file.valid_from))
    return loaded


def load_tax_rates(directory: Path) -> TaxRates:
    """The consumption tax rates, in the order of their days. Raises TariffFault."""
    faults: list[Fault] = []
    file = None
    try:
        source = TomlSource.read(directory / TAX_FILE)
        file = source.validated(_TaxFile, faults)
    except SourceFault as fault:
        faults.append(fault.fault)
    if file is None:
        raise TariffFault(faults)
    days = [rate.valid_from for rate in file.rate]
    for index in range(1, len(days)):
        if days[index] <= days[index - 1]:
            what = "comes twice" if days[index] in days[:index] else f"stands after {days[index - 1]}: oldest first"
            faults.append(source.fault(("rate", index, "valid_from"), f"{days[index]} {what}"))
    if faults:
        raise TariffFault(faults)
    return TaxRates(TaxRate(rate.valid_from, rate.percent) for rate in file.rate)


def check_tariffs(directory: Path, plan: NumberingPlan | None = None) -> list[Fault]:
    """Faults of every tariff and of the tax rates under `directory`; empty when all can be used.

    With the number plan, ranges in which no number is of the class are faults too.
    """
    faults: list[Fault] = []
    try:
        load_tax_rates(directory)
    except TariffFault as fault:
        faults += fault.faults
    for name in tariff_names(directory):
        loaded = _load_all(directory, name, faults)
        if plan is not None:
            faults += (fault for each in loaded for fault in _check_ranges(each, plan))
    for stray in sorted(directory.glob("*.toml")):
        if stray.name != TAX_FILE:
            faults.append(Fault(stray, 1, "not read: a tariff is a folder NAME with files DATE.toml"))
    return in_order(faults)


def _load(path: Path, faults: list[Fault]) -> _Loaded | None:
    try:
        source = TomlSource.read(path)
    except SourceFault as fault:
        faults.append(fault.fault)
        return None
    file = source.validated(_TariffFile, faults)
    return _Loaded(source, file) if file else None


def _check(loaded: _Loaded, name: str) -> Iterator[Fault]:
    source, file = loaded
    if file.name != name:
        yield source.fault(("name",), f"name {file.name!r} is not the folder's, {name!r}")
    if file.valid_from.isoformat() != source.path.stem:
        yield source.fault(("valid_from",), f"valid_from {file.valid_from} is not the file name's")
    if file.valid_to and file.valid_to < file.valid_from:
        yield source.fault(("valid_to",), "valid_to is before valid_from")
    priced: set[str] = set()
    ranges: set[tuple[str, str]] = set()
    for index, row in enumerate(file.price):
        for place, prefix in enumerate(row.ranges or ()):
            if (row.number_class, prefix) in ranges:
                reason = f"range {prefix} of {row.number_class} has two prices"
                yield source.fault(("price", index, "ranges", place), reason)
            ranges.add((row.number_class, prefix))
        if row.ranges is not None:
            continue
        if row.number_class in priced:
            yield source.fault(("price", index, "class"), f"{row.number_class} has two prices")
        priced.add(row.number_class)
    missing = [name for name in PRICED_CLASSES if name not in priced]
    if missing:
        yield source.fault((), f"no price for {', '.join(missing)}")


def _check_ranges(loaded: _Loaded, plan: NumberingPlan) -> Iterator[Fault]:
    for index, row in enumerate(loaded.file.price):
        for place, prefix in enumerate(row.ranges or ()):
            if row.number_class not in plan.classes_within(prefix):
                reason = f"no number in {prefix} is of class {row.number_class}"
                yield loaded.source.fault(("price", index, "ranges", place), reason)


def _check_days(loaded: Sequence[_Loaded]) -> Iterator[Fault]:
    """From the first tariff's first day on, every day has exactly one tariff, unless the last one ends."""
    for earlier, later in pairwise(loaded):
        start, end = later.file.valid_from, earlier.file.valid_to
        name = later.source.path.name
        if start == earlier.file.valid_from:
            yield later.source.fault(("valid_from",), f"{earlier.source.path.name} starts on {start} too")
        elif end and end >= start:
            yield earlier.source.fault(
                ("valid_to",), f"two tariffs from {start} to {end}: {name} starts before the end"
            )
        elif end and end + _DAY < start:
            gap = f"from {end + _DAY} to {start - _DAY}"
            yield earlier.source.fault(("valid_to",), f"no tariff {gap}: {name} starts later than the day after")


def _tariff(file: _TariffFile) -> Tariff:
    prices: dict[str, Price] = {row.number_class: row.made() for row in file.price if row.ranges is None}
    ranges: dict[str, dict[str, Price]] = {}
    for row in file.price:
        for prefix in row.ranges or ():
            ranges.setdefault(row.number_class, {})[prefix] = row.made()
    return Tariff(file.name, file.valid_from, file.credit.yen, prices, file.valid_to, ranges)
