"""Findings of the rules that judge code: what a check found, as the rule that names the check sees it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from defenseclaw.detection.code import Place, examine
from defenseclaw.detection.code.languages import Language
from defenseclaw.detection.ruleset import Rule, RuleSet
from defenseclaw.vocabulary import EventKind, Finding

_DOUBT: Final = 0.6
"""What is left of a rule's confidence where the code may be meant well."""


class Located(NamedTuple):
    """A finding and where it is."""

    finding: Finding
    line: int
    """From 1; 0 where only the whole text is known."""


def findings(path: str, text: str, rules: RuleSet, language: Language | None = None) -> list[Located]:
    """Return what the rules of a pack find in a program text, each place of it.

    Args:
        path: Name of its file.
        text: The program or a part of it.
        rules: The pack; only its rules with a ``check`` count.
        language: Where the caller knows it.

    Raises:
        PatternOverload: The text could not be searched.
    """
    if not rules.checks:
        return []
    places = examine(path, text, language, rules.checks)
    return [
        Located(_finding(rule, place), place.line) for place in places for rule in rules.checks[place.check]
    ]


def strongest(written: Iterable[tuple[str, str]], rules: RuleSet) -> list[Finding]:
    """Return one finding per rule over all that a call writes: a certain one if there is any.

    Args:
        written: Path and text of each file.
        rules: The pack.
    """
    found: dict[str, Finding] = {}
    for path, text in written:
        for finding, _ in findings(path, text, rules):
            known = found.get(finding.rule_id)
            if known is None or (known.detection_only and not finding.detection_only):
                found[finding.rule_id] = finding
    return [each for each in found.values() if EventKind.TOOL_CALL in rules.rules[each.rule_id].kinds]


def _finding(rule: Rule, place: Place) -> Finding:
    certain = place.issue.certain
    return rule.finding(
        f"line {place.line}: {place.issue.because}",
        evidence=" ".join(place.excerpt.split()),
        confidence=rule.confidence if certain else round(rule.confidence * _DOUBT, 2),
        detection_only=rule.detection_only or not certain,
    )
