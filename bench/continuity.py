"""How much of a sound that was sent in packets is in a recording of it: what is missing, and the longest gap.

The sound must have been sent over a codec that keeps the waveform (PCMU), and be a voice: frames of a pure tone are all
alike. It is compared frame by frame (20 ms), as a telephone sends, loses, and fills in whole packets.
"""

from __future__ import annotations

import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

RATE = 8000
FRAME = 160  # samples of a packet
FRAME_SECONDS = FRAME / RATE
ALIKE = 0.97  # correlation of a frame with what was sent in it; others of a voice are below
WINDOW = 3 * FRAME  # samples by which the borders between packets are found
VOTES, ENOUGH = 12, 3  # windows that are asked, and how many that agree are enough
ROUNDS = 3  # how often a part that does not fit is looked at again
AUDIBLE = 200.0  # RMS: quieter frames cannot be told apart and are not looked for

Samples = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Heard:
    """Seconds. The recording holds the sound from `first` to `last`, but for `missing`, `longest_gap` of it in one."""

    first: float
    last: float
    missing: float
    longest_gap: float

    @property
    def sound(self) -> float:
        """What is there of the sound."""
        return self.last - self.first - self.missing


class Spoken:
    """What was sent (8 kHz), to be looked for in many recordings; it is not repeated in any."""

    def __init__(self, sent: Samples) -> None:
        self._audible = _audible(_frames(sent))
        self._packets = _unit(_frames(sent)).T
        self._size = 1 << int(np.ceil(np.log2(len(sent) + WINDOW)))
        self._spectrum = np.fft.rfft(sent, self._size)
        energy = np.concatenate([[0.0], np.cumsum(sent.astype(float) ** 2)])
        self._level = np.sqrt(np.maximum(energy[WINDOW:] - energy[:-WINDOW], WINDOW * AUDIBLE**2))

    def heard(self, recording: Samples) -> Heard | None:
        """None when nothing of it is in the recording (8 kHz)."""
        found = np.unique(self._found(recording, ROUNDS))
        if not len(found):
            return None
        first, last = int(found[0]), int(found[-1])
        there = np.zeros(len(self._audible), dtype=bool)
        there[found] = True
        gone = (self._audible & ~there)[first : last + 1]
        missing = float(gone.sum()) * FRAME_SECONDS
        return Heard(first * FRAME_SECONDS, (last + 1) * FRAME_SECONDS, missing, _longest(gone))

    def _found(self, recording: Samples, rounds: int) -> Samples:
        """The packets that are in `recording`.

        A jitter buffer that catches up takes out less than a packet, too: what does not fit the borders between packets
        in the rest of the recording is looked at again by itself.
        """
        shift = self._shift(recording)
        if shift is None:
            return np.empty(0, dtype=int)
        recorded = _frames(recording[shift:])
        match = self._matched(recorded)
        found = [match[match >= 0]]
        if rounds and len(found[0]):
            unsure = (match < 0) & _audible(recorded)
            edges = np.flatnonzero(np.diff(np.concatenate([[0], unsure, [0]])))
            for first, last in zip(edges[::2], edges[1::2], strict=True):
                start, end = max(0, shift + (first - 1) * FRAME), shift + (last + 1) * FRAME
                if last - first > 2:
                    found.append(self._found(recording[start:end], rounds - 1))
        return np.concatenate(found)

    def _shift(self, recording: Samples) -> int | None:
        """Samples of the recording before the first border between two packets; None when nothing of it was sent."""
        votes = np.zeros(FRAME, dtype=int)
        count = min(VOTES, max(0, len(recording) - WINDOW) // FRAME + 1)
        for at in np.linspace(0, max(0, len(recording) - WINDOW), count).astype(int):
            piece = recording[at : at + WINDOW]
            if len(piece) < WINDOW or np.abs(piece).max() < AUDIBLE:
                continue
            there = np.fft.irfft(self._spectrum * np.conj(np.fft.rfft(piece, self._size)), self._size)
            alike = there[: len(self._level)] / self._level
            place = int(alike.argmax())
            if alike[place] > ALIKE * np.linalg.norm(piece):
                votes[(at - place) % FRAME] += 1
                if votes.max() == ENOUGH:
                    break
        return int(votes.argmax()) if votes.any() else None

    def _matched(self, recorded: Samples) -> Samples:
        """For each recorded frame the packet that it is, or -1."""
        alike = _unit(recorded) @ self._packets
        best = alike.argmax(axis=1)
        good = (alike[np.arange(len(best)), best] > ALIKE) & _audible(recorded)
        match = np.where(good, best, -1)
        follows = np.concatenate([[False], (match[1:] == match[:-1] + 1) & good[1:] & good[:-1]])
        followed = np.concatenate([follows[1:], [False]])
        return np.where(follows | followed, match, -1)  # two alike in a row are no accident


def read_samples(path: Path) -> Samples:
    with wave.open(str(path)) as sound:
        return np.frombuffer(sound.readframes(sound.getnframes()), "<i2").astype(np.float32)


def _frames(samples: Samples) -> Samples:
    return samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)


def _audible(frames: Samples) -> Samples:
    return np.asarray(np.sqrt((frames**2).mean(axis=1)) > AUDIBLE)


def _unit(frames: Samples) -> Samples:
    return np.asarray(frames / np.maximum(np.linalg.norm(frames, axis=1, keepdims=True), 1e-9))


def _longest(gone: Samples) -> float:
    """Seconds of the longest run of frames that are gone."""
    longest = run = 0
    for one in gone:
        run = run + 1 if one else 0
        longest = max(longest, run)
    return longest * FRAME_SECONDS
