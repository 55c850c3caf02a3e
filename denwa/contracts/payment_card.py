"""The payment card of a contract: a token of the payment service, never the card's number (L1, T7)."""

from __future__ import annotations

from denwa.contracts.faults import ContractFault, Reason

MAX_NUMBERS = 5  # on one card, those of ended contracts counted (約款 第9条 2 (1))
_LONGEST = 200
_CARD_DIGITS = range(12, 20)  # ISO/IEC 7812-1: a card's number has up to 19 digits


def check_card_token(text: str) -> str:
    """1 to 200 visible ASCII signs. What could be a card's number is refused, and never repeated."""
    if not 1 <= len(text) <= _LONGEST or not all("!" <= sign <= "~" for sign in text):
        raise ContractFault(Reason.BAD_VALUE, f"card_token: 1 to {_LONGEST} visible ASCII characters without spaces")
    digits = text.replace("-", "")
    if digits.isdigit() and len(digits) in _CARD_DIGITS and _luhn(digits):
        raise ContractFault(Reason.BAD_VALUE, "card_token: this is a card's number; only a token of it may be kept")
    return text


def check_numbers_on_card(given: int) -> None:
    """ContractFault when a card that `given` numbers were given on gets no further one (約款 第9条 2 (1))."""
    if given >= MAX_NUMBERS:
        raise ContractFault(
            Reason.CARD_FULL,
            f"この支払カードには解約済みを含めて{given}個の番号を付与済みです（約款第9条第2項）: "
            f"the card has had {given} numbers, ended contracts counted; {MAX_NUMBERS} is the most",
        )


def masked(card_token: str) -> str:
    """How a token is shown: its last four signs, if it is long enough that they give nothing away."""
    return f"…{card_token[-4:]}" if len(card_token) >= 12 else "…" if card_token else ""


def _luhn(digits: str) -> bool:
    """The check digit of ISO/IEC 7812-1 Annex B."""
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(map(int, digits[-1::-2])) + sum(doubled)) % 10 == 0
