"""Billing life on both databases: bills taken in, results, measures, notices, numbers on a day (L2, L3, K7, K9)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, insert, select, text, update

from denwa.cli.billing_desk import open_billing
from denwa.config.settings import Settings
from denwa.contracts.billing_life import Bill, BillState
from denwa.contracts.billing_run import BillingRun
from denwa.contracts.desk import Desk
from denwa.contracts.faults import ContractFault
from denwa.contracts.measures import Cause, MeasureState, suspension
from denwa.contracts.notices import NoticeState
from denwa.contracts.payments import Outcome, PaymentResult, ResultRow
from denwa.contracts.subscriber import Act, State
from denwa.storage.billing_store import SqlBillingStore
from denwa.storage.consistency import check_main
from denwa.storage.engine import open_engine
from denwa.storage.migrate import JOURNAL, MAIN, upgrade_all
from denwa.storage.tables.all import metadata
from denwa.storage.tables.billing import claims, measures, notices, payment_results
from denwa.storage.tables.contracts import subscribers
from denwa.storage.tables.rating import adjustments, bills, closed_months, postings
from denwa.storage.tables.voicemail import outbox
from tests.contracts.desks import NOW, NUMBER, REALM, application, make_desk

OTHER = "+815050010002"
SEPTEMBER = (date(2026, 9, 1), date(2026, 9, 30))


def subscribed(engine: Engine) -> Desk:
    made = make_desk(engine)
    for number in (NUMBER, OTHER):
        made.add(application(number=number), "test", datetime(2026, 8, 1, tzinfo=UTC))
    return made


@pytest.fixture
def desk(engine: Engine) -> Desk:
    return subscribed(engine)


@pytest.fixture
def billing(engine: Engine, desk: Desk) -> BillingRun:
    return open_billing(engine, Settings())


def close(engine: Engine, month: tuple[date, date] = SEPTEMBER, **yen: int) -> None:
    """A closed month with bills of `n<last digit>=yen`, as the ledger leaves them."""
    first, last = month
    name = f"{first:%Y-%m}"
    rows = [
        {
            "month": name, "subscriber": f"+81505001000{digit[1:]}", "month_start": first, "month_end": last,
            "taxed_yen": total, "exempt_yen": 0, "out_of_scope_yen": 0, "tax_percent": 10, "tax_yen": 0,
            "total_yen": total,
        }
        for digit, total in yen.items()
    ]  # fmt: skip
    with engine.begin() as connection:
        connection.execute(insert(closed_months).values(name=name, closed_at=NOW, sha256="0" * 64))
        if rows:
            connection.execute(insert(bills), rows)


def adjust(engine: Engine, yen: int, month: tuple[date, date] = SEPTEMBER, kind: str = "late-interest") -> None:
    values = {
        "reference": f"{kind}:{month[0]}:{yen}", "kind": kind, "subscriber": NUMBER, "asked_month_start": month[0],
        "month_start": month[0], "month_end": month[1], "yen": yen, "tax": "out-of-scope", "working": "w",
        "reason": "r", "who": "test", "posted_at": NOW,
    }  # fmt: skip
    with engine.begin() as connection:
        connection.execute(insert(adjustments).values(values))


def result(outcome: Outcome, on: date | None, reference: str, month: str = "2026-09", yen: int = 11_000) -> ResultRow:
    return ResultRow(2, PaymentResult(NUMBER, month, outcome, on, yen, reference))


def everything(engine: Engine, table: Any, *left_out: str) -> list[tuple[Any, ...]]:
    """The rows of a table without keys and moments."""
    columns = [column for column in table.c if column.name not in {"id", *left_out}]
    with engine.connect() as connection:
        return sorted(tuple(map(str, row)) for row in connection.execute(select(*columns)))


def test_bills_of_closed_months_are_taken_in_once_and_only_what_is_to_pay(engine: Engine, billing: BillingRun) -> None:
    close(engine, n1=11_000, n2=0, n9=700)  # n9 is no subscriber's
    adjust(engine, 42)
    adjust(engine, 42, kind="manual")
    assert billing.run(date(2026, 10, 5), "test", NOW).bills == 1
    assert billing.run(date(2026, 10, 5), "test", NOW).bills == 0
    (listed,) = billing.store.listed_bills()
    assert listed.bill == Bill(NUMBER, "2026-09", *SEPTEMBER, 11_000, 42, date(2026, 10, 31))
    assert listed.reference == ""


def test_results_are_kept_as_they_were_read(engine: Engine, billing: BillingRun) -> None:
    close(engine, n1=11_000)
    row = result(Outcome.PAID, date(2026, 10, 31), "A-1")
    assert billing.read([row], date(2026, 11, 1), "agent", NOW).taken == 1
    with billing.store.changing("test", NOW) as unit:
        assert unit.payment_results(["A-1", "A-2"]) == {"A-1": row.result}
        assert unit.bills(NUMBER) == []
        paid = unit.bill(NUMBER, "2026-09")
    assert paid is not None
    assert (paid.state, paid.paid_on, paid.interest_yen) == (BillState.PAID, date(2026, 10, 31), 0)


def test_measures_and_notices_come_back_as_they_were_written(desk: Desk, billing: BillingRun) -> None:
    announced = desk.announce(suspension(NUMBER, Cause.MISUSE, date(2027, 1, 1)), "test", NOW)
    (listed,) = billing.store.listed_measures()
    assert listed == announced
    (told,) = billing.store.listed_notices()
    assert (told.notice.measure, told.notice.state, told.mail) == (
        announced.key,
        NoticeState.WAITING,
        "yamada@example.jp",
    )
    billing.run(date(2026, 11, 22), "test", NOW)
    assert billing.store.listed_measures()[0].told_on == date(2026, 11, 22)
    assert billing.store.listed_notices()[0].delivery == "waiting"
    assert billing.store.listed_measures(OTHER) == []
    desk.move(NUMBER, Act.TERMINATE, "test", NOW)
    assert [measure.state for measure in billing.store.listed_measures()] == [MeasureState.WITHDRAWN]
    assert billing.store.listed_measures(live=True) == []


def test_a_contract_is_suspended_exactly_while_a_suspension_is_in_force(engine: Engine, desk: Desk) -> None:  # L2
    store = SqlBillingStore(engine)
    for act, state in ((Act.SUSPEND, State.SUSPENDED), (Act.RESUME, State.ACTIVE), (Act.SUSPEND, State.SUSPENDED)):
        assert desk.move(NUMBER, act, "test", NOW).state is state
        assert [measure.suspends for measure in store.listed_measures(live=True)] == [True] * (state is State.SUSPENDED)
    assert desk.move(NUMBER, Act.TERMINATE, "test", NOW).state is State.TERMINATED
    assert store.listed_measures(live=True) == []


def test_a_suspension_ends_by_itself_after_its_last_day(desk: Desk, billing: BillingRun) -> None:  # 約款 第17条 1
    desk.move(NUMBER, Act.SUSPEND, "test", NOW)  # on 21 November
    billing.run(date(2027, 5, 20), "test", NOW)
    assert desk.find(NUMBER).state is State.SUSPENDED
    billing.run(date(2027, 5, 21), "test", NOW)
    assert desk.find(NUMBER).state is State.ACTIVE


def test_two_steps_at_once_do_everything_once(engine: Engine, billing: BillingRun) -> None:
    close(engine, n1=11_000)
    billing.read([result(Outcome.UNPAID, None, "A-1")], date(2026, 11, 5), "agent", NOW)
    with ThreadPoolExecutor(2) as pool:
        days = [pool.submit(billing.run, date(2026, 11, 25), "test", NOW) for _ in range(2)]
        reports = [day.result(60) for day in days]
    assert sum(len(report.done) for report in reports) == 1
    rows = [result(Outcome.PAID, date(2026, 12, 1), "A-2")]
    with ThreadPoolExecutor(2) as pool:
        reads = [pool.submit(billing.read, rows, date(2026, 12, 1), "agent", NOW) for _ in range(2)]
        readings = [read.result(60) for read in reads]
    assert sorted((reading.taken, reading.known) for reading in readings) == [(0, 1), (1, 0)]
    assert len(everything(engine, adjustments)) == 1
    assert len(everything(engine, outbox)) == 2  # suspension and resumption


def test_interest_is_charged_once_however_the_step_was_interrupted(engine: Engine, billing: BillingRun) -> None:  # T11
    close(engine, n1=11_000)
    row = result(Outcome.PAID, date(2026, 12, 1), "A-1")
    billing.read([row], date(2026, 12, 1), "agent", NOW)
    with engine.begin() as connection:  # as a kill after the ledger's commit leaves it
        connection.execute(update(claims).values(interest_yen=None))
    billing.run(date(2026, 12, 20), "another", NOW + timedelta(days=19))
    assert len(everything(engine, adjustments)) == 1
    assert [listed.bill.interest_yen for listed in billing.store.listed_bills()] == [131]  # 11,000 × 14.5 % × 30 ÷ 365


def test_there_is_no_interest_on_interest(engine: Engine, billing: BillingRun) -> None:  # 約款 第27条
    adjust(engine, 1_000)
    close(engine, n1=11_000)
    billing.read([result(Outcome.PAID, date(2026, 12, 1), "A-1")], date(2026, 12, 1), "agent", NOW)
    assert [listed.bill.interest_yen for listed in billing.store.listed_bills()] == [119]  # on 10,000 yen


def test_a_row_that_is_refused_undoes_nothing_beside_it(engine: Engine, billing: BillingRun) -> None:
    close(engine, n1=11_000)
    close(engine, (date(2026, 10, 1), date(2026, 10, 31)), n1=500)
    reading = billing.read(
        [
            result(Outcome.UNPAID, None, "A-1"),
            result(Outcome.UNPAID, None, "A-2", "2026-10", 501)._replace(line=3),
            result(Outcome.PAID, date(2026, 11, 20), "A-3", "2026-10", 500)._replace(line=4),
        ],
        date(2026, 12, 5),
        "agent",
        NOW,
    )
    assert (reading.taken, [row.line for row in reading.bad]) == (2, [3])
    states = {listed.bill.month: str(listed.bill.state) for listed in billing.store.listed_bills()}
    assert states == {"2026-09": "noticed", "2026-10": "paid"}


DAILY = [date(2026, 11, 1) + timedelta(days=days) for days in range(60)]


SELDOM = {
    "last day only": DAILY[-1:],
    "every week": [*DAILY[::7], DAILY[-1]],
    "twice on a day": [DAILY[3], DAILY[3], DAILY[40], DAILY[-1]],
}


def test_days_without_a_step_end_in_the_same_rows(tmp_path: Path) -> None:
    """The agent's results come on their days; the step runs every day in one database, seldom in the others."""
    compared: tuple[tuple[Any, tuple[str, ...]], ...] = (
        (claims, ()),
        (payment_results, ("read_at",)),
        (measures, ("made_at", "began_at", "ended_at")),
        (adjustments, ("posted_at",)),
        (subscribers, ("changed_at",)),
    )
    ends = {}
    for name, days in {"daily": DAILY, **SELDOM}.items():
        engine = open_engine(f"sqlite:///{tmp_path / name}.db")
        metadata.create_all(engine)
        subscribed(engine)
        _live(engine, days)
        ends[name] = {table.name: everything(engine, table, *left_out) for table, left_out in compared}
        engine.dispose()
    assert len(ends["daily"]["measures"]) == 2
    for name in SELDOM:
        assert ends[name] == ends["daily"], name


