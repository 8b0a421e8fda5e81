"""How agents are run for a verification: where that cannot be, and that nothing of theirs is used."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from defenseclaw.connectors import files
from defenseclaw.connectors.base import Connector, Host, SetupOptions, registry
from defenseclaw.connectors.canary import Canary, Stage
from defenseclaw.connectors.claudecode import ClaudeCode

RUNNABLE = sorted(name for name, connector in registry().items() if connector.canary is not None)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    scratch = tmp_path / "defenseclaw-verify-00"
    (scratch / "project").mkdir(parents=True)
    return Stage(
        executable="/usr/bin/agent",
        version="1.2.3",
        model_url="http://127.0.0.1:4321",
        key="key-of-this-run",
        task="Do step 0123456789abcdef.",
        session_id="0b6f1e1a-1111-4222-8333-444455556666",
        project=scratch / "project",
        scratch=scratch,
    )


def canary_of(connector: Connector) -> Canary:
    assert connector.canary is not None
    return connector.canary


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_these_agents_can_be_run():
    assert RUNNABLE == [
        "claudecode", "codex", "copilot", "geminicli", "hermes", "opencode", "openhands",
    ]  # fmt: skip


@pytest.mark.parametrize("name", RUNNABLE)
def test_the_model_is_ours_and_the_key_is_in_no_argument_but_a_setting(name: str, host: Host, stage: Stage):
    connector = registry()[name]
    canary = canary_of(connector)
    assert canary.hindrance(host, stage) == ""
    launch = canary.launch(host, stage, "a prompt")
    assert launch.arguments[0] == stage.executable
    assert "a prompt" in launch.arguments
    assert "127.0.0.1:4321" in " ".join([*launch.arguments, *launch.env.values()])
    assert stage.key in " ".join(launch.env.values())


@pytest.mark.parametrize("name", RUNNABLE)
def test_the_events_are_ones_the_connector_can_stop(name: str):
    connector = registry()[name]
    canary = canary_of(connector)
    assert {canary.before_call, canary.on_prompt} <= connector.block_events | {""}
    assert canary.after_call in connector.replace_events | {""}


def codex_profile(host: Host) -> None:
    write(host.home / ".codex" / "config.toml", 'profile = "my own"\n')


def gemini_account(host: Host) -> None:
    settings = host.home / "system.json"
    write(settings, '{"security": {"auth": {"enforcedType": "oauth-personal"}}} // fixed')


def hermes_env(host: Host) -> None:
    write(host.home / ".hermes" / ".env", "A=1\nexport LM_BASE_URL=http://192.0.2.1\n")


def nothing(host: Host) -> None:
    del host


@pytest.mark.parametrize(
    ("name", "arrange", "env", "why"),
    [
        ("codex", codex_profile, {}, "profile"),
        ("geminicli", gemini_account, {"GEMINI_CLI_SYSTEM_SETTINGS_PATH": "system.json"}, "oauth-personal"),
        ("hermes", hermes_env, {}, "LM_BASE_URL"),
        ("opencode", nothing, {"OPENCODE_CONFIG_CONTENT": "{}"}, "OPENCODE_CONFIG_CONTENT"),
    ],
    ids=["codex", "geminicli", "hermes", "opencode"],
)
def test_where_the_model_cannot_be_ours_it_says_so(
    name: str, arrange: Callable[[Host], None], env: dict[str, str], why: str, host: Host, stage: Stage
):
    arrange(host)
    paths = {key: str(host.home / value) if value.endswith(".json") else value for key, value in env.items()}
    there = Host(home=host.home, data_dir=host.data_dir, env={**host.env, **paths})
    assert why in canary_of(registry()[name]).hindrance(there, stage)


def test_an_organisation_may_fix_claude_codes_endpoint(host: Host, stage: Stage, tmp_path: Path):
    claude = ClaudeCode()
    claude.managed_settings_dirs = (tmp_path / "managed",)
    assert canary_of(claude).hindrance(host, stage) == ""
    write(tmp_path / "managed" / "managed-settings.json", '{"env": {"CLAUDE_CODE_USE_BEDROCK": "1"}}')
    assert "CLAUDE_CODE_USE_BEDROCK" in canary_of(claude).hindrance(host, stage)


def test_a_profile_of_codex_is_given_the_model_too(host: Host, stage: Stage):
    write(host.home / ".codex" / "config.toml", 'profile = "work"\n')
    arguments = canary_of(registry()["codex"]).launch(host, stage, "p").arguments
    assert 'profiles.work.model_provider="defenseclaw_canary"' in arguments


def test_copilots_servers_are_left_alone(host: Host, stage: Stage):
    write(host.home / ".copilot" / "mcp-config.json", '{"mcpServers": {"notes": {}}}')
    arguments = canary_of(registry()["copilot"]).launch(host, stage, "p").arguments
    assert arguments[arguments.index("--disable-mcp-server") + 1] == "notes"


def test_hermes_forgets_the_provider_of_the_run_and_no_other(host: Host, stage: Stage):
    path = host.home / ".hermes" / "auth.json"
    others = {
        "credential_pool": {"lmstudio": [{"base_url": "http://192.0.2.1/v1"}], "x": []},
        "providers": {},
    }
    noted = json.loads(json.dumps(others))
    noted["credential_pool"]["lmstudio"].append({"base_url": f"{stage.model_url}/v1"})
    write(path, json.dumps(noted))
    canary_of(registry()["hermes"]).tidy(host, stage)
    assert json.loads(path.read_text()) == others


def test_hermes_transcripts_of_the_run_are_traces_and_no_others(host: Host, stage: Stage):
    live = host.home / ".hermes" / "cache" / "delegation" / "live"
    write(live / "deleg_1" / "task-0.log", f"goal: {stage.task}\n")
    write(live / "deleg_2" / "task-0.log", "goal: Do step 1.\n")
    assert list(canary_of(registry()["hermes"]).traces(host, stage)) == [live / "deleg_1"]


@pytest.mark.parametrize("content", ["", "[]", "{", '{"credential_pool": 3}', '{"credential_pool": {}}'])
def test_hermes_file_of_any_other_shape_is_left_as_it_is(content: str, host: Host, stage: Stage):
    path = host.home / ".hermes" / "auth.json"
    write(path, content)
    canary_of(registry()["hermes"]).tidy(host, stage)
    assert path.read_text() == content


def suspects(name: str, host: Host, stage: Stage) -> str:
    return "\n".join(canary_of(registry()[name]).suspects(host, stage))


@pytest.mark.parametrize(
    ("name", "path", "text", "named"),
    [
        ("opencode", ".opencode/plugins/theirs.ts", "", ".opencode/plugins/theirs.ts"),
        ("opencode", ".opencode/plugin/theirs.js", "", ".opencode/plugin/theirs.js"),
        ("opencode", "opencode.jsonc", '{"plugin": ["theirs"]} // a comment', "opencode.jsonc"),
        ("opencode", ".opencode/opencode.json", '{"plugin": ["theirs"]}', ".opencode/opencode.json"),
        ("openhands", ".openhands/hooks.json", "{broken", ".openhands/hooks.json"),
        ("openhands", ".env", "A=1\nexport OPENHANDS_WORK_DIR=elsewhere\n", ".env"),
        ("hermes", ".hermes/plugins/theirs/plugin.yaml", "", ".hermes/plugins/theirs"),
    ],
)
def test_what_of_a_project_may_be_the_reason_is_named(
    name: str, path: str, text: str, named: str, host: Host, stage: Stage
):
    assert suspects(name, host, stage) == ""
    write(stage.project / path, text)
    assert str(stage.project / named) in suspects(name, host, stage)


def test_a_plugin_of_opencode_counts_in_directories_above_the_project(host: Host, stage: Stage):
    above = stage.project.parent / ".opencode" / "plugins" / "defenseclaw.js"
    write(above, "")
    assert str(above) in suspects("opencode", host, stage)


@pytest.mark.parametrize(
    ("name", "path", "text"),
    [
        ("opencode", "opencode.json", '{"model": "theirs"}'),
        ("opencode", "opencode.json", "{broken"),
        ("opencode", ".opencode/plugins/notes.md", ""),
        ("openhands", ".env", "# OPENHANDS_WORK_DIR=elsewhere\n"),
        ("hermes", ".hermes/plugins/empty/notes.md", ""),
    ],
    ids=["no plugins", "broken", "no plugin", "comment", "no manifest"],
)
def test_other_files_of_a_project_are_no_reason(name: str, path: str, text: str, host: Host, stage: Stage):
    write(stage.project / path, text)
    assert suspects(name, host, stage) == ""


def test_of_many_plugins_some_are_named(host: Host, stage: Stage):
    for number in range(50):
        write(stage.project / ".opencode" / "plugins" / f"{number}.js", "")
        write(stage.project / ".hermes" / "plugins" / str(number) / "plugin.yaml", "")
    assert suspects("opencode", host, stage).count(".js") == 8
    assert suspects("hermes", host, stage).count("/plugins/") == 8


@pytest.mark.parametrize("name", ["copilot", "opencode", "openhands"])
def test_a_projects_setup_is_verified_in_the_project(name: str, host: Host, stage: Stage):
    connector = registry()[name]
    canary = canary_of(connector)
    assert canary.project(host) is None
    options = SetupOptions(workspace=stage.project, force=True)
    files.apply(host, connector, connector.plan_setup(host, options))
    assert canary.project(host) == stage.project
    assert suspects(name, host, stage) == ""
