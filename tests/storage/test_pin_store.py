"""PINs and wrong tries on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, func, select, update

from denwa.storage.pin_store import PinStore
from denwa.storage.tables.box_access import mailbox_tries
from denwa.storage.tables.contracts import subscribers
from denwa.voicemail.pins import FIRST_LOCK, FORGET_AFTER, TRIES
from tests.voicemail.rig import NUMBER, add_subscriber, make_tables

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = make_tables(database_url)
    yield engine
    engine.dispose()


def test_a_pin_is_set_changed_and_cleared(engine: Engine) -> None:
    store = PinStore(engine)
    assert store.pin_hash(NUMBER) == ""
    store.set_pin(NUMBER, "one", NOW)
    store.set_pin(NUMBER, "two", NOW)
    assert store.pin_hash(NUMBER) == "two"
    assert store.clear_pin(NUMBER)
    assert not store.clear_pin(NUMBER)


def test_many_tries_at_once_are_no_way_around_the_count(engine: Engine) -> None:  # V6
    store = PinStore(engine)
    with ThreadPoolExecutor(8) as pool:
        shut = list(pool.map(lambda _: store.begin_try(NUMBER, NOW), range(20)))
    assert shut.count(None) == TRIES
    assert set(shut) == {None, NOW + FIRST_LOCK}


def test_a_right_pin_and_a_new_pin_begin_the_count_anew(engine: Engine) -> None:
    store = PinStore(engine)
    for _ in range(TRIES):
        store.begin_try(NUMBER, NOW)
    assert store.locked_until(NUMBER, NOW) == NOW + FIRST_LOCK
    store.set_pin(NUMBER, "new", NOW)
    assert store.locked_until(NUMBER, NOW) is None
    for _ in range(TRIES - 1):
        store.begin_try(NUMBER, NOW)
    store.try_was_right(NUMBER)
    store.begin_try(NUMBER, NOW)
    assert store.locked_until(NUMBER, NOW) is None


def test_tries_are_forgotten_after_a_week_without_one(engine: Engine) -> None:
    store = PinStore(engine)
    for _ in range(TRIES - 1):
        store.begin_try(NUMBER, NOW)
    later = NOW + FORGET_AFTER
    store.begin_try(NUMBER, later)
    assert store.locked_until(NUMBER, later) is None
    store.forget(later + FORGET_AFTER + timedelta(milliseconds=1))
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(mailbox_tries)) == 0


def test_pins_of_ended_contracts_are_forgotten_and_others_kept(engine: Engine) -> None:
    store = PinStore(engine)
    for number in (NUMBER, "+815050010002"):
        add_subscriber(engine, number)
        store.set_pin(number, "hash", NOW)
    with engine.begin() as connection:
        connection.execute(update(subscribers).where(subscribers.c.number == NUMBER).values(state="terminated"))
    store.forget(NOW)
    assert [bool(store.pin_hash(number)) for number in (NUMBER, "+815050010002")] == [False, True]
