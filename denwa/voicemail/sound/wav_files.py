"""WAV in the forms that people have, to samples, and samples to the one form that is kept: 16-bit, one channel (V5)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from denwa.voicemail.sound.faults import SoundFault
from denwa.voicemail.sound.samples import Sound, to_16_bit

LOWEST_RATE, HIGHEST_RATE = 8000, 48000
MOST_CHANNELS = 2

_PCM, _FLOAT, _A_LAW, _MU_LAW, _EXTENSIBLE = 1, 3, 6, 7, 0xFFFE
_NAMES = {2: "ADPCM", _A_LAW: "A-law", _MU_LAW: "μ-law", 0x11: "IMA ADPCM", 0x31: "GSM", 0x55: "MP3", 0xFF: "AAC"}
_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")


@dataclass(frozen=True, slots=True)
class _Form:
    kind: int
    channels: int
    rate: int
    bits: int

    @property
    def frame_bytes(self) -> int:
        return self.channels * self.bits // 8


def read_wav(data: bytes, longest: float = float("inf")) -> Sound:
    """8 to 48 kHz, mono or stereo (mixed), 8, 16, 24 or 32 bit, or 32- or 64-bit float.

    A `data` size that is 0 or too large (a recorder that was killed, a stream) means "to the end of the file".
    Raises SoundFault: another form, no sound in it, or more than `longest` seconds.
    """
    form, sound = _chunks(data)
    _check(form)
    frames = len(sound) // form.frame_bytes
    if frames == 0:
        raise SoundFault("there is no sound in it")
    if frames > longest * form.rate:
        raise SoundFault(f"it is {frames / form.rate:.1f} s long; at most {longest:g} s can be used")
    values = _values(sound[: frames * form.frame_bytes], form)
    mixed = values.reshape(frames, form.channels).mean(axis=1, dtype=np.float32)
    return Sound(np.clip(np.nan_to_num(mixed), -1.0, 1.0), form.rate)


def wav_bytes(sound: Sound) -> bytes:
    """A whole WAV file, 16-bit, one channel."""
    data = to_16_bit(sound)
    riff, byte_rate = _HEADER.size - 8 + len(data), sound.rate * 2
    sizes = (16, 1, 1, sound.rate, byte_rate, 2, 16)
    return _HEADER.pack(b"RIFF", riff, b"WAVE", b"fmt ", *sizes, b"data", len(data)) + data


def _chunks(data: bytes) -> tuple[_Form, bytes]:
    if len(data) < 12 or data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise SoundFault("not a WAV file")
    form, at = None, 12
    while at + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        at += 8
        if name == b"fmt ":
            form = _form(data[at : at + size])
        elif name == b"data":
            if form is None:
                raise SoundFault("a damaged WAV file: it does not say what its sound is")
            return form, data[at : at + size] if size else data[at:]
        at += size + size % 2
    raise SoundFault("a damaged WAV file: the part with the sound is missing")


def _form(chunk: bytes) -> _Form:
    if len(chunk) < 16:
        raise SoundFault("a damaged WAV file: its description of the sound is cut off")
    kind, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", chunk)
    if kind == _EXTENSIBLE and len(chunk) >= 26:
        kind = struct.unpack_from("<H", chunk, 24)[0]
    return _Form(kind, channels, rate, bits)


def _check(form: _Form) -> None:
    if form.kind not in (_PCM, _FLOAT):
        name = _NAMES.get(form.kind, f"format {form.kind}")
        raise SoundFault(f"the sound is compressed ({name}); save it as PCM")
    if not 1 <= form.channels <= MOST_CHANNELS:
        raise SoundFault(f"{form.channels} channels; it must be mono or stereo")
    if not LOWEST_RATE <= form.rate <= HIGHEST_RATE:
        raise SoundFault(f"{form.rate} Hz; it must be {LOWEST_RATE} to {HIGHEST_RATE} Hz")
    if form.bits not in ((8, 16, 24, 32) if form.kind == _PCM else (32, 64)):
        kind = "PCM" if form.kind == _PCM else "float"
        raise SoundFault(f"{form.bits}-bit {kind}; it must be 8, 16, 24 or 32-bit PCM, or 32 or 64-bit float")


def _values(data: bytes, form: _Form) -> npt.NDArray[np.float32]:
    if form.kind == _FLOAT:
        with np.errstate(all="ignore"):  # a 64-bit value can be more than 32 bits hold: it is cut at full scale
            return np.frombuffer(data, f"<f{form.bits // 8}").astype(np.float32)
    if form.bits == 8:  # the only one without a sign
        return (np.frombuffer(data, np.uint8).astype(np.float32) - 128.0) / np.float32(128.0)
    if form.bits == 24:
        wide = np.zeros((len(data) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        return wide.view("<i4")[:, 0].astype(np.float32) / np.float32(2.0**31)
    return np.frombuffer(data, f"<i{form.bits // 8}").astype(np.float32) / np.float32(2.0 ** (form.bits - 1))
