from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.cli.conftest import Machine

from defenseclaw.config.schema import Config
from defenseclaw.config.token import set_env
from defenseclaw.errors import ConfigError
from defenseclaw.judging.lane import Settings
from defenseclaw.second_opinion import settings_of

HOSTED = {"provider": "anthropic", "model": "m-1"}
LOCAL = {"provider": "openai", "model": "m-1", "base_url": "http://127.0.0.1:8000/v1"}


def settings(tmp_path: Path, stored: dict[str, str] | None = None, env=None, **sections: Any) -> Settings:
    for name, value in (stored or {}).items():
        set_env(tmp_path / ".env", name, value)
    return settings_of(msgspec.convert(sections, Config), tmp_path / ".env", env or {})


@pytest.mark.parametrize(
    ("stored", "env", "llm", "key"),
    [
        ({"DEFENSECLAW_LLM_KEY": "of-the-file"}, {}, HOSTED, "of-the-file"),
        ({"DEFENSECLAW_LLM_KEY": "file"}, {"DEFENSECLAW_LLM_KEY": "of-the-env"}, HOSTED, "of-the-env"),
        (
            {"MINE": "named", "DEFENSECLAW_LLM_KEY": "other"},
            {},
            {**HOSTED, "api_key_env": "MINE"},
            "named",
        ),
        ({}, {}, LOCAL, ""),
    ],
)
def test_the_key_is_found_by_its_name(
    tmp_path: Path, stored: dict[str, str], env: dict[str, str], llm: dict[str, str], key: str
) -> None:
    chosen = settings(tmp_path, stored, env, llm=llm)
    assert chosen.models[0].key == key
    assert not key or key not in repr(chosen)


