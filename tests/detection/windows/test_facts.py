"""From a call of a Windows tool to facts and findings: the tables of ``cases/windows.yaml``."""

import base64
from pathlib import Path

import pytest
import yaml
from tests.detection.programs.understood import facts_of

from defenseclaw import packs
from defenseclaw.detection.engine import detect, run
from defenseclaw.detection.ruleset import EXAMPLE_CWD, EXAMPLE_HOME
from defenseclaw.vocabulary import Door, Event, EventKind, HostContext, Severity

CASES = yaml.safe_load((Path(__file__).parents[1] / "cases" / "windows.yaml").read_text(encoding="utf-8"))
ROUTINE = [(tool, command) for tool, lines in CASES["routine"].items() for command in lines]
HAZARDS = [
    (rule, tool, command)
    for rule, tools in CASES["hazards"].items()
    for tool, lines in tools.items()
    for command in lines
]
HOST = HostContext(home=EXAMPLE_HOME, data_dir=f"{EXAMPLE_HOME}/.defenseclaw", control_ports=(18970,))
RULES = packs.load("default")


def found(tool, command, cwd=EXAMPLE_CWD):
    event = Event(kind=EventKind.TOOL_CALL, door=Door.HOOK, tool=tool, args={"command": command}, cwd=cwd)
    return {each.rule_id: each for each in run(detect(event, RULES, HOST)).findings}


@pytest.mark.parametrize(("tool", "command"), ROUTINE)
def test_ordinary_work_stays_silent(tool, command):
    raised = [
        each.rule_id for each in found(tool, command).values() if each.severity.rank > Severity.LOW.rank
    ]
    assert raised == []


@pytest.mark.parametrize(("rule", "tool", "command"), HAZARDS)
def test_hazards_raise_their_rule(rule, tool, command):
    assert rule in found(tool, command)


@pytest.mark.parametrize(
    "spelled", ["powershell", "PowerShell", "pwsh", "mcp__host__powershell", "functions.pwsh"]
)
def test_every_spelling_of_the_tool(spelled):
    assert "CMD-RM-RF" in found(spelled, "ri -r -fo C:\\")


def test_the_same_text_in_a_posix_shell_keeps_its_meaning():
    assert facts_of("rm -rf x\\ y").commands[0].argv == ("rm", "-rf", "x y")
    assert facts_of("grep 'C:\\\\x' a").commands[0].argv == ("grep", "C:\\\\x", "a")


@pytest.mark.parametrize(
    "command",
    [
        "echo %PATH%; r''m -rf ~",
        "type C:\\x; $(echo rm) -rf ~",
        'Get-Date; r\\m -rf "$HOME"',
        "del /q x; eval 'rm -rf ~'",
    ],
)
def test_looking_like_windows_hides_nothing_from_a_posix_reading(command):
    assert "CMD-RM-RF" in found("run_command", command)


@pytest.mark.parametrize(
    "command", ["npm test; Remove-Item -Recurse -Force C:\\Windows", "rd /s /q C:\\Windows"]
)
def test_a_general_tool_may_run_a_windows_shell(command):
    assert "CMD-RM-RF" in found("run_command", command)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_nested_interpreters_are_unwrapped(depth):
    command = "Remove-Item -Recurse -Force C:\\"
    for _ in range(depth):
        encoded = base64.b64encode(command.encode("utf-16-le")).decode()
        command = f"powershell -NoP -W Hidden -EncodedCommand {encoded}"
    facts = facts_of(command, tool="cmd")
    assert "root" in set().union(*(path.classes for path in facts.paths))
    assert facts.commands[-1].wrappers == ("powershell",) * depth


@pytest.mark.parametrize("option", ["-EncodedCommand", "-enc", "-e", "-eC", "/enc", "\u2013EncodedCommand"])
def test_abbreviations_of_an_encoded_command(option):
    facts = facts_of(f"powershell {option} cgBpACAAeAA=", tool="cmd")
    assert facts.commands[-1].program == "remove-item"


def test_text_on_standard_input_is_run():
    assert "CMD-RM-RF" in found("Bash", "echo 'Remove-Item -Recurse -Force C:/' | pwsh -Command -")


def test_an_operators_variable_is_not_changed_unseen():
    assert "SELF-PROTECT-ENV" in found("powershell", "Set-Item env:DEFENSECLAW_FAIL_MODE open; claude")
    assert "SELF-PROTECT-ENV" not in found("powershell", "$env:NODE_ENV = 'test'; claude")
