"""Rows of billing life as the contracts know them, and the part of a contracts transaction that writes them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from denwa.contracts.billing_life import Bill, BillState
from denwa.contracts.measures import Cause, Measure, MeasureKind, MeasureState
from denwa.contracts.notices import Notice, NoticeKind, NoticeState
from denwa.contracts.payments import Outcome, PaymentResult
from denwa.storage.tables.billing import claimed_months, claims, measures, notices, payment_results
from denwa.storage.tables.contracts import changes, subscribers
from denwa.storage.tables.voicemail import outbox
from denwa.voicemail.letters import Kind, Letter

LIVE = (str(MeasureState.ANNOUNCED), str(MeasureState.IN_FORCE))
_CLAIM = update(claims).where(
    claims.c.subscriber == bindparam("of_subscriber"), claims.c.month == bindparam("of_month")
)


class BillingRows:
    """The part of `SqlContractsUnit` that is about bills, measures and notices."""

    def __init__(self, connection: Connection, who: str, now: datetime) -> None:
        self._connection = connection
        self._who = who
        self._now = now

    def numbers_on_card(self, card_token: str) -> list[str]:
        query = select(subscribers.c.number).where(subscribers.c.card_token == card_token)
        return list(self._connection.scalars(query.order_by(subscribers.c.created_at, subscribers.c.number)))

    def log(self, numbers: Sequence[str], what: str) -> None:
        rows = [{"at": self._now, "who": self._who, "subscriber": number, "what": what} for number in numbers]
        self._connection.execute(insert(changes), rows)

    def bills(self, number: str) -> list[Bill]:
        query = select(claims).where(claims.c.subscriber == number, claims.c.state != str(BillState.PAID))
        return [bill_of(row) for row in self._connection.execute(query.order_by(claims.c.month))]

    def bill(self, number: str, month: str) -> Bill | None:
        query = select(claims).where(claims.c.subscriber == number, claims.c.month == month)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else bill_of(row)

    def add_bills(self, month: str, bills: Sequence[Bill]) -> None:
        added = _insert_new(self._connection, claimed_months).values(name=month).returning(claimed_months.c.name)
        if bills and self._connection.execute(added).one_or_none():
            self._connection.execute(insert(claims), [bill._asdict() for bill in bills])

    def put_bill(self, bill: Bill) -> None:
        where = (claims.c.subscriber == bill.subscriber, claims.c.month == bill.month)
        values = {"state": str(bill.state), "paid_on": bill.paid_on}
        self._connection.execute(update(claims).where(*where).values(**values))

    def put_interest(self, bills: Sequence[Bill]) -> None:
        change = _CLAIM.values(interest_yen=bindparam("to_yen"))
        rows = [{"of_subscriber": b.subscriber, "of_month": b.month, "to_yen": b.interest_yen} for b in bills]
        self._connection.execute(change, rows)

    def bills_of(self, keys: Collection[tuple[str, str]]) -> dict[tuple[str, str], Bill]:
        wanted = set(keys)
        query = select(claims).where(claims.c.subscriber.in_({number for number, _ in wanted}))
        query = query.where(claims.c.month.in_({month for _, month in wanted}))
        found = (bill_of(row) for row in self._connection.execute(query))
        return {key: bill for bill in found if (key := (bill.subscriber, bill.month)) in wanted}

    def payment_results(self, references: Collection[str]) -> dict[str, PaymentResult]:
        query = select(payment_results).where(payment_results.c.reference.in_(set(references)))
        return {
            row.reference: PaymentResult(
                row.subscriber, row.month, Outcome(row.outcome), row.paid_on, row.amount_yen, row.reference
            )
            for row in self._connection.execute(query)
        }

    def put_results(self, results: Sequence[tuple[PaymentResult, Bill]]) -> None:
        if not results:
            return
        common = {"read_at": self._now, "who": self._who}
        rows = [result._asdict() | {"outcome": str(result.outcome)} | common for result, _ in results]
        self._connection.execute(insert(payment_results), rows)
        change = _CLAIM.values(state=bindparam("to_state"), paid_on=bindparam("to_paid_on"))
        states = [
            {"of_subscriber": b.subscriber, "of_month": b.month, "to_state": str(b.state), "to_paid_on": b.paid_on}
            for _, b in results
        ]
        self._connection.execute(change, states)
        entries = [
            {"at": self._now, "who": self._who, "subscriber": result.subscriber, "what": _said(result)}
            for result, _ in results
        ]
        self._connection.execute(insert(changes), entries)

    def measures(self, number: str) -> list[Measure]:
        query = measures_query().where(measures.c.subscriber == number, measures.c.state.in_(LIVE))
        return [measure_of(row) for row in self._connection.execute(query.order_by(measures.c.id))]

    def add_measure(self, measure: Measure) -> Measure:
        values = {name: getattr(measure, name) for name in ("subscriber", "month", "from_day", "until_day")}
        values |= {name: str(getattr(measure, name)) for name in ("kind", "cause", "state")}
        values |= {"made_at": self._now, "made_by": self._who}
        key = self._connection.scalar(insert(measures).values(values).returning(measures.c.id))
        assert key is not None  # RETURNING
        return measure._replace(key=key)

    def put_measure(self, measure: Measure) -> None:
        values: dict[str, Any] = {"state": str(measure.state), "from_day": measure.from_day}
        if measure.state is not MeasureState.ANNOUNCED:
            values["began_at" if measure.state is MeasureState.IN_FORCE else "ended_at"] = self._now
        self._connection.execute(update(measures).where(measures.c.id == measure.key).values(values))

    def notices(self, number: str) -> list[Notice]:
        query = select(notices).where(notices.c.subscriber == number).order_by(notices.c.id)
        return [notice_of(row) for row in self._connection.execute(query)]

    def add_notice(self, notice: Notice) -> None:
        values = notice._asdict() | {"kind": str(notice.kind), "state": str(notice.state)}
        del values["key"]
        values |= {"mail_id": "", "written_at": self._now}
        self._connection.execute(_insert_new(self._connection, notices).values(values))

    def put_notice(self, notice: Notice) -> None:
        values = {
            "state": str(notice.state),
            "given_on": notice.given_on,
            "channel": notice.channel,
            "text": notice.text,
        }
        self._connection.execute(update(notices).where(notices.c.id == notice.key).values(values))

    def mail(self, notice: Notice, recipient: str, mail_id: str) -> None:
        account = self._connection.scalar(
            select(subscribers.c.account).where(subscribers.c.number == notice.subscriber)
        )
        letter = Letter(
            Kind.SERVICE_NOTICE, notice.subscriber, account or "", "", "", 0, subject=notice.subject, text=notice.text
        )
        values = {
            "message_id": mail_id,
            "kind": str(letter.kind),
            "mailbox": notice.subscriber,
            "recipient": recipient,
            "details": letter.to_json(),
            "state": "waiting",
            "created_at": self._now,
            "due_at": self._now,
            "attempts": 0,
            "claimed_by": "",
            "last_error": "",
        }
        self._connection.execute(_insert_new(self._connection, outbox).values(values))
        self._connection.execute(update(notices).where(notices.c.id == notice.key).values(mail_id=mail_id))


def _said(result: PaymentResult) -> str:
    paid = f" on {result.paid_on}" if result.paid_on else ""
    return f"bill {result.month} {result.outcome}{paid}: {result.reference}"


def bill_of(row: Row[Any]) -> Bill:
    return Bill(
        row.subscriber, row.month, row.period_start, row.period_end, row.total_yen, row.late_interest_yen, row.due_on,
        BillState(row.state), row.paid_on, row.interest_yen,
    )  # fmt: skip


def measures_query() -> Any:
    """Measures with the day on which their notice was given."""
    told = select(notices.c.given_on).where(notices.c.measure == measures.c.id, notices.c.state == "given")
    return select(measures, told.order_by(notices.c.given_on).limit(1).scalar_subquery().label("told_on"))


def measure_of(row: Row[Any]) -> Measure:
    return Measure(
        row.id, row.subscriber, MeasureKind(row.kind), Cause(row.cause), row.month, row.from_day, row.until_day,
        MeasureState(row.state), row.told_on,
    )  # fmt: skip


def notice_of(row: Row[Any]) -> Notice:
    return Notice(
        row.id, row.subscriber, NoticeKind(row.kind), row.about, row.due_on, row.subject, row.text, row.measure,
        NoticeState(row.state), row.given_on, row.channel,
    )  # fmt: skip


def _insert_new(connection: Connection, table: Any) -> Any:
    """An INSERT that changes nothing when a unique column has the value already."""
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    return dialect.insert(table).on_conflict_do_nothing()
