"""The payment card of a contract: a token, and the numbers on it (L1, T7)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from denwa.contracts.desk import Application, Desk
from denwa.contracts.faults import ContractFault, Reason
from denwa.contracts.payment_card import check_card_token, masked
from denwa.contracts.subscriber import Act
from tests.contracts.desks import NOW, application

TOKEN = "tok_4f9c-A17e"


@pytest.mark.parametrize("number", ["4111111111111111", "4111-1111-1111-1111", "5555555555554444", "378282246310005"])
def test_a_card_number_is_refused_as_a_token_and_not_repeated(number: str) -> None:  # L1
    with pytest.raises(ContractFault) as refused:
        check_card_token(number)
    assert refused.value.reason is Reason.BAD_VALUE
    assert number not in str(refused.value)


@pytest.mark.parametrize("token", [TOKEN, "4111111111111112", "12345", "x" * 200])
def test_a_token_is_taken_as_it_is(token: str) -> None:
    assert check_card_token(token) == token


@pytest.mark.parametrize("token", ["", "two words", "x" * 201, "トークン"])
def test_what_cannot_be_a_token_is_refused(token: str) -> None:
    with pytest.raises(ContractFault):
        check_card_token(token)


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=200))
def test_a_shown_token_gives_at_most_four_signs_away(token: str) -> None:
    shown = masked(token)
    assert len(shown) <= 5
    assert token not in shown or not token


def test_a_sixth_number_on_one_card_is_refused_cancelled_ones_counted(desk: Desk) -> None:  # T7, 約款 第9条 2 (1)
    numbers = []
    for _ in range(5):
        numbers.append(desk.add(_with_card(), "test", NOW)[0].number)
    desk.move(numbers[0], Act.TERMINATE, "test", NOW)
    with pytest.raises(ContractFault) as refused:
        desk.add(_with_card(), "test", NOW)
    assert refused.value.reason is Reason.CARD_FULL
    assert len(list(desk.store.each())) == 5
    desk.add(application(number="", card_token="another-token"), "test", NOW)
    sixth, _ = desk.add(_with_card(), "test", NOW, whatever_the_card=True)  # 約款 第9条 4
    with desk.store.changing("test", NOW) as unit:
        assert unit.numbers_on_card(TOKEN) == [*numbers, sixth.number]


def test_the_token_stands_in_no_log_and_no_repr(desk: Desk) -> None:
    added, _ = desk.add(_with_card(), "test", NOW)
    desk.change(added.number, {"card_token": "tok_other_one_of_mine"}, "test", NOW)
    assert desk.find(added.number).card_token == "tok_other_one_of_mine"
    shown = repr(desk.find(added.number)) + "".join(entry.what for entry in desk.store.changes(added.number))
    assert "tok_" not in shown
    assert desk.store.changes(added.number)[-1].what == "card_token"


def _with_card() -> Application:
    return application(number="", card_token=TOKEN)
