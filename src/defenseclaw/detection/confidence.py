"""How sure a finding is depends on the tool: a shell that is told to delete deletes, a reader only reads.

The first family that a finding belongs to decides; credential, capture-host and trust findings are taken as
they are. Tools that are neither shells nor file tools leave the number of the rule.

==============================================  ==================  =======================================
Finding has one of the tags                     Tool                Effect
==============================================  ==================  =======================================
execution, reverse-shell, destructive           a shell             times 1.05
file-sensitive, system-file                     a file tool         times 1.05
cognitive-tampering                             writes a file       times 1.10
cognitive-tampering                             reads a file        times 0.65, and one severity less
==============================================  ==================  =======================================

Source: ``spec/guardrail.md`` §1.6, §15 "Inspect example".
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from defenseclaw.vocabulary import Finding, Severity

_EXECUTION: Final = frozenset({"execution", "reverse-shell", "destructive"})
_FILES: Final = frozenset({"file-sensitive", "system-file"})
_COGNITIVE: Final = frozenset({"cognitive-tampering"})
_WRITES: Final = frozenset({"write", "edit", "append", "delete", "move", "patch"})
_FILE_TOOLS: Final = _WRITES | {"read", "copy"}
_MILDER: Final = {Severity.CRITICAL: Severity.HIGH, Severity.HIGH: Severity.MEDIUM}


def adjusted(finding: Finding, tool_class: str) -> Finding:
    """Return the finding as sure, and as severe, as the tool makes it.

    Args:
        finding: Of a tool call.
        tool_class: :attr:`~defenseclaw.detection.facts.Facts.tool_class` of the call.
    """
    tags = frozenset(finding.tags)
    if tags & _EXECUTION:
        return _scaled(finding, 1.05 if tool_class == "shell" else 1.0)
    if tags & _FILES:
        return _scaled(finding, 1.05 if tool_class in _FILE_TOOLS else 1.0)
    if tags & _COGNITIVE and tool_class in _WRITES:
        return _scaled(finding, 1.10)
    if tags & _COGNITIVE and tool_class == "read":
        milder = _MILDER.get(finding.severity, finding.severity)
        return replace(_scaled(finding, 0.65), severity=milder)
    return finding


def _scaled(finding: Finding, factor: float) -> Finding:
    if factor == 1.0:
        return finding
    return replace(finding, confidence=round(min(1.0, finding.confidence * factor), 4))
