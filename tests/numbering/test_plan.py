"""How a dialled number reads (N4, N5, N7) with the shipped plan and the demonstration's operator."""

from __future__ import annotations

from datetime import date, timedelta
from time import process_time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from denwa.numbering import NumberClass, NumberingPlan, PhoneNumber, Reading, Refusal, RefusalReason
from tests.numbering.conftest import TODAY


def reading(plan: NumberingPlan, dialled: str, on: date = TODAY) -> Reading:
    found = plan.read(dialled, on)
    assert isinstance(found, Reading), found
    return found


def refused(plan: NumberingPlan, dialled: str, on: date = TODAY) -> Refusal:
    found = plan.read(dialled, on)
    assert isinstance(found, Refusal), found
    return found


@pytest.mark.parametrize(
    ("dialled", "number_class", "e164"),
    [
        ("05050010001", NumberClass.ON_NET, "+815050010001"),
        ("050-5001-9999", NumberClass.ON_NET, "+815050019999"),
        ("05010000000", NumberClass.PARTNER_050, "+815010000000"),
        ("05030009999", NumberClass.PARTNER_050, "+815030009999"),
        ("05050020000", NumberClass.PAID_050, "+815050020000"),
        ("05050000000", NumberClass.PAID_050, "+815050000000"),
        ("05010010000", NumberClass.PAID_050, "+815010010000"),
        ("05099999999", NumberClass.PAID_050, "+815099999999"),
        ("0312345678", NumberClass.FIXED, "+81312345678"),
        ("0612345678", NumberClass.FIXED, "+81612345678"),
        ("0111234567", NumberClass.FIXED, "+81111234567"),
        ("0123456789", NumberClass.FIXED, "+81123456789"),
        ("0154812345", NumberClass.FIXED, "+81154812345"),
        ("0471234567", NumberClass.FIXED, "+81471234567"),
        ("0499212345", NumberClass.FIXED, "+81499212345"),
        ("0980212345", NumberClass.FIXED, "+81980212345"),
        ("09012345678", NumberClass.MOBILE, "+819012345678"),
        ("08012345678", NumberClass.MOBILE, "+818012345678"),
        ("07012345678", NumberClass.MOBILE, "+817012345678"),
        ("06012345678", NumberClass.MOBILE, "+816012345678"),
        ("06099999999", NumberClass.MOBILE, "+816099999999"),
    ],
)
def test_a_number_of_japan_has_its_class(
    plan: NumberingPlan, dialled: str, number_class: NumberClass, e164: str
) -> None:
    # N4
    found = reading(plan, dialled)
    assert (found.number_class, found.number.e164, found.country) == (number_class, e164, None)


@pytest.mark.parametrize(
    "dialled", ["110", "118", "119", "184110", "+81110", "+810119", "010-81-118", "%3110", "１１０"]
)
def test_emergency_numbers_are_barred_and_say_so(plan: NumberingPlan, dialled: str) -> None:
    # N5, K2
    found = refused(plan, dialled)
    assert (found.reason, found.sip_status, found.prompt) == (RefusalReason.BARRED_EMERGENCY, 403, "barred")
    assert "110・118・119" in found.text_ja
    assert not found.alarm


@pytest.mark.parametrize(
    "dialled",
    [
        *["104", "113", "114", "115", "116", "117", "171", "177", "188", "189", "122", "1041"],
        *["0120444113", "0800-123-4567", "0570018610", "0990512345", "0180991234"],
        *["#9110", "%239110", "＃９１１０", "#7119", "*67", "*#06#"],
        *["+81120444113", "+810120444113", "010-81-120-444-113", "010810570018610", "+818001234567", "+81990512345"],
        *["1840120444113", "186-0570-018610"],
    ],
)
def test_service_numbers_are_barred(plan: NumberingPlan, dialled: str) -> None:
    # N5; 010 + 81 is no way around it (N6)
    found = refused(plan, dialled)
    assert (found.reason, found.sip_status, found.prompt) == (RefusalReason.BARRED_SERVICE, 403, "barred")


@pytest.mark.parametrize("dialled", ["0033010180855512", "001010118085551234", "0036-03-1234-5678", "0077", "009130"])
def test_carrier_prefixes_other_than_010_are_barred(plan: NumberingPlan, dialled: str) -> None:
    # N5
    found = refused(plan, dialled)
    assert (found.reason, found.sip_status) == (RefusalReason.BARRED_CARRIER, 403)


@pytest.mark.parametrize(
    "dialled", ["03177", "03-177", "06177", "04177", "017177", "011177", "0123177", "01267177", "+813177", "18403177"]
)
def test_the_weather_forecast_of_an_area_is_a_fixed_number(plan: NumberingPlan, dialled: str) -> None:
    # N5: 03-177 is allowed and rated as fixed
    assert reading(plan, dialled).number_class is NumberClass.FIXED


