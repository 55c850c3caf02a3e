"""A subscriber's own greeting, from whatever was given: as loud as the service's prompts, without silence around it."""

from __future__ import annotations

from denwa.voicemail.sound.faults import SoundFault
from denwa.voicemail.sound.message import NARROW_RATE, WIDE_RATE, audible
from denwa.voicemail.sound.resampling import resampled
from denwa.voicemail.sound.samples import Sound
from denwa.voicemail.sound.speech import find_speech
from denwa.voicemail.sound.tones import key_tail
from denwa.voicemail.sound.wav_files import read_wav

LONGEST = 60.0  # seconds
LEAST_SPEECH = 0.5  # seconds


def prepared(data: bytes) -> Sound:
    """From a WAV file (`read_wav`), for `wav_bytes`: 16 kHz, or 8 kHz if the file has no more. Raises SoundFault."""
    given = read_wav(data, LONGEST)
    sound = resampled(given, WIDE_RATE if given.rate >= WIDE_RATE else NARROW_RATE)
    sound = Sound(sound.samples[: len(sound.samples) - key_tail(sound)], sound.rate)  # recorded by telephone
    speech = find_speech(sound)
    if speech.seconds < LEAST_SPEECH:
        raise SoundFault("nobody is heard in it")
    return audible(Sound(sound.samples[speech.first : speech.last], sound.rate), speech)
