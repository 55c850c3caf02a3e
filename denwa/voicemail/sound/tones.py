"""Tones of telephone networks: busy, congestion, ringing, "number not in use", fax, and the tones of keys.

A tone is one or two pitches that stay where they are and as loud as they are. Voices have more pitches than two, and
move; only a hum comes near, and its pitch is below every tone's.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from denwa.voicemail.sound.samples import SILENT, Samples, Sound
from denwa.voicemail.sound.spectra import Spectra

Mask = npt.NDArray[np.bool_]

PURE = 0.9  # share of the power in two pitches; what speech codecs and lines add is in the rest
LOWEST_HERTZ = 340.0  # dial tones begin at 350, Japan's tones are 400 Hz (事業用電気通信設備規則 別表第5号)
STEADY_HERTZ = 12.0  # how far a pitch may stray; less than one line of the spectrum
STEADY_DECIBEL = 9.0  # ringing tone is modulated, to a third at 16 Hz
SHORTEST = 0.16  # seconds; congestion tones are 0.25 s long, and their edges are not counted
EDGE = 3  # windows that hold the beginning or end of a tone and are not pure therefore

ROWS, COLUMNS = (697.0, 770.0, 852.0, 941.0), (1209.0, 1336.0, 1477.0, 1633.0)  # ITU-T Q.23
KEY_WINDOW, KEY_HOP = 0.032, 0.008  # seconds
KEY_PURE = 0.8
KEY_TAIL = 0.8  # seconds at the end of a sound in which a key is looked for
KEY_GAP = 0.12  # seconds that may follow the key's tone
KEY_TWIST = 0.04  # least share of power of the weaker of both pitches against the stronger


def tonal(found: Spectra, quiet: float) -> Mask:
    """The windows that are a tone, or its edge. `quiet`: dBFS below which nothing is one."""
    pure = (found.pure >= PURE) & (found.low >= LOWEST_HERTZ) & (found.levels > quiet)
    mask = np.zeros(len(found), np.bool_)
    shortest = max(2, round(SHORTEST / 0.02))
    at = 0
    while at < len(found):
        if not pure[at]:
            at += 1
            continue
        end = _steady_until(found, pure, at)
        if end - at >= shortest:
            mask[at:end] = True
            _add_edges(mask, found, at, end)
        at = end
    return mask


def key_tail(sound: Sound) -> int:
    """Samples at the end of the sound that are the tone of a telephone's key (the `#` that ended it); 0: none."""
    tail = sound.samples[-int(KEY_TAIL * sound.rate) :]
    hop, window = int(KEY_HOP * sound.rate), int(KEY_WINDOW * sound.rate)
    if len(tail) < window:
        return 0
    windows = np.lib.stride_tricks.sliding_window_view(tail, window)[::hop]
    keys = _keys(windows, sound.rate)
    last = np.flatnonzero(keys)
    if not len(last) or len(tail) - (last[-1] * hop + window) > KEY_GAP * sound.rate:
        return 0
    first = last[-1]
    while first > 0 and keys[first - 1]:
        first -= 1
    if last[-1] - first < 1:  # one window alone is a chance hit
        return 0
    onset = max(0, first * hop - window // 2)  # the tone began in a window before the first that is pure
    return len(tail) - int(onset)


def _steady_until(found: Spectra, pure: Mask, at: int) -> int:
    end = at
    while (
        end < len(found)
        and pure[end]
        and abs(found.low[end] - found.low[at]) <= STEADY_HERTZ
        and abs(found.high[end] - found.high[at]) <= STEADY_HERTZ
        and abs(found.levels[end] - found.levels[at + (end - at) // 2]) <= STEADY_DECIBEL
    ):
        end += 1
    return max(end, at + 1)


def _add_edges(mask: Mask, found: Spectra, start: int, end: int) -> None:
    """The windows beside a tone that are not louder than it: more than the tone in them is something else."""
    loudest = found.levels[start:end].max() + 1.0
    for beside in (range(start - 1, max(start - 1 - EDGE, -1), -1), range(end, min(end + EDGE, len(found)))):
        for place in beside:
            if found.levels[place] > loudest:
                break
            mask[place] = True


def _keys(windows: Samples, rate: int) -> Mask:
    """Which windows hold the two pitches of a key and little else."""
    length = windows.shape[1]
    shape = np.hanning(length).astype(np.float32)
    at = np.arange(length) / rate
    waves = np.exp(-2j * np.pi * np.outer([*ROWS, *COLUMNS], at)).astype(np.complex64) * shape
    shaped = windows.astype(np.float32)
    each = np.square(np.abs(shaped @ waves.T)) * (2.0 / float(shape.sum()) ** 2)  # mean square of each pitch
    whole = np.square(shaped * shape).sum(axis=1) / float(np.square(shape).sum())
    row, column = each[:, :4].max(axis=1), each[:, 4:].max(axis=1)
    weaker, stronger = np.minimum(row, column), np.maximum(row, column)
    audible = whole > 10 ** ((SILENT / 2 + 10) / 10)  # -50 dBFS
    found: Mask = audible & (row + column >= KEY_PURE * whole) & (weaker >= KEY_TWIST * stronger)
    return found
