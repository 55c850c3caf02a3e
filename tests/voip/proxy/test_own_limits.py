"""Limits that one subscriber has of its own, beside those of everybody (C6)."""

from __future__ import annotations

import pytest

from denwa.voip.proxy.own_limits import NOTHING_OWN, OwnLimits, call_seconds_of
from denwa.voip.proxy.spending import Bound, SpendBook, SpendLimits
from tests.voip.proxy.test_limits import NUMBER, PRICE, limits_of, refused, up, wired
from tests.voip.wire import GATEWAY, Phone, Wire, call_up, subscriber, to

OTHER = "+815050010002"


def test_a_subscriber_may_have_more_or_fewer_calls_at_once_than_others() -> None:
    wire = Wire(subscriber(1), subscriber(2), subscriber(3), calls_per_subscriber=2)
    limits_of(wire).put_own({NUMBER: OwnLimits(calls=1), OTHER: OwnLimits(calls=3)})
    one, two, three = Phone(wire, 1), Phone(wire, 2), Phone(wire, 3)
    for phone, most in ((one, 1), (two, 3), (three, 2)):
        for number in range(most):
            assert to(phone.invite("0312345678", f"{phone.account}-{number}"), GATEWAY).method == b"INVITE"
        assert refused(phone.invite("0312345678", f"{phone.account}-more"), phone).status == 403
    limits_of(wire).put_own({})
    assert to(one.invite("0312345678", "after"), GATEWAY).method == b"INVITE"


def test_a_subscriber_may_have_its_own_number_of_calls_a_minute() -> None:
    wire = wired()
    limits_of(wire).put_own({NUMBER: OwnLimits(calls_per_minute=1)})
    phone, other = Phone(wire, 1), Phone(wire, 2)
    to(phone.invite("0312345678", "one"), GATEWAY)
    refused(phone.invite("0312345678", "two"), phone)
    assert wire.calls[-1].reason == "too-many-a-minute"
    for call in ("three", "four"):
        assert to(other.invite("0312345678", call), GATEWAY).method == b"INVITE"


def test_a_call_is_as_long_as_its_subscriber_s_own_limit() -> None:
    wire = Wire(call_seconds=100, probe_interval=36_000)
    limits_of(wire).put_own({NUMBER: OwnLimits(call_seconds=10), OTHER: OwnLimits(call_seconds=0)})
    call_up(wire, Phone(wire, 1), Phone(wire, 3), call_id="short")
    call_up(wire, Phone(wire, 2), Phone(wire, 3), call_id="endless")
    wire.wait(12)
    assert [end.duration_ms // 1000 for end in wire.ends] == [10]
    wire.wait(200)
    assert len(wire.ends) == 1


def test_money_is_bounded_by_what_is_the_subscriber_s_own_at_once() -> None:
    wire = wired(SpendLimits(day=8))
    phone = Phone(wire, 1)
    up(wire, phone, "0312345678", "first")
    assert refused(phone.invite("0312345678", "second"), phone).status == 403
    limits_of(wire).put_own({NUMBER: OwnLimits(day_yen=16)})
    up(wire, phone, "0312345678", "third")
    assert refused(phone.invite("0312345678", "fourth"), phone).status == 403
    other = Phone(wire, 2)
    up(wire, other, "0312345678", "fifth")
    assert refused(other.invite("0312345678", "sixth"), other).status == 403


@pytest.mark.parametrize(
    ("own", "spend"),
    [
        (NOTHING_OWN, (1, 2, 3)),
        (OwnLimits(day_yen=0), (0, 2, 3)),
        (OwnLimits(month_yen=20, international_day_yen=0), (1, 20, 0)),
    ],
)
def test_what_is_not_the_subscriber_s_own_is_the_service_s(own: OwnLimits, spend: tuple[int, int, int]) -> None:
    assert own.spend(SpendLimits(1, 2, 3)) == spend


def test_an_own_amount_of_0_is_no_limit() -> None:
    book = SpendBook(SpendLimits(day=8))
    assert book.full(NUMBER, 2 * PRICE.yen, False, 0) is Bound.DAY
    book.own = {NUMBER: SpendLimits()}
    assert book.full(NUMBER, 1_000_000, True, 0) is None
    assert call_seconds_of({NUMBER: OwnLimits(calls=3), OTHER: OwnLimits(call_seconds=0)}) == {OTHER: 0}