@pytest.mark.parametrize("dialled", ["03104", "03117", "0177", "03177177", "090177"])
def test_no_other_short_number_follows_an_area_code(plan: NumberingPlan, dialled: str) -> None:
    # N5
    assert refused(plan, dialled).reason is RefusalReason.TOO_SHORT


@pytest.mark.parametrize(
    "dialled",
    [
        *["02012345678", "0200123456", "0910123456", "06001234567", "0600123456", "03012345678", "04012345678"],
        *["0212345678", "0141234567", "0511234567", "0710000000", "0812345678", "0912345678", "+81212345678"],
    ],
)
def test_a_block_the_plan_does_not_know_is_refused_with_an_alarm(plan: NumberingPlan, dialled: str) -> None:
    # N4: 020, 0910, 0600 and every other unknown block
    found = refused(plan, dialled)
    assert (found.reason, found.sip_status, found.prompt) == (RefusalReason.UNKNOWN_BLOCK, 404, "unallocated")
    assert found.alarm


@pytest.mark.parametrize(
    "dialled", ["", "0", "01", "03", "0312", "031234567", "090", "0901234567", "010", "010810", "+"]
)
def test_an_incomplete_number_is_answered_484(plan: NumberingPlan, dialled: str) -> None:
    # RFC 3261 §21.4.22
    found = refused(plan, dialled)
    assert (found.reason, found.sip_status, found.alarm) == (RefusalReason.TOO_SHORT, 484, False)


@pytest.mark.parametrize("dialled", ["50010002", "2345-6789", "96781234"])
def test_a_number_without_area_code_is_incomplete(plan: NumberingPlan, dialled: str) -> None:
    assert refused(plan, dialled).text == "the area code is missing"


@pytest.mark.parametrize("dialled", ["03123456789", "090123456789", "050500100011", "+813123456789"])
def test_a_number_that_is_too_long_is_refused(plan: NumberingPlan, dialled: str) -> None:
    assert refused(plan, dialled).reason is RefusalReason.TOO_LONG


@pytest.mark.parametrize("dialled", ["alice", "0312345678#", "03+12345678", "%zz", "+81010180855512", "01001234567"])
def test_what_is_no_number_is_invalid(plan: NumberingPlan, dialled: str) -> None:
    found = refused(plan, dialled)
    assert (found.reason, found.sip_status) == (RefusalReason.INVALID, 404)


@pytest.mark.parametrize(
    ("prefix", "caller_id"), [("184", "hide"), ("186", "show"), ("", "default"), ("１８４－", "hide"), ("184 ", "hide")]
)
@pytest.mark.parametrize("number", ["0312345678", "+81312345678", "010-81-3-1234-5678"])
def test_184_hides_and_186_shows_the_callers_number(
    plan: NumberingPlan, prefix: str, caller_id: str, number: str
) -> None:
    # N3, N7
    found = reading(plan, prefix + number)
    assert (found.caller_id, found.number.e164) == (caller_id, "+81312345678")


def test_184_applies_to_a_call_abroad_and_to_a_refused_one(plan: NumberingPlan) -> None:
    assert reading(plan, "184010 1 808 555 1234").caller_id == "hide"
    assert refused(plan, "1840120444113").caller_id == "hide"
    assert refused(plan, "184").reason is RefusalReason.TOO_SHORT


def test_a_number_that_begins_with_0184_is_a_number_of_akita(plan: NumberingPlan) -> None:
    assert reading(plan, "0184221234").caller_id == "default"
    assert reading(plan, "+81184221234").number.e164 == "+81184221234"


def test_060_is_mobile_from_july_2026(plan: NumberingPlan) -> None:
    # N4
    before, first = date(2026, 6, 30), date(2026, 7, 1)
    for digit in "123456789":
        number = f"060{digit}2345678"
        assert refused(plan, number, before).reason is RefusalReason.UNKNOWN_BLOCK
        assert reading(plan, number, first).number_class is NumberClass.MOBILE
    assert refused(plan, "06002345678", first).alarm


def test_before_the_first_plan_everything_is_refused_with_an_alarm(plan: NumberingPlan) -> None:
    assert reading(plan, "0312345678", date(2002, 1, 1)).number_class is NumberClass.FIXED
    assert refused(plan, "0312345678", date(2001, 12, 31)).alarm


def test_the_operators_own_range_is_offered_for_new_numbers(plan: NumberingPlan) -> None:
    # N1
    (own,) = plan.own_ranges_on(TODAY)
    assert (own.first, own.last, own.prefix_length) == ("+815050010000", "+815050019999", 8)


