from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
from tests.cli.conftest import Machine

from defenseclaw.cli import cli, context
from defenseclaw.cli.commands import scan
from defenseclaw.vocabulary import Severity

COMMANDS = {
    "alerts", "audit", "config", "doctor", "explain", "init", "keys", "quickstart", "rules", "scan",
    "setup", "status", "uninstall", "verify", "version",
}  # fmt: skip
HEAVY = (
    "sqlalchemy", "alembic", "uvicorn", "re2", "cel_expr_python", "ruamel",
    "rich", "yaml", "msgspec", "watchfiles", "http.client", "asyncio",
)  # fmt: skip


def test_help_lists_every_command_with_its_purpose(machine: Machine):
    shown = machine.run("--help").stdout
    listed = {
        line.split()[0]: line.split(maxsplit=1)[1]
        for line in shown.partition("Commands:")[2].splitlines()
        if line
    }
    assert set(listed) == COMMANDS


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
def test_help_imports_nothing_heavy(machine: Machine, arguments: list[str]):
    code = (
        "import sys\n"
        "from defenseclaw.cli import cli\n"
        f"try: cli({arguments!r})\n"
        "except SystemExit: pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    env = {"HOME": str(machine.home), "PATH": os.environ["PATH"]}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_scan_can_fail_on_every_severity():
    assert [each.value for each in Severity if each is not Severity.NONE] == list(scan.LEVELS)


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_explains_itself(machine: Machine, command: str):
    assert "Usage:" in machine.run(command, "-h").stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["alerts", "--limit", "0"],
        ["setup", "claude-code", "--mode", "block"],
        ["config", "get"],
    ],
)
def test_wrong_usage_is_exit_code_2(machine: Machine, arguments: list[str]):
    assert "Usage:" in machine.run(*arguments, code=2).stderr


def test_an_expected_error_is_one_line_and_a_hint(machine: Machine):
    done = machine.run("config", "get", "guardrail.moed", code=1)
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "error: `guardrail.moed` is not a configuration key",
        "  hint: did you mean guardrail.mode or guardrail.enabled or guardrail.connector?",
    ]


def test_a_system_error_names_the_file(machine: Machine):
    machine.data.mkdir()
    (machine.data / "audit.db").write_text("this is not a store, and never was one" * 100)
    done = machine.run("alerts", code=1)
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


def test_interruption_is_exit_code_130(machine: Machine, monkeypatch: pytest.MonkeyPatch):
    def interrupted(_env: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(context.App, "from_env", interrupted)
    machine.run("status", code=130)


def test_a_closed_pipe_is_quiet(machine: Machine):
    machine.run("init")
    command = (
        f"{shlex.quote(sys.executable)} -c 'from defenseclaw.cli import main; main()' config show | true"
    )
    env = {name: value for name, value in machine.env.items() if value is not None}
    done = subprocess.run(["/bin/sh", "-c", command], env=env, capture_output=True, text=True, check=False)
    assert done.stderr == ""


def test_every_option_has_help():
    undocumented = []
    with click.Context(cli) as ctx:
        for name in cli.list_commands(ctx):
            command = cli.get_command(ctx, name)
            assert command is not None
            subs = [command]
            if isinstance(command, click.Group):
                subs += [
                    each for sub in command.list_commands(ctx) if (each := command.get_command(ctx, sub))
                ]
            undocumented += [
                f"{each.name} {option.name}"
                for each in subs
                for option in each.params
                if isinstance(option, click.Option) and not option.help
            ]
    assert undocumented == []


def test_no_home_is_an_expected_error(machine: Machine):
    done = machine.run("status", code=1, HOME="")
    assert "no home directory" in done.stderr


def test_the_config_can_live_elsewhere(machine: Machine, tmp_path: Path):
    elsewhere = tmp_path / "etc" / "dc.yaml"
    machine.run("init", DEFENSECLAW_CONFIG=str(elsewhere))
    assert elsewhere.exists()
    assert not machine.config.exists()
