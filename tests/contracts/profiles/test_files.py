"""Profiles as data files: what is shipped is sound, and every fault is told with file and line (T8, L4)."""

from __future__ import annotations

from pathlib import Path

import pytest

from denwa.contracts.faults import ContractFault, Reason
from denwa.contracts.profiles.files import ProfileFault, check_known, check_profiles, load_profile, profile_names
from denwa.contracts.profiles.payments import payment_fee
from tests.contracts.profiles.shipped import PROFILES, month

GOOD = (PROFILES / "value-net.toml").read_text(encoding="utf-8")


def put(directory: Path, text: str, name: str = "value-net") -> Path:
    file = directory / f"{name}.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_the_shipped_profiles_are_sound() -> None:  # L4
    assert check_profiles(PROFILES) == []
    assert profile_names(PROFILES) == [
        "and-market", "h555", "ip-phone-smart", "ucom-residence", "ucom-spaaqs", "value-net",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("schema = 1", "schema = 2", 2, "schema: Input should be 1"),
        ('name = "value-net"', 'name = "value"', 3, "name 'value' is not the file's, 'value-net'"),
        ('name = "value-net"', 'name = "Value Net"', 3, "name: String should match pattern"),
        ("valid_from = 2000-01-01", 'valid_from = "2000-01-01"', 7, "valid_from: Input should be a valid date"),
        ("valid_from = 2000-01-01", "valid_from = 2000-01-01\nends = 1999-12-31", 8, "ends is before valid_from"),
        ("valid_from = 2000-01-01", "valid_from = 2000-01-01\ncolour = 1", 8, "colour: Extra inputs are not permitted"),
        (
            "cut_off_day = 15",
            "cut_off_day = 28",
            11,
            "withdrawal.0.cut_off_day: Input should be less than or equal to 27",
        ),
        ("cut_off_day = 15", "cut_off_day = 1.5", 11, "withdrawal.0.cut_off_day: Input should be a valid integer"),
        ("cut_off_day = 15", "", 9, "withdrawal.0: cut_off_day and ends_after go together"),
        ('ends_after = "next-month"', 'ends_after = "next-year"', 13, "withdrawal.0.ends_after: Input should be"),
        ('ends_after = "next-month"', 'ends_after = "next-month"\nplans = ["tv"]', 14, "there is no plan 'tv'"),
        ('renews = "same-term"', 'renews = "same-term"\nmonths = 0', 19, "term.0.months: Input should be greater"),
        ('charge = "by-plan"', 'charge = "some"', 19, "term.0.charge: Input should be 'by-plan' or 'remaining-months'"),
        ("fee_yen = 200", "fee_yen = -1", 31, "payment.1.fee_yen: Input should be greater"),
        ("fee_yen = 200", "fee_yen = 200.0", 31, "payment.1.fee_yen: Input should be a valid integer"),
        ("debit_day = 23", "debit_day = 29", 33, "payment.1.debit_day: Input should be less"),
        ("debit_day = 23", "debit_day = 23\nvalid_from = 1999-12-31", 34, "outside the days of the profile"),
        ('method = "bank-debit"', 'method = "card"', 28, "payment.1: a second rule card from 2000-01-01"),
        ('method = "bank-debit"', 'method = "barter"', 30, "payment.1.method: Input should be 'card'"),
        (
            'id = "internet"',
            'id = "internet"\nprorated = true\nfree_months = 1',
            35,
            "a free first month is not prorated",
        ),
        ("[[plan]]", "[[plan]", 35, "Expected"),
    ],
)
def test_a_fault_names_file_line_and_reason(tmp_path: Path, old: str, new: str, line: int, says: str) -> None:  # T8
    assert old in GOOD
    file = put(tmp_path, GOOD.replace(old, new, 1))
    (fault,) = check_profiles(tmp_path)
    assert says in fault.reason
    assert fault.line == line
    with pytest.raises(ProfileFault, match=str(file)):
        load_profile(tmp_path, "value-net")


def test_an_option_cannot_have_the_id_of_a_plan(tmp_path: Path) -> None:  # T8
    put(tmp_path, GOOD + '\n[[option]]\narticle = "x"\nid = "internet"\nname = "x"\n')
    (fault,) = check_profiles(tmp_path)
    assert (fault.line, fault.reason) == (43, "option.0.id: 'internet' is a plan's")


def test_all_faults_of_all_files_come_at_once(tmp_path: Path) -> None:  # T8
    put(tmp_path, GOOD.replace("fee_yen = 200", "fee_yen = -1").replace("cut_off_day = 15", "cut_off_day = 99"))
    put(tmp_path, "schema = ", "broken")
    (tmp_path / "latin.toml").write_bytes(b"schema = 1\n# \xff\n")
    faults = check_profiles(tmp_path)
    assert [fault.file.name for fault in faults] == ["broken.toml", "latin.toml", "value-net.toml", "value-net.toml"]
    assert faults[1].line == 2


def test_a_rule_is_in_force_until_a_later_one_of_its_kind_replaces_it(tmp_path: Path) -> None:  # T8
    put(
        tmp_path, GOOD + '\n[[payment]]\narticle = "x"\nmethod = "bank-debit"\nvalid_from = 2027-04-01\nfee_yen = 250\n'
    )
    profile = load_profile(tmp_path, "value-net")
    assert payment_fee(profile, "bank-debit", month("2027-03")).fee_yen == 200
    assert payment_fee(profile, "bank-debit", month("2027-04")).fee_yen == 250


@pytest.mark.parametrize("name", ["gold", "../value-net", "VALUE-NET", "."])
def test_an_unknown_profile_is_refused_with_those_there_are(name: str) -> None:  # L4
    for refused in (lambda: check_known(profile_names(PROFILES), name), lambda: load_profile(PROFILES, name)):
        with pytest.raises(ContractFault, match=r"there is no .*and-market, h555") as caught:
            refused()
        assert caught.value.reason is Reason.BAD_VALUE


def test_no_profile_is_the_service_s_own_terms() -> None:
    check_known(profile_names(PROFILES), "")
    check_known(profile_names(PROFILES), "h555")
    with pytest.raises(ContractFault):
        load_profile(PROFILES, "")


def test_a_directory_that_is_not_there_is_told(tmp_path: Path) -> None:
    (fault,) = check_profiles(tmp_path / "none")
    assert fault.reason == "no such directory"
