"""The outbox in the main database (port `Outbox` of `denwa.voicemail`)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Engine, delete, func, or_, select, update

from denwa.storage.tables.voicemail import messages, outbox
from denwa.voicemail.letters import Letter
from denwa.voicemail.ports import QueuedMail

_UNCLAIMED = {"claimed_by": "", "claimed_until": None}


class OutboxStore:
    """Implements Outbox."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reading = engine.execution_options(read_only=True)

    def claim(self, node: str, now: datetime, until: datetime) -> QueuedMail | None:
        if not self._any_due(now):
            return None  # without taking the database's write lock
        o = outbox.c
        free = or_(o.claimed_by == "", o.claimed_until <= now)
        next_one = select(o.id).where(o.state == "waiting", o.due_at <= now, free).order_by(o.due_at, o.id).limit(1)
        with self._engine.begin() as connection:
            mail_id = connection.scalar(next_one.with_for_update(skip_locked=True))
            if mail_id is None:
                return None
            claim = update(outbox).where(o.id == mail_id).values(claimed_by=node, claimed_until=until)
            connection.execute(claim)
            joined = outbox.outerjoin(messages, o.voicemail == messages.c.id)
            wanted = (o.id, o.message_id, o.recipient, o.details, o.created_at, o.attempts, messages.c.sound)
            row = connection.execute(select(*wanted).select_from(joined).where(o.id == mail_id)).one()
        letter = Letter.from_json(row.details)
        return QueuedMail(row.id, row.message_id, row.recipient, letter, row.sound or "", row.created_at, row.attempts)

    def unclaim(self, node: str) -> None:
        with self._engine.begin() as connection:
            connection.execute(update(outbox).where(outbox.c.claimed_by == node).values(**_UNCLAIMED))

    def sent(self, mail_id: int, now: datetime, *, discard: bool) -> None:
        self._change(mail_id, state="carried" if discard else "sent", sent_at=now, last_error="")

    def failed(self, mail_id: int, error: str, again_at: datetime | None) -> None:
        outcome = {"state": "undeliverable"} if again_at is None else {"due_at": again_at}
        self._change(mail_id, last_error=error, attempts=outbox.c.attempts + 1, **outcome)

    def next_due(self) -> datetime | None:
        due: datetime | None = self._scalar(select(func.min(outbox.c.due_at)).where(outbox.c.state == "waiting"))
        return due

    def forget_sent(self, before: datetime) -> int:
        with self._engine.begin() as connection:
            old = delete(outbox).where(outbox.c.state == "sent", outbox.c.sent_at < before)
            return connection.execute(old).rowcount

    def totals(self) -> tuple[int, int]:
        return self._count("waiting"), self._count("undeliverable")

    def _count(self, state: str) -> int:
        counted: int = self._scalar(select(func.count()).where(outbox.c.state == state))
        return counted

    def _any_due(self, now: datetime) -> bool:
        due = select(outbox.c.id).where(outbox.c.state == "waiting", outbox.c.due_at <= now).limit(1)
        return self._scalar(due) is not None

    def _scalar(self, query: Any) -> Any:
        with self._reading.begin() as connection:
            return connection.scalar(query)

    def _change(self, mail_id: int, **values: Any) -> None:
        with self._engine.begin() as connection:
            connection.execute(update(outbox).where(outbox.c.id == mail_id).values(**values, **_UNCLAIMED))
