"""Recordings as WAV, 16-bit, mono: length, and repair of a file whose writer was killed (V7)."""

from __future__ import annotations

import math
import os
import struct
import wave
from pathlib import Path

RATE = 8000  # frames a second (V5) ...
WIDE_RATE = 16000  # ... or, if the operator chose so, of sound that came over G.722
FRAME_BYTES = 2
HEADER_BYTES = 44  # RIFF, fmt and data headers as the recorder writes them

_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")


def is_complete(path: Path) -> bool:
    """The recorder has closed the file: the sizes in its header agree with the file's."""
    try:
        with path.open("rb") as file:
            head = file.read(HEADER_BYTES)
        size = path.stat().st_size
    except FileNotFoundError:
        return False
    return len(head) == HEADER_BYTES and struct.unpack_from("<I", head, 4)[0] == size - 8


def repair(path: Path, longest_ms: int) -> int:
    """Make `path` a valid WAV of at most `longest_ms` and put it on the disk; returns its length in ms.

    The recorder appends sound in blocks and fills in the header's sizes when it closes; if it was killed, the sizes
    are 0. So the file's length decides, and the whole header is written anew. The file keeps its time of modification,
    which tells when the recording ended.
    """
    with path.open("r+b") as file:
        times = os.fstat(file.fileno())
        rate = _rate(file.read(HEADER_BYTES))
        size = file.seek(0, os.SEEK_END)
        frames = max(0, size - HEADER_BYTES) // FRAME_BYTES
        frames = min(frames, longest_ms * rate // 1000)
        data = frames * FRAME_BYTES
        file.truncate(HEADER_BYTES + data)
        file.seek(0)
        file.write(_header(data, rate))
        file.flush()
        os.utime(file.fileno(), ns=(times.st_atime_ns, times.st_mtime_ns))
        os.fsync(file.fileno())
    return frames * 1000 // rate


def duration_ms(path: Path) -> int:
    """Length of a valid WAV. Raises OSError or wave.Error."""
    with wave.open(str(path), "rb") as sound:
        return sound.getnframes() * 1000 // sound.getframerate()


def empty(path: Path) -> None:
    """Forget the sound of a file and keep its time of modification."""
    with path.open("r+b") as file:
        times = os.fstat(file.fileno())
        file.truncate(0)
        os.utime(file.fileno(), ns=(times.st_atime_ns, times.st_mtime_ns))
        os.fsync(file.fileno())


def tone(hertz: int = 1000, milliseconds: int = 500, level: float = 0.5) -> bytes:
    """A whole WAV file with a sine; `level` is the share of full scale (0-1). Faded 10 ms at both ends: no clicks."""
    frames = milliseconds * RATE // 1000
    fade = RATE // 100
    samples = (
        round(32767 * level * min(1.0, i / fade, (frames - 1 - i) / fade) * math.sin(2 * math.pi * hertz * i / RATE))
        for i in range(frames)
    )
    return _header(frames * FRAME_BYTES) + struct.pack(f"<{frames}h", *samples)


def _rate(head: bytes) -> int:
    """Of what the recorder wrote; it writes the header with the first block, so without one there is no sound."""
    rate = struct.unpack_from("<I", head, 24)[0] if len(head) == HEADER_BYTES else RATE
    return WIDE_RATE if rate == WIDE_RATE else RATE


def _header(data: int, rate: int = RATE) -> bytes:
    riff = HEADER_BYTES - 8 + data
    byte_rate = rate * FRAME_BYTES
    return _HEADER.pack(
        b"RIFF", riff, b"WAVE", b"fmt ", 16, 1, 1, rate, byte_rate, FRAME_BYTES, 8 * FRAME_BYTES, b"data", data
    )
