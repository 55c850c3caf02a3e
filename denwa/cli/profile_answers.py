"""What a profile's terms come to, shown to a person or as JSON: first the working, then the result."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from typing import Any

import click

from denwa.contracts.profiles.calendar_month import CalendarMonth
from denwa.contracts.profiles.recurring import MonthCharge

_NAMES = {
    "last_day": "解約日",
    "last_month": "最後の請求対象月",
    "charge_yen": "契約解除料",
    "days": "日数",
    "interest_yen": "延滞利息",
    "total_yen": "合計 (税別)",
    "tax_included_yen": "合計 (税込)",
    "ends": "終了日",
    "benefit_from": "利用できる日",
    "fee_yen": "手数料",
    "debit_on": "引き落とし日",
    "billed_in": "請求月",
    "credit_yen": "賠償額",
    "surcharge_yen": "割増金",
    "tax_yen": "消費税",
    "suspended_from": "利用停止",
}


def month_lines(charges: Sequence[MonthCharge]) -> list[str]:
    return [f"{charge.month}  {charge.yen:>7}円  {charge.why}" for charge in charges]


def month_rows(charges: Sequence[MonthCharge]) -> list[dict[str, object]]:
    return [{"month": str(charge.month), "yen": charge.yen, "why": charge.why} for charge in charges]


def tell(
    working: Sequence[str], values: dict[str, Any], as_json: bool, rows: list[dict[str, object]] | None = None
) -> None:
    """First how it was computed, then what came out."""
    if as_json:
        plain = {key: _plain(value) for key, value in values.items()}
        found = plain | ({"charges": rows} if rows is not None else {}) | {"working": list(working)}
        click.echo(json.dumps(found, ensure_ascii=False))
        return
    for line in working:
        click.echo(line)
    for key, value in values.items():
        if value not in (None, [None]):
            click.echo(f"{_NAMES[key]}: {_shown(key, value)}")


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, date | CalendarMonth) else value


def _shown(key: str, value: Any) -> str:
    if isinstance(value, list):
        return "、".join(day or "利用中" for day in value)
    return f"{value}円" if key.endswith("_yen") else str(value)
