"""How chains and their steps are written down in rule files.

A chain is a rule with ``steps``; a step is a file ``steps/<name>.yaml``. Every pack uses the steps that come
with the program. Source: ``rules/README.md``, ``spec/guardrail.md`` §7.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import yaml

from defenseclaw.detection.chains import Ordered, Step
from defenseclaw.packs.document import Document
from defenseclaw.vocabulary import EventKind, Severity

FOLDER: Final = "steps"
"""The folder of a pack that holds steps instead of rules."""
CHAIN_KEYS: Final = frozenset(("steps", "window", "late"))
"""Keys of a rule that only chains have."""
MAX_WINDOW: Final = 10_000
"""Events, and minutes."""

_MIN_STEPS: Final = 2
_MAX_STEPS: Final = 8
_WINDOW_KEYS: Final = frozenset(("events", "minutes"))
_CAUSES: Final = frozenset(
    ("rules", "categories", "condition", "tool", "result", "events", "refused", "traces")
)
_STEP_KEYS: Final = _CAUSES | {"name", "says", "least", "kinds"}
_SEVERITIES: Final = {each.value: each for each in Severity if each is not Severity.NONE}
_TRACES: Final = {each: each for each in ("shown", "sent")}
_KINDS: Final = {each.value: each for each in EventKind}


def ordered(file: Document, nodes: Mapping[str, yaml.Node]) -> Ordered | None:
    """Return what makes a rule a chain; None for a rule that is none.

    Args:
        file: The rule's document.
        nodes: Its keys.

    Raises:
        PackError: Something about it is wrong; the message names file and line.
    """
    if "steps" not in nodes:
        for key in CHAIN_KEYS & nodes.keys():
            raise file.error(nodes[key], f"{key} belongs to steps, and there are none")
        return None
    if "window" not in nodes:
        raise file.error(nodes["steps"], "a chain needs a window")
    steps = tuple(_choice(file, node) for node in file.items(nodes["steps"]))
    if not _MIN_STEPS <= len(steps) <= _MAX_STEPS:
        raise file.error(nodes["steps"], f"a chain has {_MIN_STEPS} to {_MAX_STEPS} steps")
    window = file.mapping(nodes["window"], _WINDOW_KEYS)
    file.required(window, nodes["window"], _WINDOW_KEYS)
    return Ordered(
        steps=steps,
        events=_count(file, window["events"]),
        minutes=_count(file, window["minutes"]),
        late=file.one_of(nodes["late"], _SEVERITIES) if "late" in nodes else None,
    )


def step(file: Document) -> Step:
    """Return the step that a document describes.

    Raises:
        PackError: Something about it is wrong; the message names file and line.
    """
    nodes = file.mapping(file.root, _STEP_KEYS)
    file.required(nodes, file.root, frozenset(("name", "says")))
    name = file.text(nodes["name"])
    file.rule_id = name[:64]
    if file.stem != name.replace("_", "-"):
        raise file.error(nodes["name"], f"the file of this step must be named {name.replace('_', '-')}.yaml")
    if not _CAUSES & nodes.keys():
        raise file.error(file.root, f"needs one of {', '.join(sorted(_CAUSES))}")

    def names(key: str) -> frozenset[str]:
        return frozenset(file.texts(nodes[key])) if key in nodes else frozenset()

    def text(key: str) -> str:
        return file.text(nodes[key]) if key in nodes else ""

    kinds = [file.one_of(each, _KINDS) for each in file.items(nodes["kinds"])] if "kinds" in nodes else []
    return Step(
        name=name,
        says=file.text(nodes["says"]),
        rules=names("rules"),
        categories=names("categories"),
        least=file.one_of(nodes["least"], _SEVERITIES) if "least" in nodes else Severity.HIGH,
        condition=text("condition"),
        tool=text("tool"),
        result=text("result"),
        events=names("events"),
        refused=file.boolean(nodes["refused"]) if "refused" in nodes else False,
        traces=file.one_of(nodes["traces"], _TRACES) if "traces" in nodes else "",
        kinds=frozenset(kinds) or frozenset({EventKind.TOOL_CALL}),
    )


def _choice(file: Document, node: yaml.Node) -> tuple[str, ...]:
    """A step is one name, or a list of names any of which will do."""
    return file.texts(node) if isinstance(node, yaml.SequenceNode) else (file.text(node),)


def _count(file: Document, node: yaml.Node) -> int:
    value = str(node.value) if isinstance(node, yaml.ScalarNode) else ""
    if not (value.isascii() and value.isdigit() and len(value) <= len(str(MAX_WINDOW))):
        raise file.error(node, "a whole number is needed")
    if not 1 <= int(value) <= MAX_WINDOW:
        raise file.error(node, f"must lie between 1 and {MAX_WINDOW}")
    return int(value)
