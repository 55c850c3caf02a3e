"""The profiles that are shipped, each loaded once."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from denwa.config.settings import DATA
from denwa.contracts.profiles.calendar_month import CalendarMonth
from denwa.contracts.profiles.files import load_profile

PROFILES: Path = DATA / "profiles"
VALUE_NET = load_profile(PROFILES, "value-net")
SPAAQS = load_profile(PROFILES, "ucom-spaaqs")
RESIDENCE = load_profile(PROFILES, "ucom-residence")
AND_MARKET = load_profile(PROFILES, "and-market")
IP_PHONE_SMART = load_profile(PROFILES, "ip-phone-smart")
H555 = load_profile(PROFILES, "h555")
ALL = (VALUE_NET, SPAAQS, RESIDENCE, AND_MARKET, IP_PHONE_SMART, H555)


def day(text: str) -> date:
    return date.fromisoformat(text)


def month(text: str) -> CalendarMonth:
    return CalendarMonth.of(date.fromisoformat(f"{text}-01"))
