from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.integration.machine import BOTH_CONNECTORS, Machine


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Machine]:
    """One running gateway per module: both connectors in action mode."""
    machine = Machine(tmp_path_factory.mktemp(request.module.__name__.rpartition(".")[2]))
    machine.configure(guardrail={"mode": "action", "connectors": BOTH_CONNECTORS})
    machine.start()
    yield machine
    machine.close()
