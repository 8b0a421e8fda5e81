"""``GET /openapi.json``: what this gateway serves, as OpenAPI 3.1."""

from __future__ import annotations

from typing import Any

from defenseclaw.gateway.openapi import document
from defenseclaw.gateway.routing import Answer, Call, Route


async def openapi(_call: Call) -> Answer:
    """Return the OpenAPI document."""
    return Answer(document())


ROUTES = (
    Route(
        method="GET",
        path="/openapi.json",
        handler=openapi,
        summary="Return this document.",
        tag="status",
        response=dict[str, Any],
    ),
)
