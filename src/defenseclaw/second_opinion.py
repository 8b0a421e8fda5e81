"""From the configuration to the judge lane. Imported only where the lane is on.

A judge that cannot be asked as configured is no reason to refuse a configuration: the lane stays off, the
rules decide, and ``/health`` and ``doctor`` say why. Source: ``spec/guardrail.md`` §12.4 (last line),
``spec/cli-and-config.md`` §5.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from defenseclaw.config.schema import Config, Guardrail, Llm
from defenseclaw.config.token import read_env
from defenseclaw.errors import ConfigError
from defenseclaw.judging.endpoint import Address, address_of, is_header_value, is_loopback, proxy_of
from defenseclaw.judging.formats import FORMATS
from defenseclaw.judging.formats.base import Model
from defenseclaw.judging.lane import Settings
from defenseclaw.judging.plan import Choices, folded

KEY: Final = "DEFENSECLAW_LLM_KEY"
"""Variable of the key where none is named."""
DEFAULT_HOOK_TIMEOUT_S: Final = 5
_MIN_SECRET_CHARS: Final = 8
_SET: Final = "defenseclaw config set {} <value>"


def settings_of(config: Config, env_file: Path, env: Mapping[str, str]) -> Settings:
    """Return what the lane needs; the key comes from the environment or from ``.env``, by its name.

    Raises:
        ConfigError: no provider, model or key, or an address that must not be used. Never names a value.
    """
    llm = _inherited(config.guardrail.judge.llm, config.llm)
    judge = config.guardrail.judge
    if llm.provider is None or not llm.model:
        missing = "llm.model" if llm.provider else "llm.provider"
        raise ConfigError(f"the judge has no model: `{missing}` is not set", hint=_SET.format(missing))
    stored = read_env(env_file)
    name = llm.api_key_env or KEY
    key = env.get(name) or stored.get(name) or ""
    vendor = FORMATS[llm.provider].base
    base = llm.base_url or vendor
    address = _address("llm.base_url", base)
    if not key and not is_loopback(address.host):
        raise ConfigError(f"the judge has no key: {name} is not set", hint=f"defenseclaw keys set {name}")
    if key and not is_header_value(key):
        raise ConfigError(f"{name} holds characters no key has", hint=f"defenseclaw keys set {name}")
    return Settings(
        format=llm.provider,
        models=tuple(
            Model(name=model, key=key, max_tokens=judge.max_tokens, is_vendor=base.rstrip("/") == vendor)
            for model in dict.fromkeys((llm.model, *judge.fallbacks))
        ),
        address=address,
        proxy=_proxy(llm.proxy) if llm.proxy else None,
        choices=_choices(config.guardrail),
        timeout_s=judge.timeout,
        adjudication_timeout_s=judge.adjudication_timeout,
        hook_timeout_s=judge.hook_timeout or DEFAULT_HOOK_TIMEOUT_S,
        max_chars=judge.max_chars,
        secrets=_secrets(config, stored, key),
    )


def _inherited(own: Llm, shared: Llm) -> Llm:
    """Return the judge's own choices, and the shared ones where it has none.

    Another provider has another address and another key: those are inherited only together with it.
    """
    base = shared if own.provider in (None, shared.provider) else Llm(proxy=shared.proxy)
    return Llm(
        provider=own.provider or base.provider,
        model=own.model or base.model,
        base_url=own.base_url or base.base_url,
        api_key_env=own.api_key_env or base.api_key_env,
        proxy=own.proxy or base.proxy,
    )


def _choices(guardrail: Guardrail) -> Choices:
    judge = guardrail.judge
    return Choices(
        strategy=guardrail.detection_strategy,
        strategy_prompt=guardrail.detection_strategy_prompt,
        strategy_completion=guardrail.detection_strategy_completion,
        strategy_tool_call=guardrail.detection_strategy_tool_call,
        sweep=guardrail.judge_sweep,
        connectors=frozenset(folded(name) for name in judge.hook_connectors),
        injection=judge.injection,
        injection_result=judge.injection_result,
        pii=judge.pii,
        pii_prompt=judge.pii_prompt,
        pii_completion=judge.pii_completion,
        tool_injection=judge.tool_injection,
        exfil=judge.exfil,
        lifts=judge.lifts,
    )


def _secrets(config: Config, stored: Mapping[str, str], key: str) -> tuple[str, ...]:
    """Return every credential of this installation that is long enough to be told from a word."""
    values = {*stored.values(), key, config.gateway.token}
    return tuple(
        sorted((value for value in values if len(value) >= _MIN_SECRET_CHARS), key=len, reverse=True)
    )


def _address(key: str, url: str) -> Address:
    try:
        return address_of(url)
    except ValueError as error:
        raise ConfigError(f"`{key}` {error}", hint=_SET.format(key)) from error


def _proxy(url: str) -> Address:
    try:
        return proxy_of(url)
    except ValueError as error:
        raise ConfigError(f"`llm.proxy` {error}", hint=_SET.format("llm.proxy")) from error
