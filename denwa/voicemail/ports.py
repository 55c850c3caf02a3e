"""What voicemail needs of the world. Calls of the database ports are synchronous; the service makes them in threads.

Moments are aware datetimes in UTC, whole milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from denwa.voicemail.letters import Letter


@dataclass(frozen=True, slots=True)
class DepositRequest:
    """A call that voicemail is to answer.

    `hidden_reason` says why there is no caller number (B4): "" | anonymous | payphone | interaction | unavailable.
    `cause` is the SIP status that brought the call here: 486 busy, 408 no answer, 480 not registered.
    """

    mailbox: str  # E.164
    caller: str  # E.164, "" when hidden
    hidden_reason: str
    call_id: str
    cause: int
    account: str = ""


@dataclass(frozen=True, slots=True)
class Owner:
    """What voicemail must know of a subscriber. `mail_notice` (M1): none | notice | attach."""

    number: str
    account: str
    mail: str
    mail_notice: str
    delete_after_mail: bool
    language: str = "ja"  # of mails: ja | en


@dataclass(frozen=True, slots=True)
class Recording:
    """A finished recording whose sound is in the sound store."""

    lease: str
    mailbox: str
    caller: str
    hidden_reason: str
    call_id: str
    cause: int
    called_at: datetime
    recorded_at: datetime
    duration_ms: int
    size: int
    sound: str


@dataclass(frozen=True, slots=True)
class Message:
    """A stored message."""

    id: int
    recording: Recording
    heard_at: datetime | None


@dataclass(frozen=True, slots=True)
class Greeting:
    """A subscriber's own greeting, whose sound is in the sound store. `source`: file | phone."""

    mailbox: str
    sound: str
    duration_ms: int
    size: int
    source: str
    made_at: datetime
    made_by: str


@dataclass(frozen=True, slots=True)
class Envelope:
    """A mail to be put into the outbox with what caused it."""

    message_id: str
    recipient: str
    letter: Letter


@dataclass(frozen=True, slots=True)
class QueuedMail:
    """A mail in the outbox. `attempts` counts those that failed; `sound` is the key of the message's sound.

    `sound` is "" for a call notice and when the message has been deleted. Attempts are made for some days after
    `tried_since`. `blocked`: why the recipient's address is not tried any more, "" when it is.
    """

    id: int
    message_id: str
    recipient: str
    letter: Letter
    sound: str
    created_at: datetime
    attempts: int
    tried_since: datetime
    blocked: str


@dataclass(frozen=True, slots=True)
class MailState:
    """What became of a mail. `state`: waiting, sent, carried (the message is to be deleted now) or undeliverable."""

    id: int
    message_id: str
    kind: str
    mailbox: str  # E.164, "" of a mail to the operator
    recipient: str
    state: str
    created_at: datetime
    due_at: datetime
    attempts: int
    last_error: str
    sent_at: datetime | None
    with_sound: bool
    voicemail: int | None  # id of the message
    blocked: str


class Owners(Protocol):
    def owner(self, number: str) -> Owner | None:
        """The subscriber; None when there is none or the contract has ended."""
        ...


class Mailboxes(Protocol):
    def reserve(
        self, lease: str, mailbox: str, node: str, now: datetime, limit: int, kept_since: datetime | None = None
    ) -> bool:
        """Hold a place for a call; False when stored and held together have reached `limit` (V3).

        Messages recorded at or before `kept_since` are over and do not count, though they may be there still (V4).

        One transaction: two callers at once, on whichever node, never get the same place.
        """
        ...

    def free(self, leases: Iterable[str]) -> None:
        """Give places back that came to nothing."""
        ...

    def held(self, node: str) -> list[str]:
        """The leases that `node` holds places for."""
        ...

    def renew(self, leases: Iterable[str], now: datetime) -> None:
        """These places are in use still: `release_dead` leaves them alone."""
        ...

    def release_dead(self, before: datetime) -> int:
        """Give back places held since before `before`, whichever node held them; returns how many."""
        ...

    def deposit(
        self, recording: Recording, envelope: Envelope | None, now: datetime, warning: Envelope | None = None
    ) -> int | None:
        """Store a message and its mail and give its place back, in one transaction.

        The envelope's letter is completed with the number of messages now stored (M3). `warning` is queued too when its
        letter says exactly as many. Returns the message's id; None when this lease was deposited before (nothing
        changes then).
        """
        ...

    def notice(self, lease: str, mailbox: str, envelope: Envelope | None, now: datetime) -> None:
        """The caller left before the tone: give the place back and queue the call notice, in one transaction."""
        ...

    def messages(self, mailbox: str) -> list[Message]:
        """Oldest first."""
        ...

    def message(self, message_id: int) -> Message | None: ...

    def heard(self, message_id: int, now: datetime) -> None:
        """Its owner has listened to it. The first time stays; unknown ids are no error."""
        ...

    def due(self, recorded_until: datetime, limit: int) -> list[Message]:
        """Messages recorded at or before `recorded_until`, and those of subscribers whose contract has ended (V4)."""
        ...

    def oldest(self) -> datetime | None:
        """When the oldest message of all was recorded."""
        ...

    def to_discard(self) -> list[Message]:
        """Messages whose mail was accepted and whose owner wants them deleted then (V4)."""
        ...

    def forget(self, message_id: int) -> None:
        """Delete the metadata; the sound is gone already. Unknown ids are no error."""
        ...

    def sounds(self) -> set[str]:
        """The sound key of every message and of every own greeting."""
        ...

    def totals(self) -> tuple[int, int]:
        """(stored messages, held places)."""
        ...


