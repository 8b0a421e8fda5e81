"""The real Claude Code, governed: what it is denied never happens, what it is allowed does."""

from __future__ import annotations

import pytest
from tests.e2e.claude import ClaudeAgent
from tests.e2e.contract import Agent, Contract, OwnLimit, SubAgents

pytestmark = [pytest.mark.smoke, pytest.mark.agent("claude-code")]


@pytest.fixture
def agent(claude: ClaudeAgent) -> ClaudeAgent:
    claude.prepare()
    return claude


class TestClaudeCode(Contract, OwnLimit, SubAgents):
    """The contract, and what only Claude Code has."""

    def test_the_agents_environment_tightens_the_fail_mode_and_never_loosens_it(self, action: Agent) -> None:
        action.product.stop()
        action.model.script = [action.shell("touch harmless-ran")]
        action.run(DEFENSECLAW_FAIL_MODE="open")
        assert not action.ran("harmless-ran")
