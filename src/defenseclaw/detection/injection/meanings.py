"""What the phrase of a signal may mean when it is no instruction to the agent.

A limit of memory, a mode of a program, a rule that the user is to be asked, a remark beside code: each is
worded like something that an instruction does, and only what stands around tells them apart.
"""

# ruff: noqa: RUF001 - apostrophes as people type them

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from defenseclaw.detection.injection.context import (
    is_log_entry,
    is_own_work,
    is_sample_request,
    is_told_of,
)

OWNER: Final = "speaks as the owner of the account"
"""The reason of the signal for what only the owner of an account would ask for."""
_IN_LOGS: Final = frozenset({OWNER, "asks for a privileged action", "asks for something to be sent or paid"})
_OVERRIDES: Final = frozenset(
    {"overrides earlier instructions", "sets earlier context aside", "wants everything forgotten"}
)
_UNBOUND: Final = frozenset({"takes on a role without limits", "says that there are no limits"})
_LINE: Final = 240
"""Characters of a line or sentence that are looked at."""


def means_something_else(reason: str, text: str, start: int, end: int, *, in_talk: bool) -> bool:
    """Whether ``text[start:end]``, a phrase of the signal with this reason, is none of its kind.

    ``in_talk`` says that orders are expected in the text: it is a prompt or completion.
    """
    if reason in _IN_LOGS and is_log_entry(text, start, end):
        return True
    if reason in _OVERRIDES:
        if _is_of_something_else(text, start, end):
            return True
        return _is_in_a_file(text, end) if in_talk else _is_remark(text, start, end)
    if reason in _UNBOUND:
        return is_told_of(text, start) or _is_about_things(text, start, end)
    if reason == "asks for the agent's own prompt":
        is_of_project = in_talk and _is_in_a_file(text, end)
        return is_own_work(text, start, end) or _is_denied(text, start) or is_of_project
    special = _SPECIAL.get(reason)
    return special is not None and special(text, start, end)


_SENTENCE: Final = re.compile(r"[.!?;](?=\s)|\n")
_DENIAL: Final = re.compile(
    r"(?i)(?:\b(?:not|never|cannot|avoid)|n['’]t)\b(?: ever| also)?(?: [\w-]{2,20},?){0,2}(?: or)? $"
)
_PROHIBITION: Final = re.compile(
    r"(?i)(?:\b(?:not|never|cannot|avoid|nothing|nor)|n['’]t)\b(?:\s+[^\s.!?;,]{1,40}){1,10}\s*$"
)


def _is_denied(text: str, start: int) -> bool:
    """Whether what begins at ``start`` is what the reader is told not to do (*do not share your key*)."""
    return _DENIAL.search(text[max(0, start - 60) : start]) is not None


_NOT: Final = re.compile(r"(?i)\s*(?:not|never)\b|n['’]t\b")


def _is_ruled_out(text: str, end: int) -> bool:
    """Whether an obligation that ends at ``end`` is one to leave something (*agents must not push*)."""
    return _NOT.match(text, end) is not None


def _is_protection(text: str, start: int, end: int) -> bool:
    """Whether the user is protected by what reads like hiding from them.

    Doing without a question is forbidden (*never commit without asking the user*), or it is what belongs to
    the user that is not to be told (*do not reveal the user's address*).
    """
    if text[end : end + 2] in ("'s", "’s"):
        return True
    if not text[start:end].lower().startswith("without"):
        return False
    return _PROHIBITION.search(text[max(0, start - 120) : start]) is not None


_CONSENT: Final = re.compile(
    r"(?i)(?<!not )(?<!never )(?<!n't )(?<!n’t )(?<!without )\b(?:ask(?:ing)?|check with|confirm with|consult"
    r"|get|obtain|request|require|seek)\s+(?:for\s+)?(?:the\s+|their\s+|explicit\s+|a\s+){0,2}"
    r"(?:users?|humans?|confirmation|consent|permission|approval)\b"
    r"|\b(?:after|until|once|before|unless) the (?:user|human|owner) (?:\w+ )?(?:confirm|approv|agree"
    r"|consent|says? yes)"
)


