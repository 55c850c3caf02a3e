"""The order in which the addresses of gateways are tried: priority, then weight (RFC 2782). Chance is an argument."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Protocol, TypeVar

Draw = Callable[[int], int]  # a number from 0 to its argument, both included


class Weighted(Protocol):
    @property
    def priority(self) -> int: ...

    @property
    def weight(self) -> int: ...


_W = TypeVar("_W", bound=Weighted)


def in_order(entries: Iterable[_W], draw: Draw) -> list[_W]:
    """Lower priority first; inside one priority, each next one with a chance in proportion to its weight.

    Where all weights are 0 the order stays as given, so that the first is the first as long as it works.
    """
    out: list[_W] = []
    for _, group in groupby(sorted(entries, key=lambda entry: entry.priority), key=lambda entry: entry.priority):
        members = list(group)
        out += members if len(members) == 1 or not any(m.weight for m in members) else _shuffled(members, draw)
    return out


def _shuffled(members: Sequence[_W], draw: Draw) -> list[_W]:
    """RFC 2782: those of weight 0 stand in front, a running sum, and the first whose sum reaches the number drawn."""
    rest = sorted(members, key=lambda member: member.weight > 0)
    out: list[_W] = []
    while rest:
        drawn = draw(sum(member.weight for member in rest))
        total = 0
        for i, member in enumerate(rest):
            total += member.weight
            if total >= drawn:
                out.append(rest.pop(i))
                break
    return out
