"""What the daily step of billing life and its lists read (port `BillingStore` of denwa/contracts)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Engine, Select, and_, func, or_, select, union_all

from denwa.contracts.billing_life import Bill, BillState
from denwa.contracts.dormancy import QuietContract
from denwa.contracts.measures import Measure
from denwa.contracts.notices import Notice, NoticeKind, NoticeState
from denwa.contracts.numbers_in_use import NumberLife
from denwa.contracts.ports import ClosedBill, ListedBill, ListedNotice
from denwa.storage.billing_rows import LIVE, bill_of, measure_of, measures_query, notice_of
from denwa.storage.contracts_store import SqlContractsUnit, lock_contracts
from denwa.storage.tables.billing import claimed_months, claims, measures, notices, payment_results
from denwa.storage.tables.contracts import subscribers
from denwa.storage.tables.rating import adjustments, bills, closed_months, postings
from denwa.storage.tables.voicemail import outbox

_TOKYO = ZoneInfo("Asia/Tokyo")
_LATE_INTEREST = "late-interest"  # kind of adjustment
_SETTLING = tuple(str(state) for state in BillState if state not in (BillState.DUE, BillState.PAID))


class SqlBillingStore:
    """Over an engine of `denwa.storage.engine.open_main`. Safe to use from several threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reading = engine.execution_options(read_only=True)

    @contextmanager
    def changing(self, who: str, now: datetime) -> Iterator[SqlContractsUnit]:
        with self._engine.begin() as connection:
            lock_contracts(connection)
            yield SqlContractsUnit(connection, who, now)

    def months_to_take_in(self) -> list[str]:
        taken = select(claimed_months.c.name)
        query = select(closed_months.c.name).where(closed_months.c.name.not_in(taken)).order_by(closed_months.c.name)
        return [row.name for row in self._rows(query)]

    def closed_bills(self, month: str) -> list[ClosedBill]:
        interest = (
            select(func.coalesce(func.sum(adjustments.c.yen), 0))
            .where(adjustments.c.subscriber == bills.c.subscriber, adjustments.c.month_start == bills.c.month_start)
            .where(adjustments.c.kind == _LATE_INTEREST)
            .scalar_subquery()
        )
        query = (
            select(bills, interest.label("interest"))
            .join(subscribers, subscribers.c.number == bills.c.subscriber)
            .where(bills.c.month == month)
            .order_by(bills.c.subscriber)
        )
        return [
            ClosedBill(row.subscriber, month, row.month_start, row.month_end, row.total_yen, int(row.interest))
            for row in self._rows(query)
        ]

    def unsettled(self, due_before: date | None) -> list[str]:
        wanted: ColumnElement[bool] = claims.c.state.in_(_SETTLING)
        if due_before is not None:
            wanted = or_(wanted, and_(claims.c.state == str(BillState.DUE), claims.c.due_on < due_before))
        owing = select(claims.c.subscriber).where(wanted)
        measured = select(measures.c.subscriber).where(measures.c.state.in_(LIVE))
        numbers = union_all(owing, measured).subquery()
        query = select(numbers.c.subscriber).distinct().order_by(numbers.c.subscriber)
        return [row.subscriber for row in self._rows(query)]

    def quiet_contracts(self) -> list[QuietContract]:
        """A month counts as billed when its calls, after credit, and its adjustments come to something."""
        p, a = postings.c, adjustments.c
        owed = union_all(
            select(p.subscriber, p.month_start, (p.charge_yen - p.credit_yen).label("yen")),
            select(a.subscriber, a.month_start, a.yen),
        ).subquery()
        months = (
            select(owed.c.subscriber, owed.c.month_start)
            .group_by(owed.c.subscriber, owed.c.month_start)
            .having(func.sum(owed.c.yen) > 0)
            .subquery()
        )
        last = (
            select(months.c.subscriber, func.max(months.c.month_start).label("month_start"))
            .group_by(months.c.subscriber)
            .subquery()
        )
        s = subscribers.c
        query = (
            select(s.number, s.name, s.mail, s.service_start, s.bill_day, last.c.month_start)
            .outerjoin(last, last.c.subscriber == s.number)
            .where(s.state != "terminated")
            .order_by(s.number)
        )
        return [
            QuietContract(
                row.number, row.name, row.mail, row.service_start.astimezone(_TOKYO).date(), row.bill_day,
                row.month_start,
            )
            for row in self._rows(query)
        ]  # fmt: skip

    def dormancy_notices(self) -> dict[str, list[Notice]]:
        found: dict[str, list[Notice]] = {}
        for row in self._rows(select(notices).where(notices.c.kind == str(NoticeKind.DORMANCY)).order_by(notices.c.id)):
            found.setdefault(row.subscriber, []).append(notice_of(row))
        return found

    def listed_notices(self, state: NoticeState | None = None, number: str = "") -> list[ListedNotice]:
        query = (
            select(notices, subscribers.c.mail.label("address"), outbox.c.state.label("delivery"))
            .join(subscribers, subscribers.c.number == notices.c.subscriber)
            .outerjoin(outbox, and_(outbox.c.message_id == notices.c.mail_id, notices.c.mail_id != ""))
            .order_by(notices.c.id)
        )
        if state is not None:
            query = query.where(notices.c.state == str(state))
        if number:
            query = query.where(notices.c.subscriber == number)
        return [ListedNotice(notice_of(row), row.address, row.delivery or "") for row in self._rows(query)]

    def undelivered(self) -> list[Notice]:
        query = (
            select(notices)
            .join(outbox, outbox.c.message_id == notices.c.mail_id)
            .where(notices.c.state == str(NoticeState.GIVEN), notices.c.channel == "mail")
            .where(outbox.c.state == "undeliverable", outbox.c.kind == "service-notice")
            .order_by(notices.c.id)
        )
        return [notice_of(row) for row in self._rows(query)]

    def listed_bills(self, *, number: str = "", unpaid: bool = False) -> list[ListedBill]:
        latest = (
            select(payment_results.c.reference)
            .where(payment_results.c.subscriber == claims.c.subscriber, payment_results.c.month == claims.c.month)
            .order_by(payment_results.c.read_at.desc(), payment_results.c.reference.desc())
            .limit(1)
            .scalar_subquery()
        )
        query = select(claims, latest.label("reference")).order_by(claims.c.subscriber, claims.c.month)
        if unpaid:
            query = query.where(claims.c.state.in_(_SETTLING))
        if number:
            query = query.where(claims.c.subscriber == number)
        return [ListedBill(bill_of(row), row.reference or "") for row in self._rows(query)]

    def paid_without_interest(self) -> list[Bill]:
        wanted = (claims.c.state == str(BillState.PAID), claims.c.interest_yen.is_(None))
        query = select(claims).where(*wanted).order_by(claims.c.subscriber, claims.c.month)
        return [bill_of(row) for row in self._rows(query)]

    def listed_measures(self, number: str = "", *, live: bool = False) -> list[Measure]:
        query = measures_query().order_by(measures.c.subscriber, measures.c.id)
        if live:
            query = query.where(measures.c.state.in_(LIVE))
        if number:
            query = query.where(measures.c.subscriber == number)
        return [measure_of(row) for row in self._rows(query)]

    def number_lives(self, moment: datetime) -> list[NumberLife]:
        s, m = subscribers.c, measures.c
        stopped = (
            select(m.id)
            .where(m.subscriber == s.number, m.kind == "suspension", m.began_at < moment)
            .where(or_(m.ended_at.is_(None), m.ended_at >= moment))
            .exists()
        )
        query = select(s.number, s.created_at, s.ended_at, stopped).where(s.created_at < moment).order_by(s.number)
        return [NumberLife(number, given, ended, bool(stop)) for number, given, ended, stop in self._rows(query)]

    def _rows(self, query: Select[Any]) -> list[Any]:
        with self._reading.connect() as connection:
            return list(connection.execute(query))
