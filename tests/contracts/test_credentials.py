"""SIP account, password and HA1 (N2)."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from denwa.contracts.credentials import account_of, check_sip_password, generate_sip_password, ha1
from denwa.contracts.faults import ContractFault, Reason


def test_account_is_the_eight_digits_after_050() -> None:
    assert account_of("+815050010001") == "50010001"  # N2


@pytest.mark.parametrize("number", ["+81312345678", "+8150500100012", "+8150500100", "+15050010001", "+8150abcdefgh"])
def test_only_an_050_number_has_an_account(number: str) -> None:
    with pytest.raises(ContractFault) as refused:
        account_of(number)
    assert refused.value.reason is Reason.NOT_OWN_NUMBER


def test_ha1_is_that_of_rfc_7616() -> None:
    # RFC 7616 §3.9.1: user "Mufasa", realm "http-auth@example.org", password "Circle of Life".
    by_md5, by_sha256 = ha1("Mufasa", "http-auth@example.org", "Circle of Life")
    assert by_md5 == "3d78807defe7de2157e2b0b6573a855f"
    nonce, cnonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    ha2 = hashlib.sha256(b"GET:/dir/index.html").hexdigest()
    response = hashlib.sha256(f"{by_sha256}:{nonce}:00000001:{cnonce}:auth:{ha2}".encode()).hexdigest()
    assert response == "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"


@given(st.binary(min_size=16, max_size=16))
def test_generated_password_is_sixteen_signs_that_every_phone_can_enter(random: bytes) -> None:
    password = generate_sip_password(lambda length: random[:length])
    assert len(password) == 16
    assert check_sip_password(password) == password
    assert not set(password) & set("lo01")  # mistaken for one another


def test_generated_password_holds_80_bits() -> None:
    signs = {generate_sip_password(lambda length, byte=byte: bytes([byte]) * length)[0] for byte in range(256)}
    assert len(signs) == 32  # 5 bits a sign, each equally likely: 256 is a multiple of 32


@pytest.mark.parametrize("password", ["", "with space", "パスワード", "x" * 129, "tab\t"])
def test_a_password_that_phones_would_hash_differently_is_refused(password: str) -> None:
    with pytest.raises(ContractFault) as refused:
        check_sip_password(password)
    assert password not in str(refused.value) or not password
