"""Spellings of a number (N3)."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from denwa.numbering import NumberFault, PhoneNumber

TOKYO = "+81312345678"


@pytest.mark.parametrize(
    "text",
    [
        "0312345678",
        "03-1234-5678",
        "(03) 1234-5678",
        "(03)1234-5678",
        "03 1234 5678",
        "03.1234.5678",
        "０３１２３４５６７８",
        "０３－１２３４－５６７８",
        "０３ー１２３４ー５６７８",
        "０３　１２３４　５６７８",
        "+81312345678",
        "+81 3 1234 5678",
        "+81-(0)3-1234-5678",
        "＋８１３１２３４５６７８",
        "%2B81312345678",
        "010-81-3-1234-5678",
        "tel:+81-3-1234-5678",
        "TEL:0312345678",
        "tel:03-1234-5678;phone-context=+81",
        "tel:0312345678;phone-context=denwa.example",
        "0312345678;phone-context=%2B81",
        "sip:0312345678@denwa.example;user=phone",
        "sip:+81312345678@192.0.2.1:5060;user=phone",
        "sips:%2B81312345678@denwa.example",
        "<sip:0312345678@denwa.example;user=phone>",
        " 0312345678\n",
    ],
)
def test_every_form_of_n3_is_the_same_number(text: str) -> None:
    # N3
    assert PhoneNumber.parse(text) == PhoneNumber(TOKYO)


@pytest.mark.parametrize(
    ("e164", "national", "grouped"),
    [
        ("+815050010001", "05050010001", "050-5001-0001"),
        ("+81312345678", "0312345678", "03-1234-5678"),
        ("+81661234567", "0661234567", "06-6123-4567"),
        ("+819012345678", "09012345678", "090-1234-5678"),
        ("+818001234567", "08001234567", "0800-123-4567"),
        ("+81120444113", "0120444113", "0120-444-113"),
        ("+81123456789", "0123456789", "0123456789"),
        ("+813177", "03177", "03177"),
        ("+18085551234", "01018085551234", "010-1-8085551234"),
        ("+33140205050", "01033140205050", "010-33-140205050"),
        ("+85291234567", "01085291234567", "010-852-91234567"),
    ],
)
def test_a_number_is_written_as_it_is_dialled_in_japan(e164: str, national: str, grouped: str) -> None:
    number = PhoneNumber(e164)
    assert number.national() == national
    assert number.grouped() == grouped
    assert PhoneNumber.parse(national) == number
    assert PhoneNumber.parse(grouped) == number


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no number"),
        ("03123", "too short"),
        ("031234567890", "too long"),
        ("110", "area code"),
        ("50010001", "area code"),
        ("#9110", "service"),
        ("0033312345678", "carrier"),
        ("+81+312345678", "'+'"),
        ("alice", "only digits"),
        ("tel:0312345678;phone-context=+1", "phone-context"),
        ("+8101018085551234", "after +81"),
        ("+0312345678", "country code"),
        ("+33", "too short"),
        ("+1234567890123456", "too long"),
        ("0" * 300 + "a", "too long"),
    ],
)
def test_what_is_not_a_number_is_refused_with_a_reason(text: str, reason: str) -> None:
    with pytest.raises(NumberFault, match=reason.replace("+", r"\+")):
        PhoneNumber.parse(text)


@pytest.mark.parametrize("e164", ["", "81312345678", "+0312345678", "+12", "+81３12345678", "+1234567890123456"])
def test_a_number_holds_only_e164(e164: str) -> None:
    with pytest.raises(NumberFault):
        PhoneNumber(e164)


@given(st.text(max_size=40) | st.text(alphabet="0123456789+-*#%();:@=telsip. ０１８４", max_size=40))
@example("%")
@example("+")
@example("²")
@example("tel:")
@example("sip:@")
@example("184+")
@example(";phone-context=")
def test_parse_raises_nothing_but_number_fault(text: str) -> None:
    try:
        number = PhoneNumber.parse(text)
    except NumberFault:
        return
    assert PhoneNumber.parse(number.e164) == number
    assert PhoneNumber.parse(number.national()) == number


_DOMESTIC = st.from_regex(r"\A(0[2-9]0[1-9][0-9]{7}|0[1-9][1-9][0-9]{7})\Z").filter(
    lambda n: not n.startswith(("010", "0200"))
)
_SEPARATOR = st.sampled_from(["", "-", " ", ".", "(", ")", "－", "　", "‐", "ー"])


@given(_DOMESTIC, st.data())
def test_separators_width_and_country_code_do_not_change_a_number(national: str, data: st.DataObject) -> None:
    # N3
    expected = PhoneNumber("+81" + national[1:])
    head = data.draw(st.sampled_from([national, "+81" + national[1:], "+810" + national[1:], "01081" + national[1:]]))
    if data.draw(st.booleans()):
        head = head.translate({ord("0") + n: ord("０") + n for n in range(10)} | {ord("+"): ord("＋")})
    spelled = head[0] + "".join(data.draw(_SEPARATOR) + digit for digit in head[1:])
    uri = data.draw(st.sampled_from(["{}", "tel:{}", "sip:{}@denwa.example;user=phone", "{};phone-context=+81"]))
    assert PhoneNumber.parse(uri.format(spelled)) == expected
