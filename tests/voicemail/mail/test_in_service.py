"""Warnings and mails of the service as it runs, kept in a Maildir."""

from __future__ import annotations

import mailbox
from datetime import UTC, datetime, timedelta
from email.header import decode_header, make_header
from pathlib import Path

from denwa.storage.deadline_store import DeadlineStore
from denwa.storage.outbox_store import OutboxStore
from denwa.storage.voicemail_store import MailboxStore, OwnerStore
from denwa.voicemail.ports import Recording
from denwa.voicemail.service import VoicemailService
from tests.voicemail.rig import NUMBER, add_subscriber, eventually, make_tables, settings_for


def subjects(folder: Path) -> list[str]:
    return [str(make_header(decode_header(mail["subject"]))) for mail in mailbox.Maildir(folder, create=True)]


async def test_owner_is_told_the_day_before_a_message_goes_and_once_over_a_restart(tmp_path: Path) -> None:
    # V4
    engine = make_tables(f"sqlite:///{tmp_path / 'denwa.db'}")
    add_subscriber(engine, mail_notice="notice")
    at = datetime.now(UTC).replace(microsecond=0) - timedelta(days=6, minutes=5)
    recording = Recording("a", NUMBER, "", "payphone", "c@x", 486, at, at, 1000, 9, "815050010001/a.wav")
    assert MailboxStore(engine).deposit(recording, None, at) is not None
    settings = settings_for(tmp_path)
    try:
        for _ in range(2):
            service = VoicemailService(
                settings,
                MailboxStore(engine),
                OutboxStore(engine),
                OwnerStore(engine),
                deadlines=DeadlineStore(engine),
            )
            await service.start()
            try:
                await eventually(lambda: subjects(tmp_path / "mail") and OutboxStore(engine).totals()[0] == 0, 60)
                counts = await service.counts()
            finally:
                await service.stop()
            assert subjects(tmp_path / "mail") == ["【Denwa】メッセージの削除予定のお知らせ"]
            assert (counts["mails_waiting"], counts["mail_addresses_blocked"]) == (0, 0)
    finally:
        engine.dispose()
