from __future__ import annotations

import stat

import pytest
from tests.cli.conftest import Machine

NAME = "DEFENSECLAW_GATEWAY_TOKEN"
VALUE = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("options", "stdin"),
    [
        pytest.param(["--stdin"], f"{VALUE}\n", id="from standard input"),
        pytest.param([], f"{VALUE}\n", id="from the prompt"),
        pytest.param(["--value", VALUE], "", id="on the command line"),
    ],
)
def test_stores_owner_only_and_shows_it_masked(machine: Machine, options: list[str], stdin: str):
    done = machine.run("keys", "set", NAME, *options, stdin=stdin)
    path = machine.data / ".env"
    assert path.read_text() == f"{NAME}={VALUE}\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert VALUE not in done.output
    assert "0123…cdef" in done.stdout
    assert ("process list" in done.stderr) is ("--value" in options)


def test_replaces_and_keeps_other_lines(machine: Machine):
    machine.run("keys", "set", "OTHER", "--stdin", stdin="x\n")
    machine.run("keys", "set", NAME, "--stdin", stdin="a" * 32)
    assert "replaced" in machine.run("keys", "set", NAME, "--stdin", stdin=VALUE).stdout
    assert (machine.data / ".env").read_text() == f"OTHER=x\n{NAME}={VALUE}\n"


@pytest.mark.parametrize(
    ("name", "stdin", "options", "code", "says"),
    [
        (NAME, "", ["--stdin"], 1, "no value"),
        (NAME, "short\n", ["--stdin"], 1, "shorter than 16"),
        ("NOT A NAME", f"{VALUE}\n", ["--stdin"], 1, "not a variable name"),
        ("KEY", "a\x1bb\n", ["--stdin"], 1, "control characters"),
        (NAME, "", ["--stdin", "--value", VALUE], 2, "exclude each other"),
    ],
)
def test_refuses(machine: Machine, name: str, stdin: str, options: list[str], code: int, says: str):
    refused = machine.run("keys", "set", name, *options, stdin=stdin, code=code)
    assert says in refused.stderr
    assert VALUE not in refused.output
    assert not (machine.data / ".env").exists()


def test_warns_about_what_has_no_effect(machine: Machine):
    said = machine.run("keys", "set", NAME, "--stdin", stdin=VALUE, **{NAME: "b" * 32}).stderr
    assert "the environment wins" in said
    assert "not a name DefenseClaw reads" in machine.run("keys", "set", "FOO", "--stdin", stdin="x").stderr


def test_lists_sources_and_never_values(machine: Machine):
    machine.run("keys", "set", NAME, "--stdin", stdin=VALUE)
    shown = machine.run("keys", "list", OPENCLAW_GATEWAY_TOKEN="c" * 32)
    assert VALUE not in shown.output
    assert "c" * 32 not in shown.output
    rows = {row["env_name"]: row for row in machine.json("keys", "list")}
    assert (rows[NAME]["source"], rows[NAME]["set"]) == ("dotenv", True)
    assert (rows["OPENCLAW_GATEWAY_TOKEN"]["source"], rows["OPENCLAW_GATEWAY_TOKEN"]["set"]) == (
        "unset",
        False,
    )
