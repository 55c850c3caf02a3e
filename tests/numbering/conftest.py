from __future__ import annotations

from datetime import date

import pytest

from denwa.config.settings import Numbering
from denwa.numbering import NumberingPlan, load_plan

TODAY = date(2026, 11, 21)


@pytest.fixture(scope="session")
def plan() -> NumberingPlan:
    """The shipped plan with the demonstration's operator."""
    shipped = Numbering()
    return load_plan(shipped.directory, shipped.operator_file)
