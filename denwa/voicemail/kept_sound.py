"""From the recording in the spool to the sound that is kept of it: treated, in a file of its own, on the disk."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path

from denwa.voicemail.sound.faults import SoundFault

log = logging.getLogger(__name__)

# One at a time: a message takes some ten milliseconds of a core, and calls are waiting for the same core.
_COMPUTING = threading.Lock()


def keep(recording: Path, draft: Path, *, wide: bool) -> int | None:
    """Write what is to be kept of a valid WAV into `draft`; its length in ms, None when nobody speaks in it.

    The recording stays as it is, so this can be repeated. Raises OSError.
    """
    # Here and not above: numpy takes a tenth of a second to load, for which no call waits after a restart.
    from denwa.voicemail.sound.message import Treated, treat
    from denwa.voicemail.sound.wav_files import read_wav, wav_bytes

    data = recording.read_bytes()
    try:
        with _COMPUTING:
            treated = treat(read_wav(data), wide=wide)
    except SoundFault:  # the recorder had not begun
        return None
    except Exception:  # whatever is wrong with our arithmetic, the caller's words are not lost for it
        log.exception("voicemail: %s cannot be treated and is kept as it was recorded", recording)
        treated = Treated(read_wav(data), 0.0)
    if treated.sound is None:
        return None
    write_sound(draft, wav_bytes(treated.sound))
    return len(treated.sound.samples) * 1000 // treated.sound.rate


def write_sound(path: Path, data: bytes) -> None:
    """For the service only, on the disk when this returns. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
