"""The class alone is the class that reading the whole number gives."""

from datetime import date

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from denwa.config.settings import Numbering
from denwa.numbering import Reading, load_plan

CONFIGURED = Numbering()
PLAN = load_plan(CONFIGURED.directory, CONFIGURED.operator_file)
DAYS = st.sampled_from([date(2020, 1, 1), date(2026, 6, 30), date(2026, 7, 1), date(2026, 11, 21)])
STARTS = st.sampled_from([
    "", "0", "03", "050", "0505001", "0501000", "090", "060", "0600", "0120", "010", "0101808", "01044", "01081",
    "0108103", "01033", "0107", "+81", "+1808", "184", "186090", "110", "00", "0570", "0990", "04992", "0199", "020",
])  # fmt: skip


def agrees(dialled: str, on: date) -> None:
    reading = PLAN.read(dialled, on)
    assert PLAN.class_of(dialled, on) == (reading.number_class if isinstance(reading, Reading) else reading)


@settings(max_examples=1000)
@given(STARTS, st.text("0123456789", max_size=11), DAYS)
@example("04992177", "", date(2026, 11, 21))
@example("03177", "0", date(2026, 11, 21))
@example("010818085551234567", "", date(2026, 11, 21))
def test_the_class_alone_is_the_class_of_the_reading(start: str, rest: str, on: date) -> None:
    agrees(start + rest, on)


@pytest.mark.parametrize("dialled", ["", "０３-1234-5678", "tel:+81-3-1234-5678", "0" * 60, "03 1234 5678", "#9110"])
def test_other_spellings_are_read_in_full(dialled: str) -> None:
    agrees(dialled, date(2026, 11, 21))
