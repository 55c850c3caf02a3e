"""The checks of `denwa db check` on both databases. Each kind of damage: tests/cli/test_db.py."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Engine, insert, update

from denwa.contracts.subscriber import Act
from denwa.storage.consistency import check_journal, check_main, check_schema
from denwa.storage.engine import open_engine
from denwa.storage.migrate import upgrade_all
from denwa.storage.tables.contracts import subscribers
from denwa.storage.tables.journal import calls
from denwa.storage.tables.rating import credit_accounts
from tests.contracts.desks import NOW, NUMBER, REALM, application, make_desk


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = open_engine(database_url)
    upgrade_all(engine, engine)
    yield engine
    engine.dispose()


def put_call(engine: Engine, record: int, duration_ms: int) -> None:
    row = {
        "id": record,
        "end_seq": record,
        "call_id": "a@b",
        "leg": "outgoing",
        "subscriber": NUMBER,
        "direction": "outgoing",
        "caller": NUMBER,
        "callee": "+81312345678",
        "class": "fixed",
        "started_at": NOW,
        "answered_at": NOW + timedelta(seconds=1),
        "ended_at": NOW + timedelta(seconds=2),
        "duration_ms": duration_ms,
        "end_cause": "caller",
        "sip_status": 200,
        "forwarded_by": "",
        "voicemail": 0,
        "dialog": "",
    }
    with engine.begin() as connection:
        connection.execute(insert(calls).values(row))


def test_what_the_program_itself_wrote_is_consistent(engine: Engine) -> None:
    desk = make_desk(engine)
    desk.add(application(), "test", NOW)
    desk.change(NUMBER, {"forward": "always:0312345678"}, "test", NOW)
    desk.add(application(number="+815050010002"), "test", NOW)
    desk.move("+815050010002", Act.TERMINATE, "test", NOW)
    put_call(engine, 1, 1000)
    assert check_schema(engine, engine) == []
    assert check_main(engine, REALM) == []
    assert check_journal(engine) == []


def test_damage_is_found_and_its_rows_are_named(engine: Engine) -> None:
    make_desk(engine).add(application(), "test", NOW)
    put_call(engine, 1, 1000)
    put_call(engine, 2, 999)
    with engine.begin() as connection:
        connection.execute(update(subscribers).values(forward_mode="always", forward_target="+81312345678"))
        credit = {"subscriber": NUMBER, "granted_yen": 100, "used_yen": 8, "last_ended_ms": 0, "last_call_id": ""}
        connection.execute(insert(credit_accounts).values(credit))
    assert [(found.rows, found.number) for found in check_journal(engine)] == [(("2",), 1)]
    assert [found.rows for found in check_main(engine, REALM)] == [(NUMBER,), (NUMBER,)]  # F2, T4
    assert len(check_main(engine, "other.example")) == 3


def test_a_database_without_tables_is_told_to_be_upgraded(database_url: str) -> None:
    engine = open_engine(database_url)
    assert ["denwa db upgrade" in str(found) for found in check_schema(engine, engine)] == [True, True]
    engine.dispose()
