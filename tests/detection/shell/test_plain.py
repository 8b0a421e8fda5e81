"""The short way finds what the evaluator finds, or leaves the source to it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from defenseclaw.detection import shell
from defenseclaw.detection.engine import run
from defenseclaw.detection.programs import TABLE
from defenseclaw.detection.shell import Evaluation, evaluate
from defenseclaw.detection.shell.plain import MAX_PARTS, MAX_PLAIN, plain_commands
from defenseclaw.detection.shell.programs import BUILTINS, SILENT
from defenseclaw.detection.shell.wrappers import WRAPPERS

_PROGRAMS = sorted({*TABLE, *BUILTINS, *SILENT, *WRAPPERS, "acme", "Python3.12", "GIT", "x.exe", "if", "in"})
_WORDS = st.one_of(
    st.sampled_from(
        [
            "-la",
            "--x=1",
            "a",
            "../b",
            "/tmp/x",
            ".",
            "..",
            "-",
            "A=b",
            "2",
            "2>&1",
            "2>/dev/null",
            "''",
            "'2>&1'",
        ]
    ),
    st.sampled_from(
        ["'a b'", '"a b"', "'$x'", '"$x"', "a'b'", "~", "*.py", "{a,b}", "x>y", "&", "#", "\\a", "$(a)"]
    ),
    st.text(alphabet="ab/.-= '\"|;&>$\t", max_size=6),
)
_PLAIN_WORDS = st.sampled_from(["-la", "--x=1", "a", "../b", "/tmp/x", "-", "'a b'", '"a b"', "2>&1", "A=b"])
_COMMANDS = st.one_of(
    st.lists(_PLAIN_WORDS, max_size=4).flatmap(
        lambda words: st.sampled_from(sorted(TABLE)).map(lambda program: " ".join([program, *words]))
    ),
    st.lists(_WORDS, max_size=4).flatmap(
        lambda words: st.sampled_from(_PROGRAMS).map(lambda program: " ".join([program, *words]))
    ),
    st.sampled_from(["cd app", "cd ..", "cd", "cd -", "ls -la", "git status", "npm test"]),
)
_SOURCES = st.lists(
    st.tuples(_COMMANDS, st.sampled_from(["&&", " && ", ";", " ; ", "|", " | ", "||", "&", "\n"])), max_size=5
).map(lambda pairs: "".join(command + joint for command, joint in pairs).rstrip("|&;\n "))


def _evaluated(source: str) -> Evaluation:
    return run(evaluate(source, cwd="/home/dev/app", home="/home/dev", first_id=3))


@settings(max_examples=400)
@given(_SOURCES)
def test_it_finds_what_the_evaluator_finds(source: str) -> None:
    short = plain_commands(source, "/home/dev/app", 3)
    if short is None:
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shell, "plain_commands", lambda *_: None)
        whole = _evaluated(source)
    assert (short[0], short[1]) == (whole.commands, whole.cwds)
    assert (whole.parse, whole.issues, whole.stdin, whole.nested, whole.outputs) == (
        "complete",
        (),
        {},
        0,
        {},
    )


@pytest.mark.parametrize(
    "source",
    [
        "ls -la",
        "cd app && npm run build -- --define=a=b",
        "git status; git diff HEAD~1".replace("~1", ""),
        "cd packages/x && npm test 2>&1 | tail -20",
        "grep -rn 'def main' src | head -5",
        'rg "some words" src 2>/dev/null',
    ],
)
def test_common_sources_are_plain(source: str) -> None:
    assert plain_commands(source, "/home/dev/app", 1) is not None


@pytest.mark.parametrize(
    "source",
    [
        "",
        "sudo ls",
        "bash x.sh",
        "python3.12 -c 1",
        "./run.sh",
        "FOO=1 ls",
        "ls *.py",
        "ls ~",
        "ls > x",
        "echo hi | cat",
        "a || b",
        "a & b",
        "if x; then y; fi",
        "export A=b",
        "ls $HOME",
        "cd - && ls",
        "rm -f x | cat",
        "a && " * MAX_PARTS * 2 + "a",
        "a " * MAX_PLAIN,
    ],
)
def test_what_is_not_plain_is_left_to_the_evaluator(source: str) -> None:
    assert plain_commands(source, "/home/dev/app", 1) is None
