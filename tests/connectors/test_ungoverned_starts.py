"""Of every agent that we govern, detection knows how it is started without our hooks."""

import pytest
from tests.detection.programs.understood import traits_of

from defenseclaw.connectors.base import registry
from defenseclaw.connectors.probed import ProbedConnector

PROBED = {name: connector for name, connector in registry().items() if isinstance(connector, ProbedConnector)}


@pytest.mark.parametrize("name", PROBED)
def test_another_home_for_the_agent_is_seen(name):
    program = PROBED[name].executables[0]
    variables = {"HOME", PROBED[name].home_variable}
    for variable in variables:
        assert "agent_unguarded" in traits_of(f"{variable}=/elsewhere {program} -p hello"), variable


def test_so_it_is_of_those_that_are_found_otherwise():
    assert set(registry()) - set(PROBED) == {"omnigent"}
    assert "agent_unguarded" in traits_of("OMNIGENT_CONFIG_HOME=/elsewhere omnigent run agent.yaml")
