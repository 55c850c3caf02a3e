"""The directory: found by account and by number, changed at once."""

from __future__ import annotations

from denwa.voip.subscribers import Directory
from tests.voip.wire import subscriber


def test_a_subscriber_is_found_by_account_and_by_number_as_it_is_now():  # N2
    directory = Directory()
    directory.put(subscriber(1))
    directory.put(subscriber(2))
    changed = subscriber(1, active=False)
    directory.put(changed)
    assert directory.by_account[b"50010001"] is changed
    assert directory.by_number["+815050010001"] is changed
    assert len(directory) == 2
    directory.remove("+815050010001")
    directory.remove("+815050010001")
    assert b"50010001" not in directory.by_account
    assert "+815050010001" not in directory.by_number
    assert len(directory) == 1


def test_a_number_that_gets_another_account_loses_the_old_one():
    directory = Directory()
    directory.put(subscriber(1))
    directory.put(subscriber(1, account=b"other"))
    assert set(directory.by_account) == {b"other"}
