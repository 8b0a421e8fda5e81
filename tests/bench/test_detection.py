from __future__ import annotations

import gzip
import json
import random
import string
from collections.abc import Callable
from pathlib import Path

import pytest

from bench import corpora, detection, scoring
from defenseclaw.vocabulary import Action, Severity

Printed = Callable[..., str]

MARKER = "zyzzyva"
"""Stands in every row's text, id and kind; must never reach the report."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    commands = [
        {
            "id": f"{MARKER}-1",
            "command": f"rm -rf / # {MARKER}",
            "label": "malicious",
            "kind": "destructive:canonical",
        },
        {
            "id": f"{MARKER}-2",
            "command": f"ls {MARKER}\u001b[2J",
            "label": "malicious",
            "kind": f"destructive:{MARKER}",
        },
        {"id": f"{MARKER}-3", "command": f"echo {MARKER}", "label": "benign", "kind": "near-miss:canonical"},
    ]
    with gzip.open(tmp_path / "cmd_dcg.jsonl.gz", "wt", encoding="utf-8") as out:
        out.writelines(json.dumps(each) + "\n" for each in commands)
    return tmp_path


@pytest.fixture
def run(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Printed:
    """Run the command in this process and return what it prints."""
    monkeypatch.setattr(
        detection, "judged", lambda rows: [each for row in rows for each in detection.outcomes_of(row)]
    )

    def printed(*arguments: object) -> str:
        assert detection.main(["--corpora", str(folder), *map(str, arguments)]) == 0
        return capsys.readouterr().out

    return printed


def judged_alone(row: corpora.Row) -> scoring.Outcome:
    (outcome,) = detection.outcomes_of(row)
    return outcome


def test_a_row_is_judged_in_the_default_profile() -> None:
    outcome = judged_alone(corpora.Row("cmd_dcg", "1", "destructive:canonical", True, (("", "rm -rf /"),)))
    assert (outcome.action, outcome.severity, outcome.part) == (Action.BLOCK, Severity.CRITICAL, "core")
    assert ("CMD-RM-RF", Severity.CRITICAL) in outcome.rules


def test_a_mild_finding_does_not_count() -> None:
    outcome = judged_alone(corpora.Row("cmd_dcg", "1", "kind", False, (("", "sudo -l"),)))
    assert (outcome.severity, outcome.counts) == (Severity.LOW, False)


def test_one_bad_file_of_a_skill_is_enough() -> None:
    token = "gl" + "pat-" + "".join(random.Random(4).choices(string.ascii_letters, k=20))
    skill = corpora.Row(
        "skills_a", "1", "kind", False, (("a.md", "harmless"), ("b.md", f"PRIVATE-TOKEN: {token}"))
    )
    assert judged_alone(skill).counts


def test_the_files_of_this_machine_do_not_matter(tmp_path: Path) -> None:
    script = tmp_path / "script.sh"
    script.write_text("rm -rf /\n")
    assert not judged_alone(corpora.Row("cmd_dcg", "1", "kind", True, (("", f"sh {script}"),))).counts


def test_other_processes_come_to_the_same(folder: Path) -> None:
    rows = list(corpora.read(folder))
    there = list(detection.judged(rows))
    here = [each for row in rows for each in detection.outcomes_of(row)]
    assert [(each.row_id, each.action, each.rules) for each in there] == [
        (each.row_id, each.action, each.rules) for each in here
    ]


def test_the_report_counts(run: Printed) -> None:
    report = run()
    assert "3 rows, 3 judgements" in report
    assert "| cmd_dcg, core | shell command | 2 | 50 % | 9.5-90.5 | ≥ 95 % | **no**, by 1 | 50 % |" in report
    assert "| cmd_dcg | shell command | 1 | 0 % | 0.0-79.3 | ≤ 3 % | yes | 0 % |" in report
    assert "| `CMD-RM-RF` | 1 | " in report
    silent = report.partition("Rules that no row here fires: ")[2].partition("\n")[0]
    assert "`SEC-GITLAB`" in silent
    assert "`CMD-RM-RF`" not in silent


def test_the_report_holds_nothing_of_a_row(run: Printed, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{detection.MARKS[0]}\nold\n{detection.MARKS[1]}\nafter\n")
    printed = run("--write", page)
    written = page.read_text()
    assert MARKER not in printed + written
    assert "old" not in written
    assert written.startswith(f"before\n{detection.MARKS[0]}\n3 rows")
    assert written.endswith(f"{detection.MARKS[1]}\nafter\n")


def test_the_worst_are_shown_on_the_terminal_without_control_characters(run: Printed) -> None:
    shown = run("--worst", 5)
    assert "misses, 1 of 1" in shown
    assert f"ls {MARKER}" in shown
    assert "\u001b" not in shown
    assert "rm -rf /" not in shown


@pytest.mark.parametrize(
    ("arguments", "rows"),
    [
        (["--file", "cmd_dcg"], "3 rows"),
        (["--kind", "canonical"], "2 rows"),
        (["--kind", "near-miss"], "1 rows"),
    ],
)
def test_rows_can_be_narrowed(run: Printed, arguments: list[str], rows: str) -> None:
    assert run(*arguments).startswith(rows)


def test_the_worst_can_be_narrowed_to_a_rule(run: Printed) -> None:
    assert MARKER not in run("--worst", 5, "--rule", "SEC-GITLAB")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--write", "page.md", "--file", "cmd_dcg"],
        ["--write", "page.md", "--kind", "canonical"],
        ["--write", "page.md", "--worst", "3"],
        ["--file", "no_such"],
    ],
)
def test_what_makes_no_sense_is_refused(folder: Path, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        detection.main(["--corpora", str(folder), *arguments])
    assert refused.value.code == 2


@pytest.mark.parametrize(
    "text", ["nothing", detection.MARKS[0], f"{detection.MARKS[1]} {detection.MARKS[0]}"]
)
def test_a_page_without_both_marks_is_left_alone(tmp_path: Path, text: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(text)
    with pytest.raises(SystemExit, match="does not hold"):
        detection.write_report(page, "report")
    assert page.read_text() == text
