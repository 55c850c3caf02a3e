"""A bill proved by its own lines: everything that can be computed is computed again, down to the byte."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from denwa.rating.bill import lines_of, price_with_tax, totals_of, working_of
from denwa.rating.bill_document import BillDocument, BilledCall, BillLine
from denwa.rating.billing_month import BillingMonth
from denwa.rating.charge import NETWORK_FAULT, units_of
from denwa.rating.tax import TaxRates


class BillFault(ValueError):
    """The file is no bill; the text names every field that is wrong."""


def read_bill(content: bytes) -> BillDocument:
    """The bill that `content` is the JSON of; BillFault when it is none."""
    try:
        return BillDocument.model_validate_json(content)
    except ValidationError as fault:
        said = [f"{'.'.join(map(str, one['loc'])) or 'file'}: {one['msg']}" for one in fault.errors()]
        raise BillFault("; ".join(said)) from None


def recomputed(bill: BillDocument, rates: TaxRates) -> BillDocument:
    """The bill with all that follows from other fields computed again.

    With details the lines follow from the calls; without, charges of lines follow from their units. Taken as they are:
    who, when, durations, prices, the credit of each call (each line without details) and the adjustments.
    Raises ValueError for what no arithmetic allows, such as credit above a charge.
    """
    month = bill.period
    if bill.calls is None:
        calls, lines = None, tuple(_recomputed_line(line, month, rates) for line in bill.lines)
    else:
        calls = tuple(map(_recomputed_call, bill.calls))
        lines = lines_of(calls, month, rates)
    return bill.model_copy(
        update={
            "kind": "qualified-invoice" if bill.issuer.registration_number else "invoice",
            "month": month.name,
            "lines": lines,
            "totals": totals_of(lines, bill.adjustments, month, rates),
            "calls": calls,
        }
    )


def faults(content: bytes, rates: TaxRates) -> list[str]:
    """Every value of a bill's JSON that does not follow from the others, and whether its bytes are Denwa's own.

    Empty when the bill is right to the byte. BillFault when it is no bill.
    """
    bill = read_bill(content)
    try:
        right = recomputed(bill, rates)
    except ValueError as fault:
        return [str(fault)]
    found = list(differences(bill, right))
    if not found and content != right.content():
        found = ["every value is right, but the bytes are not those that Denwa writes"]
    return found


def differences(bill: BillDocument, right: BillDocument) -> Iterator[str]:
    """`lines.0.units: 3, should be 4` for every value of `bill` that is not that of `right`."""
    return _differences(bill.model_dump(mode="json", by_alias=True), right.model_dump(mode="json", by_alias=True), "")


def _differences(value: Any, right: Any, path: str) -> Iterator[str]:
    if isinstance(value, dict) and isinstance(right, dict):
        for key in value:  # the models have the same fields
            yield from _differences(value[key], right[key], f"{path}.{key}" if path else key)
    elif isinstance(value, list) and isinstance(right, list) and len(value) == len(right):
        for index, (one, other) in enumerate(zip(value, right, strict=True)):
            yield from _differences(one, other, f"{path}.{index}")
    elif value != right:
        if isinstance(value, list) and isinstance(right, list):
            value, right = f"{len(value)} entries", len(right)
        yield f"{path}: {value}, should be {right}"


def _recomputed_call(call: BilledCall) -> BilledCall:
    units = units_of(call.duration_ms, call.unit_ms, NETWORK_FAULT if call.fault_cut else "")
    charge = call.model_copy(update={"units": units}).charge
    charge_yen = call.sign * charge.yen
    try:
        working = working_of(call.kind, charge, call.credit_yen, call.leg)
    except ValueError as fault:
        raise ValueError(f"call {call.call_id}: {fault}") from None
    return call.model_copy(
        update={
            "units": units,
            "charge_yen": charge_yen,
            "payable_yen": charge_yen - call.credit_yen,
            "working": working,
        }
    )


def _recomputed_line(line: BillLine, month: BillingMonth, rates: TaxRates) -> BillLine:
    charge = line.units * line.yen_per_unit
    return line.model_copy(
        update={
            "yen_per_unit_with_tax": price_with_tax(line, month, rates),
            "charge_yen": charge,
            "payable_yen": charge - line.credit_yen,
        }
    )
