"""The displayable SIP password is sealed with a key outside the database (N2)."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from denwa.contracts.faults import ContractFault, Reason
from denwa.contracts.key_file import KEY_NAME, make_key, read_key
from denwa.contracts.sealing import Seal, pepper
from tests.contracts.desks import KEY, counting_bytes


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=128))
def test_what_was_sealed_opens_to_the_same(password: str) -> None:
    seal = Seal(KEY, counting_bytes())
    sealed = seal.close("50010001", password)
    assert seal.open("50010001", sealed) == password


def test_the_same_password_is_never_sealed_to_the_same_text() -> None:
    seal = Seal(KEY, counting_bytes())
    assert seal.close("50010001", "secret") != seal.close("50010001", "secret")


def test_a_sealed_password_opens_only_for_its_account_and_with_its_key() -> None:
    sealed = Seal(KEY, counting_bytes()).close("50010001", "secret")
    for account, key in (("50010002", KEY), ("50010001", bytes(32))):
        with pytest.raises(ContractFault) as refused:
            Seal(key, counting_bytes()).open(account, sealed)
        assert refused.value.reason is Reason.KEY


@pytest.mark.parametrize("sealed", ["", "AAAA", "not base64!", "A" * 60])
def test_a_damaged_seal_is_a_fault_for_a_person(sealed: str) -> None:
    with pytest.raises(ContractFault, match="cannot be opened"):
        Seal(KEY, counting_bytes()).open("50010001", sealed)


def test_the_key_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    make_key(tmp_path, counting_bytes())
    key = read_key(tmp_path)
    path = tmp_path / KEY_NAME
    assert len(key) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    make_key(tmp_path, lambda _: bytes(32))
    assert read_key(tmp_path) == key
    assert [entry.name for entry in tmp_path.iterdir()] == [KEY_NAME]  # no draft left behind


def test_processes_that_start_at_once_get_one_key(tmp_path: Path) -> None:
    random_bytes = counting_bytes()

    def start(_: int) -> bytes:
        make_key(tmp_path, random_bytes)
        return read_key(tmp_path)

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(start, range(32)))) == 1


@pytest.mark.parametrize("content", ["", "zz", "00" * 31])
def test_a_file_that_is_no_key_is_not_written_over(tmp_path: Path, content: str) -> None:
    (tmp_path / KEY_NAME).write_text(content)
    make_key(tmp_path, counting_bytes())
    with pytest.raises(ContractFault, match=KEY_NAME):
        read_key(tmp_path)
    assert (tmp_path / KEY_NAME).read_text() == content


def test_a_key_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(ContractFault, match="backup") as refused:
        read_key(tmp_path)
    assert refused.value.reason is Reason.KEY


def test_pepper_and_seal_do_not_share_a_key() -> None:
    assert pepper(KEY) != KEY
    with pytest.raises(ContractFault):
        Seal(pepper(KEY), counting_bytes()).open("1", Seal(KEY, counting_bytes()).close("1", "x"))
