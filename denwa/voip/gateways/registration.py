"""Our registration with a carrier that wants one (RFC 3261 §10.2): when to send REGISTER, and what its answer means.

Pure: answers and times in, the next step out. Who sends is `carrier.py`.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple

from denwa.voip.sip.fields import FieldFault, address_uri, delta_seconds, split_list
from denwa.voip.sip.message import CONTACT, EXPIRES, Message

FIRST_RETRY: Final = 5.0  # seconds; each further one waits twice as long
LONGEST_RETRY: Final = 600.0
LEAST_EXPIRES: Final = 30
MOST_EXPIRES: Final = 86_400  # a carrier that asks for more (423) is a mistake
MOST_CHALLENGES: Final = 2  # in a row: the second one may say stale


class Next(Enum):
    WAIT = "wait"
    AT_ONCE = "at once"


class Step(NamedTuple):
    """`after`: seconds until the next REGISTER. `elsewhere`: better try another address of the carrier."""

    what: Next
    after: float
    elsewhere: bool = False


class Registration:
    """`asked`: seconds that are asked for; `until`: until when the carrier holds us registered, 0.0: it does not."""

    def __init__(self, asked: int) -> None:
        self.asked = asked
        self.until = 0.0
        self._failures = 0
        self._challenges = 0
        self.why = "not yet registered"

    def registered(self, now: float) -> bool:
        return self.until > now

    def challenged(self, *, stale: bool) -> bool:
        """A 401 or 407 came. True: answer it; False: the carrier does not know us."""
        self._challenges += 1
        return self._challenges < MOST_CHALLENGES or (stale and self._challenges == MOST_CHALLENGES)

    def answered(self, response: Message, contact: bytes, now: float) -> Step:
        """A final answer other than a challenge. `contact`: the URI that was registered."""
        self._challenges = 0
        status = response.status
        if status < 300:
            return self._accepted(response, contact, now)
        if status == 423:
            least = _header_seconds(response, b"min-expires")
            if least is not None and self.asked < least <= MOST_EXPIRES:
                self.asked = least
                return Step(Next.AT_ONCE, 0.0)
        return self._failed(f"the carrier answers {status}", now, retry_after=_header_seconds(response, b"retry-after"),
                            elsewhere=status == 503)  # fmt: skip

    def silent(self, now: float) -> Step:
        """No answer came."""
        self._challenges = 0
        return self._failed("the carrier does not answer", now, elsewhere=True)

    def refused(self, now: float) -> Step:
        """The carrier challenges again and again, or with what cannot be answered: the password is wrong."""
        self._challenges = 0
        self.until = 0.0
        return self._failed("the carrier does not accept user and password", now)

    def _accepted(self, response: Message, contact: bytes, now: float) -> Step:
        granted = granted_expires(response, contact)
        if granted is None:
            granted = self.asked
        if granted <= 0:
            self.until = 0.0
            return self._failed("the carrier grants no time", now)
        self._failures = 0
        self.why = ""
        self.until = now + granted
        # Early enough for several tries; whole seconds, as timers want them.
        early = 60 if granted >= 180 else granted // 3
        return Step(Next.WAIT, float(max(granted - early, 1)))

    def _failed(self, why: str, now: float, *, retry_after: int | None = None, elsewhere: bool = False) -> Step:
        self.why = why
        after = min(FIRST_RETRY * 2 ** min(self._failures, 10), LONGEST_RETRY)
        self._failures += 1
        if retry_after is not None:
            after = max(after, min(float(retry_after), LONGEST_RETRY))
        return Step(Next.WAIT, after, elsewhere)


def granted_expires(response: Message, contact: bytes) -> int | None:
    """The seconds that a 200 grants: `expires` of our Contact, else the Expires header (RFC 3261 §10.2.4)."""
    for value in response.values(CONTACT):
        for element in split_list(value):
            try:
                if address_uri(element).partition(b";")[0] != contact.partition(b";")[0]:
                    continue
            except FieldFault:
                continue
            for param in element.rpartition(b">")[2].split(b";"):
                name, _, text = param.partition(b"=")
                if name.strip().lower() == b"expires" and text.strip().isdigit():
                    return min(int(text[:10]), MOST_EXPIRES)
    if EXPIRES not in response.at:
        return None
    try:
        return min(delta_seconds(response.value(EXPIRES) or b"", "Expires"), MOST_EXPIRES)
    except FieldFault:
        return None


def retry_after(response: Message) -> int | None:
    """Seconds of Retry-After (RFC 3261 §20.33), None when there is none that can be read."""
    return _header_seconds(response, b"retry-after")


def _header_seconds(response: Message, wanted: bytes) -> int | None:
    for line in response.lines[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == wanted:
            digits = value.partition(b";")[0].partition(b"(")[0].strip()
            return int(digits[:9]) if digits.isdigit() else None
    return None
