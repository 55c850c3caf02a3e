"""What the journal's stores share: a group as rows, column lists, and the schema of a fresh database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from denwa.storage.engine import open_engine
from denwa.storage.migrate import JOURNAL, current, upgrade
from denwa.voip.calls.journal import AliveEntry, BindingEntry, CallEntry, EndEntry, Group, UnbindingEntry

CALL = ", ".join('"class"' if name == "number_class" else name for name in CallEntry._fields)
BINDING = ", ".join(BindingEntry._fields)
NEXT = "coalesce((SELECT max(end_seq) FROM calls), 0) + 1"
UPSERT = "ON CONFLICT (aor, contact) DO UPDATE SET " + ", ".join(
    f"{name} = excluded.{name}" for name in BindingEntry._fields[2:]
)
OPEN_CALLS = (
    f"SELECT {CALL} FROM calls WHERE end_seq IS NULL AND answered_at IS NOT NULL AND ended_at IS NULL ORDER BY id"
)
EXPIRED = "DELETE FROM bindings WHERE expires_at <= "
BINDINGS = f"SELECT {BINDING} FROM bindings ORDER BY registered_at"
ENDED_AT = CallEntry._fields.index("ended_at")


class Rows(NamedTuple):
    """A group as the statements take it: at most one row a key in each list."""

    calls: Sequence[CallEntry]
    ends: Sequence[EndEntry]
    alive: Sequence[AliveEntry]
    bindings: Sequence[BindingEntry]
    unbindings: Sequence[UnbindingEntry]


def rows_of(group: Group) -> Rows:
    ends: Sequence[EndEntry] = group.ends
    if len(ends) > 1:
        first: dict[int, EndEntry] = {}
        for end in ends:
            first.setdefault(end.id, end)
        ends = list(first.values())
    alive = list({entry.id: entry for entry in group.alive}.values())
    bound: list[BindingEntry] = []
    unbound: list[UnbindingEntry] = []
    for entry in {entry[:2]: entry for entry in group.bindings}.values():
        if isinstance(entry, BindingEntry):
            bound.append(entry)
        else:
            unbound.append(entry)
    return Rows(group.calls, ends, alive, bound, unbound)


def storable(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """`row` with U+FFFD for what no database stores: U+0000 and lone surrogates."""
    return tuple(
        value.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\x00", "\ufffd")
        if isinstance(value, str)
        else value
        for value in row
    )


def ensure_schema(url: str) -> None:
    engine = open_engine(url)
    try:
        if not current(JOURNAL, engine):
            upgrade(JOURNAL, engine)
    finally:
        engine.dispose()
