"""Reads the part of YAML that docker-compose.yml is written in, and refuses every other part.

Block mappings by two-space steps, block lists of scalars, flow lists of double-quoted strings, plain or double-quoted
scalars, whole-line comments. All scalars come out as text; a key without a value is None.
"""

from __future__ import annotations

import json
import re
from typing import Any

_KEY = re.compile(r"^([A-Za-z_][A-Za-z0-9_.-]*):(?: (.*))?$")
_PLAIN = re.compile(r"^[A-Za-z0-9./$~_-][^#\t]*$")


class ComposeFault(Exception):
    """The file is not in the accepted part of YAML; the text names the line."""


def parse_compose(text: str) -> dict[str, Any]:
    lines: list[tuple[int, int, str]] = []
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.rstrip()
        if not line or line.lstrip().startswith("#"):
            continue
        indent = len(line) - len(line.lstrip(" "))
        if indent % 2 or "\t" in line:
            raise ComposeFault(f"line {number}: indentation")
        lines.append((number, indent, line.strip()))
    value, rest = _block(lines, 0)
    if rest or not isinstance(value, dict):
        raise ComposeFault(f"line {rest[0][0] if rest else 1}: not a mapping")
    return value


def _block(lines: list[tuple[int, int, str]], indent: int) -> tuple[Any, list[tuple[int, int, str]]]:
    if lines and lines[0][1] == indent and lines[0][2].startswith("- "):
        items = []
        while lines and lines[0][1] == indent:
            number, _, text = lines[0]
            if not text.startswith("- "):
                raise ComposeFault(f"line {number}: a list and a mapping mixed")
            items.append(_scalar(text[2:], number))
            lines = lines[1:]
        return items, lines
    mapping: dict[str, Any] = {}
    while lines and lines[0][1] == indent:
        number, _, text = lines[0]
        found = _KEY.match(text)
        if found is None or found[1] in mapping:
            raise ComposeFault(f"line {number}: {'twice' if found else 'no key'}: {text}")
        lines = lines[1:]
        if found[2] is not None:
            mapping[found[1]] = _scalar(found[2], number)
        elif lines and lines[0][1] == indent + 2:
            mapping[found[1]], lines = _block(lines, indent + 2)
        else:
            mapping[found[1]] = None
    if lines and lines[0][1] > indent:
        raise ComposeFault(f"line {lines[0][0]}: indentation")
    return mapping, lines


def _scalar(text: str, number: int) -> Any:
    if text[0] in '["':
        try:
            value = json.loads(text)
        except json.JSONDecodeError as fault:
            raise ComposeFault(f"line {number}: {fault}") from None
        if isinstance(value, str) or (isinstance(value, list) and all(isinstance(item, str) for item in value)):
            return value
    elif _PLAIN.match(text) and ": " not in text and not text.endswith(":"):
        return text
    raise ComposeFault(f"line {number}: {text}")