@pytest.mark.parametrize(
    ("llm", "stored", "says", "hint"),
    [
        ({}, {}, "`llm.provider` is not set", "config set llm.provider"),
        ({"provider": "openai"}, {}, "`llm.model` is not set", "config set llm.model"),
        (HOSTED, {}, "DEFENSECLAW_LLM_KEY is not set", "keys set DEFENSECLAW_LLM_KEY"),
        (HOSTED, {"DEFENSECLAW_LLM_KEY": "needle ü"}, "characters no key has", "keys set"),
        ({**LOCAL, "base_url": "http://models.example.com"}, {}, "plain http to another machine", "base_url"),
        ({**LOCAL, "base_url": "https://u:needle@example.com"}, {}, "holds credentials", "base_url"),
        ({**LOCAL, "proxy": "socks5://127.0.0.1:1"}, {}, "`llm.proxy` is not", "llm.proxy"),
    ],
)
def test_what_cannot_be_asked_is_named_without_its_value(
    tmp_path: Path, llm: dict[str, str], stored: dict[str, str], says: str, hint: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        settings(tmp_path, stored, llm=llm)
    assert says in refused.value.message
    assert hint in refused.value.hint
    assert "needle" not in refused.value.message + refused.value.hint


def test_the_judge_takes_what_it_has_not_from_the_shared_model(tmp_path: Path) -> None:
    shared = {**HOSTED, "proxy": "http://127.0.0.1:3128"}
    keys = {"DEFENSECLAW_LLM_KEY": "k"}
    same = settings(tmp_path, keys, llm=shared, guardrail={"judge": {"llm": {"model": "small"}}})
    assert (same.format, same.models[0].name) == ("anthropic", "small")
    assert same.proxy is not None


def test_another_provider_does_not_get_the_shared_address_or_key(tmp_path: Path) -> None:
    shared = {**LOCAL, "base_url": "https://models.example.com", "api_key_env": "SHARED"}
    keys = {"SHARED": "shared-key", "DEFENSECLAW_LLM_KEY": "own-key"}
    own = {"provider": "gemini", "model": "flash"}
    chosen = settings(tmp_path, keys, llm=shared, guardrail={"judge": {"llm": own}})
    assert chosen.address.host == "generativelanguage.googleapis.com"
    assert chosen.models[0].key == "own-key"


@pytest.mark.parametrize(
    ("base_url", "is_vendor"),
    [("", True), ("https://api.openai.com/v1/", True), ("https://models.example.com/v1", False)],
)
def test_a_vendors_own_endpoint_is_known(tmp_path: Path, base_url: str, is_vendor: bool) -> None:
    chosen = settings(tmp_path, {"DEFENSECLAW_LLM_KEY": "k"}, llm={**LOCAL, "base_url": base_url})
    assert chosen.models[0].is_vendor is is_vendor


def test_every_choice_arrives(tmp_path: Path) -> None:
    off = ("injection", "pii", "pii_prompt", "pii_completion", "tool_injection", "exfil")
    judge = {
        **dict.fromkeys(off, False),
        "injection_result": True,
        "lifts": True,
        "hook_connectors": ["claude-code", "*"],
        "timeout": 9,
        "adjudication_timeout": 2,
        "hook_timeout": 3,
        "max_chars": 4000,
        "max_tokens": 99,
        "fallbacks": ["m-2", "m-1"],
    }
    guardrail = {
        "judge": judge,
        "judge_sweep": False,
        "detection_strategy": "judge_first",
        "detection_strategy_prompt": "regex_only",
        "detection_strategy_completion": "regex_judge",
        "detection_strategy_tool_call": "regex_only",
    }
    chosen = settings(tmp_path, llm=LOCAL, guardrail=guardrail)
    choices = chosen.choices
    assert (chosen.timeout_s, chosen.adjudication_timeout_s, chosen.hook_timeout_s) == (9, 2, 3)
    assert (chosen.max_chars, [each.name for each in chosen.models]) == (4000, ["m-1", "m-2"])
    assert {each.max_tokens for each in chosen.models} == {99}
    assert choices.connectors == {"claudecode", "*"}
    assert not any((choices.injection, choices.pii, choices.pii_prompt, choices.pii_completion))
    assert not any((choices.tool_injection, choices.exfil, choices.sweep))
    assert (choices.injection_result, choices.lifts) == (True, True)
    assert (choices.strategy, choices.strategy_prompt) == ("judge_first", "regex_only")
    assert (choices.strategy_completion, choices.strategy_tool_call) == ("regex_judge", "regex_only")


def test_a_hook_waits_five_seconds_unless_told_otherwise(tmp_path: Path) -> None:
    assert settings(tmp_path, llm=LOCAL).hook_timeout_s == 5


def test_every_credential_of_the_installation_is_kept_from_judges(tmp_path: Path) -> None:
    stored = {"DEFENSECLAW_GATEWAY_TOKEN": "g" * 64, "OTHER": "o" * 8, "SHORT": "word"}
    chosen = settings(tmp_path, stored, {"DEFENSECLAW_LLM_KEY": "k" * 20}, llm=HOSTED)
    assert set(chosen.secrets) == {"g" * 64, "o" * 8, "k" * 20}
    assert "g" * 64 not in repr(chosen)


# ---- what the operator is told ----------------------------------------------------------------------


def check(machine: Machine) -> dict[str, Any]:
    rows = [row for row in machine.json("doctor", code=None)["checks"] if row["label"] == "LLM judge"]
    assert len(rows) <= 1
    return rows[0] if rows else {}


def test_doctor_says_what_the_judge_lacks_and_each_step_mends_it(machine: Machine) -> None:
    assert check(machine) == {}
    machine.run("config", "set", "guardrail.judge.enabled", "true")
    assert check(machine)["status"] == "fail"
    machine.run("config", "set", "llm.provider", "gemini")
    machine.run("config", "set", "llm.model", "flash")
    row = check(machine)
    assert "DEFENSECLAW_LLM_KEY is not set" in row["detail"]
    stored = machine.run("keys", "set", "DEFENSECLAW_LLM_KEY", "--stdin", stdin="short-key\n")
    assert "not a name DefenseClaw reads" not in stored.stderr
    row = check(machine)
    assert (row["status"], "hook_connectors" in row["detail"]) == ("warn", True)
    machine.run("config", "set", "guardrail.judge.hook_connectors", "*")
    assert check(machine)["status"] == "pass"


def test_a_key_under_a_name_of_the_operators_is_known(machine: Machine) -> None:
    machine.run("config", "set", "llm.api_key_env", "ACME_KEY")
    stored = machine.run("keys", "set", "ACME_KEY", "--stdin", stdin="k" * 20)
    assert "not a name DefenseClaw reads" not in stored.stderr
