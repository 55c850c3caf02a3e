"""Contracts on both databases."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from denwa.contracts.desk import Desk
from denwa.contracts.faults import ContractFault
from denwa.contracts.subscriber import Act, CodecPreference, Forward, ForwardMode, Language, MailNotice, State
from denwa.storage.contracts_store import SqlContractsStore
from denwa.storage.directory import DirectoryRow, latest_change, load_changed, load_directory
from tests.contracts.desks import NOW, NUMBER, application, make_desk

LATER = NOW + timedelta(milliseconds=1)


@pytest.fixture
def desk(engine: Engine) -> Desk:
    return make_desk(engine)


def test_every_part_of_a_subscriber_comes_back_as_it_was_written(engine: Engine, desk: Desk) -> None:
    added, _ = desk.add(application(name="", mail=""), "test", NOW)
    assert desk.find(NUMBER) == added
    other = replace(
        added,
        name="鈴木 🐱",
        mail="s@example.jp",
        web_password_hash="$argon2id$x",
        state=State.TERMINATED,
        bill_day=28,
        ring_time=60,
        voicemail=False,
        mail_notice=MailNotice.ATTACH,
        delete_after_mail=True,
        language=Language.ENGLISH,
        forward=Forward(ForwardMode.NO_ANSWER, "+81312345678"),
        reject_anonymous=True,
        international=True,
        codecs=CodecPreference.WIFI,
        profile="p",
        changed_at=LATER,
        ended_at=LATER,
    )
    with desk.store.changing("test", NOW) as unit:
        unit.replace(other, "everything")
    assert desk.find(NUMBER) == other


def test_what_raises_in_a_transaction_leaves_nothing(desk: Desk) -> None:
    added, _ = desk.add(application(), "test", NOW)

    def half() -> None:
        with desk.store.changing("test", NOW) as unit:
            unit.replace(replace(added, ring_time=30), "half")
            unit.block(NUMBER, "+819012345678")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half()
    assert desk.find(NUMBER) == added
    assert desk.store.blocked(NUMBER) == []
    assert [entry.what for entry in desk.store.changes(NUMBER)] == ["added"]


def test_two_who_add_at_once_never_get_the_same_number(engine: Engine) -> None:  # N1
    desk = make_desk(engine)
    barrier = threading.Barrier(4)

    def add_five(_: int) -> list[str]:
        barrier.wait()
        return [desk.add(application(number=""), "test", NOW)[0].number for _ in range(5)]

    with ThreadPoolExecutor(4) as pool:
        given = sorted(number for numbers in pool.map(add_five, range(4)) for number in numbers)
    assert given == [f"+81505001{n:04d}" for n in range(20)]


def test_the_blocklist_never_exceeds_fifty_however_many_add_at_once(engine: Engine) -> None:  # B1
    desk = make_desk(engine)
    desk.add(application(), "test", NOW)
    for n in range(48):
        desk.block(NUMBER, f"+8190000000{n:02d}", "test", NOW)
    barrier = threading.Barrier(4)

    def add(n: int) -> bool:
        barrier.wait()
        try:
            return desk.block(NUMBER, f"+819011111{n:03d}", "test", NOW)
        except ContractFault:
            return False

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(add, range(4))) == 2
    assert len(desk.store.blocked(NUMBER)) == 50


def test_the_blocklist_is_in_the_order_in_which_it_was_made(desk: Desk) -> None:
    desk.add(application(), "test", NOW)
    for n, blocked in enumerate(["+819012345679", "+819012345677", "+81312345678"]):
        desk.block(NUMBER, blocked, "test", NOW + timedelta(seconds=n))
    assert desk.store.blocked(NUMBER) == ["+819012345679", "+819012345677", "+81312345678"]


def test_a_list_longer_than_a_page_is_complete_and_in_order(desk: Desk) -> None:
    made = [desk.made(application(number=f"+81505001{n:04d}"), "password", "", NOW) for n in range(1005)]
    with desk.store.changing("test", NOW) as unit:
        unit.add(made, "imported")
        assert list(unit.given_from(made[1].number, made[-1].number)) == [one.number for one in made[1:]]
    assert list(desk.store.each()) == made
    desk.move(made[3].number, Act.SUSPEND, "test", NOW)
    assert [one.number for one in desk.store.each(State.SUSPENDED)] == [made[3].number]
    assert sum(1 for _ in desk.store.each(State.ACTIVE)) == 1004


def test_the_database_itself_refuses_what_the_rules_forbid(engine: Engine, desk: Desk) -> None:
    desk.add(application(), "test", NOW)
    for broken in ("bill_day = 29", "ring_time = 61", "forward_mode = 'always'", "number = NULL"):
        with pytest.raises(IntegrityError), engine.begin() as connection:
            connection.execute(text(f"UPDATE subscribers SET {broken}"))
    store = SqlContractsStore(engine)
    with pytest.raises(IntegrityError), store.changing("test", NOW) as unit:
        unit.block("+815050019999", "+819012345678")  # a blocklist of nobody


def test_the_directory_holds_what_a_call_needs(engine: Engine, desk: Desk) -> None:
    added, _ = desk.add(application(), "test", NOW)
    desk.change(NUMBER, {"forward": "noanswer:0312345678", "reject_anonymous": "on", "codecs": "mobile"}, "t", NOW)
    desk.change(NUMBER, {"priority": "on"}, "t", NOW)  # C7
    desk.block(NUMBER, "+819012345678", "test", NOW)
    assert load_directory(engine) == [
        DirectoryRow(
            number=NUMBER,
            account="50010001",
            ha1_md5=added.credentials.ha1_md5,
            ha1_sha256=added.credentials.ha1_sha256,
            state="active",
            ring_time=20,
            voicemail=False,
            forward_mode="noanswer",
            forward_target="+81312345678",
            reject_anonymous=True,
            international=False,
            codecs="mobile",
            realm="denwa.example",
            blocked=frozenset({"+819012345678"}),
            priority=True,
        )
    ]
    (row,) = load_directory(engine)
    assert row.voicemail is False  # a truth value on both databases
    assert row.reject_anonymous is True


def test_every_change_reaches_the_directory_once(engine: Engine, desk: Desk) -> None:
    seq = latest_change(engine)
    assert (load_directory(engine), seq) == ([], 0)
    steps = [
        lambda: desk.add(application(), "test", NOW),
        lambda: desk.change(NUMBER, {"ring_time": "30"}, "test", NOW),
        lambda: desk.change(NUMBER, {}, "test", NOW, sip_password="a-new-password"),
        lambda: desk.block(NUMBER, "+819012345678", "test", NOW),
        lambda: desk.unblock(NUMBER, "+819012345678", "test", NOW),
        lambda: desk.move(NUMBER, Act.SUSPEND, "test", NOW),
    ]
    for step in steps:
        step()
        changed, seq = load_changed(engine, seq)
        assert changed == load_directory(engine)
        assert load_changed(engine, seq) == ([], seq)
    assert changed[0].state == "suspended"


def test_one_who_left_is_told_as_terminated_and_not_loaded_again(engine: Engine, desk: Desk) -> None:
    desk.add(application(), "test", NOW)
    seq = latest_change(engine)
    desk.move(NUMBER, Act.TERMINATE, "test", NOW)
    changed, _ = load_changed(engine, seq)
    assert [(row.number, row.state) for row in changed] == [(NUMBER, "terminated")]
    assert load_directory(engine) == []


def test_only_what_changed_is_read_again(engine: Engine, desk: Desk) -> None:
    for _ in range(3):
        desk.add(application(number=""), "test", NOW)
    seq = latest_change(engine)
    desk.block("+815050010001", "+819012345678", "test", NOW)
    desk.change("+815050010001", {"ring_time": "30"}, "test", NOW)
    changed, after = load_changed(engine, seq)
    assert [row.number for row in changed] == ["+815050010001"]
    assert after == seq + 2


def test_a_change_log_that_was_cut_never_counts_backwards(engine: Engine, desk: Desk) -> None:
    desk.add(application(), "test", NOW)
    seq = latest_change(engine)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM changes"))
    assert load_changed(engine, seq) == ([], seq)
    desk.change(NUMBER, {"ring_time": "30"}, "test", NOW)
    changed, after = load_changed(engine, seq)
    assert [row.ring_time for row in changed] == [30]
    assert after > seq


def test_writers_of_contracts_take_turns(engine: Engine, desk: Desk) -> None:
    """So a change never becomes visible after one with a higher number: the feed would lose it."""
    inside, leave = threading.Event(), threading.Event()

    def slow() -> None:
        with desk.store.changing("slow", NOW) as unit:
            unit.add([desk.made(application(), "password", "", NOW)], "added")
            inside.set()
            assert leave.wait(10)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(slow)
        assert inside.wait(10)
        second = pool.submit(desk.add, application(number="+815050010002"), "fast", NOW)
        assert latest_change(engine) == 0
        assert not second.done()
        leave.set()
        first.result(10)
        second.result(10)
    assert [entry.seq for entry in desk.store.changes(NUMBER)] < [
        entry.seq for entry in desk.store.changes("+815050010002")
    ]
