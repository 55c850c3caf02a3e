"""How a sound is sealed: AES-256-GCM over the whole WAV. Pure.

    4 bytes "DWS1" · 8 bytes key id · 12 bytes nonce · the sealed WAV with its tag

The first 12 bytes and the sound's key in the store are authenticated with it: a sound opens only where it was put.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from denwa.voicemail.sound_store.faults import SealFault

KEY_BYTES = 32
NONCE_BYTES = 12
_MAGIC = b"DWS1"
_ID_BYTES = 8
_HEAD = len(_MAGIC) + _ID_BYTES
_PLAIN = b"RIFF"  # stored before sounds were sealed


@dataclass(frozen=True, slots=True)
class SoundKey:
    """32 secret bytes. `id` names them without telling anything of them."""

    secret: bytes = field(repr=False)

    @property
    def id(self) -> bytes:
        return hashlib.sha256(b"denwa sound key id 1" + self.secret).digest()[:_ID_BYTES]

    @property
    def cipher(self) -> AESGCM:
        return AESGCM(self.secret)


def seal(key: SoundKey, name: str, sound: bytes, nonce: bytes) -> bytes:
    """`name`: the sound's key in the store. `nonce`: 12 random bytes, never the same twice."""
    head = _MAGIC + key.id
    return head + nonce + key.cipher.encrypt(nonce, sound, head + name.encode())


def sealed_with(data: bytes) -> bytes | None:
    """The id of the key that a stored sound needs; None for a plain WAV. Raises SealFault when it is neither."""
    if data[: len(_MAGIC)] == _MAGIC and len(data) >= _HEAD + NONCE_BYTES:
        return data[len(_MAGIC) : _HEAD]
    if data[: len(_PLAIN)] == _PLAIN:
        return None
    raise SealFault("neither a sealed sound nor a WAV file")


def unseal(key: SoundKey, name: str, data: bytes) -> bytes:
    """The WAV. Raises SealFault when one bit of it, or its name, is another than when it was sealed."""
    nonce = data[_HEAD : _HEAD + NONCE_BYTES]
    try:
        return key.cipher.decrypt(nonce, data[_HEAD + NONCE_BYTES :], data[:_HEAD] + name.encode())
    except InvalidTag:
        raise SealFault("it was changed, or belongs to another message") from None
