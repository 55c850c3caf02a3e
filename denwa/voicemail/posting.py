"""Sending what is in the outbox: tried again with growing pauses, never lost (M4)."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from denwa.voicemail.letters import LetterFault, Sender, compose
from denwa.voicemail.ports import DeliveryFault, MailTransport, Outbox, Owners, QueuedMail, SoundStore

log = logging.getLogger(__name__)

FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(hours=1)
REFUSED_PAUSE = timedelta(hours=1)  # after a 5xx: the reason may be mended (a full mailbox, a blocklist), but not soon
GIVE_UP_AFTER = timedelta(days=5)  # RFC 5321 §4.5.4.1; the mail stays visible as undeliverable
CLAIM = timedelta(minutes=5)  # longer than any delivery takes


def next_attempt(failed: int, created_at: datetime, now: datetime, *, permanent: bool) -> datetime | None:
    """When to try again after `failed` (1 or more) failures; None: give up."""
    doubled = FIRST_PAUSE * 2 ** min(failed - 1, 10)
    again = now + (REFUSED_PAUSE if permanent else min(doubled, LONGEST_PAUSE))
    return again if again - created_at <= GIVE_UP_AFTER else None


class Poster:
    """Sends one mail after the other. Blocks: call it in a thread."""

    def __init__(
        self, outbox: Outbox, owners: Owners, sounds: SoundStore, transport: MailTransport, sender: Sender, node: str
    ) -> None:
        self._outbox = outbox
        self._owners = owners
        self._sounds = sounds
        self._transport = transport
        self._sender = sender
        self._node = node

    def send_one(self, now: datetime) -> bool:
        """Try the mail that is due longest; False when none is due."""
        queued = self._outbox.claim(self._node, now, now + CLAIM)
        if queued is None:
            return False
        try:
            carried = self._deliver(queued, now)
        except (DeliveryFault, LetterFault) as fault:
            permanent = isinstance(fault, LetterFault) or fault.permanent
            again = next_attempt(queued.attempts + 1, queued.created_at, now, permanent=permanent)
            self._outbox.failed(queued.id, str(fault), again)
            reason = str(fault).replace(queued.recipient, "the recipient")  # logs name nobody
            log.warning("mail %d not sent (attempt %d): %s", queued.id, queued.attempts + 1, reason)
            return True
        owner = self._owners.owner(queued.letter.mailbox)
        self._outbox.sent(queued.id, now, discard=carried and owner is not None and owner.delete_after_mail)
        return True

    def _deliver(self, queued: QueuedMail, now: datetime) -> bool:
        """True when the mail carried the recording."""
        sound = self._sound(queued)
        mail = compose(queued.letter, self._sender, queued.recipient, queued.message_id, now, sound)
        self._transport.deliver(mail, self._sender.address, queued.recipient)
        return sound is not None

    def _sound(self, queued: QueuedMail) -> bytes | None:
        if not queued.letter.attach or not queued.sound:
            return None
        try:
            return self._sounds.read(queued.sound)
        except FileNotFoundError:  # deleted meanwhile
            return None
