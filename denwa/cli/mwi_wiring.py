"""Joins mailboxes and telephones: what changes in a box is read once and told to the SIP engine (V6)."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack

from sqlalchemy import Engine

from denwa.config.settings import Settings
from denwa.storage.mailbox_counts import MailboxCounts
from denwa.storage.subscription_store import MwiSubscriptionStore
from denwa.voicemail.service import VoicemailService
from denwa.voip.mwi.ports import SubscriptionStore
from denwa.voip.mwi.rules import MwiRules
from denwa.voip.mwi.summary import Counts
from denwa.voip.server import SipServer

log = logging.getLogger(__name__)
RETRY_PAUSE = 5.0  # seconds until a database that failed is asked again
KEEP_EVERY = 1.0  # seconds between writes of subscriptions
LOOK_AGAIN = 300.0  # seconds between looks at all boxes: a change on another machine comes without word


def mwi_rules(settings: Settings) -> MwiRules:
    voicemail, sip = settings.voicemail, settings.sip
    return MwiRules(
        domain=sip.domains[0].encode(),
        box_number=voicemail.box_number.encode(),
        unsolicited=voicemail.mwi_unsolicited,
        min_expires=sip.min_expires,
        max_expires=sip.max_expires,
        most=settings.limits.subscriptions,
        most_of_one=sip.max_bindings,
        per_second=voicemail.mwi_per_second,
    )


def open_lamps(main: Engine, server: SipServer, voicemail: VoicemailService, stack: AsyncExitStack) -> MailboxLamps:
    """Take up what the database has, and follow it from now on. Before the first message comes; raises
    SQLAlchemyError."""
    lamps = MailboxLamps(MailboxCounts(main), MwiSubscriptionStore(main), server)
    lamps.load()
    voicemail.on_change = lamps.changed
    stack.push_async_callback(lamps.store)
    for work in (lamps.run(), lamps.keep_subscriptions()):
        stack.callback(asyncio.create_task(work).cancel)
    return lamps


class MailboxLamps:
    """Keeps the engine's counts of messages like the database: whole at start, by change afterwards; and keeps the
    engine's subscriptions in the database, a second late."""

    def __init__(self, counts: MailboxCounts, store: SubscriptionStore, server: SipServer) -> None:
        self._counts = counts
        self._store = store
        self._server = server
        self._changed: set[str] = set()
        self._wake = asyncio.Event()
        self._lock = asyncio.Lock()

    def load(self) -> None:
        """Before the first message comes."""
        mwi, now, now_ms = self._server.engine.mwi, time.monotonic(), self._server.now_ms()
        mwi.notifier.restore(self._store.subscriptions(now_ms), now)
        mwi.load(self._by_account(self._counts.everywhere()), now, now_ms)

    def changed(self, mailbox: str) -> None:
        """Messages of this E.164 have come, gone or been heard."""
        self._changed.add(mailbox)
        self._wake.set()

    async def refresh(self, mailbox: str) -> None:
        """The same; when this returns the phones are being told."""
        self._changed.add(mailbox)
        await self._take_up()

    async def run(self) -> None:
        while True:
            try:
                async with asyncio.timeout(LOOK_AGAIN):
                    await self._wake.wait()
            except TimeoutError:
                pause = await self._guarded(everywhere=True)
            else:
                self._wake.clear()
                pause = await self._guarded(everywhere=False)
            await asyncio.sleep(pause)

    async def keep_subscriptions(self) -> None:
        """Store what changes, for ever."""
        while True:
            await asyncio.sleep(KEEP_EVERY)
            if not await self.store():
                await asyncio.sleep(RETRY_PAUSE)

    async def store(self) -> bool:
        """Store what has changed until now; False: it could not be, and is tried again with what comes."""
        notifier = self._server.engine.mwi.notifier
        if not notifier.unstored:
            return True
        entries, over = notifier.take_changes()
        try:
            await asyncio.to_thread(self._store.keep, entries, over)
        except Exception:
            log.exception("subscriptions to mailboxes cannot be stored")
            notifier.put_back(entries, over)
            return False
        return True

    async def _guarded(self, *, everywhere: bool) -> float:
        """Seconds to wait before the next look."""
        try:
            if everywhere:
                async with self._lock:
                    self._tell(await asyncio.to_thread(self._counts.everywhere))
            else:
                await self._take_up()
        except Exception:
            log.exception("the messages of mailboxes cannot be counted; their phones are told later")
            self._wake.set()
            return RETRY_PAUSE
        return 0.0

    async def _take_up(self) -> None:
        async with self._lock:
            asked, self._changed = self._changed, set()
            if not asked:
                return
            try:
                found = await asyncio.to_thread(self._counts.of, asked)
            except BaseException:
                self._changed |= asked
                raise
            self._tell(found)

    def _tell(self, found: Mapping[str, tuple[int, int]]) -> None:
        mwi, now, now_ms = self._server.engine.mwi, time.monotonic(), self._server.now_ms()
        for account, counts in self._by_account(found).items():
            mwi.put(account, counts, now, now_ms)
        self._server.flush()

    def _by_account(self, found: Mapping[str, tuple[int, int]]) -> dict[bytes, Counts]:
        known = self._server.engine.ctx.directory.by_number
        return {known[number].account: Counts(*counts) for number, counts in found.items() if number in known}
