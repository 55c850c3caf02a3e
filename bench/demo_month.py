"""A month of made-up traffic in a new data folder, to show and to test billing. The same arguments give the same calls.

python -m bench.demo_month FOLDER                     2,000 calls, billing months that start in 2026-09
python -m bench.demo_month FOLDER --month 2026-04 --calls 100000
python -m bench.demo_month FOLDER --files OUT         and the same calls as files for `denwa rate`

Then, with DENWA_DATA_DIR=FOLDER: denwa month show, denwa month close, denwa export month, denwa ledger balance.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

from denwa.cli.demo import DEMO_NUMBERS, ensure_demo
from denwa.cli.desk import databases, numbering_plan, open_desk
from denwa.cli.wiring import open_journal_store
from denwa.config.settings import Settings
from denwa.config.settings_sources import load_settings
from denwa.contracts.desk import Application
from denwa.numbering import NumberingPlan, PhoneNumber, Reading
from denwa.rating.billing_month import MonthNameError, billing_month_named, midnight_ms, next_month, tokyo_day
from denwa.rating.csv_rows import csv_line
from denwa.rating.file_rating import CALL_COLUMNS, SUBSCRIBER_COLUMNS
from denwa.storage.columns import from_millis
from denwa.voip.calls.journal import CallEntry, EndEntry, Group

_DAYS_BEFORE = timedelta(days=20)
_GROUP = 200  # entries in one commit
_LATE = 0.01  # of the ends come to the journal at the very end, as from a spool that is replayed
_DIALLED = {
    "partner-050": ("05010001234", "050-3000-9999", "184 05010005678"),
    "paid-050": ("05020001234", "０５０－５５５５－１２３４"),
    "fixed": ("0312345678", "06-6123-4567", "+81-11-234-5678", "03-177", "186 0123456789"),
    "mobile": ("09012345678", "080-8765-4321", "070-1111-2222", "06012345678"),
    "international": (
        "010-1-808-555-1234", "010442071234567", "+33140205050", "010-852-9123-4567", "+8613812345678",
    ),
}  # fmt: skip
_UNANSWERED = (("cancelled", 487), ("busy", 486), ("no_answer", 480), ("rejected", 603), ("failed", 503))
_EDGES_MS = (0, 1, 29_999, 30_000, 30_001, 59_999, 60_000, 3 * 3_600_000 + 1)


class Contract(NamedTuple):
    """`number` in E.164; `start` is its first day."""

    number: str
    bill_day: int
    start: date


class MadeCall(NamedTuple):
    """One record. `dialled`: as a person dials it. Times in ms since 1970 UTC; `answered_ms` None: nobody answered."""

    call_id: str
    leg: str
    subscriber: str
    dialled: str
    started_ms: int
    answered_ms: int | None
    duration_ms: int
    end_cause: str
    sip_status: int = 200
    forwarded_by: str = ""

    @property
    def ended_ms(self) -> int:
        return (self.answered_ms or self.started_ms + 20_000) + self.duration_ms

    @property
    def charged(self) -> bool:
        """Whether the record costs its subscriber something, or would if its class were not free."""
        return self.answered_ms is not None and self.leg != "incoming"


def contracts(month: str) -> list[Contract]:
    """The five of the demonstration, new in the month, and four with later start days, some weeks old."""
    first = billing_month_named(month, 1).start
    new = [Contract(number, 1, first) for number in DEMO_NUMBERS]
    old = [Contract(f"+8150500100{bill_day}", bill_day, first - _DAYS_BEFORE) for bill_day in (10, 16, 27, 28)]
    return new + old


def demo_calls(month: str, count: int = 2000, seed: int = 50) -> list[MadeCall]:
    """`count` calls, and some at the edges of each contract's month, by start, over all billing months of `month`."""
    dice = random.Random(seed)
    known = contracts(month)
    first = min(midnight_ms(contract.start) for contract in known)
    end = next_month(billing_month_named(month, 28)).start_ms
    calls: list[MadeCall] = []
    for number in range(count):
        calls += _any_call(dice, f"{seed}-{number}@demo", known, dice.randrange(first, end))
    for contract in known:
        period = billing_month_named(month, contract.bill_day)
        for place, answered in enumerate((period.start_ms - 1, period.start_ms, period.end_ms - 1, period.end_ms)):
            if answered >= midnight_ms(contract.start):
                call_id = f"edge-{contract.number[-8:]}-{place}@demo"
                calls.append(_outgoing(dice, call_id, contract.number, _number(dice, known, "fixed"), answered, 45_000))
    # The credit runs out in a call abroad that began and ended while another went on.
    start = midnight_ms(known[0].start)
    calls.append(_outgoing(dice, "long@demo", known[0].number, "09012345678", start + 1, 330_000))
    calls.append(_outgoing(dice, "short@demo", known[0].number, "010-1-808-555-1234", start + 5000, 90_000))
    return sorted(calls, key=lambda call: (call.started_ms, call.call_id, call.leg))


