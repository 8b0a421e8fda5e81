"""Where a phrase stands: used or only mentioned, shown to people or hidden from them.

All judgements look at a bounded stretch around the phrase.
"""

# ruff: noqa: RUF001 - quotation marks and letters of other scripts are what is looked for
from __future__ import annotations

import re
from typing import Final

import re2

_LINE: Final = 240
"""Characters of the line before and after a phrase in which its quotation marks are looked for."""
_LONG_LINE: Final = 1500
"""Characters back to the start of a line; an earlier cut takes a mark for the wrong one of a pair."""
_TOPIC: Final = 300
"""Characters around a phrase that say what the text is about."""

_QUOTES: Final = {
    '"': '"', "'": "'", "`": "`", "“": "”", "„": "“", "‘": "’",
    "«": "»", "‹": "›", "「": "」", "『": "』", "”": "”",
}  # fmt: skip
_TOPIC_WORDS: Final = re2.compile(
    r"(?i)\b(?:(?:prompt|instruction|indirect|text|command)[ -]?injections?|injection|jail-?breaks?"
    r"|jailbreaking|attack(?:s|er|ers|ing)?"
    r"|adversar(?:y|ies|ial)|malicious|payloads?|exploit(?:s|ation)?|red[- ]?team\w*|vulnerab\w+"
    r"|threats?|mitigat\w+|phishing|untrusted"
    r"|owasp|llm0?1|flagged|detect(?:s|or|ors|ed|ion|ing)?|classif(?:y|ier|ies|ied|iers)|guard model"
    r"|scanner|sanitiz\w+|benchmark"
    r"|heuristics?|defen[cs]es?|blocked|poison(?:ed|ing)|hijack(?:s|ing|ed)?|manipulat(?:e|ion|ing"
    r"|ive)|trick(?:s|ed|ing)?|fool(?:s|ed|ing)?"
    r"|angriff\w*|angreifer\w*|ataques?|atacante\w*|attaques?|attaquant\w*|engañar|attacco|assert\w*"
    r"|patterns?|regex|social engineering"
    r"|suspicious|abuse|evasion|bypass(?:es)? (?:of|the filter)|prevent(?:s|ing|ion)?|(?:should|must) refuse"
    r"|refuses|refusals?|PASS(?:ED)?|evals?|test[ _-](?:cases?|suites?|data))\b|\bexpected\w*[\"']?:|[✓✔✗✘]"
)
_INTRODUCES: Final = re2.compile(
    r"(?i)(?:\b(?:such as|e\.g\.|for example|for instance|phrases?|strings?|wording|sentences? like"
    r"|says? like|commands? like|(?:ask|tell|instruct|trick|get|force|cause|lead|push)(?:s|ing|ed)? "
    r"(?:the|an?|your|our|its?) (?:\w+ )?\w+ (?:to|into)|attempt(?:s|ed|ing)? to|(?:try|tries|tried"
    r"|trying) to|tells? you to|asks? you to|told to|whether|checks? (?:that|if|for)|match(?:es|ing)"
    r"|looks? for|searches for|frases como|phrases comme|tests? (?:that|if|whether|for))[^.!?\n]{0,50})$"
)
"""Words before a phrase that make it one that is spoken about."""
_QUOTES_IT: Final = re2.compile(
    r"(?i)\b(?:say|says|said|saying|read|reads|reading|write|writes|wrote|writing|contain(?:s|ing)?"
    r"|called|named|titled|like|translate|phrase|sentence|string|word|text|examples?|steht|escribir|écrire"
    r"|como"
    r"|comme"
    r"|how|why|what|when|explain|quote|mean(?:s|ing)?|detects?|flags?|blocks?|match(?:es)?)\b[^.!?\n]{0,60}$"
)
"""Words before a quotation mark that make the string a quotation even where it looks like a value."""
_KEY: Final = re.compile(r"""(?:["'\w\]]\s*[:=]|[\[{(,=:>]|^)\s*[rbfuRBFU]{0,2}\\*$""")
_VALUE: Final = re.compile(r"""["']\s*[:=]\s*$""")
_TAG: Final = re.compile(r"<[A-Za-z][^<>]{0,400}>")
_LINE_BREAK: Final = re.compile(r"\n|\\n")
_QUOTATION: Final = re.compile(r"[ \t]*(?:>|\\{1,8}u003[eE]|&gt;)")
_WORD: Final = re.compile(r"[^\W\d_]{2,}")
_HIDING: Final = re2.compile(
    r"(?i)display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0|opacity\s*:\s*0(?:[^.\d]|\.0)"
    r"|color\s*:\s*(?:#fff(?:fff)?\b|white|transparent)|<template\b"
    r"|\bhidden(?:=|>|\s+aria)|aria-hidden=|text-indent\s*:\s*-\d{3}|left\s*:\s*-\d{3,}"
    r"|height\s*:\s*0|\[//\]:\s*#|\[comment\]:\s*<?>?|alt=[\"'][^\"']*$"
)


