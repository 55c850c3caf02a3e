"""Joins the voicemail box by phone (V6): its numbers, PINs, and the own ranges without the number that it takes."""

from __future__ import annotations

from datetime import date

from sqlalchemy import Engine

from denwa.config.settings import Settings
from denwa.contracts.stock import OwnRange, without
from denwa.numbering import NumberClass, NumberingPlan, PhoneNumber, Reading
from denwa.storage.pin_store import PinStore
from denwa.storage.voicemail_store import OwnerStore
from denwa.voicemail.access import Access
from denwa.voicemail.pins import PinHashes
from denwa.voip.proxy.box import BoxNumbers


def box_numbers(settings: Settings) -> BoxNumbers:
    voicemail = settings.voicemail
    access = PhoneNumber.parse(voicemail.access_number).e164 if voicemail.access_number else ""
    return BoxNumbers(voicemail.box_number, access)


def box_access(settings: Settings, main: Engine, key: bytes) -> Access | None:
    """How boxes are opened with a PIN; None without an access number. `key`: the data folder's."""
    if not settings.voicemail.access_number:
        return None
    return Access(PinStore(main), OwnerStore(main), PinHashes(key))


def access_number_fault(settings: Settings, plan: NumberingPlan, day: date) -> str:
    """What is wrong with `voicemail.access_number`; "" for nothing."""
    access = box_numbers(settings).access
    if access:
        read = plan.read(access, day)
        if not isinstance(read, Reading) or read.number_class is not NumberClass.ON_NET:
            return f"{settings.voicemail.access_number} is not in the operator's own ranges"
    return ""


def own_ranges(settings: Settings, plan: NumberingPlan, day: date) -> list[OwnRange]:
    """What numbers are given from on a day (N1)."""
    ranges = [OwnRange(own.first, own.last) for own in plan.own_ranges_on(day)]
    return without(ranges, box_numbers(settings).access)
