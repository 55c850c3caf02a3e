"""Times as call records write them: ISO 8601 with an offset."""

from __future__ import annotations

from datetime import UTC, datetime

from denwa.rating.billing_month import EARLIEST_MS, LATEST_MS

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# A call file holds millions of times: the usual offset at the end is taken off, which halves the work.
_USUAL_OFFSET = "+09:00"
_USUAL_EPOCH = datetime(1970, 1, 1, 9)  # noqa: DTZ001  (1970-01-01T00:00Z on a clock with the usual offset)


class MomentError(ValueError):
    """The text is no moment; the message says why."""


def parse_moment(text: str) -> int:
    """Whole milliseconds since 1970 UTC of an ISO 8601 date and time with offset; smaller fractions are cut off."""
    if text[10:11] != "T" and "T" not in text[:11]:  # Python would take any letter
        raise MomentError(f"time {text!r} is not ISO 8601")
    try:
        if text[-6:] == _USUAL_OFFSET:
            since = datetime.fromisoformat(text[:-6]) - _USUAL_EPOCH
        else:
            since = datetime.fromisoformat(text) - _EPOCH
    except ValueError:
        raise MomentError(f"time {text!r} is not ISO 8601") from None
    except TypeError:
        raise MomentError(f"time {text!r} has no offset from UTC, or two") from None
    millis = since.days * 86_400_000 + since.seconds * 1000 + since.microseconds // 1000
    if not EARLIEST_MS <= millis < LATEST_MS:
        raise MomentError(f"time {text!r} is out of range")
    return millis