def is_mentioned(text: str, start: int, end: int) -> bool:
    """Whether the phrase ``text[start:end]`` is spoken about rather than spoken.

    A phrase is mentioned when it is quoted inside a sentence that introduces it, or when what surrounds it is
    about attacks and it stands in quotes, in a list, a table or program text, or when the text around it is
    about little else. A string that is the value of a key is not quoted by anybody.
    """
    before, after = text[max(0, start - _TOPIC) : start], text[end : end + _TOPIC]
    topics = _topics(before) | _topics(after)
    opened = _opened_quote(text, start, end)
    if opened >= 0:
        line_start = text.rfind("\n", max(0, opened - _LINE), opened) + 1
        lead = text[max(line_start, opened - _LINE) : opened]
        if not _KEY.search(lead.rstrip(" ") if lead.strip() else lead):
            return len(_WORD.findall(lead)) >= 2 or bool(topics)
        is_value = _VALUE.search(lead) is not None
        if topics or (not is_value and _QUOTES_IT.search(lead.rstrip(" :=("))):
            return True
    if len(topics) >= 2 or _in_fence(text, start) or _in_table(text, start) or _in_quotation(text, start):
        return bool(topics)
    # a phrase that begins a sentence of its own is introduced by nothing
    return text[start : start + 1] not in ".!?;\n" and _INTRODUCES.search(before[-100:]) is not None


def _topics(around: str) -> set[str]:
    return {found[0].lower()[:6] for found in _TOPIC_WORDS.finditer(around)}


def _opened_quote(text: str, start: int, end: int) -> int:
    """Return the place of the quotation mark that opens around the phrase; -1 without one."""
    low = max(0, start - _LONG_LINE)
    line = text.rfind("\n", low, start + 1) + 1 or low
    # the phrase's match may begin at the quotation mark itself
    # the quotation marks of an element's attributes quote nothing of what it holds
    head = _TAG.sub(lambda tag: " " * len(tag[0]), text[line : start + 1])
    tail_end = text.find("\n", end)
    tail = text[
        max(start + 1, end - 1) : min(len(text), end + _LINE, tail_end if tail_end >= 0 else len(text))
    ]
    best = -1
    for opening, closing in _QUOTES.items():
        place = _unclosed(head, opening, closing)
        if place >= 0 and closing in tail:
            best = max(best, line + place)
    return best


def _unclosed(head: str, opening: str, closing: str) -> int:
    if opening != closing:
        place = head.rfind(opening)
        return place if place >= 0 and closing not in head[place + 1 :] else -1
    open_at = -1
    for place, char in enumerate(head):
        if char != opening:
            continue
        inside_word = 0 < place < len(head) - 1 and head[place - 1].isalnum() and head[place + 1].isalnum()
        if opening == "'" and inside_word:
            continue
        open_at = place if open_at < 0 else -1
    return open_at


