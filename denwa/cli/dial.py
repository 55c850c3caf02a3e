"""`denwa dial NUMBER`: how a dialled number is read, by the engine that reads calls (N3-N6)."""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import NamedTuple

import click

from denwa.cli.box_wiring import box_numbers
from denwa.cli.desk import databases, numbering_plan, phone_number, utc_now
from denwa.cli.main import StateError, settings_of
from denwa.cli.rating_data import load_rating_data
from denwa.config.settings import Settings
from denwa.contracts.desk import TOKYO
from denwa.contracts.subscriber import State
from denwa.numbering import (
    NumberClass,
    NumberFault,
    NumberingPlan,
    PhoneNumber,
    Reading,
    Refusal,
    RefusalReason,
    refusal,
)
from denwa.rating.consumer_price import yen_with_tax
from denwa.rating.tariff import NoPriceError, Price, Tariff, TaxClass
from denwa.storage.contracts_store import SqlContractsStore

_CLASS_NAMES = {
    NumberClass.ON_NET: "このサービスの050番号",
    NumberClass.PARTNER_050: "無料通話先の050番号",
    NumberClass.PAID_050: "有料の050番号",
    NumberClass.FIXED: "固定電話",
    NumberClass.MOBILE: "携帯電話",
    NumberClass.INTERNATIONAL: "国際電話",
}
_TAX_NAMES = {TaxClass.TAXED: "税別", TaxClass.EXEMPT: "免税"}  # 料金表 第1表 第1 1-2 (2)
_CALLER_ID_NAMES = {"default": "契約の設定どおり", "hide": "非通知 (184)", "show": "通知 (186)"}


class _Refused(NamedTuple):
    """Why a call would not go out: by the plan, or by the subscriber's state and settings."""

    reason: str
    sip_status: int
    text: str
    text_ja: str
    prompt: str
    alarm: bool


_INTERNATIONAL_OFF = _Refused(
    "international-off",
    403,
    "international calls are switched off for this subscriber",
    "国際電話の利用が設定されていません。",
    "international-off",
    False,
)
_SUSPENDED = _Refused("suspended", 403, "the subscriber is suspended", "利用停止中です。", "suspended", False)


@click.command()
@click.argument("number")
@click.option("--as", "subscriber", metavar="SUBSCRIBER", help="as dialled by this subscriber, with its settings")
@click.option("--on", "day", type=click.DateTime(["%Y-%m-%d"]), help="by plan and tariff of this day (today)")
@click.option("--json", "as_json", is_flag=True, help="machine-readable")
@click.pass_context
def dial(ctx: click.Context, number: str, subscriber: str | None, day: datetime | None, as_json: bool) -> None:
    """How a dialled number is read. ダイヤルした番号の扱いと料金を調べます。

    Prints E.164, class and price; a refused number ends with exit code 1 and the reason.
    """
    settings = settings_of(ctx)
    on = day.date() if day else utc_now().astimezone(TOKYO).date()
    plan = numbering_plan(settings)
    caller = phone_number(subscriber) if subscriber else None
    if _tell_box(settings, number, as_json):
        return
    read = plan.read(number, on)
    refused = _refused_by_plan(read) if isinstance(read, Refusal) else None
    if caller:
        by_subscriber = _refused_by_subscriber(settings, caller, read)
        refused = refused or by_subscriber
    if refused is not None:
        _tell_refusal(number, refused, as_json)
    elif isinstance(read, Reading):
        tariff, price, with_tax = _price(settings, read, on)
        if as_json:
            click.echo(json.dumps(_as_json(number, read, tariff, price, with_tax), ensure_ascii=False))
        else:
            click.echo(_as_text(plan, read, price, with_tax, on))


def _tell_box(settings: Settings, dialled: str, as_json: bool) -> bool:
    """The numbers of the voicemail box (V6): calls to them go to nobody and cost nothing. False: it is another."""
    numbers = box_numbers(settings)
    short = numbers.is_short(dialled)
    if not short and not (numbers.access and _is_number(dialled, numbers.access)):
        return False
    if as_json:
        fields = {"dialled": dialled, "allowed": True, "service": "voicemail-box", "pin": not short, "yen_per_unit": 0}
        click.echo(json.dumps(fields, ensure_ascii=False))
    else:
        pin = "不要 (加入者ご自身の電話から)" if short else "必要 (電話番号と暗証番号)"
        click.echo(f"種別: 留守番電話サービス (voicemail box)\n料金: 無料\n暗証番号: {pin}")
    return True


