"""Each sabotage is tried on each real agent, or a reason says why not; no agent is run for this."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import pytest
from tests.e2e import matrix, test_verify
from tests.e2e.test_verify import Sabotage, Verification, Way

AGENTS = test_verify.verified_agents()


def test_every_agent_has_a_way_or_a_reason_for_every_sabotage() -> None:
    assert list(test_verify.gaps(AGENTS)) == []
    assert AGENTS.keys() <= matrix.AGENTS.keys()


@pytest.mark.parametrize("agent", sorted(AGENTS))
def test_every_way_is_there_and_is_tried_once(agent: str) -> None:
    every = [(way.method, way.fail_mode) for ways in AGENTS[agent].ways.values() for way in ways]
    assert len(set(every)) == len(every)
    assert all(callable(getattr(AGENTS[agent], method)) for method, _ in every)


def test_a_reason_is_of_an_agent_and_not_empty() -> None:
    for table in (test_verify.LACKS, test_verify.WITHSTANDS):
        assert table.keys() <= matrix.AGENTS.keys()
        assert all(reason for reasons in table.values() for reason in reasons.values())


def test_what_is_silent_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    without = {agent: each for agent, each in AGENTS.items() if agent != "hermes"}
    assert list(test_verify.gaps(without)) == [f"hermes, {each}: no way, no reason" for each in Sabotage]

    class Poor(AGENTS["copilot"]):  # type: ignore[name-defined,misc]
        ways: ClassVar[Mapping[Sabotage, Sequence[Way]]] = {**Verification.ways, Sabotage.SHADOWED: ()}

    assert list(test_verify.gaps({**AGENTS, "copilot": Poor})) == [
        "copilot, shadowed by a project file: no way, no reason",
        "copilot, shadowed by a project file: nothing shows that it changes nothing",
    ]
    monkeypatch.setitem(test_verify.LACKS, "codex", {Sabotage.TOKEN: "a reason"})  # type: ignore[arg-type]
    assert list(test_verify.gaps(AGENTS)) == ["codex, gateway token wrong: a way, and a reason"]
