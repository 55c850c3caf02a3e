"""What a subscriber can set (P3): keys, how their values are written, and the rules between them (F2, F3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from enum import StrEnum
from typing import Any

from denwa.contracts.faults import ContractFault, Reason
from denwa.contracts.payment_card import check_card_token
from denwa.contracts.ports import DialPlan
from denwa.contracts.subscriber import (
    BILL_DAY_MAX,
    BILL_DAY_MIN,
    RING_TIME_MAX,
    RING_TIME_MIN,
    CodecPreference,
    Forward,
    ForwardMode,
    Language,
    MailNotice,
    Subscriber,
)
from denwa.numbering import NumberClass, Refusal

_LONGEST_TEXT = 200
OPERATOR_ONLY = frozenset({"priority", "card_token"})  # not for a subscriber to set
_UNSAID = frozenset({"name", "mail", "card_token"})  # in the change log


def check_ring_time(text: str) -> int:
    """Seconds until nobody has answered (V1)."""
    return _whole("ring_time", text, RING_TIME_MIN, RING_TIME_MAX)


def check_bill_day(text: str) -> int:
    """The day of the month on which the billing month begins (T5)."""
    return _whole("bill_day", text, BILL_DAY_MIN, BILL_DAY_MAX)


def check_name(text: str) -> str:
    """Any name of at most 200 characters; control characters would break lists and mails."""
    if len(text) > _LONGEST_TEXT or (text and not text.isprintable()):
        raise ContractFault(Reason.BAD_VALUE, f"name: at most {_LONGEST_TEXT} printable characters")
    return text


def check_mail(text: str) -> str:
    """An address as it can stand in a mail's head (RFC 5321 §4.1.2 in short: local part, @, domain), or nothing."""
    local, at, domain = text.rpartition("@")
    sound = at and local and "." not in (domain[:1], domain[-1:]) and domain
    if text and (not sound or len(text) > 254 or not text.isprintable() or any(s in text for s in ' <>,;"\\')):
        raise ContractFault(Reason.BAD_VALUE, f"mail: {text!r} is not a mail address")
    return text


def check_forward(text: str, own: str, plan: DialPlan, on: date) -> Forward:
    """`off`, `always:NUMBER` or `noanswer:NUMBER`, the number as it would be dialled on the day `on`.

    F3: a domestic number that can be called, never international, never barred, never the own number.
    """
    mode_text, colon, dialled = text.partition(":")
    modes = {str(mode): mode for mode in ForwardMode}
    mode = modes.get(mode_text)
    if mode is None or (mode is ForwardMode.OFF) == bool(colon) or (colon and not dialled):
        raise _bad("forward", text, "off, always:NUMBER or noanswer:NUMBER")
    if mode is ForwardMode.OFF:
        return Forward()
    reading = plan.read(dialled, on)
    if isinstance(reading, Refusal):
        raise ContractFault(Reason.FORWARD_TARGET, f"forward: {dialled} cannot be called: {reading.text}")
    if reading.caller_id != "default":
        raise ContractFault(Reason.FORWARD_TARGET, f"forward: {dialled}: give the number without 184 or 186")
    if reading.number_class is NumberClass.INTERNATIONAL:
        raise ContractFault(Reason.FORWARD_TARGET, f"forward: {dialled} is international")
    if reading.number.e164 == own:
        raise ContractFault(Reason.FORWARD_TARGET, f"forward: {dialled} is the subscriber's own number")
    return Forward(mode, reading.number.e164)


def _switch(key: str) -> Callable[[str], bool]:
    def read(text: str) -> bool:
        if text not in ("on", "off"):
            raise _bad(key, text, "on or off")
        return text == "on"

    return read


def _choice(key: str, kind: type[StrEnum]) -> Callable[[str], StrEnum]:
    def read(text: str) -> StrEnum:
        try:
            return kind(text)
        except ValueError:
            raise _bad(key, text, " or ".join(kind)) from None

    return read


# Settings that stand for themselves. `forward` needs the plan and the own number; see `with_settings`.
READERS: Mapping[str, Callable[[str], Any]] = {
    "voicemail": _switch("voicemail"),
    "ring_time": check_ring_time,
    "mail_notice": _choice("mail_notice", MailNotice),
    "delete_after_mail": _switch("delete_after_mail"),
    "reject_anonymous": _switch("reject_anonymous"),
    "international": _switch("international"),
    "codecs": _choice("codecs", CodecPreference),
    "priority": _switch("priority"),
    "name": check_name,
    "mail": check_mail,
    "language": _choice("language", Language),
    "card_token": lambda text: check_card_token(text) if text else "",
}
KEYS = (*READERS, "forward")


def with_settings(subscriber: Subscriber, values: Mapping[str, str], plan: DialPlan, on: date) -> Subscriber:
    """The subscriber with `values` (key to written value) in force, all or none; ContractFault says what is wrong."""
    changed: dict[str, Any] = {}
    for key, text in values.items():
        if key == "forward":
            changed[key] = check_forward(text, subscriber.number, plan, on)
        elif key in READERS:
            changed[key] = READERS[key](text)
        else:
            raise ContractFault(Reason.UNKNOWN_SETTING, f"{key}: no such setting; there are {', '.join(KEYS)}")
    forwards = "forward" in changed and changed["forward"].mode is not ForwardMode.OFF
    if forwards and changed.get("voicemail"):
        raise ContractFault(Reason.CONTRADICTION, "forward and voicemail exclude each other: switch one on only")
    if forwards:
        changed["voicemail"] = False  # F2: switching one on switches the other off
    elif changed.get("voicemail"):
        changed["forward"] = Forward()
    return replace(subscriber, **changed)


def written(subscriber: Subscriber) -> dict[str, str]:
    """The settings as `with_settings` reads them."""
    forward = subscriber.forward
    values = {"forward": f"{forward.mode}:{forward.target}" if forward.target else str(forward.mode)}
    for key in READERS:
        value = getattr(subscriber, key)
        values[key] = ("on" if value else "off") if isinstance(value, bool) else str(value)
    return values


def difference(before: Subscriber, after: Subscriber) -> str:
    """What changed, for the change log: `ring_time 20 -> 30; voicemail on -> off`. Contact data is not repeated, nor
    the payment card."""
    old, new = written(before), written(after)
    keys = [key for key in sorted(old) if old[key] != new[key]]
    return "; ".join(key if key in _UNSAID else f"{key} {old[key]} -> {new[key]}" for key in keys)


def _whole(key: str, text: str, low: int, high: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and low <= int(text) <= high):
        raise _bad(key, text, f"a whole number from {low} to {high}")
    return int(text)


def _bad(key: str, text: str, expected: str) -> ContractFault:
    return ContractFault(Reason.BAD_VALUE, f"{key}: {text!r} is not {expected}")
