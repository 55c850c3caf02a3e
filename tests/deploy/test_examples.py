"""Every `denwa …` that the documents show is understood by the program: subcommands, options, kinds of values."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from denwa.cli.main import denwa

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / name for name in ("README.md", "docs/operating.md", "docs/performance.md")]
# What an example leaves open, as somebody may fill it in; longer names first.
PLACEHOLDERS = {
    "COMMAND": "calls",
    "YYYY-MM": "2026-10",
    "CALL-ID": "a84b4c76e66710@phone",
    "SUBSCRIBER": "05050010001",
    "REFERENCE": "case-7",
    "NUMBER": "05050010001",
    "TARGET": "0312345678",
    "TOKEN": "tok_1234",
    "TEXT": "reason",
    "FILE": "file",
    "NAME": "h555",
    "DIR": "folder",
    "DAY": "2026-11-21",
    "ID": "7",
    "N": "1",
    "C": "fixed",
}


def _examples(text: str) -> Iterator[str]:
    """Lines of code blocks, and code within a line; with their optional parts and without, and each of alternatives."""
    text = text.replace("docker compose exec denwa ", "").replace(".venv/bin/", "")
    blocks = re.findall(r"(?m)^(?: {4,}|# {2,})(denwa .*)$", text)
    for line in blocks + re.findall(r"`(denwa [^`]+)`", text):
        for command in re.findall(r"denwa [^;]+", re.sub(r"\s#.*", "", line)):
            if "…" in command or "..." in command:
                continue
            shapes = {re.sub(r"\[[^\]]*\]", "", command), command.replace("[", "").replace("]", "")}
            for shape in shapes:
                alternatives = [word.split("|") for word in shape.split(" ")]
                yield from (" ".join(chosen).strip() for chosen in itertools.product(*alternatives))


def _words(example: str) -> list[str]:
    for name, value in PLACEHOLDERS.items():
        example = re.sub(rf"(?<![\w-]){re.escape(name)}(?![\w-])", value, example)
    return shlex.split(example)[1:]


def _understood(words: list[str]) -> None:
    """Raises click.UsageError; runs nothing. A command that is only named may lack its arguments."""
    command: click.Command = denwa
    context: click.Context | None = None
    name: str | None = "denwa"
    while words:
        try:
            context = command.make_context(name, list(words), parent=context)
        except click.exceptions.Exit:  # --help
            return
        if not isinstance(command, click.Group):
            return
        words = [*context._protected_args, *context.args]
        if words:
            name, found, words = command.resolve_command(context, words)
            assert found is not None
            command = found


EXAMPLES = sorted({(page.name, example) for page in PAGES for example in _examples(page.read_text(encoding="utf-8"))})


def test_there_are_examples_of_every_page_that_has_some() -> None:
    assert len(EXAMPLES) > 90
    assert {page for page, _ in EXAMPLES} == {page.name for page in PAGES}


@pytest.mark.parametrize(("page", "example"), EXAMPLES, ids=lambda value: value)
def test_an_example_is_understood(page: str, example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = _words(example)
    monkeypatch.chdir(tmp_path)
    for word in words:
        if re.fullmatch(r"[\w.-]+\.(csv|json|toml|txt|wav)|file", word):
            (tmp_path / word).touch()
    _understood(words)


@pytest.mark.parametrize(
    "example", ["denwa bill --json", "denwa bill 05050010001 2026-13", "denwa dail 117", "denwa calls --no"]
)
def test_what_the_program_does_not_understand_would_be_seen(example: str) -> None:
    with pytest.raises(click.UsageError):
        _understood(_words(example))
