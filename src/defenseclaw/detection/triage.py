"""Second-stage checks of prompts that ask for what an agent should not do with people's or machines' secrets.

A prompt of a developer names secret files all the time: to write about them, to guard them, to ask. What
counts is one instruction that says both to read such a file and to send it somewhere.

Source: ``spec/guardrail.md`` §3.8.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from defenseclaw.detection import personal

WINDOW: Final = 240
"""Characters on either side of the target that belong to the same instruction."""

_PARAGRAPH: Final = re.compile(r"\n[ \t]*\n")
_BEGIN: Final = (
    r"(?:^|[\n.;:!?,(]\s*|\b(?:and|then|please|now|just|to|you|next|first|also|simply|must|should)\s+)"
)
_READ: Final = re.compile(
    _BEGIN + r"(?:cat|collect|copy|dump|extract|fetch|get|grab|open|read|steal|take|print)\b(?!\w)",
    re.IGNORECASE,
)
_SEND: Final = re.compile(
    _BEGIN + r"(?:exfiltrate|(?:e-?mail|post|send|transmit|upload|forward|submit|leak|mail|push|pipe|curl)\b"
    r"[^.!?\n]{0,100}?\b(?:to|at|via|through|into)\b)",
    re.IGNORECASE,
)
_MENTIONED: Final = re.compile(
    r"\b(?:do not|don't|dont|never|must not|should not|shouldn't|cannot|can't|avoid|prevent|block|"
    r"detect|flag|refuse|without|instead of|attackers?|malware|malicious|adversar\w*|threat|rules?|"
    r"examples?(?![.\w])|explain|describe|why|what if|"
    r"how (?:would|could|can|do|does|is|to)|whether|summari[sz]e|translate|review|test that|"
    r"make sure|ensure|warn)\b",
    re.IGNORECASE,
)
_UNREAL: Final = re.compile(
    r"\b(?:test|sample|fake|mock|dummy|example|placeholder|synthetic|field|column|hash|regex|schema|format|"
    r"variable|form|input|reset|policy|validation|validator|manager|generator|prompt|redact\w*|mask\w*)\b",
    re.IGNORECASE,
)
_CARD_WORDS: Final = re.compile(
    r"\b(?:card|cards|jcb|diners|union ?pay|cvv|cvc|pan|expir\w+)\b", re.IGNORECASE
)
_NEAR: Final = 80


def _instruction(text: str, start: int, end: int) -> tuple[str, int, int]:
    """Return the paragraph around a place, at most a window on either side, and the place in it."""
    before = text[max(0, start - WINDOW) : start]
    breaks = list(_PARAGRAPH.finditer(before))
    before = before[breaks[-1].end() :] if breaks else before
    after = text[end : end + WINDOW]
    found = _PARAGRAPH.search(after)
    after = after[: found.start()] if found else after
    return before + text[start:end] + after, len(before), len(before) + end - start


def is_exfiltration(match: str, text: str, start: int, end: int) -> bool:
    """Whether a secret file is named where the same instruction says to read it and to send it away."""
    instruction, _, after = _instruction(text, start, end)
    if _MENTIONED.search(instruction) is not None or "```" in instruction:
        return False
    reading = _READ.search(instruction)
    sending = _SEND.search(instruction)
    return reading is not None and reading.start() < after and sending is not None


def is_personal_request(match: str, text: str, start: int, end: int) -> bool:
    """Whether the request is for a real person's secret, not for code or data that deals with such."""
    near = text[max(0, start - _NEAR) : end + _NEAR]
    return _UNREAL.search(near) is None and _MENTIONED.search(near) is None


def is_card_of_other_network(match: str, text: str, start: int, end: int) -> bool:
    """Whether digits that many other numbers begin with too are a card's: a word near them says so."""
    near = text[max(0, start - _NEAR) : end + _NEAR]
    return _CARD_WORDS.search(near) is not None and personal.VALIDATORS["card"](match, text, start, end)


VALIDATORS: Final[Mapping[str, Callable[[str, str, int, int], bool]]] = {
    "exfiltration-request": is_exfiltration,
    "personal-request": is_personal_request,
    "card-by-word": is_card_of_other_network,
}
"""Validators by the name a rule gives."""
