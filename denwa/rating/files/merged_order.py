"""The order that a merge has found, as one number a call, so that it need not be found again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np
import numpy.typing as npt

from denwa.rating.files.call_rows import Records
from denwa.rating.files.fields import Flags

_DROPPED = 1 << 8


class MergedOrder:
    """`note` blocks of calls in order, then iterate over them: the `source` of each call, and which were dropped."""

    def __init__(self, folder: Path) -> None:
        self._file = TemporaryFile(dir=folder)  # noqa: SIM115
        self._lengths: list[int] = []

    def note(self, records: Records, dropped: Flags) -> None:
        self._file.write((records["source"] + dropped * np.uint16(_DROPPED)).tobytes())
        self._lengths.append(len(records))

    def __iter__(self) -> Iterator[tuple[npt.NDArray[np.uint8], Flags]]:
        self._file.seek(0)
        for length in self._lengths:
            notes = np.frombuffer(self._file.read(2 * length), np.uint16)
            yield notes.astype(np.uint8), notes >= _DROPPED
