from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from denwa.rating.tariff import PRICED_CLASSES, NoPriceError, Price, Tariff, TaxClass
from denwa.rating.tariff_files import TariffFault, check_tariffs, load_tariff, load_tax_rates, tariff_names
from tests.rating.shipped import BOOK, TARIFFS

GOOD = (TARIFFS / "default" / "2000-01-01.toml").read_text(encoding="utf-8")


def put(directory: Path, text: str, day: str = "2000-01-01", name: str = "default") -> Path:
    file = directory / name / f"{day}.toml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def faults(directory: Path) -> list[str]:
    with pytest.raises(TariffFault) as caught:
        load_tariff(directory, "default")
    assert str(caught.value) == "\n".join(map(str, caught.value.faults))
    return [f"{fault.file.name}:{fault.line}: {fault.reason}" for fault in caught.value.faults]


def test_the_shipped_data_has_no_fault() -> None:
    assert check_tariffs(TARIFFS) == []
    assert tariff_names(TARIFFS) == ["default"]


def test_the_shipped_tariff_prices_every_class() -> None:  # T2
    prices = BOOK.on(date(2026, 11, 21)).prices
    assert {c: prices[c].yen_per_unit for c in PRICED_CLASSES} == {
        "on-net": 0, "partner-050": 0, "paid-050": 8, "fixed": 8, "mobile": 8, "international": 8,
    }  # fmt: skip


def test_a_call_is_rated_with_the_tariff_in_force_on_its_day(tmp_path: Path) -> None:  # T8
    put(tmp_path, GOOD)
    put(
        tmp_path, GOOD.replace("2000-01-01", "2026-12-01").replace("yen_per_unit = 8", "yen_per_unit = 9"), "2026-12-01"
    )
    book = load_tariff(tmp_path, "default")
    assert [book.on(day).price("fixed").yen_per_unit for day in (date(2026, 11, 30), date(2026, 12, 1))] == [8, 9]


def test_a_range_may_have_a_price_of_its_own_and_the_longest_wins(tmp_path: Path) -> None:  # T8
    rows = "".join(
        f'\n[[price]]\nclass = "{name}"\nranges = {ranges}\nunit_ms = 60000\nyen_per_unit = {yen}\ntax = "exempt"\n'
        for name, ranges, yen in [
            ("international", ["+852", "+44"], 20), ("international", ["+447", "+8529"], 30),
            ("paid-050", ["+8150999"], 5),
        ]
    )  # fmt: skip
    put(tmp_path, GOOD + rows)
    tariff = load_tariff(tmp_path, "default").on(date(2026, 11, 21))
    prices = {
        number: tariff.price(number_class, number).yen_per_unit
        for number_class, number in [
            ("international", "+85221234567"),
            ("international", "+85291234567"),
            ("international", "+447400123456"),
            ("international", "+442071234567"),
            ("international", "+18085551234"),
            ("paid-050", "+815099912345"),
            ("paid-050", "+815099812345"),
        ]
    }
    assert list(prices.values()) == [20, 30, 30, 20, 8, 5, 8]
    assert tariff.price("fixed", "+85221234567").yen_per_unit == 8
    assert tariff.price("international").unit_ms == 30_000


@given(st.lists(st.from_regex(r"\A\+[1-79][0-9]{0,5}\Z"), unique=True), st.from_regex(r"\A\+[1-79][0-9]{6,9}\Z"))
def test_the_price_of_a_number_is_that_of_its_longest_range(ranges: list[str], number: str) -> None:  # T8
    default = Price("international", 30_000, 8, TaxClass.EXEMPT)
    prices = {prefix: default._replace(yen_per_unit=100 + place) for place, prefix in enumerate(ranges)}
    tariff = Tariff("t", date(2026, 1, 1), 100, {"international": default}, None, {"international": prices})
    fitting = [prefix for prefix in ranges if number.startswith(prefix)]
    assert tariff.price("international", number) == (prices[max(fitting, key=len)] if fitting else default)


def test_before_the_first_tariff_nothing_can_be_rated() -> None:  # T8
    with pytest.raises(NoPriceError, match="no tariff 'default' in force on 1999-12-31"):
        BOOK.on(date(1999, 12, 31))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("yen_per_unit = 8\n", "yen_per_unit = 8.5\n", "price.2.yen_per_unit: Input should be a valid integer"),
        ("yen_per_unit = 8\n", "yen_per_unit = -1\n", "price.2.yen_per_unit: Input should be greater"),
        ("unit_ms = 30000", "unit_ms = 0", "price.0.unit_ms: Input should be greater"),
        ('class = "mobile"', 'class = "fixed"', "fixed has two prices"),
        ('class = "mobile"', 'class = "portable"', "price.4.class: Input should be 'on-net'"),
        ('tax = "exempt"', 'tax = "none"', "price.5.tax: Input should be 'taxed' or 'exempt'"),
        ("yen = 100", "yen = 100\nyne = 1", "credit.yne: Extra inputs are not permitted"),
        ("schema = 1", "schema = 2", "schema: Input should be 1"),
        ("valid_from = 2000-01-01", "valid_from = 2001-01-01", "valid_from 2001-01-01 is not the file name's"),
        ('name = "default"', 'name = "other"', "name 'other' is not the folder's, 'default'"),
        ("[credit]", "[credit", "Expected ']'"),
    ],
)
def test_a_fault_names_file_line_and_reason(tmp_path: Path, old: str, new: str, expected: str) -> None:  # T8
    put(tmp_path, GOOD.replace(old, new, 1))
    line = GOOD[: GOOD.index(old)].count("\n") + 1 + new.strip().count("\n")
    assert any(found.startswith(f"2000-01-01.toml:{line}: {expected}") for found in faults(tmp_path))


def test_a_missing_price_is_a_fault(tmp_path: Path) -> None:  # T8
    put(tmp_path, GOOD[: GOOD.rindex("[[price]]")])
    assert faults(tmp_path) == ["2000-01-01.toml:1: no price for international"]


def test_all_faults_of_all_files_come_at_once(tmp_path: Path) -> None:  # T8
    put(tmp_path, GOOD.replace("unit_ms = 30000", "unit_ms = 0"))
    put(tmp_path, "schema = 1\n\xa0", "2001-01-01")
    assert len(faults(tmp_path)) == 7


def test_an_unknown_tariff_names_those_there_are(tmp_path: Path) -> None:
    put(tmp_path, GOOD)
    with pytest.raises(TariffFault, match=r"no tariff '\.\./default' here \(there are: default\)"):
        load_tariff(tmp_path, "../default")


def test_a_file_that_is_no_utf8_names_the_line(tmp_path: Path) -> None:
    file = put(tmp_path, GOOD)
    file.write_bytes(b"schema = 1\n# \xff\n")
    assert faults(tmp_path) == ["2000-01-01.toml:2: the file is not UTF-8"]


def test_faults_of_the_tax_rates_are_found_too(tmp_path: Path) -> None:
    put(tmp_path, GOOD)
    assert [fault.reason for fault in check_tariffs(tmp_path)] == ["No such file or directory"]
    (tmp_path / "consumption-tax.toml").write_text(
        "schema = 1\n[[rate]]\nvalid_from = 2019-10-01\npercent = 10\n[[rate]]\nvalid_from = 2019-10-01\npercent = 8\n"
    )
    assert [(fault.line, fault.reason) for fault in check_tariffs(tmp_path)] == [(6, "2019-10-01 comes twice")]
    with pytest.raises(TariffFault):
        load_tax_rates(tmp_path)
