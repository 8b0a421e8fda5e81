from __future__ import annotations

import gzip
import hashlib
import hmac
import json
import os
import stat
import time
from pathlib import Path
from typing import Any

import pytest

from defenseclaw.audit.canonical import encode
from defenseclaw.audit.journal import Journal, lines_of
from defenseclaw.audit.records import Batch, ProcessIdentity
from defenseclaw.audit.rows import activity, plain

from .support import a_batch, a_row

NOW = "2026-05-28T20:26:40.000000Z"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gateway.jsonl"


def written(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_hook_decision_with_its_scan(path: Path) -> None:
    structured = {
        "schema": "defenseclaw.hook.v1",
        "connector": "codex",
        "event": "PreToolUse",
        "action": "block",
        "elapsed_ms": 4,
        "evaluation_id": "e",
        "rule_ids": ["R"],
        "trail": ["not here"],
    }
    batch = a_batch(findings=2, structured=structured, request_id="req-1", evaluation_id="e", severity="HIGH")
    journal = Journal(path)
    journal.write([batch])
    journal.close()
    decision, scan, *findings = written(path)
    assert decision["event_type"] == "hook_decision"
    assert decision["hook_decision"] == {
        "connector": "codex",
        "event": "PreToolUse",
        "action": "block",
        "latency_ms": 4,
        "evaluation_id": "e",
        "rule_ids": ["R"],
    }
    assert (decision["request_id"], decision["severity"], decision["ts"]) == (
        "req-1",
        "HIGH",
        batch.row.timestamp,
    )
    assert "agent_id" not in decision, "empty fields are left out"
    assert (scan["scan"]["counts"], scan["scan"]["total_count"]) == ({"CRITICAL": 2}, 2)
    assert [each["scan_finding"]["rule_id"] for each in findings] == ["RULE-0", "RULE-1"]
    assert {each["scan_finding"]["evaluation_id"] for each in findings} == {"e"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_inspect_row_is_a_verdict(path: Path) -> None:
    structured = {
        "schema": "defenseclaw.inspect.v1",
        "route": "request",
        "kind": "prompt",
        "action": "alert",
        "reason": "matched",
        "elapsed_ms": 1,
        "evaluation_id": "e",
        "rule_ids": [],
        "extra": {"model": "m-1"},
    }
    (line, *_) = lines_of(a_batch(findings=1, structured=structured))
    assert (line["event_type"], line["direction"], line["model"]) == ("verdict", "prompt", "m-1")
    assert line["verdict"] == {
        "stage": "inspect-request",
        "action": "alert",
        "reason": "matched",
        "categories": ["command"],
        "latency_ms": 1,
        "evaluation_id": "e",
        "rule_ids": [],
    }


@pytest.mark.parametrize(
    ("action", "subsystem", "transition"),
    [
        ("sidecar-start", "gateway", "start"),
        ("sidecar-stop", "gateway", "stop"),
        ("gateway-recovered", "gateway", "restored"),
        ("api-enforce-block", "api", "completed"),
        ("otel.ingest.logs", "telemetry", "completed"),
        ("tool-block", "enforcement", "completed"),
        ("scan-start", "scanner", "start"),
        ("admission", "gateway", "completed"),
    ],
)
def test_other_rows_are_lifecycle_events(
    process: ProcessIdentity, action: str, subsystem: str, transition: str
) -> None:
    row = plain(action, process=process, now=NOW, target="t")
    (line,) = lines_of(Batch(row=row))
    assert line["event_type"] == "lifecycle"
    assert (line["lifecycle"]["subsystem"], line["lifecycle"]["transition"]) == (subsystem, transition)
    assert line["lifecycle"]["details"]["audit_id"] == row.id


def test_an_operators_change_is_an_activity(process: ProcessIdentity) -> None:
    row = activity(
        "config-update",
        process=process,
        now=NOW,
        target_type="config",
        target_id="c",
        after={"mode": "action"},
    )
    (line,) = lines_of(Batch(row=row))
    assert line["activity"]["diff"] == [{"path": "/mode", "op": "add", "after": "action"}]


def test_a_client_may_post_any_structure(path: Path) -> None:
    """``POST /audit/event`` takes any object, also one that only pretends to be ours."""
    journal = Journal(path)
    for structured in (
        {"schema": "defenseclaw.inspect.v1"},
        {"schema": ["x"]},
        {"schema": "defenseclaw.hook.v1"},
    ):
        journal.write([a_batch(structured=structured)])
    extra = {"schema": "defenseclaw.inspect.v1", "kind": {}, "extra": 5}
    journal.write([a_batch(structured=extra)])
    assert len(written(path)) == 4
    assert journal.failures == 0


def test_callers_lines_get_the_envelope_of_the_row() -> None:
    line = {"event_type": "error", "error": {"code": "X"}}
    *_, last = lines_of(Batch(row=a_row(request_id="r"), journal=(line,)))
    assert (last["event_type"], last["request_id"], last["error"]) == ("error", "r", {"code": "X"})


def test_a_line_without_a_row_gets_a_time(path: Path) -> None:
    journal = Journal(path)
    journal.append({"event_type": "error", "error": {"code": "AUTH_MISSING_TOKEN"}})
    (line,) = written(path)
    assert line["ts"].endswith("Z")
    assert line["error"] == {"code": "AUTH_MISSING_TOKEN"}


def test_lines_are_authenticated_under_the_key(path: Path) -> None:
    Journal(path, key=b"k" * 32).write([a_batch(findings=1)])
    lines = written(path)
    assert len(lines) == 3
    for line in lines:
        code = line.pop("payload_hmac")
        assert code == hmac.new(b"k" * 32, encode(line), hashlib.sha256).hexdigest()


# ---- rotation ------------------------------------------------------------------------------------


def test_a_full_file_is_put_aside_and_compressed(path: Path) -> None:
    journal = Journal(path, max_bytes=2000, keep=3)
    for number in range(61):
        journal.write([a_batch(request_id=f"r-{number}")])
        if journal._packer is not None:
            journal._packer.join()
    journal.close()
    names = sorted(each.name for each in path.parent.iterdir())
    assert names == ["gateway.jsonl", *(f"gateway.jsonl.{number}.gz" for number in (1, 2, 3))]
    assert {stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()} == {0o600}
    kept: list[str] = []
    for number in (3, 2, 1):
        with gzip.open(path.with_name(f"gateway.jsonl.{number}.gz"), "rt") as file:
            kept += [json.loads(line)["request_id"] for line in file]
    kept += [line["request_id"] for line in written(path)]
    assert kept == [f"r-{number}" for number in range(61 - len(kept), 61)]
    assert journal.failures == 0


def test_what_a_stopped_process_left_aside_is_compressed_later(path: Path) -> None:
    path.with_name("gateway.jsonl.1").write_text('{"left":"over"}\n')
    journal = Journal(path, max_bytes=100)
    journal.write([a_batch()])
    journal.close()
    assert gzip.decompress(path.with_name("gateway.jsonl.1.gz").read_bytes()) == b'{"left":"over"}\n'
    assert len(written(path)) == 1


def test_files_older_than_thirty_days_go(path: Path) -> None:
    old = path.with_name("gateway.jsonl.1.gz")
    old.write_bytes(b"")
    os.utime(old, (time.time() - 31 * 86400,) * 2)
    journal = Journal(path, max_bytes=100)
    journal.write([a_batch()])
    journal.close()
    assert not path.with_name("gateway.jsonl.2.gz").exists()
    assert path.with_name("gateway.jsonl.1.gz").exists()


# ---- trouble -------------------------------------------------------------------------------------


def test_a_line_cut_short_does_not_spoil_the_next(path: Path) -> None:
    path.write_text('{"whole":1}\n{"cut":')
    Journal(path).write([a_batch()])
    lines = path.read_text().splitlines()
    assert lines[1] == '{"cut":'
    assert json.loads(lines[2])["event_type"] == "hook_decision"


def test_a_removed_file_is_made_anew(path: Path) -> None:
    journal = Journal(path)
    journal.write([a_batch()])
    path.unlink()
    journal.write([a_batch()])
    assert len(written(path)) == 1


@pytest.mark.parametrize("obstacle", ["directory", "fifo", "link", "missing folder"])
def test_what_lies_in_the_way_is_counted_and_neither_blocks_nor_misleads(
    tmp_path: Path, path: Path, obstacle: str
) -> None:
    if obstacle == "directory":
        path.mkdir()
    elif obstacle == "fifo":
        os.mkfifo(path)
    elif obstacle == "link":
        (tmp_path / "victim").write_text("")
        path.symlink_to(tmp_path / "victim")
    else:
        path = tmp_path / "nowhere" / "gateway.jsonl"
    journal = Journal(path)
    journal.write([a_batch(), a_batch()])
    journal.append({"event_type": "error"})
    assert journal.failures == 3
    if obstacle == "link":
        assert (tmp_path / "victim").read_text() == ""


def test_a_line_that_cannot_be_encoded_is_counted_and_others_are_written(path: Path) -> None:
    journal = Journal(path)
    journal.write([a_batch(), a_batch(target="x", request_id="\udcff"), a_batch()])
    journal.append({"bad": object()})
    assert (len(written(path)), journal.failures) == (2, 2)
