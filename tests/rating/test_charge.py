from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from denwa.rating.charge import NETWORK_FAULT, charge_call, units_of
from denwa.rating.tariff import PRICED_CLASSES, NoPriceError, Price, Tariff, TariffBook, TaxClass
from tests.rating.shipped import BOOK

TARIFF = BOOK.on(date(2026, 11, 21))
DURATIONS = st.integers(0, 10**9)
CLASSES = st.sampled_from(PRICED_CLASSES)


def yen(duration_ms: int, number_class: str = "fixed", end_cause: str = "caller") -> int:
    return charge_call(TARIFF, number_class, duration_ms, end_cause).yen


@pytest.mark.parametrize(
    ("duration_ms", "expected"),
    [(0, 0), (1, 8), (29_999, 8), (30_000, 8), (30_001, 16), (60_000, 16), (60_001, 24), (3_600_000, 960)],
)
def test_every_started_30_seconds_costs_8_yen(duration_ms: int, expected: int) -> None:  # T1
    assert yen(duration_ms) == expected


@pytest.mark.parametrize(
    ("duration_ms", "expected"), [(0, 0), (1, 0), (29_999, 0), (30_000, 8), (30_001, 8), (59_999, 8), (60_000, 16)]
)
def test_a_call_cut_by_the_services_fault_does_not_count_the_unfinished_30_seconds(
    duration_ms: int, expected: int
) -> None:  # T3
    assert yen(duration_ms, end_cause=NETWORK_FAULT) == expected


@pytest.mark.parametrize("cause", ["caller", "callee", "lost", "service", ""])
def test_no_other_end_cause_changes_the_charge(cause: str) -> None:  # T3
    assert yen(30_001, end_cause=cause) == 16


@pytest.mark.parametrize("number_class", ["on-net", "partner-050"])
def test_free_calls_cost_nothing_but_their_units_are_counted(number_class: str) -> None:  # T2
    charge = charge_call(TARIFF, number_class, 61_000, "callee")
    assert (charge.units, charge.yen) == (3, 0)


@pytest.mark.parametrize("number_class", ["paid-050", "fixed", "mobile"])
def test_domestic_calls_are_8_yen_and_taxed(number_class: str) -> None:  # T2
    charge = charge_call(TARIFF, number_class, 1, "callee")
    assert (charge.yen, charge.price.tax) == (8, TaxClass.TAXED)


def test_international_calls_are_8_yen_and_exempt() -> None:  # T2
    charge = charge_call(TARIFF, "international", 1, "callee")
    assert (charge.yen, charge.price.tax) == (8, TaxClass.EXEMPT)


def test_a_class_without_a_price_is_never_free() -> None:  # T8
    with pytest.raises(NoPriceError, match="no price for class 'satellite'"):
        charge_call(TARIFF, "satellite", 1, "caller")


def test_a_negative_duration_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        units_of(-1, 30_000)


def test_the_working_can_be_read() -> None:
    charge = charge_call(TARIFF, "mobile", 61_000, "caller").with_credit(16)
    assert charge.text() == "61.0 s → 3 × 30 s → 24 yen; credit 16; to pay 8"
    assert (charge.tariff, charge.tariff_date, charge.payable_yen) == ("default", date(2000, 1, 1), 8)


def test_the_whole_working_names_price_row_tariff_date_and_rules() -> None:
    charge = charge_call(TARIFF, "mobile", 61_000, "caller")
    assert charge.working() == (
        "61.0 s → 3 × 30 s → 24 yen; credit 0; to pay 24 "
        "[mobile 8 yen per 30 s, taxed; tariff default of 2000-01-01; T1, T2]"
    )
    abroad = charge_call(TARIFF, "international", 61_000, "caller").with_credit(16)
    assert "[international 8 yen per 30 s, exempt; tariff default of 2000-01-01; T1, T2, T4]" in abroad.working()


