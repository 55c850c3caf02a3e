"""Where subscriptions are kept over a restart. Called in threads of the driver, never by the engine."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple, Protocol


class SubscriptionEntry(NamedTuple):
    """A subscription as it is stored. Texts of phones are their octets, each as the character of that code (Latin-1).

    `routes`: the route set, one a line. `flow`: as `flow_text` writes it. `expires_ms`: since 1970 UTC.
    """

    local_tag: str
    account: str
    call_id: str
    remote_tag: str
    local: str
    remote: str
    routes: str
    event: str
    target: str
    flow: str
    remote_cseq: int
    expires_ms: int


class SubscriptionStore(Protocol):
    def keep(self, entries: Collection[SubscriptionEntry], over: Collection[str]) -> None:
        """Put entries in the place of those with the same tag, and forget those that are over, by tag."""
        ...

    def subscriptions(self, now_ms: int) -> list[SubscriptionEntry]:
        """Those that have not expired; expired ones are deleted."""
        ...
