from __future__ import annotations

from dataclasses import replace

import pytest

from defenseclaw.judging.memory import (
    FAILURES_TO_PAUSE,
    MAX_ANSWERS,
    PAUSE_S,
    TTL_S,
    Answers,
    Breaker,
)
from defenseclaw.judging.questions import Area, Judge, Question
from defenseclaw.judging.replies import Answer
from defenseclaw.vocabulary import EventKind

QUESTION = Question(judge=Judge.INJECTION, kind=EventKind.PROMPT, sample="the needle", area=Area.PII)


def test_an_answer_is_kept_for_a_while() -> None:
    answers, answer = Answers(), Answer(marks={"semantic": "signal"})
    key = answers.key_of(QUESTION, "m")
    answers.keep(key, answer, 100.0)
    assert answers.get(key, 100.0 + TTL_S - 0.1) is answer
    assert answers.get(key, 100.0 + TTL_S) is None
    answers.clear()
    assert answers.get(key, 100.0) is None


@pytest.mark.parametrize(
    ("change", "model"),
    [
        ({"sample": "The needle"}, "m"),
        ({"judge": Judge.EXFIL}, "m"),
        ({"kind": EventKind.FILE}, "m"),
        ({"area": Area.EXFIL}, "m"),
        ({"doubts": (("A", "B"),)}, "m"),
        ({}, "n"),
    ],
)
def test_another_question_has_another_key(change: dict, model: str) -> None:
    answers = Answers()
    assert answers.key_of(QUESTION, "m") == answers.key_of(replace(QUESTION), "m")
    assert answers.key_of(replace(QUESTION, **change), model) != answers.key_of(QUESTION, "m")


def test_keys_of_two_processes_cannot_be_compared() -> None:
    assert Answers().key_of(QUESTION, "m") != Answers().key_of(QUESTION, "m")


def test_the_oldest_answer_goes_when_there_is_no_room() -> None:
    answers = Answers()
    for number in range(MAX_ANSWERS + 10):
        answers.keep(b"%d" % number, Answer(), float(number))
    assert len(answers) == MAX_ANSWERS
    assert answers.get(b"9", 10.0) is None


def paused() -> Breaker:
    breaker = Breaker()
    for _ in range(FAILURES_TO_PAUSE):
        assert breaker.admits(0.0)
        breaker.failed(0.0)
    return breaker


def test_an_endpoint_that_fails_again_and_again_is_left_alone() -> None:
    breaker = paused()
    assert breaker.is_open
    assert not breaker.admits(PAUSE_S - 0.1)


def test_one_success_between_failures_starts_the_count_anew() -> None:
    breaker = Breaker()
    for _ in range(3 * FAILURES_TO_PAUSE):
        breaker.failed(0.0)
        breaker.succeeded()
    assert not breaker.is_open


def test_after_the_pause_one_question_tries_it() -> None:
    breaker = paused()
    assert breaker.admits(PAUSE_S)
    assert not breaker.admits(PAUSE_S)
    breaker.succeeded()
    assert breaker.admits(PAUSE_S)


def test_a_try_that_fails_pauses_again() -> None:
    breaker = paused()
    assert breaker.admits(PAUSE_S)
    breaker.failed(PAUSE_S)
    assert not breaker.admits(PAUSE_S + 1)
    assert breaker.admits(2 * PAUSE_S)


def test_a_try_that_was_withdrawn_leaves_room_for_another() -> None:
    breaker = paused()
    assert breaker.admits(PAUSE_S)
    breaker.gave_up()
    assert breaker.admits(PAUSE_S)