def _is_number(dialled: str, e164: str) -> bool:
    try:
        return PhoneNumber.parse(dialled).e164 == e164
    except NumberFault:
        return False


def _refused_by_plan(found: Refusal) -> _Refused:
    return _Refused(str(found.reason), found.sip_status, found.text, found.text_ja, found.prompt, found.alarm)


def _refused_by_subscriber(settings: Settings, caller: PhoneNumber, read: Reading | Refusal) -> _Refused | None:
    """What the caller's own state forbids (L2, N6), and an own number that nobody has."""
    with databases(settings) as (main, _journal):
        contracts = SqlContractsStore(main)
        found = contracts.find(caller.e164)
        if found is None or found.state is State.TERMINATED:
            raise StateError(f"{caller.grouped()}: no such subscriber")
        if found.state is State.SUSPENDED:
            return _SUSPENDED
        if isinstance(read, Refusal):
            return None
        if read.number_class is NumberClass.INTERNATIONAL and not found.international:
            return _INTERNATIONAL_OFF
        if read.number_class is NumberClass.ON_NET:
            callee = contracts.find(read.number.e164)
            if callee is None or callee.state is State.TERMINATED:
                return _refused_by_plan(refusal(RefusalReason.UNALLOCATED, read.caller_id))
    return None


def _price(settings: Settings, read: Reading, on: date) -> tuple[Tariff, Price, str]:
    """The tariff, the price, and what a consumer pays for a unit, tax included (K3)."""
    rating = load_rating_data(settings)
    try:
        tariff = rating.tariffs.on(on)
        price = tariff.price(read.number_class, read.number.e164)
    except NoPriceError as fault:
        raise StateError(str(fault)) from None
    percent = rating.tax.percent_on(on) if price.tax is TaxClass.TAXED else 0
    return tariff, price, yen_with_tax(price.yen_per_unit, percent)


def _tell_refusal(number: str, refused: _Refused, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"dialled": number, "allowed": False, **refused._asdict()}, ensure_ascii=False))
    raise StateError(f"{number}: {refused.text_ja}\n{refused.reason} ({refused.sip_status}): {refused.text}")


def _as_json(dialled: str, read: Reading, tariff: Tariff, price: Price, with_tax: str) -> dict[str, object]:
    return {
        "dialled": dialled,
        "allowed": True,
        "e164": read.number.e164,
        "number": read.number.national(),
        "class": str(read.number_class),
        "country": read.country._asdict() if read.country else None,
        "caller_id": read.caller_id,
        "unit_ms": price.unit_ms,
        "yen_per_unit": price.yen_per_unit,
        "yen_per_unit_with_tax": with_tax,
        "tax": str(price.tax),
        "tariff": tariff.name,
        "tariff_valid_from": tariff.valid_from.isoformat(),
    }


def _as_text(plan: NumberingPlan, read: Reading, price: Price, with_tax: str, on: date) -> str:
    cost = f"{price.yen_per_unit}円/{price.unit_ms / 1000:g}秒 ({_TAX_NAMES[price.tax]})"
    if price.tax is TaxClass.TAXED:
        cost += f" 税込{with_tax}円"
    rows = [
        ("番号", f"{plan.grouped(read.number, on)} ({read.number.e164})"),
        ("種別", f"{_CLASS_NAMES[read.number_class]} ({read.number_class})"),
        ("国・地域", f"{read.country.name} ({read.country.name_en})" if read.country else ""),
        ("料金", cost if price.yen_per_unit else "無料"),
        ("課税", str(price.tax)),
        ("発信者番号", _CALLER_ID_NAMES[read.caller_id]),
    ]
    return "\n".join(f"{name}: {value}" for name, value in rows if value)
