"""Evaluation of a Windows command line in one line, for tables."""

from __future__ import annotations

from defenseclaw.detection.facts import Snapshot
from defenseclaw.detection.shell import Evaluation
from defenseclaw.detection.windows import evaluate

HOME = "/home/ada"
CWD = "/home/ada/project"


def evaluated(source: str, dialect: str = "powershell", home: str = HOME) -> Evaluation:
    """Return the evaluation; no file exists."""
    questions = evaluate(source, dialect, cwd=CWD, home=home)
    try:
        need = next(questions)
        while True:
            need = questions.send(Snapshot(real_path=need.path))
    except StopIteration as stop:
        found: Evaluation = stop.value
        return found


def commands(source: str, dialect: str = "powershell") -> list[tuple[str, ...]]:
    """Return program and words of every command."""
    return [(each.program, *each.argv[1:]) for each in evaluated(source, dialect).commands]
