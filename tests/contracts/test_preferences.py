"""What a subscriber can set (P3, F1-F3, V1, B2, N6, C3)."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from denwa.contracts.faults import ContractFault, Reason
from denwa.contracts.preferences import KEYS, check_mail, check_name, difference, with_settings, written
from denwa.contracts.subscriber import (
    CodecPreference,
    Forward,
    ForwardMode,
    Language,
    MailNotice,
    SipCredentials,
    Subscriber,
)
from tests.contracts.desks import NOW, NUMBER, demo_plan

TODAY = date(2026, 11, 21)
PLAIN = Subscriber(
    number=NUMBER,
    account="50010001",
    name="山田",
    mail="yamada@example.jp",
    service_start=NOW,
    bill_day=1,
    credentials=SipCredentials("denwa.example", "", "", ""),
    created_at=NOW,
    changed_at=NOW,
)
FORWARDING = replace(PLAIN, voicemail=False, forward=Forward(ForwardMode.ALWAYS, "+81312345678"))


def changed(**values: str) -> Subscriber:
    return with_settings(PLAIN, values, demo_plan(), TODAY)


def reason_of(**values: str) -> Reason:
    with pytest.raises(ContractFault) as refused:
        changed(**values)
    return refused.value.reason


def test_a_new_subscriber_has_voicemail_on_and_international_off() -> None:
    assert PLAIN.voicemail  # V1
    assert PLAIN.ring_time == 20  # V1
    assert not PLAIN.international  # N6
    assert PLAIN.forward == Forward()


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("voicemail", "off", False),
        ("ring_time", "5", 5),
        ("ring_time", "60", 60),
        ("mail_notice", "notice", MailNotice.NOTICE),
        ("mail_notice", "attach", MailNotice.ATTACH),
        ("delete_after_mail", "on", True),
        ("language", "en", Language.ENGLISH),
        ("reject_anonymous", "on", True),
        ("international", "on", True),
        ("codecs", "mobile", CodecPreference.MOBILE),
        ("codecs", "wifi", CodecPreference.WIFI),
        ("forward", "off", Forward()),
    ],
)
def test_each_key_is_set_as_it_is_written(key: str, text: str, value: object) -> None:
    after = changed(**{key: text})
    assert getattr(after, key) == value
    assert written(after)[key] == text


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("voicemail", "yes"),
        ("voicemail", "ON"),
        ("ring_time", "4"),  # V1: 5 to 60
        ("ring_time", "61"),
        ("ring_time", ""),
        ("ring_time", "２０"),
        ("ring_time", "-5"),
        ("ring_time", "1e1"),
        ("mail_notice", "all"),
        ("codecs", "PCMU"),
        ("forward", ""),
        ("forward", "always"),
        ("forward", "always:"),
        ("forward", "off:0312345678"),
        ("forward", "sometimes:0312345678"),
    ],
)
def test_a_value_that_cannot_be_read_is_refused(key: str, text: str) -> None:
    assert reason_of(**{key: text}) is Reason.BAD_VALUE


def test_an_unknown_key_is_refused_and_the_known_ones_are_told() -> None:
    with pytest.raises(ContractFault, match=r"voicemail.*forward") as refused:
        changed(colour="blue")
    assert refused.value.reason is Reason.UNKNOWN_SETTING


def test_switching_forwarding_on_switches_voicemail_off() -> None:  # F2
    after = changed(forward="noanswer:090-1234-5678")
    assert after.forward == Forward(ForwardMode.NO_ANSWER, "+819012345678")
    assert not after.voicemail


def test_switching_voicemail_on_switches_forwarding_off() -> None:  # F2
    after = with_settings(FORWARDING, {"voicemail": "on"}, demo_plan(), TODAY)
    assert after.voicemail
    assert after.forward == Forward()


def test_both_at_once_is_a_contradiction() -> None:  # F2
    assert reason_of(forward="always:0312345678", voicemail="on") is Reason.CONTRADICTION


@given(
    st.lists(
        st.sampled_from(
            [("voicemail", "on"), ("voicemail", "off"), ("forward", "off"), ("forward", "always:0312345678")]
        ),
        max_size=8,
    )
)
def test_forwarding_and_voicemail_are_never_both_on(steps: list[tuple[str, str]]) -> None:  # F2
    now = PLAIN
    for key, text in steps:
        now = with_settings(now, {key: text}, demo_plan(), TODAY)
        assert not (now.voicemail and now.forward.mode is not ForwardMode.OFF)
        assert (now.voicemail if key == "voicemail" else now.forward.mode is not ForwardMode.OFF) == (
            text not in ("off",)
        )


@pytest.mark.parametrize(
    "target", ["0312345678", "03-1234-5678", "+81312345678", "０３１２３４５６７８", "tel:+81-3-1234-5678"]
)
def test_a_target_in_every_form_is_kept_as_e164(target: str) -> None:  # N3
    assert changed(forward=f"always:{target}").forward.target == "+81312345678"


@pytest.mark.parametrize(
    "target",
    [
        "010-1-212-555-1234",  # international
        "+12125551234",
        "110",  # barred
        "119",
        "0120123456",
        "0570012345",
        "#9110",
        "05050010001",  # the own number
        "+815050010001",
        "1840312345678",  # a prefix would be lost
        "0201234567",  # a block that the plan does not know
        "0312",
        "hello",
    ],
)
def test_a_target_that_must_not_be_forwarded_to_is_refused(target: str) -> None:  # F3
    assert reason_of(forward=f"always:{target}") is Reason.FORWARD_TARGET


def test_nothing_changes_when_one_of_several_values_is_wrong() -> None:
    with pytest.raises(ContractFault):
        changed(ring_time="30", codecs="none")
    assert PLAIN.ring_time == 20


def test_the_change_log_tells_what_changed_and_not_who_the_person_is() -> None:
    after = with_settings(PLAIN, {"ring_time": "30", "mail": "new@example.jp"}, demo_plan(), TODAY)
    assert difference(PLAIN, after) == "mail; ring_time 20 -> 30"
    assert difference(PLAIN, PLAIN) == ""


def test_written_settings_read_back_to_the_same() -> None:
    values = written(FORWARDING)
    assert set(values) == set(KEYS)
    del values["voicemail"]  # off, as the forwarding wants it
    assert with_settings(replace(PLAIN, name=""), values, demo_plan(), TODAY) == FORWARDING


@pytest.mark.parametrize("mail", ["", "a@example.jp", "a.b+c@sub.example.jp", "あ@例え.jp"])
def test_mail_addresses_are_taken(mail: str) -> None:
    assert check_mail(mail) == mail


@pytest.mark.parametrize(
    "mail", ["a", "@example.jp", "a@", "a b@c.jp", "a@b\nBcc: x@y.jp", "a@b.jp,c@d.jp", "<a@b.jp>"]
)
def test_what_would_break_the_head_of_a_mail_is_refused(mail: str) -> None:
    with pytest.raises(ContractFault):
        check_mail(mail)


@given(st.text(max_size=250))
def test_a_name_never_holds_a_control_character(text: str) -> None:
    try:
        assert check_name(text).isprintable()
    except ContractFault:
        assert len(text) > 200 or not text.isprintable()
