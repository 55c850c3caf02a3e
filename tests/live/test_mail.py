"""Mails of a running service over a real mail server, read back by two independent parsers; warnings; retries."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from denwa.voicemail.letters import Kind, Letter, Listed, Sender
from denwa.voicemail.mail.templates import shipped_templates
from denwa.voicemail.mail.writing import compose
from tests.live.wire import ALICE, BOB, CAROL, account
from tests.peers import sipp, wav
from tests.peers.mime import Parsed, PerlReader, read_with_python
from tests.peers.service import Service
from tests.peers.smtp import MailServer
from tests.peers.talk import eventually

pytestmark = [pytest.mark.live, pytest.mark.timeout(400)]

NAME = "050電話サービス Denwa"


@pytest.fixture(scope="module")
def mail_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailServer]:
    with MailServer(tmp_path_factory.mktemp("mail")) as server:
        yield server


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, mail_server: MailServer) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    greeting = wav.write_voice(folder / "greeting.wav", 0.6, seed=60)
    settings_of_service = {
        "voicemail__greeting": str(greeting),
        "voicemail__max_messages": "3",
        "voicemail__warn_left": "1",
        "mail__smtp_url": mail_server.url,
        "mail__ca_file": str(mail_server.ca_file),
        "mail__service_name": NAME,
    }
    with Service(folder / "service", settings_of_service) as running:
        running.set(BOB, mail_notice="attach")
        yield running


@pytest.fixture(scope="module")
def perl() -> Iterator[PerlReader]:
    with PerlReader() as reader:
        yield reader


def leave_messages(service: Service, folder: Path, number: str, count: int) -> None:
    """Calls at the same time, of people who speak for some seconds."""
    login = {"user": account(ALICE), "password": f"demo-{account(ALICE)}"}
    voice = wav.write_voice(folder / "voice.wav", 5, seed=61)
    sipp.run(folder, "caller", service=service.address, number=number, play=voice, hold=4500, calls=count, **login)


def read(wire: bytes, perl: PerlReader) -> Parsed:
    """What both parsers agree on."""
    first, second = read_with_python(wire), perl.read(wire)
    assert [part.content for part in first.parts if part.type != "text/plain"] == [
        part.content for part in second.parts if part.type != "text/plain"
    ]
    assert [(part.type, part.charset, part.name, part.filename) for part in first.parts] == [
        (part.type, part.charset, part.name, part.filename) for part in second.parts
    ]
    assert [part.text for part in first.parts if part.charset] == [part.text for part in second.parts if part.charset]
    assert first.headers == second.headers
    return second


def test_two_parsers_find_the_same_headers_text_and_sound_and_the_owner_is_warned_once(
    service: Service, mail_server: MailServer, perl: PerlReader, tmp_path: Path
) -> None:
    # M1 M3 M4
    leave_messages(service, tmp_path, BOB, 3)
    mail_server.mail(4, timeout=90)
    mails = [read(mail_server.wire(number), perl) for number in range(1, 5)]
    by_subject: dict[str, list[Parsed]] = {}
    for mail in mails:
        by_subject.setdefault(mail.headers["subject"], []).append(mail)
    notices = by_subject.pop(f"【{NAME}】メッセージお預かり通知")
    [warning] = by_subject.pop(f"【{NAME}】留守番電話の残り件数のお知らせ")
    assert by_subject == {}
    assert "2/3件" in warning.parts[0].text

    sounds = set()
    for notice in notices:
        text, sound = notice.parts
        assert notice.headers["from"] == f"{NAME} <mail-noreply@denwa.example>"
        assert notice.headers["auto-submitted"] == "auto-generated"
        assert notice.headers["date"].endswith("+0900")
        assert abs((parsedate_to_datetime(notice.headers["date"]) - datetime.now(UTC)).total_seconds()) < 600
        assert (text.type, text.charset) == ("text/plain", "utf-8")
        assert ALICE in text.text
        assert f"SIPアカウント：{account(BOB)}" in text.text
        assert sound.type == "audio/x-wav"
        assert sound.filename is not None
        assert sound.filename.startswith("録音_")
        assert sound.name is not None
        assert sound.name.isascii()
        sounds.add(sound.content)
    stored = []
    for message in service.voicemail(BOB):
        saved = tmp_path / f"{message['id']}.wav"
        service.cli("voicemail", "get", BOB, str(message["id"]), "--out", str(saved))
        stored.append(saved.read_bytes())
    assert len(stored) == 3
    assert sounds == set(stored)  # byte for byte


def test_mail_waits_while_the_server_refuses_it_and_goes_out_once(
    service: Service, mail_server: MailServer, perl: PerlReader, tmp_path: Path
) -> None:
    # M4: a message is never deleted because a mail could not be sent
    service.set(CAROL, mail_notice="attach", delete_after_mail="on", language="en")
    before = mail_server.count
    mail_server.refuse = "451 4.3.0 try later"
    leave_messages(service, tmp_path, CAROL, 1)
    mail_server.refused(timeout=90)
    [message] = service.voicemail(CAROL)

    assert "waiting" in service.cli("voicemail", "show", CAROL, str(message["id"]))
    eventually(lambda: "451 4.3.0 try later" in service.cli("mail", "list", "--state", "waiting"), timeout=60)
    mail_server.refuse = ""
    mail_server.mail(before + 1, timeout=120)
    eventually(lambda: service.voicemail(CAROL) == [], timeout=60)  # V4
    mail = read(mail_server.wire(before + 1), perl)
    assert mail.headers["subject"] == f"【{NAME}】New voice message"
    assert "You have had a call from" in mail.parts[0].text
    assert mail_server.count == before + 1


NOW = datetime(2026, 11, 22, tzinfo=UTC)
TEMPLATES = shipped_templates()
WORDS = st.text(st.sampled_from('電話ー株式会社ｱｲｳサービスDenwa 050()・,";<>@=?_😀'), min_size=1, max_size=60).map(
    lambda text: " ".join(text.split())
)


@settings(deadline=None)
@example('"', Kind.TEST, "ja", b"")
@given(WORDS.filter(bool), st.sampled_from(Kind), st.sampled_from(["ja", "en"]), st.binary(max_size=300))
def test_any_service_name_and_sound_pass_both_parsers(
    perl: PerlReader, name: str, kind: Kind, language: str, sound: bytes
) -> None:
    # M4: RFC 2047, RFC 2231
    listed = (Listed("+819012345678", "", 1_795_294_584_123, 60_000, 1_795_899_384_123),)
    of_notice = {"subject": name, "text": name, "listed": listed, "language": language}
    letter = Letter(kind, "+815050010001", "50010001", "", "payphone", 0, **of_notice)  # type: ignore[arg-type]
    sender = Sender("mail-noreply@denwa.example", name)
    mail = compose(letter, TEMPLATES, sender, "taro@example.jp", "<x@denwa.example>", NOW, sound)
    wire = mail.as_bytes()
    assert all(line.isascii() and len(line) <= 998 for line in wire.split(b"\r\n"))
    assert b"\n" not in wire.replace(b"\r\n", b"")
    parsed = read(wire, perl)
    assert parsed.headers["subject"].startswith(f"【{name}】")
    assert parsed.headers["from"] == f"{name} <mail-noreply@denwa.example>"
    assert parsed.parts[1].content == sound
