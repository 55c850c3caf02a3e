"""From the entries of the plan's files to dated rules, each with the place where it is written."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

from denwa.numbering.reading import Country, NumberClass, RefusalReason
from denwa.numbering.schema import CountriesFile, JapanFile, OperatorFile, PlanFile, WorldFile
from denwa.numbering.tables import Bar, Block, DatedRule, Rule
from denwa.numbering.toml_lines import Location
from denwa.numbering.toml_source import Fault, TomlSource

OPERATOR_LAYER = 1  # the operator's 050 ranges replace the plan's
DIGITS_050 = 11
_FIXED_DIGITS = 10
_BAR_REASONS = {
    "emergency": RefusalReason.BARRED_EMERGENCY,
    "service": RefusalReason.BARRED_SERVICE,
    "carrier": RefusalReason.BARRED_CARRIER,
}


class PlacedRule(NamedTuple):
    """A rule, the group it belongs to (a field of DatedRules), and where it is written."""

    group: str
    rule: DatedRule
    source: TomlSource
    location: Location

    def fault(self, reason: str) -> Fault:
        return self.source.fault(self.location, reason)

    @property
    def place(self) -> str:
        return f"{self.source.path.name}, line {self.source.line_of(self.location)}"


class Dates(NamedTuple):
    """First and last day, both included; no day at all when they are the wrong way round."""

    valid_from: date
    valid_to: date


def dates_of(file: PlanFile, entry: object) -> Dates:
    """An entry is in force on the days that both it and its file name."""
    starts = [d for d in (file.valid_from, getattr(entry, "valid_from", None)) if d]
    ends = [d for d in (file.valid_to, getattr(entry, "valid_to", None)) if d]
    return Dates(max(starts, default=date.min), min(ends, default=date.max))


def rules_of(source: TomlSource, file: PlanFile) -> Iterator[PlacedRule]:
    """Every rule of a file that fits its schema."""
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


def _japan(source: TomlSource, file: JapanFile) -> Iterator[PlacedRule]:
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


def _abroad(source: TomlSource, file: CountriesFile) -> Iterator[PlacedRule]:
    for n, entry in enumerate(file.country):
        country = Country(entry.code, entry.name, entry.name_en)
        block = Block(NumberClass.INTERNATIONAL, *entry.digits, country)
        for k, prefix in enumerate(entry.prefixes):
            yield _place("abroad", prefix, block, source, ("country", n, "prefixes", k), file, entry)
    for n, excluded in enumerate(file.excluded):
        bar = _not_offered(excluded.name, excluded.name_en)
        for k, prefix in enumerate(excluded.prefixes):
            yield _place("abroad", prefix, bar, source, ("excluded", n, "prefixes", k), file, excluded)


def _operator(source: TomlSource, file: OperatorFile) -> Iterator[PlacedRule]:
    on_net = Block(NumberClass.ON_NET, DIGITS_050, DIGITS_050)
    for n, own in enumerate(file.own):
        yield _place("home", own.prefix, on_net, source, ("own", n, "prefix"), file, own, OPERATOR_LAYER)
    for key, entries, number_class in (
        ("partner", file.partner, NumberClass.PARTNER_050),
        ("paid", file.paid, NumberClass.PAID_050),
    ):
        block = Block(number_class, DIGITS_050, DIGITS_050)
        for n, entry in enumerate(entries):
            for k, prefix in enumerate(entry.prefixes):
                where: Location = (key, n, "prefixes", k)
                yield _place("home", prefix, block, source, where, file, entry, OPERATOR_LAYER)
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


def _place(
    group: str,
    prefix: str,
    rule: Rule,
    source: TomlSource,
    location: Location,
    file: PlanFile,
    entry: object,
    layer: int = 0,
) -> PlacedRule:
    return PlacedRule(group, DatedRule(prefix, rule, *dates_of(file, entry), layer), source, location)
