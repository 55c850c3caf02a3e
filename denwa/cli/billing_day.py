"""The daily step of billing life in the running service, once a day at the operator's hour."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import date, datetime, timedelta
from multiprocessing import get_context
from typing import Protocol

from denwa.cli.billing_desk import open_billing
from denwa.cli.desk import utc_now
from denwa.config.settings import Settings
from denwa.contracts.billing_run import Report
from denwa.contracts.desk import TOKYO
from denwa.storage.engine import open_main

log = logging.getLogger(__name__)
WHO = "service"  # in the change log
AFTER_START = 60.0  # seconds that belong to the phones which come back after a restart
_LONGEST_SLEEP = 600.0  # seconds: a clock that is set, or a machine that slept, is noticed after this
_NICE = 10  # calls come first


class DailyStep(Protocol):
    """What is taken: a BillingRun, here or in a process of its own."""

    def run(self, day: date, who: str, now: datetime) -> Report: ...


class StepProcess:
    """The step in a process of its own, at a lower priority: it goes through every contract, and in this process it
    would take the interpreter from the calls at every packet."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def run(self, day: date, who: str, now: datetime) -> Report:
        """Blocks. Raises what the step raises, or BrokenProcessPool when its process was killed."""
        with ProcessPoolExecutor(1, get_context("spawn"), _in_background) as process:
            return process.submit(_step, self._settings, day, who, now).result()


def _in_background() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal reaches the service, which waits for us
    os.nice(_NICE)


def _step(settings: Settings, day: date, who: str, now: datetime) -> Report:
    main = open_main(settings.database.url, settings.data_dir)
    try:
        return open_billing(main, settings).run(day, who, now)
    finally:
        main.dispose()


class BillingDay:
    """Takes the step when the day's hour (0–23, Asia/Tokyo) has come, also a minute after a start after it. Several
    services on one database may do so at once: what one has done, the others find done."""

    def __init__(
        self, step: DailyStep, hour: int, mail_waits: Callable[[], None], clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._step = step
        self._hour = hour
        self._mail_waits = mail_waits
        self._clock = clock
        self.done_on: date | None = None

    async def run(self) -> None:
        await asyncio.sleep(AFTER_START)
        while True:
            if seconds_until(self._clock(), self._hour, self.done_on) == 0:
                await self.take()
            await asyncio.sleep(min(_LONGEST_SLEEP, seconds_until(self._clock(), self._hour, self.done_on) or 60))

    async def take(self) -> None:
        """The step of today. A fault is logged, and the step is tried again."""
        now = self._clock()
        day = now.astimezone(TOKYO).date()
        try:
            report = await asyncio.to_thread(self._step.run, day, WHO, now)
        except Exception:
            log.exception("billing: the step of %s failed and is tried again", day)
            return
        self.done_on = day
        if report.given:
            self._mail_waits()
        log.info(
            "billing: %s: %d bills, %d steps, %d notices given, %d to be given in another way",
            day, report.bills, len(report.done), len(report.given), len(report.by_letter) + len(report.undelivered),
        )  # fmt: skip


def seconds_until(now: datetime, hour: int, done_on: date | None) -> float:
    """Seconds until the next step is due; 0 when one is. `done_on`: the day whose step was taken last."""
    here = now.astimezone(TOKYO)
    due = here.replace(hour=hour, minute=0, second=0, microsecond=0)
    if done_on is not None and done_on >= here.date():
        due += timedelta(days=1)
    return max(0.0, (due - here).total_seconds())
