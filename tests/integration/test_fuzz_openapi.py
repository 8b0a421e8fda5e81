"""Every operation of the served OpenAPI document, with data that fits it and data that does not."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.integration.machine import CLIENT, SIZE, Machine, wire
from tests.integration.machine import request as raw_request

from defenseclaw.gateway.openapi import document

EXAMPLES = 15 * SIZE
CONFORMANCE = (
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
)
loaded = schemathesis.openapi.from_dict(json.loads(document()))
OPERATIONS = [
    (method.upper(), path) for path, methods in json.loads(document())["paths"].items() for method in methods
]
quick = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=SIZE == 1,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module", autouse=True)
def unharmed(gateway: Machine) -> Iterator[None]:
    """After all of it the configuration is valid, the store is whole, and the gateway judges as ever."""
    kept = gateway.config_file.read_text()
    yield
    gateway.config_file.write_text(kept)
    assert "unhandled" not in gateway.log_text
    assert "Traceback" not in gateway.log_text
    gateway.still_judges()
    gateway.stop()
    gateway.cli("audit", "verify")


def test_what_is_served_is_what_is_fuzzed(gateway: Machine) -> None:
    assert gateway.client.get("/openapi.json").content == document()


@loaded.parametrize()
@quick
def test_answers_are_as_described(case: schemathesis.Case, gateway: Machine) -> None:
    reply = case.call(
        base_url=f"http://127.0.0.1:{gateway.port}",
        headers={**CLIENT, "Authorization": f"Bearer {gateway.token}"},
        session=None,
    )
    if reply.status_code == 503:
        assert reply.json()["code"] == "overloaded"
        return
    case.validate_response(reply, checks=(not_a_server_error, *CONFORMANCE))


@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=[" ".join(each) for each in OPERATIONS])
def test_without_a_token_there_is_nothing_but_health(gateway: Machine, method: str, path: str) -> None:
    for token in ("", "0" * 64, gateway.token[:-1], gateway.token.upper(), gateway.token + "\t"):
        if token.strip() == gateway.token:
            continue
        with wire(gateway.port) as connection:
            connection.send(raw_request(method, path, b"{}", token=token))
            reply = connection.reply()
        assert reply is not None
        assert reply.status == (200 if path == "/health" else 401)
