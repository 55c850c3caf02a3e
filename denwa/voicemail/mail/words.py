"""What stands in the placeholders of a mail's templates. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from denwa.numbering import NumberFault, PhoneNumber
from denwa.voicemail.letters import JAPAN, Kind, Letter, Listed, caller_names, minutes_seconds

EVERYWHERE = frozenset({"service", "account", "number"})

# Of each kind, besides those. `docs/operating.md` says what they are.
PLACEHOLDERS: Mapping[str, frozenset[str]] = {
    Kind.CALL_NOTICE: frozenset({"caller", "called_at"}),
    Kind.MESSAGE_NOTICE: frozenset(
        {"caller", "called_at", "length", "stored", "most", "left", "attached", "gone", "keep_days"}
    ),
    Kind.MAILBOX_ALMOST_FULL: frozenset({"stored", "most", "left", "keep_days"}),
    Kind.MESSAGES_EXPIRING: frozenset({"messages", "keep_days"}),
    Kind.SERVICE_NOTICE: frozenset({"subject", "text"}),
    Kind.TEST: frozenset(),
}

# A letter of any kind with something in every place: templates are tried on it.
SAMPLE = Letter(
    Kind.MESSAGE_NOTICE,
    "+815050010001",
    "50010001",
    "+819012345678",
    "",
    1_795_294_584_123,
    60_000,
    8,
    10,
    attach=True,
    keep_days=7,
    subject="件名",
    text="本文\n",
    listed=(Listed("", "payphone", 1_795_294_584_123, 60_000, 1_795_899_384_123),),
)


def placeholders(letter: Letter, language: str, service: str, *, attached: bool) -> dict[str, Any]:
    """Placeholder -> value in `language` (ja, en). `attached`: the recording goes with the mail."""
    of_letter: dict[str, Any] = {
        "service": service,
        "account": letter.account,
        "number": _grouped(letter.mailbox),
        "stored": letter.stored,
        "most": letter.most,
        "left": max(0, letter.most - letter.stored),
        "keep_days": letter.keep_days,
        "attached": attached,
        "gone": letter.attach and not attached,
        "subject": letter.subject,
        "text": letter.text.rstrip("\n"),
        "messages": [_of_listed(one, language) for one in letter.listed],
    }
    return dict(letter.values) | of_letter | _of_call(letter, language)


def moment(millis: int, language: str) -> str:
    """A moment in Japan's time: 2015年7月12日 10:10:39; 2015-07-12 10:10:39 (JST)."""
    at = in_japan(millis)
    if language == "ja":
        return f"{_day(at)} {at:%H:%M:%S}"
    return f"{at:%Y-%m-%d %H:%M:%S} (JST)"


def in_japan(millis: int) -> datetime:
    """Whole seconds."""
    return datetime.fromtimestamp(millis // 1000, UTC).astimezone(JAPAN)


def _minute(millis: int, language: str) -> str:
    """The minute that is complete at the moment: nothing is promised to be there longer than it is."""
    at = in_japan(millis)
    return f"{_day(at)} {at:%H:%M}" if language == "ja" else f"{at:%Y-%m-%d %H:%M} (JST)"


def _day(at: datetime) -> str:
    return f"{at.year}年{at.month}月{at.day}日"


def _of_listed(one: Listed, language: str) -> dict[str, Any]:
    return _of_call(one, language) | {"deleted_at": _minute(one.deleted_at_ms, language)}


def _of_call(of: Letter | Listed, language: str) -> dict[str, Any]:
    japanese, english = caller_names(of.caller, of.hidden_reason)
    return {
        "caller": japanese if language == "ja" else english,
        "called_at": moment(of.called_at_ms, language),
        "length": minutes_seconds(of.duration_ms),
    }


def _grouped(number: str) -> str:
    try:
        return PhoneNumber.parse(number).grouped()
    except NumberFault:
        return number
