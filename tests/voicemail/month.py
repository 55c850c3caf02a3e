"""A month of voicemail on a clock that jumps from each thing that happens to the next, and a model of what is right."""

from __future__ import annotations

import heapq
import itertools
import os
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

from sqlalchemy import Engine, delete, event, func, select, update

from denwa.config.settings import Settings
from denwa.storage.deadline_store import DeadlineStore
from denwa.storage.outbox_store import OutboxStore
from denwa.storage.tables.contracts import subscribers
from denwa.storage.tables.voicemail import messages, outbox, reservations
from denwa.storage.voicemail_store import MailboxStore, OwnerStore
from denwa.voicemail import spool
from denwa.voicemail.deposit import Depositor, Outcome, Rules
from denwa.voicemail.letters import Sender, message_id
from denwa.voicemail.mail.templates import shipped_templates
from denwa.voicemail.mail.warning import DeadlineWarnings
from denwa.voicemail.ports import DeliveryFault
from denwa.voicemail.posting import Poster
from denwa.voicemail.sound_store.faults import StoreAway
from denwa.voicemail.sound_store.files import FileObjects
from denwa.voicemail.sound_store.opening import open_sounds
from denwa.voicemail.spool import Taken
from tests.voicemail.rig import CALLER, add_subscriber, make_tables
from tests.voicemail.voices import voice

BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
MS, HOUR, DAY = timedelta(milliseconds=1), timedelta(hours=1), timedelta(days=1)
KEEP, MOST = 7 * DAY, 10
SENDER = Sender("mail-noreply@denwa.example", "Denwa")
NOTICES = ("none", "notice", "attach", "attach")


class Faulty:
    """A store of sounds and a mail server that are away now and then."""

    def __init__(self) -> None:
        self.store_away = self.mail_away = False
        self.mails: list[EmailMessage] = []

    def deliver(self, mail: EmailMessage, sender: str, recipient: str) -> None:
        if self.mail_away:
            raise DeliveryFault("450 not now")
        self.mails.append(mail)

    def abort(self) -> None: ...

    def watched(self, objects: FileObjects) -> FileObjects:
        """The same store; every operation fails while it is away."""
        for name in ("put", "get", "has", "delete", "listing"):
            setattr(objects, name, self._unless_away(getattr(objects, name)))
        return objects

    def _unless_away(self, work: Callable[..., object]) -> Callable[..., object]:
        def do(*arguments: object) -> object:
            if self.store_away:
                raise StoreAway("the store is away")
            return work(*arguments)

        return do


@dataclass
class Box:
    """What must be in a mailbox: lease -> when it was recorded."""

    number: str
    notice: str
    discards: bool
    stored: dict[str, datetime] = field(default_factory=dict)
    held: int = 0
    ended: bool = False


