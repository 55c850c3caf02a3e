"""The bill (K3), its sums, and its proof."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from denwa.rating.bill import bill_of, call_of
from denwa.rating.bill_check import BillFault, faults, read_bill, recomputed
from denwa.rating.bill_document import BillDocument
from denwa.rating.bill_text import bill_text
from denwa.rating.billing_month import billing_month_of
from denwa.rating.consumer_price import yen_with_tax
from denwa.rating.ledger import credit_move, reversal
from denwa.rating.tariff import PRICED_CLASSES, TaxClass
from tests.rating.bills import HEADING, ISSUER, NOVEMBER, a_bill, adjustment, billed, posting
from tests.rating.shipped import TAX

POSTINGS = st.lists(
    st.builds(
        lambda cls, ms, credit, cause: (cls, ms, credit, cause),
        st.sampled_from(PRICED_CLASSES),
        st.integers(0, 10**7),
        st.integers(0, 100),
        st.sampled_from(["caller", "network_fault"]),
    ),
    max_size=8,
).map(
    lambda calls: [
        _within(posting(cls, ms, cause=cause, record_id=n), credit) for n, (cls, ms, credit, cause) in enumerate(calls)
    ]
)
ADJUSTMENTS = st.lists(
    st.tuples(st.integers(-5000, 5000).filter(bool), st.sampled_from(list(TaxClass))), max_size=4
).map(lambda made: tuple(adjustment(*one) for one in made))


def _within(one: Any, credit: int) -> Any:
    used = min(credit, one.charge_yen)
    return one._replace(credit_yen=used, charge=one.charge.with_credit(used))


def edited(bill: BillDocument, *path: str | int, value: Any) -> bytes:
    """The bill's JSON with one value changed."""
    document = json.loads(bill.content())
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode()


@pytest.mark.parametrize(
    ("yen", "percent", "text"),
    [(8, 10, "8.8"), (8, 8, "8.64"), (500, 10, "550"), (0, 10, "0"), (8, 0, "8"), (15, 10, "16.5"), (-8, 10, "-8.8")],
)
def test_prices_for_consumers_are_with_tax_exactly(yen: int, percent: int, text: str) -> None:  # K3
    assert yen_with_tax(yen, percent) == text


def test_tax_is_rounded_once_for_the_rate_with_fees_and_apart_from_what_is_exempt() -> None:  # K3, T6
    bill = a_bill(
        posting("fixed", 61_000, 20),
        posting("mobile", 1, record_id=2),
        posting("international", 61_000, record_id=3),
        adjustments=(adjustment(3), adjustment(-7, TaxClass.OUT_OF_SCOPE)),
    )
    totals = bill.totals
    assert [(rate.percent, rate.taxed_yen, rate.tax_yen) for rate in totals.rates] == [(10, 4 + 8 + 3, 1)]
    assert (totals.exempt_yen, totals.out_of_scope_yen, totals.tax_yen, totals.total_yen) == (24, -7, 1, 33)
    assert (totals.calls, totals.charge_yen, totals.credit_yen, totals.adjustment_yen) == (3, 56, 20, -4)


def test_the_bill_has_what_a_qualified_invoice_needs() -> None:  # K3
    values = json.loads(a_bill(posting()).content())
    assert values["kind"] == "qualified-invoice"
    assert values["issuer"]["registration_number"] == "T9000000000000"
    assert values["addressee"] == {"name": "山田太郎", "number": "05050010001"}
    assert (values["issued_on"], values["period_start"], values["period_end"]) == (
        "2026-12-01", "2026-11-01", "2026-11-30",
    )  # fmt: skip
    assert values["lines"][0]["yen_per_unit_with_tax"] == "8.8"


def test_without_a_registration_number_it_is_no_qualified_invoice_and_says_so() -> None:  # K3
    issuer = ISSUER.model_copy(update={"registration_number": ""})
    bill = a_bill(posting(), heading=HEADING._replace(issuer=issuer))
    assert bill.kind == "invoice"
    assert "適格請求書ではありません" in bill_text(bill, "050-5001-0001")


def test_the_rate_is_that_of_the_first_day_of_the_billing_month() -> None:  # T6: start day 16 around 2019-10-01
    before, after = (billing_month_of(date(2019, n, 16), 16) for n in (9, 10))
    old = a_bill(posting("fixed", 600_000, month=before), month=before)
    new = a_bill(posting("fixed", 600_000, month=after), month=after)
    assert (old.totals.rates[0].percent, old.totals.tax_yen) == (8, 12)  # 160 × 8 % = 12.8
    assert (new.totals.rates[0].percent, new.totals.tax_yen) == (10, 16)
    assert [bill.lines[0].yen_per_unit_with_tax for bill in (old, new)] == ["8.64", "8.8"]


