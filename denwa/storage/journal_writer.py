"""The thread that makes the journal durable: everything that waits goes into the next commit.

When the database cannot be written, ended calls, bindings and proofs of life go to the spool and count as done;
a group that answers a call waits until the database has it, because its 200 must not go out before (decision "the
record comes first"). When the database is back, all of it is committed before anything new.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from queue import Empty, SimpleQueue

import psycopg

from denwa.storage.journal_spool import Spool, keep_rejected
from denwa.voip.calls.journal import CallEntry, Group, JournalStore

log = logging.getLogger(__name__)

# A group that no retry will make acceptable; everything else is an outage.
_DATA_FAULTS = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    psycopg.IntegrityError,
    psycopg.DataError,
    TypeError,
    ValueError,
    OverflowError,
)
_STALL_SECONDS = 2.0
_SLOW_SECONDS = 0.05  # a commit takes a few ms
_REPLAYED_AT_ONCE = 2000  # groups of the spool in a commit


def _answers(group: Group) -> list[CallEntry]:
    """The records whose 200 waits for the commit."""
    return [call for call in group.calls if call.answered_at is not None]


def _rest(group: Group) -> Group:
    """What of `group` need not reach the database before the wire goes on."""
    unanswered = [call for call in group.calls if call.answered_at is None]
    return Group(unanswered, group.ends, group.alive, group.bindings)


def _merged(groups: Iterable[Group]) -> Group:
    merged = Group()
    for group in groups:
        merged.calls += group.calls
        merged.ends += group.ends
        merged.alive += group.alive
        merged.bindings += group.bindings
    return merged


class JournalWriter:
    """Commits groups from a thread of its own.

    `done` is called from that thread, once a commit, with the groups that are now safe, in the order they were
    submitted; groups may be safe in another order only around an outage. `group_wait`: seconds from one commit to the
    next under load (an idle writer commits at once); `bindings_wait`: the same while nothing but registrations waits,
    because a phone that refreshes hears no difference and a commit costs as much as 20 rows. `retry_wait`: seconds
    between attempts in an outage.
    Order of use: `replay_spool`, read the store, `start`, `submit` …, `close`.
    """

    def __init__(
        self,
        store: JournalStore,
        spool: Path,
        done: Callable[[list[Group]], None],
        *,
        group_wait: float = 0.02,
        bindings_wait: float = 0.08,
        retry_wait: float = 0.25,
        spool_limit: int = 16 * 1024 * 1024,
    ) -> None:
        self._store = store
        self._spool = Spool(spool, spool_limit)
        self._rejected = spool.with_suffix(".rejected")
        self._done = done
        self._group_wait = group_wait
        self._bindings_wait = bindings_wait
        self._retry_wait = retry_wait
        self._queue: SimpleQueue[Group | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="journal-writer", daemon=True)
        self._closing = threading.Event()
        self._hurry = threading.Event()  # a call waits
        self._failing = False
        self._retry_at = 0.0
        self._commit_began: float | None = None  # of the commit that is on, else None
        self._last_began = 0.0
        self._waiting: list[Group] = []  # in an outage: the rest is in the spool, the answers are not committed
        self._unspooled: list[Group] = []  # in an outage: the spool failed too
        self.commits = 0
        self.rejected = 0

    @property
    def healthy(self) -> bool:
        """The database takes what is written; False: no new calls."""
        began = self._commit_began
        return not self._failing and (began is None or time.monotonic() - began < _STALL_SECONDS)

    @property
    def slow(self) -> bool:
        """A commit takes longer than it should: this thread may not be getting the interpreter."""
        began = self._commit_began
        return began is not None and time.monotonic() - began > _SLOW_SECONDS

    @property
    def backlog(self) -> int:
        """Groups not yet taken up by a commit, or waiting for the database to come back."""
        return self._queue.qsize() + len(self._waiting) + len(self._unspooled)

    def replay_spool(self) -> int:
        """Commit what an earlier run left in the spool; the number of groups. Raises what the store raises."""
        groups = self._spool.groups()
        self._commit_in_portions(groups)
        if groups:
            log.warning("%d groups of the journal's spool were committed", len(groups))
        self._spool.clear()
        return len(groups)

    def start(self) -> None:
        self._thread.start()

    def submit(self, group: Group) -> None:
        """Hand a group over; it must not be changed from now on. Never blocks."""
        self._queue.put(group)
        if (group.calls or group.ends) and not self._hurry.is_set():
            self._hurry.set()

    def close(self) -> None:
        """Commit everything submitted, and end the thread. Safe to call twice."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._queue.put(None)
        self._hurry.set()
        if self._thread.ident is None:
            self._thread.start()
        self._thread.join()
        self._spool.close()

    def _run(self) -> None:
        running = True
        while running:
            batch = self._next_batch()
            if batch and batch[-1] is None:
                running = False
            groups = [group for group in batch if group is not None]
            if self._failing:
                self._set_aside(groups)
                if not running or time.monotonic() >= self._retry_at:
                    self._recover()
            elif groups:
                self._commit(groups)
        if self._failing:
            # Their 200s never went out, so these calls are not up; what had to be kept is in the spool.
            log.error("closed with the database away: %d answered calls given up", len(self._waiting))
            if self._unspooled:
                log.critical("%d groups could be kept nowhere", len(self._unspooled))

    def _next_batch(self) -> list[Group | None]:
        """Everything that waits; empty when it is time to try the database again."""
        timeout = max(0.0, self._retry_at - time.monotonic()) if self._failing else None
        try:
            batch = [self._queue.get(timeout=timeout)]
        except Empty:
            return []
        if not self._failing and batch[0] is not None:
            self._gather()
        try:
            while batch[-1] is not None:
                batch.append(self._queue.get_nowait())
        except Empty:
            pass
        return batch

    def _gather(self) -> None:
        """Let more groups come until the next commit is due."""
        pause = self._last_began + self._group_wait - time.monotonic()
        if pause > 0:
            self._closing.wait(pause)
        pause = self._last_began + self._bindings_wait - time.monotonic()
        if pause > 0:
            self._hurry.wait(pause)
        self._hurry.clear()

    def _commit(self, groups: list[Group]) -> None:
        try:
            self._store_commit(groups[0] if len(groups) == 1 else _merged(groups))
        except _DATA_FAULTS as fault:
            log.error("the database refuses a group: %s", type(fault).__name__)
            self._commit_singly(groups)
        except Exception as fault:
            self._fail(fault)
            self._set_aside(groups)
        else:
            self._report(groups)

    def _commit_singly(self, groups: list[Group]) -> None:
        """One of `groups` cannot be stored: keep it for a person, and let the others through."""
        for place, group in enumerate(groups):
            try:
                self._commit_or_reject(group)
            except Exception as fault:
                self._fail(fault)
                self._set_aside(groups[place:])
                return
            self._report([group])

    def _commit_or_reject(self, group: Group) -> None:
        try:
            self._store_commit(group)
        except _DATA_FAULTS as fault:
            keep_rejected(self._rejected, group, f"{type(fault).__name__}: {fault}")
            self.rejected += 1
            ids = [call.id for call in group.calls] + [end.id for end in group.ends]
            log.critical("journal group kept in %s, calls %s: %s", self._rejected, ids, type(fault).__name__)

    def _store_commit(self, group: Group) -> None:
        self._commit_began = self._last_began = time.monotonic()
        try:
            self._store.commit(group)
            self.commits += 1
        finally:
            self._commit_began = None

    def _commit_in_portions(self, groups: list[Group]) -> None:
        for start in range(0, len(groups), _REPLAYED_AT_ONCE):
            portion = groups[start : start + _REPLAYED_AT_ONCE]
            try:
                self._store_commit(_merged(portion))
            except _DATA_FAULTS:
                for group in portion:
                    self._commit_or_reject(group)

    def _report(self, groups: list[Group]) -> None:
        try:
            self._done(groups)
        except Exception:
            # The server is on its way out (its loop is closed): the groups are safe, nobody waits for them.
            log.exception("a commit could not be reported")

    # Outage

    def _fail(self, fault: Exception) -> None:
        if not self._failing:
            log.error("the journal cannot be written, new calls are refused: %s: %s", type(fault).__name__, fault)
        self._failing = True
        self._retry_at = time.monotonic() + self._retry_wait

    def _set_aside(self, groups: list[Group]) -> None:
        """Spool what may be spooled, in order, and report it; keep the answers waiting."""
        if not groups:
            return
        kept = self._unspooled + groups
        try:
            self._spool.append(rest for rest in map(_rest, kept) if rest)
        except OSError as fault:
            if not self._unspooled:
                log.critical("the journal's spool cannot be written: %s", fault)
            self._unspooled = kept
            return
        self._unspooled = []
        safe = [group for group in kept if not _answers(group)]
        self._waiting += [group for group in kept if _answers(group)]
        if safe:
            self._report(safe)

    def _recover(self) -> None:
        """Try to commit all that was set aside: answers first, so that the ends in the spool find their records."""
        began = time.monotonic()
        answers = [Group(calls=_answers(group)) for group in self._waiting]
        try:
            self._commit_in_portions([_merged(answers), *self._spool.groups(), *self._unspooled])
            self._spool.clear()
        except Exception as fault:
            # An attempt may take long (a connection that times out): the ends that come meanwhile wait for it.
            self._retry_at = time.monotonic() + max(self._retry_wait, 2 * (time.monotonic() - began))
            log.debug("the journal is still away: %s", fault)
            return
        log.warning("the journal can be written again")
        back = self._waiting + self._unspooled
        self._waiting, self._unspooled, self._failing = [], [], False
        if back:
            self._report(back)
