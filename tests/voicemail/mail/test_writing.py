"""Mails on the wire: the same bytes at every attempt, and what mail programs need in the head."""

from __future__ import annotations

import email
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import default

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from denwa.voicemail.letters import Kind, Letter, LetterFault, Listed, Sender
from denwa.voicemail.mail.templates import shipped_templates
from denwa.voicemail.mail.words import SAMPLE, placeholders
from denwa.voicemail.mail.writing import compose, on_the_wire

TEMPLATES = shipped_templates()
SENDER = Sender("mail-noreply@denwa.example", "Denwa")
NOW = datetime(2026, 11, 22, tzinfo=UTC)
MESSAGE = replace(SAMPLE, kind=Kind.MESSAGE_NOTICE)


def written(
    letter: Letter = MESSAGE, recipient: str = "taro@example.jp", sound: bytes | None = b"RIFF"
) -> EmailMessage:
    wire = compose(letter, TEMPLATES, SENDER, recipient, "<x@denwa.example>", NOW, sound).as_bytes()
    parsed = email.message_from_bytes(wire, policy=default)
    assert isinstance(parsed, EmailMessage)
    return parsed


def test_a_second_attempt_sends_the_same_bytes() -> None:
    # M4: two copies can be told for one mail
    mails = [
        compose(MESSAGE, TEMPLATES, SENDER, "taro@example.jp", "<x@denwa.example>", NOW, b"RIFF").as_bytes()
        for _ in range(2)
    ]
    assert mails[0] == mails[1]


def test_sound_has_a_name_for_new_and_for_old_mail_programs() -> None:
    # RFC 2231
    wire = compose(MESSAGE, TEMPLATES, SENDER, "taro@example.jp", "<x@denwa.example>", NOW, b"RIFF").as_bytes()
    assert b"filename*=utf-8''%E9%8C%B2%E9%9F%B3_20261122_055624.wav\r\n" in wire  # on one line
    assert b'Content-Type: audio/x-wav; name="message_20261122_055624.wav"' in wire
    [sound] = written(replace(MESSAGE, language="en")).iter_attachments()
    assert sound.get_filename() == "message_20261122_055624.wav"


def test_languages_of_the_text_are_named() -> None:
    assert written(sound=None)["content-language"] == "ja, en"
    assert written(replace(MESSAGE, language="en"), sound=None)["content-language"] == "en"
    assert written(replace(MESSAGE, language="fr"), sound=None)["content-language"] == "ja, en"


def test_domain_in_japanese_goes_out_in_ascii_and_a_name_in_japanese_not_at_all() -> None:
    assert on_the_wire("taro@例え.jp") == "taro@xn--r8jz45g.jp"
    assert written(recipient="taro@例え.jp")["to"] == "taro@xn--r8jz45g.jp"
    with pytest.raises(LetterFault):
        written(recipient="太郎@example.jp")


def test_line_breaks_in_a_subject_add_nothing_to_the_head() -> None:
    letter = replace(SAMPLE, kind=Kind.SERVICE_NOTICE, subject="a\r\nBcc: z@example.jp", attach=False)
    mail = written(letter, sound=None)
    assert mail["bcc"] is None
    assert mail["subject"] == "【Denwa】a Bcc: z@example.jp"


def test_kind_without_a_template_is_a_fault() -> None:
    with pytest.raises(LetterFault, match="no template nonsense"):
        written(replace(MESSAGE, kind="nonsense"))


def test_deadline_is_never_said_later_than_it_is() -> None:
    """V4: to the second; a mail says the full minute before."""
    at = datetime(2026, 11, 29, 0, 5, 59, tzinfo=UTC)
    listed = Listed("", "payphone", 0, 0, int(at.timestamp() * 1000) + 999)
    letter = replace(SAMPLE, listed=(listed,))
    [of_japanese] = placeholders(letter, "ja", "Denwa", attached=False)["messages"]
    [of_english] = placeholders(letter, "en", "Denwa", attached=False)["messages"]
    assert of_japanese["deleted_at"] == "2026年11月29日 09:05"
    assert of_english["deleted_at"] == "2026-11-29 09:05 (JST)"
    assert (of_japanese["caller"], of_english["caller"]) == ("公衆電話", "Public telephone")


_LISTED = st.builds(Listed, st.text(max_size=9), st.text(max_size=9), *[st.integers(0, 2**41)] * 3)


@settings(deadline=None)
@given(st.lists(_LISTED, max_size=4).map(tuple), st.dictionaries(st.text(max_size=5), st.text(max_size=9), max_size=3))
def test_letter_survives_the_outbox_with_its_list_and_values(
    listed: tuple[Listed, ...], values: dict[str, str]
) -> None:
    letter = replace(SAMPLE, listed=listed, values=values, language="en")
    assert Letter.from_json(letter.to_json()) == letter


def test_letter_of_an_earlier_release_is_still_read() -> None:
    old = (
        '{"kind": "call-notice", "mailbox": "+815050010001", "account": "50010001", "caller": "", '
        '"hidden_reason": "payphone", "called_at_ms": 0, "duration_ms": 0, "stored": 0, "most": 0, "attach": false, '
        '"keep_days": 0, "subject": "", "text": ""}'
    )
    assert "公衆電話" in written(Letter.from_json(old), sound=None).get_content()


@settings(deadline=None)  # a busy machine is no fault
@given(st.lists(_LISTED, min_size=1, max_size=10).map(tuple), st.sampled_from(["ja", "en"]))
def test_any_list_of_messages_makes_a_mail_that_names_each(listed: tuple[Listed, ...], language: str) -> None:
    letter = replace(SAMPLE, kind=Kind.MESSAGES_EXPIRING, listed=listed, language=language, attach=False)
    text = written(letter, sound=None).get_content()
    for one in placeholders(letter, language, "Denwa", attached=False)["messages"]:
        assert one["called_at"] in text
        assert one["deleted_at"] in text
