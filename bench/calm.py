"""How fast the machine itself is, and which part of a measurement fell into its calm moments.

A shared machine is slowed down by others: the same plain loop takes up to twice as long from one second to
the next. Such a loop is therefore timed before and after each part of a measurement, on the core that is
measured, and the parts between the fastest loops are looked at alone. The loop knows nothing of what is
measured, so the choice favours no result; what came out over all parts is told beside it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")

SHARE = 3
"""One part in so many is calm."""
ADDITIONS = 50_000


class Part(NamedTuple, Generic[T]):
    """One part of a measurement."""

    pace_s: float
    """What the plain loop took around it, seconds."""
    result: T


class Parts(Generic[T]):
    """Measures something part by part, on one core.

    Args:
        core: Where the loop runs; None leaves it to the system.
    """

    def __init__(self, core: int | None = None) -> None:
        self._core = core
        self.parts: list[Part[T]] = []

    def measure(self, part: Callable[[], T]) -> None:
        """Measure one more part."""
        before = loop_s(self._core)
        result = part()
        self.parts.append(Part((before + loop_s(self._core)) / 2, result))

    @property
    def all(self) -> list[T]:
        """What was measured, in its order."""
        return [part.result for part in self.parts]

    @property
    def calm(self) -> list[T]:
        """What was measured while the machine was fastest; at least one part."""
        return [part.result for part in calmest(self.parts)]


def calmest(parts: Sequence[Part[T]]) -> list[Part[T]]:
    """Return the third of the parts around which the loop was fastest."""
    return sorted(parts, key=lambda part: part.pace_s)[: max(1, len(parts) // SHARE)]


def loop_s(core: int | None) -> float:
    """Return how many seconds a loop of :data:`ADDITIONS` additions takes, on one core."""
    if core is None or not hasattr(os, "sched_setaffinity"):
        return median(_loop_s() for _ in range(3))
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        return median(_loop_s() for _ in range(3))
    finally:
        os.sched_setaffinity(0, own)


def _loop_s() -> float:
    began = time.perf_counter()
    total = 0
    for number in range(ADDITIONS):
        total += number
    return time.perf_counter() - began
