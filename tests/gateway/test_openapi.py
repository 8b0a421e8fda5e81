"""The document says what the routes do, and the routes do what it says."""

import json

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.openapi.checks import UndefinedStatusCode  # noqa: F401

from defenseclaw.gateway.openapi import document, render
from defenseclaw.gateway.routing import all_routes
