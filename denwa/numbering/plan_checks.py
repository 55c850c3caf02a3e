"""What a file's schema cannot see: entries that contradict one another or could never have an effect (T8)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from denwa.numbering.number import country_code
from denwa.numbering.plan_rules import OPERATOR_LAYER, PlacedRule
from denwa.numbering.reading import Country, NumberClass
from denwa.numbering.schema import CountriesFile, PlanFile, WorldFile
from denwa.numbering.spelling import COUNTRY_CODE
from denwa.numbering.tables import Block, DatedRule
from denwa.numbering.toml_source import Fault, TomlSource

_050_CLASSES = {NumberClass.PARTNER_050: "a partner's", NumberClass.PAID_050: "a paid"}


def check_plan(files: Sequence[tuple[TomlSource, PlanFile]], rules: Sequence[PlacedRule]) -> Iterator[Fault]:
    """Every fault of files that each fit their schema."""
    yield from _same_prefix(rules)
    yield from _own_ranges(rules)
    yield from _without_effect(rules)
    for source, file in files:
        if isinstance(file, WorldFile):
            yield from _country_codes(source, file)
    yield from _country_names(files)


def _same_prefix(rules: Iterable[PlacedRule]) -> Iterator[Fault]:
    """The same prefix twice on one day would make a number's class depend on the order of files."""
    seen: dict[tuple[str, str, int], list[PlacedRule]] = {}
    for item in rules:
        if item.group == "after_area":
            continue  # one area code may stand in several entries; its short number is the same in each
        others = seen.setdefault((item.group, item.rule.prefix, item.rule.layer), [])
        for other in others:
            if _meet(item.rule, other.rule):
                yield item.fault(f"prefix {item.rule.prefix} is already given in {other.place}")
                break
        others.append(item)


def _own_ranges(rules: Iterable[PlacedRule]) -> Iterator[Fault]:
    """N1: no number is in two own ranges, and none of an own range is a partner's by a longer prefix.

    The other way round is in order: who got an own range out of a partner's has the longer prefix.
    """
    given = [item for item in rules if item.group == "home" and item.rule.layer == OPERATOR_LAYER]
    own = [item for item in given if item.rule.rule.number_class is NumberClass.ON_NET]  # type: ignore[union-attr]
    for inner in given:
        for outer in own:
            longer = len(inner.rule.prefix) > len(outer.rule.prefix)
            if longer and inner.rule.prefix.startswith(outer.rule.prefix) and _meet(inner.rule, outer.rule):
                yield inner.fault(_within_own(inner, outer))
                break


def _within_own(inner: PlacedRule, outer: PlacedRule) -> str:
    assert isinstance(inner.rule.rule, Block)
    whose = _050_CLASSES.get(inner.rule.rule.number_class)
    if whose is None:
        return f"the range lies within another own range, {outer.rule.prefix} ({outer.place})"
    return f"{whose} range {inner.rule.prefix} lies within own range {outer.rule.prefix} ({outer.place})"


def _without_effect(rules: Iterable[PlacedRule]) -> Iterator[Fault]:
    """Entries that no number can ever meet: they are written wrong, or stand in the wrong file."""
    said: set[tuple[TomlSource, object]] = set()
    for item in rules:
        prefix, rule = item.rule.prefix, item.rule.rule
        entry = (item.source, item.location[:2])
        if item.rule.valid_to < item.rule.valid_from and entry not in said:
            said.add(entry)
            yield item.source.fault(item.location[:2], "never in force: its days and its file's days do not meet")
        if isinstance(rule, Block) and len(prefix) > rule.most:
            yield item.fault(f"prefix {prefix} is longer than the numbers, which have {rule.most} digits")
        if item.group in ("abroad", "barred_abroad") and prefix.startswith(COUNTRY_CODE):
            yield item.fault(f"prefix {prefix} is in Japan, which is no country abroad")


def _country_codes(source: TomlSource, file: WorldFile) -> Iterator[Fault]:
    for code in file.codes:
        if country_code(f"+{code}".ljust(4, "0")) != code:
            yield source.fault(("codes", code), f"{code} is not a country code of ITU-T E.164")


def _country_names(files: Iterable[tuple[TomlSource, PlanFile]]) -> Iterator[Fault]:
    """A country may have several entries, with one name."""
    known: dict[str, Country] = {}
    for source, file in files:
        for n, entry in enumerate(file.country if isinstance(file, CountriesFile) else ()):
            country = Country(entry.code, entry.name, entry.name_en)
            first = known.setdefault(entry.code, country)
            if first != country:
                yield source.fault(
                    ("country", n), f"{entry.code} is {first.name} ({first.name_en}) in an earlier entry"
                )


def _meet(one: DatedRule, other: DatedRule) -> bool:
    """Whether there is a day on which both are in force."""
    return max(one.valid_from, other.valid_from) <= min(one.valid_to, other.valid_to)
