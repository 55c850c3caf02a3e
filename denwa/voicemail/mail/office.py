"""Mail as the service runs it: what is due goes out, owners are warned, old traces go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from denwa.config.settings import Settings
from denwa.voicemail.letters import Sender
from denwa.voicemail.mail.sending import MailRoom
from denwa.voicemail.mail.warning import DeadlineWarnings
from denwa.voicemail.ports import Deadlines, MailTransport, Outbox, Owners, SoundStore
from denwa.voicemail.posting import Poster
from denwa.voicemail.setup import open_templates, open_transport

KEEP_SENT = timedelta(days=30)  # how long it is seen that a mail was accepted
KEEP_GIVEN_UP = timedelta(days=90)  # … and that it was not: it says who called (K5)


class MailOffice:
    """Bound to the loop that runs it; what blocks says so."""

    def __init__(
        self,
        settings: Settings,
        outbox: Outbox,
        owners: Owners,
        sounds: SoundStore,
        clock: Callable[[], datetime],
        *,
        transport: MailTransport | None = None,
        deadlines: Deadlines | None = None,
    ) -> None:
        """`deadlines` None: no warnings of deletions. Raises VoicemailSettingsFault."""
        self.sender = Sender(settings.mail.sender, settings.mail.service_name)
        self._outbox = outbox
        self._owners = owners
        self._sounds = sounds
        self._clock = clock
        self._transport = transport or open_transport(settings)
        self._templates = open_templates(settings)
        self._connections = settings.mail.connections
        self._due = asyncio.Event()
        self._room: MailRoom | None = None
        self._warnings: DeadlineWarnings | None = None
        if deadlines is not None:
            rules = settings.voicemail
            keep, ahead = timedelta(days=rules.keep_days), timedelta(hours=rules.warn_hours)
            self._warnings = DeadlineWarnings(deadlines, owners, self.sender, keep, ahead)

    def take_up(self, node: str) -> None:
        """What this node was sending when it was killed is due again. Blocks."""
        self._outbox.unclaim(node)

    async def run(self, node: str, discard: Callable[[], object]) -> None:
        """Send what is due, until cancelled; then `close`. `discard` deletes messages whose mail was accepted (V4)."""
        poster = Poster(self._outbox, self._owners, self._sounds, self._transport, self.sender, self._templates, node)
        self._room = MailRoom(poster, discard, self._clock, self._connections, self._due)
        await self._room.run()

    async def close(self) -> None:
        """Let what is being sent end; what takes too long is sent again after the next start."""
        if self._room is not None:
            await self._room.close()

    def wake(self) -> None:
        """There is something new in the outbox."""
        self._due.set()

    def tidy(self, now: datetime) -> int:
        """Queue the warnings that are due and forget old traces; returns how many warnings: then `wake`. Blocks."""
        warned = self._warnings.warn(now) if self._warnings is not None else 0
        self._outbox.forget_sent(now - KEEP_SENT)
        self._outbox.forget_given_up(now - KEEP_GIVEN_UP)
        return warned

    def totals(self) -> dict[str, int]:
        """For metrics. Blocks."""
        waiting, undeliverable, blocked = self._outbox.totals()
        return {"mails_waiting": waiting, "mails_undeliverable": undeliverable, "mail_addresses_blocked": blocked}
