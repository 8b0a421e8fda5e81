"""Which questions an event raises, given the strategy and what the rules found. Pure.

=============  =================================================================================
regex_only     none
regex_judge    the rules are sure (HIGH and above): none. They doubt: each area of doubt is
               adjudicated. They found nothing: the judges of the event's kind, if ``sweep``
judge_first    the judges of the event's kind, always
=============  =================================================================================

Source: ``spec/guardrail.md`` §12.1, §12.4. Where the spec speaks of triage, doubt is a finding below HIGH.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from defenseclaw.judging.questions import AREA_OF_CATEGORY, Area, Judge, Question
from defenseclaw.policy.decision import THRESHOLDS
from defenseclaw.vocabulary import Event, EventKind, Finding, Profile, Severity

Strategy = Literal["regex_only", "regex_judge", "judge_first"]

MIN_SAMPLE_CHARS: Final = 20
"""Shorter samples are not judged."""

SENSITIVE_TOOLS: Final[Mapping[str, int]] = {
    "users_list": 3,
    "users_search": 3,
    "delegated_email_list_principals": 2,
    "contacts_list": 3,
    "mail_search": 2,
}
"""Tools whose results are judged for personal data → entities from which it counts. §5.3."""

_DATA: Final = frozenset((EventKind.TOOL_RESULT, EventKind.FILE, EventKind.ASSET))


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What the operator chose to have judged."""

    strategy: Strategy = "regex_judge"
    strategy_prompt: Strategy | None = None
    strategy_completion: Strategy | None = "regex_only"
    strategy_tool_call: Strategy | None = None
    sweep: bool = True
    connectors: frozenset[str] = field(default_factory=frozenset)
    """Folded names, or ``*``. Events that name no connector are always judged."""
    injection: bool = True
    injection_result: bool = False
    pii: bool = True
    pii_prompt: bool = True
    pii_completion: bool = True
    tool_injection: bool = True
    exfil: bool = True
    lifts: bool = False
    """A doubt that a judge dismisses loses its weight; else the strictest lane wins (§1.4)."""

    def strategy_for(self, kind: EventKind) -> Strategy:
        """Return the strategy for one kind of event; those without their own inherit."""
        own = {
            EventKind.PROMPT: self.strategy_prompt,
            EventKind.COMPLETION: self.strategy_completion,
            EventKind.TOOL_CALL: self.strategy_tool_call,
        }
        return own.get(kind) or self.strategy

    def covers(self, connector: str) -> bool:
        """Whether events of this connector are judged, whatever door they come in by."""
        return not connector or not self.connectors.isdisjoint(("*", folded(connector)))


def folded(connector: str) -> str:
    """Return a connector's name without case, ``-`` and ``_``."""
    return connector.lower().replace("-", "").replace("_", "")


def questions_for(
    event: Event, findings: Sequence[Finding], choices: Choices, sample: str
) -> tuple[Question, ...]:
    """Return what is asked about an event; nothing when no judge is needed."""
    if len(sample.strip()) < MIN_SAMPLE_CHARS or not is_open(event, findings, choices):
        return ()
    if choices.strategy_for(event.kind) == "regex_judge":
        adjudications = tuple(_adjudications(event, _doubts(findings), sample))
        if adjudications:
            return adjudications
    return tuple(Question(judge=judge, kind=event.kind, sample=sample) for judge in _judges(event, choices))


def is_open(event: Event, findings: Sequence[Finding], choices: Choices) -> bool:
    """Whether anything would be asked, as far as that can be told without a sample; cheap."""
    strategy = choices.strategy_for(event.kind)
    if strategy == "regex_only" or event.faults or not choices.covers(event.connector):
        return False
    if strategy == "judge_first":
        return bool(_judges(event, choices))
    counted = [each for each in findings if not each.detection_only]
    if any(each.severity.rank >= Severity.HIGH.rank for each in counted):
        return False
    if any(each.category in AREA_OF_CATEGORY for each in counted):
        return True
    return choices.sweep and bool(_judges(event, choices))


def liftable(findings: Iterable[Finding], profile: Profile) -> frozenset[str]:
    """Return the ids of findings whose weight a judge may take off.

    Only doubt about instructions in text: never what is HIGH, what masks, what rests on the facts of a call,
    nor what would block in this profile. A model that was talked round can hide an alert, and nothing more.
    """
    block_at = THRESHOLDS[profile][0]
    ceiling = min(Severity.HIGH.rank, block_at.rank)
    return frozenset(
        each.rule_id
        for each in findings
        if AREA_OF_CATEGORY.get(each.category) is Area.INJECTION
        and each.severity.rank < ceiling
        and not each.masks
    )


def min_entities(event: Event) -> int:
    """Return how many personal entities of one kind in an event count; 1 but for results of some tools."""
    return SENSITIVE_TOOLS.get(_tool(event), 1) if event.kind is EventKind.TOOL_RESULT else 1


def _doubts(findings: Sequence[Finding]) -> dict[Area, list[Finding]]:
    doubts: dict[Area, list[Finding]] = {}
    for finding in findings:
        area = AREA_OF_CATEGORY.get(finding.category)
        if area is not None and not finding.detection_only:
            doubts.setdefault(area, []).append(finding)
    return doubts


def _adjudications(event: Event, doubts: Mapping[Area, Sequence[Finding]], sample: str) -> Iterable[Question]:
    for area, doubted in doubts.items():
        yield Question(
            judge=Judge.ADJUDICATION,
            kind=event.kind,
            sample=sample,
            area=area,
            doubts=tuple((each.rule_id, each.title) for each in doubted),
        )


def _judges(event: Event, choices: Choices) -> list[Judge]:
    kind = event.kind
    prompt = kind is EventKind.PROMPT
    wanted = {
        Judge.INJECTION: (prompt and choices.injection) or (kind in _DATA and choices.injection_result),
        Judge.PII: choices.pii
        and (
            (prompt and choices.pii_prompt)
            or (kind is EventKind.COMPLETION and choices.pii_completion)
            or (kind is EventKind.TOOL_RESULT and _tool(event) in SENSITIVE_TOOLS)
        ),
        Judge.EXFIL: prompt and choices.exfil,
        Judge.TOOL_INJECTION: kind is EventKind.TOOL_CALL and choices.tool_injection,
    }
    return [judge for judge, is_wanted in wanted.items() if is_wanted]


def _tool(event: Event) -> str:
    """Return a tool's own name, without the MCP server it comes from."""
    return event.tool.lower().replace(":", "__").rpartition("__")[2]
