"""The billing agent's answer: a file that says which bills were paid (債権の譲渡等, 約款 第27条の2 3; L3).

CSV, UTF-8, header line, columns in any order: `subscriber,month,result,paid_on,amount_yen,reference`.
- subscriber: the number in any form; month: YYYY-MM, as in the export
- result: `paid` or `unpaid`; paid_on: ISO day of the payment, empty when unpaid
- amount_yen: the bill's total with tax, in digits; reference: the agent's own, another for every result
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date
from enum import StrEnum
from typing import NamedTuple

from denwa.contracts.billing_life import Bill, BillEvent, BillState
from denwa.contracts.csv_rows import BadRow, Fields, read_fields
from denwa.contracts.faults import ContractFault, Reason
from denwa.numbering import NumberFault, PhoneNumber

COLUMNS = ("subscriber", "month", "result", "paid_on", "amount_yen", "reference")
_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LONGEST_REFERENCE = 100
_LONGEST_AMOUNT = 12  # digits


class Outcome(StrEnum):
    PAID = "paid"
    UNPAID = "unpaid"


class PaymentResult(NamedTuple):
    """What the agent says of one bill. `paid_on` is None exactly for unpaid ones."""

    subscriber: str  # E.164
    month: str  # YYYY-MM
    outcome: Outcome
    paid_on: date | None
    amount_yen: int
    reference: str


class ResultRow(NamedTuple):
    """A row that can be read: the line on which it begins, and the result in it."""

    line: int
    result: PaymentResult


def read_results(lines: Iterable[str]) -> Iterator[ResultRow | BadRow]:
    """Rows in order, as the file is read; see `read_fields`. Whether they fit the bills is not looked at here."""
    for row in read_fields(lines, COLUMNS, COLUMNS):
        if isinstance(row, BadRow):
            yield row
            continue
        try:
            yield ResultRow(row.line, _result(row))
        except ContractFault as fault:
            yield BadRow(row.line, str(fault))


def applied(result: PaymentResult, bill: Bill | None, known: PaymentResult | None, today: date) -> Bill | None:
    """The bill after this result; None when exactly this result was read before. ContractFault says what is wrong.

    `known` is the result that was read under the same reference. An amount that differs from the bill's is refused,
    as is a second payment: somebody must find out which of the two is right.
    """
    if known is not None:
        if known == result:
            return None
        raise _state(f"reference {result.reference!r} was read before and said something else")
    if bill is None:
        raise _state(f"there is no bill of {result.month}: the month is not closed, or nothing was billed")
    if result.amount_yen != bill.total_yen:
        raise _state(f"amount_yen: {result.amount_yen} yen, but the bill of {bill.month} is {bill.total_yen} yen")
    if bill.state is BillState.PAID:
        raise _state(f"the bill of {bill.month} was paid on {bill.paid_on}; this would be a second result")
    if result.paid_on is None:
        return bill.after(BillEvent.FAIL)
    if not bill.period_end < result.paid_on <= today:
        raise _state(f"paid_on: {result.paid_on} is not after {bill.period_end} and until {today}")
    return bill.after(BillEvent.PAY)._replace(paid_on=result.paid_on)


def _result(row: Fields) -> PaymentResult:
    values = {name: value.strip() for name, value in row.values.items()}
    try:
        subscriber = PhoneNumber.parse(values["subscriber"]).e164
    except NumberFault as fault:
        raise _bad(f"subscriber: {fault}") from None
    if not _MONTH.fullmatch(values["month"]):
        raise _bad(f"month: {values['month']!r} is not YYYY-MM")
    if values["result"] not in list(Outcome):
        raise _bad(f"result: {values['result']!r} is not paid or unpaid")
    outcome = Outcome(values["result"])
    if (outcome is Outcome.PAID) != bool(values["paid_on"]):
        raise _bad("paid_on: a day for what is paid, nothing for what is not")
    paid_on = _day(values["paid_on"]) if values["paid_on"] else None
    amount, reference = values["amount_yen"], values["reference"]
    if not (amount.isascii() and amount.isdigit() and len(amount) <= _LONGEST_AMOUNT):
        raise _bad(f"amount_yen: {amount!r} is not an amount in whole yen")
    if not reference or len(reference) > _LONGEST_REFERENCE or not reference.isprintable():
        raise _bad(f"reference: 1 to {_LONGEST_REFERENCE} printable characters")
    return PaymentResult(subscriber, values["month"], outcome, paid_on, int(amount), reference)


def _day(text: str) -> date:
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise _bad(f"paid_on: {text!r} is not a day YYYY-MM-DD")


def _bad(text: str) -> ContractFault:
    return ContractFault(Reason.BAD_VALUE, text)


def _state(text: str) -> ContractFault:
    return ContractFault(Reason.STATE, text)
