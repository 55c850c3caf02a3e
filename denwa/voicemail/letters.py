"""What mails to subscribers say (M2-M4): call notice and message notice, Japanese first. Pure.

Notices about the contract (K9) come with their text and go out in the same way.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from denwa.numbering import NumberFault, PhoneNumber

JAPAN = ZoneInfo("Asia/Tokyo")


class Kind(StrEnum):
    CALL_NOTICE = "call-notice"  # the caller left before the tone
    MESSAGE_NOTICE = "message-notice"
    SERVICE_NOTICE = "service-notice"  # about the contract; subject and text come with it


_SUBJECTS = {Kind.CALL_NOTICE: "着信通知", Kind.MESSAGE_NOTICE: "メッセージお預かり通知"}

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
class Letter:
    """The content of one notice. `stored` of `most` messages counts this one; 0 and 0 in a call notice."""

    kind: Kind
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

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Letter:
        fields = json.loads(text)
        return cls(**{**fields, "kind": Kind(fields["kind"])})

    def counted(self, stored: int) -> Letter:
        return replace(self, stored=stored)


@dataclass(frozen=True, slots=True)
class Sender:
    address: str
    service_name: str


def message_id(lease: str, sender: str) -> str:
    """One mail per call: a second attempt has the same Message-ID, so that a mail server can tell."""
    return f"<{lease}@{sender.rpartition('@')[2]}>"


def compose(
    letter: Letter, sender: Sender, recipient: str, message_id: str, now: datetime, sound: bytes | None = None
) -> EmailMessage:
    """The mail, UTF-8, with `sound` (a WAV) attached if given. Raises LetterFault."""
    mail = EmailMessage(policy=SMTP)
    try:
        mail["From"] = Address(sender.service_name, addr_spec=sender.address)
        mail["To"] = Address(addr_spec=recipient)
        mail["Subject"] = f"【{sender.service_name}】{letter.subject or _SUBJECTS[letter.kind]}"
        mail["Date"] = format_datetime(now.astimezone(JAPAN))
        mail["Message-ID"] = message_id
    except (ValueError, IndexError, MessageError):
        raise LetterFault("the subscriber's mail address is not one") from None  # without it: logs name nobody
    mail["Auto-Submitted"] = "auto-generated"
    # base64: lines of any length and every byte pass mail servers without 8BITMIME.
    text = letter.text or _text(letter, sender.service_name, sound is not None)
    mail.set_content(text, charset="utf-8", cte="base64")
    if sound is not None:
        called_at = _japan(letter.called_at_ms)
        name = f"メッセージ_{called_at:%Y%m%d_%H%M%S}.wav"
        mail.add_attachment(sound, maintype="audio", subtype="x-wav", filename=name)
    return mail


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


def _text(letter: Letter, service_name: str, attached: bool) -> str:
    japanese, english = caller_names(letter.caller, letter.hidden_reason)
    called_at = _japan(letter.called_at_ms)
    date = f"{called_at.year}年{called_at.month}月{called_at.day}日 {called_at:%H:%M:%S}"
    lines = [f"{japanese}から着信がありました。", "", f"着信日時：{date}"]
    other = [f"You have had a call from: {english}", f"Date and time: {called_at:%Y-%m-%d %H:%M:%S} (JST)"]
    if letter.kind is Kind.MESSAGE_NOTICE:
        length, stored = minutes_seconds(letter.duration_ms), f"{letter.stored}/{letter.most}"
        lines += [f"録音時間：{length}", f"録音件数：{stored}件"]
        other += [f"Length of the message: {length}", f"Messages stored: {stored}"]
    lines += [f"SIPアカウント：{letter.account}", ""]
    other += [f"SIP account: {letter.account}"]
    if letter.kind is Kind.MESSAGE_NOTICE:
        lines += [*_about_recording(letter, attached), ""]
    lines += ["このメールは送信専用です。", "----", *other, "", service_name]
    return "\n".join(lines) + "\n"


def _about_recording(letter: Letter, attached: bool) -> list[str]:
    if attached:
        return ["録音データ（WAV形式）を添付しています。"]
    if letter.attach:
        return ["録音データはすでに削除されているため、添付していません。"]
    return [f"メッセージは{letter.keep_days}日間お預かりした後、自動的に削除されます。"]


def _japan(millis: int) -> datetime:
    return datetime.fromtimestamp(millis // 1000, JAPAN)
