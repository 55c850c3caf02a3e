"""The run of mutated packets: repeatable from its seed, and its report says what was waited for."""

from __future__ import annotations

from random import Random

from bench.fuzz import Step, percentile, report, seeds
from bench.mutations import MAX_SIZE, mutate


def test_the_same_seed_gives_the_same_packets_and_another_seed_others():
    messages = seeds()
    first, again, other = ([mutate(random, messages) for _ in range(200)] for random in map(Random, (1, 1, 2)))
    assert first == again
    assert first != other
    assert max(map(len, first)) <= MAX_SIZE


def test_most_packets_differ_from_what_they_were_made_of():
    messages = seeds()
    random = Random(3)
    assert sum(mutate(random, messages) in messages for _ in range(500)) < 25


def test_the_torture_messages_are_among_the_seeds():
    assert len(set(seeds())) == 49 + 12 + 7


def test_a_report_counts_what_was_in_vain_and_takes_the_worst_p99():
    steps = [Step("a", float(n)) for n in range(100)] + [Step("b", 5.0), Step("b", None)]
    table, worst, failed = report(steps)
    assert (worst, failed) == (99.0, 1)
    assert "| a | 100 | 0 | 50.0 | 99.0 | 99.0 |" in table
    assert "| b | 1 | 1 | 5.0 | 5.0 | 5.0 |" in table


def test_percentiles_are_of_the_values_themselves():
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([1.0], 0.99) == 1.0
