"""The matrix of the real agents: complete without running one, and written by nothing but a whole run."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.e2e import matrix

PAGE = matrix.REPOSITORY / "docs" / "connectors" / "matrix.md"
EVERY_CELL = [(agent, row) for agent in matrix.AGENTS for row in matrix.CELLS]
PROVEN = [(agent, row) for agent, row in EVERY_CELL if agent not in matrix.LACKS.get(row, {})]


def collected(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "--collect-only", "-p", "no:cacheprovider", "-m", "e2e"]
    return subprocess.run(
        [*command, *arguments], cwd=matrix.REPOSITORY, capture_output=True, text=True, timeout=60, check=False
    )


def test_every_cell_has_a_test_or_a_reason_and_collecting_writes_nothing(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    done = collected("tests/e2e", f"--matrix={page}")
    assert done.returncode == 0, done.stderr
    assert f"{page}: not written" in done.stdout
    assert not page.exists()


def test_a_reason_belongs_to_a_cell_of_the_page() -> None:
    for table in (matrix.LACKS, matrix.NOTES):
        assert table.keys() <= matrix.CELLS.keys()
        assert {agent for reasons in table.values() for agent in reasons} <= matrix.AGENTS.keys()


def test_what_is_silent_or_untrue_is_named() -> None:
    assert list(matrix.faults(PROVEN)) == []
    assert list(matrix.faults(cell for cell in PROVEN if cell != ("codex", "deny"))) == [
        "codex, deny: no test, no reason"
    ]
    assert list(matrix.faults([*PROVEN, ("openhands", "replacement")])) == [
        "openhands, replacement: a reason to have no test, and tests"
    ]


def test_a_page_has_a_row_for_each_cell_a_column_for_each_agent_and_every_note() -> None:
    results = {cell: [True, True] for cell in PROVEN} | {("codex", "deny"): [True, False]}
    page = matrix.render(results, "Run of a day.")
    table = [line for line in page.splitlines() if line.startswith("|")]
    assert len(table) == len(matrix.CELLS) + 2
    assert {line.count("|") for line in table} == {len(matrix.AGENTS) + 2}
    deny = next(line for line in table if line.startswith(f"| {matrix.CELLS['deny']} |"))
    assert deny.count("2 passed") == len(matrix.AGENTS) - 1
    assert "**1 of 2 FAILED**" in deny
    for reasons in (*matrix.LACKS.values(), *matrix.NOTES.values()):
        assert all(f". {reason}\n" in page for reason in reasons.values())
    assert "Run of a day." in page


def test_the_versions_are_those_of_the_lock_files() -> None:
    found = matrix.versions()
    assert found.keys() == matrix.AGENTS.keys()
    assert all(version[0].isdigit() for version in found.values())


@dataclass
class Item:
    """What the recorder asks of a test."""

    nodeid: str
    path: Path
    agent: str
    cells: tuple[str, ...]

    def iter_markers(self, name: str) -> list[pytest.Mark]:
        return [pytest.mark.cell(*self.cells).mark] if name == "cell" and self.cells else []

    def get_closest_marker(self, name: str) -> pytest.Mark | None:
        return pytest.mark.agent(self.agent).mark if name == "agent" and self.agent else None


@pytest.mark.parametrize(("agent", "cell"), [("codex", "no such cell"), ("nobody", "deny"), ("", "deny")])
def test_a_marker_that_names_nothing_is_refused(agent: str, cell: str) -> None:
    with pytest.raises(pytest.UsageError, match="no cell"):
        matrix.proofs([Item("test", Path("test.py"), agent, (cell,))])


@dataclass
class Run:
    """A run of made-up tests, one per cell, as pytest tells a plugin of it."""

    recorder: matrix.Recorder
    config: Run = field(init=False)
    items: list[Item] = field(default_factory=list)
    args: tuple[str, ...] = (str(matrix.FOLDER),)
    dir: Path = matrix.REPOSITORY

    def __post_init__(self) -> None:
        self.config = self.invocation_params = self
        modules = sorted(matrix.FOLDER.glob("test_*.py"))
        for number, (agent, row) in enumerate(PROVEN):
            self.items.append(Item(f"test {number}", modules[number % len(modules)], agent, (row,)))

    def report(self, item: Item, outcome: str = "passed") -> None:
        for when in ("setup", "call", "teardown"):
            ended = outcome if when == "call" else "passed"
            self.recorder.pytest_runtest_logreport(
                pytest.TestReport(item.nodeid, ("", 0, ""), {}, ended, None, when)
            )


@pytest.fixture
def run(tmp_path: Path) -> Run:
    page = tmp_path / "page.md"
    page.write_text("as it was")
    return Run(matrix.Recorder(page))


def test_a_whole_run_writes_the_page(run: Run) -> None:
    run.recorder.pytest_collection_finish(run)
    for number, item in enumerate(run.items):
        run.report(item, ("failed", "skipped", "passed")[min(number, 2)])
    run.recorder.pytest_sessionfinish()
    page = run.recorder.page.read_text()
    assert page.count("**1 of 1 FAILED**") == 2
    assert page.count("1 passed") == len(PROVEN) - 2


def test_a_run_without_some_of_the_tests_leaves_the_page(run: Run) -> None:
    run.recorder.pytest_deselected()
    run.recorder.pytest_collection_finish(run)
    for item in run.items:
        run.report(item)
    run.recorder.pytest_sessionfinish()
    assert run.recorder.page.read_text() == "as it was"


def test_a_run_that_was_interrupted_leaves_the_page(run: Run) -> None:
    run.recorder.pytest_collection_finish(run)
    for item in run.items[:-1]:
        run.report(item)
    run.recorder.pytest_sessionfinish()
    assert run.recorder.page.read_text() == "as it was"


def test_a_run_of_one_module_leaves_the_page(run: Run) -> None:
    run.args = (str(matrix.FOLDER / "test_codex.py"),)
    run.recorder.pytest_collection_finish(run)
    for item in run.items:
        run.report(item)
    run.recorder.pytest_sessionfinish()
    assert run.recorder.page.read_text() == "as it was"


def test_a_gap_is_refused_before_an_agent_runs(run: Run) -> None:
    gap = run.items.pop()
    with pytest.raises(pytest.UsageError, match=f"{gap.agent}, {gap.cells[0]}: no test, no reason"):
        run.recorder.pytest_collection_finish(run)
