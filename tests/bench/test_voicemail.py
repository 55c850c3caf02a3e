"""The report of a measurement of voicemail says what was measured."""

from __future__ import annotations

from bench.sipp import Counts
from bench.voicemail import Cost, Result, report


def test_the_report_names_the_worst_message_and_the_cost_of_each() -> None:
    cost = Cost(service=0.05, workers=0.61, processes=25, service_mb=80.4, workers_mb=370)
    result = Result(
        cost=cost,
        counts=Counts(3, 1, 0),
        answered_after=[0.1, 0.2, 3.0],
        stored_after=0.5,
        cpu_seconds=0.9,
        missing=[0.1, 0.02, 0.49],
        tone_late=[0.0, 0.1, 0.05],
        longest_gap=0.06,
    )
    lines = report(result, 4, 30)
    rows = {name: value for _, name, value, _ in (line.split("|") for line in lines if line.count("|") == 3)}
    values = [value.strip() for value in rows.values()]
    assert values[2:8] == ["3, 1", "3", "0.20, 3.00", "0.10, 0.49", "0.05, 0.10", "0.06"]
    assert values[8:] == ["0.61, 0.05", "300", "0.5", "80, 370, 14.8"]
    assert "4 callers within a second, 30 s" in lines[0]
