"""Every value of a TOML document is found on its line, however the document is written (T8)."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from denwa.numbering.toml_lines import Location, line_numbers

DOCUMENT = '''
title = "x" # a = 1
sip.port = 5060
"quoted key" = 1
'literal.key' = 2

[a.b]
text = """
[not.a.table]
key = "no key"
"""
list = [
  1, 2, # 3
  "x = 1",
  [ 4,
    5 ],
]
inline = { one = 1, two.three = [ "]", '}' ], deep = { four = 4 } }

[[gate]]
name = "a"

[gate.door]
width = 1.5

[[gate]]
name = "b"
  [[gate.key]]
  tooth = 2026-11-21 10:00:00.5
  [[gate.key]]
  tooth = 2
"\\u00e9\\t" = 3
'''


@pytest.mark.parametrize(
    ("location", "line"),
    [
        (("title",), 2),
        (("sip", "port"), 3),
        (("quoted key",), 4),
        (("literal.key",), 5),
        (("a", "b"), 7),
        (("a", "b", "text"), 8),
        (("a", "b", "list"), 12),
        (("a", "b", "list", 1), 13),
        (("a", "b", "list", 2), 14),
        (("a", "b", "list", 3, 1), 16),
        (("a", "b", "inline", "two", "three", 1), 18),
        (("a", "b", "inline", "deep", "four"), 18),
        (("gate", 0), 20),
        (("gate", 0, "door", "width"), 24),
        (("gate", 1, "name"), 27),
        (("gate", 1, "key", 0, "tooth"), 29),
        (("gate", 1, "key", 1, "tooth"), 31),
        (("gate", 1, "key", 1, "é\t"), 32),
    ],
)
def test_a_value_is_found_on_its_line(location: Location, line: int) -> None:
    assert line_numbers(DOCUMENT)[location] == line


def test_what_only_looks_like_a_key_is_none() -> None:
    assert ("a", "b", "key") not in line_numbers(DOCUMENT)
    assert ("not", "a", "table") not in line_numbers(DOCUMENT)


def locations(value: Any, here: Location = ()) -> set[Location]:
    steps: list[Any] = list(
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    found = {(*here, step) for step, _ in steps}
    return found.union(*(locations(inner, (*here, step)) for step, inner in steps))


def test_every_value_has_a_place() -> None:
    assert locations(tomllib.loads(DOCUMENT)) == set(line_numbers(DOCUMENT))


_SCALAR = st.sampled_from(
    ["1", "-1.5e3", "true", "2026-11-21", "07:30:00.25", '"a#[{=,"', "'\\'", '"\\""', '"""\n"x"\n"""', "''"]
)
_VALUE = st.recursive(
    _SCALAR,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda parts: "[" + ",\n ".join(parts) + "]"),
        st.lists(inner.filter(lambda v: "\n" not in v), max_size=3).map(
            lambda parts: "{" + ", ".join(f"k{n}.x = {part}" for n, part in enumerate(parts)) + "}"
        ),
    ),
    max_leaves=8,
)


@given(st.lists(_VALUE, max_size=4), st.lists(_VALUE, max_size=3))
def test_every_value_of_any_document_has_a_place_in_order(top: list[str], rows: list[str]) -> None:
    text = "".join(f"v{n} = {value} # [c]\n" for n, value in enumerate(top))
    text += "".join(f"[[row]]\n 'v' = {value}\n" for value in rows)
    places = line_numbers(text)
    assert locations(tomllib.loads(text)) == set(places)
    lines = [places[(f"v{n}",)] for n in range(len(top))] + [places[("row", n)] for n in range(len(rows))]
    assert lines == sorted(set(lines))
    for n, line in enumerate(lines[: len(top)]):
        assert text.splitlines()[line - 1].startswith(f"v{n} = ")
