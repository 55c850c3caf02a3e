"""`denwa profile`, and where a profile is named: `subscriber add --profile`, `billing.profile`, `config check` (L4)."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from denwa.config.settings import Settings
from tests.cli.terminal import Terminal, open_terminal

ROOT = Path(__file__).parents[2]
NAMES = ["and-market", "h555", "ip-phone-smart", "ucom-residence", "ucom-spaaqs", "value-net"]


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return open_terminal(tmp_path, monkeypatch, capsys)


def own_profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The shipped profiles in a directory of the operator's own."""
    directory = tmp_path / "profiles"
    shutil.copytree(Settings().billing.profile_directory, directory)
    monkeypatch.setenv("DENWA_BILLING__PROFILE_DIRECTORY", str(directory))
    return directory


def test_every_profile_is_listed(terminal: Terminal) -> None:
    assert [one["name"] for one in terminal.done("profile", "list", "--json").json] == NAMES
    table = terminal.done("profile", "list").out
    assert [line.split()[0] for line in table.splitlines()] == NAMES
    assert "2018-05-31" in table


@pytest.mark.parametrize("name", NAMES)
def test_a_profile_is_shown_rule_by_rule_with_its_articles(terminal: Terminal, name: str) -> None:
    shown = terminal.done("profile", "show", name)
    whole = terminal.done("profile", "show", name, "--json").json
    rules = [rule for kind in whole.values() if isinstance(kind, list) for rule in kind]
    assert len([line for line in shown.out.splitlines() if line.startswith("  ")]) == len(rules) > 3
    for rule in rules:
        assert rule["article"] in shown.out


def test_the_working_of_a_withdrawal_is_shown(terminal: Terminal) -> None:
    assert terminal.done("profile", "withdraw", "h555", "--on", "2026-11-21").out.splitlines() == [
        "受理日 2026-11-21: 21日以降 → 翌月末 2026-12-31 に解約 (第10条)",
        "解約日: 2026-12-31",
        "最後の請求対象月: 2026-12",
    ]
    found = terminal.done("profile", "withdraw", "and-market", "--on", "2018-05-16", "--json").json
    assert (found["last_day"], found["last_month"]) == ("2018-05-31", "2018-05")


def test_the_cancellation_charge_is_shown(terminal: Terminal) -> None:
    asked = ("profile", "withdraw", "value-net", "--begun", "2026-04-20", "--months", "24", "--charge", "9500")
    assert terminal.done(*asked, "--on", "2026-11-15", "--json").json["charge_yen"] == 9500
    assert "契約解除料: 0円" in terminal.done(*asked, "--on", "2028-04-15").out
    voice = ("profile", "withdraw", "and-market", "--plan", "voice", "--begun", "2016-01-20", "--on", "2016-03-10")
    assert terminal.done(*voice, "--monthly", "1580", "--json").json["charge_yen"] == 3 * 1580


def test_interest_is_shown(terminal: Terminal) -> None:
    asked = ("--yen", "73000", "--due", "2026-11-30", "--paid", "2026-12-12")
    assert "延滞利息: 319円" in terminal.done("profile", "interest", "h555", *asked).out
    assert terminal.done("profile", "interest", "ip-phone-smart", *asked, "--json").json["days"] == 11


def test_an_option_is_shown_month_by_month(terminal: Terminal) -> None:
    asked = ("profile", "option", "ucom-spaaqs", "remote-support", "--use", "2015-01-10:2015-02-10")
    assert terminal.done(*asked, "--json").json == {
        "total_yen": 500,
        "ends": ["2015-02-10"],
        "benefit_from": "2015-01-10",
        "charges": [
            {"month": "2015-01", "yen": 0, "why": "開始月から無料の期間"},
            {"month": "2015-02", "yen": 500, "why": "解約月、1か月分"},
        ],
        "working": ["2015-01        0円  開始月から無料の期間", "2015-02      500円  解約月、1か月分"],
    }
    again = terminal.done(*asked, "--use", "2015-02-20", "--through", "2015-03")
    assert "合計 (税別): 4000円" in again.out
    assert "終了日: 2015-02-10、利用中" in again.out


def test_an_option_that_goes_on_is_computed_up_to_this_month(terminal: Terminal) -> None:
    found = terminal.done("profile", "option", "h555", "sagiwall", "--use", "2026-01-10", "--json").json
    assert len(found["charges"]) > 1
    assert "終了日" not in terminal.done("profile", "option", "h555", "sagiwall", "--use", "2026-01-10").out


def test_a_plan_is_shown_by_the_month_and_by_the_year(terminal: Terminal) -> None:
    months = terminal.done(
        "profile", "plan", "and-market", "data", "--use", "2017-04-02:2017-05-31", "--monthly", "1000", "--json"
    ).json
    assert [row["yen"] for row in months["charges"]] == [966, 1000]
    years = terminal.done(
        "profile", "plan", "h555", "nattoku-47", "--yearly", "--use", "2026-11-21", "--through", "2027-12"
    )
    assert "2026-12 から 2027-11 まで 36600円" in years.out
    assert "合計 (税別): 73200円" in years.out


