"""CEL conditions over the facts of a tool call.

All conditions of a pack are compiled once. For an event, only those run whose key is present in the facts
(:mod:`defenseclaw.detection.expressions` derives it), all over one activation. A condition that fails to
evaluate is reported, never taken for "does not hold".

Commands that only preview (``--help``, dry runs) change nothing: a condition does not see them.

Source: ``spec/guardrail.md`` §6.3-§6.5.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from cel_expr_python import cel
from msgspec.structs import replace

from defenseclaw.detection.expressions import CALL_FIELDS, COLLECTIONS, Key, Outline, outline
from defenseclaw.detection.facts import Command, Facts, Flow, NetworkFact, PathFact
from defenseclaw.detection.text import encodable
from defenseclaw.errors import PackError

MAX_WITNESS_TRIES: Final = 64
"""Facts of one list that are tried one by one to say which of them made a condition hold."""

_ENVIRONMENT: Final = cel.NewEnv(
    variables={
        **dict.fromkeys(CALL_FIELDS, cel.Type.STRING),
        **{name: cel.Type.List(cel.Type.DYN) for name in COLLECTIONS},
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """The facts that made a condition hold; each None where no single one does."""

    command: Command | None = None
    path: PathFact | None = None
    network: NetworkFact | None = None
    flow: Flow | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One condition that holds, or whose evaluation failed."""

    rule_id: str
    witness: Witness = field(default_factory=Witness)
    failed: bool = False


class Condition:
    """One compiled expression."""

    def __init__(self, rule_id: str, source: str) -> None:
        self.rule_id = rule_id
        self.outline: Outline = outline(source)
        try:
            self._program = _ENVIRONMENT.compile(source)
        except RuntimeError as error:
            raise PackError(f"condition: {_first_line(error)}") from error

    def holds(self, activation: cel.Activation) -> bool:
        """Evaluate over an activation.

        Raises:
            EvaluationError: CEL answered with an error instead of a truth value.
        """
        try:
            answer = self._program.eval(activation).value()
        except RuntimeError as error:
            raise EvaluationError(self.rule_id) from error
        if answer is True or answer is False:
            return answer
        raise EvaluationError(self.rule_id)

    def activation(self, bindings: Mapping[str, Any]) -> cel.Activation:
        """Return what the condition is evaluated over."""
        try:
            return _ENVIRONMENT.Activation(bindings)
        except RuntimeError:  # CEL cannot take in lone surrogates
            return _ENVIRONMENT.Activation(_encodable(bindings))

    def bindings(self, facts: Facts, cwd: str) -> dict[str, Any]:
        """Return the variables the condition sees, as plain maps and lists of the fields that it reads."""
        fields = self.outline.fields
        return {
            **{name: cwd if name == "cwd" else getattr(facts, name) for name in CALL_FIELDS},
            **{
                name: [_as_map(each, fields.get(name, ()), fields) for each in getattr(facts, name)]
                for name in COLLECTIONS
            },
        }

    def view(self, facts: Facts) -> Facts:
        """Return the facts that can make a difference to the condition; its truth value stays the same."""
        relevant: dict[str, Any] = {name: self._relevant(name, facts) for name in COLLECTIONS}
        return replace(facts, **relevant)

    def _relevant(self, collection: str, facts: Facts) -> tuple[Any, ...]:
        keys = self.outline.relevant.get(collection, frozenset())
        elements: tuple[Any, ...] = getattr(facts, collection)
        if keys is None:
            return elements
        return tuple(each for each in elements if any(_has(each, key) for key in keys))


class EvaluationError(Exception):
    """A condition had no truth value: CEL's own bound on iterations was reached, or a type was wrong."""


class ConditionSet:
    """The conditions of a pack and the index that says which of them can hold."""

    def __init__(self, sources: Sequence[tuple[str, str]]) -> None:
        """Compile ``(rule id, expression)`` pairs.

        Raises:
            PackError: An expression cannot be compiled; the message starts with the rule's id.
        """
        self._conditions = [_compiled(rule_id, source) for rule_id, source in sources]
        self._always: list[int] = []
        self._index: dict[str, dict[str, dict[str | bool | int, list[int]]]] = {}
        """Collection → field → value → numbers of the conditions that can hold when it is present."""
        for number, condition in enumerate(self._conditions):
            if condition.outline.keys is None:
                self._always.append(number)
            for key in condition.outline.keys or ():
                values = self._index.setdefault(key.collection, {}).setdefault(key.field, {})
                values.setdefault(key.value, []).append(number)

    def __len__(self) -> int:
        return len(self._conditions)

    def words(self, rule_id: str) -> frozenset[str]:
        """Return the words that the conditions of a rule compare with."""
        own = (each.outline.words for each in self._conditions if each.rule_id == rule_id)
        return frozenset[str]().union(*own)

    def candidates(self, facts: Facts) -> list[Condition]:
        """Return the conditions whose key is among the facts, in the order they were given."""
        numbers = set(self._always)
        for name, values in self._index.get("", {}).items():
            numbers.update(values.get(getattr(facts, name), ()))
        for collection in COLLECTIONS:
            elements = getattr(facts, collection)
            if not elements:
                continue
            for name, values in self._index.get(collection, {}).items():
                if not name:
                    numbers.update(values[True])
                    continue
                for element in elements:
                    value = getattr(element, name)
                    if isinstance(value, (frozenset, tuple)):
                        if not values.keys().isdisjoint(value):
                            for each in value:
                                numbers.update(values.get(each, ()))
                        value = bool(value)
                    if value in values:
                        numbers.update(values[value])
        return [self._conditions[number] for number in sorted(numbers)]

    def evaluate(self, facts: Facts, cwd: str) -> Iterator[Held]:
        """Yield each condition that holds over ``facts``, and each that fails, in the order given."""
        acting = without_previews(facts)
        for condition in self.candidates(acting):
            held = _evaluate(condition, acting, cwd)
            if held is not None:
                yield held


