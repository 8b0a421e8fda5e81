"""The ordinary work of coding agents raises nothing; its dangerous neighbours raise what they should."""

from pathlib import Path

import pytest
import yaml
from tests.detection.examples import expand

from defenseclaw import packs
from defenseclaw.detection.engine import detect, run
from defenseclaw.detection.ruleset import Example
from defenseclaw.vocabulary import EventKind, HostContext, Severity

CASES = Path(__file__).parent / "cases"
RULES = packs.load("default")
HOME = "/home/dev"
HOST = HostContext(home=HOME, data_dir=f"{HOME}/.defenseclaw")
PROJECT = f"{HOME}/project"
SEEDS = range(3)


def table(name):
    return yaml.safe_load((CASES / f"{name}.yaml").read_text())


def cases(name):
    return [
        pytest.param(group, each, id=f"{group}:{each[:60]}")
        for group, members in table(name).items()
        for each in members
    ]


def raised(example):
    """Return the ids of the rules that weigh in at MEDIUM or above."""
    findings = run(detect(example.event(), RULES, HOST)).findings
    return {
        each.rule_id
        for each in findings
        if each.severity.rank >= Severity.MEDIUM.rank and not each.detection_only
    }


def shell(command, cwd=PROJECT):
    return Example(note=command, tool="Bash", args={"command": command}, cwd=cwd)


@pytest.mark.parametrize(("group", "command"), cases("routine"))
def test_routine_commands_raise_nothing(group, command):
    assert raised(shell(command)) == set()


@pytest.mark.parametrize("cwd", ["", "/testbed", "/workspace/app"])
@pytest.mark.parametrize("group", table("routine"))
def test_nor_do_they_elsewhere(group, cwd):
    assert [each for each in table("routine")[group] if raised(shell(each, cwd))] == []


@pytest.mark.parametrize(("rule", "command"), cases("hazards"))
def test_hazards_raise_their_rule(rule, command):
    assert rule in raised(shell(expand(command)))


@pytest.mark.parametrize(("group", "text"), cases("routine_texts"))
def test_routine_texts_raise_nothing(group, text):
    kind = EventKind.PROMPT if group == "prompts" else EventKind.TOOL_RESULT
    for seed in SEEDS:
        assert raised(Example(note=group, kind=kind, text=expand(text, seed=seed))) == set()


def test_the_tables_are_large():
    sizes = {name: sum(map(len, table(name).values())) for name in ("routine", "hazards", "routine_texts")}

    assert sizes["routine"] >= 500
    assert sizes["hazards"] >= 120
    assert sizes["routine_texts"] >= 170
