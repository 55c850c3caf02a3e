"""Space of a temporary file is given back while the rest of it is still needed (fallocate(2), Linux).

The system lends its pages to the file that is written next. It is much cheaper to write to pages that were in use a
moment ago than to fresh ones, and what is never read again need never reach the disk. Where it cannot be done, the
space is free when the file is closed.
"""

from __future__ import annotations

import ctypes

_PUNCH_HOLE_KEEP_SIZE = 3
_AT_ONCE = 256 << 10  # bytes, at least: a call into the system each
_PAGE = 4096


def _find() -> ctypes._NamedFuncPointer | None:
    library = ctypes.CDLL(None)
    for name in ("fallocate64", "fallocate"):  # where files are small unless asked otherwise, the second is for those
        if (found := getattr(library, name, None)) is not None:
            found.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
            return found  # type: ignore[no-any-return]
    return None


_fallocate = _find()


def give_back(file: int, start: int, end: int) -> int:
    """Whole pages of what stands from `start` to `end`, if they are many; where what was not given back begins."""
    whole = end // _PAGE * _PAGE
    if whole - start < _AT_ONCE or _fallocate is None:
        return start
    _fallocate(file, _PUNCH_HOLE_KEEP_SIZE, start, whole - start)
    return whole
