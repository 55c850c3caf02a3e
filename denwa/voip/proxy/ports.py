"""What the proxy needs: of the media workers a place to send a call to, of the tariff what a call costs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import NamedTuple, Protocol

from denwa.voip.proxy.spending import UnitPrice
from denwa.voip.sip.peer import Peer


class PlaceRequest(NamedTuple):
    """`mailbox`, `caller`: E.164 (caller "" when hidden or unknown); `hidden`: why (B4); `cause`: 480, 486 or 408."""

    mailbox: str
    account: str
    caller: str
    hidden: str
    call_id: str
    cause: int


class Place(NamedTuple):
    """Where to send the INVITE; `lease` names the place when it is given back unused."""

    uri: bytes
    peer: Peer
    lease: str


class NoPlace(NamedTuple):
    """Why there is none; the caller gets `status`. `full`: the mailbox is (V3)."""

    status: int
    reason: str
    full: bool = False


class VoicemailPlaces(Protocol):
    def request(self, wish: PlaceRequest, deliver: Callable[[Place | NoPlace, float], None]) -> None:
        """Ask for a place; `deliver(answer, now)` is called later in the engine's thread."""
        ...

    def visit(self, mailbox: str, call_id: str, deliver: Callable[[Place | NoPlace, float], None]) -> None:
        """Ask for a place where a box is heard (V6); `mailbox`: whose (E.164), "" when the caller is to be asked."""
        ...

    def release(self, lease: str) -> None:
        """The INVITE was never sent or never answered."""
        ...


class GuidancePlaces(Protocol):
    """Media workers that speak to callers who are refused."""

    def guide(self, prompt: str) -> Place | None:
        """A worker that will answer an INVITE with 183, say `prompt` once and then refuse; None: none is free, or
        there is no such prompt. At once: nobody waits to be refused."""
        ...

    def release(self, lease: str) -> None:
        """The INVITE was never sent or has ended."""
        ...


class LivePrices(Protocol):
    def price(self, number_class: str, number: str, on: date) -> UnitPrice | None:
        """What a call to `number` (E.164) costs by the tariff in force on a day; None: there is no price."""
        ...
