"""Takes a torture message to the engine as the listeners would: a datagram, or the bytes of a connection."""

from __future__ import annotations

from pathlib import Path

from denwa.voip.sip.framing import FramingFault, StreamFramer
from denwa.voip.sip.message import Message
from tests.voip.wire import Wire, md5, subscriber

HERE = Path(__file__).parent
DOMAINS = frozenset(
    b"denwa.example 192.0.2.10 example.com example.net example.org company.com registrar.example.com "
    b"chair-dnrc.example.com [2001:db8::10] 2001:db8::10".split()
)
STRANGER = ("198.51.100.7", 40007)
STRANGER_IPV6 = ("2001:db8::9:1", 5060)
FLOW = 17


def vector(folder: str, name: str) -> bytes:
    """The message as the RFC has it."""
    return (HERE / folder / f"{name}.dat").read_bytes()


def names(folder: str) -> set[str]:
    return {path.stem for path in (HERE / folder).glob("*.dat")}


def service(*accounts: bytes) -> Wire:
    """An engine to which the domains of the messages belong, with `accounts` besides the usual subscribers (all with
    the password `pw`)."""
    more = [
        subscriber(10 + i, account=account, ha1_md5=md5(f"{account.decode()}:denwa.example:pw").encode())
        for i, account in enumerate(accounts)
    ]
    return Wire(subscriber(1), subscriber(2), *more, domains=DOMAINS, host="192.0.2.10")


class Delivery:
    """What came back. `closed`: the connection had to be given up; `waiting`: bytes of a message not yet whole."""

    def __init__(self, wire: Wire, data: bytes, transport: str, source: tuple[str, int] = STRANGER) -> None:
        self.closed = False
        self.waiting = 0
        before = len(wire.sent)
        if transport == "udp":
            wire.send(source, data)
        else:
            self._stream(wire, data, (*source, FLOW))
        self.sent = wire.sent[before:]

    def _stream(self, wire: Wire, data: bytes, peer: tuple[str, int, int]) -> None:
        framer = StreamFramer()
        try:
            items = framer.feed(data)
        except FramingFault as fault:
            items = fault.before
            if fault.message:
                items = [*items, fault.message]
            self.closed = True
        else:
            self.waiting = framer.pending
        for item in items:
            if isinstance(item, bytes):
                wire.send(peer, item)

    @property
    def answers(self) -> list[Message]:
        return [message for _, message, _ in self.sent]

    @property
    def statuses(self) -> list[int]:
        return [message.status for message in self.answers]
