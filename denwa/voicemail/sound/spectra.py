"""A sound cut into overlapping windows: how loud each is, and which pitches are in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from denwa.voicemail.sound.samples import Levels, Sound, decibels

HOP_SECONDS = 0.02
WINDOW_SECONDS = 0.064
LOWEST_HERTZ = 120.0  # below it is hum and rumble, which telephones do not carry
WIDE_HERTZ = 4400.0  # what is above came over a wide-band codec
SECOND = 0.1  # share of the strongest pitch that a second one has at least
BATCH = 500  # windows at a time: memory stays small


@dataclass(frozen=True, slots=True)
class Spectra:
    """Of each window (they start `hop` samples apart): level in dBFS, share of its power that is in its two strongest
    pitches, those pitches in Hz (lower one first; the same twice when there is only one), and the power (mean square)
    above `WIDE_HERTZ`."""

    hop: int
    window: int
    levels: Levels
    pure: npt.NDArray[np.float32]
    low: npt.NDArray[np.float32]
    high: npt.NDArray[np.float32]
    wide: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.levels)


def spectra(sound: Sound) -> Spectra:
    """Nothing for a sound shorter than a window."""
    hop, window = round(HOP_SECONDS * sound.rate), round(WINDOW_SECONDS * sound.rate)
    if len(sound.samples) < window:
        nothing = np.zeros(0, np.float32)
        return Spectra(hop, window, nothing, nothing, nothing, nothing, nothing)
    windows = np.lib.stride_tricks.sliding_window_view(sound.samples, window)[::hop]
    parts = [_measured(windows[at : at + BATCH], sound.rate) for at in range(0, len(windows), BATCH)]
    levels, pure, low, high, wide = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Spectra(hop, window, levels, pure, low, high, wide)


def _measured(windows: npt.NDArray[np.float32], rate: int) -> tuple[npt.NDArray[np.float32], ...]:
    length = windows.shape[1]
    shape = np.hanning(length).astype(np.float32)
    power = np.square(np.abs(np.fft.rfft(windows * shape))).astype(np.float32)
    power *= np.float32(2.0 / (length * float(np.square(shape).sum())))  # a line's share of the mean square
    per_hertz = length / rate
    wide = power[:, int(WIDE_HERTZ * per_hertz) :].sum(axis=1)
    power[:, : int(LOWEST_HERTZ * per_hertz)] = 0
    whole = power.sum(axis=1)
    rows = np.arange(len(power))
    first, first_power = _strongest(power, rows)
    second, second_power = _strongest(power, rows)
    second = np.where(second_power > SECOND * first_power, second, first)
    with np.errstate(divide="ignore", invalid="ignore"):
        pure = np.nan_to_num((first_power + second_power) / whole)
    return (
        decibels(whole),
        pure.astype(np.float32),
        (np.minimum(first, second) / per_hertz).astype(np.float32),
        (np.maximum(first, second) / per_hertz).astype(np.float32),
        wide.astype(np.float32),
    )


def _strongest(
    power: npt.NDArray[np.float32], rows: npt.NDArray[np.intp]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """The strongest pitch of each row, in lines (a fraction between two), and its power; it is taken out of `power`."""
    peak = np.clip(power.argmax(axis=1), 2, power.shape[1] - 3)
    lobe = peak[:, None] + np.arange(-2, 3)  # a pitch is four lines wide in such a window
    found = power[rows[:, None], lobe]
    total = found.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        place = np.where(total > 0, (found * lobe).sum(axis=1) / total, peak)
    power[rows[:, None], lobe] = 0
    return place.astype(np.float32), total
