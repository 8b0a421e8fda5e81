"""What lets an agent work outside of our hooks, where it depends on what is guarded and on who calls."""

import time

import pytest

from defenseclaw import packs
from defenseclaw.detection import ungoverned
from defenseclaw.detection.engine import detect, run
from defenseclaw.detection.facts import Need, Snapshot
from defenseclaw.vocabulary import Door, Event, EventKind, HostContext

HOME = "/home/dev"
PROJECT = f"{HOME}/project"
RULES = packs.load("default")


def found(command, *, protected=(), connector="", cwd=PROJECT, files=None):
    host = HostContext(
        home=HOME, data_dir=f"{HOME}/.defenseclaw", protected_paths=protected, control_ports=(18970,)
    )
    event = Event(
        kind=EventKind.TOOL_CALL,
        door=Door.HOOK,
        connector=connector,
        tool="Bash",
        args={"command": command},
        cwd=cwd,
    )

    def answer(need: Need) -> Snapshot:
        content = (files or {}).get(need.path)
        if content is None:
            return Snapshot(real_path=need.path)
        return Snapshot(real_path=need.path, exists=True, kind="file", content=content.encode())

    return {each.rule_id for each in run(detect(event, RULES, host), answer).findings}


@pytest.mark.parametrize(
    ("command", "guarded"),
    [
        ("CODEX_HOME=/srv/codex codex exec hi", "/srv/codex/config.toml"),
        ("CLAUDE_CONFIG_DIR=/srv/c claude -p hi", "/srv/c/settings.json"),
        ("COPILOT_HOME=/srv/c copilot -p hi", "/srv/c/hooks/defenseclaw.json"),
        ("GEMINI_CLI_HOME=/srv/g gemini -p hi", "/srv/g/.gemini/settings.json"),
        ("HERMES_HOME=/srv/h hermes", "/srv/h/config.yaml"),
        ("XDG_CONFIG_HOME=/srv/x opencode run hi", "/srv/x/opencode/plugins/defenseclaw.js"),
        ("hermes -p work chat", f"{HOME}/.hermes/profiles/work/config.yaml"),
        ("hermes profile use work", f"{HOME}/.hermes/profiles/work/config.yaml"),
    ],
)
def test_a_home_that_was_set_up_is_as_good_as_the_usual_one(command, guarded):
    assert "SELF-PROTECT-AGENT" in found(command)
    assert "SELF-PROTECT-AGENT" not in found(command, protected=(guarded,))


@pytest.mark.parametrize(
    "value", ["$HOME", "~", HOME, f"{HOME}/", f"{PROJECT}/..", "/proc/self/root/home/dev"]
)
def test_other_spellings_of_the_same_home_are_harmless(value):
    assert "SELF-PROTECT-AGENT" not in found(f"HOME={value} claude -p hi")


@pytest.mark.parametrize(
    "command",
    [
        'mv "$PWD" ../x',
        "cd .. && mv project x",
        'rm -rf "$PWD"',
        "cd /tmp && rm -rf /home/dev/project",
        "rm -rf ../project",
        "mv /home/dev /home/x",
        "python3 -c 'import shutil; shutil.rmtree(\"/home/dev/project\")'",
    ],
)
def test_the_directory_of_a_session_is_needed_by_agents_that_start_hooks_in_it(command):
    assert "SELF-PROTECT-HOOKS" in found(command, connector="openhands")
    assert "SELF-PROTECT-HOOKS" not in found(command, connector="codex")


@pytest.mark.parametrize(
    "command",
    [
        "rm -rf build",
        'rm -rf "$PWD"/*',
        "find . -name '*.pyc' -delete",
        "rsync -a --delete new/ .",
        "mv src lib",
        "cd build && rm -rf ../dist",
        "mkdir -p /tmp/x && cd /tmp/x && rm -rf /tmp/x",
        "git clean -fd",
    ],
)
def test_what_is_in_the_directory_of_a_session_may_go(command):
    assert "SELF-PROTECT-HOOKS" not in found(command, connector="openhands")


def test_an_address_in_a_configuration_file_of_curl_counts():
    files = {f"{PROJECT}/c.cfg": "silent\nurl = http://127.0.0.1:18970/enforce/allow\n"}
    assert "SELF-PROTECT-API" in found("curl -K c.cfg", files=files)
    assert "SELF-PROTECT-API" in found("curl --config ./c.cfg", files=files)
    assert "SELF-PROTECT-API" not in found("cat c.cfg", files=files)
    assert "SELF-PROTECT-API" not in found("curl -K other.cfg", files=files)


@pytest.mark.parametrize(
    "text",
    [
        "hooksConfig: { a disabled: " * 9000,
        "disableAllHooks    " * 12000,
        "hooks   " * 30000,
        "GEMINI_CLI_SYSTEM_SETTINGS_PATH   \n" * 7000,
        "\n" * 240000,
        '{"hooksConfig":' + "[" * 200000,
    ],
    ids=["hooksConfig", "disableAllHooks", "hooks", "names", "lines", "nested"],
)
@pytest.mark.parametrize(
    "name",
    [".claude/settings.json", ".gemini/settings.json", ".codex/config.toml", ".agents/hooks.json", ".env"],
)
def test_hostile_settings_take_no_time(name, text):
    path = f"{PROJECT}/{name}"
    settings = ungoverned.settings_of(path)
    assert settings is not None
    assert settings.off is not None
    began = time.perf_counter()
    settings.off(text)
    assert time.perf_counter() - began < 0.5
