"""Rates call records from files: `denwa rate`, with the tariff, charge, credit and months of live rating.

The calls are read once, rated but for their credit, and sorted on disk. In that order calls that come twice stand side
by side, months are summed, and credit is given; then they are gone through in that order again, and the rated file is
written. What is kept in memory grows with the contracts and their months, not with the calls (decision 0013).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from denwa.numbering import NumberingPlan
from denwa.rating.files.call_order import again, joined, picked
from denwa.rating.files.call_rows import NO_RUN, CallRows, RatedCall, Records, records_of
from denwa.rating.files.contracts import ContractsRead
from denwa.rating.files.credit_use import CreditUse
from denwa.rating.files.csv_blocks import Block, CsvBlocks
from denwa.rating.files.days import Days
from denwa.rating.files.decoding import CALL_COLUMNS, LONGEST_KEY, Decoder
from denwa.rating.files.faults import RowFault
from denwa.rating.files.long_call_ids import LongCallIds
from denwa.rating.files.merged_order import MergedOrder
from denwa.rating.files.month_sums import MonthSums
from denwa.rating.files.rated_file import RatedFile
from denwa.rating.files.rejects import Rejects
from denwa.rating.files.sorted_calls import SortedCalls, in_order
from denwa.rating.tariff import TariffBook
from denwa.rating.tax import TaxRates

SUBSCRIBER_COLUMNS = ("number", "service_start", "bill_day")
TWICE = "the same call and leg as in an earlier row"


class Results(NamedTuple):
    """Both files, header first, sorted as they must be; `rated` with the number of calls in each piece.

    `months` can be taken when all of `rated` was: what credit each month used is known by then.
    """

    calls: int
    rated: Iterator[tuple[int, bytes]]
    months: Iterator[str]


class FileRating:
    """One run: `add_subscriber` for each contract, then `read_calls`, then `results`, each once."""

    def __init__(self, tariffs: TariffBook, tax: TaxRates, plan: NumberingPlan, folder: Path) -> None:
        """`folder`: where there is room for as much as the calls file takes, twice, while it runs."""
        self._tax = tax
        self._folder = folder
        self._contracts_read = ContractsRead(tariffs)
        self._days = Days(tariffs, plan)
        self._calls = SortedCalls(folder)
        self._long = LongCallIds(folder)
        self.rejects = Rejects(folder)
        self.calls = 0  # that were read and can be rated, those that come twice among them

    def add_subscriber(self, line: int, number: str, service_start: str, bill_day: str) -> None:
        """A row of the subscribers file. Raises RowFault; calls of a faulty row are rejected later."""
        self._contracts_read.add(line, number, service_start, bill_day)

    def read_calls(self, file: Path, progress: Callable[[int], None] = lambda size: None) -> None:
        """The calls file (CALL_COLUMNS). `progress` hears of each piece with its bytes. Raises CsvFault, OSError."""
        self._contracts = self._contracts_read.contracts()
        rows = CallRows(self._contracts, self._days)
        decoder = Decoder()
        for block in CsvBlocks(file, CALL_COLUMNS):
            rated, alone = rows.rate_block(decoder.decode(block))
            self._calls.add(rated)
            self.calls += len(rated)
            self._add_alone(rows, block, alone.tolist())
            for line, problem in block.broken:
                self.rejects.add(line, "", problem)
            progress(block.size)

    def _add_alone(self, rows: CallRows, block: Block, alone: list[int]) -> None:
        usual: list[RatedCall] = []
        for line, row in [*((int(block.lines[index]), block.row(index)) for index in alone), *block.single]:
            try:
                call = rows.rate(row, line)
            except RowFault as fault:
                self.rejects.add(line, row[0], str(fault))
                continue
            self.calls += 1
            if len(call.call_id) <= LONGEST_KEY:
                usual.append(call)
            else:
                self._long.add(call)
        if usual:
            self._calls.add(records_of(usual))

    def results(self, progress: Callable[[int], None] = lambda count: None) -> Results:
        """Everything that was read, rated. Calls that come twice are rejected now: the later row.

        `progress` hears of calls that are sorted.
        """
        sums = MonthSums(self._contracts, self._days)
        credit = CreditUse(self._contracts.credit_yen)
        order = MergedOrder(self._folder)
        yen_per_unit = np.array([price.yen_per_unit for price in self._days.prices], np.int64)
        count = 0
        for records in self._once(order):
            contract, price = records["contract"].astype(np.int64), records["price"]
            yen = records["units"] * yen_per_unit[price]
            place = np.arange(count, count + len(records))
            sums.add(contract, records["month"], price, records["duration_ms"], yen)
            credit.offer(contract, records["ended_ms"], place, yen)
            count += len(records)
            progress(len(records))
        rated = RatedFile(self._days, credit.shares(), sums.add_credit).lines(self._again(order))
        return Results(count, rated, sums.lines(self._tax))

    def _once(self, order: MergedOrder) -> Iterator[Records]:
        """All calls in order, without those that come again; `order` hears of them."""
        last: Records | None = None
        for records in in_order(self._calls, self._long):
            twice = again(records)
            if last is not None:
                twice[0] = again(joined([last, records[:1]]))[1]
            last = records[-1:]
            order.note(records, twice)
            if twice.any():
                for row in picked(records, np.flatnonzero(twice)):
                    self.rejects.add(int(row["line"]), bytes(row["call_id"]).decode(), TWICE)
                records = picked(records, np.flatnonzero(~twice))
            if len(records):
                yield records

    def _again(self, order: MergedOrder) -> Iterator[Records]:
        """What `_once` gave."""
        long = iter(self._long)
        self._calls.rewind()
        for sources, dropped in order:
            is_long = sources[0] == NO_RUN
            records = records_of(list(islice(long, len(sources)))) if is_long else self._calls.next(sources)
            if not dropped.all():
                yield picked(records, np.flatnonzero(~dropped)) if dropped.any() else records
