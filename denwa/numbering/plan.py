"""How a dialled number is read: class or refusal with a reason (N3-N7), by the plan in force on a day."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from denwa.numbering.number import PhoneNumber
from denwa.numbering.reading import CallerId, Country, NumberClass, Reading, Refusal, RefusalReason, refusal
from denwa.numbering.spelling import (
    COUNTRY_CODE,
    HIDE_PREFIX,
    INTERNATIONAL_PREFIX,
    SHOW_PREFIX,
    NumberFault,
    canonical,
    dial_string,
)
from denwa.numbering.tables import Bar, Block, DatedRules, Epoch, PrefixTable, compile_epochs

_KEPT_READINGS = 8192  # per epoch; readings of the same numbers come again and again
_KEPT_LENGTH = 48  # nobody fills the memory with long spellings
_E164_DIGITS = 15
_CALLER_ID: dict[str, CallerId] = {HIDE_PREFIX: "hide", SHOW_PREFIX: "show"}


class OwnRange(NamedTuple):
    """A range of the operator: ``first`` and ``last`` in E.164, ``prefix_length`` in digits after the ``+``."""

    first: str
    last: str
    prefix_length: int
    valid_from: date
    valid_to: date


class NumberingPlan:
    """The number plan with all its dates. Made by ``load_plan``; reading is pure, quick and safe between threads."""

    def __init__(self, rules: DatedRules, own_ranges: Sequence[OwnRange], countries: Sequence[Country]) -> None:
        self.own_ranges = tuple(own_ranges)
        self.countries = tuple(countries)
        self._epochs = compile_epochs(rules)
        self._starts = [epoch.start for epoch in self._epochs]

    def own_ranges_on(self, on: date) -> tuple[OwnRange, ...]:
        """The ranges numbers may be given from on a day, in the order of the operator's file (N1)."""
        return tuple(own for own in self.own_ranges if own.valid_from <= on <= own.valid_to)

    def read(self, dialled: str, on: date) -> Reading | Refusal:
        """What a dialled number is on a day. Never raises.

        ``dialled``: the user part of a SIP URI, a ``tel:`` number or any spelling of N3, 184 or 186 in front or not.
        """
        epoch = self._epoch(on)
        if epoch is None:
            return refusal(RefusalReason.UNKNOWN_BLOCK, text="no number plan is in force on this day")
        known = epoch.read_before.get(dialled)
        if known is not None:
            return known
        reading = _read(dialled, epoch)
        if len(dialled) <= _KEPT_LENGTH:
            if len(epoch.read_before) >= _KEPT_READINGS:
                epoch.read_before = {}
            epoch.read_before[dialled] = reading
        return reading

    def class_of(self, dialled: str, on: date) -> NumberClass | Refusal:
        """The class that `read` gives, alone, for whoever reads millions of different numbers."""
        epoch = self._epoch(on)
        if epoch is not None and dialled[:1] == "0" and dialled.isascii() and dialled.isdigit():
            block = _plain_block(dialled, epoch)
            if block is not None:
                return block.number_class
        reading = self.read(dialled, on)
        return reading.number_class if isinstance(reading, Reading) else reading

    def classes_within(self, beginning: str) -> frozenset[NumberClass]:
        """The classes that numbers with this beginning (E.164, ``+`` in front) have on any day."""
        home = beginning.startswith("+" + COUNTRY_CODE)
        digits = "0" + beginning[1 + len(COUNTRY_CODE) :] if home else beginning[1:]
        tables = [epoch.home if home else epoch.abroad for epoch in self._epochs]
        rules = (rule for table in tables for rule in table.within(digits))
        return frozenset(rule.number_class for rule in rules if isinstance(rule, Block))

    def beginnings_on(self, on: date) -> tuple[date, frozenset[str]]:
        """For whoever reads millions of numbers at once: since when numbers are read as on that day, and by what.

        Two numbers of one length above 8, all digits and the first of them 0, have the same `class_of` when they begin
        with the same of these beginnings; but for those behind 010 81, which are numbers of Japan.
        """
        epoch = self._epoch(on)
        if epoch is None:
            return date.min, frozenset()
        abroad = [*epoch.abroad.prefixes(), *epoch.barred_abroad.prefixes()]
        home = [*epoch.home.prefixes(), *epoch.barred_home.prefixes(), INTERNATIONAL_PREFIX]
        return epoch.start, frozenset([*home, *(INTERNATIONAL_PREFIX + prefix for prefix in abroad)])

    def grouped(self, number: PhoneNumber, on: date) -> str:
        """With hyphens where the area code ends: ``0123-45-6789``."""
        digits = number.national()
        epoch = self._epoch(on)
        rule = epoch.home.find(digits) if epoch and number.domestic else None
        if not isinstance(rule, Block) or not rule.area_digits or len(digits) != rule.most:
            return number.grouped()
        return f"{digits[: rule.area_digits]}-{digits[rule.area_digits : -4]}-{digits[-4:]}"

    def _epoch(self, on: date) -> Epoch | None:
        index = bisect_right(self._starts, on)
        return self._epochs[index - 1] if index else None


