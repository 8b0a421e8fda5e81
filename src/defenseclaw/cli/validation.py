"""Judges a candidate configuration by what only the whole product can know: whether its packs load."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from defenseclaw.config.schema import Config
    from defenseclaw.detection.ruleset import RuleSet
    from defenseclaw.packs import Pack


def validate_candidate(config: Config) -> None:
    """Load every rule pack ``config`` names, and see that what it switches on is there.

    Raises:
        PackError: one does not load.
        SetupError: telemetry is switched on that nobody receives.
    """
    from defenseclaw.connectors import otlp

    if config.telemetry.native_otlp:
        otlp.refuse_unreceived()
    for pack in rule_packs(config):
        load_rules(pack)


def rule_packs(config: Config) -> list[str]:
    """Return the packs in use, without repetition."""
    own = [entry.rule_pack_dir for entry in config.guardrail.connectors.values() if entry.rule_pack_dir]
    return list(dict.fromkeys([config.guardrail.rule_pack_dir, *own]))


def load_rules(pack: str) -> RuleSet:
    """Return the rule set that ``rule_pack_dir: <pack>`` means, loaded as the gateway loads it.

    Raises:
        PackError: no such pack, or it does not load.
    """
    return load_pack(pack).rules


def load_pack(pack: str) -> Pack:
    """Return the pack that ``rule_pack_dir: <pack>`` means, with its suppressions; see :func:`load_rules`."""
    from defenseclaw import packs

    return packs.load_pack(pack)
