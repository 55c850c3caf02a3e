"""Keeps the rest of a busy machine out of a test that measures sound."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """This thread, and processes it starts meanwhile for as long as they live, come before everything that runs with
    ordinary priority, where the system allows it (real time needs root): a sender that is held up for a second loses
    sound whatever the service does. Not for computing: nothing else on a core goes on meanwhile."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except PermissionError:
        yield
        return
    try:
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
