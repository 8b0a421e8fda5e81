"""How many cases are generated, and how they are cut into runs of hypothesis."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings

CASES = int(os.environ.get("DEFENSECLAW_CASES", "10000"))
"""In all; each property has a share of them. The nightly target asks for a million."""
NIGHTLY = CASES > 10_000
_IN_ONE_RUN = 5_000
"""Hypothesis remembers every case of a run, so a long hunt is many runs."""


def cases(share: float) -> Callable[[Any], Any]:
    """Give a property its share (0 to 1) of all cases; its first argument is ``part``, the number of the run.

    The normal run draws the same cases every time, so that a failure is of the change that is being tested;
    the nightly one draws new ones.
    """
    count = max(20, int(CASES * share))
    parts = -(-count // _IN_ONE_RUN)
    given_settings = settings(
        max_examples=-(-count // parts),
        deadline=None,
        derandomize=not NIGHTLY,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example],
    )
    return lambda function: pytest.mark.parametrize("part", range(parts))(given_settings(function))
