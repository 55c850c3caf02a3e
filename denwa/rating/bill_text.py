"""The bill as text for a person: Japanese first, English beside it."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence

from denwa.rating.adjustment import AdjustmentKind
from denwa.rating.bill_document import BillDocument, BilledCall, BillLine
from denwa.rating.charge import FORWARDED
from denwa.rating.ledger import PostingKind
from denwa.rating.tariff import TaxClass

CLASSES = {
    "on-net": "当サービス間 on-net",
    "partner-050": "提携先050 partner 050",
    "paid-050": "その他の050 other 050",
    "fixed": "固定電話 fixed",
    "mobile": "携帯電話 mobile",
    "international": "国際電話 international",
}
TAXES = {TaxClass.TAXED: "課税", TaxClass.EXEMPT: "免税", TaxClass.OUT_OF_SCOPE: "不課税"}
KINDS = {
    AdjustmentKind.NUMBER_FEE: "番号発行手数料 number fee",
    AdjustmentKind.OPTION_FEE: "オプション料金 option fee",
    AdjustmentKind.PAYMENT_FEE: "支払手数料 payment fee",
    AdjustmentKind.OUTAGE_CREDIT: "障害時の賠償 outage credit",
    AdjustmentKind.LOST_METERING: "測定できなかった期間の利用料 lost metering",
    AdjustmentKind.EVASION: "割増金等 surcharge",
    AdjustmentKind.LATE_INTEREST: "延滞利息 late interest",
    AdjustmentKind.WAIVER: "減免 waiver",
    AdjustmentKind.MANUAL: "その他の調整 adjustment",
}
_CORRECTED = {PostingKind.CALL: "", PostingKind.REVERSAL: "取消 ", PostingKind.CREDIT_MOVE: "特典の再配分 "}


def bill_text(bill: BillDocument, number: str) -> str:
    """The bill, `number` being the subscriber's in the form that people read. Amounts without tax are called so."""
    parts = [_head(bill, number), _calls_by_class(bill), _adjustments(bill), _totals(bill), _details(bill)]
    return "\n\n".join("\n".join(lines) for lines in parts if lines) + "\n"


def _head(bill: BillDocument, number: str) -> list[str]:
    issuer = bill.issuer
    registered = (
        f"登録番号 {issuer.registration_number}"
        if issuer.registration_number
        else "登録番号なし: 適格請求書ではありません This is no qualified invoice."
    )
    said = [f"ご請求書 Bill {bill.month}"]
    if bill.provisional:
        said.append(
            "【仮】料金月が締まっていないため、金額は変わることがあります。 Provisional: the month is not closed."
        )
    said += [
        f"宛先 To        {bill.addressee.name or 'ご契約者'} 様  {number}",
        f"発行者 From    {' '.join(text for text in (issuer.name, issuer.address) if text)}",
        f"               {registered}",
        *[f"お問い合わせ   {issuer.contact}"] * bool(issuer.contact),
        f"発行日 Date    {bill.issued_on}",
        f"料金月 Period  {bill.period_start} 〜 {bill.period_end}",
    ]
    total = bill.totals.total_yen
    what = "ご請求額(税込) To pay" if total >= 0 else "お返しする額(税込) In your favour"
    return [*said, "", f"{what}  {abs(total):,} 円"]


def _calls_by_class(bill: BillDocument) -> list[str]:
    if not bill.lines:
        return ["通話料 Calls: この料金月の通話はありません。 No calls."]
    rows: list[tuple[str, ...]] = [
        ("区分 class", "単価 price", "通話 calls", "時間 time", "料金 charge", "特典 credit", "お支払い to pay")
    ]
    rows += [_line(line) for line in bill.lines]
    return ["通話料(税抜) Calls, without tax", *_table(rows, lefts=2)]


def _line(line: BillLine) -> tuple[str, ...]:
    price = _price(line)
    if line.tax is TaxClass.TAXED and line.yen_per_unit:
        price += f"(税込 {line.yen_per_unit_with_tax} 円)"
    earlier = f"{line.correction_of} 訂正 " if line.correction_of else ""
    return (
        earlier + CLASSES.get(line.number_class, line.number_class),
        price,
        str(line.calls),
        _time(line.duration_ms),
        f"{line.charge_yen:,}",
        f"{-line.credit_yen:,}",
        f"{line.payable_yen:,}",
    )


