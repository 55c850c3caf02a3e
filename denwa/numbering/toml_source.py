"""A TOML file that remembers its lines, so that a fault in a data file can be shown where it is (T8)."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

_TABLE = re.compile(r"\s*(\[{1,2})\s*([A-Za-z0-9_.\-]+)\s*\]{1,2}")
_KEY = re.compile(r"\s*\"?([A-Za-z0-9_\-]+)\"?\s*=")
_SYNTAX = re.compile(r"(.*) \(at line (\d+), column \d+\)$", re.DOTALL)

Location = tuple[str | int, ...]


class Fault(NamedTuple):
    """One fault in a data file; ``line`` counts from 1."""

    file: Path
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}"


class SourceFault(Exception):
    """The file cannot be read as TOML; ``fault`` says where and why."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


class TomlSource:
    """The values of a file (``data``) and the line of each (``line_of``)."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        try:
            self.data: dict[str, Any] = tomllib.loads(text)
        except tomllib.TOMLDecodeError as fault:
            found = _SYNTAX.match(str(fault))
            reason, line = (found[1], int(found[2])) if found else (str(fault), text.count("\n") + 1)
            raise SourceFault(Fault(path, line, reason)) from None
        self._lines = text.splitlines()
        self._places = _places(self._lines)

    @classmethod
    def read(cls, path: Path) -> TomlSource:
        """Raises SourceFault for a file that is missing, not UTF-8 or not TOML."""
        try:
            return cls(path, path.read_text(encoding="utf-8"))
        except OSError as fault:
            raise SourceFault(Fault(path, 1, fault.strerror or "cannot be read")) from None
        except UnicodeDecodeError:
            raise SourceFault(Fault(path, 1, "the file is not UTF-8")) from None

    def fault(self, location: Location, reason: str) -> Fault:
        """A fault at the value that ``location`` (keys and indexes from the top) leads to."""
        return Fault(self.path, self.line_of(location), reason)

    def line_of(self, location: Location) -> int:
        """The line of a value, or of the nearest table around it that the file spells out."""
        for end in range(len(location), 0, -1):
            line = self._places.get(location[:end])
            if line is not None:
                return self._line_of_element(line, location, end)
        return 1

    def _line_of_element(self, line: int, location: Location, end: int) -> int:
        """Where an element of a long array stands, below the line of its key."""
        if end == len(location) or not isinstance(location[end], int):
            return line
        value: Any = self.data
        try:
            for step in location[: end + 1]:
                value = value[step]
        except (KeyError, IndexError, TypeError):
            return line
        written = f'"{value}"' if isinstance(value, str) else str(value)
        for number in range(line, len(self._lines) + 1):
            text = self._lines[number - 1]
            if number > line and (_TABLE.match(text) or _KEY.match(text)):
                break
            if written in text:
                return number
        return line


def _places(lines: list[str]) -> dict[Location, int]:
    places: dict[Location, int] = {}
    counts: dict[str, int] = {}
    table: Location = ()
    for number, text in enumerate(lines, start=1):
        header = _TABLE.fullmatch(text.split("#", 1)[0].rstrip())
        if header:
            name = header[2]
            table = tuple(name.split("."))
            if header[1] == "[[":
                table += (counts.get(name, 0),)
                counts[name] = counts.get(name, 0) + 1
            places.setdefault(table, number)
        elif key := _KEY.match(text):
            places.setdefault((*table, key[1]), number)
    return places
