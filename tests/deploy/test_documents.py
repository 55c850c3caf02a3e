"""What the documents promise exists: settings with their defaults, commands, links, environment variables."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from denwa.cli.main import COMMANDS
from denwa.config.settings import DATA, Settings
from tests.deploy.test_compose import _is_setting

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


def _settings() -> dict[str, object]:
    """Every scalar setting by its full name, with its default."""
    found: dict[str, object] = {"data_dir": Settings.model_fields["data_dir"].default}
    for section, field in Settings.model_fields.items():
        if isinstance(field.default, BaseModel):
            for key, inner in type(field.default).model_fields.items():
                found[f"{section}.{inner.alias or key}"] = inner.default
    return found


def _documented() -> dict[str, str]:
    """Setting -> default, from the table of docs/operating.md; one row may name several."""
    found = {}
    for line in (ROOT / "docs/operating.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        names = re.findall(r"`([a-z_.0-9]+)`", cells[0])
        if line.startswith("| `") and len(cells) == 3 and all(name in _settings() for name in names):
            defaults = re.findall(r"`([^`]*)`", cells[1]) if len(names) > 1 else [cells[1]]
            found |= dict(zip(names, defaults, strict=True))
    return found


def _text(default: object) -> str | None:
    """How a default is written; None when it is nothing, or a shipped file, and is written in words."""
    if default in ("", None, []) or (isinstance(default, Path) and default.is_relative_to(DATA)):
        return None
    if isinstance(default, bool):
        return str(default).lower()  # as TOML writes it
    return ", ".join(str(one) for one in default) if isinstance(default, list) else str(default)


def test_every_setting_is_documented_with_its_default() -> None:
    documented = {name: text.replace("`", "") for name, text in _documented().items()}
    assert set(documented) == set(_settings())
    for name, default in _settings().items():
        expected = _text(default)
        assert documented[name].startswith("(") if expected is None else documented[name] == expected, name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_variables_are_real(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    commands = set(re.findall(r"(?:^|`|denwa )denwa ([a-z]+)", text, re.MULTILINE)) | set(
        re.findall(r"^ +denwa ([a-z]+)", text, re.MULTILINE)
    )
    assert commands <= set(COMMANDS)
    variables = set(re.findall(r"DENWA_[A-Z_]+", text)) - {"DENWA_SECTION__KEY"}
    assert {name for name in variables if not _is_setting(name)} == set()


def test_both_halves_of_the_readme_have_the_same_commands() -> None:
    english, japanese = (ROOT / "README.md").read_text(encoding="utf-8").split("\n---\n")
    for pattern in (r"^ +(denwa [^#\n]+?|make \w+)(?: +#.*)?$", r"`(DENWA_\w+|docs/\S+)`", r"\]\(([^)#]+)\)"):
        listed = [set(re.findall(pattern, half, re.MULTILINE)) for half in (english, japanese)]
        assert listed[0] == listed[1] != set()
