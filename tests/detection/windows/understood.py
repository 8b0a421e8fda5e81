"""Evaluation of a Windows command line in one line, for tables."""

from __future__ import annotations

from defenseclaw.detection.engine import run
from defenseclaw.detection.shell import Evaluation
from defenseclaw.detection.windows import evaluate

HOME = "/home/ada"
CWD = "/home/ada/project"


def evaluated(source: str, dialect: str = "powershell", home: str = HOME) -> Evaluation:
    """Return the evaluation; no file exists."""
    return run(evaluate(source, dialect, cwd=CWD, home=home))


def commands(source: str, dialect: str = "powershell") -> list[tuple[str, ...]]:
    """Return program and words of every command."""
    return [(each.program, *each.argv[1:]) for each in evaluated(source, dialect).commands]
