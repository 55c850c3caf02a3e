"""What every `denwa adjust …` needs: whom it concerns, the drafts' way into the ledger, and what is shown of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import click
from sqlalchemy import Engine

from denwa.cli.desk import phone_number
from denwa.cli.main import StateError
from denwa.cli.rating_desk import national, now_ms, rated_databases
from denwa.config.settings import Settings
from denwa.numbering import NumberFault, PhoneNumber
from denwa.rating.adjust import Adjuster, PostedAdjustment
from denwa.rating.adjustment import Adjustment, AdjustmentKind, AdjustmentRefusal
from denwa.rating.contract_adjustments import ContractAdjustments, Draft, Refused
from denwa.rating.ports import AccountTerms
from denwa.storage.columns import to_millis
from denwa.storage.contract_history import SqlContractHistory
from denwa.storage.contracts_store import SqlContractsStore

_AT_ONCE = 500  # adjustments in one transaction of the ledger


class Intent(NamedTuple):
    """What the person at the keyboard wants."""

    kind: AdjustmentKind
    reference: str
    reason: str
    who: str
    dry_run: bool
    as_json: bool


@dataclass(frozen=True, slots=True)
class AdjustDesk:
    """Computes and posts."""

    main: Engine
    computing: ContractAdjustments
    adjuster: Adjuster

    def terms(self, number: PhoneNumber) -> AccountTerms:
        """StateError for a number that was never given to a subscriber."""
        try:
            return self.computing.accounts.terms([number.e164])[number.e164]
        except KeyError:
            raise StateError(f"{number.grouped()} is no subscriber") from None

    def everyone(self, since_ms: int) -> list[str]:
        """Every contract (E.164) that had not ended at `since_ms`."""
        each = SqlContractsStore(self.main).each()
        return [one.number for one in each if one.ended_at is None or to_millis(one.ended_at) > since_ms]

    def carry_out(self, drafts: Iterable[Draft | Refused], intent: Intent) -> None:
        """Post every draft, show it, and end with exit code 1 if some contract was refused."""
        made = list(drafts)
        good = [draft for draft in made if isinstance(draft, Draft)]
        wanted = [
            (draft, draft.adjustments(intent.kind, intent.reference, intent.reason, intent.who)) for draft in good
        ]
        posted = [] if intent.dry_run else self._post([one for _, adjustments in wanted for one in adjustments])
        known = {one.adjustment.reference for one in posted if not one.new}
        billed = {one.adjustment.reference: one.adjustment for one in posted}
        if intent.as_json:
            lines = [_fields(draft, [billed.get(a.reference, a) for a in a_s], known, intent) for draft, a_s in wanted]
            click.echo(json.dumps(lines, ensure_ascii=False, indent=2))
        else:
            for draft, adjustments in wanted:
                _show(draft, [billed.get(one.reference, one) for one in adjustments], known)
            if intent.dry_run:
                click.echo("記帳していません not posted (--dry-run)")
        _tell_refused([one for one in made if isinstance(one, Refused)])

    def _post(self, adjustments: list[Adjustment]) -> list[PostedAdjustment]:
        """In portions, so that rating goes on between them; what was posted before a fault is left alone next time."""
        posted: list[PostedAdjustment] = []
        for first in range(0, len(adjustments), _AT_ONCE):
            try:
                posted += self.adjuster.post(adjustments[first : first + _AT_ONCE], now_ms())
            except AdjustmentRefusal as refusal:
                raise StateError(f"{refusal} ({len(posted)} of {len(adjustments)} are posted)") from None
        return posted


@contextmanager
def adjust_desk(settings: Settings) -> Iterator[AdjustDesk]:
    """The desk, after everything that has ended was rated."""
    with rated_databases(settings) as (main, journal, rater):
        computing = ContractAdjustments(SqlContractHistory(main, journal), rater.accounts)
        yield AdjustDesk(main, computing, Adjuster(rater.ledger, rater.accounts))


def named_numbers(numbers: Iterable[str], file: Path | None) -> list[str]:
    """E.164 numbers given as arguments and, one a line, in a file; a bad line is told with its number."""
    found = [phone_number(text).e164 for text in numbers]
    if file is None:
        return found
    faults = []
    for count, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        if text := line.strip():
            try:
                found.append(PhoneNumber.parse(text).e164)
            except NumberFault as fault:
                faults.append(f"{file}:{count}: {text}: {fault}")
    if faults:
        raise StateError("\n".join(faults))
    return found


def _fields(draft: Draft, adjustments: list[Adjustment], known: set[str], intent: Intent) -> dict[str, Any]:
    return {
        "subscriber": national(draft.subscriber),
        "kind": intent.kind.value,
        "yen": draft.computed.yen,
        "working": list(draft.computed.steps),
        "adjustments": [
            {
                "reference": one.reference,
                "month": one.month.name,
                "tax": one.tax.value,
                "yen": one.yen,
                "posted": "dry-run" if intent.dry_run else "before" if one.reference in known else "now",
            }
            for one in adjustments
        ],
    }


def _show(draft: Draft, adjustments: list[Adjustment], known: set[str]) -> None:
    number = PhoneNumber(draft.subscriber).grouped()
    if not adjustments:
        click.echo(f"{number}  0 円")
    for one in adjustments:
        again = "  記帳済み posted before" if one.reference in known else ""
        click.echo(f"{number}  {one.month.name}  {one.yen:+,} 円 {one.tax}  {one.reference}{again}")
    for step in draft.computed.steps:
        click.echo(f"    {step}")


def _tell_refused(refused: list[Refused]) -> None:
    for one in refused:
        click.echo(f"denwa: {PhoneNumber(one.subscriber).grouped()}: {one.why}", err=True)
    if refused:
        raise StateError(f"{len(refused)} contracts are not adjusted")