def _any_call(dice: random.Random, call_id: str, known: list[Contract], started: int) -> list[MadeCall]:
    living = [contract for contract in known if midnight_ms(contract.start) <= started]
    subscriber = dice.choice(living).number
    kind = dice.random()
    if kind < 0.15:
        cause, status = dice.choice(_UNANSWERED)
        return [MadeCall(call_id, "outgoing", subscriber, "09012345678", started, None, 0, cause, status)]
    answered, duration = started + dice.randrange(1000, 15_000), _duration(dice)
    if kind < 0.25:
        callee = PhoneNumber(subscriber).national()
        return [MadeCall(call_id, "incoming", subscriber, callee, started, answered, duration, "caller")]
    if kind < 0.35:
        return _forwarded(dice, call_id, subscriber, living, answered, duration)
    dialled = _number(dice, living, dice.choice(("on-net", *_DIALLED)))
    return [_outgoing(dice, call_id, subscriber, dialled, answered, duration)]


def _outgoing(
    dice: random.Random, call_id: str, subscriber: str, dialled: str, answered: int, duration: int
) -> MadeCall:
    cause = dice.choices(("caller", "callee", "network_fault", "lost", "service"), (50, 40, 6, 2, 2))[0]
    return MadeCall(call_id, "outgoing", subscriber, dialled, answered - 1000, answered, duration, cause)


def _forwarded(
    dice: random.Random, call_id: str, caller: str, living: list[Contract], answered: int, duration: int
) -> list[MadeCall]:
    """F4: the caller's call to a subscriber, and that subscriber's to the target, measured alike."""
    by = dice.choice([contract.number for contract in living if contract.number != caller])
    target = _number(dice, living, dice.choice(("fixed", "mobile", "partner-050")))
    own = PhoneNumber(by).national()
    return [
        MadeCall(call_id, "outgoing", caller, own, answered - 9000, answered, duration, "caller"),
        MadeCall(call_id, "forwarded", by, target, answered - 4000, answered, duration, "caller", forwarded_by=by),
    ]


def _number(dice: random.Random, living: list[Contract], number_class: str) -> str:
    if number_class == "on-net":
        return PhoneNumber(dice.choice(living).number).grouped()
    return dice.choice(_DIALLED[number_class])


def _duration(dice: random.Random) -> int:
    return dice.choice(_EDGES_MS) if dice.random() < 0.1 else int(dice.expovariate(1 / 120_000))


def journal_groups(calls: Iterable[MadeCall], plan: NumberingPlan) -> Iterator[Group]:
    """What the service would have committed: each call when it is answered, its end when it ends."""
    events: list[tuple[int, int, CallEntry | EndEntry]] = []
    for number, call in enumerate(calls):
        entry = _entry(call, (call.started_ms << 20) | number, plan)
        if call.answered_ms is None:
            events.append((call.ended_ms, number, entry))
            continue
        events.append((call.answered_ms, number, entry))
        ended = EndEntry(entry.id, call.ended_ms, call.duration_ms, call.end_cause, call.sip_status)
        late = number % int(1 / _LATE) == 7
        events.append((2**62 if late else call.ended_ms, number, ended))
    events.sort(key=lambda event: (event[0], isinstance(event[2], EndEntry), event[1]))
    for first in range(0, len(events), _GROUP):
        group = Group()
        for _, _, item in events[first : first + _GROUP]:
            if isinstance(item, CallEntry):
                group.calls.append(item)
            else:
                group.ends.append(item)
        yield group


