"""Sound of tests: speech-like samples, reading, and how much of a sample is in a recording.

A pure tone does not survive the speech codecs (GSM, iLBC, Speex), so samples are voices: harmonics of a moving pitch
through moving formants, in syllables. Two seeds give two voices that do not correlate.
"""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt

RATE = 8000
_WINDOW = 1600  # samples: 0.2 s, long enough to tell voices apart, short enough to lie between slips on a busy machine
Samples = npt.NDArray[np.float64]


def write_voice(path: Path, seconds: float, seed: int, *, breathless: bool = False) -> Path:
    """A voice of its own for each seed, 16-bit mono 8 kHz; `breathless`: without a pause between syllables."""
    chance = np.random.default_rng(seed)
    syllables = [_syllable(chance, 0.5 if breathless else 0) for _ in range(int(seconds / 0.15) + 2)]
    sound = np.concatenate(syllables)[: int(seconds * RATE)]
    write_wav(path, sound / np.abs(sound).max() * 16_000)
    return path


def _syllable(chance: np.random.Generator, softest: float) -> Samples:
    length = int(chance.uniform(0.15, 0.3) * RATE)
    at = np.arange(length) / RATE
    pitch = chance.uniform(100, 220) * (1 + chance.uniform(-0.3, 0.3) * at / at[-1])
    phase = 2 * np.pi * np.cumsum(pitch) / RATE + chance.uniform(0, 6)
    formants = [chance.uniform(300, 900), chance.uniform(1000, 2200), chance.uniform(2300, 3200)]
    sound = np.zeros(length)
    for harmonic in range(1, 16):
        frequency = harmonic * pitch
        gain = sum(np.exp(-(((frequency - f) / 180) ** 2)) / (1 + n) for n, f in enumerate(formants))
        sound += gain * np.sin(harmonic * phase) * (frequency < 3400)
    loudness = np.maximum(np.sin(np.pi * np.arange(length) / length) ** 0.5, softest) * chance.uniform(0.4, 1)
    return np.asarray(sound * loudness)


def write_wav(path: Path, samples: Samples) -> None:
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(np.clip(samples, -32767, 32767).astype("<i2").tobytes())


def write_mulaw(path: Path, source: Path) -> Path:
    """The raw µ-law file (ITU-T G.711) that SIPp's rtp_stream plays."""
    linear = read_wav(source).astype(int)
    magnitude = np.minimum(np.abs(linear), 32635) + 132
    segment = np.log2(magnitude).astype(int) - 7
    code = (linear < 0) * 0x80 | segment << 4 | magnitude >> (segment + 3) & 0x0F
    path.write_bytes((~code & 0xFF).astype(np.uint8).tobytes())
    return path


def read_wav(path: Path) -> Samples:
    """Samples at 8 kHz. Raises wave.Error for a file that is no WAV, ValueError for one that is not 16-bit mono."""
    with wave.open(str(path)) as sound:
        if (sound.getsampwidth(), sound.getnchannels()) != (2, 1):
            raise ValueError(f"{path}: {sound.getparams()}")
        frames, rate = sound.readframes(sound.getnframes()), sound.getframerate()
    samples = np.frombuffer(frames, "<i2").astype(float)
    if rate == RATE:
        return samples
    length = len(samples) * RATE // rate  # band-limited: what 8 kHz cannot carry is cut off
    return np.asarray(np.fft.irfft(np.fft.rfft(samples)[: length // 2 + 1], length) * RATE / rate)


def seconds(path: Path) -> float:
    with wave.open(str(path)) as sound:
        return float(sound.getnframes() / sound.getframerate())


def likeness(recording: Path, sample: Path) -> float:
    """How well the sound in `recording` is sound of `sample` (looped): 0 (another voice, or silence) to 1.

    The recording's windows are placed one by one, because a jitter buffer may drop or repeat a frame between two of
    them. Returned is the median over the windows that have sound in them, 0 when there are fewer than two.
    """
    said = read_wav(sample)
    return _placed(read_wav(recording), np.concatenate([said, said]))


def contains(recording: Path, sample: Path) -> float:
    """How well the whole `sample` is found somewhere in `recording`, which may hold other sound too: 0 to 1."""
    return _placed(read_wav(sample), read_wav(recording))


def _placed(pieces: Samples, whole: Samples) -> float:
    windows = [pieces[at : at + _WINDOW] for at in range(0, len(pieces) - _WINDOW + 1, _WINDOW)]
    voiced = [w for w in windows if np.sqrt((w**2).mean()) > 300]
    if len(voiced) < 2 or len(whole) < _WINDOW:
        return 0.0
    return float(np.median([_correlation(whole, w).max() for w in voiced]))


def where(recording: Path, sample: Path) -> float:
    """Seconds into `recording` at which `sample` starts (best place for its first second)."""
    heard, said = read_wav(recording), read_wav(sample)[:RATE]
    return int(_correlation(heard, said).argmax()) / RATE


def _correlation(heard: Samples, piece: Samples) -> Samples:
    size = 1 << int(np.ceil(np.log2(len(heard) + len(piece))))
    product = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(piece, size))
    cross = np.fft.irfft(product, size)[: max(len(heard) - len(piece) + 1, 1)]
    energy = np.concatenate([[0.0], np.cumsum(heard**2)])
    local = energy[len(piece) :] - energy[: len(energy) - len(piece)]
    # Silence would be divided by nothing and could look like anything: ask for some energy.
    floor = max(float((piece**2).sum()) * 0.01, 1.0)
    return np.asarray(cross / np.sqrt(np.maximum(local, floor) * (piece**2).sum()))
