"""Filters that show what settings are called, not what they hold: ``cut -d= -f1 .env``.

Who looks for the names in an environment file this way takes care not to see a value, so the file counts as
looked at, not as read. What might let a byte of a value through is not among them; of a file that holds
other things than ``NAME=value`` lines, a key say, they would show everything, so there they change nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from defenseclaw.detection.programs.base import Act
from defenseclaw.detection.programs.flows import Step

_NAMES_OF_GREP: Final = re.compile(r"\^\(?(?:\[\^=\]|\[[A-Za-z0-9_-]{1,32}\]|\\w)[*+]\)?=?")
_FIRST_OF_AWK: Final = re.compile(
    r"[ \t]{0,8}(?:!?/[^/\n]{0,64}/|NF)?[ \t]{0,8}\{ ?print \$1 ?(?:\"[^\"\n]{0,64}\" ?)?;? ?\}[ \t]{0,8}"
)
_VALUE_IN_SED: Final = re.compile(r"=\.\*\$?|\\?\(=\\?\)\.\*\$?")


def quiet(act: Act) -> bool:
    """Whether grep prints no line of the files it is given: a count, their names or an exit status."""
    return act.has("-q", "-c", "-l", "-L") and not act.has("-r")


def grep(act: Act) -> bool:
    """Whether grep prints nothing but what stands before the first ``=``."""
    patterns = act.all("-e") or act.operands[:1]
    return (
        act.has("-o")
        and not act.has("-f", "-P", "-i", "-v")
        and bool(patterns)
        and all(_NAMES_OF_GREP.fullmatch(each) for each in patterns)
    )


def cut(act: Act) -> bool:
    """Whether cut prints what stands before the first ``=``; a line without one is no setting."""
    return act.value("-d") == "=" and act.value("-f") == "1" and not act.has("--complement")


def awk(act: Act) -> bool:
    """Whether awk prints what stands before the first ``=``."""
    return act.value("-F") == "=" and _FIRST_OF_AWK.fullmatch(act.operand(0)) is not None


def sed(scripts: list[str]) -> bool:
    """Whether sed puts a fixed text in the place of everything after ``=``."""
    if len(scripts) != 1 or len(scripts[0]) > 256 or scripts[0][:1] != "s":
        return False
    parts = scripts[0][2:].split(scripts[0][1:2]) if len(scripts[0]) > 4 else []
    return (
        len(parts) == 3
        and parts[2] in ("", "g")
        and _VALUE_IN_SED.fullmatch(parts[0]) is not None
        and not {"&", "\\"}.intersection(parts[1].removeprefix("\\1"))
    )


def reading_names(steps: Iterable[Step]) -> frozenset[int]:
    """Return the ids of commands whose output is names alone: such filters, and the readers before them."""
    found: set[int] = set()
    pipelines: dict[int, list[Step]] = {}
    for step in steps:
        if step.command.pipeline:
            pipelines.setdefault(step.command.pipeline, []).append(step)
        elif "names_only" in step.act.traits:
            found.add(step.command.id)
    for pipeline in pipelines.values():
        filters = [step.command.position for step in pipeline if "names_only" in step.act.traits]
        if not filters:
            continue
        shown = [step for step in pipeline if step.command.position <= min(filters)]
        if all(_only_reads(step) for step in shown):
            found.update(step.command.id for step in shown)
    return frozenset(found)


def _only_reads(step: Step) -> bool:
    """Whether nothing of what a command reads goes anywhere but down the pipe."""
    return (
        step.act.operations <= {"read", "search", "write"}
        and all(
            path.access in ("read", "search", "metadata") or "null_device" in path.classes
            for path, _ in step.paths
        )
        and all(redirect.access == "write" and redirect.fd == 2 for redirect in step.command.redirects)
    )
