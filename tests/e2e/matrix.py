"""Which cells of the matrix the tests prove, and the page that says so.

A test that proves a cell carries ``@pytest.mark.cell("deny")``; its module or class carries
``@pytest.mark.agent("codex")``. With ``--matrix=FILE`` a run of this whole folder writes the page, and is
refused when a cell has neither a test nor a reason in :data:`LACKS`. A run of less leaves the page as it is.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.e2e.agents import LOCKS, REPOSITORY

FOLDER = Path(__file__).parent

CELLS: Mapping[str, str] = {
    "allow": "A harmless call runs",
    "deny": "A dangerous call is denied, never runs, and the model reads why",
    "ask": "A question is put to a person; where nobody can be asked, the call is denied",
    "replacement": "A secret in a result is replaced before the model reads it",
    "prompt": "A refused prompt never reaches the model",
    "sub-agent": "A sub-agent's dangerous call is denied",
    "observe": "Observe mode records what it would have stopped",
    "down-open": "Gateway down, fail mode open: the call runs and leaves a trace",
    "down-closed": "Gateway down, fail mode closed: the call is denied",
    "hang": "A gateway that accepts and never answers: the call is denied in time",
    "timeout": "A hook that the agent itself times out",
    "teardown": "Removal: files as they were, byte for byte",
    "verify": "`defenseclaw verify` tells enforced from sabotaged",
}
"""Every row of the page by its name in the marker."""


@dataclass(frozen=True)
class Column:
    """One agent."""

    title: str
    page: str
    package: str
    """Its name in the lock files."""


AGENTS: Mapping[str, Column] = {
    "claude-code": Column("Claude Code", "claude-code.md", "@anthropic-ai/claude-code"),
    "codex": Column("Codex", "codex.md", "@openai/codex"),
    "copilot": Column("Copilot CLI", "copilot.md", "@github/copilot"),
    "gemini-cli": Column("Gemini CLI", "gemini-cli.md", "@google/gemini-cli"),
    "opencode": Column("OpenCode", "opencode.md", "opencode-ai"),
    "openhands": Column("OpenHands", "openhands.md", "openhands"),
    "hermes": Column("Hermes", "hermes.md", "hermes-agent"),
    "omnigent": Column("OmniGent", "omnigent.md", "omnigent"),
}
"""Every column of the page by the agent's name in ``defenseclaw setup``."""

Cell = tuple[str, str]
"""Names of an agent and of a row."""

LACKS: Mapping[str, Mapping[str, str]] = {
    "replacement": {
        "openhands": "No answer to a hook of OpenHands changes what the model reads of a result. That "
        "a secret in one is put on record is tested.",
    },
    "timeout": {
        "opencode": "OpenCode sets its plugins no limit. Ours is the one that counts, in the row above.",
        "omnigent": "OmniGent sets its policies no limit. Ours is the one that counts, in the row above.",
    },
    "verify": {
        "omnigent": "OmniGent has no headless turn of its own: [why](../verify.md#which-agents).",
    },
}
"""Why a row has no test with an agent: what the agent's protocol does not have."""

_ASKED = "The agent asks; headless nobody can answer, and the call is denied."
_NOT_ASKED = "A hook of this agent asks nobody: what would be a question is a refusal."
_RUNS = "The call runs, a gap of the agent. As installed, our hook answers long before the agent's limit."
NOTES: Mapping[str, Mapping[str, str]] = {
    "ask": {
        **dict.fromkeys(("claude-code", "copilot"), _ASKED),
        **dict.fromkeys(("codex", "opencode", "openhands"), _NOT_ASKED),
        "gemini-cli": "Gemini CLI can ask, but hangs where nobody is: what would be a question is a refusal.",
        "hermes": "With its own approvals on, Hermes asks, and denies after a minute without an answer; with "
        "them off, what would be a question is a refusal.",
        "omnigent": "A person accepts, and the call runs; a person declines, and it does not.",
    },
    "sub-agent": {
        "openhands": "OpenHands calls no hooks in sub-agents, hence starting one is refused. An operator may "
        "allow it; that the sub-agent is not governed then is tested as well.",
    },
    "timeout": {
        **dict.fromkeys(("claude-code", "codex", "copilot", "gemini-cli", "openhands"), _RUNS),
        "hermes": "Our plugin inside Hermes gives up on a script that hangs, and denies the call.",
    },
}
"""What is to be known about a row that has tests with an agent."""


def versions() -> dict[str, str]:
    """Return each agent's version as the lock files pin it, by the agent's name."""
    npm = json.loads((LOCKS / "package-lock.json").read_text())["packages"]
    found = {}
    for agent, column in AGENTS.items():
        if installed := npm.get(f"node_modules/{column.package}"):
            found[agent] = str(installed["version"])
            continue
        pinned = (
            re.findall(rf"(?m)^{column.package}==(\S+)", lock.read_text()) for lock in LOCKS.glob("*.lock")
        )
        (found[agent],) = (version for each in pinned for version in each)
    return found


