"""Plays sessions against the chains of a pack: what happens in order, everything let through."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from defenseclaw.detection.chains import Memory, Moment, Outcome, Sight
from defenseclaw.detection.engine import Detection, detect, run
from defenseclaw.detection.ruleset import Example, RuleSet
from defenseclaw.detection.taint import Tracer
from defenseclaw.packs.examples import expanded
from defenseclaw.vocabulary import EventKind, Finding, HostContext

HOME = "/home/dev"
HOST = HostContext(home=HOME, data_dir=f"{HOME}/.defenseclaw", control_ports=(18970,))


@dataclass
class Session:
    """A session under way; ``now`` is moved by hand."""

    rules: RuleSet
    memory: Memory = field(default_factory=Memory)
    events: int = 0
    now: int = 1_000_000
    notes: list[str] = field(default_factory=list)

    def see(self, example: Example, found: Detection | None = None) -> Sight:
        """Return what an event means, leaving the session as it is."""
        event = example.event()
        found = found or run(detect(event, self.rules, HOST))
        return self.rules.chains.look(
            event,
            self.memory,
            self._moment(),
            findings=found.findings,
            facts=found.facts,
            text=found.scanned.text if found.scanned else "",
            keys=lambda: keys_of(example),
            tracer=Tracer(found, lambda piece: f"~{hash(piece)}"),
        )

    def take(self, example: Example | str, outcome: Outcome = Outcome.HAPPENED) -> tuple[Finding, ...]:
        """Let an event happen (or not) and return the chains it completes."""
        example = call(example) if isinstance(example, str) else expanded(example)
        sight = self.see(example)
        self.memory, notes = self.rules.chains.advance(
            self.memory, example.event(), sight, outcome, self._moment(), lambda: keys_of(example)
        )
        self.notes += notes
        self.events += 1
        return sight.findings

    def _moment(self) -> Moment:
        return Moment(self.events + 1, self.now, f"{self.events + 1:08x}-0000")


def call(command: str) -> Example:
    return Example(note=command, tool="Bash", args={"command": command})


def tool(name: str, **args: object) -> Example:
    return Example(note=name, tool=name, args=args)


def read(path: str) -> Example:
    return tool("Read", file_path=path)


def result(text: str, tool: str = "Bash", args: object = None) -> Example:
    return Example(note="result", kind=EventKind.TOOL_RESULT, tool=tool, text=text, args=args)


def keys_of(example: Example) -> tuple[str, ...]:
    """Stands for the keyed fingerprints of a call."""
    return (f"{example.tool} {example.args}",) if example.args is not None else ()


def completed(session: Iterable[Example | str], rules: RuleSet) -> dict[str, Finding]:
    """Return the chains that a session completes at any of its events, by rule."""
    under_way = Session(rules)
    return {each.rule_id: each for event in session for each in under_way.take(event)}