def _entry(call: MadeCall, record_id: int, plan: NumberingPlan) -> CallEntry:
    reading = plan.read(call.dialled, tokyo_day(call.answered_ms or call.started_ms))
    assert isinstance(reading, Reading), reading
    incoming = call.leg == "incoming"
    answered = call.answered_ms is not None
    return CallEntry(
        id=record_id,
        call_id=call.call_id,
        leg=call.leg,
        subscriber=call.subscriber,
        direction="incoming" if incoming else "outgoing",
        caller="" if incoming else call.subscriber,
        callee=reading.number.e164,
        number_class=str(reading.number_class),
        started_at=call.started_ms,
        answered_at=call.answered_ms,
        ended_at=None if answered else call.ended_ms,
        duration_ms=0,
        end_cause="" if answered else call.end_cause,
        sip_status=call.sip_status,
        forwarded_by=call.forwarded_by,
        voicemail=0,
        alive_at=call.answered_ms,
        dialog="{}" if answered else "",
    )


def add_contracts(settings: Settings, month: str) -> None:
    """The contracts of `month` into the databases of `settings`, which are made and hold none yet."""
    plan = numbering_plan(settings)
    with databases(settings) as (main, _journal):
        for contract in contracts(month):
            start = from_millis(midnight_ms(contract.start))
            if contract.number in DEMO_NUMBERS:
                ensure_demo(main, settings, plan, start)  # all five at once
                continue
            name, mail = f"デモ {contract.bill_day}日起算", f"demo{contract.bill_day}@example.jp"
            application = Application(name, mail, contract.number, bill_day=contract.bill_day)
            open_desk(main, settings, plan).add(application, "demo", start)


def write_files(folder: Path, month: str, calls: Iterable[MadeCall]) -> tuple[Path, Path]:
    """The same contracts and calls as `denwa rate` reads them: (subscribers, calls)."""
    folder.mkdir(parents=True, exist_ok=True)
    subscribers, records = folder / "subscribers.csv", folder / "calls.csv"
    with subscribers.open("w", encoding="utf-8", newline="") as file:
        file.write(csv_line(SUBSCRIBER_COLUMNS))
        for contract in contracts(month):
            file.write(csv_line((PhoneNumber(contract.number).national(), contract.start, contract.bill_day)))
    with records.open("w", encoding="utf-8", newline="") as file:
        file.write(csv_line(CALL_COLUMNS))
        for call in calls:
            if call.answered_ms is not None and call.charged:
                answered = from_millis(call.answered_ms).isoformat(timespec="milliseconds")
                row = (call.call_id, PhoneNumber(call.subscriber).national(), call.dialled, call.leg, answered)
                file.write(csv_line((*row, call.duration_ms, call.end_cause)))
    return subscribers, records


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.demo_month", description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("folder", type=Path, help="a data folder that does not exist yet")
    parser.add_argument("--month", default="2026-09", help="billing months that start in it (YYYY-MM, from 2026-08)")
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=50)
    parser.add_argument("--files", type=Path, help="folder for the same calls as files for `denwa rate`")
    given = parser.parse_args()
    if given.folder.exists():
        sys.exit(f"{given.folder} exists; demo traffic goes into a new data folder only")
    try:
        calls = demo_calls(given.month, given.calls, given.seed)
    except MonthNameError as fault:
        sys.exit(str(fault))
    settings = load_settings(demo=True).model_copy(update={"data_dir": given.folder})
    add_contracts(settings, given.month)
    store = open_journal_store(settings)
    for group in journal_groups(calls, numbering_plan(settings)):
        store.commit(group)
    if given.files:
        write_files(given.files, given.month, calls)
    print(f"{given.folder}: {len(calls)} call records of {len(contracts(given.month))} contracts")


if __name__ == "__main__":
    main()
