"""The lines of the monthly export that are no ordinary call of the month: corrections, adjustments (L3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from denwa.rating.ledger import Posting, PostingKind
from denwa.rating.ports import BookedAdjustment

LINE_COLUMNS = (
    "subscriber",
    "period_start",  # the month it is billed in
    "period_end",
    "line",  # late | red | black | credit | adjustment
    "kind",  # "call", or the kind of adjustment
    "reference",
    "corrects",  # reference of the line or call that this one corrects
    "belongs_to",  # first day of the month that it belongs to
    "number_class",
    "tax",
    "calls",
    "duration_ms",
    "charge_yen",
    "credit_yen",
    "payable_yen",
)
_CALL = "call"
# 赤伝 and 黒伝: what takes back is red, what is charged instead is black. Revision 0 is a call that became known late.
_NAMES = {PostingKind.REVERSAL: "red", PostingKind.CALL: "black", PostingKind.CREDIT_MOVE: "credit"}


def export_lines(
    corrected: Sequence[Posting], adjustments: Sequence[BookedAdjustment], written: Callable[[str], str]
) -> list[dict[str, object]]:
    """One line for each, by subscriber: first what concerns calls, in the order of records, then adjustments.

    Nothing in them tells whom anybody called: a call is named by the key of its record.
    """
    calls = sorted(corrected, key=lambda posting: (posting.record_id, posting.revision))
    others = sorted(adjustments, key=lambda booked: booked.adjustment.reference)
    lines = [_call_line(posting, written) for posting in calls]
    lines += [_adjustment_line(booked, written) for booked in others]
    return sorted(lines, key=lambda line: str(line["subscriber"]))  # a stable sort keeps the order within one


def _call_line(posting: Posting, written: Callable[[str], str]) -> dict[str, object]:
    price = posting.charge.price
    values = (
        written(posting.subscriber),
        posting.month.start.isoformat(),
        posting.month.end.isoformat(),
        _NAMES[posting.kind] if posting.revision else "late",
        _CALL,
        _reference(posting.record_id, posting.revision),
        "" if posting.corrects is None else _reference(posting.record_id, posting.corrects),
        posting.call_month_start.isoformat(),
        price.number_class,
        price.tax.value,
        posting.calls,
        posting.charge.duration_ms * posting.calls,
        posting.charge_yen,
        posting.credit_yen,
        posting.payable_yen,
    )
    return dict(zip(LINE_COLUMNS, values, strict=True))


def _adjustment_line(booked: BookedAdjustment, written: Callable[[str], str]) -> dict[str, object]:
    one = booked.adjustment
    values = (
        written(one.subscriber),
        one.month.start.isoformat(),
        one.month.end.isoformat(),
        "adjustment" if one.corrects is None else "red",
        one.kind.value,
        one.reference,
        one.corrects or "",
        booked.asked_month_start.isoformat(),
        "",
        one.tax.value,
        0,
        0,
        one.yen,
        0,
        one.yen,
    )
    return dict(zip(LINE_COLUMNS, values, strict=True))


def _reference(record_id: int, revision: int) -> str:
    return f"{_CALL}:{record_id}/{revision}"