def _price(line: BillLine | BilledCall) -> str:
    return f"{line.yen_per_unit} 円/{_seconds(line.unit_ms)} {TAXES[line.tax]}" if line.yen_per_unit else "無料 free"


def _adjustments(bill: BillDocument) -> list[str]:
    if not bill.adjustments:
        return []
    said = ["その他(税抜) Other, without tax"]
    for one in bill.adjustments:
        back = f" ({one.corrects} の取消)" if one.corrects else ""
        said += [
            f"  {KINDS[one.kind]} {TAXES[one.tax]}{back}  {one.yen:,} 円",
            f"    {one.reason}",
            f"    {one.working}",
        ]
    return said


def _totals(bill: BillDocument) -> list[str]:
    totals = bill.totals
    rows = []
    for rate in totals.rates:
        rows.append((f"{rate.percent}% 対象 taxed at {rate.percent}% (税抜)", f"{rate.taxed_yen:,} 円"))
        rows.append((f"  消費税 tax at {rate.percent}%", f"{rate.tax_yen:,} 円"))
    rows.append(("免税 exempt (国際電話)", f"{totals.exempt_yen:,} 円"))
    if totals.out_of_scope_yen:
        rows.append(("不課税 out of scope", f"{totals.out_of_scope_yen:,} 円"))
    rows.append(("合計 total (税込)", f"{totals.total_yen:,} 円"))
    return ["合計 Totals", *_table(rows, lefts=1)]


def _details(bill: BillDocument) -> list[str]:
    if bill.calls is None:
        return []
    said = ["通話明細(税抜) Call details, without tax"]
    for call in bill.calls:
        when = call.answered_at.replace("T", " ")[: len("2026-11-21 09:00:00")]
        said += [f"  {when}  {_callee(call)}  {call.payable_yen:,} 円", f"    {_working(call)}"]
    return said


def _working(call: BilledCall) -> str:
    """`61.0秒 → 30秒 × 3 → 24 円; 特典 16; お支払い 8 [8 円/30秒 課税; 料金表 default 2000-01-01; T1, T2, T4]`."""
    if not call.sign:
        return f"特典の再配分 {call.credit_yen:+,} 円 [T4]"
    units = f"{_seconds(call.unit_ms)} × {call.units}"
    if call.fault_cut:
        units += " (当社設備の故障により切断: 満たない秒数は数えません)"
    amounts = f"{call.charge_yen:,} 円; 特典 {call.credit_yen:,}; お支払い {call.payable_yen:,}"
    rules = ", ".join(call.charge.rules(call.leg))
    return (
        f"{_exactly(call.duration_ms)} → {units} → {amounts} "
        f"[{_price(call)}; 料金表 {call.tariff} {call.tariff_date}; {rules}]"
    )


def _callee(call: BilledCall) -> str:
    forwarded = "転送 forwarded " if call.leg == FORWARDED else ""
    return _CORRECTED[call.kind] + forwarded + (call.callee or "(記録は保存期間を過ぎました record deleted)")


def _table(rows: Sequence[tuple[str, ...]], *, lefts: int) -> Iterator[str]:
    """Columns as wide as their widest cell; the first `lefts` begin, the others end together."""
    widths = [max(_width(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = [
            cell + " " * (width - _width(cell)) if column < lefts else " " * (width - _width(cell)) + cell
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  " + "  ".join(cells).rstrip()


def _width(text: str) -> int:
    """Columns on a terminal: Japanese characters take two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _seconds(unit_ms: int) -> str:
    return f"{unit_ms // 1000}秒" if unit_ms % 1000 == 0 else f"{unit_ms}ミリ秒"


def _exactly(duration_ms: int) -> str:
    """Seconds with as many decimals as there are, at least one."""
    seconds, millis = divmod(duration_ms, 1000)
    return f"{seconds}.{f'{millis:03d}'.rstrip('0') or '0'}秒"


def _time(duration_ms: int) -> str:
    """h:mm:ss, the rest of a second cut off."""
    minutes, seconds = divmod(abs(duration_ms) // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{'-' if duration_ms < 0 else ''}{hours}:{minutes:02d}:{seconds:02d}"
