from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from defenseclaw.verification import process

ENV = {"PATH": "/usr/bin:/bin"}


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A zombie whose parent is gone waits for init; it runs no more.
    return " Z " not in Path(f"/proc/{pid}/stat").read_text() if Path("/proc").is_dir() else True


def gone(pid: int, patience_s: float = 5.0) -> bool:
    deadline = time.monotonic() + patience_s
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not alive(pid)


def test_exit_code_and_output_are_told(tmp_path: Path):
    ended = process.run(["/bin/sh", "-c", "echo out; echo err >&2; exit 3"], ENV, tmp_path, 10)
    assert (ended.exit_code, ended.words) == (3, "ended with exit code 3")
    assert sorted(ended.output.split()) == ["err", "out"]


def test_only_the_end_of_a_long_output_is_kept(tmp_path: Path):
    noisy = "import sys; sys.stdout.write('x' * 1_000_000 + 'end')"
    ended = process.run([sys.executable, "-c", noisy], ENV, tmp_path, 20)
    assert len(ended.output) == process.OUTPUT_BYTES
    assert ended.output.endswith("end")


def test_there_is_nothing_on_stdin(tmp_path: Path):
    assert process.run(["/bin/sh", "-c", "wc -c"], ENV, tmp_path, 10).output.strip() == "0"


def test_what_does_not_start_is_told(tmp_path: Path):
    ended = process.run([str(tmp_path / "none")], ENV, tmp_path, 10)
    assert (ended.exit_code, ended.words) == (None, "could not be started: No such file or directory")


@pytest.mark.parametrize("ignoring", ["", "trap '' TERM; "], ids=["obedient", "deaf-to-sigterm"])
def test_what_takes_too_long_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ignoring: str):
    monkeypatch.setattr(process, "_GRACE_S", 0.2)
    began = time.monotonic()
    ended = process.run(["/bin/sh", "-c", f"{ignoring}echo $$; sleep 60 & wait"], ENV, tmp_path, 0.5)
    assert time.monotonic() - began < 5
    assert (ended.exit_code, ended.words) == (None, "did not end within 0 s")
    assert gone(int(ended.output))


def test_a_child_that_left_the_group_is_ended_too(tmp_path: Path):
    starting = "import subprocess; print(subprocess.Popen(['sleep', '60'], start_new_session=True).pid)"
    ended = process.run([sys.executable, "-c", starting], ENV, tmp_path, 20)
    assert ended.exit_code == 0
    assert gone(int(ended.output))


def test_the_environment_holds_no_credential_and_leads_nowhere():
    own = {
        "HOME": "/home/dev",
        "EDITOR": "vi",
        "ANTHROPIC_API_KEY": "theirs",
        "GITHUB_TOKEN": "theirs",
        "AWS_SECRET_ACCESS_KEY": "theirs",
        "aws_session_token": "theirs",
        "PGPASSWORD": "theirs",
        "HTTPS_PROXY": "http://proxy.example.net",
        "all_proxy": "http://proxy.example.net",
        "NO_PROXY": "example.net",
        "KEYBOARD": "kept",
    }
    env = process.environment(own, "http://127.0.0.1:9", {"ANTHROPIC_API_KEY": "of this run"})
    assert {name for name, value in env.items() if "theirs" in value or "example.net" in value} == set()
    assert (env["HOME"], env["EDITOR"], env["KEYBOARD"]) == ("/home/dev", "vi", "kept")
    assert env["ANTHROPIC_API_KEY"] == "of this run"
    assert env["https_proxy"] == env["HTTPS_PROXY"] == env["ALL_PROXY"] == "http://127.0.0.1:9"
    assert "127.0.0.1" in env["NO_PROXY"]