def _live(engine: Engine, days: list[date]) -> None:
    billing = open_billing(engine, Settings())
    close(engine, n1=11_000, n2=300)
    close(engine, (date(2026, 10, 1), date(2026, 10, 31)), n1=500)
    results = {
        date(2026, 11, 6): result(Outcome.UNPAID, None, "A-1"),
        date(2026, 12, 5): result(Outcome.UNPAID, None, "A-2", "2026-10", 500),
        date(2026, 12, 15): result(Outcome.PAID, date(2026, 12, 14), "A-3"),
    }
    for day in DAILY:
        if day in results:
            billing.read([results[day]], day, "agent", NOW)
        for _ in range(days.count(day)):
            billing.run(day, "test", NOW)


def test_a_month_counts_as_billed_when_something_is_left_to_pay(engine: Engine, billing: BillingRun) -> None:
    def last_billed() -> date | None:
        return next(one.last_billed for one in billing.store.quiet_contracts() if one.number == NUMBER)

    assert last_billed() is None
    _post(engine, 1, (date(2026, 8, 1), date(2026, 8, 31)), charge=16, credit=16)  # within the credit
    assert last_billed() is None
    _post(engine, 2, SEPTEMBER, charge=16, credit=4)
    assert last_billed() == SEPTEMBER[0]
    october = (date(2026, 10, 1), date(2026, 10, 31))
    adjust(engine, 12, october, "manual")
    assert last_billed() == october[0]
    adjust(engine, -12, october, "waiver")
    assert last_billed() == SEPTEMBER[0]


