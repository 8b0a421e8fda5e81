"""A first hour, scripted: two terminals, the documented commands, the real agent, and no trace at the end."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import pytest
from tests.e2e.agents import REPOSITORY
from tests.e2e.claude import SETTINGS, ClaudeAgent
from tests.e2e.contract import DANGEROUS, plant_credentials
from tests.e2e.product import kill_group

pytestmark = [pytest.mark.smoke, pytest.mark.agent("claude-code")]


@pytest.mark.cell("teardown")
def test_first_hour(claude: ClaudeAgent) -> None:
    product = claude.product
    plant_credentials(product)
    claude.prepare()
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
        claude.model.script = [claude.shell(DANGEROUS)]
        claude.run()
        assert not claude.ran()
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
    claude.model.script = [claude.shell("touch harmless-ran")]
    claude.run()
    assert not claude.ran("harmless-ran")

    product.cli("uninstall", "--yes", "--all")
    assert claude.settings.read_text() == SETTINGS
    agents_own = (".claude/", ".claude.json")
    left = {name: body for name, body in product.tree().items() if not name.startswith(agents_own)}
    assert left == {name: body for name, body in before.items() if not name.startswith(agents_own)}
    assert not product.data.exists()
    claude.model.script = [claude.shell("touch harmless-ran")]
    claude.run()
    assert claude.ran("harmless-ran")


def wait_for(condition, what: str, timeout_s: float = 30) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)
