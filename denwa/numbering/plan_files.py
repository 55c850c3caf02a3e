"""Loading the number plan: files checked against their schema, every fault told with file and line (T8)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from denwa.numbering.plan import NumberingPlan, OwnRange
from denwa.numbering.reading import Country, NumberClass, RefusalReason
from denwa.numbering.schema import (
    FILE_KINDS,
    CountriesFile,
    JapanFile,
    OperatorFile,
    PlanFile,
    WorldFile,
)
from denwa.numbering.tables import Bar, Block, DatedRule, DatedRules, Rule
from denwa.numbering.toml_source import Fault, Location, SourceFault, TomlSource

_OPERATOR_LAYER = 1  # the operator's 050 ranges replace the plan's
_050_DIGITS = 11
_FIXED_DIGITS = 10
_BAR_REASONS = {
    "emergency": RefusalReason.BARRED_EMERGENCY,
    "service": RefusalReason.BARRED_SERVICE,
    "carrier": RefusalReason.BARRED_CARRIER,
}


class PlanFault(Exception):
    """The number plan's files cannot be used: ``faults`` lists all of them, ``str()`` is one line for each."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(map(str, self.faults)))


class _Placed(NamedTuple):
    """A rule, the group it belongs to, and where it is written."""

    group: str
    rule: DatedRule
    source: TomlSource
    location: Location


def load_plan(directory: Path, operator_file: Path) -> NumberingPlan:
    """Every plan file (``*.toml``) of a directory and one operator's file. Raises PlanFault.

    Operators' files that lie in the directory are passed over, except the one that is asked for.
    """
    faults: list[Fault] = []
    files: list[tuple[TomlSource, PlanFile]] = []
    if not any(directory.glob("*.toml")):
        faults.append(Fault(directory, 1, "no number plan: the directory has no *.toml file"))
    wanted = operator_file.resolve()
    for path in [*sorted(p for p in directory.glob("*.toml") if p.resolve() != wanted), operator_file]:
        try:
            loaded = _load(path, operator=path is operator_file, faults=faults)
        except SourceFault as fault:
            faults.append(fault.fault)
            continue
        if loaded:
            files.append(loaded)
    placed = [rule for source, file in files for rule in _rules(source, file)]
    own = [found for source, file in files if isinstance(file, OperatorFile) for found in _own_ranges(source, file)]
    faults += _conflicts(placed)
    faults += _nested(own)
    if faults:
        raise PlanFault(faults)
    rules = DatedRules()
    for item in placed:
        getattr(rules, item.group).append(item.rule)
    return NumberingPlan(rules, [found for _, found in own], _countries(files))


def _load(path: Path, *, operator: bool, faults: list[Fault]) -> tuple[TomlSource, PlanFile] | None:
    source = TomlSource.read(path)
    kind = source.data.get("kind")
    if (kind == "operator") != operator:
        if operator:
            faults.append(source.fault(("kind",), 'an operator\'s file has kind = "operator"'))
        return None
    if not isinstance(kind, str) or kind not in FILE_KINDS:
        faults.append(source.fault(("kind",), f"kind must be one of {', '.join(sorted(FILE_KINDS))}"))
        return None
    try:
        return source, FILE_KINDS[kind].model_validate(source.data)
    except ValidationError as invalid:
        for error in invalid.errors():
            where = ".".join(str(step) for step in error["loc"])
            reason = error["msg"].removeprefix("Value error, ")
            faults.append(source.fault(tuple(error["loc"]), f"{where}: {reason}" if where else reason))
        return None


def _rules(source: TomlSource, file: PlanFile) -> Iterator[_Placed]:
    if isinstance(file, JapanFile):
        yield from _japan(source, file)
    elif isinstance(file, CountriesFile):
        yield from _abroad(source, file)
    elif isinstance(file, WorldFile):
        for code, name in file.codes.items():
            bar = _not_offered(name, f"+{code}")
            yield _place("abroad", code, bar, source, ("codes", code), file, file)
    else:
        yield from _operator(source, file)


def _japan(source: TomlSource, file: JapanFile) -> Iterator[_Placed]:
    for n, block in enumerate(file.block):
        known = Block(NumberClass(block.number_class), block.digits, block.digits)
        for k, prefix in enumerate(block.prefixes):
            yield _place("home", prefix, known, source, ("block", n, "prefixes", k), file, block)
    for n, entry in enumerate(file.bar):
        bar = Bar(
            _BAR_REASONS[entry.reason],
            f"{entry.name_en} cannot be called" if entry.name_en else "",
            f"{entry.name}にはおつなぎできません。" if entry.name else "",
            entry.least,
        )
        for k, prefix in enumerate(entry.prefixes):
            yield _place("home", prefix, bar, source, ("bar", n, "prefixes", k), file, entry)
    for n, area in enumerate(file.area):
        for k, code in enumerate(area.codes):
            fixed = Block(NumberClass.FIXED, _FIXED_DIGITS, _FIXED_DIGITS, area_digits=len(code))
            for m, prefix in enumerate(area.prefixes or [code]):
                key: Location = ("area", n, "prefixes", m) if area.prefixes else ("area", n, "codes", k)
                yield _place("home", prefix, fixed, source, key, file, area)
            for suffix in file.after_area:
                number = code + suffix
                short = Block(NumberClass.FIXED, len(number), len(number))
                yield _place("after_area", number, short, source, ("area", n, "codes", k), file, area)


