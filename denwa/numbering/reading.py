"""What a dialled number turns out to be: a reading, or a refusal with its reason (N4, N5, N6)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, NamedTuple

from denwa.numbering.number import PhoneNumber

CallerId = Literal["default", "hide", "show"]


class NumberClass(StrEnum):
    """The classes of N4 that can be called; the names are those of the files and of the tariff."""

    ON_NET = "on-net"
    PARTNER_050 = "partner-050"
    PAID_050 = "paid-050"
    FIXED = "fixed"
    MOBILE = "mobile"
    INTERNATIONAL = "international"


class Country(NamedTuple):
    """A country or region of the tariff: ISO 3166 code (``US-HI`` where a part is counted apart) and names."""

    code: str
    name: str
    name_en: str


class RefusalReason(StrEnum):
    """Why a dialled number is not called."""

    BARRED_EMERGENCY = "barred-emergency"
    BARRED_SERVICE = "barred-service"
    BARRED_CARRIER = "barred-carrier-prefix"
    BARRED_RANGE = "barred-range"
    COUNTRY_NOT_OFFERED = "country-not-offered"
    UNKNOWN_BLOCK = "unknown-block"
    UNALLOCATED = "unallocated"
    TOO_SHORT = "too-short"
    TOO_LONG = "too-long"
    INVALID = "invalid"


class _Manner(NamedTuple):
    """How a reason is told: SIP status, guidance file, alarm to the operator, text in English and Japanese."""

    sip_status: int
    prompt: str
    alarm: bool
    text: str
    text_ja: str


_MANNERS = {
    RefusalReason.BARRED_EMERGENCY: _Manner(
        403,
        "barred",
        False,
        "emergency numbers (110, 118, 119) cannot be called from this service; use another telephone",
        "このサービスからは緊急通報(110・118・119)ができません。ほかの電話からおかけください。",
    ),
    RefusalReason.BARRED_SERVICE: _Manner(
        403,
        "barred",
        False,
        "this service number cannot be called",
        "この番号(特番・着信課金・情報料など)にはおつなぎできません。",
    ),
    RefusalReason.BARRED_CARRIER: _Manner(
        403,
        "barred",
        False,
        "a carrier cannot be chosen by prefix (00XY)",
        "電話会社の識別番号(00XY)はご利用になれません。",
    ),
    RefusalReason.BARRED_RANGE: _Manner(
        403,
        "barred",
        False,
        "this number range abroad is barred",
        "この国際電話の番号帯はご利用になれません。",
    ),
    RefusalReason.COUNTRY_NOT_OFFERED: _Manner(
        403,
        "country-not-offered",
        False,
        "calls to this country or region are not offered",
        "この国や地域への国際電話はご利用になれません。",
    ),
    RefusalReason.UNKNOWN_BLOCK: _Manner(
        404,
        "unallocated",
        True,
        "the number plan does not know this block",
        "おかけになった番号帯は使われておりません。番号をお確かめください。",
    ),
    RefusalReason.UNALLOCATED: _Manner(
        404,
        "unallocated",
        False,
        "the number is not allocated",
        "おかけになった電話番号は使われておりません。番号をお確かめください。",
    ),
    RefusalReason.TOO_SHORT: _Manner(
        484,
        "unallocated",
        False,
        "the number is incomplete",
        "番号の桁数が足りません。市外局番からおかけください。",
    ),
    RefusalReason.TOO_LONG: _Manner(
        404,
        "unallocated",
        False,
        "the number has too many digits",
        "番号の桁数が多すぎます。番号をお確かめください。",
    ),
    RefusalReason.INVALID: _Manner(
        404,
        "unallocated",
        False,
        "this is not a telephone number",
        "電話番号として読み取れません。番号をお確かめください。",
    ),
}


@dataclass(frozen=True, slots=True)
class Reading:
    """A number that can be called: ``country`` is set for international numbers only.

    ``caller_id``: ``hide`` after 184, ``show`` after 186 (N3, N7).
    """

    number: PhoneNumber
    number_class: NumberClass
    country: Country | None
    caller_id: CallerId


@dataclass(frozen=True, slots=True)
class Refusal:
    """A number that is not called. ``prompt`` names the spoken guidance; ``alarm``: tell the operator (N4)."""

    reason: RefusalReason
    sip_status: int
    text: str
    text_ja: str
    caller_id: CallerId
    prompt: str
    alarm: bool


def refusal(reason: RefusalReason, caller_id: CallerId = "default", *, text: str = "", text_ja: str = "") -> Refusal:
    """The refusal of a reason, with its usual words unless better ones are given."""
    manner = _MANNERS[reason]
    return Refusal(
        reason=reason,
        sip_status=manner.sip_status,
        text=text or manner.text,
        text_ja=text_ja or manner.text_ja,
        caller_id=caller_id,
        prompt=manner.prompt,
        alarm=manner.alarm,
    )
