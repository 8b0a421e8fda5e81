"""Every command that a message, a help text, a rule or a page tells people to type exists, options too."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml

import defenseclaw
from defenseclaw.cli import cli
from defenseclaw.main import main

SOURCES = Path(defenseclaw.__file__).parent
REPOSITORY = Path(__file__).parents[2]
PROGRAMS: dict[str, click.Command] = {"defenseclaw": cli, "defenseclaw-gateway": main}
SAID = re.compile(r"(?<![\w./~-])(defenseclaw(?:-gateway)?)((?: (?:-{0,2}[a-z][\w-]*|<[a-z ]+>))+)")
READ_OF_A_RULE = ("title", "why", "fix", "description")
NO_COMMAND = {"command line", "configuration"}
"""Prose after the name."""


def python_texts(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            parts = (str(each.value) if isinstance(each, ast.Constant) else "<value>" for each in node.values)
            yield "".join(parts)


def texts(path: Path) -> Iterator[str]:
    if path.suffix == ".py":
        yield from python_texts(path)
    elif path.suffix == ".yaml":
        rule = yaml.safe_load(path.read_text("utf-8"))
        yield from (str(rule[key]) for key in READ_OF_A_RULE if key in rule)
    else:
        yield from path.read_text("utf-8").splitlines()


def told(path: Path) -> list[str]:
    """Return the commands a file tells people to type."""
    found = [match.group() for text in texts(path) for match in SAID.finditer(" ".join(text.split()))]
    return [each for each in found if each.partition(" ")[2] not in NO_COMMAND]


def problem(said: str) -> str:
    """Return what of a command does not exist; empty when all does."""
    name, *words = re.findall(r"<[a-z ]+>|\S+", re.sub("setup <(agent|value)>", "setup claude-code", said))
    context = click.Context(PROGRAMS[name], info_name=name)
    below_options = False
    for word in words:
        command = context.command
        if word.startswith("-"):
            known = {name for parameter in command.get_params(context) for name in parameter.opts}
            known |= {name for parameter in command.params for name in parameter.secondary_opts}
            if word not in known:
                return f"{command.name} has no option {word}"
            below_options = True
        elif isinstance(command, click.Group) and not below_options and not word.startswith("<"):
            below = command.get_command(context, word)
            if below is None:
                return f"{command.name} has no command {word}"
            context = click.Context(below, info_name=word, parent=context)
    return ""


FILES = [
    *(path for end in ("py", "tmpl", "yaml") for path in sorted(SOURCES.rglob(f"*.{end}"))),
    REPOSITORY / "README.md",
    # the rules' pages show what agents are kept from, made-up commands among it
    *(path for path in sorted((REPOSITORY / "docs").rglob("*.md")) if path.parent.name != "rules"),
]


def test_every_command_that_is_told_exists():
    wrong = {
        f"{path.relative_to(REPOSITORY)}: {said}": what
        for path in FILES
        for said in told(path)
        if (what := problem(said))
    }
    assert wrong == {}


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ("defenseclaw setup claude-code --mode action --yes", ""),
        ("defenseclaw setup <agent> --mode action", ""),
        ("defenseclaw alerts --connector claudecode", ""),
        ("defenseclaw setup nobody", "setup has no command nobody"),
        ("defenseclaw setup remove <agent>", ""),
        ("defenseclaw-gateway start", ""),
        ("defenseclaw start", "cli has no command start"),
        ("defenseclaw alerts --nothing", "alerts has no option --nothing"),
        ("defenseclaw explain rm", ""),
    ],
)
def test_the_check_itself(said: str, what: str):
    assert problem(said) == what


def test_it_sees_what_the_sources_say():
    told_somewhere = {said for path in FILES for said in told(path)}
    assert {"defenseclaw-gateway start", "defenseclaw doctor"} <= told_somewhere
    assert len(told_somewhere) > 20
