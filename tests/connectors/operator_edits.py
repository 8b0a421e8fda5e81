"""What an operator or an agent may do to a settings file between our setup and our teardown.

Edits are made to the file's value, which is then written out anew, as agents do that rewrite their file in
normal form; comments, empty lines and line ends come on top. ``ours`` says which of the file's values are of
our making; everything else must be there afterwards, in the same order.
"""

from __future__ import annotations

import copy
import json
import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import yaml
from hypothesis import strategies as st

Leaf = tuple[tuple[str, ...], Any]
Draw = Callable[[st.SearchStrategy[Any]], Any]

_JSON_COMMENT = re.compile(r'("(?:[^"\\]|\\.)*")|//[^\n]*')
_MARK = re.compile(r"remark-\d+")


@dataclass(frozen=True, slots=True)
class Format:
    """How a file is read and written."""

    name: str
    comment: str = ""
    """What begins one; empty where there is none."""

    def parse(self, content: bytes) -> Any:
        """Return the value; an empty file is an empty mapping."""
        text = content.decode()
        if self.name == "toml":
            return tomllib.loads(text)
        if self.name == "yaml":
            return yaml.safe_load(text) or {}
        text = _JSON_COMMENT.sub(lambda match: match[1] or "", text) if self.comment else text
        return json.loads(text) if text.strip() else {}

    def dump(self, value: Any, draw: Draw) -> str:
        """Write the value anew."""
        if self.name == "toml":
            return "".join(_toml((), value))
        if self.name == "yaml":
            flow = draw(st.sampled_from([False, False, None]))
            return (
                yaml.safe_dump(value, sort_keys=False, default_flow_style=flow, width=10**6) if value else ""
            )
        return json.dumps(value, indent=draw(st.sampled_from([2, 4, "\t"])), ensure_ascii=False) + "\n"


def _toml(path: tuple[str, ...], table: dict[str, Any]) -> Iterator[str]:
    """Tables written out, as no inline ones."""
    nested = {}
    for key, value in table.items():
        if isinstance(value, dict) or (isinstance(value, list) and value and isinstance(value[0], dict)):
            nested[key] = value
        else:
            yield f"{json.dumps(key)} = {json.dumps(value, ensure_ascii=False)}\n"
    for key, value in nested.items():
        name = ".".join(json.dumps(each) for each in (*path, key))
        for each in [value] if isinstance(value, dict) else value:
            yield f"[{name}]\n" if isinstance(value, dict) else f"[[{name}]]\n"
            yield from _toml((*path, key), each)


@dataclass(frozen=True, slots=True)
class Ours:
    """Which values of a file are of our making."""

    folder: str
    """Part of every path of ours."""
    places: frozenset[tuple[str, ...]] = frozenset()
    """Paths below which everything is ours."""
    items: frozenset[tuple[tuple[str, ...], str]] = frozenset()
    """Path of a list and the item of it that is ours."""
    formal: frozenset[str] = frozenset()
    """Top-level keys that say nothing of themselves, so that nobody minds whether they stay."""
    apart: frozenset[tuple[str, ...]] = frozenset()
    """Paths below which ours and theirs are told apart otherwise."""

    def entry(self, value: Any) -> bool:
        """Whether a value is an entry that calls a script of ours."""
        return isinstance(value, dict) and any(self.command(each) for each in value.values())

    def command(self, value: Any) -> bool:
        """Whether a value names a file of ours."""
        return isinstance(value, str) and self.folder in value

    def holds(self, value: Any, path: tuple[str, ...] = ()) -> bool:
        """Whether anything in a value is ours."""
        if path in self.apart:
            return False
        if self.entry(value) or path in self.places:
            return True
        if isinstance(value, dict):
            return any(self.holds(each, (*path, key)) for key, each in value.items())
        if isinstance(value, list):
            return any(self.holds(each, path) for each in value)
        return self.command(value) or (path, value) in self.items

    def others(self, value: Any, path: tuple[str, ...] = ()) -> list[Leaf]:
        """Return what is not ours, in order. A group that holds only an entry of ours is ours."""
        if self.entry(value) or path in self.places or self.only_wraps(value):
            return []
        if path in self.apart or (len(path) == 1 and path[0] in self.formal):
            return []
        if isinstance(value, dict):
            return [leaf for key, each in value.items() for leaf in self.others(each, (*path, key))]
        if isinstance(value, list):
            return [leaf for each in value for leaf in self.others(each, path)]
        return [] if self.command(value) or (path, value) in self.items else [(path, value)]

    def only_wraps(self, value: Any) -> bool:
        """Whether a value is a matcher group with handlers of ours and no others."""
        handlers = value.get("hooks") if isinstance(value, dict) else None
        return isinstance(handlers, list) and bool(handlers) and all(self.entry(each) for each in handlers)


