"""Where each value of a TOML document stands: key and element to line (T8). ``tomllib`` gives values without places.

The text must be a valid document: whoever calls has parsed it, so nothing is checked a second time here.
"""

from __future__ import annotations

import re
from bisect import bisect_right

Location = tuple[str | int, ...]

# TOML 1.0.0: white space, comments, the four kinds of string, punctuation, and everything else in runs.
_TOKEN = re.compile(
    r"""(?P<space>[ \t\r]+|\#[^\n]*)
      | (?P<string>\"{3}(?:\\.|[^\\])*?\"{3,5} | '{3}.*?'{3,5} | "(?:\\.|[^"\\\n])*" | '[^'\n]*')
      | (?P<mark>[\[\]{}=,.\n])
      | (?P<run>[^\s\[\]{}=,.\#"']+)""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.)", re.DOTALL)
_ESCAPED = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r"}
_END = ""


def line_numbers(text: str) -> dict[Location, int]:
    """The line (from 1) of every table, key and array element of a valid TOML document, by keys and indexes."""
    return _Walk(text).places


class _Walk:
    """One pass over the tokens of a document."""

    def __init__(self, text: str) -> None:
        self.places: dict[Location, int] = {}
        self._tokens = [(m.start(), m.group(), m.lastgroup) for m in _TOKEN.finditer(text) if m.lastgroup != "space"]
        self._tokens.append((len(text), _END, "mark"))
        self._starts = [0, *(m.end() for m in re.finditer("\n", text))]
        self._next = 0
        self._arrays: dict[Location, int] = {}  # [[name]]: how many there were
        table: Location = ()
        while self._peek() != _END:
            if self._peek() == "\n":
                self._take()
            elif self._peek() == "[":
                table = self._header()
            else:
                self._pair(table)

    def _peek(self) -> str:
        _, token, kind = self._tokens[self._next]
        return token if kind == "mark" else "value"

    def _take(self) -> tuple[str, str]:
        _, token, kind = self._tokens[self._next]
        self._next += 1
        return token, kind or ""

    def _line(self) -> int:
        return bisect_right(self._starts, self._tokens[self._next][0])

    def _put(self, location: Location, line: int) -> None:
        self.places.setdefault(location, line)

    def _key(self) -> list[str]:
        parts = [self._part()]
        while self._peek() == ".":
            self._take()
            parts.append(self._part())
        return parts

    def _part(self) -> str:
        token, kind = self._take()
        if kind != "string":
            return token
        return token[1:-1] if token[0] == "'" else _ESCAPE.sub(_unescape, token[1:-1])

    def _header(self) -> Location:
        line = self._line()
        self._take()
        array = self._peek() == "["
        if array:
            self._take()
        *parents, last = self._key()
        for _ in range(1 + array):
            self._take()
        location: Location = ()
        for part in parents:
            location = self._newest((*location, part))
            self._put(location, line)
        location = (*location, last)
        if array:
            count = self._arrays.get(location, 0)
            self._arrays[location] = count + 1
            self._put(location, line)
            location = (*location, count)
        self._put(location, line)
        return location

    def _newest(self, location: Location) -> Location:
        """A name that stands for an array of tables means its newest table."""
        count = self._arrays.get(location)
        return location if count is None else (*location, count - 1)

    def _pair(self, table: Location) -> None:
        line = self._line()
        location = table
        for part in self._key():
            location = (*location, part)
            self._put(location, line)
        self._take()  # =
        self._value(location)

    def _value(self, location: Location) -> None:
        if self._peek() == "[":
            self._take()
            self._elements(location)
        elif self._peek() == "{":
            self._take()
            while self._peek() != "}":
                if self._peek() == ",":
                    self._take()
                else:
                    self._pair(location)
            self._take()
        else:
            while self._peek() in ("value", "."):  # 1.5, 2026-11-21 10:00:00.5 are several tokens
                self._take()

    def _elements(self, location: Location) -> None:
        index = 0
        while self._peek() != "]":
            if self._peek() in (",", "\n"):
                self._take()
                continue
            self._put((*location, index), self._line())
            self._value((*location, index))
            index += 1
        self._take()


def _unescape(found: re.Match[str]) -> str:
    code = found[1]
    return chr(int(code[1:], 16)) if len(code) > 1 else _ESCAPED.get(code, code)