def test_the_working_of_a_forwarded_leg_and_of_a_cut_call_says_so() -> None:  # F4, T3
    cut = charge_call(TARIFF, "fixed", 61_000, NETWORK_FAULT)
    assert (cut.rules("forwarded"), cut.rules("outgoing")) == (("T3", "T2", "F4"), ("T3", "T2"))
    assert cut.working("forwarded").endswith("T3, T2, F4]")


def test_two_calls_around_a_change_of_the_tariff_show_the_tariff_of_their_day() -> None:  # T8
    old = Tariff("default", date(2000, 1, 1), 100, {"fixed": Price("fixed", 30_000, 8, TaxClass.TAXED)})
    new = Tariff("default", date(2026, 12, 1), 100, {"fixed": Price("fixed", 60_000, 15, TaxClass.TAXED)})
    book = TariffBook("default", [old, new])
    last, first = (charge_call(book.on(day), "fixed", 61_000, "") for day in (date(2026, 11, 30), date(2026, 12, 1)))
    assert (last.yen, first.yen) == (24, 30)
    assert "3 × 30 s → 24 yen" in last.working()
    assert "tariff default of 2000-01-01" in last.working()
    assert "2 × 60 s → 30 yen" in first.working()
    assert "fixed 15 yen per 60 s, taxed; tariff default of 2026-12-01" in first.working()


@pytest.mark.parametrize("hours", [1, 5, 24, 100])
def test_a_call_of_hours_costs_960_yen_an_hour(hours: int) -> None:  # T1
    assert yen(hours * 3_600_000) == hours * 960
    assert yen(hours * 3_600_000 + 1) == hours * 960 + 8


@given(st.lists(DURATIONS, min_size=1, max_size=10), CLASSES)
def test_a_call_in_one_piece_never_costs_more_than_in_parts(parts: list[int], number_class: str) -> None:  # T1
    whole, pieces = yen(sum(parts), number_class), [yen(part, number_class) for part in parts]
    assert sum(pieces) - 8 * (len(parts) - 1) <= whole <= sum(pieces)


@given(DURATIONS, CLASSES, st.integers(0, 100))
def test_credit_and_what_is_to_pay_are_the_whole_charge(duration_ms: int, number_class: str, credit: int) -> None:
    charge = charge_call(TARIFF, number_class, duration_ms, "caller")  # T4
    shared = charge.with_credit(min(credit, charge.yen))
    assert shared.credit_yen + shared.payable_yen == charge.yen == shared.units * shared.price.yen_per_unit


def test_the_working_says_when_an_unfinished_unit_was_dropped() -> None:  # T3
    assert "the unfinished unit is not counted" in charge_call(TARIFF, "fixed", 61_000, NETWORK_FAULT).text()
    assert "not counted" not in charge_call(TARIFF, "fixed", 60_000, NETWORK_FAULT).text()


@pytest.mark.parametrize("credit", [-1, 9])
def test_credit_outside_the_charge_is_refused(credit: int) -> None:
    with pytest.raises(ValueError, match="credit"):
        charge_call(TARIFF, "fixed", 1, "caller").with_credit(credit)


@given(DURATIONS, DURATIONS, CLASSES, st.sampled_from(["caller", NETWORK_FAULT]))
def test_a_charge_never_falls_as_a_call_gets_longer(a: int, b: int, number_class: str, cause: str) -> None:
    short, long = sorted((a, b))
    assert yen(short, number_class, cause) <= yen(long, number_class, cause)


@given(DURATIONS)
def test_started_units_are_the_least_that_cover_the_call(duration_ms: int) -> None:  # T1
    units = units_of(duration_ms, 30_000)
    assert units * 30_000 >= duration_ms > (units - 1) * 30_000


@given(DURATIONS)
def test_a_fault_of_the_service_never_makes_a_call_dearer(duration_ms: int) -> None:  # T3
    assert yen(duration_ms) - 8 <= yen(duration_ms, end_cause=NETWORK_FAULT) <= yen(duration_ms)
