"""Eight times the input takes far less than the 64 times as long of a quadratic reader.

CPU time of one thread; the limit is three times what is linear. `make nightly` runs it and `make test` does
not: a machine that is busy with other things can still make it fail.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from tests.detection.metamorphic.cases import NIGHTLY
from tests.detection.metamorphic.families import NESTED, SHELL, UNITS, filled
from tests.detection.metamorphic.judged import detection_of

from defenseclaw.vocabulary import EventKind

TIMES = 8
SMALL = 16_000 if NIGHTLY else 4_000
NOTHING = 0.15
"""Seconds that are not worth comparing."""
MARGIN = 3
ASKED = UNITS + NESTED if NIGHTLY else (*UNITS[::6], *NESTED[::4])


def judge_result(text: str) -> object:
    """Judge a tool's result."""
    return detection_of(EventKind.TOOL_RESULT, text)


def judge_file(text: str) -> object:
    """Judge a file write, which is parsed as Python."""
    return detection_of(
        EventKind.TOOL_CALL, {"file_path": "/home/dev/project/a.py", "content": text}, "Write"
    )


def judge_command(text: str) -> object:
    """Judge a shell command."""
    return detection_of(EventKind.TOOL_CALL, {"command": text})


def seconds(judge: Callable[[str], object], text: str) -> float:
    """Return the CPU time of one judgement."""
    began = time.thread_time()
    judge(text)
    return time.thread_time() - began


def stays_linear(judge: Callable[[str], object], family: str | tuple[str, str]) -> None:
    """Compare one size with eight times as much; measured again before it counts as too slow."""
    large = filled(family, TIMES * SMALL)
    taken = seconds(judge, large)
    if taken < NOTHING:
        return
    small = filled(family, SMALL)
    allowed = MARGIN * TIMES * max(seconds(judge, small), seconds(judge, small)) + NOTHING
    assert min(taken, seconds(judge, large)) < allowed


@pytest.mark.parametrize("family", ASKED, ids=repr)
@pytest.mark.parametrize("judge", [judge_result, judge_file])
def test_texts_and_code(judge, family):
    stays_linear(judge, family)


@pytest.mark.parametrize("family", (*SHELL, *NESTED) if NIGHTLY else (*SHELL[::5], *NESTED[::5]), ids=repr)
def test_commands(family):
    stays_linear(judge_command, family)