class Month:
    """`run()`; afterwards the lists say what happened."""

    def __init__(self, folder: Path, url: str, *, boxes: int, calls: int, seed: int) -> None:
        self.random = random.Random(seed)
        self.engine = _unhurried(make_tables(url))
        self.spool = folder / "spool"
        self.spool.mkdir()
        self.faulty = Faulty()
        self.sounds = open_sounds(Settings(data_dir=folder))
        self.sounds.prepare()
        assert isinstance(self.sounds.objects, FileObjects)
        self.faulty.watched(self.sounds.objects)
        self.store, self.outbox = MailboxStore(self.engine), OutboxStore(self.engine)
        owners = OwnerStore(self.engine)
        rules = Rules(max_seconds=60, max_messages=MOST, keep_days=7, warn_left=2)
        self.depositor = Depositor(self.spool, self.sounds, self.store, owners, SENDER, rules)
        self.poster = Poster(self.outbox, owners, self.sounds, self.faulty, SENDER, shipped_templates(), "node")
        self.warnings = DeadlineWarnings(DeadlineStore(self.engine), owners, SENDER, KEEP, DAY)
        self.boxes = [self._box(index) for index in range(boxes)]
        self.now = BEGIN
        self.expected_mails: set[str] = set()
        self.full = self.deposited = self.expired = self.unmailed = 0
        self._mail_due: datetime | None = None
        self._events: list[tuple[datetime, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._plan(calls)

    def run(self) -> None:
        while True:
            planned = self._events[0][0] if self._events else None
            moments = [one for one in (planned, self._next_deadline(), self._next_mail()) if one]
            if not moments:
                return
            self.now = max(self.now, min(moments))
            while self._events and self._events[0][0] <= self.now:
                heapq.heappop(self._events)[2]()
            self._expire()
            self._send_mail()

    def _next_deadline(self) -> datetime | None:
        """When the service next has something to delete; while the store is away it only tries."""
        recorded = [at for box in self.boxes for at in box.stored.values()]
        if self.faulty.store_away or not recorded:
            return None
        deadline = min(recorded) + KEEP
        if not self._events or deadline <= self._events[0][0]:
            assert self.depositor.next_deadline() == deadline
        return deadline

    def _box(self, index: int) -> Box:
        box = Box(f"+81505001{index:04d}", NOTICES[index % 4], discards=index % 8 == 3)
        mail = f"owner{index}@example.jp"
        add_subscriber(self.engine, box.number, mail=mail, mail_notice=box.notice, delete_after_mail=box.discards)
        return box

    def _plan(self, calls: int) -> None:
        month = 31 * DAY / MS
        for number in range(calls):
            # A tenth of the boxes get half of the calls, in bursts: they fill up.
            popular = self.random.random() < 0.5
            box = self.random.choice(self.boxes[: len(self.boxes) // 10] if popular else self.boxes)
            at = BEGIN + MS * (round(self.random.uniform(0, month) / (1 if not popular else 12)))
            self._at(at, lambda box=box, number=number: self._call(box, f"lease-{number}"))
        for box in self.random.sample(self.boxes, 5):
            self._at(BEGIN + 9 * DAY, lambda box=box: self._set_state(box, "terminated"))
        for box in self.random.sample(self.boxes, 5):
            self._at(BEGIN + 5 * DAY, lambda box=box: self._set_state(box, "suspended"))  # its messages stay (L2)
        for day in (2, 8, 15, 22):
            self._at(BEGIN + day * DAY, lambda: setattr(self.faulty, "store_away", True))
            self._at(BEGIN + day * DAY + 3 * HOUR, lambda: setattr(self.faulty, "store_away", False))
            self._at(BEGIN + day * DAY + 10 * HOUR, lambda: setattr(self.faulty, "mail_away", True))
            self._at(BEGIN + day * DAY + 14 * HOUR, lambda: setattr(self.faulty, "mail_away", False))

    def _at(self, moment: datetime, work: Callable[[], None]) -> None:
        heapq.heappush(self._events, (moment, next(self._order), work))

    def _call(self, box: Box, lease: str) -> None:
        """V3: a place is to be had if and only if there is one."""
        room = len(box.stored) + box.held < MOST
        assert self.store.reserve(lease, box.number, "node", self.now, MOST) is room
        if not room:
            self.full += 1
            return
        box.held += 1
        called_at, spoken = self.now, self.random.choice((0, 1500, 3000))
        spool.take(self.spool, Taken(lease, box.number, CALLER, "", "c@x", 486, _millis(called_at))).release()
        ended = called_at + timedelta(seconds=8) + MS * (spoken + self.random.randrange(1000))
        if spoken:
            path = spool.sound_path(self.spool, lease)
            path.write_bytes(voice(spoken))
            os.utime(path, ns=(0, _millis(ended) * 1_000_000))
        self._at(ended, lambda: self._settle(box, lease, ended))

    def _settle(self, box: Box, lease: str, ended: datetime) -> None:
        self.depositor.keep_places(self.now)
        self.store.release_dead(self.now - HOUR)
        try:
            outcome = self.depositor.settle(lease, self.now)
        except StoreAway:
            assert spool.sound_path(self.spool, lease).exists()
            self._at(self.now + timedelta(minutes=10), lambda: self._settle(box, lease, ended))
            return
        self._mail_due = BEGIN
        box.held -= 1
        if outcome is Outcome.MESSAGE:
            box.stored[lease] = ended
            self.deposited += 1
            if box.notice != "none" and len(box.stored) == 8:
                self.expected_mails.add(message_id(f"almost-full-{lease}", SENDER.address))
            self._at(ended + KEEP - DAY, self._warn)
            if self.random.random() < 0.2:
                self._at(ended + self.random.uniform(0.1, 6.9) * DAY, lambda: self._delete(box, lease))
        assert outcome in ((Outcome.DROPPED,) if box.ended else (Outcome.MESSAGE, Outcome.NOTICE))
        if box.notice != "none" and not box.ended:
            self.expected_mails.add(message_id(lease, SENDER.address))
        self._compare(box)

    def _delete(self, box: Box, lease: str) -> None:
        for message in self.store.messages(box.number):
            if message.recording.lease == lease and not self.faulty.store_away:
                self.depositor.delete(message)
                del box.stored[lease]
        self._compare(box)

    def _set_state(self, box: Box, state: str) -> None:
        with self.engine.begin() as connection:
            changed = update(subscribers).where(subscribers.c.number == box.number)
            connection.execute(changed.values(state=state))
        box.ended = box.ended or state == "terminated"

    def _warn(self) -> None:
        self.warnings.warn(self.now)
        self._mail_due = BEGIN

    def _expire(self) -> None:
        """V4: a millisecond before its end a message is there, at its end it is gone."""
        due = [(box, lease) for box in self.boxes for lease, at in box.stored.items() if at + KEEP <= self.now]
        ended = [(box, lease) for box in self.boxes if box.ended for lease in box.stored]
        if due:
            self._check_warned([lease for _, lease in due])
        if not due and not ended:
            return
        if not ended and not self.faulty.store_away and all(b.stored[lease] + KEEP == self.now for b, lease in due):
            assert self.depositor.purge(self.now - MS) == 0
        gone = self.depositor.purge(self.now)
        if self.faulty.store_away:
            assert gone == 0
            return
        for box, lease in due + ended:
            self.expired += box.stored.pop(lease, None) is not None
        for box, _ in due + ended:
            self._compare(box)

    def _check_warned(self, leases: Sequence[str]) -> None:
        """The day before, or somewhat earlier with others of that day; not who wants no mail or has the recording."""
        m = messages.c
        with self.engine.begin() as connection:
            rows = connection.execute(select(m.lease, m.mailbox, m.recorded_at, m.warned_at).where(m.lease.in_(leases)))
            for row in rows.all():
                box = next(box for box in self.boxes if box.number == row.mailbox)
                if box.notice == "none" or (row.warned_at is None and box.notice == "attach"):
                    assert row.warned_at is None
                    continue
                if box.ended:
                    continue
                assert row.warned_at is not None, row
                assert row.recorded_at + KEEP - 2 * DAY <= row.warned_at <= row.recorded_at + KEEP - DAY, row

    def _next_mail(self) -> datetime | None:
        if self._mail_due == BEGIN:  # it may be another since a call or an attempt
            with self.engine.begin() as connection:
                waiting = select(func.min(outbox.c.due_at)).where(outbox.c.state == "waiting")
                self._mail_due = connection.scalar(waiting)
        return self._mail_due

    def _send_mail(self) -> None:
        due = self._next_mail()
        if due is None or due > self.now:
            return
        self._mail_due = BEGIN
        self._discard()
        while queued := self.poster.claim(self.now):
            self.poster.send(queued, lambda: self.now)
            self._discard()

    def _discard(self) -> None:
        """V4: right after its mail was accepted, if the owner chose so."""
        to_go = {message.recording.lease for message in self.store.to_discard()}
        self.depositor.discard_mailed()
        if self.faulty.store_away:
            return
        for box in self.boxes:
            if box.discards:
                going = to_go & box.stored.keys()
                for lease in going:
                    del box.stored[lease]
                self.unmailed += len(going)
                if going:
                    self._compare(box)

    def _compare(self, box: Box) -> None:
        found = {m.recording.lease: m.recording.recorded_at for m in self.store.messages(box.number)}
        assert found == box.stored, (box.number, self.now)
        assert len(found) + box.held <= MOST
        with self.engine.begin() as connection:
            held = select(reservations.c.lease).where(reservations.c.mailbox == box.number)
            assert len(connection.execute(held).all()) == box.held

    def sent(self) -> Counter[str]:
        """Message-ID -> how often it was accepted."""
        return Counter(str(mail["message-id"]) for mail in self.faulty.mails)

    def forget_outbox(self) -> int:
        """After a month nothing is left of mails either."""
        gone = self.outbox.forget_sent(self.now + MS)
        with self.engine.begin() as connection:
            return gone if connection.execute(delete(outbox)).rowcount == 0 else -1


def _unhurried(engine: Engine) -> Engine:
    """SQLite that waits for no disk: what a power cut leaves is not the matter here."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
        engine.dispose()
    return engine


def _millis(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // MS
