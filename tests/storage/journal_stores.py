"""Journal stores for the writer's tests. Both are fakes and say so: what a database does is proved elsewhere."""

from __future__ import annotations

import sqlite3
import threading

from denwa.voip.calls.journal import BindingEntry, CallEntry, Group


class FakeStore:
    """In memory, with the port's contract. `away`: commits fail as with a full disk. `gate`: commits wait for it."""

    def __init__(self) -> None:
        self.away = False
        self.failures: list[bool] = []  # verdicts on the next commits, then `away` decides
        self.gate = threading.Event()
        self.gate.set()
        self.began = threading.Event()
        self.sizes: list[int] = []
        self.calls: dict[int, CallEntry] = {}
        self.bound: dict[tuple[str, str], BindingEntry] = {}

    def commit(self, group: Group) -> None:
        self.began.set()
        self.gate.wait(10)
        if self.failures.pop(0) if self.failures else self.away:
            raise sqlite3.OperationalError("fake: database or disk is full")
        if any(call.subscriber == "refused" for call in group.calls):
            raise sqlite3.IntegrityError("fake: NOT NULL constraint failed")
        self.sizes.append(len(group.calls) + len(group.ends) + len(group.alive) + len(group.bindings))
        for call in group.calls:
            self.calls.setdefault(call.id, call)
        for end in group.ends:
            known = self.calls.get(end.id)
            if known is not None and known.ended_at is None:
                self.calls[end.id] = known._replace(ended_at=end.ended_at, dialog="")
        for alive in group.alive:
            known = self.calls.get(alive.id)
            if known is not None and known.ended_at is None:
                self.calls[alive.id] = known._replace(alive_at=alive.alive_at)
        for entry in group.bindings:
            if isinstance(entry, BindingEntry):
                self.bound[entry[:2]] = entry
            else:
                self.bound.pop(entry[:2], None)

    def open_calls(self) -> list[CallEntry]:
        return [call for call in self.calls.values() if call.answered_at is not None and call.ended_at is None]

    def bindings(self, now_ms: int) -> list[BindingEntry]:
        return [entry for entry in self.bound.values() if entry.expires_at > now_ms]

    def close(self) -> None:
        pass


class Reports:
    """What a writer reported done; tests wait for it."""

    def __init__(self) -> None:
        self.groups: list[Group] = []
        self.times = 0
        self._news = threading.Condition()

    def __call__(self, groups: list[Group]) -> None:
        with self._news:
            self.groups += groups
            self.times += 1
            self._news.notify_all()

    def wait_for(self, *groups: Group) -> None:
        """Until every one of `groups` was reported (the very objects)."""
        wanted = {id(group) for group in groups}
        with self._news:
            if not self._news.wait_for(lambda: wanted <= {id(group) for group in self.groups}, 20):
                raise AssertionError(f"{len(wanted)} groups awaited, reported: {self.groups}")

    def has(self, group: Group) -> bool:
        return any(group is reported for reported in self.groups)
