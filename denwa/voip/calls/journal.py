"""The journal port: what must be on disk before the wire goes on (decision "the record comes first").

The proxy collects entries of one tick in a `Group`; the server hands it to a `JournalWriter`, which commits it as a
whole and reports back; only then are the held messages sent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, Protocol


class CallEntry(NamedTuple):
    """A whole call record (columns of `calls` without `end_seq`). Times: ms since 1970 UTC, None when not reached."""

    id: int
    call_id: str
    leg: str
    subscriber: str
    direction: str
    caller: str
    callee: str
    number_class: str
    started_at: int
    answered_at: int | None
    ended_at: int | None
    duration_ms: int
    end_cause: str
    sip_status: int
    forwarded_by: str
    voicemail: int
    alive_at: int | None
    dialog: str
    reason: str = ""  # why it was refused or did not ring: a name of `voip/proxy/refusal.py`
    hidden_reason: str = ""  # why the caller's number is missing or not shown (B4)


class EndEntry(NamedTuple):
    """The end of an answered call; the store numbers it (`end_seq`) and clears `dialog`."""

    id: int
    ended_at: int
    duration_ms: int
    end_cause: str
    sip_status: int


class AliveEntry(NamedTuple):
    """A proof of life in a call that goes on (C5), with the dialog state to take it up again."""

    id: int
    alive_at: int
    dialog: str


class BindingEntry(NamedTuple):
    """A binding put in place (insert or replace by (aor, contact))."""

    aor: str
    contact: str
    call_id: str
    cseq: int
    registered_at: int
    expires_at: int
    flow: str
    user_agent: str
    extra: str


class UnbindingEntry(NamedTuple):
    aor: str
    contact: str


@dataclass(slots=True)
class Group:
    """Everything one tick wants durable, committed as a whole."""

    calls: list[CallEntry] = field(default_factory=list)
    ends: list[EndEntry] = field(default_factory=list)
    alive: list[AliveEntry] = field(default_factory=list)
    # In the order they happened: the last word on an (aor, contact) wins.
    bindings: list[BindingEntry | UnbindingEntry] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.calls or self.ends or self.alive or self.bindings)


class JournalStore(Protocol):
    """A database that keeps the journal. Called from one thread at a time."""

    def commit(self, group: Group) -> None:
        """Commit `group` durably or raise; a group committed twice has the effect of once."""
        ...

    def open_calls(self) -> list[CallEntry]:
        """Records answered and not ended, to be taken up again after a restart."""
        ...

    def bindings(self, now_ms: int) -> list[BindingEntry]:
        """Bindings that have not expired, oldest registration first; expired ones are deleted."""
        ...

    def close(self) -> None: ...
