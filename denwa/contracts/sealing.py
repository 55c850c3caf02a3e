"""Sealing of the SIP password that My Page shows (N2): AES-256-GCM under the data folder's key."""

from __future__ import annotations

import base64
import binascii
import hmac

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from denwa.contracts.credentials import RandomBytes
from denwa.contracts.faults import ContractFault, Reason

_NONCE_BYTES = 12
_PURPOSE_SEAL = b"denwa sip password seal 1"
_PURPOSE_PEPPER = b"denwa web password pepper 1"


def derive(key: bytes, purpose: bytes) -> bytes:
    """A 32-byte key for one purpose only (HMAC-SHA-256 as the expand step of RFC 5869)."""
    return hmac.digest(key, purpose + b"\x01", "sha256")


def pepper(key: bytes) -> bytes:
    """What web passwords are mixed with before they are hashed."""
    return derive(key, _PURPOSE_PEPPER)


class Seal:
    """Seals and opens passwords. A sealed text opens only for the account that it was made for."""

    def __init__(self, key: bytes, random_bytes: RandomBytes) -> None:
        self._cipher = AESGCM(derive(key, _PURPOSE_SEAL))
        self._random_bytes = random_bytes

    def close(self, account: str, password: str) -> str:
        nonce = self._random_bytes(_NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, password.encode(), account.encode())
        return base64.b64encode(nonce + sealed).decode()

    def open(self, account: str, sealed: str) -> str:
        """The password; ContractFault(KEY) when the key file is another one or the text was changed."""
        try:
            raw = base64.b64decode(sealed, validate=True)
            return self._cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], account.encode()).decode()
        except (InvalidTag, binascii.Error, ValueError):
            raise ContractFault(
                Reason.KEY, f"the SIP password of {account} cannot be opened with this data folder's key"
            ) from None
