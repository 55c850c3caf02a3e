"""What bounds a subscriber's calls: money, theft, short calls, countries, congestion (C6, C7, N6)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from denwa.numbering.reading import NumberClass
from denwa.voip.calls.call import Call, CallState, Leg
from denwa.voip.proxy.congestion import Congestion, Order, OrderKind, area_beginning
from denwa.voip.proxy.fraud import FraudLimits, Hold, HoldKind, LimitSettings, Patterns
from denwa.voip.proxy.limits import CallLimits
from denwa.voip.proxy.spending import Bound, SpendBook, SpendLimits, Spent, UnitPrice, month_start_ms
from denwa.voip.sip.message import REASON, Message
from denwa.voip.subscribers import Forward
from tests.voip.wire import GATEWAY, SDP, START_MS, Phone, Sent, Talk, Wire, answer, subscriber, to

NUMBER = "+815050010001"
ABROAD = "010442079460000"  # London
PRICE = UnitPrice(30_000, 8)
HOUR = 3_600_000


class EightYen:
    """T1, T2: the tariff of the seeds."""

    def price(self, number_class: str, number: str, on: date) -> UnitPrice | None:
        return PRICE


NO_LIMIT = SpendLimits()


def wired(spend: SpendLimits = NO_LIMIT, *, prices: bool = True, priority: bool = False, **fraud: int) -> Wire:
    class Priced(Wire):
        pass

    Priced.prices = EightYen() if prices else None
    people = [subscriber(n, international=True, priority=priority and n == 1) for n in (1, 2, 3)]
    limits = LimitSettings(spend, FraudLimits(**fraud))
    return Priced(*people, limits=limits, probe_interval=36_000, calls_per_subscriber=100)


def limits_of(wire: Wire) -> CallLimits:
    return wire.engine.admission.limits


def refused(sent: Sent, phone: Phone) -> Message:
    response = to(sent, phone.peer)
    assert response.status >= 400, response.lines[0]
    return response


def up(wire: Wire, phone: Phone, dialled: str, call_id: str) -> Talk:
    """A call through the gateway, answered."""
    invite = to(phone.invite(dialled, call_id), GATEWAY)
    talk = Talk.of_caller(phone, to(wire.send(GATEWAY, answer(invite, 200, GATEWAY, body=SDP)), phone.peer))
    talk.send("ACK")
    return talk


def retry_after(message: Message) -> int:
    """Seconds; 0: not said."""
    (line,) = [line for line in message.lines if line.startswith(b"Retry-After: ")] or [b"Retry-After: 0"]
    return int(line.partition(b": ")[2])


def reason(message: Message) -> str:
    return (message.value(REASON) or b"").decode()


# -- money (C6) -------------------------------------------------------------------------------------------------------


def test_parallel_calls_never_spend_more_than_the_day_allows() -> None:
    wire = wired(SpendLimits(day=40))
    phone = Phone(wire, 1)
    for n in range(3):  # 24 yen are taken at once
        up(wire, phone, "0312345678", f"call-{n}")
    wire.wait(200)
    assert len(wire.ends) == 3
    assert {end.end_cause for end in wire.ends} == {"service"}
    assert sum(PRICE.of(end.duration_ms) for end in wire.ends) == 40  # 16 + 16 + 8
    assert all(end.duration_ms % 30_000 > 29_000 for end in wire.ends)  # what was paid for was given


def test_a_call_that_nothing_is_left_for_is_refused_and_says_why() -> None:
    wire = wired(SpendLimits(day=16))
    phone = Phone(wire, 1)
    for n in range(2):
        up(wire, phone, "0312345678", f"call-{n}")
    response = refused(phone.invite("0312345679", "more"), phone)
    assert response.status == 403
    assert "amount for this day" in reason(response)
    assert wire.calls[-1].sip_status == 403
    (alarm,) = limits_of(wire).take_alarms()
    assert (alarm.kind, alarm.subscriber) == ("day-limit", NUMBER)
    assert to(phone.invite("05050010002", "free"), phone.peer).status != 403  # T2: what is free goes on


def test_a_call_that_was_not_answered_gives_back_what_was_taken_for_it() -> None:
    wire = wired(SpendLimits(day=8))
    phone = Phone(wire, 1)
    for n in range(5):
        invite = to(phone.invite("0312345678", f"call-{n}"), GATEWAY)
        response = to(wire.send(GATEWAY, answer(invite, 486, GATEWAY)), phone.peer)
        assert response.status == 486
        phone.ack_failure(response)
    assert limits_of(wire).book.shown(NUMBER, wire.ms)["day_yen"] == 0


def test_the_next_day_and_the_next_month_begin_anew() -> None:
    book = SpendBook(SpendLimits(day=8, month=16))
    start = month_start_ms(START_MS)
    book.spend(NUMBER, 8, False, start)
    assert book.full(NUMBER, 8, False, start + HOUR) is Bound.DAY
    assert book.full(NUMBER, 8, False, start + 24 * HOUR) is None
    book.spend(NUMBER, 8, False, start + 24 * HOUR)
    assert book.full(NUMBER, 8, False, start + 48 * HOUR) is Bound.MONTH
    assert book.full(NUMBER, 8, False, start + 31 * 24 * HOUR) is None


def test_a_restart_forgets_nothing_that_was_spent() -> None:
    wire = wired(SpendLimits(day=24))
    phone = Phone(wire, 1)
    up(wire, phone, "0312345678", "call-1")
    entries = [entry for entry in wire.calls if entry.answered_at]
    wire.wait(31)  # 16 yen
    wire.start()
    limits = limits_of(wire)
    wire.engine.restore([], entries, wire.now, wire.ms)
    limits.load([Spent(NUMBER, 8, False, wire.ms - HOUR // 60)], {})
    assert limits.book.shown(NUMBER, wire.ms)["day_yen"] == 24
    assert refused(phone.invite("0312345678", "call-2"), phone).status == 403
    wire.wait(60)
    assert wire.ends[-1].duration_ms < 60_000  # the third unit was not to be had


def test_international_calls_wait_until_what_was_spent_is_counted() -> None:
    wire = wired()
    limits_of(wire).counted = False
    phone = Phone(wire, 1)
    response = refused(phone.invite(ABROAD), phone)
    assert (response.status, retry_after(response)) == (503, 5)
    assert to(phone.invite("0312345678", "home"), GATEWAY).method == b"INVITE"


@settings(max_examples=60)
@given(
    st.integers(8, 200),
    st.lists(
        st.tuples(st.sampled_from(["open", "close", "wait"]), st.integers(0, 9), st.integers(1, 60_000)), max_size=60
    ),
)
def test_whatever_calls_begin_and_end_the_limit_holds(limit: int, steps: Sequence[tuple[str, int, int]]) -> None:
    wire = wired(SpendLimits(day=limit))
    limits, ctx = limits_of(wire), wire.engine.ctx
    # One day of Asia/Tokyo: the limit is a day's.
    ctx.now_ms = month_start_ms(START_MS)
    running: dict[int, Call] = {}
    spent = 0

    def end(call: Call, _reason: bytes = b"") -> None:
        nonlocal spent
        running.pop(call.id, None)
        spent += PRICE.of(ctx.now_ms - call.answered_ms)
        call.state = CallState.ENDED
        limits.over(call)

    def wait(milliseconds: int) -> None:
        for _ in range(milliseconds // 500 + 1):
            ctx.now_ms += min(500, milliseconds)
            limits.sweep(running, end)

    for count, (what, which, pause) in enumerate(steps, 1):
        if what == "open" and limits.book.full(NUMBER, PRICE.yen, False, ctx.now_ms) is None:
            call = Call(b"%d" % count, count, ctx.now_ms, Leg(GATEWAY))
            call.subscriber, call.state, call.answered_ms = NUMBER, CallState.UP, ctx.now_ms
            running[count] = call
            limits.open(call, NUMBER, "+81312345678", NumberClass.FIXED)
        elif what == "close" and running:
            end(list(running.values())[which % len(running)])
        else:
            wait(pause)
    for call in list(running.values()):
        end(call)
    assert spent <= limit
    assert limits.book.shown(NUMBER, ctx.now_ms)["day_yen"] == spent


def test_a_forwarded_call_is_paid_by_who_forwards_and_ends_with_its_money() -> None:  # F4
    class Priced(Wire):
        prices = EightYen()

    people = [subscriber(1), subscriber(2, forward=Forward(True, "+81312345678"))]
    wire = Priced(*people, limits=LimitSettings(SpendLimits(day=16)), probe_interval=36_000)
    phone = Phone(wire, 1)
    up(wire, phone, "05050010002", "call-1")
    book = limits_of(wire).book
    assert [book.shown(one.number, wire.ms)["running_yen"] for one in people] == [0, 8]
    wire.wait(100)
    assert {(end.end_cause, PRICE.of(end.duration_ms)) for end in wire.ends} == {("service", 16)}
    assert [book.shown(one.number, wire.ms)["day_yen"] for one in people] == [0, 16]
    response = refused(phone.invite("05050010002", "call-2"), phone)
    assert response.status == 480  # F3


# -- stolen passwords (N6) ---------------------------------------------------------------------------------------------


def test_calls_abroad_cost_nothing_by_default() -> None:
    wire = Wire()  # international is off at first (N6)
    phone = Phone(wire, 1)
    assert refused(phone.invite(ABROAD), phone).status == 403


def test_a_thief_gets_the_days_amount_at_most_and_calls_at_home_go_on() -> None:
    wire = wired(SpendLimits(international_day=80))
    phone = Phone(wire, 1)
    for n in range(4):
        up(wire, phone, ABROAD, f"call-{n}")
    wire.wait(200)
    cost = sum(PRICE.of(end.duration_ms) for end in wire.ends)
    assert (len(wire.ends), cost) == (4, 80)
    response = refused(phone.invite(ABROAD, "again"), phone)
    assert (response.status, "stopped" in reason(response)) == (403, True)
    assert to(phone.invite("0312345678", "home"), GATEWAY).method == b"INVITE"
    alarms = limits_of(wire).take_alarms()
    assert [alarm.kind for alarm in alarms] == ["international-stopped"]
    assert alarms[0].hold is not None
    assert alarms[0].hold.until_ms == 0  # until a person lifts it
    assert wire.counters["alarms", "international-stopped"] == 1


@pytest.mark.parametrize(
    ("fraud", "dialled"),
    [
        ({"international_per_hour": 3}, [ABROAD] * 4),
        ({"countries_per_day": 2}, [ABROAD, "0106563334444", "01085221234567"]),  # Britain, Singapore, Hong Kong
    ],
)
def test_calls_abroad_unlike_a_person_s_are_stopped_and_running_ones_cut(
    fraud: dict[str, int], dialled: list[str]
) -> None:
    wire = wired(**fraud)
    phone = Phone(wire, 1)
    *before, last = dialled
    for n, number in enumerate(before):
        up(wire, phone, number, f"call-{n}")
    home = up(wire, phone, "0312345678", "home")
    assert refused(phone.invite(last, "last"), phone).status == 403
    wire.wait(1.2)
    assert {end.end_cause for end in wire.ends} == {"service"}
    assert len(wire.ends) == len(before)
    home.send("BYE")  # only calls abroad were cut


def test_after_a_person_lifts_it_calls_abroad_begin_anew() -> None:
    wire = wired(SpendLimits(international_day=8))
    phone, limits = Phone(wire, 1), limits_of(wire)
    up(wire, phone, ABROAD, "call-1").send("BYE")
    wire.wait(40)
    assert refused(phone.invite(ABROAD, "call-2"), phone).status == 403
    (alarm,) = limits.take_alarms()
    assert alarm.hold is not None
    limits.put_holds([alarm.hold], wire.ms)  # now it is on record
    assert refused(phone.invite(ABROAD, "call-3"), phone).status == 403
    limits.put_holds([], wire.ms)
    assert to(phone.invite(ABROAD, "call-4"), GATEWAY).method == b"INVITE"


def test_a_hold_found_while_the_record_is_read_is_not_lost() -> None:
    wire = wired(SpendLimits(international_day=1))
    phone, limits = Phone(wire, 1), limits_of(wire)
    assert refused(phone.invite(ABROAD, "call-1"), phone).status == 403
    limits.put_holds([], wire.ms)
    assert (NUMBER, HoldKind.INTERNATIONAL) in limits.holds


def test_a_throttle_that_ends_lifts_nothing_else() -> None:
    wire = wired(SpendLimits(international_day=8))
    limits = limits_of(wire)
    stop = Hold(NUMBER, HoldKind.INTERNATIONAL, "theft", wire.ms)
    limits.put_holds([stop, Hold(NUMBER, HoldKind.THROTTLE, "short", wire.ms, wire.ms + 1000)], wire.ms)
    limits.book.spend(NUMBER, 8, True, wire.ms)
    limits.put_holds([stop], wire.ms + 1000)
    assert limits.book.shown(NUMBER, wire.ms)["international_day_yen"] == 8
    limits.put_holds([], wire.ms + 1000)
    assert limits.book.shown(NUMBER, wire.ms)["international_day_yen"] == 0


def test_alarms_that_could_not_be_stored_come_again_and_their_holds_stay() -> None:
    wire = wired(SpendLimits(international_day=1))
    phone, limits = Phone(wire, 1), limits_of(wire)
    refused(phone.invite(ABROAD, "call-1"), phone)
    alarms = limits.take_alarms()
    limits.put_back(alarms)
    limits.put_holds([], wire.ms)
    assert (NUMBER, HoldKind.INTERNATIONAL) in limits.holds
    assert limits.take_alarms() == alarms


def test_many_tries_with_calls_abroad_switched_off_alarm_the_operator() -> None:
    patterns = Patterns(FraudLimits(tries_while_off=5))
    assert [patterns.tried_while_off(NUMBER, START_MS + n) for n in range(5)] == [False] * 4 + [True]
    slow = [patterns.tried_while_off(NUMBER, START_MS + n * HOUR) for n in range(1, 20)]
    assert not any(slow)


@pytest.mark.parametrize(
    ("changes", "status"),
    [({"denied": frozenset({"GB"})}, 403), ({"allowed": frozenset({"US"})}, 403), ({"allowed": frozenset({"GB"})}, 0)],
)
def test_countries_are_the_operator_s_to_allow(changes: dict[str, frozenset[str]], status: int) -> None:  # N6
    wire = Wire(subscriber(1, international=True), limits=LimitSettings(**changes))
    phone = Phone(wire, 1)
    sent = phone.invite(ABROAD)
    if status:
        assert refused(sent, phone).status == status
    else:
        assert to(sent, GATEWAY).method == b"INVITE"


# -- short calls (約款 別記3 3 (9)) ---------------------------------------------------------------------------


def test_many_unanswered_calls_in_a_row_throttle_the_subscriber_and_tell_the_operator() -> None:
    wire = wired(short_calls=5, throttled_per_minute=2)
    phone = Phone(wire, 1)

    def call(n: int) -> int:
        sent = phone.invite("05050010002", f"call-{wire.now}-{n}")  # nobody is registered: 480 at once
        return to(sent, phone.peer).status

    assert [call(n) for n in range(5)] == [480] * 5
    (alarm,) = limits_of(wire).take_alarms()
    assert alarm.kind == "short-calls"
    assert call(6) == 403
    wire.now += 60
    assert [call(n) for n in range(4)] == [480, 480, 403, 403]
    assert to(Phone(wire, 3).invite("05050010002", "other"), ("192.0.2.1", 5063)).status == 480  # nobody else
    wire.now += 1800
    assert call(7) == 480


def test_a_call_that_is_talked_in_ends_the_row() -> None:
    patterns = Patterns(FraudLimits(short_calls=3))
    calls = [0, 0, 4000, 0, 3000, 0]
    assert [patterns.ended(NUMBER, ms, START_MS) for ms in calls] == [False] * 5 + [True]
    assert not any(patterns.ended(NUMBER, 0, START_MS + n * 2 * HOUR) for n in range(10))  # nor are they in a row


def test_the_watch_on_short_calls_can_be_switched_off() -> None:
    patterns = Patterns(FraudLimits(short_calls=0))
    assert not any(patterns.ended(NUMBER, 0, START_MS) for _ in range(1000))


# -- congestion (C7) ------------------------------------------------------------------------------------------------


def order(kind: OrderKind, value: str = "", minutes: int = 0) -> Order:
    return Order(1, kind, value, START_MS, START_MS + minutes * 60_000 if minutes else 0)


def test_only_priority_subscribers_call_until_the_set_time_is_over() -> None:
    wire = wired(priority=True)
    first, second = Phone(wire, 1), Phone(wire, 2)
    limits_of(wire).congestion.put([order(OrderKind.PRIORITY_ONLY, minutes=4)])
    assert to(first.invite("0312345678", "a"), GATEWAY).method == b"INVITE"
    response = refused(second.invite("0312345678", "b"), second)
    assert (response.status, retry_after(response)) == (503, 240)
    assert "only priority" in reason(response)
    assert wire.calls[-1].sip_status == 503
    wire.now += 241
    assert to(second.invite("0312345678", "c"), GATEWAY).method == b"INVITE"


def test_calls_to_an_area_are_refused_and_others_are_not() -> None:
    wire = wired()
    limits_of(wire).congestion.put([order(OrderKind.AREA, f"{area_beginning('03')},{area_beginning('06')}")])
    phone = Phone(wire, 1)
    assert refused(phone.invite("0312345678", "a"), phone).status == 503
    assert refused(phone.invite("0661234567", "b"), phone).status == 503
    assert to(phone.invite("0452345678", "c"), GATEWAY).method == b"INVITE"


def test_no_call_is_longer_than_ordered_but_a_priority_subscriber_s() -> None:
    wire = wired(priority=True)
    first, second = Phone(wire, 1), Phone(wire, 2)
    up(wire, first, "0312345678", "a")
    up(wire, second, "0312345678", "b")
    wire.wait(10)
    assert wire.ends == []
    limits_of(wire).congestion.put([order(OrderKind.MAX_SECONDS, "60")])
    wire.wait(55)
    (end,) = wire.ends
    assert end.end_cause == "service"
    assert 60_000 <= end.duration_ms <= 60_600
    bye = to(wire.since(0)[-2:], GATEWAY)
    assert (bye.method, "kept short" in reason(bye)) == (b"BYE", True)


def test_orders_that_are_over_or_to_come_restrict_nobody() -> None:
    congestion = Congestion()
    congestion.put([Order(1, OrderKind.PRIORITY_ONLY, "", START_MS, START_MS + 1000)])
    assert congestion.refusal(NUMBER, START_MS - 1) is None
    assert congestion.refusal(NUMBER, START_MS) is not None
    assert congestion.refusal(NUMBER, START_MS + 1000) is None


@pytest.mark.parametrize(
    ("text", "beginning"), [("03", "+813"), ("0120-4", "+811204"), ("+33", "+33"), ("010 33", "+33"), ("050", "+8150")]
)
def test_areas_are_read_as_they_are_dialled(text: str, beginning: str) -> None:
    assert area_beginning(text) == beginning


@pytest.mark.parametrize("text", ["", "0", "3", "abc", "+", "03,06", "+81"])
def test_what_is_no_area_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not the beginning"):
        area_beginning(text)


def test_a_hold_ends_by_itself_when_it_has_an_end() -> None:
    wire = wired(throttled_per_minute=0)
    hold = Hold(NUMBER, HoldKind.THROTTLE, "test", wire.ms, wire.ms + 1000)
    limits_of(wire).put_holds([hold], wire.ms)
    phone = Phone(wire, 1)
    assert refused(phone.invite("0312345678", "a"), phone).status == 403
    wire.now += 2
    assert to(phone.invite("0312345678", "b"), GATEWAY).method == b"INVITE"
    assert limits_of(wire).holds == {}
