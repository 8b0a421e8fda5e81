"""Whatever breaks, doctor names it and the command that mends it; the command is typed, and it does."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Machine

from defenseclaw.connectors import hookscript

PROGRAMS = Path(sys.executable).parent
HOOK = ".defenseclaw/hooks/claude-code-hook.sh"


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def complaints(machine: Machine) -> dict[str, dict[str, Any]]:
    """What doctor has to say against the machine, by label."""
    report = machine.json("doctor", code=None)
    return {row["label"]: row for row in report["checks"] if row["status"] in ("fail", "warn")}


def typed(machine: Machine, commands: str) -> None:
    """Type commands as they are printed, and answer yes."""
    env = {name: value for name, value in machine.env.items() if value is not None}
    done = subprocess.run(
        ["/bin/sh", "-c", commands],
        env={**env, "PATH": f"{PROGRAMS}:{machine.bin}:/usr/bin:/bin"},
        input="y\n",
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, (commands, done.stdout, done.stderr)


@pytest.fixture
def governed(machine: Machine) -> Iterator[Machine]:
    """Claude Code in action mode; no gateway runs, and whatever a test starts is stopped."""
    machine.with_claude().run("init")
    machine.run("config", "set", "gateway.api_port", str(free_port()))
    machine.run("setup", "claude-code", "--mode", "action", "--yes")
    yield machine
    typed(machine, "defenseclaw-gateway stop")


def edit_settings(machine: Machine) -> None:
    text = machine.claude_settings.read_text()
    machine.claude_settings.write_text(text.replace("PreToolUse", "PreToolUseNot", 1))


def lose_backups(machine: Machine) -> None:
    for path in (machine.data / "connector_backups" / "claudecode").iterdir():
        path.unlink()


def damage_backups(machine: Machine) -> None:
    for path in (machine.data / "connector_backups" / "claudecode").iterdir():
        path.write_text(path.read_text().replace('"existed": true', '"existed": false'))


def put(name: str, text: str) -> Callable[[Machine], object]:
    return lambda machine: (machine.home / name).write_text(text)


def unlink(name: str) -> Callable[[Machine], object]:
    return lambda machine: (machine.home / name).unlink()


def chmod(name: str, mode: int) -> Callable[[Machine], object]:
    return lambda machine: (machine.home / name).chmod(mode)


@pytest.mark.parametrize(
    ("damage", "label", "status", "mend"),
    [
        pytest.param(put(HOOK, "#!/bin/sh\n# defenseclaw-managed-hook v1\nexit 0\n"), "Hook script", "fail",
                     "defenseclaw setup claude-code", id="edited hook script"),
        pytest.param(unlink(HOOK), "Hook script", "fail", "defenseclaw setup claude-code",
                     id="deleted hook script"),
        pytest.param(chmod(HOOK, 0o600), "Hook script", "fail", "defenseclaw setup claude-code",
                     id="hook script that cannot run"),
        pytest.param(unlink(".defenseclaw/hooks/.hook-claudecode.token"), "Hook runtime", "fail",
                     "defenseclaw setup claude-code", id="deleted hook token"),
        pytest.param(put(".defenseclaw/hooks/.hook-claudecode.token", "x"), "Hook runtime", "fail",
                     "defenseclaw setup claude-code", id="damaged hook token"),
        pytest.param(put(".defenseclaw/hooks/.runtime-claudecode.conf", "fail_mode=open\n"), "Hook runtime",
                     "warn", "defenseclaw setup claude-code", id="loosened fail mode"),
        pytest.param(unlink(".defenseclaw/hooks/.curl-claudecode.conf"), "Hook runtime", "fail",
                     "defenseclaw setup claude-code", id="deleted curl configuration"),
        pytest.param(unlink(".defenseclaw/.env"), "Gateway token", "fail", "defenseclaw init",
                     id="deleted gateway token"),
        pytest.param(edit_settings, "Hook entries", "fail", "defenseclaw setup claude-code",
                     id="settings entry removed"),
        pytest.param(put(".defenseclaw/.disabled", ""), "Hooks", "fail", "rm ", id="hooks switched off"),
        pytest.param(chmod(".defenseclaw", 0o755), "Data directory", "fail", "chmod", id="open directory"),
        pytest.param(chmod(".defenseclaw/device.key", 0o644), "Data directory", "fail", "chmod",
                     id="open key"),
        pytest.param(chmod(".defenseclaw/hooks/.curl-claudecode.conf", 0o640), "Data directory", "fail",
                     "chmod", id="open hook token"),
        pytest.param(lose_backups, "Originals [claudecode]", "warn", "defenseclaw setup claude-code",
                     id="lost originals"),
        pytest.param(damage_backups, "Originals [claudecode]", "fail", "rm -r", id="damaged originals"),
        pytest.param(
            lambda m: m.config.write_text(m.config.read_text().replace(": default", ": nowhere")),
            "Rule pack [nowhere]", "fail", "config set guardrail.rule_pack_dir default",
            id="unknown rule pack"),
        pytest.param(
            lambda m: m.config.write_text(
                m.config.read_text().replace("mode: action", "mode: action\n      rule_pack_dir: unknown")
            ),
            "Rule pack [unknown]", "fail", "rule_pack_dir --unset", id="unknown rule pack of one agent"),
    ],
)  # fmt: skip
def test_what_breaks_is_named_and_mended(
    governed: Machine, damage: Callable[[Machine], object], label: str, status: str, mend: str
):
    assert set(complaints(governed)) == {"Sidecar API"}
    damage(governed)
    row = complaints(governed)[label]
    assert row["status"] == status
    assert mend in row["mend"]
    typed(governed, row["mend"])
    assert set(complaints(governed)) == {"Sidecar API"}


def test_lost_originals_are_cleaned_of_our_entries(governed: Machine):
    lose_backups(governed)
    governed.run("setup", "claude-code", "--yes")
    governed.run("setup", "remove", "claude-code", "--yes")
    assert governed.claude_settings.read_text() == '{"model": "opus"}'


def test_a_gateway_that_is_down(governed: Machine):
    row = complaints(governed)["Sidecar API"]
    assert row["mend"] == "defenseclaw-gateway start"
    typed(governed, row["mend"])
    assert complaints(governed) == {}


def test_a_port_that_another_program_took(governed: Machine):
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        governed.run("config", "set", "gateway.api_port", str(other.getsockname()[1]))
        row = complaints(governed)["Sidecar API"]
        assert "another program" in row["detail"]
        typed(governed, row["mend"])
        assert complaints(governed) == {}


def test_a_damaged_store_is_kept_aside(governed: Machine):
    content = b"this is no database" * 500
    (governed.data / "audit.db").write_bytes(content)
    for name in ("audit.db-wal", "audit.db-shm"):
        (governed.data / name).unlink(missing_ok=True)
    row = complaints(governed)["Audit store"]
    assert row["status"] == "fail"
    typed(governed, row["mend"])
    assert complaints(governed) == {}
    (kept,) = governed.data.glob("damaged-*/audit.db")
    assert kept.read_bytes() == content


def test_a_broken_configuration_names_line_and_key(governed: Machine):
    text = governed.config.read_text()
    governed.config.write_text(text.replace("mode: observe", "mode: off"))
    row = complaints(governed)["Configuration"]
    assert f"{governed.config}:9: guardrail.mode" in row["detail"]
    assert str(governed.config) in row["mend"]


@pytest.mark.parametrize(
    ("version", "status", "says"),
    [
        ("1.0.9", "fail", "older than"),
        ("3.0.0", "warn", "last proven with"),
        ("2.1.999", None, ""),
    ],
)
def test_another_version_of_the_agent(governed: Machine, version: str, status: str | None, says: str):
    (governed.bin / "claude").write_text(f'#!/bin/sh\necho "{version} (Claude Code)"\n')
    row = complaints(governed).get("Claude Code", {})
    assert row.get("status") == status
    assert says in row.get("detail", "")


def test_an_agent_that_was_uninstalled(governed: Machine):
    (governed.bin / "claude").unlink()
    row = complaints(governed)["Claude Code"]
    typed(governed, row["mend"])
    assert set(complaints(governed)) == {"Sidecar API"}


def test_no_curl(governed: Machine, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(hookscript, "CURL_PATHS", (str(governed.root / "curl"),))
    found = complaints(governed)
    assert found["curl"]["status"] == "fail"
    assert "curl" in found["curl"]["mend"]