def _asks_for_consent(text: str, start: int, end: int) -> bool:
    """Whether the sentence of ``text[start:end]`` wants the user to be asked first."""
    low, high = max(0, start - _LINE), min(len(text), end + _LINE)
    low += max((found.end() for found in _SENTENCE.finditer(text[low:start])), default=0)
    stop = _SENTENCE.search(text, end, high)
    return _CONSENT.search(text[low : stop.start() if stop else high]) is not None


_EVERY: Final = re.compile(r"(?i)\b(?:all|any|every|the|this|automatic\w*|always|\w+_\w+)\b")


def _is_feature(text: str, start: int, end: int) -> bool:
    """Whether the phrase names what a mode of a program is for (*run commands without asking*)."""
    return _EVERY.search(text[start:end]) is None


_HEADING: Final = re.compile(r"(?:#{1,6}|=+|\*\*)[ \t]*\W?$")


def _is_heading(text: str, start: int, end: int) -> bool:
    """Whether the phrase is the heading of a section, which says whom it is for but speaks to nobody."""
    at = start
    while at < end and not text[at].isalnum():
        at += 1
    line = text.rfind("\n", max(0, at - _LINE), at) + 1
    stop = text.find("\n", end, end + _LINE)
    rest = text[end : stop if stop >= 0 else end + _LINE]
    if "\n" in text[at:end] or len(rest) > 60 or (stop < 0 and len(text) > end + len(rest)):
        return False
    if _HEADING.fullmatch(text[line:at]):
        return rest.strip(" *#")[-1:] not in ".!"
    return (
        not text[line:at].strip()
        and text[stop : stop + 2] == "\n\n"
        and rest.strip()[-1:] not in tuple(":.!,—-")
    )


_OFFER: Final = re.compile(r"(?i)\W*(?:you|\w+s?)?,? ?(?:can|may|could)\b")


def _is_offer(text: str, start: int, end: int) -> bool:
    """Whether the phrase says what the reader may do, not what it has to."""
    return _OFFER.match(text[start:end]) is not None


_THINGS: Final = re.compile(
    r"(?i)\s+(?:on|for|in|at|of|regarding|against)\s+(?!(?:you\w*|what\w*|any\w*|this|that|these|all|me|my|us"
    r"|our|every\w*|content|topics?|language|subjects?|speech|ethic\w*|moral\w*|the (?:ai|model|assistant"
    r"|chat|conversation|answers?|responses?|rest|next|topics?|following)|\w+ing|(?:\w+ )?purposes?)\b)\w"
)
_WORK: Final = re.compile(
    r"(?i)\band (?:forward|connect|review|run|build|process|handle|open|test|allow|accept|load|fetch|read"
    r"|query)s?\b"
)


def _is_about_things(text: str, start: int, end: int) -> bool:
    """Whether the limits that ``text[start:end]`` does without are a thing's (*no limits on memory*)."""
    return _THINGS.match(text, end) is not None or _WORK.search(text[start:end]) is not None


_FILE: Final = re.compile(
    r"(?i)[^.!?\n]{0,12}?\b(?:in|from|of|at|inside|under|used (?:by|in))\s+(?:(?:the|this|that|our|my"
    r"|its)\s+)?"
    r"(?:[\w./-]{0,60}(?:\w\.[a-z]{1,5}\b|\w/\w)|(?:readme|changelog|repo|repository|codebase|file|folder"
    r"|docs?"
    r"|documentation|guide|manual|ticket|issue|wiki|config\w*|schema|template|section|table|form|page|code"
    r"|test)s?\b|(?<=our )\w)"
)


_BARE: Final = re.compile(r"(?i)\b(?:all|any|every|whatever)\s+(?:earlier|previously|above|before)\Z")
_OTHER_NOUN: Final = re.compile(
    r"(?i)\s+(?!(?:and|but|or|then|now|so|you|i|we|this|that|the|in|to|from|just|instead|is|was|it|please"
    r"|with|for"
    r"|on|as|at|my|your|rules?|orders?|instruct\w*|prompts?|commands?|directives?|guidelines?|messages?"
    r"|texts?|context|training|restrictions?|policies|conversations?|input|statements?|information)\b)[a-z]"
)


