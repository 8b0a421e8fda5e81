"""Reads one rule file: ``<category>/<rule-id>.yaml``, as ``rules/README.md`` describes it.

Source: ``style.md`` §3; ``spec/guardrail.md`` §5.3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

import yaml

from defenseclaw.detection.code import CHECKS
from defenseclaw.detection.injection import REASONS
from defenseclaw.detection.ruleset import EXAMPLE_CWD, EXAMPLE_HOME, Example, Rule, Subject, kinds_of
from defenseclaw.detection.secrets import VALIDATORS
from defenseclaw.packs.chainfile import CHAIN_KEYS, ordered
from defenseclaw.packs.document import Document, is_rule_id
from defenseclaw.vocabulary import EventKind, Severity

MAX_TITLE: Final = 200
MAX_PROSE: Final = 2000
"""Characters of ``why`` and of ``fix``."""
MAX_PATTERNS: Final = 64
"""Patterns of one rule."""
SEVERITIES: Final = {each.value: each for each in Severity if each is not Severity.NONE}

_Value = TypeVar("_Value")
_KINDS: Final = {each.value: each for each in EventKind}
_SUBJECTS: Final = {each.value: each for each in Subject}
_REASONS: Final = {each: each for each in REASONS}
_CHECKS: Final = {each: each for each in CHECKS}
_REQUIRED: Final = frozenset(
    ("id", "title", "severity", "confidence", "tags", "flags", "allows", "why", "fix")
)
_DECIDING: Final = ("condition", "pattern", "patterns", "signals", "steps", "check")
_RULE_KEYS: Final = _REQUIRED | frozenset(
    (*_DECIDING, *CHAIN_KEYS, "on", "validate", "kinds", "masks", "detection_only", "aliases", "wording")
)
_EXAMPLE_KEYS: Final = frozenset(
    ("tool", "args", "command", "cwd", "home", "text", "kind", "files", "file", "code")
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A rule, and where what decides it is written."""

    rule: Rule
    place: str
    """``file:line``."""


def read_rule(file: Document) -> Entry:
    """Return the rule of one file.

    Raises:
        PackError: A key is unknown, missing or twice there, or a value is not of its type.
    """
    file.rule_id = _claimed_id(file.root)
    nodes = file.mapping(file.root, _RULE_KEYS)
    file.required(nodes, file.root, _REQUIRED)
    _check_name(file, nodes["id"])

    def given(key: str, decode: Callable[[yaml.Node], _Value], default: _Value) -> _Value:
        return decode(nodes[key]) if key in nodes else default

    kinds = given("kinds", lambda node: _kinds(file, node), kinds_of(file.category))
    rule = Rule(
        id=file.rule_id,
        title=file.line(nodes["title"], MAX_TITLE),
        category=file.category,
        severity=file.one_of(nodes["severity"], SEVERITIES),
        confidence=file.fraction(nodes["confidence"]),
        tags=file.texts(nodes["tags"]),
        kinds=kinds,
        condition=given("condition", file.text, ""),
        patterns=_patterns(file, nodes),
        on=given("on", lambda node: file.one_of(node, _SUBJECTS), Subject.TEXT),
        validate=given("validate", file.text, ""),
        signals=given("signals", lambda node: _signals(file, node), ()),
        wording=given("wording", file.text, ""),
        ordered=ordered(file, nodes),
        check=given("check", lambda node: file.one_of(node, _CHECKS), ""),
        masks=given("masks", file.boolean, False),
        detection_only=given("detection_only", file.boolean, False),
        aliases=given("aliases", lambda node: _aliases(file, node), ()),
        flags=_examples(file, nodes["flags"], kinds),
        allows=_examples(file, nodes["allows"], kinds),
        why=file.text(nodes["why"], MAX_PROSE),
        fix=file.text(nodes["fix"], MAX_PROSE),
    )
    _check_decides(file, rule, nodes)
    return Entry(rule, file.place(nodes[next(key for key in _DECIDING if key in nodes)]))


def _claimed_id(root: yaml.MappingNode) -> str:
    """Return the id as written, for the messages of a file that may have anything else wrong with it."""
    for key, value in root.value:
        if key.value == "id" and isinstance(value, yaml.ScalarNode) and is_rule_id(value.value):
            return str(value.value)
    return ""


def _check_name(file: Document, node: yaml.Node) -> None:
    if file.text(node) != file.rule_id:
        raise file.error(node, "an id has letters, digits, '.', '_' and '-', at most 128, a letter first")
    wanted = file.rule_id.lower().replace(".", "-").replace("_", "-")
    if file.stem != wanted:
        raise file.error(node, f"the file of this rule must be named {wanted}.yaml")


