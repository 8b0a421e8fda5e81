"""Takes the weight off findings that the operator suppressed, between detection and the verdict.

What a session makes of an event is decided before: a suppressed finding still counts as a step of a chain.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial

from msgspec.structs import replace as with_changes

from defenseclaw.detection.engine import Detection, run
from defenseclaw.detection.facts import Need, PathFact, Snapshot
from defenseclaw.detection.understanding import understand
from defenseclaw.policy.suppression import Suppressions
from defenseclaw.vocabulary import Event, EventKind, HostContext

Answer = Callable[[Need], Snapshot]

_WILDCARD = re.compile(r"[*?\[{]")


def without_suppressed(
    event: Event, found: Detection, host: HostContext, suppressions: Suppressions, now: str, answer: Answer
) -> tuple[Detection, tuple[str, ...]]:
    """Return what was detected with the weight off what is suppressed, and a sentence for each.

    Args:
        event: What was inspected.
        found: What was detected in it.
        host: What is known of the machine.
        suppressions: The operator's.
        now: UTC, RFC 3339, microseconds, ``Z``.
        answer: Looks a file up.
    """
    touched = partial(_touched, event, found, host, answer)
    findings, trail = suppressions.apply(event, found.findings, now, touched)
    if not trail:
        return found, ()
    masking = {each.rule_id for each in findings if each.masks}
    return (
        with_changes(
            found,
            findings=findings,
            spans=tuple(span for span in found.spans if span.rule_id in masking),
            withhold=found.withhold
            and any(each.masks and each.category == "trust-exploit" for each in findings),
        ),
        trail,
    )


def _touched(event: Event, found: Detection, host: HostContext, answer: Answer) -> Sequence[str] | None:
    """Return the real paths of all that a call touches, or that a result was read from.

    None when that is not certain: part of the command is unknown, it runs elsewhere than on this machine, or
    a result came from more than a file that was read.
    """
    facts = found.facts
    if event.kind is EventKind.TOOL_RESULT and event.args is not None:
        call = with_changes(event, kind=EventKind.TOOL_CALL, result=None)
        facts = run(understand(call, host), answer)
        if facts.tool_class != "read":
            return None
    if facts is None or facts.parse not in ("complete", "not_applicable") or facts.issues:
        return None
    if any(command.where != "host" or not command.complete for command in facts.commands):
        return None
    if not all(map(_is_certain, facts.paths)):
        return None
    paths = {path.normalized for path in facts.paths}
    return tuple(answer(Need(path=path, max_bytes=0)).real_path for path in sorted(paths))


def _is_certain(path: PathFact) -> bool:
    """Whether this is one place: what follows a wildcard may lead through a link."""
    wildcard = _WILDCARD.search(path.normalized) if path.pattern else None
    leads_on = wildcard is not None and "/" in path.normalized[wildcard.start() :]
    return path.resolved and path.normalized.startswith("/") and not leads_on
