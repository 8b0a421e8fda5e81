"""The OpenAPI 3.1 document, rendered from the routes themselves."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import msgspec

import defenseclaw
from defenseclaw.errors import (
    BadJson,
    BodyTooLarge,
    DefenseClawError,
    Forbidden,
    HeadersTooLarge,
    NoToken,
    RateLimited,
    RequestTimeout,
    Unauthorized,
    UnsupportedMediaType,
)
from defenseclaw.gateway.routing import Parameter, Route

REF = "#/components/schemas/{name}"

_ERROR_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["error", "code"],
    "properties": {
        "error": {"type": "string", "description": "What happened, one sentence."},
        "code": {"type": "string", "description": "Stable word for programs."},
    },
}
_ALWAYS: tuple[type[DefenseClawError], ...] = (RequestTimeout, HeadersTooLarge)
_GUARDED: tuple[type[DefenseClawError], ...] = (Unauthorized, Forbidden, NoToken)
_IDS = (
    ("X-DefenseClaw-Request-Id", "Id of this request; `X-Request-Id` and `X-Correlation-Id` count too."),
    ("X-DefenseClaw-Session-Id", "Session the request belongs to."),
    ("X-DefenseClaw-Agent-Id", "Agent the request belongs to."),
    ("traceparent", "W3C trace context; believed from loopback."),
)
_ANSWER_HEADERS = {
    "X-DefenseClaw-Request-Id": {"description": "The request's id.", "schema": {"type": "string"}},
    "X-DefenseClaw-Sidecar-Instance-Id": {
        "description": "Id of this gateway process.",
        "schema": {"type": "string"},
    },
}


def render(routes: Iterable[Route]) -> dict[str, Any]:
    """Return the document of ``routes`` as JSON-ready values; also the source of the API reference."""
    listed = tuple(routes)
    shapes = _Shapes(listed)
    paths: dict[str, dict[str, Any]] = {}
    for route in listed:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, shapes)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "DefenseClaw gateway",
            "version": defenseclaw.__version__,
            "summary": "Decides, records and explains what AI agents may do.",
        },
        "paths": paths,
        "components": {
            "schemas": {**shapes.components, "Error": _ERROR_SCHEMA},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "token": {"type": "apiKey", "in": "header", "name": "X-DefenseClaw-Token"},
            },
        },
        "security": [{"bearer": []}, {"token": []}],
    }


@cache
def document() -> bytes:
    """Return the document of all routes as JSON."""
    from defenseclaw.gateway.routing import all_routes

    return msgspec.json.encode(render(all_routes())) + b"\n"


class _Shapes:
    """JSON schemas of all bodies, with required fields that our structs leave optional to say so better."""

    def __init__(self, routes: tuple[Route, ...]) -> None:
        types = [kind for route in routes for kind in (route.request, route.response) if kind is not None]
        unique = list(dict.fromkeys(types))
        schemas, components = msgspec.json.schema_components(unique, ref_template=REF)
        self._schema_of: dict[object, Mapping[str, Any]] = dict(zip(unique, schemas, strict=True))
        self.components: dict[str, Any] = dict(components)
        for route in routes:
            if route.required:
                self._require(route)

    def of(self, kind: object) -> Mapping[str, Any]:
        """Return the schema of a type named by a route."""
        return self._schema_of[kind]

    def _require(self, route: Route) -> None:
        component = self.components[route.request.__name__]
        component["required"] = sorted({*component.get("required", ()), *route.required})
        for name in route.required:
            described = component["properties"][name].get("description")
            component["properties"][name] = {"type": "string", "pattern": "\\S"} | (
                {"description": described} if described else {}
            )


def _operation(route: Route, shapes: _Shapes) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": _operation_id(route),
        "summary": route.summary,
        "tags": [route.tag],
        "parameters": [_parameter(each) for each in _parameters(route)],
        "responses": _responses(route, shapes),
    }
    if route.effects:
        operation["description"] = f"Effects: {route.effects}"
    if route.public:
        operation["security"] = []
    if route.method in ("POST", "PATCH", "DELETE"):
        schema = shapes.of(route.request) if route.request is not None else {"type": "object"}
        operation["requestBody"] = {
            "required": route.request is not None,
            "content": {"application/json": {"schema": schema}},
        }
    return operation


def _responses(route: Route, shapes: _Shapes) -> dict[str, Any]:
    responses: dict[str, Any] = {
        "200": {
            "description": "Done.",
            "headers": _ANSWER_HEADERS,
            "content": {"application/json": {"schema": shapes.of(route.response)}},
        }
    }
    if route.accepted:
        responses["202"] = responses["200"] | {"description": "Written down; a restart takes it up."}
    for status, codes in sorted(_errors(route).items()):
        responses[str(status)] = {
            "description": ", ".join(f"`{code}`" for code in sorted(codes)),
            "headers": _ANSWER_HEADERS,
            "content": {"application/json": {"schema": {"$ref": REF.format(name="Error")}}},
        }
    return responses


def _errors(route: Route) -> dict[int, set[str]]:
    """Return the codes a route may answer with, by status."""
    kinds = [*_ALWAYS, *route.errors]
    if not route.public:
        kinds += _GUARDED
    if route.method != "GET":
        kinds += (BadJson, BodyTooLarge, UnsupportedMediaType)
    if route.rate_limited:
        kinds.append(RateLimited)
    found: dict[int, set[str]] = {}
    for kind in kinds:
        found.setdefault(kind.http_status, set()).add(kind.code)
    return found


def _parameters(route: Route) -> list[Parameter]:
    shared = [Parameter(name=name, where="header", summary=text) for name, text in _IDS]
    if route.method == "GET":
        return [*route.parameters, *shared]
    client = Parameter(
        name="X-DefenseClaw-Client",
        where="header",
        summary="Who calls, any word; what keeps web pages out.",
        schema={"type": "string", "pattern": "^[!-~]+$"},
        required=True,
    )
    return [client, *route.parameters, *shared]


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": parameter.where,
        "required": parameter.required,
        "description": parameter.summary,
        "schema": dict(parameter.schema),
    }


def _operation_id(route: Route) -> str:
    words = re.sub(r"[^A-Za-z0-9]+", "_", route.path).strip("_")
    return f"{route.method.lower()}_{words}"
