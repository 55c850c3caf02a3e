"""Which worker takes which call: the book of places and leases. Pure; `now` is monotonic seconds."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

PLACES = 4  # calls in one worker process, fixed by the library's build
INVITE_PATIENCE = 5.0  # seconds from the lease until the INVITE must have come
IDLE_PATIENCE = 60.0  # seconds that a worker beyond the ready ones is kept without a call


class Kind(StrEnum):
    """What a place is for: the `do` of the command that tells a worker of the call (worker/lines.py)."""

    MESSAGE = "lease"  # a caller leaves a message
    GUIDANCE = "guide"  # a refused caller hears why
    BOX = "box"  # a subscriber hears messages


STORED = frozenset({Kind.MESSAGE, Kind.BOX})  # kinds that leave something behind: in the spool, or files of a box


class Stage(StrEnum):
    WAITING = "waiting"  # given to the proxy, INVITE not seen
    FORGETTING = "forgetting"  # taken back; the worker has not yet said whether in time
    TAKEN = "taken"  # the worker has answered the call


@dataclass(slots=True)
class Lease:
    id: str
    worker: int
    kind: Kind
    stage: Stage
    given_at: float
    call_id: str  # "" when it is not known


@dataclass(slots=True)
class _Worker:
    port: int
    idle_since: float
    leaving: bool = False
    leases: set[str] = field(default_factory=set)


class LeaseBook:
    """Bounded by the workers it knows: never more than `PLACES` leases on one."""

    def __init__(self) -> None:
        self._workers: dict[int, _Worker] = {}
        self._leases: dict[str, Lease] = {}
        self._kinds: Counter[Kind] = Counter()

    def __len__(self) -> int:
        return len(self._leases)

    @property
    def free(self) -> int:
        """Places that can be leased now."""
        return sum(PLACES - len(worker.leases) for worker in self._workers.values() if not worker.leaving)

    def count(self, kind: Kind) -> int:
        """Leases of one kind."""
        return self._kinds[kind]

    def find(self, lease: str) -> Lease | None:
        return self._leases.get(lease)

    def worker_ready(self, worker: int, port: int, now: float) -> None:
        self._workers[worker] = _Worker(port, now)

    def worker_gone(self, worker: int) -> list[Lease]:
        """Forget a worker that has ended; returns the leases that ended with it."""
        gone = self._workers.pop(worker, None)
        return [self._forget(lease) for lease in sorted(gone.leases)] if gone else []

    def worker_leaving(self, worker: int) -> None:
        """Give no more places of a worker away; those given stay."""
        if worker in self._workers:
            self._workers[worker].leaving = True

    def give(self, lease: str, kind: Kind, now: float, call_id: str = "") -> tuple[int, int] | None:
        """Lease a place: (worker, SIP port). None when all are taken.

        The fullest worker comes first, so that the others empty and can go.
        """
        open_workers = [
            (len(worker.leases), -number)
            for number, worker in self._workers.items()
            if len(worker.leases) < PLACES and not worker.leaving
        ]
        if not open_workers:
            return None
        number = -max(open_workers)[1]
        self._workers[number].leases.add(lease)
        self._leases[lease] = Lease(lease, number, kind, Stage.WAITING, now, call_id)
        self._kinds[kind] += 1
        return number, self._workers[number].port

    def taken(self, lease: str) -> None:
        """The worker has answered the INVITE (also when it came while the lease was being taken back)."""
        if lease in self._leases:
            self._leases[lease].stage = Stage.TAKEN

    def take_back(self, lease: str) -> int | None:
        """The INVITE will not come: the worker to be told so; None when it has come or the lease is unknown."""
        found = self._leases.get(lease)
        if found is None or found.stage is not Stage.WAITING:
            return None
        found.stage = Stage.FORGETTING
        return found.worker

    def overdue(self, now: float) -> list[str]:
        """Leases whose INVITE has not come in time."""
        return [
            lease.id
            for lease in self._leases.values()
            if lease.stage is Stage.WAITING and now - lease.given_at >= INVITE_PATIENCE
        ]

    def ended(self, lease: str, now: float) -> bool:
        """The place is free again; False when it was already."""
        if lease not in self._leases:
            return False
        worker = self._workers[self._forget(lease).worker]
        worker.leases.discard(lease)
        worker.idle_since = now
        return True

    def dispensable(self, ready: int, now: float) -> int | None:
        """A worker that can be stopped: idle for long, and enough places stay without it."""
        if len(self._workers) <= ready or self.free < PLACES + self.spare:
            return None
        idle = [n for n, w in self._workers.items() if not w.leases and now - w.idle_since >= IDLE_PATIENCE]
        return max(idle, default=None)

    @property
    def spare(self) -> int:
        """Places to keep free for callers to come: the more there are, the more come at once."""
        return max(PLACES // 2, len(self._leases) // 5)

    def missing(self, waiting: int, starting: int, running: int, ready: int, most: int) -> int:
        """How many workers to start now, so that everybody who waits gets a place, some stay free, and `ready` run.

        `running`: all there are, `starting` among them: those that are not ready yet, whose places are counted on.
        """
        short = waiting + self.spare - self.free - PLACES * starting
        return max(0, min(max(-(-short // PLACES), ready - running), most - running))

    def _forget(self, lease: str) -> Lease:
        found = self._leases.pop(lease)
        self._kinds[found.kind] -= 1
        return found
