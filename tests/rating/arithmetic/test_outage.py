"""T10: credit for an outage (約款 第29条)."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from denwa.rating.arithmetic.outage import outage_credit, outage_days
from denwa.rating.arithmetic.usage import Known, Usage, months_before
from denwa.rating.billing_month import midnight_ms
from denwa.rating.tariff import TaxClass

HOUR_MS = 3_600_000
KNOWN_MS = midnight_ms(date(2026, 11, 3)) + 9 * HOUR_MS
BEFORE = Usage(date(2026, 10, 20), date(2026, 11, 2), 140)


def six_months(*yen: int) -> Known:
    spans = months_before(date(2026, 11, 3), 1)
    return Known(tuple(Usage(s.start, s.end, y) for s, y in zip(spans, yen, strict=True)), BEFORE)


def credit(hours: int, known: Known) -> int:
    return outage_credit(KNOWN_MS, KNOWN_MS + hours * HOUR_MS, known).yen


@pytest.mark.parametrize(
    ("lasting_ms", "days"),
    [
        (-1, 0), (0, 0), (24 * HOUR_MS - 1, 0), (24 * HOUR_MS, 1), (48 * HOUR_MS - 1, 1), (48 * HOUR_MS, 2),
        (240 * HOUR_MS, 10),
    ],
)  # fmt: skip
def test_only_whole_multiples_of_24_hours_count(lasting_ms: int, days: int) -> None:  # T10
    assert outage_days(KNOWN_MS, KNOWN_MS + lasting_ms) == days


def test_the_average_is_of_all_6_months_together() -> None:  # T10: 184 days from May to October
    known = six_months(1840, 0, 0, 0, 0, 0)
    assert credit(50, known) == -20
    result = outage_credit(KNOWN_MS, KNOWN_MS + 50 * HOUR_MS, known)
    assert dict(result.amounts) == {TaxClass.OUT_OF_SCOPE: -20}
    assert "2026-11-03 から 50 時間 0 分 → 24時間 × 2" in result.text()
    assert "2026-05-01〜2026-10-31 1840 円 ÷ 184 日 × 2 日 → 20 円" in result.text()


def test_calls_abroad_count_for_the_average() -> None:  # 料金表第1表に規定する利用料
    spans = months_before(date(2026, 11, 3), 1)
    assert credit(24, Known(tuple(Usage(s.start, s.end, 31, 31) for s in spans), None)) == -2


def test_under_24_hours_nothing_is_credited() -> None:  # T10
    result = outage_credit(KNOWN_MS, KNOWN_MS + 24 * HOUR_MS - 1, six_months(*[10**6] * 6))
    assert result.amounts == {}
    assert "23 時間 59 分" in result.text()
    assert "賠償なし" in result.text()


def test_with_less_history_the_days_before_the_outage_decide() -> None:  # T10 注
    known = Known((Usage(date(2026, 10, 1), date(2026, 10, 31), 10**6),), BEFORE)
    assert credit(72, known) == -30  # 140 / 14 × 3


def test_a_contract_without_a_day_before_gets_nothing() -> None:  # T10 注
    assert credit(72, Known((), None)) == 0


def test_the_fraction_of_a_yen_is_cut_off() -> None:  # 通則 5
    assert credit(24, six_months(183, 0, 0, 0, 0, 0)) == 0
    assert credit(48, six_months(183, 0, 0, 0, 0, 0)) == -1  # 1.98…


@given(st.integers(0, 2000), st.integers(0, 2000), st.lists(st.integers(0, 10**6), min_size=6, max_size=6))
def test_the_credit_never_falls_the_longer_an_outage_lasts(one: int, other: int, used: list[int]) -> None:
    shorter, longer = sorted((one, other))
    assert credit(longer, six_months(*used)) <= credit(shorter, six_months(*used)) <= 0
