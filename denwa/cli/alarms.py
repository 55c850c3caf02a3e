"""Alarms to the operator: a log line, a metric (counted where the alarm is raised) and mail, told once in a while."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from denwa.config.settings import Settings
from denwa.contracts.desk import TOKYO
from denwa.numbering import PhoneNumber
from denwa.voip.proxy.fraud import Alarm

log = logging.getLogger(__name__)
_HOUR_MS: Final = 3_600_000
_MOST_KEPT: Final = 10_000
_NAMES: Final = {
    "international-stopped": "国際電話を停止しました",
    "international-off": "国際電話の発信が繰り返されています（利用設定なし）",
    "short-calls": "短い呼・不完了呼が続いています",
    "day-limit": "1日の上限額に達しました",
    "month-limit": "1か月の上限額に達しました",
    "unknown-block": "番号計画にない番号帯が発信されました",
}


class AlarmMail(NamedTuple):
    subject: str
    text: str


class AlarmGate:
    """Which alarms are mailed. Pure: the same kind about the same subscriber once in `repeat_ms`, `per_hour` at most;
    one that stops calls (with a hold) always."""

    def __init__(self, repeat_ms: int, per_hour: int) -> None:
        self._repeat_ms = repeat_ms
        self._per_hour = per_hour
        self._told: dict[tuple[str, str], int] = {}
        self._mails: deque[int] = deque()

    def passes(self, alarm: Alarm) -> bool:
        now_ms, key = alarm.at_ms, (alarm.kind, alarm.subscriber)
        while self._mails and self._mails[0] <= now_ms - _HOUR_MS:
            self._mails.popleft()
        if alarm.hold is None:
            told = self._told.get(key)
            if told is not None and now_ms - told < self._repeat_ms:
                return False
            if len(self._mails) >= self._per_hour:
                return False
        if len(self._told) >= _MOST_KEPT:
            self._told.clear()
        self._told[key] = now_ms
        self._mails.append(now_ms)
        return True


def gate_of(settings: Settings) -> AlarmGate:
    return AlarmGate(settings.alarms.repeat_minutes * 60_000, settings.alarms.mails_per_hour)


def masked(number: str) -> str:
    """The block shows, the subscriber does not (K5)."""
    return PhoneNumber(number).grouped()[:-4] + "…" if number else "-"


def write(alarm: Alarm) -> AlarmMail:
    """The mail, Japanese first; who it is about is shown at the service's own desk only (K5)."""
    name = _NAMES.get(alarm.kind, alarm.kind)
    at = datetime.fromtimestamp(alarm.at_ms // 1000, TOKYO)
    lines = [
        f"警報：{name}",
        f"対象：{masked(alarm.subscriber)}",
        f"日時：{at:%Y-%m-%d %H:%M:%S}",
        "",
        "確認：denwa limits list",
    ]
    if alarm.hold is not None and not alarm.hold.until_ms:
        lines.append("解除：denwa limits lift 番号")
    lines += [
        "----",
        f"Alarm: {alarm.kind}: {alarm.text}",
        f"Subscriber: {masked(alarm.subscriber)}",
        f"At: {at} (JST)",
    ]
    return AlarmMail(f"警報 {name}", "\n".join(lines) + "\n")


def tell(alarms: Sequence[Alarm]) -> None:
    for alarm in alarms:
        log.warning("ALARM %s %s: %s", alarm.kind, masked(alarm.subscriber), alarm.text)
