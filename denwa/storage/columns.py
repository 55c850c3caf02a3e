"""Column types of our own: exact money and UTC time on every database (SQLite loses both otherwise)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Integer
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def to_millis(moment: datetime) -> int:
    """Whole milliseconds since 1970 UTC; an unaware time is refused (ValueError)."""
    if moment.tzinfo is None:
        raise ValueError(f"time without a zone: {moment!r}")
    return (moment - EPOCH) // _MILLISECOND


def from_millis(millis: int) -> datetime:
    return EPOCH + timedelta(milliseconds=millis)


class UtcMillis(TypeDecorator[datetime]):
    """An aware datetime, stored as whole milliseconds since 1970 UTC (sorts and compares exactly)."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else to_millis(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        return None if value is None else from_millis(int(value))


class Yen(TypeDecorator[int]):
    """Whole yen; anything but an int is refused when written."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:
        if value is not None and type(value) is not int:
            raise TypeError(f"money is whole yen (int), not {value!r}")
        return value


# An id that counts up on both databases (SQLite autoincrements INTEGER only).
BigId = BigInteger().with_variant(Integer, "sqlite")
