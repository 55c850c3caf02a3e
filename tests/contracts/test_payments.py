"""The billing agent's file of results (L3)."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from denwa.contracts.billing_life import Bill, BillState
from denwa.contracts.csv_rows import BadRow
from denwa.contracts.faults import ContractFault
from denwa.contracts.payments import COLUMNS, Outcome, PaymentResult, ResultRow, applied, read_results

HEAD = ",".join(COLUMNS)
TODAY = date(2026, 11, 21)
BILL = Bill("+815050010001", "2026-09", date(2026, 9, 1), date(2026, 9, 30), 1100, 0, date(2026, 10, 31))
PAID = PaymentResult("+815050010001", "2026-09", Outcome.PAID, date(2026, 10, 31), 1100, "A-1")
UNPAID = PaymentResult("+815050010001", "2026-09", Outcome.UNPAID, None, 1100, "A-2")


def rows(*lines: str) -> list[ResultRow | BadRow]:
    return list(read_results(f"{line}\n" for line in (HEAD, *lines)))


def test_a_row_is_read_whatever_form_the_number_has() -> None:  # N3
    for number in ("05050010001", "050-5001-0001", "+815050010001"):
        assert rows(f"{number},2026-09,paid,2026-10-31,1100,A-1") == [ResultRow(2, PAID)]
    assert rows("05050010001,2026-09,unpaid,,1100,A-2") == [ResultRow(2, UNPAID)]


def test_columns_may_stand_in_any_order_behind_a_byte_order_mark() -> None:
    lines = [
        "\ufeffreference,amount_yen,paid_on,result,month,subscriber\n",
        "A-1,1100,2026-10-31,paid,2026-09,05050010001\n",
    ]
    assert list(read_results(lines)) == [ResultRow(2, PAID)]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("nobody,2026-09,paid,2026-10-31,1100,A", "subscriber: "),
        ("05050010001,2026-13,paid,2026-10-31,1100,A", "month: '2026-13'"),
        ("05050010001,2026-9,paid,2026-10-31,1100,A", "month: '2026-9'"),
        ("05050010001,2026-09,PAID,2026-10-31,1100,A", "result: 'PAID'"),
        ("05050010001,2026-09,paid,,1100,A", "paid_on: "),
        ("05050010001,2026-09,unpaid,2026-10-31,1100,A", "paid_on: "),
        ("05050010001,2026-09,paid,2026-02-29,1100,A", "paid_on: '2026-02-29'"),
        ("05050010001,2026-09,paid,20261031,1100,A", "paid_on: '20261031'"),
        ("05050010001,2026-09,paid,2026-10-31,1100.0,A", "amount_yen: '1100.0'"),
        ("05050010001,2026-09,paid,2026-10-31,-1,A", "amount_yen: '-1'"),
        ("05050010001,2026-09,paid,2026-10-31,１１００,A", "amount_yen: "),
        ("05050010001,2026-09,paid,2026-10-31,1100,", "reference: "),
        ("05050010001,2026-09,paid,2026-10-31,1100," + "x" * 101, "reference: "),
        ("05050010001,2026-09,paid,2026-10-31,1100", "5 columns, 6 expected"),
        ("05050010001,2026-09,paid,2026-10-31,1100,A,B", "7 columns, 6 expected"),
        ('05050010001,2026-09,paid,2026-10-31,1100,"A"B', "',' expected after"),
        ("05050010001,2026-09,paid,2026-10-31,1100,\udc81", "not UTF-8"),
    ],
)
def test_every_kind_of_broken_row_is_told_with_its_line_and_the_next_is_read(row: str, problem: str) -> None:
    good = "05050010001,2026-09,paid,2026-10-31,1100,A-1"
    found = rows(good, row, good)
    assert next(one for one in found if isinstance(one, ResultRow)) == ResultRow(2, PAID)
    (bad,) = (one for one in found if isinstance(one, BadRow))
    assert bad.line == 3
    assert problem in bad.problem


@pytest.mark.parametrize("head", ["", "subscriber,month", HEAD + ",colour", HEAD + ",month"])
def test_a_file_with_another_header_is_refused(head: str) -> None:
    with pytest.raises(ContractFault, match="line 1: expected the columns subscriber,"):
        list(read_results([head + "\n"]))


@given(st.text(max_size=300))
def test_no_file_however_broken_ends_in_anything_but_rows_and_bad_rows(text: str) -> None:
    for row in read_results([HEAD + "\n", *text.splitlines(keepends=True)]):
        assert isinstance(row, (ResultRow, BadRow))
        assert row.line >= 2


def test_a_payment_pays_the_bill_on_its_day() -> None:
    after = applied(PAID, BILL, None, TODAY)
    assert after is not None
    assert (after.state, after.paid_on) == (BillState.PAID, date(2026, 10, 31))


def test_a_failure_leaves_it_owed() -> None:
    after = applied(UNPAID, BILL, None, TODAY)
    assert after is not None
    assert (after.state, after.paid_on) == (BillState.UNPAID, None)


def test_the_same_result_again_changes_nothing() -> None:
    assert applied(PAID, BILL._replace(state=BillState.PAID), PAID, TODAY) is None


@pytest.mark.parametrize(
    ("result", "bill", "known", "problem"),
    [
        (PAID, None, None, "there is no bill of 2026-09"),
        (PAID._replace(amount_yen=1099), BILL, None, "1099 yen, but the bill of 2026-09 is 1100 yen"),
        (UNPAID._replace(amount_yen=1), BILL, None, "1 yen, but the bill of 2026-09 is 1100 yen"),
        (PAID._replace(paid_on=date(2026, 11, 22)), BILL, None, "paid_on: 2026-11-22"),
        (PAID._replace(paid_on=date(2026, 9, 30)), BILL, None, "paid_on: 2026-09-30"),
        (PAID, BILL, PAID._replace(amount_yen=7), "'A-1' was read before and said something else"),
        (PAID, BILL._replace(state=BillState.PAID, paid_on=date(2026, 10, 5)), None, "was paid on 2026-10-05"),
        (UNPAID, BILL._replace(state=BillState.PAID, paid_on=date(2026, 10, 5)), None, "was paid on 2026-10-05"),
    ],
)
def test_what_does_not_fit_the_bill_is_refused_and_never_silently_taken(
    result: PaymentResult, bill: Bill | None, known: PaymentResult | None, problem: str
) -> None:
    with pytest.raises(ContractFault, match=problem):
        applied(result, bill, known, TODAY)
