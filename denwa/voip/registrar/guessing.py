"""Guessing of passwords and scanning for accounts, made useless; whoever owns an account is never locked out. Pure.

A failure is remembered as a debt that is worked off one by `interval_ms`. Debts are kept by source (an IPv6 source is
its /64), by account, and by both together:

* a device at the very address where its account proved itself, or at one that a binding names: only its own failures;
* another device at the host where the account proved itself: those of the account from this host;
* a stranger: all from its source, and all strangers' for this account. A source in debt may still try accounts that
  never failed from there, so that one bad phone behind a NAT stops nobody else.

Whoever is too deep in debt gets 503 without its credentials being looked at, whether or not the account exists. A
source that comes with ever more names and never proves itself is a scanner: from then on it gets no answer at all. A
challenge to somebody who answers it counts nowhere.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from functools import lru_cache
from ipaddress import IPv6Network
from operator import itemgetter
from typing import Any, Final, Generic, NamedTuple, TypeVar

from denwa.voip.sip.peer import Peer

MOST_KEPT: Final = 65_536  # of each table
MOST_STRANGERS: Final = 16_384  # sources of which more than a number is kept
ANSWER_PATIENCE_MS: Final = 5_000  # many phones behind one NAT may ask at once: they get the time to answer
KNOWN_FOR_MS: Final = 3_600_000  # a source that proved itself is known one to two times as long
_K = TypeVar("_K", bound=Hashable)


class GuessLimits(NamedTuple):
    """`free` failures at once, one more every `interval_ms`; a stranger's `strikes` names make silence of `silence_ms`.

    `first_tries`: accounts that a source in debt may still try at once, one more every second.
    """

    free: int = 10
    interval_ms: int = 5_000
    strikes: int = 30
    silence_ms: int = 600_000
    first_tries: int = 30


ORDINARY_GUESSING: Final = GuessLimits()


class Debts(Generic[_K]):
    """Failures by key, worked off with time; bounded, and what is nearly worked off is forgotten first."""

    def __init__(self, interval_ms: int, most: int = MOST_KEPT) -> None:
        self._interval = interval_ms
        self._most = most
        self._free_at: dict[_K, int] = {}  # ms since 1970: when the whole debt is worked off

    def of(self, key: _K, now_ms: int) -> int:
        """Failures not yet worked off, a begun one counted."""
        free_at = self._free_at.get(key, 0)
        return -((now_ms - free_at) // self._interval) if free_at > now_ms else 0

    def add(self, key: _K, now_ms: int) -> None:
        if key not in self._free_at and len(self._free_at) >= self._most:
            self._make_room(now_ms)
        self._free_at[key] = max(self._free_at.get(key, 0), now_ms) + self._interval

    def prune(self, now_ms: int) -> None:
        """Forget what is worked off."""
        if self._free_at:
            self._free_at = {key: free_at for key, free_at in self._free_at.items() if free_at > now_ms}

    def _make_room(self, now_ms: int) -> None:
        self.prune(now_ms)
        kept = sorted(self._free_at.items(), key=itemgetter(1))
        self._free_at = dict(kept[-(self._most * 3 // 4) :])

    def __len__(self) -> int:
        return len(self._free_at)


class GuessGuard:
    """`exempt(peer)`: a gateway, which is never silenced."""

    def __init__(self, limits: GuessLimits, exempt: Callable[[Peer], object]) -> None:
        self._limits = limits
        self._exempt = exempt
        self.places: Callable[[bytes], Iterable[Peer]] = _nowhere  # where the devices of an account are now
        self.silenced: dict[str, int] = {}  # source -> until when, ms since 1970; empty in ordinary times
        self._sources: Debts[str] = Debts(limits.interval_ms)
        self._accounts: Debts[bytes] = Debts(limits.interval_ms)
        self._pairs: Debts[tuple[Any, bytes]] = Debts(limits.interval_ms)
        self._first: Debts[str] = Debts(1000)
        self._strikes: dict[str, tuple[int, set[int]]] = {}  # source -> since when, and names that it came with
        self._proved: dict[bytes, Peer] = {}  # only of accounts that exist
        self._known: set[str] = set()  # sources that proved themselves in this hour, and in the one before
        self._known_before: set[str] = set()
        self._known_since = 0
        self._seen: dict[bytes, str] = {}  # digest responses and their sources, two generations
        self._seen_before: dict[bytes, str] = {}

    # -- the ordinary way: a lookup or two ------------------------------------------------------------------------

    def wait_for(self, peer: Peer, account: bytes, now_ms: int) -> int:
        """Seconds until this sender's credentials for `account` are looked at; 0: they may be now."""
        if not self._pairs:
            return 0  # nobody has failed
        limits = self._limits
        source = source_of(peer[0])
        trust = self._trusted(peer, source, account)
        pair = (source if trust is None else trust, account)
        own = self._pairs.of(pair, now_ms)
        if own >= limits.free:
            return self._seconds(own)
        if trust is not None:
            return 0
        debt = self._accounts.of(account, now_ms)
        if debt >= limits.free:
            return self._seconds(debt)
        debt = self._sources.of(source, now_ms)
        if debt < limits.free:
            return 0
        if not own and self._first.of(source, now_ms) < limits.first_tries:
            self._first.add(source, now_ms)
            return 0
        return self._seconds(debt)

    def _seconds(self, debt: int) -> int:
        return max(1, (debt - self._limits.free + 1) * self._limits.interval_ms // 1000)

    def proved(self, peer: Peer, account: bytes, response: bytes) -> bool:
        """Right credentials came. False: they were sent before, from another source: somebody replays them.

        A phone that reconnects may send the same again, and two phones behind one NAT may make the same ones: a nonce
        serves everybody who asks in its second.
        """
        source = source_of(peer[0])
        seen = self._seen.get(response) or self._seen_before.get(response)
        if seen is None:
            if len(self._seen) >= MOST_KEPT:
                self._seen, self._seen_before = {}, self._seen
            self._seen[response] = source
        elif seen != source:
            return False
        self._proved[account] = peer
        if len(self._known) >= MOST_KEPT:
            self._known, self._known_before = set(), self._known
        self._known.add(source)
        return True

    def know(self, peer: Peer) -> None:
        """A device is registered from there: its source has proved itself before this process."""
        self._known.add(source_of(peer[0]))

    # -- failures -------------------------------------------------------------------------------------------------

    def failed(self, peer: Peer, account: bytes, now_ms: int) -> None:
        """Wrong credentials came and were looked at."""
        source = source_of(peer[0])
        trust = self._trusted(peer, source, account)
        self._pairs.add((source if trust is None else trust, account), now_ms)
        if trust is None:
            self._accounts.add(account, now_ms)
            self._sources.add(source, now_ms)
            self.strike(peer, account, now_ms)

    def is_known(self, peer: Peer) -> bool:
        """Somebody there has proved himself."""
        source = source_of(peer[0])
        return source in self._known or source in self._known_before

    def strike(self, peer: Peer, name: bytes, now_ms: int) -> None:
        """Somebody who speaks of `name` proved nothing: wrong credentials, too many to be looked at, or none. One name
        is one strike, however often: a phone that goes on with an old password is slowed, but never left without an
        answer. Who proves itself, ever, is no scanner."""
        if self.is_known(peer) or self._exempt(peer):
            return
        source = source_of(peer[0])
        found = self._strikes.get(source)
        if found is None:
            if len(self._strikes) >= MOST_STRANGERS:
                del self._strikes[next(iter(self._strikes))]
            found = self._strikes[source] = (now_ms, set())
        since, names = found
        if len(names) < self._limits.strikes:
            names.add(hash(name))
        if len(names) >= self._limits.strikes and now_ms - since >= ANSWER_PATIENCE_MS:
            del self._strikes[source]
            if len(self.silenced) >= MOST_KEPT:
                del self.silenced[next(iter(self.silenced))]
            self.silenced[source] = now_ms + self._limits.silence_ms

    def is_silenced(self, peer: Peer, now_ms: int) -> bool:
        """Ask only while `silenced` holds somebody."""
        source = source_of(peer[0])
        until = self.silenced.get(source)
        if until is None:
            return False
        if now_ms >= until:
            del self.silenced[source]
            return False
        return True

    def _trusted(self, peer: Peer, source: str, account: bytes) -> Hashable | None:
        """What of this sender the account trusts: its whole address, its host, or nothing."""
        places = [*self.places(account)]
        last = self._proved.get(account)
        if last is not None:
            places.append(last)
        if any(place[:2] == peer[:2] for place in places):
            return peer[:2]
        return ("host", source) if any(source_of(place[0]) == source for place in places) else None

    def sweep(self, now_ms: int) -> None:
        """Forget what is over; called now and then."""
        if now_ms - self._known_since >= KNOWN_FOR_MS:
            self._known_since = now_ms
            self._known, self._known_before = set(), self._known
            self._strikes.clear()
            self._seen, self._seen_before = {}, self._seen
        self._sources.prune(now_ms)
        self._accounts.prune(now_ms)
        self._pairs.prune(now_ms)
        self._first.prune(now_ms)
        if self.silenced:
            self.silenced = {source: until for source, until in self.silenced.items() if until > now_ms}


def _nowhere(_account: bytes) -> Iterable[Peer]:
    return ()


@lru_cache(maxsize=4096)
def _prefix(host: str) -> str:
    return str(IPv6Network((host, 64), strict=False).network_address)


def source_of(host: str) -> str:
    """What one party is sure to hold: an IPv4 address, or an IPv6 network of 64 bits."""
    return host if ":" not in host else _prefix(host)
