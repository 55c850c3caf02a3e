"""Sending what is in the outbox: tried again with growing pauses, never lost (M4)."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum
from threading import Event

from denwa.voicemail.letters import LetterFault, Sender
from denwa.voicemail.mail.templates import Templates
from denwa.voicemail.mail.writing import compose, on_the_wire
from denwa.voicemail.ports import Blame, DeliveryFault, MailTransport, Outbox, Owners, QueuedMail, SoundStore
from denwa.voicemail.sound_store.faults import StoreFault

log = logging.getLogger(__name__)

FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(hours=1)
LONGEST_PAUSE_OF_SERVER = timedelta(minutes=5)  # while our own mail server cannot be used: no mail can be to blame
REFUSED_PAUSE = timedelta(hours=1)  # after a 5xx: the reason may be mended (a full mailbox, a blocklist), but not soon
GIVE_UP_AFTER = timedelta(days=5)  # RFC 5321 §4.5.4.1; the mail stays visible as undeliverable
CLAIM = timedelta(minutes=20)  # longer than any delivery takes: see `transport.Patience`
NOTE_PAUSE = 5.0  # seconds
REFUSALS = 3  # in a row, until an address is blocked that the mail server refuses without saying why
BLOCKED = "nothing goes to this address since it was refused: "

_ENHANCED = re.compile(r"\d{3}[ -](\d\.\d{1,3}\.\d{1,3})\b")  # RFC 3463, as it follows the reply code (RFC 2034)
# There is no such address, it takes no mail, its domain does not.
_GONE = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"})


class Outcome(StrEnum):
    SENT = "sent"
    LATER = "later"  # or never: the outbox has it
    NO_SERVER = "no-server"
    HELD = "held"  # not tried


def next_attempt(failed: int, since: datetime, now: datetime, *, permanent: bool, blame: Blame) -> datetime | None:
    """When to try again after `failed` (1 or more) failures; None: give up."""
    longest = LONGEST_PAUSE_OF_SERVER if blame is Blame.SERVER else LONGEST_PAUSE
    doubled = FIRST_PAUSE * 2 ** min(failed - 1, 10)
    again = now + (REFUSED_PAUSE if permanent else min(doubled, longest))
    return again if again - since <= GIVE_UP_AFTER else None


def refusals_to_block(fault: DeliveryFault) -> int | None:
    """How many refusals like this one in a row block the address; None: it is not the address that is wrong.

    A 5xx to RCPT also says that a mailbox is full (5.2.2) or that we are on a blocklist (5.7.1): no address is blocked
    for that. Without a code of RFC 3463 there is no telling.
    """
    if not fault.permanent or fault.blame is not Blame.RECIPIENT:
        return None
    found = _ENHANCED.match(str(fault))
    if found is None:
        return REFUSALS
    return 1 if found[1] in _GONE else None


class Poster:
    """Sends single mails. Blocks: call it in threads, several at once if wanted."""

    def __init__(
        self,
        outbox: Outbox,
        owners: Owners,
        sounds: SoundStore,
        transport: MailTransport,
        sender: Sender,
        templates: Templates,
        node: str,
    ) -> None:
        self._outbox = outbox
        self._owners = owners
        self._sounds = sounds
        self._transport = transport
        self._sender = sender
        self._templates = templates
        self._node = node
        self._aborted = Event()

    def claim(self, now: datetime) -> QueuedMail | None:
        """The mail that is due longest; None when none is due."""
        return self._outbox.claim(self._node, now, now + CLAIM)

    def send(self, queued: QueuedMail, clock: Callable[[], datetime]) -> Outcome:
        """Try a mail that was claimed, and note what became of it."""
        if queued.blocked:
            return self._hold(queued, clock())
        try:
            with_sound = self._deliver(queued)
        except LetterFault as fault:
            return self._failed(queued, DeliveryFault(str(fault), permanent=True), clock())
        except DeliveryFault as fault:
            return self._failed(queued, fault, clock())
        self._insist(lambda: self._note_sent(queued, clock(), with_sound=with_sound))
        return Outcome.SENT

    def abort(self) -> None:
        """End what is being sent now; it is tried again later."""
        self._aborted.set()
        self._transport.abort()

    def _note_sent(self, queued: QueuedMail, now: datetime, *, with_sound: bool) -> None:
        owner = self._owners.owner(queued.letter.mailbox)
        discard = with_sound and owner is not None and owner.delete_after_mail
        self._outbox.sent(queued.id, now, with_sound=with_sound, discard=discard)

    def _insist(self, note: Callable[[], None]) -> None:
        """Until it is noted that a mail was accepted: it would go out a second time (a database that is away)."""
        while True:
            try:
                return note()
            except Exception:
                log.exception("mail: that one was accepted cannot be noted, and is tried again")
                if self._aborted.wait(NOTE_PAUSE):
                    raise

    def _hold(self, queued: QueuedMail, now: datetime) -> Outcome:
        """Where an address is blocked, the mail goes to the owner's new one, as soon as there is one."""
        owner = self._owners.owner(queued.letter.mailbox)
        if owner is not None and owner.mail and owner.mail != queued.recipient:
            self._outbox.readdress(queued.id, owner.mail, now)
        else:
            fault = DeliveryFault(BLOCKED + queued.blocked, permanent=True, blame=Blame.MAIL)
            self._failed(queued, fault, now)
        return Outcome.HELD

    def _failed(self, queued: QueuedMail, fault: DeliveryFault, now: datetime) -> Outcome:
        again = next_attempt(queued.attempts + 1, queued.tried_since, now, permanent=fault.permanent, blame=fault.blame)
        self._outbox.failed(queued.id, str(fault), again)
        reason = str(fault).replace(queued.recipient, "the recipient")  # logs name nobody
        log.warning("mail %d not sent (attempt %d): %s", queued.id, queued.attempts + 1, reason)
        most = refusals_to_block(fault)
        if most is not None and self._outbox.refused(queued.recipient, str(fault), now, most=most):
            log.warning("mail %d: nothing goes to its address any more until it is changed", queued.id)
        return Outcome.NO_SERVER if fault.blame is Blame.SERVER else Outcome.LATER

    def _deliver(self, queued: QueuedMail) -> bool:
        """True when the mail carried the recording."""
        sound = self._sound(queued)
        mail = compose(
            queued.letter, self._templates, self._sender, queued.recipient, queued.message_id, queued.created_at, sound
        )
        self._transport.deliver(mail, self._sender.address, on_the_wire(queued.recipient))
        return sound is not None

    def _sound(self, queued: QueuedMail) -> bytes | None:
        if not queued.letter.attach or not queued.sound:
            return None
        try:
            return self._sounds.read(queued.sound)
        except FileNotFoundError:  # deleted meanwhile
            return None
        except StoreFault as fault:
            raise DeliveryFault(str(fault)) from None
