from __future__ import annotations

import pytest

from defenseclaw.verification.verdicts import Finding, Outcome, Recorded, Seen, Subject, judge, overall
from defenseclaw.vocabulary import Mode

BLOCKED = Recorded(event="E", action="block", raw_action="block", replaced=True)
WATCHED = Recorded(event="E", action="allow", raw_action="block", replaced=False)
ALLOWED = Recorded(event="E", action="allow", raw_action="allow", replaced=False)
ELSEWHERE = Recorded(event="Other", action="block", raw_action="block", replaced=True)


@pytest.mark.parametrize(
    ("mode", "rows", "happened", "told", "outcome"),
    [
        # action: on record, stopped, and said
        (Mode.ACTION, (BLOCKED,), False, True, Outcome.ENFORCED),
        (Mode.ACTION, (BLOCKED,), False, False, Outcome.NOT_ENFORCED),
        (Mode.ACTION, (BLOCKED,), True, True, Outcome.NOT_ENFORCED),
        (Mode.ACTION, (WATCHED,), True, True, Outcome.NOT_ENFORCED),
        (Mode.ACTION, (WATCHED,), False, True, Outcome.NOT_ENFORCED),
        (Mode.ACTION, (ALLOWED,), True, False, Outcome.NOT_ENFORCED),
        (Mode.ACTION, (), True, False, Outcome.NOT_ENFORCED),
        (Mode.ACTION, (), False, True, Outcome.NOT_ENFORCED),
        # the row must be of the event that had to stop it
        (Mode.ACTION, (ELSEWHERE,), False, True, Outcome.NOT_ENFORCED),
        # observe: on record as what would have been stopped
        (Mode.OBSERVE, (WATCHED,), True, False, Outcome.OBSERVED),
        (Mode.OBSERVE, (WATCHED,), False, False, Outcome.OBSERVED),
        (Mode.OBSERVE, (ALLOWED,), True, False, Outcome.NOT_ENFORCED),
        (Mode.OBSERVE, (), True, False, Outcome.NOT_ENFORCED),
    ],
)
def test_a_call_is(mode: Mode, rows: tuple[Recorded, ...], happened: bool, told: bool, outcome: Outcome):
    seen = Seen(subject=Subject.CALL, event="E", tried=True, took_effect=happened, told=told, rows=rows)
    assert judge(seen, mode).outcome is outcome


def test_a_prompt_is_enforced_without_a_word_to_the_model():
    seen = Seen(subject=Subject.PROMPT, event="E", tried=True, took_effect=False, rows=(BLOCKED,))
    assert judge(seen, Mode.ACTION).outcome is Outcome.ENFORCED


def test_what_was_not_come_to_is_unproven():
    seen = Seen(subject=Subject.CALL, event="E", tried=False, took_effect=False)
    assert judge(seen, Mode.ACTION).outcome is Outcome.UNPROVEN


@pytest.mark.parametrize(
    ("of_events", "whole"),
    [
        ([], Outcome.UNPROVEN),
        ([Outcome.NOT_OFFERED], Outcome.UNPROVEN),
        ([Outcome.ENFORCED, Outcome.NOT_OFFERED], Outcome.ENFORCED),
        ([Outcome.ENFORCED, Outcome.UNPROVEN], Outcome.UNPROVEN),
        ([Outcome.ENFORCED, Outcome.UNPROVEN, Outcome.NOT_ENFORCED], Outcome.NOT_ENFORCED),
        ([Outcome.OBSERVED, Outcome.OBSERVED], Outcome.OBSERVED),
    ],
)
def test_the_worst_event_decides(of_events: list[Outcome], whole: Outcome):
    findings = [Finding(subject=Subject.CALL, event="E", outcome=each) for each in of_events]
    assert overall(findings) is whole