def test_credit_that_runs_out_in_a_call_abroad_leaves_its_rest_exempt() -> None:  # T4: across taxed and exempt calls
    bill = a_bill(posting("fixed", 360_000, 96), posting("international", 61_000, 4, record_id=2))
    assert [(line.number_class, line.credit_yen, line.payable_yen) for line in bill.lines] == [
        ("fixed", 96, 0), ("international", 4, 20),
    ]  # fmt: skip
    totals = bill.totals
    assert (totals.credit_yen, totals.rates[0].taxed_yen, totals.exempt_yen, totals.total_yen) == (100, 0, 20, 20)


def test_calls_of_an_earlier_month_are_lines_of_their_own() -> None:  # L3: red and black
    october = billing_month_of(date(2026, 10, 1), 1)
    wrong = posting("mobile", 61_000, belongs=october)
    red = reversal(wrong, 1, NOVEMBER)
    black = posting("mobile", 30_000, record_id=1, belongs=october)._replace(revision=2)
    bill = a_bill(posting(record_id=2), red, black)
    assert [(line.correction_of, line.calls, line.units, line.charge_yen) for line in bill.lines] == [
        ("", 1, 3, 24), ("2026-10", 0, -2, -16),
    ]  # fmt: skip
    assert bill.totals.total_yen == 8
    assert "2026-10 訂正" in bill_text(bill, "")
    assert faults(bill.content(), TAX) == []


def test_the_text_shows_the_working_of_a_cut_of_a_forwarded_and_of_a_taken_back_call() -> None:  # T3, F4, T13
    cut = posting("fixed", 61_250, 16, cause="network_fault")
    calls = [call_of(billed(one, "forwarded"), "") for one in (cut, reversal(cut, 1, NOVEMBER))]
    text = bill_text(bill_of(HEADING, NOVEMBER, calls, [], TAX, details=True), "")
    assert (
        "転送 forwarded (記録は保存期間を過ぎました record deleted)  0 円\n"
        "    61.25秒 → 30秒 × 2 (当社設備の故障により切断: 満たない秒数は数えません) → 16 円; 特典 16; お支払い 0 "
        "[8 円/30秒 課税; 料金表 default 2000-01-01; T3, T2, F4, T4]"
    ) in text
    assert "取消 転送 forwarded" in text
    assert "→ -16 円; 特典 -16; お支払い 0" in text


def test_a_move_of_credit_is_shown_with_its_working() -> None:  # T4
    moved = credit_move(posting(credit=24), 1, -16, NOVEMBER)
    bill = a_bill(posting(credit=24), moved)
    assert bill.calls is not None
    assert bill.calls[1].working == "credit shared out anew: -16 yen [T4]"
    assert "特典の再配分 -16 円 [T4]" in bill_text(bill, "")
    assert (bill.lines[0].charge_yen, bill.lines[0].credit_yen, bill.totals.total_yen) == (24, 8, 17)
    assert faults(bill.content(), TAX) == []


def test_a_month_without_anything_has_a_bill_of_0_yen() -> None:
    bill = a_bill()
    assert (bill.totals.total_yen, bill.lines) == (0, ())
    assert "通話はありません" in bill_text(bill, "050-5001-0001")


def test_the_text_is_readable_and_says_what_is_without_tax() -> None:  # K3
    bill = a_bill(
        posting("fixed", 3_661_000, 20),
        posting("international", record_id=2),
        adjustments=(adjustment(500), adjustment(-7, TaxClass.OUT_OF_SCOPE)),
    )
    text = bill_text(bill, "050-5001-0001")
    for said in (
        "宛先 To        山田太郎 様  050-5001-0001", "登録番号 T9000000000000", "ご請求額(税込) To pay  1,627 円",
        "8 円/30秒 課税(税込 8.8 円)", "8 円/30秒 免税", "1:01:01", "10% 対象 taxed at 10% (税抜)",
        "免税 exempt (国際電話)", "不課税", "通話明細(税抜)",
        "61.0秒 → 30秒 × 3 → 24 円; 特典 0; お支払い 24 [8 円/30秒 免税; 料金表 default 2000-01-01; T1, T2]",
    ):  # fmt: skip
        assert said in text, said
    assert "仮" not in text
    assert "【仮】" in bill_text(a_bill(heading=HEADING._replace(provisional=True)), "")
    assert "お返しする額(税込) In your favour  11 円" in bill_text(a_bill(adjustments=(adjustment(-10),)), "")


