"""The marker of a canary: made for one run, told to nobody before, recognised by one rule.

``SELF-PROTECT-CANARY`` finds it in tool calls, results and prompts, with the weight of the gravest rules. It
can therefore only ever get something refused: an agent that learns of it, or makes one up, gains nothing and
switches nothing off.
"""

from __future__ import annotations

import secrets

RULE_ID = "SELF-PROTECT-CANARY"
PREFIX = "defenseclaw-canary-"


def mint() -> str:
    """Return a new marker: 128 random bits behind the prefix the rule looks for."""
    return PREFIX + secrets.token_hex(16)