def _abroad(source: TomlSource, file: CountriesFile) -> Iterator[_Placed]:
    for n, entry in enumerate(file.country):
        country = Country(entry.code, entry.name, entry.name_en)
        block = Block(NumberClass.INTERNATIONAL, *entry.digits, country)
        for k, prefix in enumerate(entry.prefixes):
            yield _place("abroad", prefix, block, source, ("country", n, "prefixes", k), file, entry)
    for n, excluded in enumerate(file.excluded):
        bar = _not_offered(excluded.name, excluded.name_en)
        for k, prefix in enumerate(excluded.prefixes):
            yield _place("abroad", prefix, bar, source, ("excluded", n, "prefixes", k), file, excluded)


def _operator(source: TomlSource, file: OperatorFile) -> Iterator[_Placed]:
    on_net = Block(NumberClass.ON_NET, _050_DIGITS, _050_DIGITS)
    for n, own in enumerate(file.own):
        yield _place("home", own.prefix, on_net, source, ("own", n, "prefix"), file, own, _OPERATOR_LAYER)
    for key, entries, number_class in (
        ("partner", file.partner, NumberClass.PARTNER_050),
        ("paid", file.paid, NumberClass.PAID_050),
    ):
        block = Block(number_class, _050_DIGITS, _050_DIGITS)
        for n, entry in enumerate(entries):
            for k, prefix in enumerate(entry.prefixes):
                where: Location = (key, n, "prefixes", k)
                yield _place("home", prefix, block, source, where, file, entry, _OPERATOR_LAYER)
    for n, barred in enumerate(file.bar):
        for k, prefix in enumerate(barred.prefixes):
            where = ("bar", n, "prefixes", k)
            if prefix.startswith("+"):
                bar = Bar(RefusalReason.BARRED_RANGE)
                yield _place("barred_abroad", prefix[1:], bar, source, where, file, barred)
            else:
                bar = Bar(RefusalReason.BARRED_SERVICE)
                yield _place("barred_home", prefix, bar, source, where, file, barred)


def _not_offered(name: str, name_en: str) -> Bar:
    return Bar(
        RefusalReason.COUNTRY_NOT_OFFERED,
        f"calls to {name_en} are not offered",
        f"国際電話({name})はご利用になれません。",
    )


class _Dates(NamedTuple):
    valid_from: date
    valid_to: date


def _dates(file: PlanFile, entry: object) -> _Dates:
    """An entry is in force on the days that both it and its file name."""
    starts = [d for d in (file.valid_from, getattr(entry, "valid_from", None)) if d]
    ends = [d for d in (file.valid_to, getattr(entry, "valid_to", None)) if d]
    return _Dates(max(starts, default=date.min), min(ends, default=date.max))


def _place(
    group: str,
    prefix: str,
    rule: Rule,
    source: TomlSource,
    location: Location,
    file: PlanFile,
    entry: object,
    layer: int = 0,
) -> _Placed:
    return _Placed(group, DatedRule(prefix, rule, *_dates(file, entry), layer), source, location)


def _conflicts(placed: list[_Placed]) -> Iterator[Fault]:
    """The same prefix twice on one day would make a number's class depend on the order of files."""
    seen: dict[tuple[str, str, int], list[_Placed]] = {}
    for item in placed:
        if item.group == "after_area":
            continue  # one area code may stand in several entries; its short number is the same in each
        others = seen.setdefault((item.group, item.rule.prefix, item.rule.layer), [])
        for other in others:
            if item.rule.valid_from <= other.rule.valid_to and other.rule.valid_from <= item.rule.valid_to:
                line = other.source.line_of(other.location)
                reason = f"prefix {item.rule.prefix} is already given in {other.source.path.name}, line {line}"
                yield item.source.fault(item.location, reason)
                break
        others.append(item)


def _own_ranges(source: TomlSource, file: OperatorFile) -> Iterator[tuple[Fault, OwnRange]]:
    """Each range with the fault it would be, should it overlap another."""
    for n, own in enumerate(file.own):
        rest = _050_DIGITS - len(own.prefix)
        e164 = "+81" + own.prefix[1:]
        found = OwnRange(e164 + "0" * rest, e164 + "9" * rest, len(e164) - 1, *_dates(file, own))
        yield source.fault(("own", n, "prefix"), "the range lies within another own range"), found


def _nested(own: list[tuple[Fault, OwnRange]]) -> Iterator[Fault]:
    for fault, inner in own:
        for _, outer in own:
            if inner.prefix_length > outer.prefix_length and outer.first <= inner.first <= outer.last:
                yield fault
                break


def _countries(files: list[tuple[TomlSource, PlanFile]]) -> list[Country]:
    """Countries and regions of the tariff in the order of the files, each once though it may have several entries."""
    found = {
        entry.code: Country(entry.code, entry.name, entry.name_en)
        for _, file in files
        if isinstance(file, CountriesFile)
        for entry in file.country
    }
    return list(found.values())
