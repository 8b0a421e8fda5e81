"""Attempts on the guard itself, in many spellings, and the everyday work that must pass beside them."""

import os
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from defenseclaw import packs
from defenseclaw.detection.engine import detect, run
from defenseclaw.detection.ruleset import INTERNAL_FAULT, Example
from defenseclaw.vocabulary import HostContext, Severity

CASES = Path(__file__).parent / "cases"
ATTEMPTS = yaml.safe_load((CASES / "attempts.yaml").read_text())
EVERYDAY = yaml.safe_load((CASES / "everyday.yaml").read_text())
RULES = packs.load("default")
HOME = "/home/dev"
HOST = HostContext(
    home=HOME,
    data_dir=f"{HOME}/.defenseclaw",
    protected_paths=(f"{HOME}/.claude/settings.json", f"{HOME}/.claude/settings.local.json"),
    control_ports=(18970, 4000),
)


def findings(tool, args, cwd=f"{HOME}/project"):
    event = Example(note="", tool=tool, args=args, cwd=cwd).event()
    return {each.rule_id: each for each in run(detect(event, RULES, HOST)).findings}


@pytest.mark.parametrize(
    ("rule_id", "command"),
    [(rule_id, command) for rule_id, commands in ATTEMPTS["commands"].items() for command in commands],
)
def test_an_attempt_is_seen_through(rule_id, command):
    found = findings("Bash", {"command": command})
    assert rule_id in found
    assert found[rule_id].severity is Severity.CRITICAL
    assert INTERNAL_FAULT not in found


@pytest.mark.parametrize("case", ATTEMPTS["tools"], ids=lambda case: f"{case['rule']}:{case['tool']}")
def test_an_attempt_by_a_structured_tool_is_seen_through(case):
    assert case["rule"] in findings(case["tool"], case["args"], case.get("cwd", f"{HOME}/project"))


@pytest.mark.parametrize("command", EVERYDAY)
def test_everyday_work_passes(command):
    found = findings("Bash", {"command": command})
    assert [each for each in found.values() if each.severity.rank > Severity.LOW.rank] == []


@pytest.mark.parametrize("count", [600, 3000])
@pytest.mark.parametrize(
    "padding",
    [
        "echo {}",
        "ls f{}",
        "cat f{}.txt",
        "X={} run",
        "rm -f f{}",
        "python3 -c 'print({})'",
        "tool{} a",
        "echo {} | cat",
    ],
)
def test_many_different_commands_do_not_hide_the_next(padding, count):
    lines = [padding.format(number) for number in range(count)]
    assert "CMD-RM-RF" in findings("Bash", {"command": "\n".join([*lines, "rm -rf /"])})


@pytest.mark.parametrize(
    "padding",
    [
        "# " + "x" * (2 << 20),
        "echo '" + "x y " * (1 << 19) + "'",
        "true\n" * (1 << 15),
        "echo " + "x " * (1 << 20),
    ],
    ids=["comment", "quoted word", "repeated command", "words"],
)
def test_padding_of_two_megabytes_does_not_hide_the_next(padding):
    assert "CMD-RM-RF" in findings("Bash", {"command": f"{padding}\nrm -rf /"})


# Raise it for a longer hunt: 10000 examples take about 10 s of CPU.
EXAMPLES = int(os.environ.get("DETECTION_EXAMPLES", "200"))
WORDS = r"""
~ / $x " ' ` $( ( ) { } | && || ; & < > << <<< = + # * ? [ ]] (( )) 1 \ \; @ - -- rm -rf eval sudo xargs find
-exec {} if then fi while do done for in case esac function f() cat read ${x ${x:0:1} ${!x} ${m[a]} m[a]=b x=
x=1
a=( declare -A -n -c mapfile -t bash env -S python3 trap export alias awk sed source tmux new <( $' $((
{a,b} .env
~/.defenseclaw/.env PAGER= LD_PRELOAD=/x 'BEGIN{ open("a")
"""
TOKENS = [*WORDS.split(), "\n", "\0", "\ud800", "\ufffd", "\u00e9", "docker run -v /:/h a", "curl -K -"]


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(st.sampled_from(TOKENS), max_size=60), st.sampled_from(["", " "]))
def test_no_command_makes_judging_fail(tokens, joint):
    assert INTERNAL_FAULT not in findings("Bash", {"command": joint.join(tokens)})
