"""One contract for the journal's stores on both databases (denwa/voip/calls/journal.py; decision "record first")."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from denwa.storage.engine import open_engine
from denwa.storage.journal_sqlite import _SQLITE
from denwa.storage.journal_store import PostgresJournalStore, SqliteJournalStore
from denwa.storage.migrate import JOURNAL, current
from denwa.voip.calls.journal import Group, JournalStore, UnbindingEntry
from tests.storage.journal_rows import ID, NOW, alive, binding, call, end


def open_store(url: str) -> JournalStore:
    if url.startswith("sqlite"):
        return SqliteJournalStore(Path(url.removeprefix("sqlite:///")))
    return PostgresJournalStore(url)


@pytest.fixture
def store(database_url: str) -> Iterator[JournalStore]:
    opened = open_store(database_url)
    yield opened
    opened.close()


@pytest.fixture
def reader(database_url: str) -> Iterator[Engine]:
    engine = open_engine(database_url)
    yield engine
    engine.dispose()


def rows(reader: Engine, query: str) -> list[tuple[object, ...]]:
    with reader.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def test_a_fresh_database_gets_the_schema_the_migrations_know(store, reader):
    assert current(JOURNAL, reader) == JOURNAL.head


def test_an_answered_call_is_open_until_its_end_is_committed(store, reader):
    store.commit(Group(calls=[call(1), call(2)]))
    assert store.open_calls() == [call(1), call(2)]
    store.commit(Group(ends=[end(1)]))
    assert store.open_calls() == [call(2)]
    (row,) = rows(
        reader, f"SELECT ended_at, duration_ms, end_cause, sip_status, dialog, end_seq FROM calls WHERE id = {ID + 1}"
    )
    assert row == (NOW + 60_500, 60_000, "callee", 200, "", 1)


def test_every_column_of_a_record_is_kept(store, reader):
    entry = call(
        1, call_id="日本@x", caller="", callee="#9110", forwarded_by="+815050010002", voicemail=1, dialog='{"a":["b"]}'
    )
    store.commit(Group(calls=[entry]))
    assert store.open_calls() == [entry]


def test_a_call_that_ends_in_the_group_of_its_answer_is_ended(store):
    store.commit(Group(calls=[call(1)], ends=[end(1)]))
    assert store.open_calls() == []


def test_ended_calls_are_numbered_upwards_in_the_order_of_their_commits_answered_or_not(store, reader):
    store.commit(Group(calls=[call(1), call(2), call(3, answered=False), call(4, answered=False), call(5)]))
    store.commit(Group(ends=[end(5), end(1)]))
    store.commit(Group(calls=[call(6, answered=False)], ends=[end(2)]))
    numbered = rows(reader, f"SELECT id - {ID} FROM calls WHERE end_seq IS NOT NULL ORDER BY end_seq")
    assert [number for (number,) in numbered[:2]] == [3, 4]
    assert [number for (number,) in numbered[2:4]] == [5, 1]
    assert {number for (number,) in numbered[4:]} == {6, 2}
    assert rows(reader, "SELECT count(*) FROM calls WHERE (end_seq IS NULL) <> (ended_at IS NULL)") == [(0,)]


def test_numbers_of_ended_calls_go_on_after_a_reopening(database_url, reader):
    for turn in range(3):
        store = open_store(database_url)
        store.commit(Group(calls=[call(turn, answered=False)]))
        store.close()
    assert [id_ for (id_,) in rows(reader, f"SELECT id - {ID} FROM calls ORDER BY end_seq")] == [0, 1, 2]


def test_a_group_committed_twice_has_the_effect_of_once(store, reader):
    group = Group(
        calls=[call(1), call(2), call(3, answered=False)],
        ends=[end(2)],
        alive=[alive(1, NOW + 9000)],
        bindings=[binding(1), UnbindingEntry(*binding(2)[:2])],
    )
    store.commit(group)
    before = rows(reader, "SELECT * FROM calls ORDER BY id"), rows(reader, "SELECT * FROM bindings")
    store.commit(group)
    assert (rows(reader, "SELECT * FROM calls ORDER BY id"), rows(reader, "SELECT * FROM bindings")) == before


def test_the_first_end_of_a_call_stands(store, reader):
    store.commit(Group(calls=[call(1)]))
    store.commit(Group(ends=[end(1, NOW + 2000, "caller"), end(1, NOW + 9000, "lost")]))
    store.commit(Group(ends=[end(1, NOW + 10_000, "service")]))
    assert rows(reader, "SELECT ended_at, end_cause FROM calls") == [(NOW + 2000, "caller")]


def test_a_proof_of_life_moves_on_an_open_call_only(store, reader):  # C5
    store.commit(Group(calls=[call(1), call(2)]))
    store.commit(Group(alive=[alive(1, NOW + 1000), alive(1, NOW + 2000, "{}"), alive(99, NOW)]))
    store.commit(Group(ends=[end(2)]))
    store.commit(Group(alive=[alive(2, NOW + 99_000)]))
    assert rows(reader, "SELECT alive_at, dialog FROM calls ORDER BY id") == [(NOW + 2000, "{}"), (NOW + 500, "")]


def test_bindings_come_back_whole_oldest_registration_first(store):
    late, early = binding(1, registered_at=NOW + 50), binding(2, registered_at=NOW + 20)
    store.commit(Group(bindings=[late, early]))
    assert store.bindings(NOW) == [early, late]


def test_the_last_word_on_a_binding_wins_within_a_group_and_between_groups(store):
    one, two = binding(1), binding(1, registered_at=NOW + 5)
    gone = UnbindingEntry(one.aor, one.contact)
    store.commit(Group(bindings=[one, gone, two]))
    assert store.bindings(NOW) == [two]
    store.commit(Group(bindings=[one, gone]))
    assert store.bindings(NOW) == []
    store.commit(Group(bindings=[gone, one]))
    store.commit(Group(bindings=[two]))
    assert store.bindings(NOW) == [two]


def test_expired_bindings_are_neither_given_nor_kept(store, reader):
    store.commit(Group(bindings=[binding(1, seconds=60), binding(2, seconds=600)]))
    assert store.bindings(NOW + 60_000) == [binding(2, seconds=600)]
    assert rows(reader, "SELECT count(*) FROM bindings") == [(1,)]


def test_a_group_that_fails_leaves_nothing_behind(store, reader):
    bad = call(2)._replace(subscriber=None)  # type: ignore[arg-type]
    with pytest.raises((sqlite3.IntegrityError, psycopg.IntegrityError)):
        store.commit(Group(calls=[call(1), bad], bindings=[binding(1)]))
    assert rows(reader, "SELECT count(*) FROM calls") == [(0,)]
    store.commit(Group(calls=[call(1)]))
    assert store.open_calls() == [call(1)]


def test_text_no_database_stores_is_made_storable_not_a_failure(store):
    store.commit(Group(calls=[call(1, call_id="a\x00b\ud800c😀\\u0000")]))
    assert [entry.call_id for entry in store.open_calls()] == ["a\ufffdb\ufffdc😀\\u0000"]


def test_text_longer_than_its_column_is_no_failure(store):
    store.commit(Group(calls=[call(1, callee="9" * 500)], bindings=[binding(1)._replace(user_agent="x" * 5000)]))
    (kept,) = store.open_calls()
    assert kept.callee.startswith("9" * 40)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)
@given(words=st.lists(st.text(min_size=1, max_size=30), min_size=1, max_size=6, unique=True))
def test_any_text_survives(store, words):
    entries = [binding(1, registered_at=NOW + place)._replace(contact=word) for place, word in enumerate(words)]
    store.commit(Group(bindings=entries))
    expected = {entry.contact.replace("\x00", "\ufffd") for entry in entries}  # SQLite stores U+0000, PostgreSQL not
    assert {entry.contact.replace("\x00", "\ufffd") for entry in store.bindings(NOW)} == expected
    store.commit(Group(bindings=[UnbindingEntry(entry.aor, entry.contact) for entry in entries]))
    assert store.bindings(NOW) == []


def test_large_groups_go_in_one_commit(store, reader):
    store.commit(Group(calls=[call(number) for number in range(2000)], bindings=[binding(n) for n in range(2000)]))
    store.commit(Group(ends=[end(number) for number in range(2000)]))
    assert rows(reader, "SELECT count(DISTINCT end_seq), min(end_seq), max(end_seq) FROM calls") == [(2000, 1, 2000)]


def test_sqlite_syncs_every_commit_and_reads_do_not_wait(tmp_path):
    store = SqliteJournalStore(tmp_path / "journal.db")
    assert store._connection.execute("PRAGMA synchronous").fetchone() == (2,)
    with sqlite3.connect(tmp_path / "journal.db") as other:
        other.execute("BEGIN")
        assert other.execute("SELECT count(*) FROM calls").fetchone() == (0,)
        store.commit(Group(calls=[call(1)]))
        assert other.execute("SELECT count(*) FROM calls").fetchone() == (0,)
    store.close()


def test_no_sqlite_statement_of_a_commit_reads_a_whole_table(tmp_path):
    store = SqliteJournalStore(tmp_path / "journal.db")
    for statement, _ in _SQLITE:
        for count in (1, 3):
            query = statement(count)
            plan = store._connection.execute("EXPLAIN QUERY PLAN " + query, [None] * query.count("?"))
            assert not [step for *_, step in plan if step in ("SCAN calls", "SCAN bindings")]
    store.close()


def test_postgresql_connects_again_after_the_connection_was_cut(postgres_url):
    store = PostgresJournalStore(postgres_url)
    with psycopg.connect(postgres_url, autocommit=True) as administrator:
        administrator.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    with pytest.raises(psycopg.OperationalError):
        store.commit(Group(calls=[call(1)]))
    store.commit(Group(calls=[call(1)]))
    assert store.open_calls() == [call(1)]
    store.close()


def test_two_services_on_one_postgresql_number_ended_calls_without_a_clash(postgres_url):
    stores = [PostgresJournalStore(postgres_url) for _ in range(2)]
    for number in range(10):
        stores[number % 2].commit(Group(calls=[call(number, answered=False)]))
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SELECT count(DISTINCT end_seq) FROM calls").fetchone() == (10,)
    for store in stores:
        store.close()
