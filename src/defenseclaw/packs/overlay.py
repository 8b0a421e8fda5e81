"""Overlays: ``profiles/<name>.yaml`` switches rules on and off and changes severity and confidence.

Overlays lie on top of each other, key by key: the one that comes with a profile, then a pack's own for all
profiles, then a pack's own for that profile. Source: ``style.md`` §3; ``spec/guardrail.md`` §5.2.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import yaml

from defenseclaw.detection.ruleset import Rule
from defenseclaw.packs.document import Document
from defenseclaw.packs.rulefile import SEVERITIES
from defenseclaw.vocabulary import Severity

PROTECTED: Final = "SELF-PROTECT-"
"""Prefix of the packaged rules that no pack weakens. Source: ``DECISIONS.md`` "The agent is not trusted"."""

_KEYS: Final = frozenset(("enabled", "severity", "confidence"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What an overlay says about one rule; None leaves it as it is."""

    rule_id: str
    place: str
    """``file:line``."""
    enabled: bool | None = None
    severity: Severity | None = None
    confidence: float | None = None


def read_overlay(file: Document, known: Mapping[str, Rule], protected: Iterable[str] = ()) -> list[Change]:
    """Return the changes of one file.

    Args:
        file: ``rules: {RULE-ID: {enabled, severity, confidence}}``.
        known: The rules it may name.
        protected: Ids it may not name.

    Raises:
        PackError: It names no rule, one that is protected, or says something else about it.
    """
    nodes = file.mapping(file.root, frozenset(("rules",)))
    changes = file.mapping(nodes["rules"]) if "rules" in nodes else {}
    return [_change(file, rule_id, node, known, frozenset(protected)) for rule_id, node in changes.items()]


def _change(
    file: Document, rule_id: str, node: yaml.Node, known: Mapping[str, Rule], protected: frozenset[str]
) -> Change:
    if rule_id not in known:
        raise file.error(node, f"no rule is named {rule_id[:128]!r}")
    if rule_id in protected:
        raise file.error(node, f"{rule_id} protects DefenseClaw itself and cannot be changed by a pack")
    nodes = file.mapping(node, _KEYS)
    return Change(
        rule_id=rule_id,
        place=file.place(node),
        enabled=file.boolean(nodes["enabled"]) if "enabled" in nodes else None,
        severity=file.one_of(nodes["severity"], SEVERITIES) if "severity" in nodes else None,
        confidence=file.fraction(nodes["confidence"]) if "confidence" in nodes else None,
    )


def overlaid(rules: Mapping[str, Rule], changes: Iterable[Change]) -> tuple[dict[str, Rule], frozenset[str]]:
    """Return all rules as ``changes`` leave them, the last word counting, and the ids that are off."""
    changed, off = dict(rules), set[str]()
    for change in changes:
        rule = changed[change.rule_id]
        changed[change.rule_id] = replace(
            rule,
            severity=rule.severity if change.severity is None else change.severity,
            confidence=rule.confidence if change.confidence is None else change.confidence,
        )
        if change.enabled is not None:
            (off.discard if change.enabled else off.add)(change.rule_id)
    return changed, frozenset(off)
