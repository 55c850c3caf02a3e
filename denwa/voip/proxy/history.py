"""What a forwarded INVITE says of its way: History-Info (RFC 7044, RFC 4458) and Diversion (RFC 5806), both (K1).

`History-Info` lists every number that the call was meant for, oldest first; `Diversion` every number that sent it on,
newest first. The caller stays the one whose number is shown; these say on whose behalf the call goes on.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum
from typing import Final, NamedTuple

from denwa.voip.proxy.identity import number_of
from denwa.voip.sip.fields import split_list
from denwa.voip.sip.message import DIVERSION, HISTORY_INFO, Message

MOST_DIVERSIONS: Final = 5  # over all networks; more is a loop or a mistake


class DivertedBy(Enum):
    """Why a number sends a call on: the `cause` of RFC 4458 §2.1, the `reason` of RFC 5806 §5.1, the answer that its
    phone stood for."""

    UNCONDITIONAL = (302, b"unconditional", 0)
    BUSY = (486, b"user-busy", 486)
    NO_ANSWER = (408, b"no-answer", 408)
    UNREACHABLE = (503, b"unavailable", 480)

    def __init__(self, cause: int, reason: bytes, status: int) -> None:
        self.cause = cause
        self.reason = reason
        self.status = status


class Diversion(NamedTuple):
    """One number (E.164) that sent the call on, and why."""

    number: str
    why: DivertedBy


class Past(NamedTuple):
    """What an INVITE told of its way before it came here."""

    numbers: frozenset[str]  # E.164, those that it was meant for or sent on by before
    diversions: int
    history: tuple[bytes, ...]  # values of History-Info, oldest first
    diverted: tuple[bytes, ...]  # values of Diversion, newest first
    last_index: bytes  # of the last entry of History-Info, b"" when there is none


NO_PAST: Final = Past(frozenset(), 0, (), (), b"")
_INDEX: Final = re.compile(rb";\s*index\s*=\s*([0-9]{1,4}(?:\.[0-9]{1,4}){0,20})", re.IGNORECASE)
_COUNTER: Final = re.compile(rb";\s*counter\s*=\s*([0-9]{1,4})", re.IGNORECASE)


def past_of(request: Message) -> Past:
    """Read both headers of an INVITE; what cannot be read in them counts as a diversion all the same."""
    if HISTORY_INFO not in request.at and DIVERSION not in request.at:
        return NO_PAST
    history = [entry for value in request.values(HISTORY_INFO) for entry in split_list(value)]
    diverted = [entry for value in request.values(DIVERSION) for entry in split_list(value)]
    found = _INDEX.search(history[-1]) if history else None
    counters = [_COUNTER.search(entry) for entry in diverted]
    counted = sum(int(counter[1]) if counter else 1 for counter in counters)
    return Past(
        # The last entry of History-Info is whom the call is for now.
        frozenset(number for number in map(number_of, (*history[:-1], *diverted)) if number),
        max(counted, len(history) - 1, 0),
        tuple(history),
        tuple(diverted),
        found[1] if found else b"",
    )


def tell(request: Message, past: Past, diversions: Sequence[Diversion], target: str, domain: bytes) -> None:
    """Put both headers on an INVITE that `diversions` (oldest first) send on to `target` (E.164)."""
    entries = list(past.history)
    index = past.last_index + b".1" if past.last_index else b"1"
    if past.last_index and number_of(entries[-1]) == diversions[0].number:
        del entries[-1]  # ours says the same, and why the call went on
        index = past.last_index
    previous = b""
    for number, why in diversions:
        entries.append(_entry(number, domain, previous, index, why))
        previous = b";cause=%d" % why.cause
        index += b".1"
    mapped = b";mp=" + index.rpartition(b".")[0]
    entries.append(b"<%b;user=phone%b>;index=%b%b" % (_uri(target, domain), previous, index, mapped))
    diverted = [
        b"<%b;user=phone>;reason=%b;counter=1" % (_uri(number, domain), why.reason)
        for number, why in reversed(diversions)
    ]
    for kind, name, values in (
        (HISTORY_INFO, b"History-Info: ", entries),
        (DIVERSION, b"Diversion: ", [*diverted, *past.diverted]),
    ):
        request.remove(kind)
        request.replace(kind, name + b", ".join(values))


def forget(request: Message) -> None:
    """Take both headers off."""
    for kind in (HISTORY_INFO, DIVERSION):
        if kind in request.at:
            request.remove(kind)


def _entry(number: str, domain: bytes, cause: bytes, index: bytes, why: DivertedBy) -> bytes:
    """A number that sent the call on; with what its phone had said (RFC 7044 §10.2)."""
    said = b"?Reason=SIP%%3Bcause%%3D%d" % why.status if why.status else b""
    mapped = b";mp=" + index.rpartition(b".")[0] if cause else b""
    return b"<%b;user=phone%b%b>;index=%b%b" % (_uri(number, domain), cause, said, index, mapped)


def _uri(number: str, domain: bytes) -> bytes:
    return b"sip:%b@%b" % (number.encode(), domain)
