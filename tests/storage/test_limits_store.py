"""Orders, holds and the cost of ended calls on both databases (C6, C7)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, insert, select

from denwa.storage.engine import open_engine
from denwa.storage.limits_store import SqlLimits, ended_since
from denwa.storage.tables.all import journal_metadata, metadata
from denwa.storage.tables.journal import calls
from denwa.storage.tables.voicemail import outbox
from denwa.voicemail.letters import Letter
from tests.contracts.desks import NUMBER, application, make_desk

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = open_engine(database_url)
    metadata.create_all(engine)
    journal_metadata.create_all(engine)
    make_desk(engine).add(application(), "test", NOW)
    yield engine
    engine.dispose()


@pytest.fixture
def store(engine: Engine) -> SqlLimits:
    return SqlLimits(engine)


def test_an_order_takes_the_place_of_the_one_before_of_its_kind(store: SqlLimits) -> None:
    store.give_order("max-seconds", "60", NOW, None, "cli:a")
    store.give_order("area", "+813", NOW, NOW + MINUTE, "cli:a")
    store.give_order("max-seconds", "30", NOW, None, "cli:b")
    assert [(row.kind, row.value, row.made_by) for row in store.orders(NOW)] == [
        ("area", "+813", "cli:a"),
        ("max-seconds", "30", "cli:b"),
    ]
    assert [row.kind for row in store.orders(NOW + MINUTE)] == ["max-seconds"]  # one that is over is shown no more
    assert store.end_orders(NOW + MINUTE, "cli:b") == 1
    assert store.orders(NOW) == []


def test_a_subscriber_has_one_hold_of_a_kind(store: SqlLimits) -> None:
    for reason in ("first", "second"):
        store.hold(NUMBER, "international", reason, NOW, None)
    store.hold(NUMBER, "throttle", "short", NOW, NOW + MINUTE)
    assert [(row.kind, row.reason) for row in store.holds(NOW)] == [("international", "first"), ("throttle", "short")]
    assert [row.kind for row in store.holds(NOW + MINUTE)] == ["international"]
    store.hold(NUMBER, "throttle", "again", NOW + 2 * MINUTE, NOW + 3 * MINUTE)  # the first one is over
    assert len(store.all_holds(NUMBER)) == 3


def test_lifting_says_who_and_when_and_is_remembered(store: SqlLimits) -> None:
    store.hold(NUMBER, "international", "theft", NOW, None)
    assert store.lift(NUMBER, NOW + MINUTE, "cli:a") == 1
    assert store.lift(NUMBER, NOW + 2 * MINUTE, "cli:a") == 0
    assert store.holds(NOW) == []
    (row,) = store.all_holds(NUMBER)
    assert (row.lifted_at, row.lifted_by) == (NOW + MINUTE, "cli:a")
    assert store.lifted_since(NOW) == {NUMBER: NOW + MINUTE}
    assert store.lifted_since(NOW + 2 * MINUTE) == {}


def test_an_alarm_goes_to_every_address_once(store: SqlLimits, engine: Engine) -> None:
    store.mail("警報", "本文\n", ["a@example.jp", "b@example.jp"], "mail-noreply@denwa.example", NOW)
    store.mail("警報", "本文\n", [], "mail-noreply@denwa.example", NOW)
    with engine.connect() as connection:
        rows = connection.execute(select(outbox).order_by(outbox.c.recipient)).all()
    assert [row.recipient for row in rows] == ["a@example.jp", "b@example.jp"]
    assert len({row.message_id for row in rows}) == 2
    assert Letter.from_json(rows[0].details).subject == "警報"


def test_what_calls_cost_is_read_from_those_that_are_charged_and_over(engine: Engine) -> None:
    day = int(NOW.timestamp() * 1000)

    def row(n: int, **changes: object) -> dict[str, object]:
        values: dict[str, object] = {
            "id": (day << 20) + n, "end_seq": n, "call_id": f"c{n}", "leg": "outgoing", "subscriber": NUMBER,
            "direction": "outgoing", "caller": NUMBER, "callee": "+81312345678", "class": "fixed",
            "started_at": NOW, "answered_at": NOW, "ended_at": NOW + MINUTE, "duration_ms": 60_000,
            "end_cause": "caller", "sip_status": 200, "forwarded_by": "", "voicemail": 0, "dialog": "",
        }  # fmt: skip
        return values | changes

    rows = [
        row(1),
        row(2, leg="incoming"),
        row(3, answered_at=None, duration_ms=0),
        row(4, end_seq=None, ended_at=None),
        row(5, **{"class": "on-net"}),
        row(6, leg="forwarded", callee="+819012345678"),
        row(7, ended_at=NOW - MINUTE),
    ]
    with engine.begin() as connection:
        connection.execute(insert(calls), rows)
    found = [one for page in ended_since(engine, day - 1, day, ("on-net",)) for one in page]
    assert [(one.callee, one.ended_ms - day, one.duration_ms) for one in found] == [
        ("+81312345678", 60_000, 60_000),
        ("+819012345678", 60_000, 60_000),
    ]
    assert [*ended_since(engine, day + 1, day, ())] == [[]]


def test_a_subscriber_s_own_limits_are_kept_changed_and_given_back(store: SqlLimits) -> None:
    store.set_own(NUMBER, {"day_yen": 0, "calls_per_subscriber": 10}, NOW, "cli:a")
    assert store.own() == {NUMBER: {"day_yen": 0, "calls_per_subscriber": 10}}
    store.set_own(NUMBER, {"day_yen": 500}, NOW + MINUTE, "cli:a")
    assert store.own() == {NUMBER: {"day_yen": 500, "calls_per_subscriber": 10}}
    store.set_own(NUMBER, {"day_yen": None, "calls_per_subscriber": None, "month_yen": None}, NOW, "cli:a")
    assert store.own() == {}
