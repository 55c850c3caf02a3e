"""What every file of the repository keeps to and no linter checks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(file for folder in ("denwa", "tests", "bench") for file in (ROOT / folder).rglob("*.py"))
MODULE_LINES, FUNCTION_LINES = 500, 50
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))


def _long_functions(lines: list[str]) -> list[tuple[int, int]]:
    """(line, length) of each function that is too long, told by its indentation: parsing every module takes seconds."""
    found, open_ones = [], []
    last = 0  # the last line that is not blank
    for number, line in enumerate([*lines, "end"], start=1):
        code = line.lstrip()
        if not code or code.startswith((")", "]", "}", "#")):
            last = number if code and not code.startswith("#") else last
            continue
        indent = len(line) - len(code)
        while open_ones and open_ones[-1][1] >= indent:
            begun, _ = open_ones.pop()
            if last - begun + 1 > FUNCTION_LINES:
                found.append((begun, last - begun + 1))
        if code.startswith(("def ", "async def ")):
            open_ones.append((number, indent))
        last = number
    return found


def test_a_long_function_is_seen() -> None:
    lines = [
        "class A:",
        "    def long(",
        "        self",
        "    ) -> None:",
        *["        x = 1"] * 48,
        "",
        "    def short(self): ...",
    ]
    assert _long_functions(lines) == [(2, 51)]


def test_modules_and_functions_can_be_read_at_one_sitting() -> None:
    """At most 500 lines a module and 50 a function; migrations, which are lists of columns, are as long as they are."""
    found = []
    for file in SOURCES:
        lines, name = file.read_text(encoding="utf-8").splitlines(), file.relative_to(ROOT).as_posix()
        if len(lines) > MODULE_LINES:
            found.append(f"{name}: {len(lines)} lines")
        if "/migrations/" not in name:
            found += [f"{name}:{at}: function of {length} lines" for at, length in _long_functions(lines)]
    assert found == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_lock_files_name_versions_and_hashes_and_no_host(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    assert not re.search(r"://|--(?:index|extra-index|find-links|trusted-host)", text)
    packages = re.split(r"\n(?=\S)", re.sub(r"(?m)^#.*\n", "", text).strip())
    assert packages
    for package in packages:
        assert re.match(r"[\w.\[\],-]+==[\w.+!-]+[ ;]", package), package
        assert "--hash=sha256:" in package, package


def test_every_package_asked_for_is_locked() -> None:
    def names(text: str) -> set[str]:
        return {name.lower() for name in re.findall(r"(?m)^([A-Za-z0-9][\w.-]*)", text)}

    for lock in LOCKS:
        asked = lock.with_suffix(".in").read_text(encoding="utf-8")
        assert names(asked) <= names(lock.read_text(encoding="utf-8")), lock.name
