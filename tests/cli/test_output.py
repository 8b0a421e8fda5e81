from __future__ import annotations

import io
import json

import pytest

from defenseclaw.cli import output
from defenseclaw.errors import DefenseClawError


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text ✓ ä", "plain text ✓ ä"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("\u202etxt.exe", "\\u202etxt.exe"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("\x9b31m", "\\x9b31m"),
        ("lone \udc80", "lone \\udc80"),
    ],
)
def test_nothing_invisible_reaches_the_terminal(text: str, shown: str):
    assert output.printable(text) == shown


def test_tables_neither_interpret_markup_nor_escapes(capsys: pytest.CaptureFixture[str]):
    output.print_table(("Name", "Value"), [("[red]x[/red]", "\x1b]0;title\x07"), (1, None)])
    shown = capsys.readouterr().out
    assert "[red]x[/red]" in shown
    assert "\\x1b]0;title\\x07" in shown
    assert "\x1b" not in shown


def test_a_piped_row_stays_on_one_line(capsys: pytest.CaptureFixture[str]):
    output.print_table(("Path", "Why"), [("/a" * 30, "b" * 60)])
    assert any("/a" * 30 in line and "b" * 60 in line for line in capsys.readouterr().out.splitlines())


def test_json_is_the_only_thing_on_stdout(capsys: pytest.CaptureFixture[str]):
    output.print_json({"a": ["ä", 1]})
    assert json.loads(capsys.readouterr().out) == {"a": ["ä", 1]}


def test_errors_go_to_stderr_made_printable(capsys: pytest.CaptureFixture[str]):
    output.print_error("bad \x1b", "do \x07")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "error: bad \\x1b\n  hint: do \\x07\n"


@pytest.mark.parametrize("answer", ["y\n", "Y\n", "yes\n", " yes \n"])
def test_yes_goes_on(monkeypatch: pytest.MonkeyPatch, answer: str):
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    output.confirm("Go?", yes=False)


@pytest.mark.parametrize(
    ("answer", "hint"), [("n\n", ""), ("\n", ""), ("yep\n", ""), ("", "add --yes to go ahead unasked")]
)
def test_anything_else_changes_nothing(monkeypatch: pytest.MonkeyPatch, answer: str, hint: str):
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    with pytest.raises(DefenseClawError, match="nothing was changed") as refusal:
        output.confirm("Go?", yes=False)
    assert refusal.value.hint == hint


def test_yes_given_asks_nobody(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    output.confirm("Go?", yes=True)
    assert capsys.readouterr().err == ""