@settings(max_examples=60)
@given(POSTINGS, ADJUSTMENTS, st.booleans())
def test_every_bill_recomputes_to_the_byte(postings: Any, adjustments: Any, details: bool) -> None:
    bill = a_bill(*postings, adjustments=adjustments, details=details)
    content = bill.content()
    assert read_bill(content) == bill
    assert recomputed(bill, TAX).content() == content
    assert faults(content, TAX) == []
    assert bill_text(bill, "050-5001-0001").endswith("\n")


@settings(max_examples=60)
@given(POSTINGS, ADJUSTMENTS)
def test_the_sum_of_the_parts_is_the_whole(postings: Any, adjustments: Any) -> None:
    totals = a_bill(*postings, adjustments=adjustments).totals
    taxed = sum(rate.taxed_yen for rate in totals.rates)
    assert taxed + totals.exempt_yen + totals.out_of_scope_yen + totals.tax_yen == totals.total_yen
    assert totals.charge_yen - totals.credit_yen + totals.adjustment_yen + totals.tax_yen == totals.total_yen
    assert totals.charge_yen == sum(one.charge_yen for one in postings)
    assert totals.duration_ms == sum(one.charge.duration_ms for one in postings)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("totals", "total_yen"), 25, "totals.total_yen: 25, should be 26"),
        (("totals", "rates", 0, "tax_yen"), 3, "totals.rates.0.tax_yen: 3, should be 2"),
        (("totals", "rates", 0, "percent"), 8, "totals.rates.0.percent: 8, should be 10"),
        (("lines", 0, "units"), 4, "lines.0.units: 4, should be 3"),
        (("lines", 0, "yen_per_unit_with_tax"), "8", "lines.0.yen_per_unit_with_tax: 8, should be 8.8"),
        (("lines",), [], "lines: 0 entries, should be 1"),
        (("calls", 0, "units"), 2, "calls.0.units: 2, should be 3"),
        (("calls", 0, "payable_yen"), 16, "calls.0.payable_yen: 16, should be 24"),
        (("calls", 0, "working"), "", "calls.0.working: , should be 61.0 s"),
        (("calls", 0, "credit_yen"), 25, "call call-1: credit 25 is not within the charge of 24 yen"),
        (("kind",), "invoice", "kind: invoice, should be qualified-invoice"),
        (("month",), "2026-10", "month: 2026-10, should be 2026-11"),
    ],
)
def test_a_changed_value_is_found_and_named(path: tuple[str | int, ...], value: Any, said: str) -> None:
    found = faults(edited(a_bill(posting()), *path, value=value), TAX)
    assert any(one.startswith(said) for one in found), found


def test_a_longer_call_changes_everything_that_follows_from_it() -> None:
    found = faults(edited(a_bill(posting()), "calls", 0, "duration_ms", value=91_000), TAX)
    assert {one.split(":")[0] for one in found} >= {
        "calls.0.units", "calls.0.charge_yen", "lines.0.duration_ms", "lines.0.charge_yen", "totals.total_yen",
    }  # fmt: skip


def test_a_bill_without_details_is_proved_from_its_lines() -> None:
    bill = a_bill(posting(), details=False)
    assert faults(bill.content(), TAX) == []
    assert faults(edited(bill, "lines", 0, "charge_yen", value=32), TAX)[0] == "lines.0.charge_yen: 32, should be 24"


def test_other_bytes_with_the_same_values_are_told_apart() -> None:
    content = json.dumps(json.loads(a_bill(posting()).content())).encode()
    assert faults(content, TAX) == ["every value is right, but the bytes are not those that Denwa writes"]


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("totals", "total_yen"), 1.5, "totals.total_yen"),
        (("totals", "total_yen"), "26", "totals.total_yen"),
        (("lines", 0, "tax"), "free", "lines.0.tax"),
        (("calls", 0, "unit_ms"), 0, "calls.0.unit_ms"),
        (("calls", 0, "duration_ms"), -1, "calls.0.duration_ms"),
        (("period_start",), "yesterday", "period_start"),
        (("more",), 1, "more"),
    ],
)
def test_what_is_no_bill_is_refused_with_the_field(path: tuple[str | int, ...], value: Any, said: str) -> None:
    with pytest.raises(BillFault, match=said):
        faults(edited(a_bill(posting()), *path, value=value), TAX)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"{}"])
def test_what_is_no_json_object_is_refused(content: bytes) -> None:
    with pytest.raises(BillFault):
        faults(content, TAX)