def _post(engine: Engine, record: int, month: tuple[date, date], *, charge: int, credit: int) -> None:
    values = {
        "record_id": record, "revision": 0, "corrects": None, "kind": "call", "subscriber": NUMBER, "call_id": "c",
        "ended_ms": 0, "month_start": month[0], "month_end": month[1], "call_month_start": month[0], "calls": 1,
        "number_class": "fixed", "tax": "taxed", "duration_ms": 1, "units": 1, "unit_ms": 30_000, "yen_per_unit": 8,
        "unfinished_dropped": False, "tariff": "default", "tariff_date": month[0], "charge_yen": charge,
        "credit_yen": credit, "posted_at": NOW,
    }  # fmt: skip
    with engine.begin() as connection:
        connection.execute(insert(postings).values(values))


def test_only_contracts_with_something_to_settle_are_looked_at(engine: Engine, desk: Desk, billing: BillingRun) -> None:
    close(engine, n1=11_000, n2=500)
    billing.run(date(2026, 10, 5), "test", NOW)
    assert billing.store.unsettled(None) == []
    assert billing.store.unsettled(date(2026, 10, 31)) == []
    assert billing.store.unsettled(date(2026, 11, 1)) == [NUMBER, OTHER]
    desk.move(OTHER, Act.SUSPEND, "test", NOW)
    assert billing.store.unsettled(None) == [OTHER]


