"""The mail of the service: several at once, none twice, and none held up by another (M4)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from denwa.config.settings import Settings
from denwa.storage.outbox_store import OutboxStore
from denwa.storage.tables.voicemail import outbox
from denwa.storage.voicemail_store import MailboxStore, OwnerStore
from denwa.voicemail.letters import Kind, Letter, Sender
from denwa.voicemail.mail import sending
from denwa.voicemail.mail.sending import MailRoom
from denwa.voicemail.mail.templates import shipped_templates
from denwa.voicemail.ports import Envelope, QueuedMail
from denwa.voicemail.posting import Outcome, Poster
from denwa.voicemail.sound_store.opening import open_sounds
from denwa.voicemail.transport import SmtpServer, SmtpTransport
from tests.voicemail.mail_server import MailServer
from tests.voicemail.rig import NUMBER, add_subscriber, eventually, make_tables

NOW = datetime(2026, 11, 22, tzinfo=UTC)
PATIENCE = 60.0  # seconds that a busy machine may take


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MailServer]:
    server = MailServer(tmp_path)
    server.start()
    yield server
    if server.hold is not None:
        server.hold.set()
    server.stop()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = make_tables(f"sqlite:///{tmp_path / 'denwa.db'}")
    add_subscriber(engine)
    yield engine
    engine.dispose()


def queue(engine: Engine, *names: str) -> None:
    """A call notice to each NAME@example.jp."""
    for name in names:
        letter = Letter(Kind.CALL_NOTICE, NUMBER, "50010001", "", "anonymous", 0)
        envelope = Envelope(f"<{name}@denwa.example>", f"{name}@example.jp", letter)
        MailboxStore(engine).notice(name, NUMBER, envelope, NOW)


def states(engine: Engine) -> dict[str, str]:
    """Recipient's name -> state."""
    with engine.begin() as connection:
        rows = connection.execute(select(outbox.c.recipient, outbox.c.state)).all()
    return {row.recipient.partition("@")[0]: row.state for row in rows}


@asynccontextmanager
async def mail_room(folder: Path, engine: Engine, server: MailServer, connections: int = 4) -> AsyncIterator[MailRoom]:
    transport = SmtpTransport(SmtpServer.from_url(server.url()), server.authority)
    poster = Poster(
        OutboxStore(engine),
        OwnerStore(engine),
        open_sounds(Settings(data_dir=folder)),
        transport,
        Sender("mail-noreply@denwa.example", "Denwa"),
        shipped_templates(),
        "node",
    )
    room = MailRoom(poster, lambda: None, lambda: NOW, connections, asyncio.Event())
    running = asyncio.create_task(room.run())
    try:
        yield room
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await room.close()


async def test_each_mail_is_accepted_once_however_many_are_sent_at_a_time(tmp_path, engine, server):
    """M4"""
    names = [f"n{number}" for number in range(24)]
    queue(engine, *names)
    async with mail_room(tmp_path, engine, server):
        await eventually(lambda: set(states(engine).values()) == {"sent"}, PATIENCE)
    assert sorted(recipients[0] for _, recipients, _ in server.received) == sorted(
        f"{name}@example.jp" for name in names
    )


async def test_mail_that_the_server_takes_its_time_over_does_not_hold_up_others(tmp_path, engine, server):
    """M4"""
    server.hold = threading.Event()
    queue(engine, "slow1", "slow2")
    async with mail_room(tmp_path, engine, server, connections=3) as room:
        await eventually(lambda: server.waiting == 2, PATIENCE)
        hold, server.hold = server.hold, None
        queue(engine, "quick1", "quick2")
        room._due.set()
        await eventually(lambda: len(server.received) == 2, PATIENCE)
        assert states(engine)["slow1"] == "waiting"
        hold.set()
        await eventually(lambda: set(states(engine).values()) == {"sent"}, PATIENCE)
    assert len(server.received) == 4


async def test_stop_cuts_what_the_server_does_not_answer_and_the_mail_waits(tmp_path, engine, server, monkeypatch):
    monkeypatch.setattr(sending, "GRACE", 0.2)
    server.hold = threading.Event()
    queue(engine, "slow")
    async with mail_room(tmp_path, engine, server):
        await eventually(lambda: server.waiting == 1, PATIENCE)
    assert await eventually(lambda: states(engine) == {"slow": "waiting"}, PATIENCE)
    assert server.received == []


