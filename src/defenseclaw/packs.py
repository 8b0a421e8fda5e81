"""Loads rule packs: the rules that come with the program, a profile's overlay, further rule folders.

Everything is validated before anything is used. A pack with one bad rule is refused whole, with file, line
and rule, and whoever holds a good one keeps it (:class:`RuleStore`).

Source: ``spec/guardrail.md`` §5; ``style.md`` §3; ``rules/README.md`` for the format.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final, TypeVar

import yaml

from defenseclaw.detection.injection import REASONS
from defenseclaw.detection.ruleset import (
    EXAMPLE_CWD,
    EXAMPLE_HOME,
    Example,
    Rule,
    RuleSet,
    Subject,
    kinds_of,
)
from defenseclaw.detection.secrets import VALIDATORS
from defenseclaw.errors import PackError
from defenseclaw.vocabulary import EventKind, Profile, Severity

MAX_FILES: Final = 4096
MAX_FILE_BYTES: Final = 1024 * 1024
ALIASES: Final = {"balanced": "default"}
"""Other names of packs. Source: ``spec/guardrail.md`` §2.2."""

_Value = TypeVar("_Value")
_PROFILES: Final = "profiles"
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load(pack: str = "default", extra_dirs: Sequence[Path] = ()) -> RuleSet:
    """Return the compiled pack.

    Args:
        pack: ``default`` (or ``balanced``, the same), ``strict`` or ``permissive``.
        extra_dirs: Folders of further rules, laid out as ``<category>/<rule-id>.yaml``, with new ids.

    Returns:
        A rule set; the same object for the same packaged pack.

    Raises:
        PackError: The pack is unknown, or a file is not valid; the message names file, line and rule.
    """
    pack = ALIASES.get(pack, pack)
    if pack not in set(Profile):
        raise PackError("unknown rule pack", hint=f"use one of {', '.join(Profile)}")
    if not extra_dirs:
        return _packaged(pack)
    added = [entry for folder in extra_dirs for entry in _read_rules(folder)]
    return _compile([*_packaged_rules(), *added], pack)


class RuleStore:
    """The compiled packs in use. A pack that cannot be loaded leaves the last good one in place."""

    def __init__(self, extra_dirs: Sequence[Path] = ()) -> None:
        self._extra_dirs = tuple(extra_dirs)
        self._good: dict[str, RuleSet] = {}

    def current(self, pack: str = "default") -> RuleSet:
        """Return the last good rule set of ``pack``, loading it at first use.

        Raises:
            PackError: There has never been a good one.
        """
        known = self._good.get(pack)
        return known if known is not None else self.reload(pack)

    def reload(self, pack: str = "default") -> RuleSet:
        """Load ``pack`` again and put it in use.

        Raises:
            PackError: It is not valid; :meth:`current` goes on returning what it returned before.
        """
        fresh = load(pack, self._extra_dirs)
        self._good[pack] = fresh
        return fresh


@lru_cache(maxsize=len(Profile))
def _packaged(pack: str) -> RuleSet:
    return _compile(_packaged_rules(), pack)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A rule and where what decides it is written."""

    rule: Rule
    place: str


@lru_cache(maxsize=1)
def _packaged_rules() -> tuple[_Entry, ...]:
    return tuple(_read_rules(_packaged_folder()))


def _packaged_folder() -> Traversable:
    return resources.files("defenseclaw") / "rules"


def _compile(entries: Sequence[_Entry], pack: str) -> RuleSet:
    known: dict[str, _Entry] = {}
    for entry in entries:
        if entry.rule.id in known:
            raise PackError(f"{entry.place}: {entry.rule.id}: this id is taken")
        known[entry.rule.id] = entry
    overlay = _packaged_folder() / _PROFILES / f"{pack}.yaml"
    rules = {rule_id: entry.rule for rule_id, entry in known.items()}
    try:
        return RuleSet(_overlaid(rules, _File(overlay, f"{_PROFILES}/{pack}.yaml")))
    except PackError as error:
        culprit = known.get(error.message.partition(":")[0])
        raise PackError(f"{culprit.place}: {error.message}" if culprit else error.message) from error


