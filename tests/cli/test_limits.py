"""`denwa limits`, `denwa congestion` and alarms, without a running service (C6, C7, K5)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from denwa.cli.alarms import AlarmGate, write
from denwa.cli.limits_feed import OWN_LIMITS, TariffPrices, own_limits_of
from denwa.cli.rating_data import load_rating_data
from denwa.config.settings import Settings
from denwa.storage.engine import MAIN_FILE, open_engine
from denwa.storage.limits_store import EndedRow, SqlLimits
from denwa.voip.proxy.fraud import Alarm, Hold, HoldKind
from denwa.voip.proxy.own_limits import OwnLimits
from denwa.voip.proxy.spending import UnitPrice
from tests.cli.terminal import Terminal, open_terminal

NUMBER = "05050010001"
E164 = "+815050010001"
NOW = datetime(2026, 11, 21, 3, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    terminal = open_terminal(tmp_path, monkeypatch, capsys)
    terminal.done("subscriber", "add", "--name", "A", "--mail", "a@example.jp", "--number", NUMBER)
    return terminal


def hold(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'data' / MAIN_FILE}")
    SqlLimits(engine).hold(E164, "international", "the day's 3000 yen are used up", NOW, None)
    engine.dispose()


def test_a_hold_is_listed_shown_and_lifted_by_a_person(terminal: Terminal, tmp_path: Path) -> None:
    hold(tmp_path)
    assert "050-5001-0001  international" in terminal.done("limits", "list").out
    shown = terminal.done("limits", "show", NUMBER, "--json").json
    assert shown["limits"]["international_day_yen"] == 3000
    assert shown["spent"] is None  # no service runs
    assert [one["kind"] for one in shown["holds"]] == ["international"]
    terminal.done("limits", "lift", "050-5001-0001")
    assert terminal.done("limits", "list", "--json").json == []
    (one,) = terminal.done("limits", "show", NUMBER, "--json").json["holds"]
    assert one["lifted_by"].startswith("cli:")
    log = terminal.done("subscriber", "show", NUMBER, "--json").json["changes"]
    assert "holds on calls lifted: 1" in [change["what"] for change in log]  # O1


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("limits", "lift", NUMBER), 1, "no hold"),
        (("limits", "show", "05050019999"), 1, "050-5001-9999"),
        (("limits", "show", "x"), 2, "x"),
        (("congestion", "on"), 2, "say what"),
        (("congestion", "on", "--area", "3"), 2, "not the beginning"),
        (("congestion", "on", "--max-seconds", "0"), 2, "0"),
        (("congestion", "on", "--priority-only", "--for", "0"), 2, "0"),
    ],
)
def test_what_cannot_be_done_is_said_without_a_traceback(
    terminal: Terminal, arguments: tuple[str, ...], code: int, says: str
) -> None:
    ended = terminal(*arguments)
    assert (ended.code, says in ended.err, "Traceback" in ended.err) == (code, True, False)


def test_orders_are_kept_shown_and_taken_back(terminal: Terminal) -> None:  # C7
    said = terminal.done("congestion", "on", "--priority-only", "--area", "03,06", "--for", "60").out
    assert "優先加入者" in said
    terminal.done("congestion", "on", "--max-seconds", "180")
    shown = terminal.done("congestion", "show", "--json").json
    assert [(one["kind"], one["value"]) for one in shown] == [
        ("priority-only", ""),
        ("area", "+813,+816"),
        ("max-seconds", "180"),
    ]
    assert shown[0]["until"] is not None
    assert shown[2]["until"] is None
    assert terminal.done("congestion", "off").out == "3 taken back\n"
    assert "no restrictions" in terminal.done("congestion", "show").out


def test_priority_is_a_setting_of_the_subscriber(terminal: Terminal) -> None:  # C7
    terminal.done("subscriber", "set", NUMBER, "priority=on")
    assert terminal.done("subscriber", "show", NUMBER, "--json").json["priority"] is True


def test_a_country_that_the_data_does_not_have_is_a_fault(terminal: Terminal, tmp_path: Path) -> None:  # N6
    (tmp_path / "denwa.toml").write_text('[limits]\ncountries_denied = ["FR", "XX"]\n', encoding="utf-8")
    ended = terminal("config", "check", str(tmp_path / "denwa.toml"))
    assert ended.code == 2
    assert "'XX'" in ended.err
    assert "'FR'" not in ended.err


def test_an_alarm_mail_is_japanese_first_and_masks_the_number() -> None:  # K5
    stop = Hold(E164, HoldKind.INTERNATIONAL, "theft", NOW_MS)
    subject, text = write(Alarm("international-stopped", E164, "international calls stopped: theft", NOW_MS, stop))
    assert subject == "警報 国際電話を停止しました"
    assert "2026-11-21 12:00:00" in text
    assert "050-5001-…" in text
    assert "0001" not in text
    assert "denwa limits lift" in text


def test_the_same_alarm_is_mailed_once_in_a_while_but_a_stop_always() -> None:
    gate = AlarmGate(repeat_ms=60_000, per_hour=3)
    limit = Alarm("day-limit", E164, "", NOW_MS)
    assert gate.passes(limit)
    assert not gate.passes(limit._replace(at_ms=NOW_MS + 59_999))
    assert gate.passes(limit._replace(at_ms=NOW_MS + 60_000))
    assert gate.passes(limit._replace(subscriber="+815050010002"))
    assert not gate.passes(limit._replace(subscriber="+815050010003"))  # so many an hour
    stop = Hold(E164, HoldKind.INTERNATIONAL, "theft", NOW_MS)
    assert gate.passes(limit._replace(kind="international-stopped", hold=stop))
    assert gate.passes(limit._replace(subscriber="+815050010004", at_ms=NOW_MS + 4_000_000))


def test_running_calls_are_priced_as_they_are_rated() -> None:  # T1-T3, T8
    prices = TariffPrices(load_rating_data(Settings()).tariffs)
    day = date(2026, 11, 21)
    assert prices.price("international", "+442079460000", day) == UnitPrice(30_000, 8)
    assert prices.price("on-net", E164, day) == UnitPrice(30_000, 0)
    assert prices.price("fixed", "+81312345678", date(1990, 1, 1)) is None
    ended = EndedRow(E164, "mobile", "+819012345678", NOW_MS, NOW_MS + 30_001, 30_001, "caller")
    assert prices.charge(ended) == 16
    assert prices.charge(ended._replace(end_cause="network_fault")) == 8


def test_a_subscriber_s_own_limits_are_set_shown_and_given_back(terminal: Terminal) -> None:  # C6
    terminal.done("limits", "set", NUMBER, "calls_per_subscriber=10", "day_yen=0")
    shown = terminal.done("limits", "show", NUMBER, "--json").json
    assert (shown["limits"]["calls_per_subscriber"], shown["limits"]["day_yen"]) == (10, 0)
    assert shown["limits"]["month_yen"] == 100_000
    assert shown["own"] == ["calls_per_subscriber", "day_yen"]
    out = terminal.done("limits", "show", NUMBER).out
    assert "calls_per_subscriber     10  個別 of its own" in out
    assert "day_yen                  なし none  個別 of its own" in out
    terminal.done("limits", "set", NUMBER, "calls_per_subscriber=default", "day_yen=default")
    back = terminal.done("limits", "show", NUMBER, "--json").json
    assert (back["limits"]["calls_per_subscriber"], back["limits"]["day_yen"], back["own"]) == (4, 20_000, [])
    log = terminal.done("subscriber", "show", NUMBER, "--json").json["changes"]
    assert "own limits: calls_per_subscriber=10, day_yen=0" in [change["what"] for change in log]  # O1


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("day_yen=-1", "no whole number from 0"),
        ("calls_per_subscriber=0", "no whole number from 1"),
        ("day_yen=", "no whole number"),
        ("day_yen=\u0663", "no whole number"),
        ("day_yen=99999999999", "no whole number"),
        ("short_calls=3", "is none of"),
        ("nothing", "is none of"),
    ],
)
def test_a_limit_that_is_none_is_refused(terminal: Terminal, value: str, says: str) -> None:
    ended = terminal("limits", "set", NUMBER, value)
    assert (ended.code, says in ended.err, "Traceback" in ended.err) == (2, True, False)


def test_limits_on_record_become_those_of_the_engine() -> None:
    own = own_limits_of({"calls_per_subscriber": 3, "new_calls_per_minute": 2, "call_seconds": 60, "month_yen": 5})
    assert own == OwnLimits(3, 2, 60, None, 5, None)
    limits = Settings().limits
    assert all(hasattr(limits, name) for name in OWN_LIMITS)
