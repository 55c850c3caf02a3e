"""The bill as a document: a qualified invoice of a contract's billing month (K3, 消費税法 第57条の4).

Its JSON is these models, field by field. `bill` says how they are computed, `bill_check` proves them.
"""

from __future__ import annotations

import json
from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from denwa.rating.adjustment import AdjustmentKind
from denwa.rating.billing_month import BillingMonth
from denwa.rating.charge import Charge
from denwa.rating.ledger import PostingKind
from denwa.rating.money import Yen
from denwa.rating.tariff import Price, TaxClass

SCHEMA = 1


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", populate_by_name=True)


class Issuer(_Part):
    """Who issues the bill. Without a registration number it is no qualified invoice."""

    name: str
    registration_number: str
    address: str
    contact: str


class Addressee(_Part):
    name: str
    number: str  # as dialled in Japan: 05012345678


class BilledCall(_Part):
    """A posting of the ledger billed in this month. Amounts are signed, tax excluded."""

    call_id: str
    revision: int
    kind: PostingKind
    leg: str  # "" when the call's record has been deleted
    callee: str  # as dialled in Japan; "" when the record has been deleted
    answered_at: str  # ISO 8601, Asia/Tokyo
    belongs_to: date  # first day of the billing month the call belongs to
    number_class: str = Field(alias="class")
    tax: TaxClass
    tariff: str
    tariff_date: date
    unit_ms: int = Field(ge=1)
    yen_per_unit: Yen
    duration_ms: int = Field(ge=0)
    fault_cut: bool  # T3: the unfinished unit was not counted
    units: int
    charge_yen: Yen
    credit_yen: Yen
    payable_yen: Yen
    working: str

    @property
    def sign(self) -> int:
        """How often the call counts: 1, -1 where it is taken back, 0 where only credit moves."""
        return {PostingKind.CALL: 1, PostingKind.REVERSAL: -1, PostingKind.CREDIT_MOVE: 0}[self.kind]

    @property
    def price(self) -> Price:
        return Price(self.number_class, self.unit_ms, self.yen_per_unit, self.tax)

    @property
    def charge(self) -> Charge:
        """The charge of the call, which a reversal takes back; `credit_yen` is that of this posting."""
        yen = self.units * self.yen_per_unit
        return Charge(
            self.duration_ms,
            self.units,
            self.price,
            self.tariff,
            self.tariff_date,
            yen,
            self.credit_yen,
            self.fault_cut,
        )


class BillLine(_Part):
    """All calls of one class and one price; those of an earlier month (`correction_of`) apart. Tax excluded."""

    number_class: str = Field(alias="class")
    tax: TaxClass
    tariff: str
    tariff_date: date
    unit_ms: int = Field(ge=1)
    yen_per_unit: Yen
    yen_per_unit_with_tax: str  # K3: what consumers must see
    correction_of: str  # YYYY-MM of an earlier month, "" for this one
    calls: int
    duration_ms: int
    units: int
    charge_yen: Yen
    credit_yen: Yen
    payable_yen: Yen


class BilledAdjustment(_Part):
    """What is owed or given without a call. Tax excluded."""

    reference: str
    kind: AdjustmentKind
    tax: TaxClass
    yen: Yen
    working: str
    reason: str
    corrects: str | None


class RateTotal(_Part):
    """K3: the sum at one rate of tax, and the tax on it, rounded once."""

    percent: int
    taxed_yen: Yen
    tax_yen: Yen


class Totals(_Part):
    calls: int
    duration_ms: int
    charge_yen: Yen  # before credit
    credit_yen: Yen
    adjustment_yen: Yen
    rates: tuple[RateTotal, ...]  # after credit, with adjustments; so the next two
    exempt_yen: Yen  # 免税: calls abroad
    out_of_scope_yen: Yen  # 不課税
    tax_yen: Yen
    total_yen: Yen


class BillDocument(_Part):
    """A bill. `calls` is None where the details were not asked for."""

    schema_: int = Field(SCHEMA, alias="schema")
    kind: Literal["qualified-invoice", "invoice"]
    provisional: bool  # the month is not closed yet
    issued_on: date
    issuer: Issuer
    addressee: Addressee
    month: str  # YYYY-MM
    period_start: date
    period_end: date
    lines: tuple[BillLine, ...]
    adjustments: tuple[BilledAdjustment, ...]
    totals: Totals
    calls: tuple[BilledCall, ...] | None

    @property
    def period(self) -> BillingMonth:
        return BillingMonth(self.period_start, self.period_end)

    def content(self) -> bytes:
        """The bill as JSON: the same bytes for the same bill."""
        values = self.model_dump(mode="json", by_alias=True)
        return (json.dumps(values, ensure_ascii=False, indent=2) + "\n").encode()
