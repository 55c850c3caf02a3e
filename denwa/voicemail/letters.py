"""What mails to subscribers tell (M2-M4): which kinds there are, and the facts in each. Pure.

How they are worded is in template files: `denwa.voicemail.mail.templates`. Notices about the contract (K9) come with
their text and go out in the same way.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from zoneinfo import ZoneInfo

from denwa.numbering import NumberFault, PhoneNumber

JAPAN = ZoneInfo("Asia/Tokyo")


class Kind(StrEnum):
    """The mails that this package writes. Others need a template file of their name, and say the rest in `values`."""

    CALL_NOTICE = "call-notice"  # the caller left before the tone
    MESSAGE_NOTICE = "message-notice"
    MAILBOX_ALMOST_FULL = "mailbox-almost-full"
    MESSAGES_EXPIRING = "messages-expiring"
    SERVICE_NOTICE = "service-notice"  # about the contract; subject and text come with it
    TEST = "test"


# Why a number is missing (B4), as a phone's display says it.
_HIDDEN = {
    "anonymous": ("非通知設定", "Number withheld"),
    "payphone": ("公衆電話", "Public telephone"),
    "interaction": ("表示圏外", "Number not available"),
    "unavailable": ("表示圏外", "Number not available"),
}
_UNKNOWN = ("番号不明", "Unknown number")


class LetterFault(Exception):
    """A mail that cannot be written, for instance to an address that is none."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A message in a list of messages. Moments in ms since 1970 UTC."""

    caller: str  # E.164 or ""
    hidden_reason: str
    called_at_ms: int
    duration_ms: int
    deleted_at_ms: int


@dataclass(frozen=True, slots=True)
class Letter:
    """The content of one notice. `stored` of `most` messages counts this one; 0 and 0 in a call notice."""

    kind: str  # a Kind, or the name of another template
    mailbox: str  # E.164
    account: str
    caller: str  # E.164 or ""
    hidden_reason: str
    called_at_ms: int  # since 1970 UTC
    duration_ms: int = 0
    stored: int = 0
    most: int = 0
    attach: bool = False  # the recording goes with it (M1)
    keep_days: int = 0
    subject: str = ""  # of a service notice, as its text
    text: str = ""
    language: str = "ja"  # ja: Japanese, then English; en: English
    listed: tuple[Listed, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)  # further placeholders of the template

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Letter:
        fields = json.loads(text)
        listed = tuple(Listed(**one) for one in fields.get("listed", ()))
        return cls(**{**fields, "listed": listed})

    def counted(self, stored: int) -> Letter:
        return replace(self, stored=stored)


@dataclass(frozen=True, slots=True)
class Sender:
    address: str
    service_name: str


def message_id(lease: str, sender: str) -> str:
    """One mail per call: a second attempt has the same Message-ID, so that a mail server can tell."""
    return f"<{lease}@{sender.rpartition('@')[2]}>"


def caller_names(caller: str, hidden_reason: str) -> tuple[str, str]:
    """How the caller is called (Japanese, English): the number as it is dialled, or why there is none."""
    if hidden_reason or not caller:
        return _HIDDEN.get(hidden_reason, _UNKNOWN)
    try:
        number = PhoneNumber.parse(caller).national()
    except NumberFault:
        number = caller
    return number, number


def minutes_seconds(duration_ms: int) -> str:
    """m:ss to the nearest second (M3): 60,000 ms is 1:00."""
    minutes, seconds = divmod((duration_ms + 500) // 1000, 60)
    return f"{minutes}:{seconds:02}"
