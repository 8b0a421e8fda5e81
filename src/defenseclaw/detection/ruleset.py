"""What a loaded rule pack is: rules, and everything compiled from them.

Source: ``style.md`` §3 (one file per rule), ``spec/guardrail.md`` §3 and §5.3.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from defenseclaw.detection.chains import ChainSet, Ordered, Step
from defenseclaw.detection.conditions import ConditionSet
from defenseclaw.detection.injection import InstructionRules
from defenseclaw.detection.patterns import PatternSet
from defenseclaw.errors import PackError
from defenseclaw.vocabulary import (
    INPUT_BOUND,
    INTERNAL_FAULT,
    JSON,
    TEXT_KINDS,
    Door,
    Event,
    EventKind,
    Evidence,
    Finding,
    Severity,
)

MAX_RULES: Final = 4096

EXAMPLE_HOME: Final = "/home/dev"
EXAMPLE_CWD: Final = "/home/dev/project"


EVIDENCE_CHARACTERS: Final = 80
"""Characters of what matched that a finding carries."""


class Subject(StrEnum):
    """What the patterns of a rule are searched in."""

    TEXT = "text"
    """The strings of a call's arguments, or the text of a prompt, completion, result or file."""
    COMMAND = "command"
    """The canonical text of each command that really runs."""
    CODE = "code"
    """Program text given to an interpreter, and scripts that the call writes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One line of a rule's ``flags`` or ``allows``."""

    note: str
    """The example as a test id."""
    kind: EventKind = EventKind.TOOL_CALL
    tool: str = ""
    args: JSON = None
    text: str = ""
    cwd: str = EXAMPLE_CWD
    home: str = EXAMPLE_HOME
    files: Mapping[str, str] = field(default_factory=dict)
    """Contents of files that detection may ask for, by absolute path."""
    before: tuple[Example, ...] = ()
    """What happened in the session before it, of a chain's example."""

    def event(self) -> Event:
        """Return the event the example stands for."""
        result = self.text if self.kind is EventKind.TOOL_RESULT else None
        text = "" if self.kind is EventKind.TOOL_RESULT else self.text
        return Event(
            kind=self.kind,
            door=Door.CLI,
            tool=self.tool,
            args=self.args,
            text=text,
            result=result,
            cwd=self.cwd,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule: what decides it, what it is called, and why it exists.

    A rule holds when its condition holds, one of its patterns is accepted, one of its signals is found, or
    its steps were taken.
    """

    id: str
    title: str
    category: str
    severity: Severity
    confidence: float
    """0 to 1."""
    tags: tuple[str, ...]
    kinds: frozenset[EventKind]
    """The kinds of event it is eligible for."""
    condition: str = ""
    patterns: tuple[str, ...] = ()
    on: Subject = Subject.TEXT
    validate: str = ""
    """Name of the second-stage validator every match must pass; empty for none."""
    signals: tuple[str, ...] = ()
    """It holds for a passage that gives the agent instructions and shows one of these reasons."""
    wording: str = ""
    """RE2 that the phrase of that reason must match; empty for any wording."""
    ordered: Ordered | None = None
    """It holds when a session has taken these steps; see :mod:`defenseclaw.detection.chains`."""
    check: str = ""
    """It holds where this check finds insecure code; see :mod:`defenseclaw.detection.code`."""
    masks: bool = False
    detection_only: bool = False
    aliases: tuple[str, ...] = ()
    """Other ids that mean this rule."""
    flags: tuple[Example, ...] = ()
    allows: tuple[Example, ...] = ()
    why: str = ""
    fix: str = ""

    def finding(
        self,
        because: str,
        *,
        evidence: str = "",
        severity: Severity | None = None,
        confidence: float | None = None,
        masks: bool | None = None,
        detection_only: bool | None = None,
    ) -> Finding:
        """Return the finding that this rule holds; what is not given is as the rule has it.

        Args:
            because: What caused it, in our own words.
            evidence: What matched; its beginning is kept, on one line.
        """
        return Finding(
            rule_id=self.id,
            title=self.title,
            category=self.category,
            severity=self.severity if severity is None else severity,
            confidence=self.confidence if confidence is None else confidence,
            tags=self.tags,
            evidence=Evidence(" ".join(evidence[: 4 * EVIDENCE_CHARACTERS].split())[:EVIDENCE_CHARACTERS]),
            because=because,
            masks=self.masks if masks is None else masks,
            detection_only=self.detection_only if detection_only is None else detection_only,
        )

    def canonical(self) -> dict[str, object]:
        """Return what decides about events, without documentation, as JSON values."""
        chain = {"ordered": self.ordered.canonical()} if self.ordered else {}
        check = {"check": self.check} if self.check else {}
        return chain | check | {
            "id": self.id, "title": self.title, "category": self.category, "severity": self.severity.value,
            "confidence": self.confidence, "tags": list(self.tags), "kinds": sorted(self.kinds),
            "condition": self.condition, "patterns": list(self.patterns), "on": self.on.value,
            "validate": self.validate, "masks": self.masks, "detection_only": self.detection_only,
            "aliases": list(self.aliases), "signals": list(self.signals), "wording": self.wording,
        }  # fmt: skip


_TOOL_CALL: Final = frozenset({EventKind.TOOL_CALL})
_EVERYTHING: Final = TEXT_KINDS | {EventKind.TOOL_CALL, EventKind.ASSET}
CATEGORY_KINDS: Final[Mapping[str, frozenset[EventKind]]] = {
    "command": _TOOL_CALL,
    "sensitive-path": _TOOL_CALL,
    "self-protection": _TOOL_CALL,
    "c2": _TOOL_CALL,
    "cognitive-file": _TOOL_CALL,
    "destructive": _TOOL_CALL,
    "technique": _TOOL_CALL,
    "chain": _TOOL_CALL,
    "code": _TOOL_CALL,
    "correlation": _TOOL_CALL,
    "trust-exploit": TEXT_KINDS | {EventKind.ASSET},
    "secret": _EVERYTHING,
    "enterprise-data": _EVERYTHING,
}
"""Kinds a category is eligible for unless a rule says otherwise; other categories: every kind."""


def kinds_of(category: str) -> frozenset[EventKind]:
    """Return the kinds of event that rules of ``category`` are eligible for by default."""
    return CATEGORY_KINDS.get(category, _EVERYTHING)


BUILT_IN: Final[Mapping[str, Rule]] = {
    INPUT_BOUND: Rule(
        id=INPUT_BOUND,
        title="Input exceeds a bound of inspection",
        category="inspection",
        severity=Severity.HIGH,
        confidence=1.0,
        tags=("inspection", "bound"),
        kinds=_EVERYTHING,
        why=(
            "Padding and nesting carry content past an inspection. What was within the bounds has been"
            " inspected; what lies behind them has not. HIGH for a tool call, MEDIUM for text."
        ),
        fix="Split the call or the text into smaller ones.",
    ),
    INTERNAL_FAULT: Rule(
        id=INTERNAL_FAULT,
        title="Part of the inspection failed",
        category="inspection",
        severity=Severity.HIGH,
        confidence=1.0,
        tags=("inspection", "fault"),
        kinds=_EVERYTHING,
        why=(
            "An evaluator stopped unexpectedly, so the absence of other findings proves nothing. The fail"
            " mode decides what happens: closed blocks, open alerts."
        ),
        fix="Run `defenseclaw doctor` and report the event's evaluation id.",
    ),
}
"""Findings that no pack defines and none can switch off. The severity is that of a tool call."""


class RuleSet:
    """A compiled pack. Immutable; may be shared between threads."""

    def __init__(self, rules: Iterable[Rule], steps: Iterable[Step] = ()) -> None:
        """Compile rules, and the steps that chains among them name.

        Raises:
            PackError: Two rules share an id or alias, or a condition or pattern does not compile; the
                message starts with the rule's id.
        """
        self.rules: Mapping[str, Rule] = _by_id(rules)
        self.aliases: Mapping[str, str] = _aliases(self.rules)
        self.chains = ChainSet(steps, self.rules.values())
        self.digest = _digest(self.rules.values(), self.chains)
        """SHA-256 over the canonical rules, 64 hex digits."""
        self.conditions = ConditionSet([(r.id, r.condition) for r in self.rules.values() if r.condition])
        self.patterns: Mapping[Subject, PatternSet] = {
            subject: PatternSet(
                [(r.id, each) for r in self.rules.values() if r.on is subject for each in r.patterns]
            )
            for subject in Subject
        }
        self.checks: Mapping[str, tuple[Rule, ...]] = _by_check(self.rules.values())
        self.instructions = InstructionRules([r for r in self.rules.values() if r.signals])

    def __len__(self) -> int:
        return len(self.rules)

    def find(self, rule_id: str) -> Rule | None:
        """Return the rule of an id or alias, built-in findings included; None if there is none."""
        canonical = self.aliases.get(rule_id, rule_id)
        return self.rules.get(canonical) or BUILT_IN.get(canonical)


def _by_id(rules: Iterable[Rule]) -> dict[str, Rule]:
    known: dict[str, Rule] = {}
    for rule in rules:
        if rule.id in known or rule.id in BUILT_IN:
            raise PackError(f"{rule.id}: this id is taken")
        known[rule.id] = rule
    if len(known) > MAX_RULES:
        raise PackError(f"more than {MAX_RULES} rules")
    return known


def _by_check(rules: Iterable[Rule]) -> dict[str, tuple[Rule, ...]]:
    checks: dict[str, tuple[Rule, ...]] = {}
    for rule in rules:
        if rule.check:
            checks[rule.check] = (*checks.get(rule.check, ()), rule)
    return checks


def _aliases(rules: Mapping[str, Rule]) -> dict[str, str]:
    aliases: dict[str, str] = {}
    for rule in rules.values():
        for alias in rule.aliases:
            if alias in rules or alias in aliases or alias in BUILT_IN:
                raise PackError(f"{rule.id}: alias {alias!r} is taken")
            aliases[alias] = rule.id
    return aliases


def _digest(rules: Iterable[Rule], chains: ChainSet) -> str:
    canonical = sorted((rule.canonical() for rule in rules), key=lambda each: str(each["id"]))
    canonical += chains.canonical()
    text = json.dumps(canonical, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
