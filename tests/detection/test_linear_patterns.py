"""No pattern of the core takes more than linear time where it is tried at one place.

Packs are matched by RE2, which is linear by construction. What is left to :mod:`re` backtracks, so that two
repeats that can share a run of characters are quadratic from one place already.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
import time
from collections.abc import Iterator, Mapping

import pytest
from tests.detection.metamorphic.families import filled

from defenseclaw import detection

SIZE = 4_000
SECONDS = 0.06
"""Of CPU; a linear pattern needs less than a thousandth of it, a quadratic one more than all of it."""
UNITS = (
    " ", "\n", "\t ", "\r\n", "_", "a", "1", "a ", "a_", "a.", "a=", "a,", "a-", "'", '"', "\\", "'a' ",
    "'a',", "\"\\", "(", ")", "[", "{", "/", "../", "a/", ":", "::", "a:", "@", "a@", "%", "%41", "\u200b",
    "\u0301", ";", "|", "&", "$", "$a", "<", "-", "--a ",
)  # fmt: skip


def patterns() -> Iterator[tuple[str, re.Pattern[str] | re.Pattern[bytes]]]:
    """Yield every pattern of :mod:`re` that a module of the core holds, by itself or in a table."""
    for module in pkgutil.walk_packages(detection.__path__, f"{detection.__name__}."):
        for name, value in vars(importlib.import_module(module.name)).items():
            for number, each in enumerate(_within(value)):
                yield f"{module.name.removeprefix(detection.__name__)}.{name}[{number}]", each


def _within(value: object) -> Iterator[re.Pattern[str] | re.Pattern[bytes]]:
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, Mapping):
        yield from (each for each in value.values() if isinstance(each, re.Pattern))
    elif isinstance(value, tuple | list):
        yield from (each for each in value if isinstance(each, re.Pattern))


FOUND = dict(patterns())


def test_the_patterns_are_found():
    assert len(FOUND) > 200


@pytest.mark.parametrize("name", FOUND)
def test_a_pattern_is_linear_from_one_place(name):
    pattern = FOUND[name]
    for unit in UNITS:
        text = filled(unit, SIZE)
        hostile = text.encode() if isinstance(pattern.pattern, bytes) else text
        assert _seconds(pattern, hostile) < SECONDS, unit


def _seconds(pattern: re.Pattern[str] | re.Pattern[bytes], hostile: str | bytes) -> float:
    """Return the CPU time of one try; of the better of two when the first one looks bad."""
    taken = SECONDS
    for _ in range(2):
        began = time.thread_time()
        pattern.match(hostile)
        pattern.fullmatch(hostile)
        taken = min(taken, time.thread_time() - began)
        if taken < SECONDS:
            break
    return taken


POSSESSIVE_GROUP = re.compile(r"\)(?:[*+?]|\{[0-9,]+\})\+")
"""Python before 3.11.5 keeps what an alternative in it took that did not match in the end."""


@pytest.mark.parametrize(("name", "pattern"), [pytest.param(*each, id=each[0]) for each in patterns()])
def test_a_group_is_repeated_atomically(name: str, pattern: re.Pattern[str] | re.Pattern[bytes]) -> None:
    source = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    without_escapes = re.sub(r"\\.|\[[^\]]*\]", "x", source, flags=re.DOTALL)
    assert POSSESSIVE_GROUP.search(without_escapes) is None