def _in_fence(text: str, start: int) -> bool:
    low = max(0, start - 1500)
    return text.count("```", low, start) % 2 == 1


def _in_table(text: str, start: int) -> bool:
    """Whether the phrase stands in a row of a table that has a row before it."""
    line = text.rfind("\n", max(0, start - _LINE), start + 1) + 1
    row_before = text.rfind("\n", max(0, line - 1 - _LINE), max(0, line - 1)) + 1
    return text[line : line + 1] == "|" and text[row_before : row_before + 1] == "|" and row_before < line


def _in_quotation(text: str, start: int) -> bool:
    """Whether the phrase stands in a line that is marked as a quotation; the mark may be escaped."""
    line = _LINE_BREAK.split(text[max(0, start - _LONG_LINE) : start + 1])[-1]
    return _QUOTATION.match(line) is not None


_CONTACT: Final = re.compile(
    r"(?i)\b(?:reports?|questions?|logs?|issues?|security|feedback|patch(?:es)?|bugs?|e-?mail|visit|names?"
    r"|docs?)\b"
)


def _is_in_comment(text: str, start: int) -> bool:
    head = text[max(0, start - 400) : start + 1]
    opened = head.rfind("<!--")
    return opened >= 0 and "-->" not in head[opened:]


def is_notice(text: str, start: int, end: int) -> bool:
    """Whether the phrase, in a comment of a page, tells its authors whom to write to or what to read."""
    return _is_in_comment(text, start) and _CONTACT.search(text[start : end + 60]) is not None


def is_hidden(text: str, start: int) -> bool:
    """Whether people who look at the rendered text would not see what stands at ``start``."""
    if _is_in_comment(text, start):
        return True
    tag = text[max(0, start - 200) : start + 1]
    after = max((found.end() for found in _HIDING.finditer(tag)), default=-1)
    return after >= 0 and "</" not in tag[after:] and not _VOID.search(tag[:after])


_VOID: Final = re.compile(r"(?i)<(?:input|img|br|hr|meta|link|source|col|wbr)\b[^<>]*$")
"""An element that holds no text, so that hiding it hides none."""


_TELLS_OF: Final = re2.compile(
    r"(?i)\b(?:stor(?:y|ies)|novel|poem|essay|article|film|movie|scene|chapter|book|song|paper|lecture"
    r"|character)"
    r" (?:about|on|where|in which|of|that|called|named)\b[^.!?\n]{0,30}$"
)


def is_told_of(text: str, start: int) -> bool:
    """Whether the phrase that begins at ``start`` is what a story, a film or an article is about."""
    return _TELLS_OF.search(text[max(0, start - 80) : start]) is not None


_OWN_WORK: Final = re2.compile(
    r"(?i)\byou(?:['’]ve| have)? (?:just )?(?:changed|did|done|fixed|edited|added|implemented|refactored"
    r"|tried|removed|built|installed|committed|found|learned|renamed)\b"
)


def is_own_work(text: str, start: int, end: int) -> bool:
    """Whether the phrase ``text[start:end]`` is about what the reader itself did (*all you changed*)."""
    return _OWN_WORK.search(text[start:end]) is not None


_COMMIT: Final = re.compile(r"[*|/\\ ]{0,16}[0-9a-f]{7,40} (?:\([^)\n]{1,120}\) )?")
_LOG_HEAD: Final = re2.compile(
    r"(?m)^Author:? .{1,80}<\S+>$|^Date: {1,3}\w{3} \w{3} |\burgency=\w|^\d{4}-\d\d-\d\d  ?\S.{1,60}<\S+>$"
)
_LOG_TAIL: Final = re2.compile(r"(?m)^ -- .{1,80}<\S+>  ?\w{3}, ")