@dataclass(frozen=True, slots=True)
class Kind:
    """What can be edited in one agent's file."""

    format: Format
    new_key: Callable[[int], Any] | None = lambda number: f"added {number}"
    """Value of a key the operator adds at the top; None where the agent takes no others."""
    droppable: bool = True
    """Whether a top-level key may go with all that is in it."""


def edit(value: Any, kind: Kind, ours: Ours, draw: Draw) -> Any:
    """Return a copy of ``value`` with one edit."""
    value = copy.deepcopy(value)
    number = draw(st.integers(10, 99))
    lists = [each for each in _lists(value) if any(map(ours.holds, each)) and not isinstance(each[0], str)]
    entries = [each for each in _dicts(value) if ours.entry(each)]
    choices = ["shuffle keys"]
    choices += ["add key"] if kind.new_key else []
    choices += ["drop key"] if kind.droppable and value else []
    choices += ["neighbour", "shuffle entries", "double ours", "drop ours"] if lists else []
    choices += ["another timeout", "a note"] if entries else []
    theirs = [each for each in _dicts(value) if _command_of(each)]
    choices += ["change neighbour"] if theirs else []
    match draw(st.sampled_from(choices)):
        case "shuffle keys":
            keys = draw(st.permutations(list(value)))
            return {key: value[key] for key in keys}
        case "add key":
            value[f"added{number}"] = kind.new_key(number)
        case "drop key":
            del value[draw(st.sampled_from(list(value)))]
        case "neighbour":
            target = draw(st.sampled_from(lists))
            mine = copy.deepcopy(next(each for each in target if ours.holds(each)))
            target.insert(draw(st.integers(0, len(target))), _renamed(mine, ours, f"operator-tool {number}"))
        case "shuffle entries":
            target = draw(st.sampled_from(lists))
            target[:] = draw(st.permutations(target))
        case "double ours":
            target = draw(st.sampled_from(lists))
            target.append(copy.deepcopy(next(each for each in target if ours.holds(each))))
        case "drop ours":
            target = draw(st.sampled_from(lists))
            target.remove(next(each for each in target if ours.holds(each)))
        case "another timeout":
            entry = draw(st.sampled_from(entries))
            entry.update({key: number for key, each in entry.items() if type(each) is int})
        case "a note":
            draw(st.sampled_from(entries))["note"] = f"seen {number}"
        case "change neighbour":
            entry = draw(st.sampled_from(theirs))
            entry[_command_of(entry)] = f"operator-tool {number}"
    return value


def as_written_before(value: Any, ours: Ours) -> Any:
    """Return a value with our entries as an older release wrote them: the bare script, another timeout."""

    def older(each: Any) -> Any:
        if isinstance(each, dict):
            found = {key: older(inner) for key, inner in each.items()}
            if ours.entry(each):
                found.update({key: 7 for key, inner in found.items() if type(inner) is int})
            return found
        if isinstance(each, list):
            return [older(inner) for inner in each]
        if ours.command(each) and (match := re.fullmatch(r"'?(/.*-hook\.sh)'?( \S+)?", each)):
            return match[1] if "'" not in match[1] else each
        return each

    return older(value)


def decorated(text: str, format_: Format, draw: Draw) -> bytes:
    """Return the text with comments, empty lines and other line ends."""
    lines = text.splitlines()
    for number in draw(st.lists(st.integers(100, 999), max_size=3, unique=True)):
        place = draw(st.integers(0, len(lines)))
        extra = f"{format_.comment} remark-{number}" if format_.comment else ""
        lines.insert(place, draw(st.sampled_from(["", extra])))
    newline = draw(st.sampled_from(["\n", "\n", "\r\n"]))
    return (newline.join(lines) + newline).encode() if lines else b""


def remarks(content: bytes) -> list[str]:
    """Return the comments that :func:`decorated` put there, in order."""
    return _MARK.findall(content.decode())


def _renamed(value: Any, ours: Ours, command: str) -> Any:
    if isinstance(value, dict):
        return {key: _renamed(each, ours, command) for key, each in value.items()}
    if isinstance(value, list):
        return [_renamed(each, ours, command) for each in value]
    return command if ours.command(value) else value


def _command_of(entry: dict[str, Any]) -> str:
    return next((key for key, each in entry.items() if str(each).startswith("operator-tool")), "")


def _dicts(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, dict):
        return [value, *(found for each in value.values() for found in _dicts(each))]
    return [found for each in value for found in _dicts(each)] if isinstance(value, list) else []


def _lists(value: Any) -> list[list[Any]]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    own = [value] if isinstance(value, list) and value else []
    return own + [found for each in inner for found in _lists(each)]
