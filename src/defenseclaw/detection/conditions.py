"""CEL conditions over the facts of a tool call.

All conditions of a pack are compiled once. For an event, only those run whose key is present in the facts
(:mod:`defenseclaw.detection.expressions` derives it), all over one activation. A condition that fails to
evaluate is reported, never taken for "does not hold".

Commands that only preview (``--help``, dry runs) change nothing: a condition does not see them.

Source: ``spec/guardrail.md`` §6.3-§6.5.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from cel_expr_python import cel

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

    def view(self, facts: Facts) -> Facts:
        """Return the facts that can make a difference to the condition; its truth value stays the same."""
        return replace(facts, **{name: self._relevant(name, facts) for name in COLLECTIONS})

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
        self._index: dict[Key, list[int]] = {}
        for number, condition in enumerate(self._conditions):
            if condition.outline.keys is None:
                self._always.append(number)
            for key in condition.outline.keys or ():
                self._index.setdefault(key, []).append(number)
        self._fields = {
            name: sorted({key.field for key in self._index if key.collection == name and key.field})
            for name in ("", *COLLECTIONS)
        }

    def __len__(self) -> int:
        return len(self._conditions)

    def words(self, rule_id: str) -> frozenset[str]:
        """Return the words that the conditions of a rule compare with."""
        own = (each.outline.words for each in self._conditions if each.rule_id == rule_id)
        return frozenset[str]().union(*own)

    def candidates(self, facts: Facts) -> list[Condition]:
        """Return the conditions whose key is among the facts, in the order they were given."""
        numbers = set(self._always)
        for key in self._present(facts):
            numbers.update(self._index.get(key, ()))
        return [self._conditions[number] for number in sorted(numbers)]

    def evaluate(self, facts: Facts, cwd: str) -> Iterator[Held]:
        """Yield each condition that holds over ``facts``, and each that fails, in the order given."""
        acting = without_previews(facts)
        for condition in self.candidates(acting):
            held = _evaluate(condition, acting, cwd)
            if held is not None:
                yield held

    def _present(self, facts: Facts) -> set[Key]:
        present = {Key("", name, getattr(facts, name)) for name in self._fields[""] if name != "cwd"}
        for collection in COLLECTIONS:
            elements = getattr(facts, collection)
            if elements:
                present.add(Key(collection, "", True))
            for name in self._fields[collection]:
                for element in elements:
                    value = getattr(element, name)
                    values = value if isinstance(value, (frozenset, tuple)) else (value,)
                    present.update(Key(collection, name, each) for each in values)
        return present


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
        if condition.holds(_ENVIRONMENT.Activation(_bindings(view, cwd))):
            return Held(rule_id=condition.rule_id, witness=_witness(condition, view, facts, cwd))
    except EvaluationError:
        for part in _by_command(view):
            if _holds(condition, _bindings(part, cwd)):
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


def _bindings(facts: Facts, cwd: str) -> dict[str, Any]:
    encoded: dict[str, Any] = _encodable(facts.bindings(cwd))
    return encoded


def _encodable(value: Any) -> Any:  # noqa: ANN401 - bindings nest maps, lists and scalars
    """Return bindings without lone surrogates, which CEL cannot take in."""
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, dict):
        return {name: _encodable(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_encodable(item) for item in value]
    return value


def _has(element: Any, key: Key) -> bool:  # noqa: ANN401 - an element of any collection of facts
    value = getattr(element, key.field)
    return key.value in value if isinstance(value, (frozenset, tuple)) else bool(value == key.value)


def _witness(condition: Condition, view: Facts, facts: Facts, cwd: str) -> Witness:
    """Narrow each list of ``view`` to one element with which the condition still holds."""
    found: dict[str, Any] = {}
    bindings = _bindings(view, cwd)
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
        return condition.holds(_ENVIRONMENT.Activation(bindings))
    except EvaluationError:
        return False


def _compiled(rule_id: str, source: str) -> Condition:
    try:
        return Condition(rule_id, source)
    except PackError as error:
        raise PackError(f"{rule_id}: {error.message}") from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].removeprefix("INVALID_ARGUMENT: ERROR: ")
