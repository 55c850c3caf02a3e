"""Sealing of sounds: whatever is done to a sealed sound, it opens as it was or not at all."""

from __future__ import annotations

import string
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from denwa.voicemail.sound_store.faults import SealFault
from denwa.voicemail.sound_store.key_file import KeyFile
from denwa.voicemail.sound_store.sealing import KEY_BYTES, NONCE_BYTES, SoundKey, seal, sealed_with, unseal

keys = st.binary(min_size=KEY_BYTES, max_size=KEY_BYTES).map(SoundKey)
nonces = st.binary(min_size=NONCE_BYTES, max_size=NONCE_BYTES)
names = st.from_regex(r"81505[0-9]{7}/[0-9a-f]{8}\.wav", fullmatch=True)


@given(keys, names, st.binary(max_size=300), nonces)
def test_sealed_sound_opens_as_it_was(key: SoundKey, name: str, sound: bytes, nonce: bytes) -> None:
    sealed = seal(key, name, sound, nonce)
    assert sealed_with(sealed) == key.id
    assert unseal(key, name, sealed) == sound


@given(keys, names, st.binary(max_size=100), nonces, st.data())
def test_no_changed_bit_and_no_other_name_opens(
    key: SoundKey, name: str, sound: bytes, nonce: bytes, data: st.DataObject
) -> None:
    sealed = bytearray(seal(key, name, sound, nonce))
    at = data.draw(st.integers(0, len(sealed) - 1))
    sealed[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(SealFault):
        unseal(key, name, bytes(sealed))
    other = data.draw(names.filter(lambda one: one != name))
    with pytest.raises(SealFault):
        unseal(key, other, seal(key, name, sound, nonce))


@given(keys, keys, names, st.binary(max_size=100), nonces)
def test_another_key_opens_nothing_and_has_another_id(
    key: SoundKey, other: SoundKey, name: str, sound: bytes, nonce: bytes
) -> None:
    if key != other:
        assert key.id != other.id
        with pytest.raises(SealFault):
            unseal(other, name, seal(key, name, sound, nonce))


@given(keys, st.binary(max_size=200) | st.binary(max_size=60).map(lambda tail: b"DWS1" + tail))
def test_bytes_of_any_kind_are_a_fault_and_nothing_worse(key: SoundKey, data: bytes) -> None:
    try:
        named = sealed_with(data)
    except SealFault:
        return
    if named is None:
        assert data.startswith(b"RIFF")
        return
    assert len(named) == 8
    with pytest.raises(SealFault):
        unseal(key, "815050010001/a.wav", data)


def test_secret_is_in_no_text_of_a_key() -> None:
    assert "ab" * 8 not in repr(SoundKey(b"\xab" * KEY_BYTES))


@given(st.text(string.printable, max_size=200) | st.binary(max_size=40).map(bytes.hex))
def test_key_file_of_any_content_is_keys_or_a_fault_that_names_it(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "voicemail.key"
        path.write_bytes(text.encode())
        said = str(path)
        try:
            found = KeyFile(path, path.with_name("sealed")).keys()
            good = [len(key.secret) for key in found]
        except SealFault as fault:
            good, said = [KEY_BYTES], str(fault)
    assert set(good) == {KEY_BYTES}
    assert str(path) in said
