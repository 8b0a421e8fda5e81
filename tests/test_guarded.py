"""What is guarded follows setups, removals and rule packs, while its object stays the same otherwise."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from defenseclaw.connectors import files
from defenseclaw.connectors.base import Host, SetupOptions, registry
from defenseclaw.guarded import Guarded


@pytest.fixture
def host(tmp_path: Path) -> Host:
    home = tmp_path / "home"
    home.mkdir()
    return Host(home=home, data_dir=home / "data", env={"PATH": "/nowhere"})


def guarded(host: Host, packs: tuple[str, ...] = ()) -> Guarded:
    return Guarded(host, registry(), (18970,), lambda: packs)


def set_up_cursor(host: Host, workspace: Path) -> None:
    cursor = registry()["cursor"]
    workspace.mkdir(exist_ok=True)
    files.apply(host, cursor, cursor.plan_setup(host, SetupOptions(workspace=workspace, force=True)))


def test_the_settings_of_every_agent_are_guarded_from_the_start(host: Host) -> None:
    paths = guarded(host)().protected_paths
    for name in (".claude/settings.json", ".codex/config.toml", ".cursor/hooks.json"):
        assert str(host.home / name) in paths


def test_a_setup_of_a_project_is_guarded_and_its_removal_ends_that(host: Host, tmp_path: Path) -> None:
    context, hooks = guarded(host), str(tmp_path / "project/.cursor/hooks.json")
    assert hooks not in context().protected_paths
    set_up_cursor(host, tmp_path / "project")
    assert context.take_up(context.read())
    assert hooks in context().protected_paths
    files.restore(host, registry()["cursor"])
    assert context.take_up(context.read())
    assert hooks not in context().protected_paths


def test_the_object_is_the_same_until_something_changes(host: Host, tmp_path: Path) -> None:
    context = guarded(host)
    first = context()
    assert context() is first
    assert not context.take_up(context.read())
    assert context() is first
    set_up_cursor(host, tmp_path / "project")
    context.take_up(context.read())
    assert context() is not first


def test_asking_takes_no_look_at_the_file_system(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    context = guarded(host)

    def looked(*_: object) -> tuple[str, ...]:
        raise AssertionError("the file system was asked")

    for connector in registry().values():
        monkeypatch.setattr(connector, "protected_paths", looked)
    assert context().control_ports == (18970,)


def test_a_pack_taken_into_use_is_guarded_at_once(host: Host) -> None:
    packs: list[tuple[str, ...]] = [()]
    context = Guarded(host, registry(), (18970,), lambda: packs[0])
    assert "/etc/my-pack" not in context().protected_paths
    packs[0] = ("/etc/my-pack",)
    assert "/etc/my-pack" in context().protected_paths


def test_a_damaged_record_opens_nothing(host: Host, tmp_path: Path) -> None:
    context, hooks = guarded(host), str(tmp_path / "project/.cursor/hooks.json")
    set_up_cursor(host, tmp_path / "project")
    context.take_up(context.read())
    for record in files.folder(host, "cursor").glob("*.json"):
        record.write_text(json.dumps({"version": "?"}))
    assert not context.take_up(context.read())
    assert hooks in context().protected_paths


def test_what_a_link_leads_to_is_guarded_too(host: Host, tmp_path: Path) -> None:
    kept = tmp_path / "dotfiles/settings.json"
    kept.parent.mkdir()
    kept.write_text("{}")
    (host.home / ".claude").mkdir()
    (host.home / ".claude/settings.json").symlink_to(kept)
    paths = guarded(host)().protected_paths
    assert {str(kept), str(host.home / ".claude/settings.json")} <= set(paths)


def test_a_setup_changes_a_watched_directory(host: Host, tmp_path: Path) -> None:
    def states() -> list[int]:
        return [each.stat().st_mtime_ns if each.exists() else 0 for each in guarded(host).watched()]

    before = states()
    set_up_cursor(host, tmp_path / "project")
    once = states()
    assert once != before
    set_up_cursor(host, tmp_path / "another")
    assert states() != once