@pytest.mark.parametrize(
    ("dialled", "written"),
    [
        ("0312345678", "03-1234-5678"),
        ("0123456789", "0123-45-6789"),
        ("0111234567", "011-123-4567"),
        ("0499212345", "04992-1-2345"),
        ("0794212345", "079-421-2345"),
        ("05050010001", "050-5001-0001"),
        ("03177", "03177"),
    ],
)
def test_a_fixed_number_is_grouped_at_its_area_code(plan: NumberingPlan, dialled: str, written: str) -> None:
    assert plan.grouped(PhoneNumber.parse(dialled), TODAY) == written


@given(
    dialled=st.text(max_size=30) | st.text(alphabet="0123456789+*#%-;=@ ０１８４", max_size=20),
    on=st.dates(date(2000, 1, 1), date(2030, 1, 1)),
)
@example(dialled="184+", on=TODAY)
@example(dialled="%", on=TODAY)
@example(dialled="9" * 5000, on=TODAY)
@example(dialled="", on=date.min)
@example(dialled="0312345678", on=date.max)
def test_read_answers_whatever_is_dialled(plan: NumberingPlan, dialled: str, on: date) -> None:
    found = plan.read(dialled, on)
    if isinstance(found, Refusal):
        assert found.sip_status in (403, 404, 484)
        assert found.text
        assert found.text_ja
        assert found.prompt in ("barred", "unallocated", "country-not-offered")
        assert found.alarm == (found.reason is RefusalReason.UNKNOWN_BLOCK)
    else:
        assert plan.read(found.number.e164, on) == Reading(found.number, found.number_class, found.country, "default")


@given(digits=st.from_regex(r"\A0[0-9]{9,10}\Z").filter(lambda digits: not digits.startswith("010")))
def test_every_spelling_of_a_number_reads_alike(plan: NumberingPlan, digits: str) -> None:
    # N3
    plain = plan.read(digits, TODAY)
    spellings = ["-".join(digits), f"tel:{digits}", f"sip:{digits}@denwa.example;user=phone", f" {digits} "]
    spellings.append(digits.translate({ord("0") + n: ord("０") + n for n in range(10)}))
    spellings.append("".join(f"%{ord(digit):02x}" for digit in digits))
    if not digits.startswith("00"):
        spellings += [f"+81{digits[1:]}", f"+81{digits}", f"01081{digits[1:]}", f"010-81-{digits}"]
    assert [plan.read(spelling, TODAY) for spelling in spellings] == [plain] * len(spellings)


_CHANGES = [
    *[date(2002, 1, 1), date(2023, 2, 24), date(2023, 11, 16), date(2024, 3, 1), date(2024, 8, 30), date(2025, 1, 23)],
    *[date(2025, 3, 26), date(2025, 11, 7), date(2026, 7, 1)],
]


def test_the_days_of_change_are_known(plan: NumberingPlan) -> None:
    # T8
    assert [epoch.start for epoch in plan._epochs[1:]] == _CHANGES  # the first: the operator names no first day


@given(digits=st.from_regex(r"\A0[0-9]{9,10}\Z"), on=st.dates(date(2002, 1, 1), date(2029, 12, 31)))
def test_a_reading_changes_only_on_a_day_of_change(plan: NumberingPlan, digits: str, on: date) -> None:
    start = max(day for day in _CHANGES if day <= on)
    assert plan.read(digits, on) == plan.read(digits, start)


def test_reading_a_plain_number_takes_less_than_10_microseconds(plan: NumberingPlan) -> None:
    numbers = [f"03{n:08}" for n in range(12_340_000, 12_345_000)]
    reading(plan, "0312345678")

    def once() -> float:
        started = process_time()
        for number in numbers:
            plan.read(number, TODAY)
        return (process_time() - started) / len(numbers)

    assert min(once() for _ in range(3)) < 10e-6


def test_what_is_remembered_stays_bounded(plan: NumberingPlan) -> None:
    for n in range(20_000):
        plan.read(f"090{n:08}", TODAY)
    plan.read("tel:" + "-" * 200 + "0312345678", TODAY)
    kept = [len(epoch.read_before) for epoch in plan._epochs]
    assert max(kept) <= 8192
    assert all(len(dialled) <= 48 for epoch in plan._epochs for dialled in epoch.read_before)


def test_today_and_tomorrow_are_read_by_the_plan_of_their_day(plan: NumberingPlan) -> None:
    for days in range(-400, 400, 37):
        day = date(2026, 7, 1) + timedelta(days=days)
        found = plan.read("06012345678", day)
        assert isinstance(found, Reading) == (days >= 0)
