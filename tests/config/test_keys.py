from __future__ import annotations

from typing import Any

import pytest

from defenseclaw.config import keys
from defenseclaw.errors import ConfigError


@pytest.mark.parametrize(
    ("path", "text", "value"),
    [
        ("guardrail.mode", "action", "action"),
        ("guardrail.enabled", "off", False),
        ("guardrail.enabled", "true", True),
        ("gateway.api_port", "0", 0),
        ("gateway.allowed_hosts", "a.example, b.example,", ["a.example", "b.example"]),
        ("guardrail.block_message", "no", "no"),
        ("gateway.token_env", "123", "123"),
        ("guardrail.connectors.omnigent.hook_fail_mode", "closed", "closed"),
        ("guardrail.connectors.omnigent.hilt.min_severity", "LOW", "LOW"),
    ],
)
def test_text_becomes_the_type_of_its_key(path: str, text: str, value: Any):
    parsed = keys.parse_value(path, text)
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(
    ("path", "text", "message", "hint"),
    [
        ("guardrail.mod", "x", "`guardrail.mod` is not a configuration key", "guardrail.mode"),
        ("gateway", "x", "`gateway` is a section, not a key", "gateway.api_port"),
        (
            "guardrail.connectors",
            "x",
            "`guardrail.connectors` is a section",
            "guardrail.connectors.<name>.mode",
        ),
        ("guardrail.connectors..mode", "action", "is not a configuration key", ""),
        ("guardrail.mode", "block", "`guardrail.mode` takes action, observe", "block"),
        ("gateway.api_port", "99999", "takes whole number 0 to 65535", "65535"),
        ("", "x", "is not a configuration key", "config show"),
    ],
)
def test_refuses(path: str, text: str, message: str, hint: str):
    with pytest.raises(ConfigError) as refusal:
        keys.parse_value(path, text)
    assert message in refusal.value.message
    assert hint in refusal.value.hint


def test_unknown_keys_are_named_by_their_path():
    data = {"guardrail": {"moed": 1, "connectors": {"any": {"mode": "action", "modes": 1}}}, "otel": {"a": 1}}
    assert keys.unknown_keys(data) == ["guardrail.moed", "guardrail.connectors.any.modes", "otel"]


def test_every_key_of_the_guardrail_is_described():
    undescribed = [key.path for key in keys.all_keys() if key.path.startswith("g") and not key.description]
    assert undescribed == []