def _read_rules(folder: Traversable) -> list[_Entry]:
    categories = sorted(_folders(folder), key=lambda each: each.name)
    files = [
        _File(file, f"{category.name}/{file.name}", category=category.name)
        for category in categories
        for file in sorted(category.iterdir(), key=lambda each: each.name)
        if file.name.endswith(".yaml")
    ]
    if len(files) > MAX_FILES:
        raise PackError(f"more than {MAX_FILES} rule files")
    return [_entry(file) for file in files]


def _folders(folder: Traversable) -> list[Traversable]:
    if not folder.is_dir():
        raise PackError("rule folder not found")
    return [
        each for each in folder.iterdir() if each.is_dir() and each.name not in (_PROFILES, "__pycache__")
    ]


class _File:
    """One YAML document, decoded without coercion; every error names its place."""

    def __init__(self, source: Traversable, label: str, category: str = "") -> None:
        self.label = label
        self.category = category
        self.stem = source.name.removesuffix(".yaml")
        self.rule_id = ""
        self.root = self._mapping_node(self._compose(source))

    def error(self, node: yaml.Node | None, what: str) -> PackError:
        line = f":{node.start_mark.line + 1}" if node is not None and node.start_mark else ""
        rule = f" {self.rule_id}:" if self.rule_id else ""
        return PackError(f"rules/{self.label}{line}:{rule} {what}")

    def _compose(self, source: Traversable) -> yaml.Node:
        if isinstance(source, Path) and source.is_symlink():
            raise self.error(None, "is a symbolic link")
        try:
            content = source.read_bytes()
        except OSError as error:
            raise self.error(None, "cannot be read") from error
        if len(content) > MAX_FILE_BYTES:
            raise self.error(None, f"larger than {MAX_FILE_BYTES} bytes")
        try:
            root = yaml.compose(content, Loader=_LOADER)
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            mark = getattr(error, "problem_mark", None)
            line = f" (line {mark.line + 1})" if mark else ""
            raise self.error(None, f"is not one YAML document{line}") from error
        if root is None:
            raise self.error(None, "is empty")
        self._refuse_aliases(root, set())
        return root

    def _refuse_aliases(self, node: yaml.Node, seen: set[int]) -> None:
        if id(node) in seen:
            raise self.error(node, "aliases are not allowed")
        seen.add(id(node))
        children = node.value if isinstance(node, yaml.CollectionNode) else ()
        for child in children:
            for each in child if isinstance(child, tuple) else (child,):
                self._refuse_aliases(each, seen)

    def _mapping_node(self, node: yaml.Node) -> yaml.MappingNode:
        if not isinstance(node, yaml.MappingNode):
            raise self.error(node, "a mapping is needed")
        return node

    def mapping(self, node: yaml.Node, allowed: frozenset[str] | None = None) -> dict[str, yaml.Node]:
        """Return the nodes of a mapping by key; refuse unknown and repeated keys."""
        found: dict[str, yaml.Node] = {}
        for key_node, value_node in self._mapping_node(node).value:
            # as written: YAML 1.1 takes the key `on` for a truth value
            if not isinstance(key_node, yaml.ScalarNode):
                raise self.error(key_node, "a key must be a string")
            key = str(key_node.value)
            if allowed is not None and key not in allowed:
                raise self.error(key_node, f"unknown key {key!r}")
            if key in found:
                raise self.error(key_node, f"key {key!r} stands twice")
            found[key] = value_node
        return found

    def text(self, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode) or node.tag != "tag:yaml.org,2002:str":
            raise self.error(node, "a string is needed")
        text = str(node.value)
        if not text.strip():
            raise self.error(node, "must not be blank")
        return text

    def texts(self, node: yaml.Node) -> tuple[str, ...]:
        texts = tuple(self.text(each) for each in self.items(node))
        if len(set(texts)) != len(texts):
            raise self.error(node, "an entry stands twice")
        return texts

    def items(self, node: yaml.Node) -> list[yaml.Node]:
        if not isinstance(node, yaml.SequenceNode) or not node.value:
            raise self.error(node, "a list with at least one entry is needed")
        return list(node.value)

    def number(self, node: yaml.Node) -> float:
        tags = ("tag:yaml.org,2002:float", "tag:yaml.org,2002:int")
        if not isinstance(node, yaml.ScalarNode) or node.tag not in tags:
            raise self.error(node, "a number is needed")
        try:
            number = float(node.value)
        except ValueError as error:
            raise self.error(node, "a plain decimal number is needed") from error
        if not math.isfinite(number) or not 0 <= number <= 1:
            raise self.error(node, "must lie between 0 and 1")
        return number

    def boolean(self, node: yaml.Node) -> bool:
        if not isinstance(node, yaml.ScalarNode) or node.value not in ("true", "false"):
            raise self.error(node, "true or false is needed")
        return bool(node.value == "true")

    def one_of(self, node: yaml.Node, values: Mapping[str, _Value]) -> _Value:
        text = self.text(node)
        if text not in values:
            raise self.error(node, f"{text!r} is not one of {', '.join(values)}")
        return values[text]

    def plain(self, node: yaml.Node) -> Any:  # noqa: ANN401 - JSON of any shape
        """Return the value of any node as JSON would have it."""
        if isinstance(node, yaml.MappingNode):
            return {key: self.plain(value) for key, value in self.mapping(node).items()}
        if isinstance(node, yaml.SequenceNode):
            return [self.plain(each) for each in node.value]
        return yaml.SafeLoader("").construct_object(node)


