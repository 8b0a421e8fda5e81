"""A first hour, scripted: two terminals, the documented commands, the real agent, and no trace at the end."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import pytest
from tests.e2e.agents import REPOSITORY
from tests.e2e.conftest import Claude
from tests.e2e.product import kill_group
from tests.e2e.test_claude_code import DANGEROUS, bash, dangerous_ran

pytestmark = pytest.mark.smoke


def test_first_hour(claude: Claude) -> None:
    product = claude.product
    (product.home / ".aws").mkdir()
    (product.home / ".aws" / "credentials").write_text("made-up\n")
    settings = product.home / ".claude" / "settings.json"
    settings.parent.mkdir()
    settings.write_text('{\n    "model": "sonnet",\n\t"permissions": {"allow": []}\n}\n\n')
    original = settings.read_bytes()
    before = product.tree()
    product.init()

    terminal = product.root / "terminal-1.txt"
    with terminal.open("wb") as out:
        run = subprocess.Popen(
            ["make", "run", "MODE=action"],
            cwd=REPOSITORY,
            env=product.env,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_for(lambda: "defenseclaw setup claude-code" in terminal.read_text(), "the next step is printed")
        product.wait_ready()

        # second terminal
        said = product.cli("setup", "claude-code", "--mode", "action", "--yes").stdout
        assert "closed" in said
        claude.model.script = [bash(DANGEROUS)]
        claude.run()
        assert not dangerous_ran(product)
        wait_for(lambda: "PATH-AWS-CREDS" in terminal.read_text(), "the verdict is shown as it happens")

        (alert, *_) = product.cli_json("alerts")
        assert "PATH-AWS-CREDS" in str(alert)
        explained = product.cli("explain", alert["evaluation_id"]).stdout
        assert "PATH-AWS-CREDS" in explained
        assert "AWS" in explained
    finally:
        os.killpg(run.pid, signal.SIGINT)
        try:
            run.wait(timeout=20)
        except subprocess.TimeoutExpired:
            kill_group(run)

    # the gateway is gone: action mode said it fails closed
    claude.model.script = [bash("touch harmless-ran")]
    claude.run()
    assert not (product.project / "harmless-ran").exists()

    product.cli("uninstall", "--yes", "--all")
    assert settings.read_bytes() == original
    agents_own = (".claude/", ".claude.json")
    left = {name: body for name, body in product.tree().items() if not name.startswith(agents_own)}
    assert left == {name: body for name, body in before.items() if not name.startswith(agents_own)}
    assert not product.data.exists()
    claude.model.script = [bash("touch harmless-ran")]
    claude.run()
    assert (product.project / "harmless-ran").exists()


def wait_for(condition, what: str, timeout_s: float = 30) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)
