"""Joins the daily step of billing life to the number fees of the rating (T7, port `NumberFeeLedger`)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine

from denwa.rating.adjust import Adjuster
from denwa.rating.adjustment import AdjustmentKind
from denwa.rating.contract_adjustments import Draft, number_fees
from denwa.rating.ports import Accounts
from denwa.storage.card_numbers import cards_with_further_numbers
from denwa.storage.columns import to_millis

NUMBER_FEE = "number-fee"  # begins the reference, by hand and by the daily step: whoever is second charges nothing
NUMBER_FEE_REASON = "番号発行手数料 (料金表 第1表 第4)"


@dataclass(frozen=True, slots=True)
class NumberFeePosting:
    """Fees as adjustments of the ledger, in the month in which the number was given or the next open one.

    A sixth number, which the operator may give (約款 第9条 4), costs nothing: the tariff knows the 2nd to the 5th.
    """

    main: Engine
    accounts: Accounts
    adjuster: Adjuster

    def __call__(self, who: str, now: datetime) -> list[tuple[str, str]]:
        charged = []
        for card in cards_with_further_numbers(self.main):
            known = {one.number for one in card if one.charged}
            for draft in number_fees(self.accounts, [[one.number for one in card]]):
                if isinstance(draft, Draft) and draft.subscriber not in known:
                    wanted = draft.adjustments(AdjustmentKind.NUMBER_FEE, NUMBER_FEE, NUMBER_FEE_REASON, who)
                    posted = self.adjuster.post(wanted, to_millis(now))
                    charged += [(draft.subscriber, one.adjustment.working) for one in posted if one.new]
        return charged
