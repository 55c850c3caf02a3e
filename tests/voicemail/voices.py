"""What callers of the tests say, as a recorder leaves it."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import numpy as np

from denwa.voicemail.sound.samples import Sound
from denwa.voicemail.sound.wav_files import wav_bytes
from tests.peers import wav


@cache
def voice(milliseconds: int, seed: int = 1) -> bytes:
    """A WAV of 8 kHz in which somebody speaks from beginning to end; it is kept as long as it is."""
    if milliseconds == 0:
        return wav_bytes(Sound(np.zeros(0, np.float32), wav.RATE))
    with tempfile.TemporaryDirectory() as folder:
        return wav.write_voice(Path(folder) / "voice.wav", milliseconds / 1000, seed).read_bytes()
