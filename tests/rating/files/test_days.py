"""What a calendar day decides for calls of a file."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from denwa.config.settings import Numbering
from denwa.numbering import load_plan
from denwa.rating.files.days import Days
from denwa.rating.files.faults import RowFault
from denwa.rating.tariff import Price, TariffBook, TaxClass
from tests.rating.shipped import BOOK

CONFIGURED = Numbering()
PLAN = load_plan(CONFIGURED.directory, CONFIGURED.operator_file)
DAY = (date(2026, 9, 1) - date(1970, 1, 1)).days


@pytest.mark.parametrize(("unit_ms", "problem"), [(24, ""), (23, "a unit of 23 ms is too short")])
def test_a_unit_of_which_a_long_call_has_too_many_to_count_is_refused(unit_ms: int, problem: str) -> None:
    tariff = replace(
        BOOK.on(date(2026, 9, 1)), ranges={"fixed": {"+8133671": Price("fixed", unit_ms, 1, TaxClass.TAXED)}}
    )
    days = Days(TariffBook("short", [tariff]), PLAN)
    dialled = days.dialled_on(days.index_of(DAY))
    if not problem:
        assert days.prices[dialled.price("0336711933")].unit_ms == unit_ms
        return
    with pytest.raises(RowFault, match=problem):
        dialled.price("0336711933")
