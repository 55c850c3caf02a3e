"""Stopped forwardings on both databases (F5)."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import Engine, update
from sqlalchemy.exc import IntegrityError

from denwa.contracts.desk import Desk
from denwa.contracts.faults import ContractFault
from denwa.contracts.forwarding_desk import allow_forwarding, stop_forwarding
from denwa.contracts.subscriber import Forward
from denwa.storage.directory import latest_change, load_changed
from denwa.storage.forwarding_rows import listed_stopped
from denwa.storage.tables.forwarding import stopped_forwardings
from tests.contracts.desks import NOW, NUMBER, application, make_desk

LATER = NOW + timedelta(days=1, milliseconds=7)
TARGET = "+81312345678"


@pytest.fixture
def desk(engine: Engine) -> Desk:
    made = make_desk(engine)
    made.add(application(), "test", NOW)
    made.change(NUMBER, {"forward": f"noanswer:{TARGET}"}, "test", NOW)
    return made


def test_a_stop_is_kept_whole_and_running_services_learn_of_it(engine: Engine, desk: Desk) -> None:
    seen = latest_change(engine)
    with desk.changing("cli:op", LATER) as clerk:
        made = stop_forwarding(clerk, NUMBER, "苦情　complaint 🐱")
    assert listed_stopped(engine) == [made]
    assert (made.stopped_at, made.stopped_by, made.allowed_at) == (LATER, "cli:op", None)
    (row,), _ = load_changed(engine, seen)
    assert (row.forward_mode, row.forward_target) == ("off", "")
    with desk.changing("cli:other", LATER) as clerk:
        allow_forwarding(clerk, NUMBER, TARGET)
        assert clerk.unit.stopped_forwardings(NUMBER) == []
    assert listed_stopped(engine) == [made._replace(allowed_at=LATER, allowed_by="cli:other")]


def test_of_two_that_would_make_a_circle_at_the_same_time_one_is_refused(engine: Engine) -> None:  # F3
    desk = make_desk(engine)
    first, second = NUMBER, "+815050010002"
    for number in (first, second):
        desk.add(application(number=number), "test", NOW)
    together = threading.Barrier(2)

    def save(number: str, target: str) -> str:
        together.wait(10)
        try:
            desk.change(number, {"forward": f"noanswer:{target}"}, "test", NOW)
        except ContractFault as refused:
            return str(refused)
        return ""

    with ThreadPoolExecutor(2) as people:
        said = list(people.map(save, (first, second), (second, first)))
    assert sorted("circle" in one for one in said) == [False, True]
    assert sorted(bool(desk.find(number).forward.target) for number in (first, second)) == [False, True]


def test_a_stop_that_fails_leaves_nothing(engine: Engine, desk: Desk) -> None:
    def stop_twice() -> None:
        with desk.changing("cli:op", LATER) as clerk:
            stop_forwarding(clerk, NUMBER, "first")
            stop_forwarding(clerk, NUMBER, "there is none any more")

    with pytest.raises(ContractFault):
        stop_twice()
    assert listed_stopped(engine) == []
    assert desk.find(NUMBER).forward != Forward()


def test_the_database_refuses_half_an_allowance(engine: Engine, desk: Desk) -> None:
    with desk.changing("cli:op", LATER) as clerk:
        stop_forwarding(clerk, NUMBER, "x")
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(update(stopped_forwardings).values(allowed_by="somebody"))
