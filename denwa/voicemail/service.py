"""Voicemail as the service runs it: places for calls, what they leave behind, retention and mail."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Coroutine
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from denwa.config.settings import Settings
from denwa.config.settings import Voicemail as VoicemailSettings
from denwa.voicemail.access import Access
from denwa.voicemail.box import BoxDesk, BoxParts
from denwa.voicemail.deposit import Depositor, Outcome, Rules
from denwa.voicemail.greetings import FOLDER, OwnGreetings
from denwa.voicemail.leases import PLACES, Kind
from denwa.voicemail.mail.office import MailOffice
from denwa.voicemail.mail.sending import in_own_thread
from denwa.voicemail.pool import Pool
from denwa.voicemail.ports import (
    Deadlines,
    DepositRequest,
    Greetings,
    Mailboxes,
    MailTransport,
    Outbox,
    Owners,
    SoundStore,
)
from denwa.voicemail.retention import Retention, guarded
from denwa.voicemail.setup import (
    box_prompts,
    guidance_prompts,
    node_name,
    pool_options,
    voicemail_folder,
)
from denwa.voicemail.sound_store.opening import open_service_sounds
from denwa.voicemail.storing import Storing
from denwa.voicemail.strays import sweep
from denwa.voicemail.visits import VisitRequest, Visits

log = logging.getLogger(__name__)
T = TypeVar("T")

LEASE_PATIENCE = 12.0  # seconds to wait for a free place: a crowd that comes at once waits for its workers to start
STOP_PATIENCE = 5.0  # seconds for what is being stored when the service stops
DEAD_PLACE = timedelta(hours=1)  # no call is that long: its node is gone


@dataclass(frozen=True, slots=True)
class Place:
    """A worker that expects the call for `INVITE_PATIENCE` seconds: send the INVITE to `uri` at `host`:`port`."""

    lease: str
    host: str
    port: int
    uri: str


@dataclass(frozen=True, slots=True)
class NoPlace:
    """The call is cut with `status` instead of answered; `full`: the mailbox is (V3)."""

    status: int
    reason: str
    full: bool


class VoicemailService:
    """Thread-bound to the loop that starts it; the database ports are called in threads.

    `on_change(mailbox)` is called on that loop after messages of an E.164 have come, gone or been heard (V6).
    """

    def __init__(
        self,
        settings: Settings,
        mailboxes: Mailboxes,
        outbox: Outbox,
        owners: Owners,
        *,
        sounds: SoundStore | None = None,
        transport: MailTransport | None = None,
        deadlines: Deadlines | None = None,
        greetings: Greetings | None = None,
        access: Access | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`access` None: boxes are heard from the own phone only. Raises VoicemailSettingsFault."""
        rules = settings.voicemail
        self._folder = voicemail_folder(settings.data_dir)
        self._spool = self._folder / "spool"
        self._mailboxes = mailboxes
        self._owners = owners
        self._max_messages = rules.max_messages
        self._now = now
        self._node = ""
        self._sounds = sounds or open_service_sounds(settings)
        self._greetings: OwnGreetings | None = None
        if greetings is not None:
            self._greetings = OwnGreetings(greetings, self._sounds, self._folder / FOLDER, now)
        self._mail = MailOffice(settings, outbox, owners, self._sounds, now, transport=transport, deadlines=deadlines)
        self._depositor = self._open_depositor(rules)
        self.on_change: Callable[[str], None] = lambda mailbox: None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.on_lost: Callable[[str], object] = lambda call_id: None  # a worker died in this call: nobody hears it
        self._pool = Pool(pool_options(settings, self._spool), self._closed, lambda call_id: self.on_lost(call_id))
        self._drain_seconds = rules.drain_seconds
        self._keep = timedelta(days=rules.keep_days)
        self._box = self._open_box(access)
        half = max(rules.workers, rules.max_workers) * PLACES // 2
        self._visits = Visits(self._pool, self._box, box_prompts(settings), self._job, half)
        self._prompts = guidance_prompts(settings)
        self._guidance_places = settings.guidance.places
        self._storing = Storing(self._depositor, self._spool, now, self._call_is_stored)
        self._retention = Retention(self._depositor, now, self._tidy, self._sweep)
        self._jobs: set[asyncio.Task[Any]] = set()
        self._loops: list[asyncio.Task[None]] = []
        self._stopped = True

    def _open_depositor(self, of: VoicemailSettings) -> Depositor:
        return Depositor(
            self._spool,
            self._sounds,
            self._mailboxes,
            self._owners,
            self._mail.sender,
            Rules(of.max_seconds, of.max_messages, of.keep_days, of.warn_left, of.wideband),
            self._changed_in_thread,
        )

    def _open_box(self, access: Access | None) -> BoxDesk:
        parts = BoxParts(
            self._folder / "visits",
            self._mailboxes,
            self._owners,
            self._sounds,
            self._keep,
            self._depositor.delete,
            self._greetings,
        )
        return BoxDesk(parts, access, self._changed_in_thread, self._now)

    async def start(self) -> None:
        """Store what a kill left behind, then let calls in. Workers come up in the background."""
        self._loop = asyncio.get_running_loop()
        self._spool.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._node = node_name(self._folder)
        interrupted = await asyncio.to_thread(self._begin)
        await asyncio.to_thread(self._box.clear)
        if self._greetings is not None:
            await asyncio.to_thread(self._greetings.close_all)
        self._stopped = False
        self._pool.start()
        self._loops = [
            asyncio.create_task(self._mail.run(self._node, self._depositor.discard_mailed)),
            asyncio.create_task(self._retention.run()),
            asyncio.create_task(self._storing.take_up(interrupted)),
            asyncio.create_task(guarded(self._look_at_sounds, "the look at the store of sounds")),
        ]

    async def drain(self) -> None:
        """Take no new calls and let the recordings that run finish, for `voicemail.drain_seconds` at most."""
        self._stopped = True
        running = self._pool.recording
        if running:
            log.info("voicemail: %d recordings go on for up to %g seconds", running, self._drain_seconds)
        cut = await self._pool.drain(self._drain_seconds)
        if cut:
            log.warning("voicemail: %d recordings are cut off and kept as far as they are", cut)

    def hurry(self) -> None:
        """End `drain` now."""
        self._pool.hurry()

    async def stop(self) -> None:
        """End calls, store their recordings; what cannot be stored now stays in the spool for the next start."""
        self._stopped = True
        await self._pool.stop()
        if self._jobs:
            await asyncio.wait(self._jobs, timeout=STOP_PATIENCE)
        await self._storing.close(STOP_PATIENCE)
        for task in (*self._loops, *self._jobs):
            task.cancel()
        await asyncio.gather(*self._loops, *self._jobs, return_exceptions=True)
        self._loops.clear()
        if self._greetings is not None:
            await asyncio.to_thread(self._greetings.close_all)
        await self._mail.close()

    async def lease(self, request: DepositRequest) -> Place | NoPlace:
        """A place for a call, with room for its message reserved (V3). Takes a few ms, at most a few seconds.

        To be given back with `release` if the INVITE is not sent; after 5 seconds without one it lapses by itself.
        """
        lease = secrets.token_hex(16)
        asked = self._job(self._lease(lease, request))
        try:
            return await asyncio.shield(asked)
        except asyncio.CancelledError:
            asked.add_done_callback(lambda _: self.release(lease))
            raise

    async def visit(self, request: VisitRequest) -> Place | NoPlace:
        """A place for a call to a box (V6), to be given back as those of `lease`."""
        lease = secrets.token_hex(16)
        port = None if self._stopped else await self._visits.place(lease, request, LEASE_PATIENCE)
        if port is None:
            return NoPlace(480, "Voicemail Unavailable", full=False)
        return Place(lease, "127.0.0.1", port, f"sip:{lease}@127.0.0.1:{port}")

    def guide(self, prompt: str) -> Place | None:
        """A place for a refused caller who is to hear `prompt`, a file's name without `.wav`; None: none is free, or
        there is no such prompt. To be given back as those of `lease`."""
        path = self._prompts.get(prompt)
        if self._stopped or path is None:
            return None
        lease = secrets.token_hex(16)
        port = self._pool.guide(lease, path, self._guidance_places)
        return Place(lease, "127.0.0.1", port, f"sip:{lease}@127.0.0.1:{port}") if port is not None else None

    def release(self, lease: str) -> None:
        """The INVITE will not come. Without effect on a call that a worker has answered."""
        self._pool.release(lease)

    def changed(self, mailbox: str) -> None:
        """Another part of the program has changed the messages of this E.164, or has had one heard."""
        self.on_change(mailbox)

    def _changed_in_thread(self, mailbox: str) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.changed, mailbox)

    def subscribers_changed(self) -> None:
        """A contract may have ended: its messages go now (V4)."""
        self._retention.look_again()

    def mail_waits(self) -> None:
        """Look into the outbox now: another part of the program has put a mail there."""
        self._mail.wake()

    async def counts(self) -> dict[str, int]:
        """For metrics: places and workers here, messages and mails in the database."""
        stored, held = await asyncio.to_thread(self._mailboxes.totals)
        return {
            "messages": stored,
            "reserved": held,
            "recordings_waiting": self._storing.waiting,
            "calls": self._pool.leases,
            "calls_waiting": self._pool.waiting,
            "guidances": self._pool.guided,
            "box_calls": len(self._visits),
            "free_places": self._pool.free,
            "workers": self._pool.workers,
            "workers_died": self._pool.faults["workers_died"],
            "workers_hung": self._pool.faults["workers_hung"],
            **await asyncio.to_thread(self._mail.totals),
        }

    async def _lease(self, lease: str, request: DepositRequest) -> Place | NoPlace:
        unavailable = NoPlace(480, "Voicemail Unavailable", full=False)
        if self._stopped:
            return unavailable
        try:
            if await asyncio.to_thread(self._owners.owner, request.mailbox) is None:
                return NoPlace(480, "No Mailbox", full=False)
            if not await asyncio.to_thread(self._reserve, lease, request.mailbox):
                return NoPlace(480, "Mailbox Full", full=True)
            greeting = await asyncio.to_thread(self._greeting, request.mailbox)
        except Exception:
            log.exception("voicemail: no place can be reserved")
            return unavailable
        command = {"do": Kind.MESSAGE, "greeting": greeting, **_told(request)}
        port = await self._pool.lease(lease, command, LEASE_PATIENCE)
        if port is None:
            log.error("voicemail: all places of all workers are taken")
            self._closed(lease)
            return unavailable
        return Place(lease, "127.0.0.1", port, f"sip:{lease}@127.0.0.1:{port}")

    def _greeting(self, mailbox: str) -> str:
        """The file of the subscriber's own greeting, "" for the service's."""
        path = self._greetings.file_of(mailbox) if self._greetings is not None else None
        return "" if path is None else str(path)

    def _reserve(self, lease: str, mailbox: str) -> bool:
        now = self._now()
        return self._mailboxes.reserve(lease, mailbox, self._node, now, self._max_messages, now - self._keep)

    def _closed(self, lease: str) -> None:
        """A call is over, or never came: store what it left."""
        if not self._visits.ended(lease):
            self._storing.store(lease)

    def _begin(self) -> list[str]:
        """The leases of calls that a kill interrupted, to be stored."""
        self._mail.take_up(self._node)
        leases, freed = self._depositor.begin(self._node)
        if leases or freed:
            log.warning(
                "voicemail: a kill had interrupted %d calls, which are stored; %d places freed", len(leases), freed
            )
        return leases

    def _call_is_stored(self, outcome: Outcome) -> None:
        if outcome in (Outcome.MESSAGE, Outcome.NOTICE):
            self._mail.wake()

    async def _tidy(self, now: datetime) -> None:
        if await asyncio.to_thread(self._mail.tidy, now):
            self._mail.wake()
        await asyncio.to_thread(self._mailboxes.release_dead, now - DEAD_PLACE)
        await asyncio.to_thread(self._box.forget, now)
        if self._greetings is not None:
            await asyncio.to_thread(self._greetings.purge)
            await asyncio.to_thread(self._greetings.close_unused)

    def _sweep(self, now: datetime) -> None:
        sweep(self._mailboxes, self._sounds, self._spool, now, self._keep)

    async def _look_at_sounds(self) -> None:
        try:
            for text in await in_own_thread(self._sounds.look):
                log.warning("voicemail: %s", text)
        except OSError as fault:
            log.error("voicemail: %s", fault)

    def _job(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self._jobs.add(task)
        task.add_done_callback(self._jobs.discard)
        return task


def _told(request: DepositRequest) -> dict[str, Any]:
    """What a worker is told of a call."""
    return {name: value for name, value in asdict(request).items() if name != "account"}
