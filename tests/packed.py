"""Packs of operators, written as tests need them."""

from __future__ import annotations

from pathlib import Path

RULE = """\
id: {id}
title: A title
severity: HIGH
confidence: 0.5
tags: [mine]
{decides}
flags: [a needle]
allows: [hay]
why: It stings.
fix: Use a thimble.
"""


def write_rule(
    pack: Path, rule_id: str = "MY-RULE", decides: str = "pattern: needle", category: str = "mine"
) -> Path:
    """Write one rule; return its file."""
    file = pack / category / f"{rule_id.lower()}.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(RULE.format(id=rule_id, decides=decides))
    return file


def write_overlay(pack: Path, text: str, name: str = "all") -> None:
    """Write ``profiles/<name>.yaml``."""
    (pack / "profiles").mkdir(parents=True, exist_ok=True)
    (pack / "profiles" / f"{name}.yaml").write_text(text)


def write_suppressions(pack: Path, *entries: str) -> None:
    """Write ``suppressions.yaml`` from entries in flow style."""
    pack.mkdir(parents=True, exist_ok=True)
    lines = "".join(f"  - {entry}\n" for entry in entries)
    (pack / "suppressions.yaml").write_text(f"suppressions:\n{lines}")
