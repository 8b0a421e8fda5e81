from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from defenseclaw import __version__
from defenseclaw.audit import rows
from defenseclaw.audit.export import as_exported, write_export
from defenseclaw.audit.records import Batch, ProcessIdentity
from defenseclaw.audit.store import Store
from defenseclaw.errors import Conflict, StoreUnavailable

from .support import a_batch, a_row

Append = Callable[..., None]

_KEYS = [
    *("id", "timestamp", "action", "target", "actor", "details", "structured", "severity", "run_id"),
    *("session_id", "trace_id", "agent_id", "agent_name", "agent_instance_id", "sidecar_instance_id"),
    *("destination_app", "tool_name", "tool_id", "policy_id", "connector", "schema_version"),
    *("content_hash", "generation", "binary_version"),
]


def exported(store: Store, path: Path, **options: Any) -> list[dict[str, Any]]:
    count = write_export(store, str(path), **options)
    lines = path.read_text().splitlines()
    assert len(lines) == count
    return [json.loads(line) for line in lines]


def test_a_full_row_has_exactly_the_specified_keys() -> None:
    row = a_row(
        **{name: name for name in _KEYS if name not in ("structured", "schema_version", "generation")},
        request_id="not exported",
        turn_id="not exported",
    )
    assert list(as_exported(row)) == _KEYS


def test_an_empty_row_has_the_required_keys_and_the_provenance_of_this_program() -> None:
    row = a_row(
        target="", details="", structured=None, connector="", session_id="", schema_version=0, generation=0
    )
    assert as_exported(row) == {
        "id": row.id,
        "timestamp": row.timestamp,
        "action": "connector-hook",
        "actor": "defenseclaw",
        "severity": "INFO",
        "schema_version": 7,
        "generation": 0,
        "binary_version": __version__,
    }


def test_rows_come_oldest_first_with_structure_and_details(
    store: Store, append: Append, tmp_path: Path
) -> None:
    batches = [a_batch() for _ in range(3)]
    append(*batches)
    lines = exported(store, tmp_path / "out.jsonl")
    assert [line["id"] for line in lines] == [batch.row.id for batch in batches]
    assert [line["structured"] for line in lines] == [batch.row.structured for batch in batches]
    assert [line["details"] for line in lines] == [batch.row.details for batch in batches]


def test_limit_takes_the_oldest_and_connector_filters(store: Store, append: Append, tmp_path: Path) -> None:
    append(a_batch(connector="a"), a_batch(connector="b"), a_batch(connector="a"))
    assert [line["connector"] for line in exported(store, tmp_path / "1", limit=2)] == ["a", "b"]
    assert len(exported(store, tmp_path / "2", connector="a")) == 2
    assert exported(store, tmp_path / "3", connector="c") == []


@pytest.mark.parametrize("action", ["connector-hook", "codex.notify.agent-turn-complete", "admission"])
def test_words_for_actions_pass(action: str) -> None:
    assert as_exported(a_row(action=action))["action"] == action


@pytest.mark.parametrize("action", ["DROP TABLE", "a" * 200, "", "naïve", '"'])
def test_what_is_no_word_moves_to_the_details(action: str) -> None:
    line = as_exported(a_row(action=action, details="key=value"))
    assert line["action"] == "action"
    assert line["details"] == f"key=value legacy_action={json.dumps(action, ensure_ascii=False)}"


def test_activity_lines_follow_the_audit_lines(
    store: Store, append: Append, tmp_path: Path, process: ProcessIdentity
) -> None:
    change = rows.activity(
        "config-update",
        process=process,
        now="2026-01-01T00:00:00Z",
        target_type="config",
        target_id="config.yaml",
        before={"mode": "observe"},
        after={"mode": "action"},
    )
    append(Batch(row=change), a_batch())
    lines = exported(store, tmp_path / "1", include_activity=True)
    assert lines[2] == {
        "activity_id": change.id,
        "timestamp": "2026-01-01T00:00:00Z",
        "actor": "cli:operator",
        "action": "config-update",
        "target_type": "config",
        "target_id": "config.yaml",
        "before": {"mode": "observe"},
        "after": {"mode": "action"},
        "diff": [{"path": "/mode", "op": "replace", "before": "observe", "after": "action"}],
    }
    assert len(exported(store, tmp_path / "2")) == 2
    assert len(exported(store, tmp_path / "3", include_activity=True, connector="claudecode")) == 1


def test_the_file_is_new_and_for_its_owner_only(store: Store, append: Append, tmp_path: Path) -> None:
    append(a_batch())
    target = tmp_path / "out.jsonl"
    write_export(store, str(target))
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    before = target.read_bytes()
    with pytest.raises(Conflict, match="exists already"):
        write_export(store, str(target))
    assert target.read_bytes() == before


def test_a_dangling_link_is_not_written_through(store: Store, tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Conflict):
        write_export(store, str(tmp_path / "out"))
    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_that_is_not_there_is_said(store: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="cannot write"):
        write_export(store, str(tmp_path / "nowhere" / "out"))


def test_a_dash_is_standard_output(store: Store, append: Append, capfdbinary: Any) -> None:
    append(a_batch(target="Grüße"))
    assert write_export(store, "-") == 1
    assert json.loads(capfdbinary.readouterr().out)["target"] == "Grüße"


def test_an_export_that_fails_leaves_no_half_file(
    store: Store, append: Append, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(*(a_batch() for _ in range(3)))

    def broken(*_: object, **__: object) -> Any:
        yield a_row()
        raise StoreUnavailable

    monkeypatch.setattr(store, "export", broken)
    with pytest.raises(StoreUnavailable):
        write_export(store, str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()
