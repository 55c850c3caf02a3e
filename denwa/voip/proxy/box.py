"""The numbers of the voicemail box: a short one for the own phone, and one for every other telephone (V6).

Neither leads to anybody: a call to them ends at a media worker. From the own phone the digest of the INVITE says whose
box it is, so no PIN is asked for.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from denwa.numbering.spelling import is_short_number


class BoxNumbers(NamedTuple):
    """`short`: as it is dialled, `access`: E.164 of an own range that no subscriber has; "" for none."""

    short: str = ""
    access: str = ""

    def is_short(self, dialled: str) -> bool:
        return bool(self.short) and is_short_number(dialled, self.short)


NO_BOX: Final = BoxNumbers()
