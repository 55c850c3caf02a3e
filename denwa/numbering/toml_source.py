"""Data files in TOML, checked against a schema, every fault told with file, line and path in the file (T8)."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic import AfterValidator, BaseModel, ValidationError

from denwa.numbering.toml_lines import Location, line_numbers

_SYNTAX = re.compile(r"(?P<reason>.*) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)", re.DOTALL)
_Schema = TypeVar("_Schema", bound=BaseModel)


class Fault(NamedTuple):
    """One fault in a data file; ``line`` counts from 1, and is 1 when the fault is of the file as a whole."""

    file: Path
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}"


def in_order(faults: Iterable[Fault]) -> list[Fault]:
    """By file and line, as a person goes through them; each once."""
    return sorted(dict.fromkeys(faults), key=lambda fault: (str(fault.file), fault.line))


class DataFault(Exception):
    """Data files cannot be used. ``faults`` has all that is wrong, by file and line; ``str()`` is one line for each."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(in_order(faults))
        super().__init__("\n".join(map(str, self.faults)))


def spelled(pattern: str, meaning: str) -> AfterValidator:
    """For a schema: text of a form, with a fault that says in words what it should be."""
    form = re.compile(pattern, re.ASCII)

    def check(text: str) -> str:
        if not form.fullmatch(text):
            raise ValueError(f"{text!r} is not {meaning}")
        return text

    return AfterValidator(check)


class SourceFault(Exception):
    """The file cannot be read as TOML; ``fault`` says where and why."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


class TomlSource:
    """The values of a file (``data``) and the line of each (``line_of``)."""

    def __init__(self, path: Path, text: str) -> None:
        """Raises SourceFault for what is not TOML."""
        self.path = path
        self._text = text
        try:
            self.data: dict[str, Any] = tomllib.loads(text)
        except tomllib.TOMLDecodeError as fault:
            raise SourceFault(_syntax_fault(path, text, str(fault))) from None

    @classmethod
    def read(cls, path: Path) -> TomlSource:
        """Raises SourceFault for a file that is missing, not UTF-8 or not TOML."""
        try:
            return cls(path, path.read_bytes().decode())
        except OSError as fault:
            raise SourceFault(Fault(path, 1, fault.strerror or "cannot be read")) from None
        except UnicodeDecodeError as fault:
            line = fault.object[: fault.start].count(b"\n") + 1
            raise SourceFault(Fault(path, line, "the file is not UTF-8")) from None

    def fault(self, location: Location, reason: str) -> Fault:
        """A fault at the value that ``location`` (keys and indexes from the top) leads to."""
        return Fault(self.path, self.line_of(location), reason)

    def line_of(self, location: Location) -> int:
        """The line of a value, or of the nearest table around it that the file spells out."""
        for end in range(len(location), 0, -1):
            line = self._places.get(location[:end])
            if line is not None:
                return line
        return 1

    def validated(self, schema: type[_Schema], faults: list[Fault]) -> _Schema | None:
        """The values as ``schema`` has them, or None with every fault added to ``faults``."""
        try:
            return schema.model_validate(self.data)
        except ValidationError as invalid:
            faults += self.explained(invalid)
            return None

    def explained(self, invalid: ValidationError) -> Iterable[Fault]:
        """The faults that a schema found, each at its line, behind the path that leads to it: ``price.2.unit_ms``."""
        for error in invalid.errors():
            location = tuple(step for step in error["loc"] if step != "[key]")
            where = ".".join(map(str, location))
            reason = error["msg"].removeprefix("Value error, ")
            yield self.fault(location, f"{where}: {reason}" if where else reason)

    @cached_property
    def _places(self) -> dict[Location, int]:
        return line_numbers(self._text)


def _syntax_fault(path: Path, text: str, said: str) -> Fault:
    found = _SYNTAX.fullmatch(said)
    if found is None or found["line"] is None:
        return Fault(path, text.count("\n") + 1, found["reason"] if found else said)
    return Fault(path, int(found["line"]), f"{found['reason']} (column {found['column']})")