def _plain_block(dialled: str, epoch: Epoch) -> Block | None:
    """The block of a complete number that was dialled in plain digits; None: it takes `_read` to say what it is."""
    if not dialled.startswith(INTERNATIONAL_PREFIX):
        digits, barred, table = dialled, epoch.barred_home, epoch.home
        rule = epoch.after_area.get(digits) or table.find(digits)
    else:
        digits, barred, table = dialled[len(INTERNATIONAL_PREFIX) :], epoch.barred_abroad, epoch.abroad
        if digits.startswith(("0", COUNTRY_CODE)) or len(digits) > _E164_DIGITS:
            return None
        rule = table.find(digits)
    if isinstance(rule, Block) and rule.least <= len(digits) <= rule.most and barred.find(digits) is None:
        return rule
    return None


def _read(dialled: str, epoch: Epoch) -> Reading | Refusal:
    caller_id: CallerId = "default"
    try:
        digits = dial_string(dialled)
        prefix = digits[:3]
        if prefix in _CALLER_ID:
            caller_id = _CALLER_ID[prefix]
            digits = digits[3:]
            if not digits:
                raise NumberFault(f"the number after {prefix} is missing", incomplete=True)
        foreign, digits = canonical(digits)
    except NumberFault as fault:
        reason = RefusalReason.TOO_SHORT if fault.incomplete else RefusalReason.INVALID
        return refusal(reason, caller_id, text=str(fault))
    return _read_abroad(digits, epoch, caller_id) if foreign else _read_home(digits, epoch, caller_id)


def _read_home(digits: str, epoch: Epoch, caller_id: CallerId) -> Reading | Refusal:
    if digits[0] in "23456789":
        return refusal(RefusalReason.TOO_SHORT, caller_id, text="the area code is missing")
    if epoch.barred_home.find(digits) is not None:
        return refusal(RefusalReason.BARRED_SERVICE, caller_id)
    rule = epoch.after_area.get(digits) or epoch.home.find(digits)
    if isinstance(rule, Bar):
        return _barred(rule, digits, caller_id)
    if not digits.isdigit():
        return refusal(RefusalReason.INVALID, caller_id)
    if rule is None:
        return _unknown(epoch.home, digits, caller_id)
    return _complete(rule, digits, "+81" + digits[1:], caller_id)


def _read_abroad(digits: str, epoch: Epoch, caller_id: CallerId) -> Reading | Refusal:
    if epoch.barred_abroad.find(digits) is not None:
        return refusal(RefusalReason.BARRED_RANGE, caller_id)
    rule = epoch.abroad.find(digits)
    if isinstance(rule, Bar):
        return _barred(rule, digits, caller_id)
    if len(digits) > _E164_DIGITS:
        return refusal(RefusalReason.TOO_LONG, caller_id)
    if rule is None:
        return _unknown(epoch.abroad, digits, caller_id)
    return _complete(rule, digits, "+" + digits, caller_id)


def _barred(bar: Bar, digits: str, caller_id: CallerId) -> Refusal:
    reason = bar.reason if len(digits) >= bar.least else RefusalReason.TOO_SHORT
    if reason is not bar.reason:
        return refusal(reason, caller_id)
    return refusal(reason, caller_id, text=bar.text, text_ja=bar.text_ja)


def _unknown(table: PrefixTable, digits: str, caller_id: CallerId) -> Refusal:
    """N4: what the plan does not know is refused and told to the operator, never guessed."""
    if table.could_become_known(digits):
        return refusal(RefusalReason.TOO_SHORT, caller_id)
    return refusal(RefusalReason.UNKNOWN_BLOCK, caller_id)


def _complete(block: Block, digits: str, e164: str, caller_id: CallerId) -> Reading | Refusal:
    if len(digits) < block.least:
        return refusal(RefusalReason.TOO_SHORT, caller_id)
    if len(digits) > block.most:
        return refusal(RefusalReason.TOO_LONG, caller_id)
    return Reading(PhoneNumber(e164), NumberClass(block.number_class), block.country, caller_id)
