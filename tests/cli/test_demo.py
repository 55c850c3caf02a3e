"""The demonstration's subscribers, as docs and other programs rely on them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from denwa.cli.demo import ensure_demo
from denwa.cli.desk import databases, numbering_plan, open_desk
from denwa.config.settings import Settings
from denwa.config.settings_sources import load_settings
from denwa.contracts.desk import Desk
from denwa.contracts.subscriber import Subscriber

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def settings_in(folder: Path) -> Settings:
    return load_settings(demo=True, environ={}).model_copy(update={"data_dir": folder})


def people(desk: Desk) -> list[Subscriber]:
    return list(desk.store.each())


def test_five_subscribers_can_register_and_log_in(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with databases(settings) as (main, _):
        plan = numbering_plan(settings)
        assert ensure_demo(main, settings, plan, NOW) == 5
        desk = open_desk(main, settings, plan)
        for n, one in enumerate(people(desk), start=1):
            assert (one.number, one.account) == (f"+81505001000{n}", f"5001000{n}")
            assert desk.sip_password(one) == f"demo-5001000{n}"
            assert one.mail == f"demo{n}@example.jp"
            assert desk.web_passwords.verify(one.web_password_hash, "demo-password")
    assert (tmp_path / "demo").exists()


def test_a_second_start_keeps_what_was_changed(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with databases(settings) as (main, _):
        plan = numbering_plan(settings)
        ensure_demo(main, settings, plan, NOW)
        desk = open_desk(main, settings, plan)
        desk.change("+815050010001", {"ring_time": "30"}, "test", NOW)
        before = people(desk)
        assert ensure_demo(main, settings, plan, NOW) == 0
        assert people(desk) == before
