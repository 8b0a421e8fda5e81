"""Insecure code in what a tool writes, and in what is sent to be scanned.

A *check* finds the places of one weakness in one text; a rule of category ``code`` names its check and says
how bad it is. Work is bounded by size: one search tells which checks can find anything at all, and only then
is the text tokenized, once for all of them.

Source: ``spec/guardrail.md`` §10.3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final

from defenseclaw.detection.code import (
    addresses,
    credentials,
    execution,
    objects,
    queries,
)
from defenseclaw.detection.code.issues import Issue
from defenseclaw.detection.code.languages import Language, guess, is_test, language_named, language_of
from defenseclaw.detection.code.program import FOREIGN, Program
from defenseclaw.detection.code.source import Source
from defenseclaw.detection.patterns import PatternSet
from defenseclaw.detection.text import encodable

__all__ = [
    "CHECKS", "Check", "Issue", "Language", "Place", "examine", "guess", "language_named", "language_of",
]  # fmt: skip

MAX_ISSUES: Final = 500
"""Places of one check in one text that are reported."""
_MINIFIED_LINE: Final = 1000
"""Characters of an average line from which on code was made by a program, for a program."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """How one weakness is found."""

    name: str
    find: Callable[[Program], Iterator[Issue]]
    occurs: Mapping[Language, str]
    """Per language it knows, RE2 that matches in every text in which the check can find anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One issue of one check, with its line."""

    check: str
    issue: Issue
    line: int
    """From 1."""
    excerpt: str
    """The text of the issue, at most 320 characters."""


_END, _QUOTE = r"\Z", r"[\"'`]"
_NOTHING: Final = r"[^\s\S]"
_ANY_CLIMB: Final = r"\.\.[/\\\"']"
_CLIMBS: Final = {
    # most JavaScript holds ../ in its imports, which open nothing
    Language.JAVASCRIPT: (
        r"(?:[,+=?:]|(?:join|resolve|File|Sync|Stream|[oO]pen|download|unlink|rm|readdir)\()\s*[\"'`]"
        r"[^\"'`\n]{0,80}\.\.[/\\\"'`]"
    )
}
_EVERYWHERE: Final = tuple(Language)
_BUILT_SQL: Final = rf"(?i)(?:[\"'`]|<<[<~-]?[\"']?\w+[\"']?\n){queries.BEGINS.replace(_END, _QUOTE)}"
_HTTP: Final = r"\b(?:https?|axios|got|needle|superagent)\.\w+\s*\(|\b(?:fetch|axios|got)\s*\("

CHECKS: Final[Mapping[str, Check]] = {
    check.name: check
    for check in (
        Check(
            name="named-secret",
            find=credentials.named_secrets,
            occurs=dict.fromkeys(
                _EVERYWHERE,
                r"(?i)(?:api[_-]?key|secret[_-]?key|access[_-]?token|private[_-]?key)[\w\"'\]\s:=|>.\[-]{1,60}[\"'`]",
            ),
        ),
        Check(
            name="aws-key",
            find=credentials.aws_keys,
            occurs=dict.fromkeys(_EVERYWHERE, r"AKIA[A-Z0-9]{16}"),
        ),
        Check(
            name="private-key",
            find=credentials.private_keys,
            occurs=dict.fromkeys(_EVERYWHERE, r"-----BEGIN [A-Z0-9 ]{0,26}PRIVATE KEY-----"),
        ),
        Check(
            name="built-command",
            find=execution.built_commands,
            occurs={
                Language.PYTHON: r"\b(?:system|popen|getoutput|getstatusoutput|eval|exec|call)\s*\(",
                Language.JAVASCRIPT: r"\b(?:eval|exec\w*)\s*\(|child_process",
                Language.RUBY: r"\b(?:system|exec|spawn|eval|popen|capture2e?|capture3)[ \t(]|`[^`\n]*#\{",
                Language.PHP: r"\b(?:eval|exec|system|shell_exec|passthru|popen|proc_open)\s*\(|`[^`\n]*\$",
            },
        ),
        Check(
            name="shell-true",
            find=execution.shell_true,
            occurs={Language.PYTHON: r"\bshell\s*=\s*(?:True|1)|create_subprocess_shell"},
        ),
        Check(
            name="open-address",
            find=addresses.open_addresses,
            occurs={
                Language.PYTHON: (
                    r"\b(?:requests|httpx)\.\w+\s*\(|\burl(?:open|retrieve)\s*\("
                    r"|(?:import|from)\s+(?:requests|httpx)\s+(?:as|import)"
                ),
                Language.JAVASCRIPT: _HTTP,
                Language.GO: r"\bhttp\.\w+\s*\(",
            },
        ),
        Check(
            name="loaded-object",
            find=objects.loaded_objects,
            occurs={
                Language.PYTHON: r"(?:[pP]ickle|dill|yaml)[\s\S]*load|load[\s\S]*(?:[pP]ickle|dill|yaml)"
            },
        ),
        Check(
            name="built-query",
            find=queries.built_queries,
            occurs=dict.fromkeys(queries.LANGUAGES, _BUILT_SQL),
        ),
        Check(
            name="weak-hash",
            find=objects.weak_hashes,
            occurs={
                Language.PYTHON: r"\b(?:md5|sha1|hashlib\.new)\s*\(",
                Language.JAVASCRIPT: r"createHash\s*\(",
                Language.GO: r"\b(?:md5|sha1)\.\w+\(",
                Language.RUBY: r"\b(?:MD5|SHA1)\b",
                Language.JAVA: r"MessageDigest\.getInstance|DigestUtils\.|Hashing\.",
                Language.C: r"\b(?:MD5|SHA1)\.\w+\(",
            },
        ),
        Check(
            name="climbing-path",
            find=addresses.climbing_paths,
            occurs={
                language: f"{_CLIMBS.get(language, _ANY_CLIMB)}|{FOREIGN.get(language, _NOTHING)}"
                for language in addresses.LANGUAGES
            },
        ),
    )
}
"""The checks, by the name that a rule gives under ``check``."""

_OCCURS: Final = {
    language: PatternSet(
        [(each.name, each.occurs[language]) for each in CHECKS.values() if language in each.occurs]
    )
    for language in Language
}


def examine(
    path: str, text: str, language: Language | None = None, names: Iterable[str] = CHECKS
) -> list[Place]:
    """Return what is insecure in a program text.

    Args:
        path: Name of its file; tells the language, and whether it is a test.
        text: The program or a part of it, any length.
        language: Where the caller knows it.
        names: The checks that are asked for.

    Returns:
        Places in order, one for each line and check; of each check the first :data:`MAX_ISSUES`. Empty for
        what is not code.

    Raises:
        PatternOverload: The text could not be searched.
    """
    language = language or language_of(path, text)
    if language is None or not text:
        return []
    text = encodable(text)
    possible = _OCCURS[language].matching(text)
    wanted = [CHECKS[name] for name in names if name in possible]
    if not wanted:
        return []
    program = Program(Source(text, language, path))
    is_trial = is_test(path) or _is_minified(text)
    found: dict[tuple[int, str], Place] = {}
    for check in wanted:
        for issue in islice(check.find(program), MAX_ISSUES):
            place = _place(program, check, issue, is_trial)
            known = found.get((place.line, check.name))
            if known is None or (place.issue.certain and not known.issue.certain):
                found[place.line, check.name] = place
    return [found[key] for key in sorted(found)]


def _place(program: Program, check: Check, issue: Issue, is_trial: bool) -> Place:
    certain = issue.certain and not is_trial
    source = program.source
    return Place(
        check=check.name,
        issue=issue._replace(certain=certain),
        line=source.line(issue.start),
        excerpt=source.text[issue.start : min(issue.end, issue.start + 320)],
    )


def _is_minified(text: str) -> bool:
    return len(text) > 4 * _MINIFIED_LINE and len(text) > _MINIFIED_LINE * (text.count("\n") + 1)