class Deadlines(Protocol):
    """Messages whose owner is to be told by mail before they are deleted, and was not.

    Left out are owners without mail notices, and messages whose recording went out by mail.
    """

    def to_warn(self, after: datetime, until: datetime) -> list[str]:
        """Mailboxes with such messages recorded after `after` and at `until` at the latest."""
        ...

    def unwarned(self, mailbox: str) -> list[Message]:
        """All of a mailbox, oldest first."""
        ...

    def warned(self, told: Sequence[int], envelope: Envelope, now: datetime) -> None:
        """Queue the mail and note that the messages are in one; nothing when another has done so."""
        ...


class Outbox(Protocol):
    def claim(self, node: str, now: datetime, until: datetime) -> QueuedMail | None:
        """Take the mail that is due longest; until `until` no other node takes it. None when none is due."""
        ...

    def unclaim(self, node: str) -> None:
        """Give back what this node had claimed before it was killed."""
        ...

    def sent(self, mail_id: int, now: datetime, *, with_sound: bool, discard: bool) -> None:
        """Accepted by the mail server, its recipient's address too. `discard`: the message it carried is to go."""
        ...

    def failed(self, mail_id: int, error: str, again_at: datetime | None) -> None:
        """Not accepted; None: given up. The row stays, so that it can be seen and sent later."""
        ...

    def refused(self, address: str, error: str, now: datetime, *, most: int) -> bool:
        """An address was refused; from the `most`th time in a row on it is blocked, which is the answer."""
        ...

    def readdress(self, mail_id: int, recipient: str, now: datetime) -> None:
        """A mail goes to another address, now, and is free to be claimed."""
        ...

    def forget_sent(self, before: datetime) -> int:
        """Delete the traces of mails that were sent before `before`; returns how many."""
        ...

    def forget_given_up(self, before: datetime) -> int:
        """Delete mails that were given up when their last attempt was due before `before`; returns how many."""
        ...

    def totals(self) -> tuple[int, int, int]:
        """(mails waiting, mails given up, addresses blocked)."""
        ...


class Pins(Protocol):
    """PINs of boxes, and wrong tries (V6). Numbers are E.164, with a box or not."""

    def pin_hash(self, number: str) -> str:
        """Nothing when there is none."""
        ...

    def begin_try(self, number: str, now: datetime) -> datetime | None:
        """Count a try as wrong before it is judged, so that many at once are no way around the count; until when the
        box is shut if it is (then nothing is counted)."""
        ...

    def try_was_right(self, number: str) -> None:
        """Count from the beginning."""
        ...

    def forget(self, now: datetime) -> None:
        """Delete the PINs of ended contracts and old tries."""
        ...


class Greetings(Protocol):
    """Which subscriber has an own greeting. The sounds of those that are returned by a change are no longer known."""

    def get(self, mailbox: str) -> Greeting | None: ...

    def set(self, greeting: Greeting) -> Greeting | None:
        """From now on this one; returns the one before."""
        ...

    def clear(self, mailbox: str) -> Greeting | None:
        """From now on the service's; returns the one before."""
        ...

    def ended(self, limit: int) -> list[Greeting]:
        """Those of subscribers whose contract has ended (V4)."""
        ...


class SoundStore(Protocol):
    """Where the sound of messages is. Keys are made by `deposit.sound_key`."""

    def put(self, source: Path, key: str) -> None:
        """Move a WAV file into the store, durably. Raises OSError (`sound_store.faults`): then it is where it was."""
        ...

    def has(self, key: str) -> bool: ...

    def size(self, key: str) -> int: ...

    def duration_ms(self, key: str) -> int: ...

    def read(self, key: str) -> bytes:
        """The WAV. Raises FileNotFoundError when it is gone, StoreFault when it cannot be had now."""
        ...

    def delete(self, key: str) -> None:
        """Gone for good; a key that is not there is no error."""
        ...

    def keys(self) -> set[str]: ...

    def listing(self) -> dict[str, datetime]:
        """Every key with the moment its sound was put there."""
        ...

    def look(self) -> list[str]:
        """See that it can be used; what an operator should know or mend, in words. Raises StoreFault when it cannot."""
        ...


class Blame(StrEnum):
    """What a mail could not be handed over for."""

    SERVER = "server"  # ours cannot be used: no other mail would get through either
    RECIPIENT = "recipient"
    MAIL = "mail"


class DeliveryFault(Exception):
    """The mail server did not accept a mail, as far as is known.

    `permanent`: it said that it never will (5xx). `uncertain`: it had the whole mail and was gone before it answered,
    and may have accepted it (RFC 5321 §4.1.1.4): the next attempt may be a second copy, with the same Message-ID.
    """

    def __init__(
        self, text: str, *, permanent: bool = False, blame: Blame = Blame.MAIL, uncertain: bool = False
    ) -> None:
        super().__init__(text)
        self.permanent = permanent
        self.blame = blame
        self.uncertain = uncertain


class MailTransport(Protocol):
    def deliver(self, mail: EmailMessage, sender: str, recipient: str) -> None:
        """Returns when the mail is accepted. Raises DeliveryFault. Blocks: call it in a thread; several at once may."""
        ...

    def abort(self) -> None:
        """End the deliveries that are going on, and those that come: they raise DeliveryFault. For the stop."""
        ...
