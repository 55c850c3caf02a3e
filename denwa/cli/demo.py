"""The demonstration's subscribers (`denwa serve --demo`), made once and kept."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Engine

from denwa.cli.desk import open_desk
from denwa.config.settings import Settings
from denwa.contracts.credentials import account_of
from denwa.contracts.desk import Application
from denwa.numbering.plan import NumberingPlan

DEMO_NUMBERS = tuple(f"+81505001000{n}" for n in range(1, 6))
WEB_PASSWORD = "demo-password"
MARKER = "demo"  # a data folder with this file is read with the demo's settings


def ensure_demo(engine: Engine, settings: Settings, plan: NumberingPlan, now: datetime) -> int:
    """Add those of the five demo subscribers that were never given, and mark the data folder; how many were added."""
    desk = open_desk(engine, settings, plan)
    added = 0
    for index, number in enumerate(DEMO_NUMBERS, start=1):
        if desk.store.find(number) is not None:
            continue
        application = Application(
            name=f"デモ {index}",
            mail=f"demo{index}@example.jp",
            number=number,
            sip_password=f"demo-{account_of(number)}",
            web_password=WEB_PASSWORD,
        )
        desk.add(application, "demo", now)
        desk.change(number, {"mail_notice": "attach"}, "demo", now)  # so that the demonstration shows its mail
        added += 1
    (settings.data_dir / MARKER).touch()
    return added
