"""Prefix tables: what is known of a number from its first digits, one table per span of days without a change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import NamedTuple

from denwa.numbering.reading import Country, NumberClass, Reading, Refusal, RefusalReason


class Block(NamedTuple):
    """Numbers that can be called: ``least`` to ``most`` digits, the country code or leading 0 counted."""

    number_class: NumberClass
    least: int
    most: int
    country: Country | None = None
    area_digits: int = 0  # length of the area code with its 0; 0: not a fixed number


class Bar(NamedTuple):
    """Numbers that cannot be called, from ``least`` digits on; empty texts: the reason's usual words."""

    reason: RefusalReason
    text: str = ""
    text_ja: str = ""
    least: int = 1


Rule = Block | Bar


class DatedRule(NamedTuple):
    """A rule for a prefix from one day to another, both included. A higher layer replaces a lower one."""

    prefix: str
    rule: Rule
    valid_from: date
    valid_to: date
    layer: int = 0

    def in_force(self, on: date) -> bool:
        return self.valid_from <= on <= self.valid_to


class PrefixTable:
    """The longest prefix wins."""

    __slots__ = ("_beginnings", "_lengths", "_rules")

    def __init__(self, rules: Mapping[str, Rule]) -> None:
        self._rules = dict(rules)
        self._lengths = tuple(sorted({len(prefix) for prefix in rules}, reverse=True))
        self._beginnings = {prefix[:end] for prefix in rules for end in range(1, len(prefix))}

    def find(self, digits: str) -> Rule | None:
        """The rule of the longest prefix of ``digits``."""
        rules = self._rules
        for length in self._lengths:
            rule = rules.get(digits[:length])
            if rule is not None:
                return rule
        return None

    def within(self, beginning: str) -> Iterable[Rule]:
        """The rules that numbers with this beginning can meet."""
        covering = self.find(beginning)
        if covering is not None:
            yield covering
        yield from (rule for prefix, rule in self._rules.items() if prefix.startswith(beginning))

    def could_become_known(self, digits: str) -> bool:
        """Whether more digits could lead to a rule: the number is incomplete, not unknown."""
        return digits in self._beginnings

    def prefixes(self) -> Iterable[str]:
        """Every prefix that has a rule."""
        return self._rules.keys()

    def __len__(self) -> int:
        return len(self._rules)


@dataclass(slots=True)
class DatedRules:
    """All rules of the plan, before they are split by date."""

    home: list[DatedRule] = field(default_factory=list)  # dial strings of Japan
    after_area: list[DatedRule] = field(default_factory=list)  # whole short numbers: 03177
    abroad: list[DatedRule] = field(default_factory=list)  # E.164 digits
    barred_home: list[DatedRule] = field(default_factory=list)  # by the operator: nothing longer prevails
    barred_abroad: list[DatedRule] = field(default_factory=list)

    def all(self) -> tuple[list[DatedRule], ...]:
        return (self.home, self.after_area, self.abroad, self.barred_home, self.barred_abroad)


@dataclass(slots=True)
class Epoch:
    """The tables in force from ``start`` until the next epoch, and readings already made with them."""

    start: date
    home: PrefixTable
    after_area: Mapping[str, Rule]
    abroad: PrefixTable
    barred_home: PrefixTable
    barred_abroad: PrefixTable
    read_before: dict[str, Reading | Refusal] = field(default_factory=dict)


def compile_epochs(rules: DatedRules) -> list[Epoch]:
    """One epoch for every day on which something changes, in order of time."""
    starts = {rule.valid_from for group in rules.all() for rule in group}
    starts |= {rule.valid_to + timedelta(days=1) for group in rules.all() for rule in group if rule.valid_to < date.max}
    return [
        Epoch(
            start=start,
            home=PrefixTable(_in_force(rules.home, start)),
            after_area=_in_force(rules.after_area, start),
            abroad=PrefixTable(_in_force(rules.abroad, start)),
            barred_home=PrefixTable(_in_force(rules.barred_home, start)),
            barred_abroad=PrefixTable(_in_force(rules.barred_abroad, start)),
        )
        for start in sorted(starts)
    ]


def _in_force(rules: Iterable[DatedRule], on: date) -> dict[str, Rule]:
    found: dict[str, DatedRule] = {}
    for rule in rules:
        if rule.in_force(on) and (rule.prefix not in found or rule.layer >= found[rule.prefix].layer):
            found[rule.prefix] = rule
    return {prefix: rule.rule for prefix, rule in found.items()}