def test_numbers_are_known_as_they_were_at_any_moment(engine: Engine, desk: Desk) -> None:  # K7
    store = SqlBillingStore(engine)
    stopped, resumed, ended = (NOW + timedelta(days=days) for days in (1, 2, 3))
    desk.move(NUMBER, Act.SUSPEND, "test", stopped)
    desk.move(NUMBER, Act.RESUME, "test", resumed)
    desk.move(NUMBER, Act.SUSPEND, "test", ended)
    desk.move(NUMBER, Act.TERMINATE, "test", ended)
    tick = timedelta(milliseconds=1)
    assert store.number_lives(datetime(2026, 8, 1, tzinfo=UTC)) == []
    for moment, was_stopped in ((stopped, False), (stopped + tick, True), (resumed, True), (resumed + tick, False)):
        found = store.number_lives(moment)
        assert [(life.number, life.stopped) for life in found] == [(NUMBER, was_stopped), (OTHER, False)]
    after = store.number_lives(ended + tick)
    assert [(life.ended_at, life.stopped) for life in after] == [(ended, False), (None, False)]


def test_what_is_not_in_the_store_is_a_fault_and_changes_nothing(billing: BillingRun, desk: Desk) -> None:
    stranger = ResultRow(2, PaymentResult("+815099990000", "2026-09", Outcome.UNPAID, None, 1, "A"))
    assert [row.line for row in billing.read([stranger], date(2026, 11, 1), "agent", NOW).bad] == [2]
    with pytest.raises(ContractFault):
        desk.announce(suspension("+815099990000", Cause.MISUSE, date(2027, 1, 1)), "test", NOW)


