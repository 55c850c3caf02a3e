"""Mails that warn: a mailbox in which little more fits, and messages that will be deleted soon. Each once."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import groupby

from denwa.voicemail.letters import JAPAN, Kind, Letter, Listed, Sender, message_id
from denwa.voicemail.ports import Deadlines, Envelope, Message, Owner, Owners

LATE = timedelta(hours=1)  # a recording may come into the mailbox so long after it ended


def almost_full(owner: Owner, lease: str, most: int, left: int, sender: Sender) -> Envelope | None:
    """To be sent with a deposit after which exactly `left` of `most` messages more fit; None: not wanted."""
    if left < 1 or left >= most or not _wants_mail(owner):
        return None
    letter = Letter(
        kind=Kind.MAILBOX_ALMOST_FULL,
        mailbox=owner.number,
        account=owner.account,
        caller="",
        hidden_reason="",
        called_at_ms=0,
        stored=most - left,
        most=most,
        language=owner.language,
    )
    return Envelope(message_id(f"almost-full-{lease}", sender.address), owner.mail, letter)


class DeadlineWarnings:
    """Tells owners `ahead` of a deletion: one mail for all messages that go on the same day in Japan.

    Who has no mail notices gets none (M1), and no message is named whose recording the owner has by mail already.
    """

    def __init__(self, deadlines: Deadlines, owners: Owners, sender: Sender, keep: timedelta, ahead: timedelta) -> None:
        self._deadlines = deadlines
        self._owners = owners
        self._sender = sender
        self._keep = keep
        self._ahead = ahead
        self._looked_until: datetime | None = None

    def warn(self, now: datetime) -> int:
        """Queue the warnings that are due; returns how many."""
        if not timedelta(0) < self._ahead < self._keep:
            return 0
        after, until = now - self._keep, now - self._keep + self._ahead
        if self._looked_until is not None:  # what was looked at need not be looked at again, if the clock went on
            after = max(after, min(self._looked_until, until) - LATE)
        queued = sum(self._warn_owner(mailbox, now) for mailbox in self._deadlines.to_warn(after, until))
        self._looked_until = until
        return queued

    def _warn_owner(self, mailbox: str, now: datetime) -> int:
        owner = self._owners.owner(mailbox)
        if owner is None or not _wants_mail(owner):
            return 0
        waiting = [one for one in self._deadlines.unwarned(mailbox) if self._deleted_at(one) > now]
        days = [list(messages) for _, messages in groupby(waiting, self._day)]
        due = [messages for messages in days if self._deleted_at(messages[0]) <= now + self._ahead]
        for messages in due:
            envelope = Envelope(self._mail_id(messages), owner.mail, self._letter(owner, messages))
            self._deadlines.warned([one.id for one in messages], envelope, now)
        return len(due)

    def _letter(self, owner: Owner, messages: list[Message]) -> Letter:
        return Letter(
            kind=Kind.MESSAGES_EXPIRING,
            mailbox=owner.number,
            account=owner.account,
            caller="",
            hidden_reason="",
            called_at_ms=0,
            keep_days=self._keep.days,
            language=owner.language,
            listed=tuple(self._listed(one) for one in messages),
        )

    def _mail_id(self, messages: list[Message]) -> str:
        return message_id(f"expiring-{messages[0].recording.lease}", self._sender.address)

    def _deleted_at(self, message: Message) -> datetime:
        return message.recording.recorded_at + self._keep

    def _day(self, message: Message) -> date:
        return self._deleted_at(message).astimezone(JAPAN).date()

    def _listed(self, message: Message) -> Listed:
        of, deleted_at = message.recording, self._deleted_at(message)
        return Listed(of.caller, of.hidden_reason, _millis(of.called_at), of.duration_ms, _millis(deleted_at))


def _wants_mail(owner: Owner) -> bool:
    return owner.mail_notice != "none" and bool(owner.mail)


def _millis(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
