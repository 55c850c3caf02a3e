"""Messages that will be deleted soon and whose owners are to be told (port `Deadlines` of `denwa.voicemail`)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Engine, exists, select, true, update

from denwa.storage.tables.contracts import subscribers
from denwa.storage.tables.voicemail import messages, outbox
from denwa.storage.voicemail_store import message_of, queue_mail
from denwa.voicemail.ports import Envelope, Message

_MAILED = exists().where(outbox.c.voicemail == messages.c.id, outbox.c.with_sound == true())
_UNWARNED = (messages.c.warned_at.is_(None), ~_MAILED)
_WANTED = (subscribers.c.state != "terminated", subscribers.c.mail != "", subscribers.c.mail_notice != "none")


class DeadlineStore:
    """Implements Deadlines."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reading = engine.execution_options(read_only=True)

    def to_warn(self, after: datetime, until: datetime) -> list[str]:
        m = messages.c
        joined = messages.join(subscribers, m.mailbox == subscribers.c.number)
        within = (m.recorded_at > after, m.recorded_at <= until)
        query = select(m.mailbox).distinct().select_from(joined).where(*within, *_UNWARNED, *_WANTED)
        with self._reading.begin() as connection:
            return list(connection.scalars(query.order_by(m.mailbox)))

    def unwarned(self, mailbox: str) -> list[Message]:
        query = select(messages).where(messages.c.mailbox == mailbox, *_UNWARNED)
        with self._reading.begin() as connection:
            return [
                message_of(row) for row in connection.execute(query.order_by(messages.c.recorded_at, messages.c.id))
            ]

    def warned(self, told: Sequence[int], envelope: Envelope, now: datetime) -> None:
        m = messages.c
        with self._engine.begin() as connection:
            untold = (m.id.in_(told), m.warned_at.is_(None))
            if connection.execute(update(messages).where(*untold).values(warned_at=now)).rowcount:
                queue_mail(connection, envelope, None, now)
