"""Mails as a mail program reads them: composed, sent over the wire as bytes, parsed back."""

from __future__ import annotations

import email
import re
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import default
from email.utils import parsedate_to_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from denwa.voicemail.letters import Kind, Letter, LetterFault, Sender, message_id, minutes_seconds
from denwa.voicemail.mail.templates import shipped_templates
from denwa.voicemail.mail.writing import compose
from denwa.voicemail.wav import tone

# The example of the seed: 2015-07-12 10:10:39 in Japan.
CALLED_AT = datetime(2015, 7, 12, 1, 10, 39, tzinfo=UTC)
NOW = datetime(2015, 7, 12, 1, 12, tzinfo=UTC)
SENDER = Sender("mail-noreply@denwa.example", "Denwa")
TEMPLATES = shipped_templates()
MESSAGE = Letter(
    Kind.MESSAGE_NOTICE,
    "+815050010001",
    "50010001",
    "+815012345678",
    "",
    int(CALLED_AT.timestamp() * 1000) + 999,
    60_000,
    8,
    10,
    True,
    7,
)
CALL = Letter(Kind.CALL_NOTICE, "+815050010001", "50010001", "+815012345678", "", int(CALLED_AT.timestamp() * 1000))


def received(letter: Letter, sound: bytes | None = None, sender: Sender = SENDER) -> EmailMessage:
    wire = compose(letter, TEMPLATES, sender, "taro@example.jp", "<x@denwa.example>", NOW, sound).as_bytes()
    assert b"\r\n" in wire
    assert not re.search(rb"[^\r]\n", wire)  # RFC 5322 §2.1: lines end with CRLF
    assert all(len(line) <= 998 and line.isascii() for line in wire.split(b"\r\n"))
    parsed = email.message_from_bytes(wire, policy=default)
    assert isinstance(parsed, EmailMessage)
    return parsed


def text_of(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    assert body.get_content_charset() == "utf-8"
    content: str = body.get_content()
    return content


def test_call_notice_says_caller_time_and_account() -> None:
    """M3"""
    mail = received(CALL)
    assert mail["subject"] == "【Denwa】着信通知"
    text = text_of(mail)
    for part in ("05012345678から着信がありました", "着信日時：2015年7月12日 10:10:39", "SIPアカウント：50010001"):
        assert part in text
    assert "録音" not in text
    assert not list(mail.iter_attachments())


def test_message_notice_also_says_length_and_how_many_are_stored() -> None:
    """M3"""
    mail = received(MESSAGE, b"RIFF")
    assert mail["subject"] == "【Denwa】メッセージお預かり通知"
    for part in ("05012345678から", "録音時間：1:00", "録音件数：8/10件", "10:10:39", "50010001"):
        assert part in text_of(mail)


def test_recording_is_attached_byte_for_byte_under_a_japanese_name() -> None:
    """M1, RFC 2231"""
    sound = tone(milliseconds=2000)
    mail = received(MESSAGE, sound)
    [attachment] = mail.iter_attachments()
    assert attachment.get_content_type() == "audio/x-wav"
    assert attachment.get_filename() == "録音_20150712_101039.wav"
    assert attachment.get_payload(decode=True) == sound
    assert "添付しています" in text_of(mail)


def test_notice_without_recording_says_how_long_it_is_kept_or_that_it_is_gone() -> None:
    assert "7日間" in text_of(
        received(Letter.from_json(MESSAGE.to_json().replace('"attach": true', '"attach": false')))
    )
    assert "すでに削除" in text_of(received(MESSAGE))


@pytest.mark.parametrize(
    ("reason", "japanese"),
    [("anonymous", "非通知設定"), ("payphone", "公衆電話"), ("interaction", "表示圏外"), ("unavailable", "表示圏外")],
)
def test_hidden_caller_is_called_by_the_reason_and_never_by_the_number(reason: str, japanese: str) -> None:
    """B4, M3"""
    letter = Letter(CALL.kind, CALL.mailbox, CALL.account, "+819012345678", reason, CALL.called_at_ms)
    text = text_of(received(letter))
    assert f"{japanese}から着信がありました" in text
    assert "12345678" not in text.replace("SIP", "")


def test_head_has_what_mail_servers_and_programs_want() -> None:
    """M4"""
    mail = received(MESSAGE, b"RIFF", Sender("mail-noreply@denwa.example", "電話"))
    assert str(mail["from"]) == "電話 <mail-noreply@denwa.example>"
    assert mail["to"] == "taro@example.jp"
    assert mail["message-id"] == "<x@denwa.example>"
    assert parsedate_to_datetime(mail["date"]) == NOW
    assert mail["date"].endswith("+0900")
    assert mail["auto-submitted"] == "auto-generated"
    assert "電話" in mail["subject"]


@pytest.mark.parametrize("address", ["", "no-at", "a@b@c", "x@y\r\nBcc: z@y", "a b@c", "@c", "a@"])
def test_address_that_is_none_is_a_fault_and_adds_no_line_to_the_head(address: str) -> None:
    with pytest.raises(LetterFault, match="mail address is not one"):
        compose(CALL, TEMPLATES, SENDER, address, "<x@denwa.example>", NOW)


@settings(deadline=None)  # a busy machine is no fault
@given(st.text(max_size=40), st.sampled_from(["", "anonymous", "odd"]))
def test_any_caller_text_makes_a_mail_that_parses_back(caller: str, reason: str) -> None:
    letter = Letter(CALL.kind, CALL.mailbox, CALL.account, caller, reason, CALL.called_at_ms)
    assert "着信がありました" in text_of(received(letter))


@settings(deadline=None)  # a busy machine is no fault
@given(
    st.builds(Letter, st.sampled_from(Kind), *[st.text(max_size=9)] * 4, *[st.integers(0, 2**50)] * 4, st.booleans())
)
def test_letter_survives_the_outbox(letter: Letter) -> None:
    assert Letter.from_json(letter.to_json()) == letter


@pytest.mark.parametrize(
    ("millis", "shown"),
    [(0, "0:00"), (499, "0:00"), (500, "0:01"), (59_499, "0:59"), (60_000, "1:00"), (61_000, "1:01")],
)
def test_length_is_minutes_and_seconds(millis: int, shown: str) -> None:
    """M3"""
    assert minutes_seconds(millis) == shown


def test_message_id_is_the_same_at_every_attempt() -> None:
    assert message_id("a1", SENDER.address) == "<a1@denwa.example>"


def test_a_notice_about_the_contract_is_mailed_as_it_was_written() -> None:
    """K9"""
    text = "山田 様\n\n2026年11月25日より発信を停止いたします。\n"
    letter = Letter(Kind.SERVICE_NOTICE, "+815050010001", "50010001", "", "", 0, subject="ご利用停止の予告", text=text)
    mail = received(Letter.from_json(letter.to_json()))
    assert mail["subject"] == "【Denwa】ご利用停止の予告"
    assert text_of(mail).replace("\r\n", "\n") == text
    assert not list(mail.iter_attachments())
