"""The worker processes of a service, for tests that kill or stop them."""

from __future__ import annotations

from pathlib import Path


def worker_pids(data: Path) -> dict[int, int]:
    """First RTP port of each worker of the service on a data folder (the higher, the later started), to its pid."""
    spool = str(data / "voicemail" / "spool").encode()
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"denwa.voicemail.worker" in command and spool in command:
            found[int(command[command.index(b"--rtp-first") + 1])] = int(process.name)
    return found
