"""Runs the examples of rules: ``flags`` must be found, ``allows`` must not.

What an example asks about files is answered from the example: nothing of this machine is looked at, nothing
runs. Templates are filled in first. A chain's example is a session, played in order.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from defenseclaw.detection.chains import Memory, Moment, Outcome, Sight
from defenseclaw.detection.engine import Detection, detect, run
from defenseclaw.detection.facts import Need, Snapshot
from defenseclaw.detection.ruleset import Example, Rule, RuleSet
from defenseclaw.detection.taint import Tracer
from defenseclaw.packs.templates import expand
from defenseclaw.vocabulary import INTERNAL_FAULT, HostContext

_CONTROL_PORTS: Final = (18970, 4000)
_SECONDS_BETWEEN: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An example that does not hold."""

    rule_id: str
    kind: str
    """``flags`` or ``allows``."""
    example: str
    found: tuple[str, ...]
    """The rules that were found instead, or as well."""


def failures(rule: Rule, rules: RuleSet) -> list[Failure]:
    """Return the examples of ``rule`` that do not hold under ``rules``."""
    wrong = []
    for kind, examples in (("flags", rule.flags), ("allows", rule.allows)):
        for example in examples:
            found = found_in(example, rules)
            if (rule.id in found) is not (kind == "flags") or INTERNAL_FAULT in found:
                wrong.append(Failure(rule_id=rule.id, kind=kind, example=example.note, found=tuple(found)))
    return wrong


def found_in(example: Example, rules: RuleSet) -> list[str]:
    """Return the ids of the rules that an example is flagged by, the most severe first."""
    session = _Session(rules)
    for earlier in example.before:
        session.take(expanded(earlier))
    found, sight = session.take(expanded(example))
    return [each.rule_id for each in (*found.findings, *sight.findings)]


class _Session:
    """A session under way; everything in it is let through."""

    def __init__(self, rules: RuleSet) -> None:
        self._rules = rules
        self._memory = Memory()
        self._events = 0

    def take(self, example: Example) -> tuple[Detection, Sight]:
        event, chains = example.event(), self._rules.chains
        found = run(detect(event, self._rules, _host(example)), lambda need: _answer(example, need))
        self._events += 1
        moment = Moment(self._events, self._events * _SECONDS_BETWEEN, f"{self._events:08x}")
        keys = (f"{example.tool} {example.args!r}",) if example.args is not None else ()
        sight = chains.look(
            event,
            self._memory,
            moment,
            findings=found.findings,
            facts=found.facts,
            text=found.scanned.text if found.scanned is not None else "",
            keys=lambda: keys,
            tracer=Tracer(found, str),
        )
        self._memory, _ = chains.advance(self._memory, event, sight, Outcome.HAPPENED, moment, lambda: keys)
        return found, sight


def count(rules: Iterable[Rule]) -> int:
    """Return how many examples ``rules`` have."""
    return sum(len(rule.flags) + len(rule.allows) for rule in rules)


def _host(example: Example) -> HostContext:
    return HostContext(
        home=example.home,
        data_dir=f"{example.home}/.defenseclaw",
        protected_paths=(f"{example.home}/.claude/settings.json",),
        control_ports=_CONTROL_PORTS,
    )


def _answer(example: Example, need: Need) -> Snapshot:
    content = example.files.get(need.path)
    if content is None:
        return Snapshot(real_path=need.path)
    held = content.encode()
    cut = held[: need.max_bytes]
    return Snapshot(
        real_path=need.path, exists=True, kind="file", content=cut, truncated=len(held) > len(cut)
    )


def expanded(example: Example) -> Example:
    """Fill in the templates, in arguments as they are written in JSON: there a template can ask for that."""
    args = example.args
    if args is not None and "{{" in (written := json.dumps(args)):
        args = json.loads(expand(written))
    return replace(example, args=args, text=expand(example.text))
