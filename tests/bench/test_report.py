"""The benchmark's arithmetic and its writing into the documentation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench.report import Operation, Run, capacity_lines, comparison_table, ratios, write_between_markers

CALL = Operation("call", "a call", 3000, 2.0)
RUN = Run(1, "call", "denwa", 3000, 2990.0, 12000, 0, 0, 0, 150.0, 0.5, 90.0)


def _round(number: int, denwa: float, kamailio: float) -> list[Run]:
    return [
        replace(RUN, round=number, server="kamailio", cpu_us=kamailio),
        replace(RUN, round=number, server="denwa", cpu_us=denwa),
    ]


def test_ratios_compare_only_within_a_round() -> None:
    runs = _round(1, 150, 100) + _round(2, 500, 250) + [replace(RUN, round=3, cpu_us=9000)]
    assert ratios(runs, "call") == [1.5, 2.0]


def test_run_without_a_success_gives_no_ratio() -> None:
    runs = _round(1, 150, 100)
    assert ratios([runs[0], replace(runs[1], succeeded=0)], "call") == []


def test_table_shows_the_median_and_whether_the_goal_is_met() -> None:
    runs = _round(1, 190, 100) + _round(2, 150, 100) + _round(3, 900, 100)
    row = comparison_table(runs, [CALL])[-1]
    assert "| 1.90 (1.50–9.00) | ≤ 2.0 | yes |" in row
    assert comparison_table(runs, [replace(CALL, goal=1.8)])[-1].endswith("| no |")


@pytest.mark.parametrize("fault", ["failed", "retransmissions", "drops"])
def test_one_loss_misses_the_capacity_goal(fault: str) -> None:
    operation = Operation("call", "a call", 2000, 0.0)
    assert "goal met" in capacity_lines([RUN], operation)[0]
    assert "goal not met" in capacity_lines([RUN, replace(RUN, **{fault: 1})], operation)[0]


def test_writing_replaces_only_what_is_between_the_markers(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Head\n<!-- bench:begin -->\nold\n<!-- bench:end -->\ntail\n", encoding="utf-8")
    write_between_markers(page, ["new", "lines"])
    write_between_markers(page, ["new", "lines"])
    assert page.read_text(encoding="utf-8") == ("# Head\n<!-- bench:begin -->\nnew\nlines\n<!-- bench:end -->\ntail\n")


def test_page_without_markers_is_refused_and_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Head\n", encoding="utf-8")
    with pytest.raises(ValueError, match="bench:begin"):
        write_between_markers(page, ["new"])
    assert page.read_text(encoding="utf-8") == "# Head\n"
