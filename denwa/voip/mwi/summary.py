"""What the event package message-summary says (RFC 3842 §5) and what a SUBSCRIBE says of it (RFC 6665 §8.2). Pure."""

from __future__ import annotations

from typing import Final, NamedTuple

from denwa.voip.sip.fields import FieldFault, split_list
from denwa.voip.sip.message import Message

PACKAGE: Final = b"message-summary"
CONTENT_TYPE: Final = b"Content-Type: application/simple-message-summary"
ALLOW_EVENTS: Final = b"Allow-Events: " + PACKAGE
_TYPES: Final = (b"application/simple-message-summary", b"application/*", b"*/*")


class Counts(NamedTuple):
    """Messages in a mailbox: not yet heard, and heard."""

    new: int
    heard: int


EMPTY: Final = Counts(0, 0)


def summary(counts: Counts, account: bytes) -> bytes:
    """The body of a NOTIFY; the lamp is for messages not yet heard. `account`: the URI of the box."""
    return b"Messages-Waiting: %b\r\nMessage-Account: %b\r\nVoice-Message: %d/%d (0/0)\r\n" % (
        b"yes" if counts.new else b"no",
        account,
        counts.new,
        counts.heard,
    )


class Event(NamedTuple):
    """An Event header: the package in lower case, and the `id` that is given back as it came (b"": none)."""

    package: bytes
    id: bytes

    @property
    def line(self) -> bytes:
        return b"Event: " + self.package + (b";id=" + self.id if self.id else b"")


def event_of(request: Message) -> Event:
    """The package asked for, b"" when there is none. Raises FieldFault: the header stands twice."""
    values = header_values(request, b"event", b"o")
    if len(values) > 1:
        raise FieldFault("Event stands twice")
    package, *params = values[0].split(b";") if values else [b""]
    named = dict(_param(param) for param in params)
    return Event(package.strip().lower(), named.get(b"id", b""))


def _param(text: bytes) -> tuple[bytes, bytes]:
    name, _, value = text.partition(b"=")
    return name.strip().lower(), value.strip()


def takes_summaries(request: Message) -> bool:
    """Whether the sender can read what is sent to it; without Accept it can (RFC 3842 §3.5)."""
    values = header_values(request, b"accept")
    types = [part.partition(b";")[0].strip().lower() for value in values for part in split_list(value)]
    return not values or any(one in types for one in _TYPES)


def header_values(message: Message, *names: bytes) -> list[bytes]:
    """The values of all headers with one of these names (lower case, long and compact)."""
    found = []
    for line in message.lines[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() in names:
            found.append(value.strip())
    return found
