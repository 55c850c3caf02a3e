"""The numbers of the voicemail box by phone, as an operator may set them (V6)."""

from __future__ import annotations

import re

from denwa.numbering import PhoneNumber
from denwa.numbering.spelling import NumberFault

_SHORT = re.compile(r"1[0-9]{3,5}", re.ASCII)
_EMERGENCY = ("110", "118", "119")  # a number with one of them in front may be dialled in need (N5)
_CALLER_ID = ("184", "186")  # N3


def checked_box_number(value: str) -> str:
    """Nothing, or 4 to 6 digits, the first of them 1: no telephone number of Japan is such. Raises ValueError."""
    if value and not _SHORT.fullmatch(value):
        raise ValueError("4 to 6 digits that begin with 1, such as 1417, or nothing")
    if value.startswith((*_EMERGENCY, *_CALLER_ID)):
        raise ValueError("it may not begin with 110, 118, 119, 184 or 186")
    return value


def checked_access_number(value: str) -> str:
    """Nothing, or a 050 number. Raises ValueError."""
    try:
        national = PhoneNumber.parse(value).national() if value else "050"
    except NumberFault as fault:
        raise ValueError(str(fault)) from None
    if not national.startswith("050"):
        raise ValueError("a 050 number of the own ranges, or nothing")
    return value
