"""What becomes of a recording: the caller's words, audible, without the silence and the tones around them (V5)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from denwa.voicemail.sound.resampling import resampled
from denwa.voicemail.sound.samples import SILENT, Samples, Sound, ratio
from denwa.voicemail.sound.speech import Speech, find_speech
from denwa.voicemail.sound.tones import key_tail

NARROW_RATE, WIDE_RATE = 8000, 16000
LEAST_SPEECH = 1.0  # seconds; with less it is a call notice and no message

TARGET = -20.0  # dBFS of the speech, as the shipped prompts have it
MOST_GAIN, LEAST_GAIN = 24.0, -6.0  # dB
LOUDEST_NOISE = -45.0  # dBFS to which noise may be made louder
HEADROOM = 0.85  # of full scale, for all but the sharpest peaks ...
KNEE = 0.8  # ... which are bent, not cut, from here on
PEAK_SHARE = 99.95  # per cent of the samples that are below the peak that is meant


@dataclass(frozen=True, slots=True)
class Treated:
    """`sound`: what is kept; None when there is no message in it. `speech`: seconds of it."""

    sound: Sound | None
    speech: float


def treat(recording: Sound, *, wide: bool) -> Treated:
    """At 8 kHz; `wide`: at 16 kHz if it was recorded so and sounds so. The result treated again changes little."""
    if not len(recording.samples):
        return Treated(None, 0.0)
    sound = Sound(recording.samples - recording.samples.mean(), recording.rate)
    sound = Sound(sound.samples[: len(sound.samples) - key_tail(sound)], sound.rate)
    speech = find_speech(sound)
    if speech.seconds < LEAST_SPEECH:
        return Treated(None, speech.seconds)
    kept = Sound(sound.samples[speech.first : speech.last], sound.rate)
    if sound.rate != NARROW_RATE and not (wide and speech.wide and sound.rate == WIDE_RATE):
        kept = resampled(kept, NARROW_RATE)
    return Treated(audible(kept, speech), speech.seconds)


def audible(sound: Sound, speech: Speech) -> Sound:
    """Its speech at `TARGET`, if that makes no noise loud; nothing is clipped."""
    louder = bent(sound.samples * np.float32(ratio(gain(sound.samples, speech))))
    return Sound(louder, sound.rate)


def gain(samples: Samples, speech: Speech) -> float:
    """Decibels by which the sound is made louder, or softer."""
    wanted = TARGET - speech.level
    if speech.noise > SILENT:
        wanted = min(wanted, max(0.0, LOUDEST_NOISE - speech.noise))
    peak = float(np.percentile(np.abs(samples), PEAK_SHARE))
    if peak > 0:
        wanted = min(wanted, 20.0 * float(np.log10(HEADROOM / peak)))
    return min(MOST_GAIN, max(LEAST_GAIN, wanted))


def bent(samples: Samples) -> Samples:
    """Peaks above `KNEE` bent so that none reaches full scale."""
    size = np.abs(samples)
    room = np.float32(1.0 - KNEE)
    soft = np.float32(KNEE) + room * np.tanh((size - np.float32(KNEE)) / room) * np.float32(0.99)
    return np.where(size > KNEE, np.copysign(soft, samples), samples).astype(np.float32)
