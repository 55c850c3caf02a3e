"""Telephone numbers, Japan's number plan and the countries of the tariff as dated data, and how a dialled number reads."""

from denwa.numbering.number import PhoneNumber
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
    "PhoneNumber",
    "Reading",
    "Refusal",
    "RefusalReason",
    "refusal",
]
