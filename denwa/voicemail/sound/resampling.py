"""Another number of frames a second, by the spectrum: what the new rate cannot carry is left out, nothing else."""

from __future__ import annotations

from math import gcd

import numpy as np

from denwa.voicemail.sound.samples import Sound

MARGIN = 0.05  # seconds of silence around the sound, so that its end does not ring into its beginning


def resampled(sound: Sound, rate: int) -> Sound:
    """The same sound at `rate` frames a second; its length changes by less than a frame."""
    if rate == sound.rate or not len(sound.samples):
        return Sound(sound.samples, rate)
    shared = gcd(rate, sound.rate)
    step, new_step = sound.rate // shared, rate // shared
    margin = -(-int(MARGIN * sound.rate) // step) * step
    blocks = -(-(len(sound.samples) + 2 * margin) // step)
    blocks += blocks % 2  # both lengths even: the spectrum's last line has a partner of its own in neither
    old_length, new_length = blocks * step, blocks * new_step
    padded = np.zeros(old_length, np.float32)
    padded[margin : margin + len(sound.samples)] = sound.samples
    spectrum = np.fft.rfft(padded)
    kept = min(old_length, new_length) // 2
    wanted = np.zeros(new_length // 2 + 1, spectrum.dtype)
    wanted[:kept] = spectrum[:kept]
    whole = np.fft.irfft(wanted, new_length) * (new_length / old_length)
    first = margin // step * new_step
    length = round(len(sound.samples) * rate / sound.rate)
    return Sound(whole[first : first + length].astype(np.float32), rate)