def is_log_entry(text: str, start: int, end: int) -> bool:
    """Whether the phrase begins an entry of a log of changes, whose authors speak of themselves.

    A line of ``git log --oneline``; an indented line below the author of a commit, or in a package's history.
    """
    at = start
    while at < end and text[at] in " \t\n.*":
        at += 1
    line = text.rfind("\n", max(0, at - _LINE), at) + 1
    lead = text[line:at]
    if _COMMIT.fullmatch(lead):
        return True
    if not lead[:1].isspace() or lead.strip(" \t*-+"):
        return False
    before, after = text[max(0, line - _LONG_LINE) : line], text[at : at + _LONG_LINE]
    return _LOG_HEAD.search(before) is not None or _LOG_TAIL.search(after) is not None


_LIST_ITEM: Final = re.compile(r"\s*(?:[-*+•·|]|\d+[.)])\s*(?:\[[ xX]\]\s*)?(?:\w+:\s*)?[\"“'`]?$")
_SPEAKER: Final = re.compile(
    r"(?i)(?:^|[\s|*_>#-])(?:users?|customers?|humans?|you|examples?|e\.g\.|prompts?|quer(?:y|ies)|questions?"
    r"|requests?"
    r"|inputs?|triggers?|try|ask|asks|say|says|q)\b[*_`]*\s*(?:\([^)\n]*\)\s*)?[:→>-]?[*_`]*\s*[\"“'`]?$"
)
_LABEL_CHARS: Final = 48


def is_sample_request(text: str, start: int, end: int) -> bool:
    """Whether the phrase ``text[start:end]`` shows what somebody might ask for, or is the label of a button.

    An item of a list of quoted requests, what stands after ``User:`` or ``Example:``, a short quoted value
    without the end of a sentence, and a clause about who uses something and when.
    """
    at = start + 1 if text[start : start + 1] in "\"“'‘`" else start
    while text[at : at + 1] in (" ", "\n", ".", ":", ">", "*") and at < end:
        at += 1
    mark = text[at - 1 : at] if at else ""
    line = text.rfind("\n", max(0, at - _LINE), at) + 1 or max(0, at - _LINE)
    lead = text[line:at]
    if _WHEN.match(text[at : at + 40]) or _CHANGED_FILE.fullmatch(lead):
        return True
    if mark == ">" and text.find("</", at, at + _LABEL_CHARS) >= 0:
        return True
    if mark not in _QUOTES and text[at : at + 1] not in _QUOTES:
        return False
    at += text[at : at + 1] in _QUOTES
    opening = text[at - 1 : at]
    close = text.find(_QUOTES[opening], at, at + _LINE)
    if _SPEAKER.search(lead) or (_LIST_ITEM.fullmatch(lead) and _has_siblings(text, line, opening)):
        return True
    if opening == "'":  # an apostrophe ends it anywhere
        return False
    label = text[at:close] if 0 <= close - at <= _LABEL_CHARS else ""
    return bool(label) and label[-1] not in ".!" and "\n" not in label


_WHEN: Final = re.compile(
    r"(?i)(?:use|run|check|add|get|read) (?:\w+ )?(?:when|if|this when|it when|in case|whenever)\b|make"
    r" (?:sure|certain)\b"
)
_CHANGED_FILE: Final = re.compile(r"\s*[-*+] ?[\w./, {}()*-]*(?:[./]\w+|\([\w, :.*-]+\)):\s*$")
"""The beginning of an entry of a change log, whose authors speak of themselves."""


def _has_siblings(text: str, line: int, opening: str) -> bool:
    """Whether the line before or after also is an item that begins with a quotation mark."""
    before = text[text.rfind("\n", 0, max(0, line - 1)) + 1 : line]
    following = text.find("\n", line) + 1
    after = text[following : following + 12] if following else ""
    return any(_QUOTED_ITEM.match(each) is not None for each in (before, after))


_QUOTED_ITEM: Final = re.compile(r"\s*(?:[-*+•·|]|\d+[.)])\s*[\"“'`]")
