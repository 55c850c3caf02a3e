"""What an operator sets of message waiting (V6)."""

from __future__ import annotations

from typing import Final, NamedTuple


class MwiRules(NamedTuple):
    """Seconds, and how many subscriptions there may be, in all and of one subscriber.

    `domain`: in the address of a box, b"": the realm. `box_number`: what is dialled to hear it, b"": nothing is;
    a telephone's key for messages dials it. `unsolicited`: phones that have not subscribed are told, too.
    `per_second`: accounts told of in a second at most.
    """

    domain: bytes = b""
    box_number: bytes = b""
    unsolicited: bool = True
    min_expires: int = 60
    max_expires: int = 7200
    most: int = 200_000
    most_of_one: int = 10
    per_second: int = 200


ORDINARY_MWI: Final = MwiRules()
