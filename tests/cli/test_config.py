"""`denwa config check`: every fault with its file and line."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from denwa.config.settings import Settings
from tests.cli.terminal import Ended, Terminal, open_terminal


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return open_terminal(tmp_path, monkeypatch, capsys)


def check(terminal: Terminal, tmp_path: Path, text: str) -> tuple[Ended, Path]:
    file = tmp_path / "denwa.toml"
    file.write_text(text, encoding="utf-8")
    return terminal("config", "check", str(file)), file


def test_what_is_shipped_is_sound(terminal: Terminal) -> None:
    assert "sound" in terminal.done("config", "check").out


def test_a_good_file_is_sound(terminal: Terminal, tmp_path: Path) -> None:
    ended, file = check(terminal, tmp_path, "[sip]\nring_time = 30\n")
    assert (ended.code, ended.err) == (0, "")
    assert str(file) in ended.out


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("[sip]\nbind = '127.0.0.1'\nring_time = 99\n", 3, "sip.ring_time"),
        ("# first\n\n[sip]\nsession_expires = 89\n", 4, "sip.session_expires"),
        ("[sip]\nrign_time = 20\n", 2, "sip.rign_time"),
        ("[sipp]\nport = 5060\n", 1, "sipp"),
        ("[voicemail]\nworkers = 'many'\n", 2, "voicemail.workers"),
        ('[[gateways]]\nname = "a"\nhost = "h"\n\n[[gateways]]\nname = "b"\nhost = "h"\nport = 0\n', 8, "port"),
        ("[sip\n", 1, "Expected"),
        ('[voicemail]\ngreeting = "/no/such.wav"\n', 2, "/no/such.wav"),
        ('[sip]\nport = 5060\nbind = "0.0.0.0"\n', 3, "set host"),
        ('[sip]\n[[sip.listen]]\nport = 5070\nbind = "::"\n', 4, "set host"),
        ('[sip]\nhost = "0.0.0.0"\n', 2, "no address"),
        ("[sip]\ntls_port = 5061\n", 2, "sip.tls_certificate"),
        ('[sip]\ntls_key = "/no/such.pem"\n', 2, "go together"),
        ('[[gateways]]\nname = "a"\nhost = "h"\ntransport = "tls"\n', 4, "sip.tls_certificate"),
    ],
)
def test_a_fault_is_told_with_file_and_line(
    terminal: Terminal, tmp_path: Path, text: str, line: int, says: str
) -> None:
    ended, file = check(terminal, tmp_path, text)
    assert ended.code == 2
    assert f"{file}:{line}: " in ended.err
    assert says in ended.err
    assert "Traceback" not in ended.err


def test_all_faults_are_told_at_once(terminal: Terminal, tmp_path: Path) -> None:
    ended, file = check(terminal, tmp_path, "[sip]\nport = 0\nring_time = 99\n[colour]\nblue = 1\n")
    assert ended.code == 2
    for line in (2, 3, 4):
        assert f"{file}:{line}: " in ended.err


def test_a_file_that_is_not_there_is_told(terminal: Terminal, tmp_path: Path) -> None:
    ended = terminal("config", "check", str(tmp_path / "none.toml"))
    assert ended.code == 2
    assert "none.toml" in ended.err


def test_a_fault_of_the_environment_is_told(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DENWA_SIP__RING_TIME", "99")
    ended = terminal("config", "check")
    assert ended.code == 2
    assert "sip.ring_time" in ended.err


def test_a_fault_in_the_number_plan_is_told_with_its_file_and_line(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # T8
    operator = tmp_path / "operator.toml"
    operator.write_text('kind = "operator"\n\n[[own]]\nprefix = "03"\n')
    monkeypatch.setenv("DENWA_NUMBERING__OPERATOR_FILE", str(operator))
    ended = terminal("config", "check")
    assert ended.code == 2
    assert f"{operator}:4: " in ended.err


def test_a_fault_in_a_tariff_is_told_with_its_file_and_line(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # T8
    tariffs = tmp_path / "tariffs"
    shutil.copytree(Settings().rating.tariff_directory, tariffs)
    (file,) = (tariffs / "default").glob("*.toml")
    lines = file.read_text().splitlines()
    at = next(n for n, line in enumerate(lines) if "yen_per_unit" in line)
    lines[at] = "yen_per_unit = 8.5"
    file.write_text("\n".join(lines))
    monkeypatch.setenv("DENWA_RATING__TARIFF_DIRECTORY", str(tariffs))
    ended = terminal("config", "check")
    assert ended.code == 2
    assert f"{file}:{at + 1}: " in ended.err


def test_a_tariff_that_does_not_exist_is_told(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DENWA_RATING__TARIFF", "gold")
    ended = terminal("config", "check")
    assert ended.code == 2
    assert "gold" in ended.err
