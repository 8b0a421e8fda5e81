"""Rule packs: the rules that come with the program, profiles, and what operators lay over them.

Everything is validated before anything is used. A pack with one bad rule is refused whole, with file, line
and rule, and whoever holds a good one keeps it (:class:`RuleStore`).

Source: ``spec/guardrail.md`` §5; ``style.md`` §3; ``rules/README.md`` for the format.
"""

from __future__ import annotations

from defenseclaw.packs.loading import ALIASES, InvalidPack, Pack, everything_on, load, load_pack, resolve
from defenseclaw.packs.store import RuleStore

__all__ = ["ALIASES", "InvalidPack", "Pack", "RuleStore", "everything_on", "load", "load_pack", "resolve"]
