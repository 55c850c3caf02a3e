"""The outbox in the main database (port `Outbox` of `denwa.voicemail`), and the addresses that refuse mail."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, Select, and_, delete, exists, func, or_, select, true, update
from sqlalchemy.dialects import postgresql, sqlite

from denwa.storage.tables.contracts import subscribers
from denwa.storage.tables.voicemail import messages, outbox, refused_addresses
from denwa.voicemail.letters import Letter
from denwa.voicemail.ports import MailState, QueuedMail

_UNCLAIMED = {"claimed_by": "", "claimed_until": None}
_BLOCKED = and_(refused_addresses.c.address == outbox.c.recipient, refused_addresses.c.blocked == true())


class OutboxStore:
    """Implements Outbox; what commands see and change of it too."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reading = engine.execution_options(read_only=True)

    def claim(self, node: str, now: datetime, until: datetime) -> QueuedMail | None:
        o = outbox.c
        free = or_(o.claimed_by == "", o.claimed_until <= now)
        next_one = select(o.id).where(o.state == "waiting", o.due_at <= now, free).order_by(o.due_at, o.id).limit(1)
        if self._scalar(next_one) is None:
            return None  # without taking the database's write lock
        with self._engine.begin() as connection:
            mail_id = connection.scalar(next_one.with_for_update(skip_locked=True))
            if mail_id is None:
                return None
            claim = update(outbox).where(o.id == mail_id).values(claimed_by=node, claimed_until=until)
            connection.execute(claim)
            joined = outbox.outerjoin(messages, o.voicemail == messages.c.id).outerjoin(refused_addresses, _BLOCKED)
            wanted = (o.id, o.message_id, o.recipient, o.details, o.created_at, o.attempts, o.tried_since)
            of_others = (messages.c.sound, refused_addresses.c.last_error.label("blocked"))
            row = connection.execute(select(*wanted, *of_others).select_from(joined).where(o.id == mail_id)).one()
        return QueuedMail(
            row.id,
            row.message_id,
            row.recipient,
            Letter.from_json(row.details),
            row.sound or "",
            row.created_at,
            row.attempts,
            row.tried_since or row.created_at,
            row.blocked or "",
        )

    def unclaim(self, node: str) -> None:
        with self._engine.begin() as connection:
            connection.execute(update(outbox).where(outbox.c.claimed_by == node).values(**_UNCLAIMED))

    def sent(self, mail_id: int, now: datetime, *, with_sound: bool, discard: bool) -> None:
        recipient = select(outbox.c.recipient).where(outbox.c.id == mail_id).scalar_subquery()
        state = "carried" if discard else "sent"
        with self._engine.begin() as connection:
            values = {"state": state, "sent_at": now, "with_sound": with_sound, "last_error": "", **_UNCLAIMED}
            connection.execute(update(outbox).where(outbox.c.id == mail_id).values(values))
            connection.execute(delete(refused_addresses).where(refused_addresses.c.address == recipient))

    def failed(self, mail_id: int, error: str, again_at: datetime | None) -> None:
        outcome = {"state": "undeliverable"} if again_at is None else {"due_at": again_at}
        self._change(mail_id, last_error=error, attempts=outbox.c.attempts + 1, **outcome)

    def refused(self, address: str, error: str, now: datetime, *, most: int) -> bool:
        r, where = refused_addresses.c, refused_addresses.c.address == address
        with self._engine.begin() as connection:
            new = {"address": address, "refusals": 0, "blocked": False, "last_error": error, "changed_at": now}
            dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
            connection.execute(dialect.insert(refused_addresses).values(new).on_conflict_do_nothing())
            known = connection.execute(select(r.refusals, r.blocked, r.changed_at).where(where).with_for_update()).one()
            others_pass = exists().where(outbox.c.sent_at > known.changed_at)
            counts = known.refusals == 0 or connection.scalar(select(others_pass))
            refusals = known.refusals + bool(counts)
            blocked: bool = known.blocked or refusals >= most
            changed = {"refusals": refusals, "blocked": blocked, "last_error": error, "changed_at": now}
            connection.execute(update(refused_addresses).where(where).values(changed))
            return blocked

    def readdress(self, mail_id: int, recipient: str, now: datetime) -> None:
        self._change(mail_id, recipient=recipient, due_at=now)

    def forget_sent(self, before: datetime) -> int:
        """Not while the message is there that the mail tells of. Refused addresses that nobody has go, too."""
        o, r = outbox.c, refused_addresses.c
        kept = exists().where(messages.c.id == o.voicemail)
        in_use = or_(exists().where(subscribers.c.mail == r.address), exists().where(o.recipient == r.address))
        with self._engine.begin() as connection:
            old = delete(outbox).where(o.state == "sent", o.sent_at < before, ~kept)
            forgotten: int = connection.execute(old).rowcount
            connection.execute(delete(refused_addresses).where(r.changed_at < before, ~in_use))
        return forgotten

    def forget_given_up(self, before: datetime) -> int:
        with self._engine.begin() as connection:
            old = delete(outbox).where(outbox.c.state == "undeliverable", outbox.c.due_at < before)
            return connection.execute(old).rowcount

    def totals(self) -> tuple[int, int, int]:
        blocked = select(func.count()).select_from(refused_addresses).where(refused_addresses.c.blocked == true())
        return self._count("waiting"), self._count("undeliverable"), self._scalar(blocked)

    # -- for commands -------------------------------------------------------------------------------------------------

    def mails(self, state: str = "", mailbox: str = "", most: int = 0) -> list[MailState]:
        """Newest first, at most `most` (0: all); of one state, of one subscriber (E.164)."""
        query = _states().order_by(outbox.c.id.desc())
        if state:
            query = query.where(outbox.c.state == state)
        if mailbox:
            query = query.where(outbox.c.mailbox == mailbox)
        return self._states_of(query.limit(most) if most else query)

    def mail(self, mail_id: int) -> MailState | None:
        found = self._states_of(_states().where(outbox.c.id == mail_id))
        return found[0] if found else None

    def of_message(self, voicemail: int) -> list[MailState]:
        """The mails that tell of a stored message."""
        return self._states_of(_states().where(outbox.c.voicemail == voicemail).order_by(outbox.c.id))

    def retry(self, mail_id: int, now: datetime) -> bool:
        """Try a mail now, and again for as long as a new one; its address too. False: it was sent, or is not there."""
        o = outbox.c
        waits = {"state": "waiting", "due_at": now, "tried_since": now, "attempts": 0}
        with self._engine.begin() as connection:
            unsent = (o.id == mail_id, o.state.in_(("waiting", "undeliverable")))
            recipient = connection.scalar(update(outbox).where(*unsent).values(waits).returning(o.recipient))
            if recipient is None:
                return False
            connection.execute(delete(refused_addresses).where(refused_addresses.c.address == recipient))
            return True

    def blocked(self) -> Sequence[Any]:
        """(address, last_error, changed_at) of each address that gets no mail."""
        r = refused_addresses.c
        query = select(r.address, r.last_error, r.changed_at).where(r.blocked == true()).order_by(r.address)
        with self._reading.begin() as connection:
            return connection.execute(query).all()

    def unblock(self, address: str, now: datetime) -> bool:
        """Mail goes to this address again, and that which waits goes now. False: it was not blocked."""
        o = outbox.c
        with self._engine.begin() as connection:
            lifted = delete(refused_addresses).where(refused_addresses.c.address == address)
            if connection.execute(lifted).rowcount == 0:
                return False
            waiting = (o.recipient == address, o.state == "waiting", o.claimed_by == "")
            connection.execute(update(outbox).where(*waiting).values(due_at=now))
            return True

    def _count(self, state: str) -> int:
        counted: int = self._scalar(select(func.count()).where(outbox.c.state == state))
        return counted

    def _scalar(self, query: Any) -> Any:
        with self._reading.begin() as connection:
            return connection.scalar(query)

    def _states_of(self, query: Select[Any]) -> list[MailState]:
        with self._reading.begin() as connection:
            return [MailState(**row._asdict()) for row in connection.execute(query)]

    def _change(self, mail_id: int, **values: Any) -> None:
        with self._engine.begin() as connection:
            connection.execute(update(outbox).where(outbox.c.id == mail_id).values(**values, **_UNCLAIMED))


def _states() -> Select[Any]:
    columns = [outbox.c[name] for name in MailState.__slots__ if name != "blocked"]
    joined = outbox.outerjoin(refused_addresses, _BLOCKED)
    blocked = func.coalesce(refused_addresses.c.last_error, "").label("blocked")
    return select(*columns, blocked).select_from(joined)
