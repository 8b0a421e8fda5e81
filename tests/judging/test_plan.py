from __future__ import annotations

import pytest

from defenseclaw.judging.plan import Choices, is_open, liftable, min_entities, questions_for
from defenseclaw.vocabulary import Door, Event, EventKind, Finding, Profile, Severity

PROMPT, CALL, RESULT, COMPLETION, FILE = (
    EventKind.PROMPT,
    EventKind.TOOL_CALL,
    EventKind.TOOL_RESULT,
    EventKind.COMPLETION,
    EventKind.FILE,
)
TEXT = "a text that is long enough to be judged"


def event(kind: EventKind, **more) -> Event:
    return Event(kind=kind, door=Door.INSPECT, **more)


def finding(category: str, severity: str = "MEDIUM", **more) -> Finding:
    rule_id = more.pop("rule_id", f"{category}-{severity}".upper())
    return Finding(
        rule_id=rule_id, title="T", category=category, severity=Severity(severity), confidence=1.0, **more
    )


DOUBT = finding("trust-exploit")
SURE = finding("trust-exploit", "HIGH")


@pytest.mark.parametrize(
    ("kind", "findings", "choices", "asked"),
    [
        # regex_judge, nothing found: the judges of the kind
        (PROMPT, [], {}, ["injection", "pii", "exfil"]),
        (CALL, [], {}, ["tool-injection"]),
        (RESULT, [], {}, []),
        (FILE, [], {}, []),
        (COMPLETION, [], {}, []),
        (PROMPT, [], {"sweep": False}, []),
        # doubts are adjudicated, each area on its own
        (PROMPT, [DOUBT], {}, ["adjudication/injection"]),
        (RESULT, [DOUBT], {"sweep": False}, ["adjudication/injection"]),
        (
            RESULT,
            [DOUBT, finding("secret"), finding("c2"), finding("enterprise-data", "LOW")],
            {},
            ["adjudication/injection", "adjudication/secret", "adjudication/exfil", "adjudication/pii"],
        ),
        # what rests on facts is not adjudicated
        (CALL, [finding("command")], {}, ["tool-injection"]),
        # the rules are sure
        (PROMPT, [SURE], {}, []),
        (PROMPT, [SURE, DOUBT], {}, []),
        (CALL, [finding("command", "CRITICAL")], {}, []),
        # what has no weight is as if it were not there
        (PROMPT, [finding("trust-exploit", "HIGH", detection_only=True)], {}, ["injection", "pii", "exfil"]),
        # other strategies
        (PROMPT, [DOUBT], {"strategy": "regex_only"}, []),
        (PROMPT, [SURE], {"strategy": "judge_first"}, ["injection", "pii", "exfil"]),
        (PROMPT, [], {"strategy_prompt": "regex_only"}, []),
        (CALL, [], {"strategy": "regex_only", "strategy_tool_call": "judge_first"}, ["tool-injection"]),
        (COMPLETION, [], {"strategy_completion": "regex_judge"}, ["pii"]),
        (COMPLETION, [], {"strategy_completion": None}, ["pii"]),
        # judges switched off
        (PROMPT, [], {"injection": False}, ["pii", "exfil"]),
        (PROMPT, [], {"pii_prompt": False, "exfil": False}, ["injection"]),
        (PROMPT, [], {"pii": False}, ["injection", "exfil"]),
        (COMPLETION, [], {"strategy_completion": "judge_first", "pii_completion": False}, []),
        (CALL, [], {"tool_injection": False}, []),
        # data is judged for instructions only on request
        (RESULT, [], {"injection_result": True}, ["injection"]),
        (FILE, [], {"injection_result": True}, ["injection"]),
    ],
)
def test_strategy(kind: EventKind, findings: list[Finding], choices: dict, asked: list[str]) -> None:
    questions = questions_for(event(kind), findings, Choices(**choices), TEXT)
    assert [each.name for each in questions] == asked
    assert is_open(event(kind), findings, Choices(**choices)) is bool(asked)


@pytest.mark.parametrize(
    ("tool", "asked", "least"),
    [
        ("users_list", ["pii"], 3),
        ("mcp__graph__mail_search", ["pii"], 2),
        ("mcp:graph:Mail_Search", ["pii"], 2),
        ("read_file", [], 1),
    ],
)
def test_results_of_tools_that_return_people_are_judged(tool: str, asked: list[str], least: int) -> None:
    happened = event(RESULT, tool=tool)
    assert [each.name for each in questions_for(happened, [], Choices(), TEXT)] == asked
    assert min_entities(happened) == least


@pytest.mark.parametrize(
    ("connectors", "connector", "covered"),
    [
        ((), "", True),
        ((), "codex", False),
        (("*",), "codex", True),
        (("claudecode",), "claude-code", True),
        (("claudecode",), "codex", False),
    ],
)
def test_connectors_are_judged_by_name(connectors: tuple[str, ...], connector: str, covered: bool) -> None:
    choices = Choices(connectors=frozenset(connectors))
    for door in (Door.HOOK, Door.INSPECT):
        seen = Event(kind=PROMPT, door=door, connector=connector)
        assert is_open(seen, [], choices) is covered


@pytest.mark.parametrize("text", ["", "short", " " * 40 + "short"])
def test_a_short_text_is_not_judged(text: str) -> None:
    assert questions_for(event(PROMPT), [], Choices(), text) == ()


def test_what_could_not_be_read_is_not_judged() -> None:
    assert not is_open(event(PROMPT, faults=("too_deep",)), [], Choices())


@pytest.mark.parametrize(
    ("found", "profile", "is_liftable"),
    [
        (finding("trust-exploit", "MEDIUM"), Profile.DEFAULT, True),
        (finding("trust-exploit", "LOW"), Profile.DEFAULT, True),
        (finding("trust-exploit", "HIGH"), Profile.DEFAULT, False),
        (finding("trust-exploit", "CRITICAL"), Profile.PERMISSIVE, False),
        # in strict a MEDIUM blocks, and no model undoes a block
        (finding("trust-exploit", "MEDIUM"), Profile.STRICT, False),
        (finding("trust-exploit", "LOW"), Profile.STRICT, True),
        (finding("trust-exploit", "MEDIUM", masks=True), Profile.DEFAULT, False),
        (finding("secret"), Profile.DEFAULT, False),
        (finding("command"), Profile.DEFAULT, False),
        (finding("self-protection", rule_id="SELF-PROTECT-X"), Profile.DEFAULT, False),
        (finding("internal", rule_id="INTERNAL-FAULT"), Profile.DEFAULT, False),
        (finding("internal", rule_id="INPUT-BOUND"), Profile.DEFAULT, False),
    ],
)
def test_only_doubt_about_instructions_can_be_lifted(
    found: Finding, profile: Profile, is_liftable: bool
) -> None:
    assert (found.rule_id in liftable([found], profile)) is is_liftable