def test_payments_bills_outages_fees_and_sanctions_are_shown(terminal: Terminal) -> None:
    debit = terminal.done("profile", "payment", "value-net", "bank-debit", "--month", "2026-11")
    assert "手数料: 200円" in debit.out
    assert "引き落とし日: 2026-11-23" in debit.out
    assert "請求月: 2018-02" in terminal.done("profile", "billed", "and-market", "usage", "--month", "2017-12").out
    outage = terminal.done("profile", "outage", "h555", "--hours", "71", "--monthly", "1200", "--on", "2026-11-02")
    assert "賠償額: 80円" in outage.out
    fees = terminal.done("profile", "fees", "h555", "works-basic", "works-bridge-tap=2", "--on", "2026-11-21", "--json")
    assert fees.json["total_yen"] == 29_000
    surcharge = terminal.done(
        "profile", "surcharge", "and-market", "--yen", "1006", "--tax", "8", "--on", "2017-04-10", "--json"
    )
    assert (surcharge.json["surcharge_yen"], surcharge.json["tax_yen"]) == (2012, 160)
    assert "利用停止: 2017-05-01" in terminal.done("profile", "dunning", "and-market", "--on", "2017-04-10").out


@pytest.mark.parametrize(
    ("code", "says", "asked"),
    [
        (1, "締め日", ("withdraw", "ucom-spaaqs", "--on", "2015-02-16")),
        (1, "before the terms", ("withdraw", "h555", "--on", "2019-09-25")),
        (1, "months of the term", ("withdraw", "value-net", "--on", "2026-11-21", "--begun", "2026-01-01")),
        (1, "'tv'", ("withdraw", "h555", "--on", "2026-11-21", "--plan", "tv")),
        (1, "mail-pack", ("option", "ucom-spaaqs", "gold", "--use", "2015-01-10")),
        (1, "'cash'", ("payment", "h555", "cash", "--month", "2026-11")),
        (2, "value-net", ("show", "gold")),
        (2, "is no day", ("withdraw", "h555", "--on", "2026-02-30")),
        (2, "is no day", ("option", "h555", "sagiwall", "--use", "2026-01-10:")),
        (2, "is no month", ("payment", "h555", "store", "--month", "2026-13")),
        (2, "FEE=COUNT", ("fees", "h555", "sim=two", "--on", "2026-11-21")),
        (2, "range", ("outage", "h555", "--hours", "-1", "--monthly", "1200", "--on", "2026-11-02")),
    ],
)
def test_what_the_terms_do_not_answer_is_told(terminal: Terminal, code: int, says: str, asked: tuple[str, ...]) -> None:
    ended = terminal("profile", *asked)
    assert ended.code == code
    assert says in ended.err
    assert "Traceback" not in ended.err


EXAMPLES = [
    line.strip().partition(" #")[0].split()[1:]
    for line in (ROOT / "docs/operating.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("    denwa profile ")
]


def test_the_examples_of_the_operator_s_document_compute(terminal: Terminal) -> None:
    assert len(EXAMPLES) >= 9
    for example in EXAMPLES:
        assert ": " in terminal.done(*example).out


def test_a_subscriber_with_an_unknown_profile_is_refused(terminal: Terminal) -> None:  # L4
    person = ("--name", "山田", "--mail", "yamada@example.jp")
    refused = terminal("subscriber", "add", *person, "--profile", "gold")
    assert refused.code == 2
    assert "'gold'" in refused.err
    assert "and-market, h555" in refused.err
    assert terminal.done("subscriber", "list", "--json").json == []
    number = terminal.done("subscriber", "add", *person, "--profile", "h555", "--json").json["number"]
    assert terminal.done("subscriber", "show", number, "--json").json["profile"] == "h555"


def test_new_subscribers_have_the_operator_s_profile(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DENWA_BILLING__PROFILE", "value-net")
    person = ("--name", "山田", "--mail", "yamada@example.jp")
    number = terminal.done("subscriber", "add", *person, "--json").json["number"]
    assert terminal.done("subscriber", "show", number, "--json").json["profile"] == "value-net"


def test_a_setting_that_names_an_unknown_profile_is_refused(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:  # L4
    monkeypatch.setenv("DENWA_BILLING__PROFILE", "gold")
    for command in (("subscriber", "list"), ("config", "check"), ("profile", "list")):
        ended = terminal(*command)
        assert ended.code == 2
        assert "billing.profile: no profile 'gold'" in ended.err
        assert "and-market, h555" in ended.err


def test_config_check_tells_every_fault_of_every_profile(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # T8
    directory = own_profiles(tmp_path, monkeypatch)
    terminal.done("config", "check")
    for name, old, new in (("h555", "fee_yen = 139", "fee_yen = 13.9"), ("value-net", 'id = "internet"', "id = 1")):
        file = directory / f"{name}.toml"
        text = file.read_text(encoding="utf-8")
        assert old in text
        file.write_text(text.replace(old, new), encoding="utf-8")
    ended = terminal("config", "check")
    assert ended.code == 2
    assert f"{directory}/h555.toml:30: payment.1.fee_yen: " in ended.err
    assert f"{directory}/value-net.toml:37: plan.0.id: " in ended.err
    shown = terminal("profile", "show", "h555")
    assert shown.code == 2
    assert f"{directory}/h555.toml:30: " in shown.err


def test_an_operator_s_own_profile_is_one_more_file(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # L4
    directory = own_profiles(tmp_path, monkeypatch)
    text = (directory / "h555.toml").read_text(encoding="utf-8")
    (directory / "ours.toml").write_text(
        text.replace('name = "h555"', 'name = "ours"').replace("cut_off_day = 20", "cut_off_day = 10"), encoding="utf-8"
    )
    found = terminal.done("profile", "withdraw", "ours", "--on", "2026-11-11", "--json").json
    assert found["last_day"] == "2026-12-31"