def test_suspensions_from_before_measures_were_kept_are_migrated(database_url: str) -> None:  # K7
    engine = open_engine(database_url)
    _upgrade_to(engine, "0002")
    log = [(1_000, "suspended", NUMBER), (2_000, "active", NUMBER), (3_000, "suspended", NUMBER)]
    log += [(4_000, "suspended", OTHER), (5_000, "terminated", OTHER)]
    with engine.begin() as connection:
        for number in (NUMBER, OTHER):
            connection.execute(text(_OLD_SUBSCRIBER), {"number": number, "account": number[-8:]})
        for at, what, number in log:
            entry = {"at": at, "what": what, "number": number}
            connection.execute(
                text("INSERT INTO changes (at, who, subscriber, what) VALUES (:at, 'cli:a', :number, :what)"), entry
            )
    upgrade_all(engine, engine)
    with engine.connect() as connection:
        kept = connection.execute(
            text("SELECT subscriber, state, made_by, began_at, ended_at FROM measures ORDER BY began_at")
        ).all()
    assert [tuple(row) for row in kept] == [
        (NUMBER, "ended", "cli:a", 1_000, 2_000),
        (NUMBER, "in-force", "cli:a", 3_000, None),
        (OTHER, "ended", "cli:a", 4_000, 5_000),
    ]
    engine.dispose()


_OLD_SUBSCRIBER = (
    "INSERT INTO subscribers (number, account, name, mail, state, service_start, bill_day, ring_time, voicemail, "
    "mail_notice, delete_after_mail, forward_mode, forward_target, reject_anonymous, international, codecs, profile, "
    "realm, ha1_md5, ha1_sha256, sip_password_sealed, web_password_hash, created_at, changed_at) VALUES (:number, "
    ":account, '', '', 'active', 0, 1, 20, true, 'none', false, 'off', '', false, false, 'phone', '', '', '', '', '', "
    "'', 0, 0)"
)


def _upgrade_to(engine: Engine, revision: str) -> None:
    from alembic import command

    for schema, target in ((MAIN, revision), (JOURNAL, JOURNAL.head)):
        config = schema.config()
        with engine.begin() as connection:
            config.attributes.update(connection=connection, schema=schema)
            command.upgrade(config, target)


def test_billing_life_that_was_tampered_with_is_found(engine: Engine, desk: Desk, billing: BillingRun) -> None:
    close(engine, n1=11_000, n2=500)
    billing.read([result(Outcome.UNPAID, None, "A-1")], date(2026, 11, 5), "agent", NOW)
    billing.run(date(2026, 11, 25), "test", NOW)
    desk.move(OTHER, Act.SUSPEND, "test", NOW)

    def found() -> list[str]:
        return [str(one) for one in check_main(engine, REALM) if not str(one).startswith(("ledger", "bill"))]

    assert found() == []
    with engine.begin() as connection:
        connection.execute(update(subscribers).where(subscribers.c.number == OTHER).values(state="active"))
    assert [text.split(":")[-1] for text in found()] == [f" {OTHER}"]


def test_a_bill_that_differs_from_the_closed_month_is_found(engine: Engine, billing: BillingRun) -> None:  # L3
    close(engine, n1=11_000)
    billing.run(date(2026, 10, 5), "test", NOW)
    with engine.begin() as connection:
        connection.execute(update(claims).values(total_yen=11_001))
    assert any("not those of the closed month" in str(one) for one in check_main(engine, REALM))
    with engine.begin() as connection:
        connection.execute(update(claims).values(total_yen=11_000, state="paid", paid_on=date(2026, 10, 31)))
    assert any("the agent's results do not go together" in str(one) for one in check_main(engine, REALM))


def test_a_notice_that_waits_is_given_once(engine: Engine, desk: Desk, billing: BillingRun) -> None:
    desk.announce(suspension(NUMBER, Cause.MISUSE, date(2027, 1, 1)), "test", NOW)
    with ThreadPoolExecutor(2) as pool:
        days = [pool.submit(billing.run, date(2026, 11, 22), "test", NOW) for _ in range(2)]
        assert sum(len(day.result(60).given) for day in days) == 1
    assert len(everything(engine, outbox)) == 1
    assert len(everything(engine, notices)) == 1