_SEVERITIES: Final = {each.value: each for each in Severity if each is not Severity.NONE}
_KINDS: Final = {each.value: each for each in EventKind}
_SUBJECTS: Final = {each.value: each for each in Subject}
_REASONS: Final = {each: each for each in REASONS}
_REQUIRED: Final = frozenset(
    ("id", "title", "severity", "confidence", "tags", "flags", "allows", "why", "fix")
)
_RULE_KEYS: Final = _REQUIRED | frozenset(
    (
        "condition",
        "pattern",
        "patterns",
        "on",
        "validate",
        "kinds",
        "masks",
        "detection_only",
        "aliases",
        "signals",
        "wording",
    )
)
_EXAMPLE_KEYS: Final = frozenset(("tool", "args", "command", "cwd", "home", "text", "kind", "files"))
_OVERLAY_KEYS: Final = frozenset(("enabled", "severity", "confidence"))


def _entry(file: _File) -> _Entry:
    file.rule_id = _claimed_id(file.root)
    nodes = file.mapping(file.root, _RULE_KEYS)
    missing = sorted(_REQUIRED - nodes.keys())
    if missing:
        raise file.error(file.root, f"missing: {', '.join(missing)}")
    _check_name(file, nodes["id"])

    def given(key: str, decode: Callable[[yaml.Node], _Value], default: _Value) -> _Value:
        return decode(nodes[key]) if key in nodes else default

    kinds = given("kinds", lambda node: _kinds(file, node), kinds_of(file.category))
    rule = Rule(
        id=file.text(nodes["id"]),
        title=file.text(nodes["title"]),
        category=file.category,
        severity=file.one_of(nodes["severity"], _SEVERITIES),
        confidence=file.number(nodes["confidence"]),
        tags=file.texts(nodes["tags"]),
        kinds=kinds,
        condition=given("condition", file.text, ""),
        patterns=_patterns(file, nodes),
        on=given("on", lambda node: file.one_of(node, _SUBJECTS), Subject.TEXT),
        validate=given("validate", file.text, ""),
        signals=given("signals", lambda node: _signals(file, node), ()),
        wording=given("wording", file.text, ""),
        masks=given("masks", file.boolean, False),
        detection_only=given("detection_only", file.boolean, False),
        aliases=given("aliases", file.texts, ()),
        flags=_examples(file, nodes["flags"], kinds),
        allows=_examples(file, nodes["allows"], kinds),
        why=file.text(nodes["why"]),
        fix=file.text(nodes["fix"]),
    )
    _check_decides(file, rule, nodes)
    decides = next(key for key in ("condition", "pattern", "patterns", "signals") if key in nodes)
    return _Entry(rule, f"rules/{file.label}:{nodes[decides].start_mark.line + 1}")


def _claimed_id(root: yaml.MappingNode) -> str:
    """Return the id as written, for the messages of a file that may have anything else wrong with it."""
    return next((str(value.value)[:64] for key, value in root.value if key.value == "id"), "")


def _check_name(file: _File, node: yaml.Node) -> None:
    wanted = file.rule_id.lower().replace(".", "-").replace("_", "-")
    if file.stem != wanted:
        raise file.error(node, f"the file of this rule must be named {wanted}.yaml")


