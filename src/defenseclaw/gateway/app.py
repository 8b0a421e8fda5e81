"""The API as one ASGI application."""

from __future__ import annotations

from defenseclaw.gateway.edge import Edge
from defenseclaw.gateway.routing import all_routes
from defenseclaw.gateway.services import Services


def create_app(services: Services) -> Edge:
    """Return the application that serves every route of ``gateway.routes``."""
    return Edge(services, all_routes())
