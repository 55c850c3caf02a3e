"""The gateways as the proxy uses them: which addresses a call is tried at, and what each call says of them (C1)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from denwa.voip.gateways.credentials import Credentials
from denwa.voip.gateways.health import Health, Sign
from denwa.voip.gateways.selection import in_order
from denwa.voip.gateways.trunk import PLAIN, Address, Trunk
from denwa.voip.sip.peer import Peer, flow_text

MOST_TRIES: Final = 6  # addresses that one call is tried at
# What becomes of calls at a gateway: `tried` at it, of these `answered`, `refused` (it speaks for the called side),
# `failed` (it speaks for itself, or not at all) or `cancelled`; and `received` from it.
KINDS: Final = ("tried", "answered", "refused", "failed", "cancelled", "received")


class Line:
    """One address of a gateway, with how it is. `priority` and `weight` are the address's among the gateway's own."""

    __slots__ = ("health", "peer", "priority", "trunk", "weight")

    def __init__(self, trunk: Trunk, address: Address) -> None:
        self.trunk = trunk
        self.peer: Peer = address.peer
        self.priority = address.priority
        self.weight = address.weight
        self.health = Health(probed=trunk.probe_every > 0)

    @property
    def name(self) -> str:
        return f"{self.trunk.name} ({flow_text(self.peer)})"


class Gateway:
    """A trunk with its lines, best first as configured. `barred`: why it cannot be used now (not registered)."""

    __slots__ = ("barred", "calls", "credentials", "lines", "trunk")

    def __init__(self, trunk: Trunk) -> None:
        self.trunk = trunk
        self.lines: list[Line] = [Line(trunk, Address(trunk.peer))] if trunk.located else []
        self.calls = 0
        self.credentials = Credentials(trunk.account) if trunk.account else None
        self.barred = "not yet registered" if trunk.register_every else ""

    @property
    def priority(self) -> int:
        return self.trunk.priority

    @property
    def weight(self) -> int:
        return self.trunk.weight

    @property
    def full(self) -> bool:
        return 0 < self.trunk.max_calls <= self.calls

    def locate(self, addresses: Sequence[Address]) -> list[Line]:
        """Its name now has these addresses; those known keep their state. Gives the lines that are new."""
        known = {line.peer: line for line in self.lines}
        self.lines = []
        fresh = []
        for address in addresses:
            line = known.get(address.peer)
            if line is None:
                line = Line(self.trunk, address)
                fresh.append(line)
            line.priority, line.weight = address.priority, address.weight
            self.lines.append(line)
        return fresh


class Lines:
    """All gateways. `draw` gives chance (0 to its argument); `note` takes lines for the log."""

    def __init__(
        self,
        trunks: Iterable[Trunk],
        draw: Callable[[int], int],
        counters: Counter[tuple[str, str]],
        note: Callable[[str], None],
    ) -> None:
        self.gateways = {trunk.name: Gateway(trunk) for trunk in trunks}
        self._outgoing = [gateway for gateway in self.gateways.values() if gateway.trunk.outgoing]
        self._draw = draw
        self._counters = counters
        self._note = note
        # The ordinary operator has one gateway at one address that takes every number.
        self._only: Line | None = None
        # Whether INVITEs to gateways are to be written anew: then all are, one after the other in a failover.
        self.dressing = any(_special(gateway.trunk) for gateway in self._outgoing)
        self.counting = any(gateway.trunk.max_calls for gateway in self.gateways.values())
        self.by_class = any(gateway.trunk.classes for gateway in self._outgoing)
        self.held: defaultdict[int, list[Gateway]] = defaultdict(list)  # by call: the channels that it has
        self._keys = {name: {kind: ("gateway_calls", f"{name} {kind}") for kind in KINDS} for name in self.gateways}
        self.changed()

    def count(self, trunk: Trunk, kind: str) -> None:
        """One call more of this gateway. `kind`: one of `KINDS`."""
        self._counters[self._keys[trunk.name][kind]] += 1

    def count_refusal(self, trunk: Trunk, status: int) -> None:
        """The status of its last word on a call; 0: it said none."""
        self._counters["gateway_refusals", f"{trunk.name} {status or 'silent'}"] += 1

    def changed(self) -> None:
        """Addresses have changed."""
        self._only = None
        if len(self._outgoing) == 1:
            trunk, lines = self._outgoing[0].trunk, self._outgoing[0].lines
            plain = not (trunk.classes or trunk.prefixes or trunk.max_calls or trunk.register_every)
            if plain and len(lines) == 1:
                self._only = lines[0]

    def for_call(self, e164: str, number_class: str, now: float) -> tuple[Sequence[Line], str]:
        """Where to try a call to this number, in order; when nowhere, why not."""
        only = self._only
        if only is not None and only.health.spotless and not only.health.shut_until:
            return (only,), ""
        if not self._outgoing:
            return (), "no gateway to the telephone network"
        taking = [gateway for gateway in self._outgoing if gateway.trunk.takes(e164, number_class)]
        if not taking:
            return (), "no gateway takes this number"
        why = "no gateway to the telephone network works at present"
        ready = [gateway for gateway in taking if not gateway.barred and not gateway.full]
        if not ready and all(gateway.full for gateway in taking):
            why = "all channels to the telephone network are in use"
        ordered = [line for gateway in in_order(ready, self._draw) for line in in_order(gateway.lines, self._draw)]
        usable = [line for line in ordered if line.health.usable(now)]
        # What calls alone found silent comes after all that works, and is tried rather than nothing.
        usable += [line for line in ordered if line not in usable and line.health.last_resort(now)]
        return usable[:MOST_TRIES], "" if usable else why

    def counts(self, now: float) -> dict[str, float]:
        """Gauges: addresses of gateways that take calls and that do not, calls on gateways whose channels count."""
        lines = [(gateway, line) for gateway in self._outgoing for line in gateway.lines]
        up = sum(line.health.usable(now) and not gateway.barred for gateway, line in lines)
        unlocated = sum(not gateway.lines for gateway in self._outgoing)
        return {"gateway_addresses_up": float(up), "gateway_addresses_down": float(len(lines) - up + unlocated)}

    def in_service(self, now: float) -> dict[str, bool]:
        """Of each gateway for outgoing calls: whether one would be tried at it now."""
        return {
            gateway.trunk.name: not gateway.barred and any(line.health.usable(now) for line in gateway.lines)
            for gateway in self._outgoing
        }

    def shown(self, now: float) -> list[dict[str, str | int]]:
        """For the operator: one entry for each address of each gateway, and one for a gateway without any."""
        out: list[dict[str, str | int]] = []
        for gateway in self.gateways.values():
            same: dict[str, str | int] = {
                "gateway": gateway.trunk.name,
                "priority": gateway.trunk.priority,
                "calls": gateway.calls,
                "max_calls": gateway.trunk.max_calls,
                "registration": (gateway.barred or "registered") if gateway.trunk.register_every else "",
            }
            places = [(flow_text(line.peer), _state_of(line, now)) for line in gateway.lines] or [("", "no address")]
            out += [same | {"address": address, "state": state} for address, state in places]
        return out

    # -- what calls and probes say ---------------------------------------------------------------------------------

    def good(self, line: Line, now: float) -> None:
        """It answered."""
        if not line.health.spotless and line.health.note(Sign.GOOD, now):
            self._tell(line, "up", "")

    def bad(self, line: Line, why: str, now: float, retry_after: int | None = None) -> None:
        """It did not, or says that it cannot."""
        self._counters["gateway_failures", line.trunk.name] += 1
        if retry_after:
            line.health.shut(float(retry_after), now)
            self._note(f"gateway {line.name}: {why}, left alone for {retry_after} s")
        elif line.health.note(Sign.BAD, now):
            self._tell(line, "down", why)

    def _tell(self, line: Line, what: str, why: str) -> None:
        self._counters["gateway_changes", f"{line.trunk.name} {what}"] += 1
        self._note(f"gateway {line.name} is {what}" + (f": {why}" if why else ""))

    # -- channels --------------------------------------------------------------------------------------------------

    def take(self, call: int, trunk: Trunk) -> None:
        """A call uses a channel of this gateway."""
        gateway = self.gateways.get(trunk.name)
        if gateway is not None and gateway.trunk.max_calls and gateway not in self.held[call]:
            gateway.calls += 1
            self.held[call].append(gateway)

    def give_back(self, call: int, trunk: Trunk | None = None) -> None:
        """The call has left this gateway, or (None) is over."""
        for gateway in list(self.held.get(call, ())):
            if trunk is None or gateway.trunk.name == trunk.name:
                gateway.calls -= 1
                self.held[call].remove(gateway)
        if not self.held.get(call):
            self.held.pop(call, None)


def _state_of(line: Line, now: float) -> str:
    health = line.health
    if not line.trunk.outgoing:
        return "incoming only"
    if health.shut_until > now:
        return f"left alone for {round(health.shut_until - now)} s"
    return health.condition.value


def _special(trunk: Trunk) -> bool:
    return trunk.format is not PLAIN or trunk.account is not None or trunk.max_calls > 0
