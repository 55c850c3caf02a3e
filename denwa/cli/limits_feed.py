"""Joins the limits of the SIP engine to the tariff, the database, the journal and the operator's mail."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Final

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from denwa.cli.alarms import gate_of, tell, write
from denwa.config.settings import ConfigurationError, Settings
from denwa.numbering.plan import NumberingPlan
from denwa.rating.billing_month import tokyo_day
from denwa.rating.charge import units_of
from denwa.rating.tariff import NoPriceError, TariffBook
from denwa.storage.columns import from_millis, to_millis
from denwa.storage.limits_store import EndedRow, HoldRow, OrderRow, SqlLimits, ended_since
from denwa.voip.proxy.congestion import Order, OrderKind
from denwa.voip.proxy.fraud import Alarm, FraudLimits, Hold, HoldKind, LimitSettings
from denwa.voip.proxy.limits import CallLimits
from denwa.voip.proxy.own_limits import OwnLimits
from denwa.voip.proxy.spending import SpendLimits, Spent, UnitPrice, month_start_ms
from denwa.voip.registrar.guessing import GuessLimits

log = logging.getLogger(__name__)
LOOK_EVERY: Final = 0.5  # seconds between looks for alarms
REFRESH_EVERY: Final = 2  # looks: orders and holds made on another machine come without word
LONGEST_CALL_MS: Final = 2 * 86_400_000  # a call that ended in this month began at most so long before it
# Limits that a subscriber may have of its own, by the name of the service's setting (C6).
OWN_LIMITS: Final = {
    "calls_per_subscriber": "calls",
    "new_calls_per_minute": "calls_per_minute",
    "call_seconds": "call_seconds",
    "day_yen": "day_yen",
    "month_yen": "month_yen",
    "international_day_yen": "international_day_yen",
}
Own = dict[str, dict[str, int]]
_HOUR_MS: Final = 3_600_000  # hours of Asia/Tokyo begin with those of UTC
_FREE: Final = ("on-net", "partner-050")  # T2


def guess_limits(settings: Settings) -> GuessLimits:
    limits = settings.limits
    return GuessLimits(
        free=limits.password_failures,
        interval_ms=limits.password_interval * 1000,
        strikes=limits.scanner_failures,
        silence_ms=limits.scanner_silence * 1000,
    )


def limit_settings(settings: Settings) -> LimitSettings:
    limits = settings.limits
    return LimitSettings(
        SpendLimits(limits.day_yen, limits.month_yen, limits.international_day_yen),
        FraudLimits(
            short_calls=limits.short_calls,
            short_ms=limits.short_call_seconds * 1000,
            throttle_ms=limits.throttle_minutes * 60_000,
            throttled_per_minute=limits.throttled_calls_per_minute,
            international_per_hour=limits.international_per_hour,
            countries_per_day=limits.countries_per_day,
            tries_while_off=limits.tries_while_off,
        ),
        frozenset(limits.countries_allowed),
        frozenset(limits.countries_denied),
    )


def unknown_countries(codes: Iterable[str], plan: NumberingPlan) -> list[str]:
    """Those that the country data does not have."""
    known = {country.code for country in plan.countries}
    return [code for code in codes if code not in known]


def own_limits_of(values: Mapping[str, int]) -> OwnLimits:
    """By the names of the settings in `limits`, as they are on record."""
    return OwnLimits(**{OWN_LIMITS[name]: value for name, value in values.items() if name in OWN_LIMITS})


class TariffPrices:
    """The port `LivePrices` over the tariff that rates calls."""

    def __init__(self, tariffs: TariffBook) -> None:
        self._tariffs = tariffs

    def price(self, number_class: str, number: str, on: date) -> UnitPrice | None:
        try:
            row = self._tariffs.on(on).price(number_class, number)
        except NoPriceError:
            return None
        return UnitPrice(row.unit_ms, row.yen_per_unit)

    def charge(self, call: EndedRow) -> int:
        """Yen of an ended call, before credit; 0 for one that cannot be rated."""
        try:
            row = self._tariffs.on(tokyo_day(call.answered_ms)).price(call.number_class, call.callee)
        except NoPriceError:
            return 0
        return units_of(call.duration_ms, row.unit_ms, call.end_cause) * row.yen_per_unit


class LimitsFeed:
    """Keeps orders and holds in the engine like the database, and tells the operator of alarms within a second."""

    def __init__(
        self,
        settings: Settings,
        main: Engine,
        journal: Engine,
        limits: CallLimits,
        prices: TariffPrices,
        mail_waits: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._store = SqlLimits(main)
        self._journal = journal
        self._limits = limits
        self._prices = prices
        self._mail_waits = mail_waits
        self._gate = gate_of(settings)
        self._lock = asyncio.Lock()
        self._since_ms = 0

    def load(self, plan: NumberingPlan) -> None:
        """Before the first call. International calls wait until what was spent is counted."""
        limits = self._settings.limits
        if unknown := unknown_countries((*limits.countries_allowed, *limits.countries_denied), plan):
            raise ConfigurationError(f"limits.countries_allowed, countries_denied: no such country: {unknown[0]}")
        now = datetime.now(UTC)
        self._put(self._store.orders(now), self._store.holds(now), self._store.own())
        self._limits.counted = False
        self._since_ms = time.time_ns() // 1_000_000

    async def count_spent(self) -> None:
        """Take into account what this month's calls have cost before this process."""
        now_ms = time.time_ns() // 1_000_000
        begun = month_start_ms(now_ms)
        until = self._since_ms
        lifted = await asyncio.to_thread(self._store.lifted_since, from_millis(begun))
        forgiven = {number: to_millis(moment) for number, moment in lifted.items()}
        pages = ended_since(self._journal, begun - LONGEST_CALL_MS, begun, _FREE)
        sums: defaultdict[tuple[str, bool, int], int] = defaultdict(int)  # by subscriber, class, and moment or day
        while (page := await asyncio.to_thread(next, pages, None)) is not None:
            # What has ended since the start is in the book already.
            for row in (row for row in page if row.ended_ms < until):
                international = row.number_class == "international"
                moment = row.ended_ms if international else row.ended_ms // _HOUR_MS * _HOUR_MS
                sums[row.subscriber, international, moment] += self._prices.charge(row)
        self._limits.load((Spent(of, yen, abroad, at) for (of, abroad, at), yen in sums.items()), forgiven)
        self._limits.counted = True

    async def refresh(self) -> None:
        """Store what was found here, then take up what the database has."""
        async with self._lock:
            await self._report(self._limits.take_alarms())
            self._put(*await asyncio.to_thread(self._read))

    def _read(self) -> tuple[list[OrderRow], list[HoldRow], Own]:
        now = datetime.now(UTC)
        return self._store.orders(now), self._store.holds(now), self._store.own()

    def _put(self, orders: list[OrderRow], holds: list[HoldRow], own: Own) -> None:
        limits = self._limits
        limits.put_own({number: own_limits_of(values) for number, values in own.items()})
        limits.congestion.put(
            Order(row.id, OrderKind(row.kind), row.value, to_millis(row.from_at), _millis(row.until_at))
            for row in orders
        )
        standing = [
            Hold(row.subscriber, HoldKind(row.kind), row.reason, to_millis(row.from_at), _millis(row.until_at))
            for row in holds
        ]
        limits.put_holds(standing, time.time_ns() // 1_000_000)

    async def _report(self, alarms: list[Alarm]) -> None:
        if not alarms:
            return
        tell(alarms)
        try:
            await asyncio.to_thread(self._store_all, alarms)
        except SQLAlchemyError:
            self._limits.put_back(alarms)
            raise
        self._mail_waits()

    def _store_all(self, alarms: list[Alarm]) -> None:
        mail = self._settings.mail.sender
        for alarm in alarms:
            if alarm.hold is not None:
                hold = alarm.hold
                until = from_millis(hold.until_ms) if hold.until_ms else None
                self._store.hold(hold.subscriber, str(hold.kind), hold.reason, from_millis(hold.from_ms), until)
            if self._gate.passes(alarm):
                subject, text = write(alarm)
                self._store.mail(subject, text, self._settings.alarms.mail_to, mail, from_millis(alarm.at_ms))

    async def run(self) -> None:
        """Until cancelled. What cannot be stored now is tried again."""
        try:
            await self.count_spent()
        except SQLAlchemyError:
            log.exception("limits: what was spent could not be counted: international calls wait")
        look = 0
        while True:
            await asyncio.sleep(LOOK_EVERY)
            look += 1
            if not self._limits.alarms and look % REFRESH_EVERY:
                continue
            try:
                await self.refresh()
                if not self._limits.counted:
                    await self.count_spent()
            except SQLAlchemyError as fault:
                log.error("limits: the database could not be asked: %s", fault)

    def shown(self, number: str) -> dict[str, int]:
        """A subscriber's yen of this day and month, and the calls it has."""
        return self._limits.book.shown(number, time.time_ns() // 1_000_000)

    def gauges(self) -> dict[str, float]:
        return {
            "calls_held": float(len(self._limits.holds)),
            "congestion_orders": float(len(self._limits.congestion.orders)),
        }


def _millis(moment: datetime | None) -> int:
    return to_millis(moment) if moment is not None else 0
