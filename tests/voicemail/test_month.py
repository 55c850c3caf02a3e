"""A month of voicemail in seconds: quota, retention, warnings and mails, right to the millisecond (V3, V4, M2-M4)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.voicemail.month import Month


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_month_keeps_ten_messages_for_seven_days_and_leaves_nothing_behind(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """V3, V4, V7, M4: with a store of sounds and a mail server that are away for hours."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # what a power cut leaves is not the matter here
    month = Month(tmp_path, database_url, boxes=200, calls=420, seed=20261122)
    month.run()
    # It was a month worth the name.
    assert month.deposited > 200
    assert min(month.full, month.unmailed) > 5
    assert month.expired > 120
    # M2-M4: each mail once, none lost; the others are the warnings of the day before.
    sent = month.sent()
    assert set(sent.values()) == {1}
    assert month.expected_mails <= sent.keys()
    assert all("expiring-" in one for one in sent.keys() - month.expected_mails)
    # V4: nothing is left, neither of sound nor of messages.
    assert month.store.totals() == (0, 0)
    assert month.sounds.keys() == set()
    assert not list((tmp_path / "voicemail" / "messages").iterdir())
    assert not list(month.spool.iterdir())
    assert month.forget_outbox() == len(sent)
    month.engine.dispose()
