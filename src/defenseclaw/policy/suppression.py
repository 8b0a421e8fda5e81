"""Suppressions: findings that the operator does not want to count, for a reason and for a time.

A suppressed finding is not gone: it stays among the findings without weight in the action, and the trail
says who took it away, why and until when. What protects DefenseClaw itself cannot be suppressed, nor can the
report that an inspection was incomplete.

Source: ``spec/guardrail.md`` §5.4 as widened by issue "Detection worth trusting"; ``DECISIONS.md``
"The agent is not trusted".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace as with_changes

from defenseclaw.policy.decision import SELF_PROTECTION
from defenseclaw.vocabulary import INPUT_BOUND, INTERNAL_FAULT, Event, Finding

Touched = Callable[[], Sequence[str] | None]
"""Returns the real paths of everything an event touches; None when that is not known for certain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """One entry of an operator's list."""

    id: str
    rules: tuple[str, ...]
    """Canonical ids."""
    reason: str
    """One line; shown in trails."""
    until: str
    """As the operator wrote it."""
    ends_at: str
    """The first moment it holds no more: UTC, RFC 3339, microseconds, ``Z``."""
    connector: str = ""
    """Only for this connector; empty for all."""
    tool: str = ""
    """Only for this tool, or for tools that begin so when it ends in ``*``."""
    path: str = ""
    """Only when everything that the call touches is this path or lies in it; real, absolute."""
    place: str = ""
    """``file:line``."""

    def holds_at(self, now: str) -> bool:
        """Whether it still holds at ``now``, a moment written as :attr:`ends_at`."""
        return now < self.ends_at

    def covers(self, event: Event, touched: Touched) -> bool:
        """Whether it is about ``event``; what that touches is asked for only when everything else fits."""
        if self.connector and _folded(self.connector) != _folded(event.connector):
            return False
        if self.tool and not _named(self.tool, event.tool):
            return False
        return not self.path or self._covers_paths(touched())

    def _covers_paths(self, paths: Sequence[str] | None) -> bool:
        below = self.path.rstrip("/") + "/"
        return bool(paths) and all(path == self.path or path.startswith(below) for path in paths or ())


class Suppressions:
    """The entries of a pack by rule. Immutable; may be shared between threads."""

    def __init__(self, entries: Iterable[Suppression] = ()) -> None:
        self.entries = tuple(entries)
        by_rule: dict[str, list[Suppression]] = {}
        for entry in self.entries:
            for rule_id in entry.rules:
                by_rule.setdefault(rule_id, []).append(entry)
        self._by_rule: Mapping[str, Sequence[Suppression]] = by_rule

    def __len__(self) -> int:
        return len(self.entries)

    def expired(self, now: str) -> tuple[Suppression, ...]:
        """Return the entries that hold no more."""
        return tuple(entry for entry in self.entries if not entry.holds_at(now))

    def of(self, rule_id: str) -> Sequence[Suppression]:
        """Return the entries that name a rule."""
        return self._by_rule.get(rule_id, ())

    def apply(
        self, event: Event, findings: Sequence[Finding], now: str, touched: Touched
    ) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
        """Take the weight off findings.

        Args:
            event: What was inspected.
            findings: What was found in it.
            now: The present moment: UTC, RFC 3339, microseconds, ``Z``.
            touched: What the event touches.

        Returns:
            All findings, the suppressed ones without weight and without masking; a sentence for each of them.
        """
        kept: list[Finding] = []
        trail: list[str] = []
        for finding in findings:
            entry = self._covering(event, finding, now, touched)
            if entry is None:
                kept.append(finding)
                continue
            trail.append(f"{finding.rule_id}: suppressed by {entry.id} until {entry.until}: {entry.reason}")
            because = f"{finding.because}; suppressed by {entry.id}".removeprefix("; ")
            kept.append(with_changes(finding, detection_only=True, masks=False, because=because))
        return tuple(kept), tuple(trail)

    def _covering(self, event: Event, finding: Finding, now: str, touched: Touched) -> Suppression | None:
        if not is_suppressible(finding.rule_id):
            return None
        entries = (entry for entry in self.of(finding.rule_id) if entry.holds_at(now))
        return next((entry for entry in entries if entry.covers(event, touched)), None)


NONE = Suppressions()
"""For packs without any."""


def is_suppressible(rule_id: str) -> bool:
    """Whether an operator may take the weight off this rule's findings."""
    return not rule_id.startswith(SELF_PROTECTION) and rule_id not in (INPUT_BOUND, INTERNAL_FAULT)


def _folded(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")


def _named(wanted: str, tool: str) -> bool:
    return tool.startswith(wanted[:-1]) if wanted.endswith("*") else tool == wanted