def _is_of_something_else(text: str, start: int, end: int) -> bool:
    """Whether what is to be dropped is named by the next word (*all earlier changes*)."""
    return _BARE.search(text[start:end]) is not None and _OTHER_NOUN.match(text, end) is not None


def _is_in_a_file(text: str, end: int) -> bool:
    """Whether what a phrase names is said to stand in a file (*the instructions in the readme*)."""
    return _FILE.match(text, end, end + 120) is not None or _MARKER.match(text, end) is not None


_MARKER: Final = re.compile(
    r"(?i)(?<=above)\s+(?:the|that) (?!(?:prompts?|instructions?|conversation|messages?|texts?|lines?"
    r"|rules)\b)\w"
)
"""What something stands above of."""

_CODE_LEAD: Final = re.compile(
    r"(?:.*\s)?(?://+|#+|--|;+|/\*+|\*)\s*|\s*(?:[0-9a-f]{7,40} )?(?:\w{2,10}(?:\([\w./, -]+\))?!?:)\s*"
)
_STRONG: Final = re.compile(
    r"(?i)instruct|prompt|directive|guideline|programming|\byou|\bur\b|everything|anything"
)


_CLAUSE: Final = re.compile(
    r"(?i)[ \t]*(?:\Z|\n|\(|\*/|(?:when|if|in|on|from|of|for|before|after|since|because|as|until|here|so"
    r"|that|while)\b|,? ?(?:they|it|we|which)\b)"
)
_MORE_ORDERS: Final = re.compile(r"(?i)\b(?:and|then|instead|now|please|you)\b|[.;!:]\s+\w")


def _is_remark(text: str, start: int, end: int) -> bool:
    """Whether the phrase says in a comment of program text, or of a commit, what the program does.

    So it is where neither instructions nor the reader are named, and nothing else is asked for: *// ignore
    previous commands in the queue*.
    """
    at = start
    while at < end and not text[at].isalnum():
        at += 1
    line = text.rfind("\n", max(0, at - _LINE), at) + 1
    if _STRONG.search(text[at:end]) is not None or _CODE_LEAD.fullmatch(text[line:at]) is None:
        return False
    rest = text[end : end + _LINE].partition("\n")[0]
    return _CLAUSE.match(rest) is not None and _MORE_ORDERS.search(rest) is None


_LABEL: Final = re.compile(r"\s*(?:\W{0,3})?(?:ai|assistant|agent|(?:chat ?)?bot|model)s?\s*:", re.IGNORECASE)
_PARTNER: Final = re.compile(
    r"(?im)^[ \t*_>\[]{0,12}(?:users?|customers?|humans?|clients?|callers?|visitors?|guests?|q|me|you)\b"
    r"[*_\]]{0,4}[ \t]{0,4}:"
)


def _is_speaker(text: str, start: int, end: int) -> bool:
    """Whether a model's name at a line's beginning says who speaks, as others do in the lines around."""
    if _LABEL.match(text[start:end]) is None:
        return False
    return _PARTNER.search(text[max(0, start - 600) : end + 300]) is not None


_SPECIAL: Final[dict[str, Callable[[str, int, int], bool]]] = {
    OWNER: is_sample_request,
    "hides it from the user": _is_protection,
    "runs tools without asking": _is_feature,
    "ties a deed to the agent's task": _asks_for_consent,
    "asks for a link to be opened or run": _is_offer,
    "says what an agent has to do": lambda text, _, end: _is_ruled_out(text, end),
    "presses for urgency": lambda text, _, end: _is_ruled_out(text, end),
    "speaks to the model": lambda text, start, end: (
        _is_speaker(text, start, end) or _is_heading(text, start, end)
    ),
}
"""What else the phrase of a signal may be."""
