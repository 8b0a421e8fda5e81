from __future__ import annotations

import os

import pytest
from bench.calm import Part, Parts, calmest, loop_s


@pytest.mark.parametrize(("parts", "calm"), [(1, 1), (2, 1), (3, 1), (6, 2), (30, 10)])
def test_a_third_of_the_parts_is_calm_and_never_none(parts: int, calm: int):
    assert len(calmest([Part(1.0, number) for number in range(parts)])) == calm


def test_the_loop_decides_and_not_the_result():
    parts = [Part(0.3, "fast"), Part(0.1, "slow"), Part(0.2, "middling")]
    assert calmest(parts) == [Part(0.1, "slow")]


def test_every_part_is_kept_in_its_order():
    parts: Parts[int] = Parts()
    numbers = iter(range(6))
    for _ in range(6):
        parts.measure(lambda: next(numbers))
    assert parts.all == [0, 1, 2, 3, 4, 5]
    assert len(parts.calm) == 2
    assert all(part.pace_s > 0 for part in parts.parts)


def test_the_loop_leaves_the_process_where_it_was():
    own = os.sched_getaffinity(0)
    assert loop_s(min(own)) > 0
    assert os.sched_getaffinity(0) == own
