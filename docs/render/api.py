"""The HTTP API, from the OpenAPI document that the gateway itself serves."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from defenseclaw.gateway.openapi import render
from defenseclaw.gateway.routing import Route, all_routes
from docs.render.markdown import anchor, code, page, table, words

_SHARED_HEADERS = frozenset(
    {"X-DefenseClaw-Client", "X-DefenseClaw-Request-Id", "X-DefenseClaw-Session-Id",
     "X-DefenseClaw-Agent-Id", "traceparent"}
)  # fmt: skip

_INTRODUCTION = (
    "The gateway listens on `127.0.0.1:18970`. The same in OpenAPI 3.1: [openapi.json](openapi.json), served "
    "at `GET /openapi.json`."
)

_RULES = """## For every route

| | |
|---|---|
| Token | `Authorization: Bearer <token>` or `X-DefenseClaw-Token`. The gateway token (in `~/.defenseclaw/.env`) opens every route. A connector's own token opens its hook route and, with `X-DefenseClaw-Connector`, the inspect routes; from loopback only. `GET /health` needs none |
| Writing | `POST`, `PATCH` and `DELETE` need `X-DefenseClaw-Client` (any word), `Content-Type: application/json`, and an `Origin`, where there is one, of this machine |
| Host | a loopback name or address, or one in `gateway.allowed_hosts` |
| Order | Host → token → browser checks → route → rate → body. 404 and 405 exist for authenticated callers only |
| Bounds | headers 32 KiB and 10 s, body as listed and 30 s, JSON nesting 64 |
| Rate | inspect and hook routes: 20 a second for each remote address, bursts of 40; loopback unbounded |
| JSON | UTF-8, one value, unknown keys ignored, keys case-sensitive, `null` = absent |
| Correlation | `X-DefenseClaw-Request-Id` (or `X-Request-Id`, `X-Correlation-Id`), `X-DefenseClaw-Session-Id`, `X-DefenseClaw-Agent-Id` and W3C `traceparent` end up in the audit row; the request id comes back |
| Errors | `{"error": …, "code": …}`, see [errors](errors.md). Shared by all: 401 `unauthorized`, 403, 408, 431, 503 `no_token` |
| A verdict | is in the audit store before it is answered |"""  # noqa: E501 - rows of a table


def pages() -> dict[str, str]:
    """Return ``reference/api.md`` and ``reference/openapi.json``."""
    routes = all_routes()
    document = render(routes)
    index = table(
        ("Route", "Family", "What it does"),
        [(f"[{code(_name(each))}](#{anchor(_name(each))})", each.tag, each.summary) for each in routes],
    )
    return {
        "reference/api.md": page(
            "HTTP API", "the routes (`src/defenseclaw/gateway/routes/`)", _INTRODUCTION, index, _RULES,
            "## Routes", *[_section(each, document) for each in routes],
            "## Bodies", *_bodies(document["components"]["schemas"]),
        ),
        "reference/openapi.json": json.dumps(document, indent=1, ensure_ascii=False) + "\n",
    }  # fmt: skip


def _name(route: Route) -> str:
    return f"{route.method} {route.path}"


def _section(route: Route, document: Mapping[str, Any]) -> str:
    operation = document["paths"][route.path][route.method.lower()]
    rows = [("Effects", route.effects or "none")]
    if route.public:
        rows.append(("Token", "not needed"))
    if route.request is not None:
        rows.append(("Body", f"{_reference(route.request.__name__)}, at most {_size(route.body_bytes)}"))
    elif route.method != "GET":
        rows.append(("Body", f"JSON as the caller has it, at most {_size(route.body_bytes)}"))
    parameters = [each for each in operation["parameters"] if each["name"] not in _SHARED_HEADERS]
    rows += [(f"{each['in'].capitalize()} {code(each['name'])}", each["description"]) for each in parameters]
    answers = operation["responses"]
    rows.append(("Answer 200", _type_of(answers["200"]["content"]["application/json"]["schema"])))
    rows += [(status, answer["description"]) for status, answer in answers.items() if status != "200"]
    return f"### {_name(route)}\n\n{route.summary}\n\n{table(('', ''), rows)}"


def _bodies(schemas: Mapping[str, Mapping[str, Any]]) -> Iterable[str]:
    for name, schema in sorted(schemas.items()):
        required = set(schema.get("required", ()))
        rows = [
            (code(field), _type_of(shape), "yes" if field in required else "-",
             words(shape.get("description", "")))
            for field, shape in schema.get("properties", {}).items()
        ]  # fmt: skip
        yield "\n\n".join(
            filter(
                None,
                [
                    f"### {name}",
                    words(schema.get("description", "")),
                    table(("Field", "Type", "Always there", "Meaning"), rows) if rows else "",
                ],
            )
        )


def _type_of(shape: Mapping[str, Any]) -> str:
    """Return a schema in words."""
    if "$ref" in shape:
        return _reference(shape["$ref"].rpartition("/")[2])
    if "enum" in shape:
        return ", ".join(code(json.dumps(each).strip('"')) for each in shape["enum"])
    if "anyOf" in shape:
        return " or ".join(_type_of(each) for each in shape["anyOf"] if each.get("type") != "null")
    if shape.get("type") == "array":
        return f"list of {_type_of(shape.get('items', {}))}"
    if shape.get("type") == "object":
        return "object"
    kind = str(shape.get("type", "any value"))
    return {"string": "text", "integer": "whole number", "boolean": "true or false"}.get(kind, kind)


def _reference(name: str) -> str:
    return f"[{name}](#{anchor(name)})"


def _size(count: int) -> str:
    return f"{count // (1024 * 1024)} MiB" if count >= 1024 * 1024 else f"{count // 1024} KiB"
