"""Which worker hangs: it has not answered for a number of beats, though it was asked at each (V7). Pure."""

from __future__ import annotations

from collections.abc import Iterable

BEAT = 2.0  # seconds between questions
PATIENCE = 5  # beats without a word from a worker that has taken calls: 10 s
START_PATIENCE = 15  # beats without a word from one that is not ready yet: 30 s on a machine that starts many


class Pulse:
    """Counts beats, not seconds: a service that was itself held up for a minute blames nobody for it."""

    def __init__(self) -> None:
        self._missed: dict[int, int] = {}
        self._ready: set[int] = set()

    def heard(self, worker: int) -> None:
        """Any word of it will do."""
        self._missed[worker] = 0
        self._ready.add(worker)

    def gone(self, worker: int) -> None:
        self._missed.pop(worker, None)
        self._ready.discard(worker)

    def beat(self, workers: Iterable[int]) -> list[int]:
        """Another beat has passed; the workers that hang. Each is named once."""
        hanging = []
        for worker in workers:
            self._missed[worker] = missed = self._missed.get(worker, 0) + 1
            if missed == (PATIENCE if worker in self._ready else START_PATIENCE) + 1:
                hanging.append(worker)
        return hanging
