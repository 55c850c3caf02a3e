"""The rules of dialling for every number there is (N4-N6), against a slow and simple reading of the data files."""

from __future__ import annotations

import tomllib
from datetime import date
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from denwa.config.settings import Numbering
from denwa.numbering import NumberClass, NumberingPlan, Reading, Refusal, RefusalReason
from tests.numbering.conftest import TODAY

FOLDER = Numbering().directory
COUNTRIES: dict[str, Any] = tomllib.loads((FOLDER / "countries.toml").read_text(encoding="utf-8"))
WORLD: dict[str, Any] = tomllib.loads((FOLDER / "world.toml").read_text(encoding="utf-8"))
BARRED_BY_OPERATOR = [
    prefix[1:]
    for entry in tomllib.loads((FOLDER / "operator-demo.toml").read_text(encoding="utf-8"))["bar"]
    for prefix in entry["prefixes"]
]
RANGES: list[tuple[str, date, str, list[int]]] = [
    (prefix, entry.get("valid_from", date.min), entry["code"], entry["digits"])
    for entry in COUNTRIES["country"]
    for prefix in entry["prefixes"]
]
NOT_OFFERED = [prefix for entry in COUNTRIES["excluded"] for prefix in entry["prefixes"]] + list(WORLD["codes"])
DIGITS = st.text("0123456789", max_size=12)
DAYS = st.sampled_from([date(2020, 1, 1), date(2024, 12, 31), TODAY])


def expected(digits: str, on: date) -> str:
    """The country's code, or the reason of the refusal, of a number abroad: longest prefix first, nothing clever."""
    if any(digits.startswith(prefix) for prefix in BARRED_BY_OPERATOR):
        return "barred-range"
    known: list[tuple[int, str, list[int]]] = [
        (len(prefix), code, length)
        for prefix, start, code, length in RANGES
        if start <= on and digits.startswith(prefix)
    ]
    known += [(len(prefix), "country-not-offered", [1, 99]) for prefix in NOT_OFFERED if digits.startswith(prefix)]
    if not known:
        return "too-long" if len(digits) > 15 else "unknown-block"
    _, found, (least, most) = max(known)
    if found == "country-not-offered":
        return found
    return "too-short" if len(digits) < least else "too-long" if len(digits) > min(most, 15) else found


@settings(max_examples=1500)
@given(st.sampled_from([r[0] for r in RANGES] + NOT_OFFERED + BARRED_BY_OPERATOR + ["1", "7", "999"]), DIGITS, DAYS)
@example("1", "8615551234", TODAY)
@example("33", "690123456", TODAY)
@example("61", "891641234", TODAY)
def test_a_number_abroad_is_read_by_its_longest_range(plan: NumberingPlan, prefix: str, rest: str, on: date) -> None:
    # N6, T8
    digits = prefix + rest
    found = plan.read("+" + digits, on)
    answer = expected(digits, on)
    if isinstance(found, Reading):
        assert found.country is not None
        assert (found.country.code, found.number.e164) == (answer, "+" + digits)
    elif found.reason is RefusalReason.TOO_SHORT:
        # A number that stops before a longer range begins is incomplete, not unknown.
        assert answer in ("too-short", "unknown-block")
    else:
        assert str(found.reason) == answer


@given(st.sampled_from(["0120", "0800", "0570", "0990", "0180", "#", "*"]), DIGITS, st.sampled_from(["", "184", "186"]))
def test_nothing_makes_a_barred_service_callable(plan: NumberingPlan, bar: str, rest: str, prefix: str) -> None:
    # N5
    spellings = [prefix + bar + rest, "-".join(prefix + bar + rest)]
    if bar.startswith("0"):
        spellings += [f"{prefix}+81{bar[1:]}{rest}", f"{prefix}010 81 {bar}{rest}"]
    for dialled in spellings:
        found = plan.read(dialled, TODAY)
        assert isinstance(found, Refusal), found
        assert (found.reason, found.sip_status) == (RefusalReason.BARRED_SERVICE, 403)


@given(st.from_regex(r"\A1[0-9]{2}\Z"), DIGITS)
def test_every_number_that_begins_with_1xy_is_barred_but_184_and_186(plan: NumberingPlan, code: str, rest: str) -> None:
    # N5: 104, 114, 117, 171, 177, 188, 189 and the others, whatever is dialled after them
    found = plan.read(code + rest, TODAY)
    if code in ("184", "186"):
        assert found.caller_id != "default"
        return
    assert isinstance(found, Refusal), found
    emergency = code in ("110", "118", "119")
    assert found.reason is (RefusalReason.BARRED_EMERGENCY if emergency else RefusalReason.BARRED_SERVICE)
    assert found.sip_status == 403


@given(st.from_regex(r"\A00[0-9]{2}\Z"), DIGITS)
def test_every_carrier_prefix_is_barred(plan: NumberingPlan, carrier: str, rest: str) -> None:
    # N5: 00XY other than 010
    found = plan.read(carrier + rest, TODAY)
    assert isinstance(found, Refusal), found
    assert (found.reason, found.sip_status) == (RefusalReason.BARRED_CARRIER, 403)


@pytest.mark.parametrize("block", ["020", "0910", "0600"])
@given(rest=DIGITS)
def test_a_block_without_a_class_is_never_guessed(plan: NumberingPlan, block: str, rest: str) -> None:
    # N4
    for dialled in (block + rest, f"+81{block[1:]}{rest}", f"184{block}{rest}"):
        found = plan.read(dialled, TODAY)
        assert isinstance(found, Refusal), found
        assert found.reason is RefusalReason.UNKNOWN_BLOCK
        assert found.alarm


@given(st.from_regex(r"\A0[0-9]{8,10}\Z"), DAYS)
def test_a_number_of_japan_that_can_be_called_has_the_length_of_its_class(
    plan: NumberingPlan, dialled: str, on: date
) -> None:
    # N4: fixed 10 digits (or an area code and 177), 050 and mobile 11
    found = plan.read(dialled, on)
    if isinstance(found, Reading) and found.number_class is not NumberClass.INTERNATIONAL:
        fixed = found.number_class is NumberClass.FIXED
        assert len(dialled) == (10 if fixed else 11) or (fixed and dialled.endswith("177"))
        assert found.number.e164 == "+81" + dialled[1:]
        assert fixed == (dialled[2] != "0")


@pytest.mark.parametrize(
    ("beginning", "classes"),
    [
        ("+852", {"international"}),
        ("+1", {"international"}),
        ("+1808555", {"international"}),
        ("+1242", set()),  # the Bahamas
        ("+999", set()),
        ("+81505001", {"on-net"}),
        ("+8150", {"on-net", "partner-050", "paid-050"}),
        ("+813", {"fixed"}),
        ("+8190", {"mobile"}),
        ("+81120", set()),
        ("+8120", set()),
    ],
)
def test_the_classes_of_a_range_are_known(plan: NumberingPlan, beginning: str, classes: set[str]) -> None:
    assert set(map(str, plan.classes_within(beginning))) == classes


@given(
    st.one_of(st.from_regex(r"\A0[0-9]{9,10}\Z"), st.sampled_from([r[0] for r in RANGES]).map("010{}12345678".format))
)
def test_every_number_s_class_is_one_of_each_range_around_it(plan: NumberingPlan, dialled: str) -> None:
    found = plan.read(dialled, TODAY)
    if isinstance(found, Reading):
        e164 = found.number.e164
        assert all(found.number_class in plan.classes_within(e164[:end]) for end in range(3, len(e164)))
