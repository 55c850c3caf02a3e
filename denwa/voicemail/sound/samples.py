"""Sound as numbers: one channel of samples in -1 to 1, and what their levels are in decibels of full scale (dBFS)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]
Levels = npt.NDArray[np.float32]

FULL_SCALE = 32768.0
SILENT = -120.0  # dBFS; nothing is quieter


@dataclass(frozen=True, slots=True)
class Sound:
    """`samples`: one channel, -1 to 1; `rate`: frames a second."""

    samples: Samples
    rate: int

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate


def decibels(power: npt.NDArray[np.floating]) -> Levels:
    """dBFS of mean squares; a full-scale square wave is 0, a full-scale sine -3."""
    levels: Levels = (10.0 * np.log10(np.maximum(power, 10 ** (SILENT / 10)))).astype(np.float32)
    return levels


def ratio(decibel: float) -> float:
    """What samples are multiplied by to be `decibel` louder."""
    return float(10.0 ** (decibel / 20.0))


def level(samples: Samples) -> float:
    """Root mean square in dBFS; `SILENT` of nothing."""
    if not len(samples):
        return SILENT
    return float(decibels(np.asarray(np.mean(np.square(samples, dtype=np.float64)))))


def from_16_bit(data: bytes, rate: int) -> Sound:
    """Little-endian 16-bit samples of one channel; half a sample at the end is dropped."""
    whole = np.frombuffer(data, "<i2", len(data) // 2)
    return Sound(whole.astype(np.float32) / np.float32(FULL_SCALE), rate)


def to_16_bit(sound: Sound) -> bytes:
    """Rounded, and cut at full scale."""
    scaled = np.rint(sound.samples * np.float32(FULL_SCALE))
    whole: npt.NDArray[np.int16] = np.clip(scaled, -FULL_SCALE, FULL_SCALE - 1).astype("<i2")
    return whole.tobytes()
