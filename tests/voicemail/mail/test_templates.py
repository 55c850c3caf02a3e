"""Mails as template files: what an operator can change, and how a fault is told."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from denwa.voicemail.letters import Kind, LetterFault, Sender
from denwa.voicemail.mail import templates
from denwa.voicemail.mail.templates import SHIPPED, Templates, read_templates, shipped_templates
from denwa.voicemail.mail.words import EVERYWHERE, PLACEHOLDERS, SAMPLE
from denwa.voicemail.mail.writing import compose

SENDER = Sender("mail-noreply@denwa.example", "Denwa")
NOW = datetime(2026, 11, 22, tzinfo=UTC)
OPERATING = Path(__file__).parents[3] / "docs" / "operating.md"


def own(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def mail(kind: str, language: str = "ja", of: Templates | None = None, **values: str) -> tuple[str, str]:
    """(subject, text)."""
    letter = replace(SAMPLE, kind=kind, language=language, attach=False, values=values)
    written = compose(letter, of or shipped_templates(), SENDER, "taro@example.jp", "<x@denwa.example>", NOW)
    return str(written["subject"]), written.get_content().replace("\r\n", "\n")


def test_shipped_templates_have_no_fault_and_there_is_one_for_every_kind() -> None:
    found, faults = read_templates(None)
    assert faults == []
    for kind in Kind:
        assert mail(kind, of=found)[0].startswith("【Denwa】")


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.SERVICE_NOTICE])
def test_mail_is_japanese_with_english_below_or_english_alone(kind: Kind) -> None:
    subject, text = mail(kind)
    japanese, english = text.split("----\n")
    assert not subject.isascii()
    assert not japanese.isascii()
    assert english.isascii()
    assert mail(kind, "en")[1] == english
    assert mail(kind, "en")[0].removeprefix("【Denwa】").isascii()


def test_notice_that_comes_with_its_text_goes_out_in_that_whatever_the_language() -> None:
    # K9
    assert mail(Kind.SERVICE_NOTICE, "en") == mail(Kind.SERVICE_NOTICE) == ("【Denwa】件名", "本文\n")


def test_every_placeholder_is_documented() -> None:
    documented = OPERATING.read_text(encoding="utf-8")
    for kind, names in PLACEHOLDERS.items():
        [row] = [line for line in documented.splitlines() if line.startswith(f"| `{kind}` |")]
        assert all(f"`{name}`" in row for name in names), kind
    [common] = [line for line in documented.splitlines() if line.startswith("| all |")]
    assert all(f"`{name}`" in common for name in EVERYWHERE)


def test_file_of_the_operator_replaces_the_shipped_one_and_no_other(tmp_path: Path) -> None:
    own(tmp_path, "ja/call-notice.txt", "Subject: {{ caller }}より\n\nお電話がありました。\n")
    own(tmp_path, "en/call-notice.txt", "Subject: -\n\n")  # no English half
    found, faults = read_templates(tmp_path)
    assert faults == []
    assert mail(Kind.CALL_NOTICE, of=found) == ("09012345678より", "お電話がありました。\n")
    assert mail(Kind.MESSAGE_NOTICE, of=found) == mail(Kind.MESSAGE_NOTICE)


def test_what_a_caller_or_an_operator_is_called_is_never_taken_for_a_template() -> None:
    letter = replace(SAMPLE, kind=Kind.CALL_NOTICE, caller="{{ account }}{% for x in y %}")
    written = compose(letter, shipped_templates(), SENDER, "taro@example.jp", "<x@denwa.example>", NOW)
    assert "{{ account }}{% for x in y %}" in written.get_content()


def test_kind_of_mail_is_added_by_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # M5
    shipped = tmp_path / "shipped"
    shutil.copytree(SHIPPED, shipped)
    own(shipped, "ja/password-reset.txt", "Subject: 【{{ service }}】パスワード再設定\n\n{{ url }}\n{{ minutes }}分\n")
    monkeypatch.setattr(templates, "SHIPPED", shipped)
    found, faults = read_templates(None)
    assert faults == []
    subject, text = mail("password-reset", of=found, url="https://denwa.example/r/1", minutes="30")
    assert (subject, text) == ("【Denwa】パスワード再設定", "https://denwa.example/r/1\n30分\n")
    with pytest.raises(LetterFault, match=r"password-reset\.txt:3: 'url' is undefined"):
        mail("password-reset", of=found)
    changed = own(tmp_path / "own", "ja/password-reset.txt", "Subject: x\n\n{{ link }}\n")
    known = "account, minutes, number, service, url"
    assert read_templates(tmp_path / "own")[1] == [
        f"{changed}:3: there is no {{{{ link }}}} in this mail; there are {known}"
    ]


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("ja/call-notice.txt", "着信\n", ":1: the first line must be Subject: …"),
        ("ja/call-notice.txt", "Subject: \n\nx\n", ":1: the first line must be Subject: …"),
        ("ja/call-notice.txt", "Subject: x\ny\n", ":2: an empty line must follow the subject"),
        ("ja/call-notice.txt", "Subject: x\n\na\n{{ caller }\n", ":4: unexpected '}'"),
        ("ja/call-notice.txt", "Subject: x\n\n{% if caller %}\na\n", ":4: Unexpected end of template"),
        (
            "ja/call-notice.txt",
            "Subject: x\n\na\n{{ called }}\n",
            ":4: there is no {{ called }} in this mail; there are",
        ),
        ("ja/call-notice.txt", "Subject: {{ text }}\n\na\n", ":1: there is no {{ text }} in this mail; there are"),
        ("ja/call-notice.txt", "Subject: x\n\n{% include 'y' %}\n", ":3: "),
        ("ja/messages-expiring.txt", "Subject: x\n\n\n{{ messages[7].caller }}\n", ":4: "),
        ("ja/message-notice.txt", "Subject: x\n\n{{ stored / 0 }}\n", ":3: division by zero"),
        ("ja/call-notice.txt", "Subject: {{ '' }}\n\nx\n", ":1: the subject comes out empty"),
        ("ja/call_notice.txt", "Subject: x\n\nx\n", ":1: there is no mail call_notice; there are call-notice, "),
        ("fr/call-notice.txt", "Subject: x\n\nx\n", ": not a template: those are ja/NAME.txt and en/NAME.txt"),
        ("ja/call-notice.html", "Subject: x\n\nx\n", ": not a template: those are ja/NAME.txt and en/NAME.txt"),
    ],
)
def test_fault_is_told_with_file_and_line(tmp_path: Path, name: str, text: str, fault: str) -> None:
    path = own(tmp_path, name, text)
    [told] = read_templates(tmp_path)[1]
    assert told.startswith(f"{path}{fault}")


def test_file_that_is_not_utf_8_is_told_with_its_line(tmp_path: Path) -> None:
    path = own(tmp_path, "ja/call-notice.txt", "")
    path.write_bytes("Subject: x\n\na\n着信\n".encode("cp932"))
    assert read_templates(tmp_path)[1] == [f"{path}:4: not UTF-8"]


def test_all_faults_are_told_at_once_and_hidden_files_are_none(tmp_path: Path) -> None:
    own(tmp_path, "ja/call-notice.txt", "x\n")
    own(tmp_path, "en/call-notice.txt", "Subject: x\n\n{{ y }}\n")
    own(tmp_path, "ja/.call-notice.txt.swp", "x")
    assert len(read_templates(tmp_path)[1]) == 2


def test_folder_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    assert read_templates(tmp_path / "no")[1] == [f"{tmp_path / 'no'}: no such folder"]
