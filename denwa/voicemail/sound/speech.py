"""Where somebody speaks: louder than the line, and no tone."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from denwa.voicemail.sound.samples import SILENT, Levels, Sound, decibels
from denwa.voicemail.sound.spectra import HOP_SECONDS, WIDE_HERTZ, Spectra, spectra
from denwa.voicemail.sound.tones import Mask, tonal

QUIETEST = -55.0  # dBFS; below it nobody is understood
ABOVE_NOISE = 7.0  # dB by which speech is louder than the noise of its line
NOISE_SPREAD = 3.0  # dB between the quietest windows if they are noise and not the soft parts of speech
BELOW_SPEECH = 14.0  # dB by which it is softer than the loudest words then
CAUTIOUS = -42.0  # dBFS; without a clear noise nothing louder than this is taken for silence
FLAT = 6.0  # dB; a sound that is never louder or softer by more is a line's noise, a fan, a tone
LINGER = 2  # windows: pauses up to so long belong to the speech around them when it is measured
LONE = 2  # windows: what is shorter is a click
WIDE = -52.0  # dB of the whole; the share above WIDE_HERTZ that a narrow-band call never has


@dataclass(frozen=True, slots=True)
class Speech:
    """`seconds` of speech; the samples from `first` to `last` hold it all; its `level` and that of the `noise` around
    it in dBFS; `wide`: it has pitches that only a wide-band call carries. Nobody spoke: `seconds` is 0."""

    seconds: float
    first: int
    last: int
    level: float
    noise: float
    wide: bool


NOBODY = Speech(0.0, 0, 0, SILENT, SILENT, wide=False)


def find_speech(sound: Sound, pad: float = 0.3) -> Speech:
    """Speech with up to `pad` seconds of what is before and after it, but nothing of a tone."""
    found = spectra(sound)
    if not len(found):
        return NOBODY
    tones = tonal(found, QUIETEST)
    levels = found.levels
    bar, noise = judged(levels[~tones])
    active = _without_clicks((levels > bar) & ~tones)
    if not active.any():
        return NOBODY
    first, last = _extent(active, tones, found, round(pad * sound.rate))
    power = float(np.mean(10.0 ** (levels[active] / 10.0)))
    return Speech(
        seconds=float(_bridged(active, tones).sum() * HOP_SECONDS),
        first=first,
        last=min(last, len(sound.samples)),
        level=float(decibels(np.asarray(power))),
        noise=noise,
        wide=_is_wide(found, active, sound.rate),
    )


def judged(levels: Levels) -> tuple[float, float]:
    """dBFS above which somebody speaks, and those of the line's noise (`SILENT` if it cannot be told from soft words).
    `levels`: of all windows that are no tone."""
    if not len(levels):
        return QUIETEST, SILENT
    quietest, low, loudest = (float(value) for value in np.percentile(levels, (5, 20, 97)))
    if loudest - quietest < FLAT:
        return max(QUIETEST, loudest + ABOVE_NOISE), loudest
    if low - quietest < NOISE_SPREAD and loudest - low > BELOW_SPEECH:
        return max(QUIETEST, low + ABOVE_NOISE), low
    return max(QUIETEST, min(CAUTIOUS, low + ABOVE_NOISE)), SILENT


def _without_clicks(active: Mask) -> Mask:
    kept = active.copy()
    for start, end in _runs(active):
        if end - start <= LONE:
            kept[start:end] = False
    return kept


def _bridged(active: Mask, tones: Mask) -> Mask:
    """With the short pauses within words."""
    filled = active.copy()
    runs = _runs(active)
    for (_, end), (start, _) in itertools.pairwise(runs):
        if start - end <= LINGER and not tones[end:start].any():
            filled[end:start] = True
    return filled


def _extent(active: Mask, tones: Mask, found: Spectra, pad: int) -> tuple[int, int]:
    """Samples from which and to which the sound is kept."""
    places = np.flatnonzero(active)
    start, end = int(places[0]), int(places[-1])
    before, after = np.flatnonzero(tones[:start]), np.flatnonzero(tones[end + 1 :])
    first = max(0, start * found.hop - pad)
    if len(before):
        first = max(first, int(before[-1]) * found.hop + found.window)
    last = end * found.hop + found.window + pad
    if len(after):
        last = min(last, (end + 1 + int(after[0])) * found.hop + found.window // 4)
    return min(first, start * found.hop + found.window // 2), last


def _is_wide(found: Spectra, active: Mask, rate: int) -> bool:
    if rate <= 2 * WIDE_HERTZ:
        return False
    whole = float(np.mean(10.0 ** (found.levels[active] / 10.0)))
    return bool(float(found.wide[active].mean()) > whole * 10.0 ** (WIDE / 10.0))


def _runs(mask: Mask) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