def without_previews(facts: Facts) -> Facts:
    """Return the facts without commands that only preview, and without what these touch."""
    previews = {command.id for command in facts.commands if command.effect == "preview"}
    if not previews:
        return facts
    return replace(
        facts,
        commands=tuple(each for each in facts.commands if each.id not in previews),
        paths=tuple(each for each in facts.paths if each.command not in previews),
        network=tuple(each for each in facts.network if each.command not in previews),
        flows=tuple(each for each in facts.flows if not previews & {each.from_command, each.to_command}),
    )


def _evaluate(condition: Condition, facts: Facts, cwd: str) -> Held | None:
    """Evaluate over all facts, and over those of each command alone if they are too many together."""
    view = condition.view(facts)
    try:
        if condition.holds(condition.activation(condition.bindings(view, cwd))):
            return Held(rule_id=condition.rule_id, witness=_witness(condition, view, facts, cwd))
    except EvaluationError:
        for part in _by_command(view):
            if _holds(condition, condition.bindings(part, cwd)):
                return Held(rule_id=condition.rule_id, witness=_witness(condition, part, facts, cwd))
        return Held(rule_id=condition.rule_id, failed=True)
    return None


def _by_command(facts: Facts) -> Iterator[Facts]:
    """Yield the facts of each command, and those of no command."""
    for number in (0, *(command.id for command in facts.commands)):
        yield replace(
            facts,
            commands=tuple(each for each in facts.commands if each.id == number),
            paths=tuple(each for each in facts.paths if each.command == number),
            network=tuple(each for each in facts.network if each.command == number),
            flows=tuple(each for each in facts.flows if number in (each.from_command, each.to_command)),
        )


def _as_map(value: Any, names: Iterable[str], fields: Mapping[str, Iterable[str]]) -> dict[str, Any]:  # noqa: ANN401 - any fact
    """Return a fact as a plain map of the fields ``names``; what is nested in it by its own ``fields``."""
    out: dict[str, Any] = {}
    for name in names:
        item = getattr(value, name)
        if name == "redirects":
            item = [_as_map(each, fields.get(name, ()), fields) for each in item]
        elif isinstance(item, (frozenset, tuple)):
            item = list(item)
        out[name] = item
    return out


def _encodable(value: Any) -> Any:  # noqa: ANN401 - bindings nest maps, lists and scalars
    """Return bindings without lone surrogates."""
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, dict):
        return {name: _encodable(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_encodable(item) for item in value]
    return value


def _has(element: Any, key: Key) -> bool:  # noqa: ANN401 - an element of any collection of facts
    value = getattr(element, key.field)
    if not isinstance(value, (frozenset, tuple)):
        return bool(value == key.value)
    return bool(value) if key.value is True else key.value in value


def _witness(condition: Condition, view: Facts, facts: Facts, cwd: str) -> Witness:
    """Narrow each list of ``view`` to one element with which the condition still holds."""
    found: dict[str, Any] = {}
    bindings = condition.bindings(view, cwd)
    narrowed = dict(bindings)
    for collection in ("paths", "network", "flows", "commands"):
        if not narrowed[collection] or _holds(condition, {**narrowed, collection: []}):
            continue
        for at in range(min(len(narrowed[collection]), MAX_WITNESS_TRIES)):
            attempt = {**narrowed, collection: [bindings[collection][at]]}
            if _holds(condition, attempt):
                found[collection] = getattr(view, collection)[at]
                narrowed = attempt
                break
    command = _owner(facts.commands, found) or found.get("commands")
    return Witness(
        command=command, path=found.get("paths"), network=found.get("network"), flow=found.get("flows")
    )


def _owner(commands: Sequence[Command], found: Mapping[str, Any]) -> Command | None:
    ids = [found[name].command for name in ("paths", "network") if name in found]
    if "flows" in found:
        ids += [found["flows"].to_command, found["flows"].from_command]
    wanted = next((each for each in ids if each), 0)
    return next((command for command in commands if command.id == wanted), None)


def _holds(condition: Condition, bindings: Mapping[str, Any]) -> bool:
    try:
        return condition.holds(condition.activation(bindings))
    except EvaluationError:
        return False


def _compiled(rule_id: str, source: str) -> Condition:
    try:
        return Condition(rule_id, source)
    except PackError as error:
        raise PackError(f"{rule_id}: {error.message}") from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].removeprefix("INVALID_ARGUMENT: ERROR: ")
