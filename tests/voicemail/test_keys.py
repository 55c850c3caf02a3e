"""Keys that come as SIP INFO."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from denwa.voicemail.keys import KEYS, key_of_info


def info(kind: str, body: str, method: str = "INFO", name: str = "Content-Type") -> str:
    return (
        f"{method} sip:lease@127.0.0.1:5062 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1\r\n{name}: {kind}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    )


@pytest.mark.parametrize(
    ("kind", "body", "key"),
    [
        ("application/dtmf-relay", "Signal=#\r\nDuration=160\r\n", "#"),
        ("application/dtmf-relay", "Signal= 5\r\nDuration= 160", "5"),
        ("Application/DTMF-Relay; charset=utf-8", "signal=*\nduration=100\n", "*"),
        ("application/dtmf-relay", "Duration=100\r\nSignal=11\r\n", "#"),
        ("application/dtmf-relay", "Signal=pound\r\n", "#"),
        ("application/dtmf-relay", "Duration=100\r\n", ""),
        ("application/dtmf-relay", "Signal=12345\r\n", ""),
        ("application/dtmf", "#", "#"),
        ("application/dtmf", "10\r\n", "*"),
        ("application/dtmf", "0", "0"),
        ("application/dtmf", "", ""),
        ("text/plain", "#", ""),
    ],
)
def test_key_is_read_from_either_kind_of_info(kind: str, body: str, key: str) -> None:
    assert key_of_info(info(kind, body)) == key


def test_short_name_of_the_content_type_is_read() -> None:
    assert key_of_info(info("application/dtmf", "9", name="c")) == "9"


def test_only_info_holds_keys() -> None:
    assert key_of_info(info("application/dtmf", "#", method="MESSAGE")) == ""


@given(st.text(max_size=200), st.text(max_size=40))
def test_whatever_comes_is_one_key_or_none(kind: str, body: str) -> None:
    for message in (info(kind, body), info("application/dtmf-relay", body), body):
        assert key_of_info(message) in ("", *KEYS)
