"""The sums of `denwa rate` in DuckDB, on one thread: what a column database needs for the same files.

Knows just enough of number plan and tariff for the files of `bench.rating_files`. As a program of its own it prints the
CPU seconds until the files are loaded, and those after it.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

_LOAD = """
create table contracts as
  select * from read_csv(?, columns = {'number': 'VARCHAR', 'service_start': 'DATE', 'bill_day': 'INTEGER'});
create table calls as
  select * from read_csv(?, columns = {
    'call_id': 'VARCHAR', 'subscriber': 'VARCHAR', 'dialed': 'VARCHAR', 'leg': 'VARCHAR',
    'answered_at': 'TIMESTAMPTZ', 'duration_ms': 'BIGINT', 'end_cause': 'VARCHAR'});
"""
_RATE = """
create table rated as
  with read as (
    select call_id, leg, subscriber, duration_ms, bill_day, epoch_ms(answered_at) as answered,
      date '1970-01-01' + ((epoch_ms(answered_at) + 32400000) // 86400000)::integer as day,
      case when dialed like '0505001%' then 'on-net'
        when dialed like '0501000%' or dialed like '0503000%' then 'partner-050'
        when dialed like '050%' then 'paid-050'
        when dialed like '010%' then 'international'
        when dialed like '0_0%' then 'mobile' else 'fixed' end as class,
      case when end_cause = 'network_fault' then duration_ms // 30000 else (duration_ms + 29999) // 30000 end as units
    from calls join contracts on subscriber = number),
  charged as (
    select *, case when class in ('on-net', 'partner-050') then 0 else units * 8 end as charge,
      (date_trunc('month', day) - case when day(day) < bill_day then interval 1 month else interval 0 month end)::date
        + (bill_day - 1) as period_start
    from read),
  summed as (
    select *, sum(charge) over (
      partition by subscriber order by answered + duration_ms, call_id, leg rows unbounded preceding) as total
    from charged)
  select *, greatest(0, least(charge, 100 - (total - charge)))::bigint as credit from summed;
create table months as
  select *, domestic + international - credit + tax as total from (
    select subscriber, period_start, (period_start + interval 1 month)::date - 1 as period_end, count(*) as calls,
      sum(duration_ms) as duration_ms, coalesce(sum(charge) filter (class <> 'international'), 0) as domestic,
      coalesce(sum(charge) filter (class = 'international'), 0) as international, sum(credit) as credit,
      coalesce(sum(charge - credit) filter (class <> 'international'), 0) * 10 // 100 as tax
    from rated group by subscriber, period_start);
"""
_WRITE = """
copy (select call_id, class, units, charge as charge_yen, credit as credit_yen, charge - credit as payable_yen,
  period_start from rated order by call_id, leg, subscriber) to '{rated}' (header);
copy (select subscriber, period_start, period_end, calls, duration_ms, domestic as domestic_yen,
  international as international_yen, credit as credit_yen, tax as tax_yen, total as total_yen
  from months order by subscriber, period_start) to '{months}' (header);
"""


def main() -> None:
    import duckdb  # needed for this measurement only

    parser = argparse.ArgumentParser()
    for name in ("subscribers", "calls", "out", "months"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    arguments = parser.parse_args()
    database = duckdb.connect(config={"threads": 1})
    contracts, calls = _LOAD.split(";")[:2]
    database.execute(contracts, [str(arguments.subscribers)])
    database.execute(calls, [str(arguments.calls)])
    loaded = time.process_time()
    database.execute(_RATE)
    database.execute(_WRITE.format(rated=arguments.out, months=arguments.months))
    print(f"{loaded:.2f} {time.process_time() - loaded:.2f}")


if __name__ == "__main__":
    main()