class Post:
    """Stands in for the outbox and the mail server: `due` mails, and what becomes of each."""

    def __init__(self, due: int, outcome: Callable[[], Outcome]) -> None:
        self.due = due
        self.outcome = outcome
        self.sent = 0
        self.tried = 0
        self.at_once = 0
        self.most_at_once = 0
        self._lock = threading.Lock()

    def claim(self, now: datetime) -> QueuedMail | None:
        with self._lock:
            if self.due == 0:
                return None
            self.due -= 1
            letter = Letter(Kind.CALL_NOTICE, NUMBER, "50010001", "", "anonymous", 0)
            return QueuedMail(self.due, "<x@y>", "z@example.jp", letter, "", now, 0, now, "")

    def send(self, queued: QueuedMail, clock: Callable[[], datetime]) -> Outcome:
        with self._lock:
            self.tried += 1
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        outcome = self.outcome()
        with self._lock:
            self.at_once -= 1
            if outcome is Outcome.SENT:
                self.sent += 1
            else:
                self.due += 1
        return outcome

    def abort(self) -> None:
        pass


@asynccontextmanager
async def room_of(post: Post, discard: Callable[[], object] = lambda: None) -> AsyncIterator[MailRoom]:
    room = MailRoom(post, discard, lambda: NOW, 4, asyncio.Event())  # type: ignore[arg-type]
    running = asyncio.create_task(room.run())
    yield room
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await room.close()


async def test_server_that_is_away_is_asked_with_one_mail_at_a_time_and_rests_are_longer_each_time(monkeypatch):
    """M4: a thousand mails that wait do not run against a server that is down."""
    monkeypatch.setattr(sending, "INTERVAL", 0.02)
    monkeypatch.setattr(sending, "FIRST_REST", 0.1)
    monkeypatch.setattr(sending, "LONGEST_REST", 0.4)
    back = threading.Event()
    post = Post(1000, lambda: Outcome.SENT if back.is_set() else Outcome.NO_SERVER)
    async with room_of(post) as room:
        await eventually(lambda: room._rest == 0.4, PATIENCE)
        first = post.tried
        assert first <= 4 + 2  # those on their way when the first failed, and one after each rest
        post.most_at_once = 0
        await eventually(lambda: post.tried >= first + 3, PATIENCE)
        assert post.most_at_once == 1
        back.set()
        await eventually(lambda: post.sent == 1000, PATIENCE)
        assert room._rest == 0.0


async def test_mail_that_is_refused_does_not_stop_others(monkeypatch):
    outcomes = iter([Outcome.LATER, Outcome.HELD, *[Outcome.SENT] * 1000])
    lock = threading.Lock()

    def next_outcome() -> Outcome:
        with lock:
            return next(outcomes)

    post = Post(20, next_outcome)
    async with room_of(post):
        await eventually(lambda: post.sent == 20, PATIENCE)


async def test_fault_of_the_database_does_not_end_the_mail(monkeypatch, caplog):
    monkeypatch.setattr(sending, "INTERVAL", 0.02)
    post = Post(3, lambda: Outcome.SENT)
    claim, faults = post.claim, iter([OSError("away"), OSError("away")])

    def failing(now: datetime) -> QueuedMail | None:
        for fault in faults:
            raise fault
        return claim(now)

    monkeypatch.setattr(post, "claim", failing)
    async with room_of(post):
        await eventually(lambda: post.sent == 3, PATIENCE)
    assert "mail failed and is tried again" in caplog.text


async def test_mails_go_out_while_messages_cannot_be_deleted(caplog):
    """V4: the store of sounds is away."""

    def discard() -> None:
        raise OSError("away")

    post = Post(3, lambda: Outcome.SENT)
    async with room_of(post, discard):
        await eventually(lambda: post.sent == 3, PATIENCE)
    assert "cannot be deleted, and are tried again" in caplog.text


async def test_messages_are_discarded_as_soon_as_their_mail_was_accepted():
    """V4"""
    discarded: list[int] = []
    post = Post(1, lambda: Outcome.SENT)
    async with room_of(post, lambda: discarded.append(post.sent)):
        await eventually(lambda: 1 in discarded, PATIENCE)
