"""What a profile's data file holds: one rule of the provider's terms in each table, with the article it comes from.

Money is whole yen, consumption tax excluded unless `tax` says otherwise. A rule with `valid_from` replaces from that
day on the earlier one of the same kind. These models are the rules that the computations take.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

Text = Annotated[str, StringConstraints(min_length=1)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
Yen = Annotated[int, Field(ge=0, le=10_000_000)]
Days = Annotated[int, Field(ge=0, le=366)]
Months = Annotated[int, Field(ge=0, le=120)]
WhichMonth = Literal["this-month", "next-month"]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Rule(_Table):
    """`article`: where the terms say it. `note`: what they leave open and how it is read here."""

    article: Text
    note: str = ""


class DatedRule(Rule):
    """In force from `valid_from` (absent: from the profile's first day) until a later one replaces it."""

    valid_from: date | None = None


class Withdrawal(DatedRule):
    """When a notice of withdrawal ends the contract: always on the last day of a month.

    A notice that is received by `cut_off_day` ends it in the month `ends`, a later one in `ends_after`. Without a
    cut-off day every notice does what `ends` says. `plans`: only those plans; empty: all without a rule of their own.
    """

    plans: list[Name] = []
    cut_off_day: Annotated[int, Field(ge=1, le=27)] | None = None
    ends: WhichMonth
    ends_after: WhichMonth | None = None

    @model_validator(mode="after")
    def _both_sides(self) -> Withdrawal:
        if (self.cut_off_day is None) != (self.ends_after is None):
            raise ValueError("cut_off_day and ends_after go together")
        return self


class Term(DatedRule):
    """A minimum term, counted in calendar months with the month of the contract as the first.

    `months` absent: it differs by plan and is given with the question. `renews`: `same-term` begins again in the month
    after the term, the renewal month, in which alone one can leave free of charge; `monthly` goes on month by month,
    free to leave. `charge`: an amount by plan, given with the question, or the basic fee of the months that remain.
    """

    plans: list[Name] = []
    months: Annotated[int, Field(ge=1, le=60)] | None = None
    renews: Literal["same-term", "monthly"]
    charge: Literal["by-plan", "remaining-months"]


class LateInterest(DatedRule):
    """Interest on a `debt` that is paid late, from the day after the due day.

    `basis_points`: hundredths of a percent a year of `year_days` days (leap years too). `through`: the last day that
    counts. `grace_days`: nothing is due when the payment comes within so many days, counted from the day after the due
    day.
    """

    debt: Name = "service"
    basis_points: Annotated[int, Field(ge=1, le=10_000)]
    through: Literal["day-before-payment", "payment-day"]
    grace_days: Days = 0
    year_days: Literal[365] = 365


class Payment(DatedRule):
    """A way to pay. `fee_yen` is added for every payment or every month; `debit_day`: day of the month of the debit."""

    method: Literal["card", "bank-debit", "bank-transfer", "store", "invoice"]
    fee_yen: Yen = 0
    fee_per: Literal["month", "payment"] = "payment"
    debit_day: Annotated[int, Field(ge=1, le=28)] | None = None
    payer_bears_bank_fee: bool = False
    cards: list[Text] = []


class Recurring(DatedRule):
    """A fee month by month, through the whole month in which the contract ends.

    `monthly_yen` and `yearly_yen` absent: the document does not give the figure, it comes with the question. The first
    `free_months` months, counted from the month of the beginning, cost nothing; `prorated`: the first month by its
    days. `ended_while_free`: whether the month of the end is charged nevertheless. A yearly fee is paid ahead for
    twelve months from the month after the beginning, and is not given back.
    """

    id: Name
    name: Text
    monthly_yen: Yen | None = None
    yearly_yen: Yen | None = None
    free_months: Months = 0
    prorated: bool = False
    ended_while_free: Literal["free", "charged"] = "free"

    @model_validator(mode="after")
    def _one_first_month(self) -> Recurring:
        if self.prorated and self.free_months:
            raise ValueError("a free first month is not prorated")
        return self


class Plan(Recurring):
    """A basic service. `minimum`: see Term."""


class Option(Recurring):
    """An addition to a basic service.

    `again_yen`: for subscribing again after having ended it. `exclusion_months`: so many months, the first included,
    without a benefit. `ends`: the day on which the notice is accepted, or the last day of its month. `most`: how many.
    """

    again_yen: Yen = 0
    exclusion_months: Months = 0
    ends: Literal["acceptance-day", "month-end"] = "month-end"
    most: Annotated[int, Field(ge=1, le=100)] = 1


class Fee(DatedRule):
    """A fee for something done once, or a small one a month. `until`: the last day on which it could be asked for."""

    id: Name
    name: Text
    yen: Yen
    per: Text = "1回"
    tax: Literal["excluded", "included"] = "excluded"
    until: date | None = None


class Billing(DatedRule):
    """How many months after the month of use something is billed."""

    item: Name
    months_after: Annotated[int, Field(ge=0, le=3)]


class Outage(DatedRule):
    """Credit for whole days (24 h) in which the service could not be used at all, from `least_hours` in a row.

    `day_share`: a day is a 30th of the month's basic fee, or one of that month's days. `fraction` (of the whole sum):
    cut off, or cut below 60 sen and raised from 60 sen. `at_most_month`: never more than the fee of the month.
    """

    least_hours: Annotated[int, Field(ge=1, le=240)]
    day_share: Literal["thirtieth", "month-days"]
    fraction: Literal["cut", "sixty-sen"]
    at_most_month: bool = False


class Dunning(DatedRule):
    """A debt that stays unpaid `notice_days` after the demand suspends the service."""

    notice_days: Days


class Evasion(DatedRule):
    """Who evades a charge pays `times` that charge, to which consumption tax is added."""

    times: Annotated[int, Field(ge=1, le=10)]


class Profile(_Table):
    """A provider's terms. `ends`: the last day of the whole service, which ends every contract."""

    format: Annotated[Literal[1], Field(alias="schema")]
    name: Name
    title: Text
    operator: Text
    source: Text
    valid_from: date
    ends: date | None = None
    withdrawal: list[Withdrawal] = []
    term: list[Term] = []
    late_interest: list[LateInterest] = []
    payment: list[Payment] = []
    billing: list[Billing] = []
    plan: list[Plan] = []
    option: list[Option] = []
    fee: list[Fee] = []
    outage: list[Outage] = []
    dunning: list[Dunning] = []
    evasion: list[Evasion] = []
