"""Which worker takes which call: the book of places and leases. Pure; `now` is monotonic seconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

PLACES = 4  # calls in one worker process, fixed by the library's build
INVITE_PATIENCE = 5.0  # seconds from the lease until the INVITE must have come
IDLE_PATIENCE = 60.0  # seconds that a worker beyond the ready ones is kept without a call


class Stage(StrEnum):
    WAITING = "waiting"  # given to the proxy, INVITE not seen
    FORGETTING = "forgetting"  # taken back; the worker has not yet said whether in time
    TAKEN = "taken"  # the worker has answered the call


@dataclass(slots=True)
class Lease:
    id: str
    worker: int
    stage: Stage
    given_at: float


@dataclass(slots=True)
class _Worker:
    port: int
    idle_since: float
    leases: set[str] = field(default_factory=set)


class LeaseBook:
    """Bounded by the workers it knows: never more than `PLACES` leases on one."""

    def __init__(self) -> None:
        self._workers: dict[int, _Worker] = {}
        self._leases: dict[str, Lease] = {}

    def __len__(self) -> int:
        return len(self._leases)

    @property
    def free(self) -> int:
        """Places that can be leased now."""
        return PLACES * len(self._workers) - len(self._leases)

    def worker_ready(self, worker: int, port: int, now: float) -> None:
        self._workers[worker] = _Worker(port, now)

    def worker_gone(self, worker: int) -> list[str]:
        """Forget a worker that has ended; returns the leases that ended with it."""
        gone = self._workers.pop(worker, None)
        lost = sorted(gone.leases) if gone else []
        for lease in lost:
            del self._leases[lease]
        return lost

    def give(self, lease: str, now: float) -> tuple[int, int] | None:
        """Lease a place: (worker, SIP port). None when all are taken.

        The fullest worker comes first, so that the others empty and can go.
        """
        open_workers = [(len(w.leases), -number) for number, w in self._workers.items() if len(w.leases) < PLACES]
        if not open_workers:
            return None
        number = -max(open_workers)[1]
        self._workers[number].leases.add(lease)
        self._leases[lease] = Lease(lease, number, Stage.WAITING, now)
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
        found = self._leases.pop(lease, None)
        if found is None:
            return False
        worker = self._workers[found.worker]
        worker.leases.discard(lease)
        worker.idle_since = now
        return True

    def dispensable(self, ready: int, now: float) -> int | None:
        """A worker that can be stopped: idle for long, and enough places stay beyond the `ready` workers."""
        if len(self._workers) <= ready or self.free <= PLACES:
            return None
        idle = [n for n, w in self._workers.items() if not w.leases and now - w.idle_since >= IDLE_PATIENCE]
        return max(idle, default=None)

    def retire(self, worker: int) -> None:
        """Give no more places of an idle worker away."""
        if worker in self._workers and not self._workers[worker].leases:
            del self._workers[worker]


def wanted_workers(running: int, free: int, ready: int, most: int) -> int:
    """How many workers to run: the ready ones, and one more whenever less than half a worker is free."""
    grown = running + 1 if free < PLACES // 2 else running
    return max(ready, min(grown, most)) if ready <= most else most
