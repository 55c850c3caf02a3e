"""Telephone numbers, the number plan as dated data, and how a dialled number reads."""

from denwa.numbering.number import PhoneNumber
from denwa.numbering.plan import NumberingPlan, OwnRange
from denwa.numbering.plan_files import PlanFault, load_plan
from denwa.numbering.reading import (
    CallerId,
    Country,
    NumberClass,
    Reading,
    Refusal,
    RefusalReason,
    refusal,
)
from denwa.numbering.spelling import NumberFault

__all__ = [
    "CallerId",
    "Country",
    "NumberClass",
    "NumberFault",
    "NumberingPlan",
    "OwnRange",
    "PhoneNumber",
    "PlanFault",
    "Reading",
    "Refusal",
    "RefusalReason",
    "load_plan",
    "refusal",
]
