"""Port numbers that no other test process on this machine uses: peers and services are given theirs, never guess.

The slices lie below Linux's ephemeral range (32768 up), so that no outgoing connection takes one by chance.
"""

from __future__ import annotations

import fcntl
import functools
import itertools
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

_FIRST, _SLICE, _SLICES = 10_000, 1_000, 22
# A slice: signalling, then RTP of services, then RTP of peers.
_SIGNALLING, _SERVICES = 300, 600
MEDIA_BLOCK, SERVICE_MEDIA_BLOCK = 20, 100

_held: list[IO[bytes]] = []  # open while this process lives: the lock is the claim


class _Slice:
    """A thousand ports, this process's own."""

    def __init__(self, first: int) -> None:
        self.signalling: Iterator[int] = itertools.cycle(range(first, first + _SIGNALLING, 4))
        services = range(first + _SIGNALLING, first + _SERVICES, SERVICE_MEDIA_BLOCK)
        self.service_media: Iterator[int] = itertools.cycle(services)
        self.media: Iterator[int] = itertools.cycle(range(first + _SERVICES, first + _SLICE, MEDIA_BLOCK))


@functools.cache
def _own_slice() -> _Slice:
    for number in range(_SLICES):
        lock = (Path(tempfile.gettempdir()) / f"denwa-test-ports-{number}.lock").open("ab")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            continue
        _held.append(lock)
        return _Slice(_FIRST + number * _SLICE)
    raise RuntimeError(f"all {_SLICES} slices of test ports are in use by other test processes")


def free_port() -> int:
    """A port free for UDP and TCP on 127.0.0.1; the three after it are free and the caller's, too."""
    for port in itertools.islice(_own_slice().signalling, _SIGNALLING // 4):
        if all(_is_free(port + more) for more in range(4)):
            return port
    raise RuntimeError("no free signalling port in this process's slice")


def media_ports() -> int:
    """First (even) port of a block of MEDIA_BLOCK ports for RTP."""
    return next(_own_slice().media)


def service_media_ports() -> int:
    """First (even) port of a block of SERVICE_MEDIA_BLOCK ports for a service's voicemail."""
    return next(_own_slice().service_media)


def _is_free(port: int) -> bool:
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # TIME_WAIT is no user
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True
