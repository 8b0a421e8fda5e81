"""Shell source → the commands it would run, evaluated but never executed.

A command is what a rule is about; a line of shell is what an agent writes. This package closes the gap:
quoting, variables, substitutions, wrappers and nested interpreters are seen through, and what cannot be
known is marked :data:`~defenseclaw.detection.facts.UNKNOWN`. Work is bounded by size, depth and count
(:mod:`~defenseclaw.detection.shell.bounds`); what exceeds a bound is reported as an issue.

Source: ``spec/guardrail.md`` §6.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence

from msgspec import Struct, field

from defenseclaw.detection.facts import Command, Need, Snapshot
from defenseclaw.detection.shell.bounds import MAX_ROUNDS
from defenseclaw.detection.shell.evaluator import Evaluator, KindOf
from defenseclaw.detection.shell.ledger import Full
from defenseclaw.detection.shell.plain import plain_commands
from defenseclaw.detection.shell.state import Shell, Site
from defenseclaw.detection.text import encodable

__all__ = ["Evaluation", "evaluate", "evaluate_argv"]


class Evaluation(Struct, frozen=True, kw_only=True):
    """All that was understood of one source."""

    commands: tuple[Command, ...]
    """In the order they are met; options, operands, operations and traits are left empty."""
    parse: str
    """``complete``, ``partial`` (something is unknown or was cut off), ``invalid`` (no shell, nothing
    salvaged) or ``not_applicable`` (no command in it)."""
    issues: tuple[str, ...]
    """Sorted, of: invalid_syntax dynamic_word depth_limit fact_limit input_limit
    recursive_function_pipeline."""
    stdin: Mapping[int, str]
    """Command id → text known to reach its standard input."""
    nested: int
    """Deepest nesting of interpreters and wrappers."""
    cwds: Mapping[int, str] = field(default_factory=dict)
    """Command id → its working directory, empty where unknown."""
    outputs: Mapping[int, str] = field(default_factory=dict)
    """Command id → text it is known to print."""
    loose: frozenset[int] = frozenset()
    """Ids of commands in substitutions that are no words of a command: assigned, compared, looped over."""


def evaluate(
    source: str,
    *,
    cwd: str,
    home: str,
    first_id: int = 1,
    dialect: str = "bash",
    kind_of: KindOf | None = None,
) -> Generator[Need, Snapshot, Evaluation]:
    """Evaluate shell source.

    Args:
        source: Any text; at most 16 Mi characters are read.
        cwd: Absolute working directory, empty if unknown.
        home: Absolute home directory, empty if unknown.
        first_id: Id of the first command; the others follow.
        dialect: ``bash``; other POSIX-like shells are read the same way.
        kind_of: Tells ordinary commands apart, so that of very many only some of each kind are reported.

    Yields:
        Need: A script the source runs; answer with a snapshot of it. Each path is asked once.

    Returns:
        The evaluation. Nothing is raised for any source.
    """

    text = encodable(source)
    plain = plain_commands(text, cwd, first_id)
    if plain is not None:
        commands, cwds = plain
        return Evaluation(commands=commands, parse="complete", issues=(), stdin={}, nested=0, cwds=cwds)

    def run(evaluator: Evaluator) -> None:
        shell = Shell(cwd, home)
        evaluator.source(text, shell, Site(), None)
        evaluator.start_files(shell)

    return (yield from _rounds(run, home, first_id, kind_of))


def evaluate_argv(
    argv: Sequence[str], *, cwd: str, home: str, first_id: int = 1
) -> Generator[Need, Snapshot, Evaluation]:
    """Evaluate words that are run without a shell; otherwise as :func:`evaluate`."""

    def run(evaluator: Evaluator) -> None:
        if argv:
            evaluator.run(list(argv), [], Shell(cwd, home), Site(), None)

    return (yield from _rounds(run, home, first_id))


def _rounds(
    run: Callable[[Evaluator], None], home: str, first_id: int, kind_of: KindOf | None = None
) -> Generator[Need, Snapshot, Evaluation]:
    """Evaluate; where that met files it had not seen, ask for them and evaluate again."""
    snapshots: dict[str, Snapshot] = {}
    for _ in range(MAX_ROUNDS):
        evaluator = Evaluator(home, first_id, snapshots, kind_of)
        try:
            run(evaluator)
        except Full:
            pass
        except RecursionError:
            # The caller's own stack was nearly used up; what was found so far still counts.
            evaluator.ledger.issues.add("depth_limit")
        if not evaluator.missing:
            return _finish(evaluator)
        for path, need in evaluator.missing.items():
            snapshots[path] = yield need
    evaluator.ledger.issues.add("depth_limit")
    return _finish(evaluator)


def _finish(evaluator: Evaluator) -> Evaluation:
    ledger = evaluator.ledger
    commands = ledger.commands()
    issues = ledger.issues
    if commands:
        parse = "partial" if issues - {"recursive_function_pipeline"} else "complete"
    else:
        parse = "invalid" if "invalid_syntax" in issues else "partial" if issues else "not_applicable"
    return Evaluation(
        commands=commands,
        parse=parse,
        issues=tuple(sorted(issues)),
        stdin=ledger.stdin,
        nested=ledger.nested,
        cwds=ledger.cwds(),
        outputs=ledger.outputs,
        loose=ledger.loose(),
    )
