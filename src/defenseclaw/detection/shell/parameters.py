"""What the operators of ``${name...}`` make of a known value."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable

_GLOB = re.compile(r"[*?\[\\]").search
_MAX_GLOB_VALUE = 256
"""Characters of a value a general glob is tried on: each prefix is tried, so time grows with the square."""


def trim(value: str, pattern: str, operator: str) -> str | None:
    """Remove a prefix (``#``, ``##``) or suffix (``%``, ``%%``); None when the pattern is out of bounds."""
    longest = len(operator) == 2
    if operator[0] == "#":
        return _trim_prefix(value, pattern, longest)
    return _trim_suffix(value, pattern, longest)


def _trim_prefix(value: str, pattern: str, longest: bool) -> str | None:
    if _GLOB(pattern) is None:
        return value.removeprefix(pattern)
    rest = pattern[1:]
    if pattern[0] == "*" and _GLOB(rest) is None:
        at = value.rfind(rest) if longest else value.find(rest)
        return value if at < 0 else value[at + len(rest) :]
    matches = _whole(pattern, value)
    if matches is None:
        return None
    ends = range(len(value), -1, -1) if longest else range(len(value) + 1)
    return next((value[end:] for end in ends if matches(value[:end])), value)


def _trim_suffix(value: str, pattern: str, longest: bool) -> str | None:
    if _GLOB(pattern) is None:
        return value.removesuffix(pattern)
    rest = pattern[:-1]
    if pattern[-1] == "*" and _GLOB(rest) is None:
        at = value.find(rest) if longest else value.rfind(rest)
        return value if at < 0 else value[:at]
    matches = _whole(pattern, value)
    if matches is None:
        return None
    starts = range(len(value) + 1) if longest else range(len(value), -1, -1)
    return next((value[:start] for start in starts if matches(value[start:])), value)


def replace(value: str, pattern: str, replacement: str, operator: str) -> str | None:
    """Apply ``/`` (first), ``//`` (all), ``/#`` (prefix) or ``/%`` (suffix); None when out of bounds."""
    if not pattern:
        return value
    if _GLOB(pattern) is None:
        if operator == "/#":
            return replacement + value[len(pattern) :] if value.startswith(pattern) else value
        if operator == "/%":
            return value[: -len(pattern)] + replacement if value.endswith(pattern) else value
        count = -1 if operator == "//" else 1
        if value.count(pattern) * len(replacement) > 1 << 20:
            return None
        return value.replace(pattern, replacement, count)
    if len(value) > _MAX_GLOB_VALUE or len(pattern) > _MAX_GLOB_VALUE or len(replacement) > 1024:
        return None
    return _replace_glob(value, pattern, replacement, operator)


def _replace_glob(value: str, pattern: str, replacement: str, operator: str) -> str | None:
    matches = _whole(pattern, value)
    if matches is None:
        return None
    out: list[str] = []
    at = 0
    while at < len(value):
        lowest = len(value) if operator == "/%" else at + 1
        end = next((end for end in range(len(value), lowest - 1, -1) if matches(value[at:end])), -1)
        if end < 0:
            out.append(value[at])
            at += 1
            if operator == "/#":
                break
            continue
        out.append(replacement)
        at = end
        if operator != "//":
            break
    return "".join(out) + value[at:]


def change_case(value: str, operator: str) -> str:
    """Apply ``^``, ``^^``, ``,`` or ``,,`` without a pattern."""
    if operator == "^^":
        return value.upper()
    if operator == ",,":
        return value.lower()
    return (value[:1].upper() if operator == "^" else value[:1].lower()) + value[1:]


def cut(value: str, start: int, length: int | None) -> str:
    """Return ``${value:start:length}``; a negative start or length counts from the end."""
    if start < 0:
        start += len(value)
        if start < 0:
            return ""
    if length is None:
        return value[start:]
    return value[start : start + length] if length >= 0 else value[start : max(start, len(value) + length)]


def glob_matches(pattern: str, text: str) -> bool | None:
    """Return whether ``text`` matches the glob; None when out of bounds."""
    if _GLOB(pattern) is None:
        return pattern == text
    matches = _whole(pattern, text)
    return None if matches is None else matches(text)


def _whole(pattern: str, value: str) -> Callable[[str], bool] | None:
    if len(value) > _MAX_GLOB_VALUE or len(pattern) > 64 or pattern.count("*") > 4:
        return None
    translated = fnmatch.translate(pattern.replace("[^", "[!"))
    try:
        compiled = re.compile(translated)
    except re.error:
        return None
    return lambda text: compiled.match(text) is not None
