"""What bounds a subscriber's calls beside the contract: money, countries, holds, and orders in congestion (C6, C7, N6).

`Admission` asks `refusal` for every call; a call that costs something is metered from its INVITE to its end. The driver
takes `alarms`, and gives orders, holds and what was spent before to `congestion.put`, `put_holds` and `load`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from denwa.numbering.reading import NumberClass, Reading, RefusalReason
from denwa.voip.calls.call import Call, CallState
from denwa.voip.context import Context
from denwa.voip.proxy.congestion import Congestion
from denwa.voip.proxy.fraud import Alarm, Hold, HoldKind, LimitSettings, Patterns
from denwa.voip.proxy.own_limits import OwnLimits, call_seconds_of
from denwa.voip.proxy.ports import LivePrices
from denwa.voip.proxy.refusal import OF_NUMBERS, Refused
from denwa.voip.proxy.spending import Bound, Meter, SpendBook, Spent
from denwa.voip.subscribers import Subscriber

_FREE: Final = frozenset((NumberClass.ON_NET, NumberClass.PARTNER_050))  # T2
# ms before a unit begins by which it must be paid for: more than the time between two looks at the calls.
_AHEAD_MS: Final = 700
_MOST_ALARMS: Final = 1000
OUT_OF_CREDIT: Final = b'Reason: Q.850;cause=31;text="the amount that may be spent is used up"'
STOPPED: Final = b'Reason: Q.850;cause=31;text="international calls are stopped"'
SHORTENED: Final = b'Reason: Q.850;cause=42;text="calls are kept short at present"'

DAY_LIMIT: Final = Refused("day-limit", 403, 57, "the amount for this day is used up", "limit-reached")
MONTH_LIMIT: Final = Refused("month-limit", 403, 57, "the amount for this month is used up", "limit-reached")
INTERNATIONAL_STOPPED: Final = Refused(
    "international-stopped",
    403,
    57,
    "international calls are stopped for this number, ask the service",
    "limit-reached",
)
THROTTLED: Final = Refused("throttled", 403, 21, "too many short or unanswered calls, wait a minute", "limit-reached")
NOT_COUNTED: Final = Refused("not-counted", 503, 42, "what was spent is being counted", "congestion", retry_after=5)
_OF_BOUND: Final = {
    Bound.DAY: DAY_LIMIT,
    Bound.MONTH: MONTH_LIMIT,
    Bound.INTERNATIONAL: INTERNATIONAL_STOPPED,
}


class CallLimits:
    """`prices` None: calls cost nothing that is known, and money bounds none."""

    def __init__(self, ctx: Context, settings: LimitSettings, prices: LivePrices | None) -> None:
        self._ctx = ctx
        self._settings = settings
        self._prices = prices
        self.congestion = Congestion()
        self.book = SpendBook(settings.spend)
        self.own: dict[str, OwnLimits] = {}  # of those subscribers that have others than the service's
        self.holds: dict[tuple[str, HoldKind], Hold] = {}
        self.alarms: list[Alarm] = []
        self.counted = True  # what was spent before this process is in the book
        self._patterns = Patterns(settings.fraud)
        self._meters: dict[int, list[Meter]] = {}  # by call

    # -- may it be called -----------------------------------------------------------------------------------------

    def refusal(self, caller: Subscriber, reading: Reading, started: int) -> Refused | None:
        """Why a subscriber may not make this call now. `started`: calls it has asked for in this minute."""
        number, number_class = reading.number.e164, reading.number_class
        now_ms = self._ctx.now_ms
        if self.congestion.orders and not caller.priority:
            why = self.congestion.refusal(number, now_ms)
            if why is not None:
                return why
        slow = self._settings.fraud.throttled_per_minute
        if self.holds and started > slow and self._held(caller.number, HoldKind.THROTTLE):
            return THROTTLED
        if number_class in _FREE:
            return None
        if number_class is NumberClass.INTERNATIONAL:
            why = self._abroad(caller.number, reading)
            if why is not None:
                return why
        return self._no_room(caller.number, number, number_class)

    def tried_abroad(self, caller: Subscriber) -> None:
        """A call abroad was refused because the subscriber has them switched off (N6)."""
        if self._patterns.tried_while_off(caller.number, self._ctx.now_ms):
            self.alarm("international-off", caller.number, "many calls abroad though they are switched off")

    def _abroad(self, number: str, reading: Reading) -> Refused | None:
        settings = self._settings
        country = reading.country.code if reading.country is not None else ""
        if country in settings.denied or (settings.allowed and country not in settings.allowed):
            return OF_NUMBERS[RefusalReason.COUNTRY_NOT_OFFERED]
        if not self.counted:
            return NOT_COUNTED
        if self._held(number, HoldKind.INTERNATIONAL):
            return INTERNATIONAL_STOPPED
        reason = self._patterns.abroad(number, country, self._ctx.now_ms)
        if reason:
            self._stop_abroad(number, reason)
            return INTERNATIONAL_STOPPED
        return None

    def _no_room(self, subscriber: str, number: str, number_class: NumberClass) -> Refused | None:
        if self._prices is None:
            return None
        price = self._prices.price(number_class, number, self._ctx.today())
        international = number_class is NumberClass.INTERNATIONAL
        if price is None:  # never a free call by omission
            return OF_NUMBERS[RefusalReason.COUNTRY_NOT_OFFERED] if international else None
        bound = self.book.full(subscriber, price.yen, international, self._ctx.now_ms)
        if bound is None:
            return None
        self._reached(subscriber, bound)
        return _OF_BOUND[bound]

    def _reached(self, subscriber: str, bound: Bound) -> None:
        if bound is Bound.INTERNATIONAL:
            yen = self.book.own.get(subscriber, self.book.limits).international_day
            self._stop_abroad(subscriber, f"the day's {yen} yen for international calls are used up")
        else:
            self.alarm(f"{bound}-limit", subscriber, f"the amount for this {bound} is used up")

    # -- what some subscribers have of their own -------------------------------------------------------------------

    def put_own(self, own: Mapping[str, OwnLimits]) -> None:
        """All that are on record; in force for calls from now on, and money at once."""
        self.own = dict(own)
        self.book.own = {number: one.spend(self._settings.spend) for number, one in own.items()}
        self._ctx.own_call_seconds = call_seconds_of(own)

    # -- holds ----------------------------------------------------------------------------------------------------

    def _held(self, number: str, kind: HoldKind) -> bool:
        hold = self.holds.get((number, kind))
        if hold is None:
            return False
        if 0 < hold.until_ms <= self._ctx.now_ms:
            del self.holds[number, kind]
            return False
        return True

    def _stop_abroad(self, number: str, reason: str) -> None:
        """Only calls abroad are cut, running ones too; a person lifts it."""
        if (number, HoldKind.INTERNATIONAL) not in self.holds:
            hold = Hold(number, HoldKind.INTERNATIONAL, reason, self._ctx.now_ms)
            self._hold(hold, "international-stopped", f"international calls stopped: {reason}")

    def _hold(self, hold: Hold, kind: str, text: str) -> None:
        self.holds[hold.subscriber, hold.kind] = hold
        self.alarm(kind, hold.subscriber, text, hold)

    def alarm(self, kind: str, number: str, text: str, hold: Hold | None = None) -> None:
        """Tell the operator."""
        self._ctx.counters["alarms", kind] += 1
        if len(self.alarms) < _MOST_ALARMS or hold is not None:
            self.alarms.append(Alarm(kind, number, text, self._ctx.now_ms, hold))

    def take_alarms(self) -> list[Alarm]:
        """What has happened since the last time."""
        alarms, self.alarms = self.alarms, []
        return alarms

    def put_back(self, alarms: list[Alarm]) -> None:
        """They could not be stored: the next time. Their holds stay in force."""
        self.alarms[:0] = alarms

    def put_holds(self, holds: Iterable[Hold], now_ms: int) -> None:
        """All holds on record. One that is no longer there was lifted, if it was not only now found."""
        waiting = [alarm.hold for alarm in self.alarms if alarm.hold is not None]
        standing = {(hold.subscriber, hold.kind): hold for hold in (*holds, *waiting)}
        for key, hold in self.holds.items():
            if key not in standing and not 0 < hold.until_ms <= now_ms:
                self._lifted(hold, now_ms)
        self.holds = standing

    def _lifted(self, hold: Hold, now_ms: int) -> None:
        """A person has looked at a subscriber's calls: they count anew, and so does the day's amount for calls abroad
        if those were stopped."""
        self._patterns.forget(hold.subscriber)
        if hold.kind is HoldKind.INTERNATIONAL:
            self.book.forgive_abroad(hold.subscriber, now_ms)

    # -- what was spent before this process -----------------------------------------------------------------------

    def load(self, spent: Iterable[Spent], forgiven: Mapping[str, int]) -> None:
        """Ended calls of this month. `forgiven`: subscriber -> when a person last lifted a hold (ms)."""
        for one in spent:
            self.book.load(one, self._ctx.now_ms, forgiven.get(one.subscriber, 0))

    # -- running calls --------------------------------------------------------------------------------------------

    def open(self, call: Call, subscriber: str, number: str, number_class: NumberClass) -> None:
        """A call that was admitted begins, or goes on after a restart; its first unit is taken now."""
        if self._prices is None or number_class in _FREE:
            return
        price = self._prices.price(number_class, number, self._ctx.today())
        if price is None or not price.yen:
            return
        meter = Meter(call, subscriber, price, number_class is NumberClass.INTERNATIONAL)
        self._meters.setdefault(call.id, []).append(meter)
        elapsed = self._ctx.now_ms - call.answered_ms if call.answered_ms else 0
        self._take(meter, max(1, -(-elapsed // price.unit_ms)))

    def _take(self, meter: Meter, units: int) -> None:
        meter.units += units
        self.book.take(meter.number, units * meter.price.yen, meter.international, self._ctx.now_ms)

    def over(self, call: Call) -> None:
        """The call is over: what was taken becomes what it cost."""
        now_ms = self._ctx.now_ms
        talked_ms = max(0, now_ms - call.answered_ms) if call.answered_ms else 0
        for meter in self._meters.pop(call.id, ()):
            self._take(meter, -meter.units)
            self.book.spend(meter.number, meter.price.of(talked_ms), meter.international, now_ms)
        if call.leg == "outgoing":
            self.ended(call.subscriber, talked_ms)

    def ended(self, subscriber: str, talked_ms: int) -> None:
        """A subscriber's call is over, or came to nothing (0 ms)."""
        now_ms = self._ctx.now_ms
        if self._patterns.ended(subscriber, talked_ms, now_ms):
            fraud = self._settings.fraud
            text = f"{fraud.short_calls} short or unanswered calls in a row"
            hold = Hold(subscriber, HoldKind.THROTTLE, text, now_ms, now_ms + fraud.throttle_ms)
            self._hold(hold, "short-calls", f"{text}: at most {fraud.throttled_per_minute} calls a minute")

    def sweep(self, calls: Mapping[int, Call], cut: Callable[[Call, bytes], None]) -> None:
        """Look at the calls that run; called every half second. `cut(call, reason)` ends one."""
        if self._meters:
            for meters in list(self._meters.values()):
                for meter in meters:
                    if meter.call.state is CallState.UP:
                        self._look(meter, cut)
        if self.congestion.longest:
            self._shorten(calls, cut)

    def _look(self, meter: Meter, cut: Callable[[Call, bytes], None]) -> None:
        call, price, now_ms = meter.call, meter.price, self._ctx.now_ms
        if meter.international and self.holds and self._held(meter.number, HoldKind.INTERNATIONAL):
            cut(call, STOPPED)
            return
        if now_ms - call.answered_ms + _AHEAD_MS < meter.units * price.unit_ms:
            return
        bound = self.book.full(meter.number, price.yen, meter.international, now_ms)
        if bound is None:
            self._take(meter, 1)
            return
        self._reached(meter.number, bound)
        cut(call, OUT_OF_CREDIT)

    def _shorten(self, calls: Mapping[int, Call], cut: Callable[[Call, bytes], None]) -> None:
        """C7: no call longer than ordered, but those of priority subscribers."""
        longest = self.congestion.longest_ms(self._ctx.now_ms)
        if not longest:
            return
        by_number = self._ctx.directory.by_number
        for call in list(calls.values()):
            if call.state is CallState.UP and self._ctx.now_ms - call.answered_ms >= longest:
                subscriber = by_number.get(call.subscriber)
                if subscriber is None or not subscriber.priority:
                    cut(call, SHORTENED)
