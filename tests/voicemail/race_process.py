"""Callers and an owner of a few mailboxes in one process, all at once: prints how many places they got."""

import random
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from denwa.storage.engine import open_engine
from denwa.storage.voicemail_store import MailboxStore
from denwa.voicemail.ports import Recording

MAILBOXES = [f"+81505001000{index}" for index in range(3)]
MOST, THREADS, CALLS = 10, 6, 25
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def call(store: MailboxStore, name: str, chance: random.Random) -> bool:
    """One caller: a place, then a message or nothing; now and then the owner deletes one."""
    mailbox = chance.choice(MAILBOXES)
    if not store.reserve(name, mailbox, "node", NOW, MOST):
        if chance.random() < 0.3:
            for message in store.messages(mailbox)[:2]:
                store.forget(message.id)
        return False
    if chance.random() < 0.2:
        store.free([name])
        return True
    key = f"{mailbox[1:]}/{name}.wav"
    recording = Recording(name, mailbox, "", "anonymous", "c@x", 486, NOW, NOW, 1000, 16044, key)
    assert store.deposit(recording, None, NOW) is not None
    return True


def main(url: str, seed: int) -> None:
    engine = open_engine(url)
    store = MailboxStore(engine)

    def caller(thread: int) -> int:
        chance = random.Random(seed * 100 + thread)
        return sum(call(store, f"{seed}-{thread}-{number}", chance) for number in range(CALLS))

    with ThreadPoolExecutor(THREADS) as threads:
        print(sum(threads.map(caller, range(THREADS))), flush=True)
    engine.dispose()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
