"""The daily step of billing life in the running service, once a day at the operator's hour."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import date, datetime, timedelta

from denwa.cli.desk import utc_now
from denwa.contracts.billing_run import BillingRun
from denwa.contracts.desk import TOKYO

log = logging.getLogger(__name__)
WHO = "service"  # in the change log
_LONGEST_SLEEP = 600.0  # seconds: a clock that is set, or a machine that slept, is noticed after this


class BillingDay:
    """Takes the step when the day's hour (0–23, Asia/Tokyo) has come, also at a start after it. Several services on
    one database may do so at once: what one has done, the others find done."""

    def __init__(
        self, step: BillingRun, hour: int, mail_waits: Callable[[], None], clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._step = step
        self._hour = hour
        self._mail_waits = mail_waits
        self._clock = clock
        self.done_on: date | None = None

    async def run(self) -> None:
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