def proofs(items: Iterable[pytest.Item]) -> dict[str, set[Cell]]:
    """Return the cells each test proves, by the test's node id.

    Raises:
        pytest.UsageError: a marker names no agent or no cell of the tables.
    """
    found: dict[str, set[Cell]] = {}
    for item in items:
        rows = {name for marker in item.iter_markers("cell") for name in marker.args}
        if not rows:
            continue
        marker = item.get_closest_marker("agent")
        agent = marker.args[0] if marker else ""
        if agent not in AGENTS or not rows <= CELLS.keys():
            raise pytest.UsageError(f"{item.nodeid}: no cell {sorted(rows)} of agent {agent!r}")
        found[item.nodeid] = {(agent, row) for row in rows}
    return found


def faults(proven: Iterable[Cell]) -> Iterator[str]:
    """Yield what would make the page silent or untrue."""
    tested = set(proven)
    for row in CELLS:
        for agent in AGENTS:
            if ((agent, row) in tested) is (agent in LACKS.get(row, {})):
                wrong = (
                    "a reason to have no test, and tests" if (agent, row) in tested else "no test, no reason"
                )
                yield f"{agent}, {row}: {wrong}"


def render(results: Mapping[Cell, list[bool]], run: str) -> str:
    """Return the page.

    Args:
        results: Whether each test of a cell passed.
        run: When and on what.
    """
    notes: list[str] = []
    pinned = versions()
    heads = [f"[{each.title}]({each.page}) {pinned[agent]}" for agent, each in AGENTS.items()]
    lines = [
        "# What is proven on the real agents",
        "",
        "Written by `make e2e`, which sets every agent up with our own command line and drives it headless",
        "against a model on loopback. Each test asserts what came of the call, what the model was told next,",
        "and what is on record. A cell says how many tests prove it; where none can, the note says why.",
        "",
        run,
        "",
        f"| | {' | '.join(heads)} |",
        "|---" * (len(AGENTS) + 1) + "|",
    ]
    for row, title in CELLS.items():
        shown = [_shown((agent, row), results, notes) for agent in AGENTS]
        lines.append(f"| {title} | {' | '.join(shown)} |")
    lines += ["", "## Notes", "", *(f"{number}. {note}" for number, note in enumerate(notes, 1)), ""]
    return "\n".join(lines)


def _shown(cell: Cell, results: Mapping[Cell, list[bool]], notes: list[str]) -> str:
    agent, row = cell
    outcomes = results.get(cell, [])
    failed = outcomes.count(False)
    text = f"{len(outcomes)} passed" if outcomes else "-"
    if failed:
        text = f"**{failed} of {len(outcomes)} FAILED**"
    if note := (NOTES if outcomes else LACKS).get(row, {}).get(agent):
        if note not in notes:
            notes.append(note)
        text += f" ({notes.index(note) + 1})"
    return text


def this_run() -> str:
    """Say when and on what commit."""
    asked = ["git", "describe", "--always", "--dirty"]
    done = subprocess.run(asked, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    commit = done.stdout.strip() or "unknown"
    return f"Run of {datetime.now(UTC):%Y-%m-%d} (UTC) at commit `{commit}`."


@dataclass
class Recorder:
    """Pytest plugin: follows a run and writes ``page`` when nothing was left out of it."""

    page: Path
    proven: dict[str, set[Cell]] = field(default_factory=dict)
    waiting: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    partial: bool = False
    said: str = ""

    def pytest_deselected(self) -> None:
        self.partial = True

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.proven = proofs(session.items)
        self.waiting = {item.nodeid for item in session.items}
        asked = {(session.config.invocation_params.dir / each).resolve() for each in session.config.args}
        modules = {item.path for item in session.items}
        self.partial |= asked != {FOLDER} or modules != set(FOLDER.glob("test_*.py"))
        if self.partial:
            return
        if wrong := list(faults(cell for cells in self.proven.values() for cell in cells)):
            raise pytest.UsageError("the matrix has gaps:\n" + "\n".join(wrong))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.outcome != "passed":
            self.failed.add(report.nodeid)
        if report.when == "teardown":
            self.waiting.discard(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        if self.partial or self.waiting or not self.proven:
            self.said = f"{self.page}: not written, this was not the whole matrix"
            return
        results: dict[Cell, list[bool]] = {}
        for test, cells in self.proven.items():
            for cell in cells:
                results.setdefault(cell, []).append(test not in self.failed)
        self.page.write_text(render(results, this_run()))
        self.said = f"{self.page}: written"

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.write_line(self.said)
