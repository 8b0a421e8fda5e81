"""The rendered references: current, whole, the same every time, and free of anything like a secret."""

import json
import subprocess
import sys

import pytest

from defenseclaw import packs
from defenseclaw.detection.engine import detect, run
from defenseclaw.vocabulary import Door, Event, EventKind, HostContext
from docs import generate

PAGES = generate.rendered()
WEAK_PASSWORDS = {"changeme"}
"""Shown on purpose: a rule says that these count in an address."""


def test_every_page_is_current():
    assert generate.stale(PAGES) == []


def test_another_process_renders_the_same():
    """Sets must not leak their order; the hash seed differs in every process."""
    code = "import json, docs.generate as g; print(json.dumps(g.rendered()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == PAGES


@pytest.fixture
def rendered(tmp_path):
    pages = {"reference/cli.md": "cli\n", "rules/one.md": "one\n"}
    generate.write(pages, tmp_path)
    return tmp_path, pages


def test_writing_leaves_nothing_stale(rendered):
    root, pages = rendered
    assert (root / "rules" / "one.md").read_text() == "one\n"
    assert generate.stale(pages, root) == []
    assert generate.write(pages, root) == []


def test_a_page_that_differs_is_missing_or_has_no_source_is_named(rendered):
    root, pages = rendered
    (root / "reference" / "cli.md").write_text("edited\n")
    (root / "rules" / "gone.md").write_text("of a rule that is no more\n")
    wanted = pages | {"rules/new.md": "new\n"}
    assert generate.stale(wanted, root) == ["reference/cli.md", "rules/gone.md", "rules/new.md"]
    generate.write(wanted, root)
    assert not (root / "rules" / "gone.md").exists()
    assert generate.stale(wanted, root) == []


def test_check_writes_nothing_and_fails_naming_the_page(monkeypatch, capsys, rendered):
    root, pages = rendered
    (root / "rules" / "one.md").write_text("edited\n")
    monkeypatch.setattr(generate, "rendered", lambda: pages)
    monkeypatch.setattr(generate, "stale", lambda given: ["rules/one.md"] if given is pages else [])
    assert generate.main(["--check"]) == 1
    assert "docs/rules/one.md is not current" in capsys.readouterr().err
    assert (root / "rules" / "one.md").read_text() == "edited\n"


@pytest.mark.parametrize("name", [name for name in PAGES if name.endswith(".md")])
def test_no_page_holds_anything_that_looks_like_a_secret(name):
    event = Event(kind=EventKind.FILE, door=Door.CLI, text=PAGES[name])
    host = HostContext(home="/home/dev", data_dir="/home/dev/.defenseclaw")
    findings = run(detect(event, packs.load(), host)).findings
    matched = [each.evidence.reveal() for each in findings if each.category == "secret"]
    assert [text for text in matched if "{{" not in text and text not in WEAK_PASSWORDS] == []
