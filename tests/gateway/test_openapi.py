"""The document says what the routes do, and the routes do what it says."""

import json

import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.gateway.conftest import CLIENT

from defenseclaw.gateway.openapi import document, render
from defenseclaw.gateway.routing import all_routes

CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
)

loaded = schemathesis.openapi.from_dict(json.loads(document()))


def test_every_route_is_described():
    described = {
        (method.upper(), path)
        for path, methods in render(all_routes())["paths"].items()
        for method in methods
    }
    assert described == {(route.method, route.path) for route in all_routes()}


def test_the_document_is_valid_openapi_3_1():
    assert json.loads(document())["openapi"] == "3.1.0"
    loaded.validate()


async def test_the_document_is_served(house):
    reply = await house.get("/openapi.json")
    assert reply.content == document()


@loaded.parametrize()
@settings(
    max_examples=8,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_answers_are_as_described(case, house):
    headers = {"Authorization": f"Bearer {house.token}", "Host": "localhost", **CLIENT}
    reply = case.call(app=house.app, base_url="http://localhost", headers=headers)
    case.validate_response(reply, checks=CHECKS)
