from __future__ import annotations

import json

import pytest
from tests.cli.conftest import Machine

INSECURE = "import os\nos.system(name)\nhashlib.md5(data)\n"


@pytest.fixture
def project(machine: Machine):
    folder = machine.root / "project"
    folder.mkdir()
    (folder / "app.py").write_text(INSECURE)
    return folder


def test_a_folder_is_scanned_without_anything_installed(machine: Machine, project):
    shown = machine.run("scan", "code", str(project)).stdout
    for part in (
        "CG-EXEC-001",
        f"{project}/app.py:2",
        "a shell command that is not fixed",
        "Findings: 2. Files: 1.",
    ):
        assert part in shown
    assert not machine.data.exists()


def test_json_is_what_the_gateway_answers_in_clear(machine: Machine, project):
    said = machine.json("scan", "code", str(project))
    assert (said["scanner"], said["target"], said["verdict"]) == ("codeguard", str(project), "block")
    first = said["findings"][0]
    assert (first["rule_id"], first["location"]) == ("CG-EXEC-001", f"{project}/app.py:2")
    assert first["remediation"].startswith("Pass the words")


def test_the_schema_describes_the_json(machine: Machine):
    schema = machine.json("scan", "code", "--schema")
    assert "findings" in schema["$defs"]["ScanResult"]["properties"]


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ([], 0),
        (["--fail-on", "critical"], 0),
        (["--fail-on", "HIGH"], 1),
        (["--fail-on", "low"], 1),
    ],
)
def test_findings_change_the_exit_code_only_when_asked(machine: Machine, project, options, code):
    assert machine.run("scan", "code", str(project), *options, code=code)


def test_a_note_never_fails(machine: Machine, project):
    (project / "app.py").write_text("hashlib.md5(data)\n")
    assert "note" in machine.run("scan", "code", str(project), "--fail-on", "low").stdout


def test_code_is_read_from_stdin(machine: Machine):
    said = machine.run("scan", "code", "-", "--language", "js", "--json", stdin="eval(body);\n").stdout
    assert [each["rule_id"] for each in json.loads(said)["findings"]] == ["CG-EXEC-001"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "give a file or a folder"),
        (["-", "--language", "klingon"], 2, "no language is called"),
        (["/nowhere/at/all"], 1, "no such file or folder"),
    ],
)
def test_mistakes_are_said(machine: Machine, arguments, code, message):
    assert message in machine.run("scan", "code", *arguments, code=code).stderr