def _check_decides(file: _File, rule: Rule, nodes: Mapping[str, yaml.Node]) -> None:
    if not rule.condition and not rule.patterns and not rule.signals:
        raise file.error(file.root, "needs a condition or a pattern, or signals")
    if rule.wording and not rule.signals:
        raise file.error(nodes["wording"], "narrows signals, and there are none")
    if rule.condition and rule.kinds != frozenset({EventKind.TOOL_CALL}):
        raise file.error(nodes["condition"], "a condition is about tool calls only")
    if rule.validate and not rule.patterns:
        raise file.error(nodes["validate"], "validates the matches of patterns, and there are none")
    if rule.validate and rule.validate not in VALIDATORS:
        raise file.error(nodes["validate"], f"no validator is named {rule.validate!r}")


def _patterns(file: _File, nodes: Mapping[str, yaml.Node]) -> tuple[str, ...]:
    if "pattern" in nodes and "patterns" in nodes:
        raise file.error(nodes["patterns"], "give either pattern or patterns")
    if "pattern" in nodes:
        return (file.text(nodes["pattern"]),)
    return file.texts(nodes["patterns"]) if "patterns" in nodes else ()


def _signals(file: _File, node: yaml.Node) -> tuple[str, ...]:
    return tuple(file.one_of(each, _REASONS) for each in file.items(node))


def _kinds(file: _File, node: yaml.Node) -> frozenset[EventKind]:
    return frozenset(file.one_of(each, _KINDS) for each in file.items(node))


def _examples(file: _File, node: yaml.Node, kinds: frozenset[EventKind]) -> tuple[Example, ...]:
    examples = tuple(_example(file, each, kinds) for each in file.items(node))
    if len({each.note for each in examples}) != len(examples):
        raise file.error(node, "an example stands twice")
    return examples


def _example(file: _File, node: yaml.Node, kinds: frozenset[EventKind]) -> Example:
    """Read one example: a string is a shell command, or a prompt where tool calls are not all there is."""
    if isinstance(node, yaml.ScalarNode):
        text = file.text(node)
        if kinds == frozenset({EventKind.TOOL_CALL}):
            return Example(note=text, tool="Bash", args={"command": text})
        kind = EventKind.PROMPT if EventKind.PROMPT in kinds else min(kinds)
        return Example(note=text, kind=kind, text=text)
    nodes = file.mapping(node, _EXAMPLE_KEYS)
    values = {key: file.plain(value) for key, value in nodes.items()}
    if "command" in values:
        values = {"tool": "Bash", "args": {"command": values["command"]}, **values}
    default_kind = EventKind.PROMPT if "text" in values else EventKind.TOOL_CALL
    return Example(
        note=_note(values),
        kind=file.one_of(nodes["kind"], _KINDS) if "kind" in nodes else default_kind,
        tool=values.get("tool", ""),
        args=values.get("args"),
        text=values.get("text", ""),
        cwd=values.get("cwd", EXAMPLE_CWD),
        home=values.get("home", EXAMPLE_HOME),
        files=values.get("files", {}),
    )


def _note(values: Mapping[str, Any]) -> str:
    shown = [str(values[key]) for key in ("kind", "tool", "cwd", "home") if key in values]
    subject = values.get("command") or values.get("text") or values.get("args")
    return " ".join(
        [*shown, str(subject), *(f"{path} holds {text!r}" for path, text in values.get("files", {}).items())]
    )


def _overlaid(by_id: dict[str, Rule], file: _File) -> list[Rule]:
    """Apply a profile: switch rules off, change severity or confidence."""
    nodes = file.mapping(file.root, frozenset(("rules",)))
    changes = file.mapping(nodes["rules"]) if "rules" in nodes else {}
    for rule_id, node in changes.items():
        if rule_id not in by_id:
            raise file.error(node, f"no rule is named {rule_id!r}")
        change = file.mapping(node, _OVERLAY_KEYS)
        if "severity" in change:
            by_id[rule_id] = replace(by_id[rule_id], severity=file.one_of(change["severity"], _SEVERITIES))
        if "confidence" in change:
            by_id[rule_id] = replace(by_id[rule_id], confidence=file.number(change["confidence"]))
        if "enabled" in change and not file.boolean(change["enabled"]):
            del by_id[rule_id]
    return list(by_id.values())