def _check_decides(file: Document, rule: Rule, nodes: Mapping[str, yaml.Node]) -> None:
    if not (rule.condition or rule.patterns or rule.signals or rule.ordered or rule.check):
        raise file.error(file.root, "needs a condition or a pattern, or signals, or steps, or a check")
    if rule.check and EventKind.TOOL_CALL not in rule.kinds:
        raise file.error(nodes["check"], "a check judges what tool calls write")
    if rule.wording and not rule.signals:
        raise file.error(nodes["wording"], "narrows signals, and there are none")
    if rule.condition and rule.kinds != frozenset({EventKind.TOOL_CALL}):
        raise file.error(nodes["condition"], "a condition is about tool calls only")
    if rule.validate and not rule.patterns:
        raise file.error(nodes["validate"], "validates the matches of patterns, and there are none")
    if rule.validate and rule.validate not in VALIDATORS:
        raise file.error(nodes["validate"], f"no validator is named {rule.validate[:64]!r}")


def _patterns(file: Document, nodes: Mapping[str, yaml.Node]) -> tuple[str, ...]:
    if "pattern" in nodes and "patterns" in nodes:
        raise file.error(nodes["patterns"], "give either pattern or patterns")
    if "pattern" in nodes:
        return (file.text(nodes["pattern"]),)
    patterns = file.texts(nodes["patterns"]) if "patterns" in nodes else ()
    if len(patterns) > MAX_PATTERNS:
        raise file.error(nodes["patterns"], f"more than {MAX_PATTERNS} patterns")
    return patterns


def _aliases(file: Document, node: yaml.Node) -> tuple[str, ...]:
    aliases = file.texts(node)
    for alias in aliases:
        if not is_rule_id(alias):
            raise file.error(node, f"{alias[:64]!r} is no id")
    return aliases


def _signals(file: Document, node: yaml.Node) -> tuple[str, ...]:
    return tuple(file.one_of(each, _REASONS) for each in file.items(node))


def _kinds(file: Document, node: yaml.Node) -> frozenset[EventKind]:
    return frozenset(file.one_of(each, _KINDS) for each in file.items(node))


def _examples(file: Document, node: yaml.Node, kinds: frozenset[EventKind]) -> tuple[Example, ...]:
    examples = tuple(_example(file, each, kinds) for each in file.items(node))
    if len({each.note for each in examples}) != len(examples):
        raise file.error(node, "an example stands twice")
    return examples


def _example(file: Document, node: yaml.Node, kinds: frozenset[EventKind]) -> Example:
    """Read one example: a string is a shell command, or a prompt where tool calls are not all there is.

    A list is a session: its events in order, the last of them the one that is judged.
    """
    if isinstance(node, yaml.SequenceNode):
        session = [_event(file, each, kinds) for each in file.items(node)]
        note = " → ".join(each.note for each in session)
        return replace(session[-1], note=note, before=tuple(session[:-1]))
    return _event(file, node, kinds)


def _event(file: Document, node: yaml.Node, kinds: frozenset[EventKind]) -> Example:
    if isinstance(node, yaml.ScalarNode):
        text = file.text(node)
        if kinds == frozenset({EventKind.TOOL_CALL}):
            return Example(note=text, tool="Bash", args={"command": text})
        kind = EventKind.PROMPT if EventKind.PROMPT in kinds else min(kinds)
        return Example(note=text, kind=kind, text=text)
    nodes = file.mapping(node, _EXAMPLE_KEYS)
    if "code" in nodes:
        return _written(file, nodes)
    if not {"command", "tool", "text"} & nodes.keys():
        raise file.error(node, "an example has a command, a tool, a text or code")

    def string(key: str, default: str) -> str:
        return file.text(nodes[key]) if key in nodes else default

    text, command = string("text", ""), string("command", "")
    args = file.plain(nodes["args"]) if "args" in nodes else {"command": command} if command else None
    files = _files(file, nodes["files"]) if "files" in nodes else {}
    default_kind = EventKind.PROMPT if text else EventKind.TOOL_CALL
    shown = [str(nodes[key].value) for key in ("kind", "tool", "cwd", "home") if key in nodes]
    holds = [f"{path} holds {content!r}" for path, content in files.items()]
    return Example(
        note=" ".join([*shown, str(command or text or args), *holds]),
        kind=file.one_of(nodes["kind"], _KINDS) if "kind" in nodes else default_kind,
        tool=string("tool", "Bash" if command else ""),
        args=args,
        text=text,
        cwd=string("cwd", EXAMPLE_CWD),
        home=string("home", EXAMPLE_HOME),
        files=files,
    )


def _written(file: Document, nodes: Mapping[str, yaml.Node]) -> Example:
    """Read an example of code that a tool writes: ``{file: app.py, code: …}``."""
    name, code = file.text(nodes["file"]) if "file" in nodes else "app.py", file.text(nodes["code"])
    path = f"{EXAMPLE_CWD}/{name}"
    return Example(note=f"{name} {code}", tool="Write", args={"file_path": path, "content": code})


def _files(file: Document, node: yaml.Node) -> dict[str, str]:
    content: dict[str, Any] = {path: file.plain(each) for path, each in file.mapping(node).items()}
    if not all(isinstance(each, str) for each in content.values()):
        raise file.error(node, "files are texts by absolute path")
    return content
