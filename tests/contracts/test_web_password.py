"""My Page passwords (P1)."""

import pytest

from denwa.contracts.faults import ContractFault
from denwa.contracts.sealing import pepper
from denwa.contracts.web_password import BULK, WebPasswords, check_web_password
from tests.contracts.desks import KEY, counting_bytes

PASSWORDS = WebPasswords(pepper(KEY), counting_bytes())


def test_only_the_right_password_passes() -> None:
    stored = PASSWORDS.hash("正しいパスワード")
    assert stored.startswith("$argon2id$")
    assert PASSWORDS.verify(stored, "正しいパスワード")
    assert not PASSWORDS.verify(stored, "正しいパスワード ")


def test_nobody_logs_in_where_no_password_is_set() -> None:
    assert not PASSWORDS.verify("", "")
    assert not PASSWORDS.verify("$argon2id$broken", "x")


def test_a_copy_of_the_database_without_the_key_allows_no_guessing() -> None:
    stored = PASSWORDS.hash("hello", BULK)
    assert not WebPasswords(pepper(bytes(32)), counting_bytes()).verify(stored, "hello")


def test_a_hash_of_an_import_passes_and_asks_to_be_made_again() -> None:
    quick, strong = PASSWORDS.hash("hello", BULK), PASSWORDS.hash("hello")
    assert PASSWORDS.verify(quick, "hello")
    assert PASSWORDS.outdated(quick)
    assert not PASSWORDS.outdated(strong)


@pytest.mark.parametrize("password", ["", "x" * 257, "line\nfeed"])
def test_passwords_nobody_could_enter_are_refused(password: str) -> None:
    with pytest.raises(ContractFault):
        check_web_password(password)
