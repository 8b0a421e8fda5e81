"""Reads a condition before CEL runs it: what it may say, what it mentions, when it can hold at all.

CEL sees facts as untyped maps, so it would accept a misspelt field and answer with an error for each
event. This reader knows the shape of the facts and the closed vocabularies, and refuses at load what could
never work. From the same reading comes the *key* of a condition: facts without which it cannot be true.

The language is a subset of CEL::

    or    = and { "||" and }
    and   = not { "&&" not }
    not   = "!" not | relation
    relation = member [ ("==" | "!=" | "in") member ]
    member  = primary { "." field | ".exists(" name "," or ")" | "." test "(" string ")" }
    test    = startsWith | endsWith | contains | matches        (matches: RE2, at most 512 bytes)
    primary = name | string | integer | true | false | "[" literals "]" | "(" or ")"

Source: ``spec/guardrail.md`` §6.4.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import re2

from defenseclaw.detection import terms
from defenseclaw.detection.facts import Command, Flow, NetworkFact, PathFact, Redirect
from defenseclaw.errors import PackError

MAX_LENGTH: Final = 16 * 1024
"""Characters of one condition."""
MAX_MACROS: Final = 2
"""Levels of ``exists`` inside each other. Only cheap comparisons may be made for each pair of facts, see
:attr:`Outline.cost`."""
MAX_DEPTH: Final = 64
"""Levels of brackets and negations."""
MAX_REGEX: Final = 512
"""Bytes of a pattern given to ``matches``."""
MAX_LISTS: Final = 32
"""``exists`` in one condition: CEL gives up after 10,000 elements, and a list holds 256 of them."""

_ELEMENTS_IN_A_LIST: Final = 256
_ELEMENTS_IN_AN_INNER_LIST: Final = 40
"""Turns of an ``exists`` for each turn of the one around it: 256 times 40 is where CEL gives up."""
_TEST_COST: Final = 4
_REGEX_COST: Final = 128
"""CEL compiles the pattern anew for each element; measured against a comparison."""


class Key(NamedTuple):
    """One fact that must be present: some element of ``collection`` has ``value`` in ``field``.

    ``collection`` is empty for the call itself; an empty ``field`` asks for any element at all. ``True`` for
    a list of texts asks for any text in it.
    """

    collection: str
    field: str
    value: str | bool | int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """What is known of a condition without running it."""

    keys: frozenset[Key] | None
    """At least one must be present for the condition to hold; None when nothing can be said."""
    relevant: Mapping[str, frozenset[Key] | None]
    """The lists of facts it looks at, and in each the keys of which an element must have one to make any
    difference; None when any element may."""
    words: frozenset[str]
    """Every string it compares with."""
    fields: Mapping[str, frozenset[str]]
    """The fields it reads, by list of facts, and by ``redirects``."""
    cost: int
    """Most work that evaluating it can be, in comparisons (some 60 ns each), whatever the call."""


COLLECTIONS: Final[dict[str, type]] = {
    "commands": Command, "paths": PathFact, "network": NetworkFact, "flows": Flow,
}  # fmt: skip
CALL_FIELDS: Final = ("tool", "tool_class", "cwd", "parse")

_ELEMENTS: Final[dict[str, type]] = {**COLLECTIONS, "redirects": Redirect}

_CLOSED_FIELDS: Final[dict[tuple[str, str], str]] = {
    ("", "tool_class"): "shell read write edit append delete list search copy move patch fetch upload other",
    ("", "parse"): "complete partial invalid not_applicable",
    # previews are not among the commands a condition sees
    ("commands", "effect"): "execute uncertain",
    ("commands", "where"): "host container remote",
    ("commands", "context"): "top substitution subshell function nested heredoc script deferred",
    ("paths", "access"): (
        "read write append delete execute list search metadata permission copy_from copy_to move link"
        " connect mount"
    ),
    ("network", "action"): "connect listen download upload dns tunnel scan",
    ("network", "scope"): "loopback link_local private public unknown",
    ("flows", "source"): "file network environment credential_store literal process",
    ("flows", "sink"): "interpreter network file device process",
    ("redirects", "access"): "read write append heredoc herestring dup",
}
"""Words of fields whose words :mod:`defenseclaw.detection.facts` lists."""
_FLOW_CLASSES: Final = frozenset({*terms.PATH_CLASSES, *terms.NETWORK_CLASSES, *terms.FLOW_CLASSES})
_VOCABULARY: Final[dict[tuple[str, str], frozenset[str]]] = {
    **{place: frozenset(words.split()) for place, words in _CLOSED_FIELDS.items()},
    ("commands", "operations"): frozenset(terms.OPERATIONS),
    ("commands", "traits"): frozenset(terms.TRAITS),
    ("paths", "classes"): frozenset(terms.PATH_CLASSES),
    ("network", "classes"): frozenset(terms.NETWORK_CLASSES),
    ("flows", "source_classes"): _FLOW_CLASSES,
    ("flows", "sink_classes"): _FLOW_CLASSES,
}

_SELECTIVITY: Final = {
    "program": 0, "traits": 0, "classes": 1, "source_classes": 1, "sink_classes": 1, "tool_class": 1,
    "operations": 2, "sink": 2, "source": 2, "access": 3, "action": 3,
}  # fmt: skip
_OFTEN_EMPTY: Final = frozenset({("commands", "assignments"), ("commands", "wrappers")})
"""Lists of texts that most elements have nothing in, so that their having any is worth asking for."""
_UNSELECTIVE: Final = 9
_ANY_ELEMENT: Final = 10

_TESTS: Final = frozenset(("startsWith", "endsWith", "contains", "matches"))
_TOKEN: Final = re.compile(
    r"""\s*(?:
      (?P<string>r'[^'\n]*'|r"[^"\n]*"|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")
    | (?P<int>-?\d+)
    | (?P<name>[A-Za-z_]\w*)
    | (?P<op>&&|\|\||==|!=|[!.,()\[\]])
    )""",
    re.VERBOSE,
)
_ESCAPE: Final = re.compile(r"\\(.)")


def outline(source: str) -> Outline:
    """Check ``source`` against the facts and say what can be said of it.

    Args:
        source: A CEL expression, at most :data:`MAX_LENGTH` characters.

    Returns:
        Its keys, collections and words.

    Raises:
        PackError: The expression is outside the subset, names an unknown field or word, compares what
            cannot be equal, or exceeds a bound.
    """
    if len(source) > MAX_LENGTH:
        raise PackError(f"condition: longer than {MAX_LENGTH} characters")
    return _Reader(source).outline()


@dataclass(frozen=True, slots=True)
class _Term:
    """A part of an expression: its type, and where its value comes from."""

    type: str
    """``bool int str``, ``list[str]``, ``list[<collection>]`` or ``<collection>`` for one element."""
    place: tuple[str, str] | None = None
    """(collection, field) it is read from."""
    literals: tuple[str | bool | int, ...] | None = None
    keys: frozenset[Key] | None = None
    variable: str = ""
    """Name of the element it is read from."""
    turns: str = ""
    """Name whose every turn gives it another value: as ``variable``, but of a text in a list its own name."""
    joins: bool = False
    """It holds for one turn of the outer ``exists`` only: ``p.command == c.id``, and what is joined to it."""
    needs: Mapping[str, frozenset[Key]] = field(default_factory=dict)
    """What an element must have for this part to hold, by the name that stands for the element."""


def _field_types(element: type) -> dict[str, str]:
    shapes = {
        "int": "int", "str": "str", "bool": "bool", "frozenset[str]": "list[str]",
        "tuple[str, ...]": "list[str]", "tuple[Redirect, ...]": "list[redirects]",
    }  # fmt: skip
    return {name: shapes[str(shape)] for name, shape in element.__annotations__.items()}


_FIELDS: Final = {name: _field_types(element) for name, element in _ELEMENTS.items()}


class _Reader:
    """Recursive descent over the tokens of one expression."""

    def __init__(self, source: str) -> None:
        self._tokens = _tokenise(source)
        self._at = 0
        self._depth = 0
        self._macros = 0
        self._lists = 0
        self._cost = 0
        self._loops: list[str] = []
        self._far: list[str] = []
        """Reads of long texts and lists in an inner ``exists`` that only a join keeps linear."""
        self._scope: dict[str, _Term] = {}
        self._relevant: dict[str, frozenset[Key] | None] = {}
        self._words: set[str] = set()
        self._fields: dict[str, set[str]] = {}

    def outline(self) -> Outline:
        whole = self._bool(self._or)
        if self._peek() != ("end", ""):
            raise PackError(f"condition: unexpected {self._peek()[1]!r}")
        fields = {name: frozenset(read) for name, read in self._fields.items()}
        return Outline(
            keys=whole.keys,
            relevant=self._relevant,
            words=frozenset(self._words),
            fields=fields,
            cost=self._cost,
        )

    # tokens

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at]

    def _next(self) -> tuple[str, str]:
        token = self._tokens[self._at]
        self._at += token[0] != "end"
        return token

    def _take(self, value: str) -> bool:
        taken = self._peek() in (("op", value), ("name", value))
        self._at += taken
        return taken

    def _expect(self, value: str) -> None:
        if not self._take(value):
            raise PackError(f"condition: expected {value!r} before {self._peek()[1]!r}")

    # grammar

    def _bool(self, rule: Callable[[], _Term]) -> _Term:
        return _truth(rule())

    def _or(self) -> _Term:
        parts = self._joined("||", self._and)
        if len(parts) == 1:
            return parts[0]
        shared = set(parts[0].needs).intersection(*(part.needs for part in parts))
        needs = {name: frozenset[Key]().union(*(part.needs[name] for part in parts)) for name in shared}
        return _Term("bool", keys=_any_of([part.keys for part in parts]), needs=needs)

    def _and(self) -> _Term:
        parts = self._joined("&&", self._not)
        if len(parts) == 1:
            return parts[0]
        needs: dict[str, frozenset[Key]] = {}
        for part in parts:
            for name, own in part.needs.items():
                needs[name] = _rarer(own, needs.get(name))
        keys = min((part.keys for part in parts), key=_breadth)
        return _Term("bool", keys=keys, needs=needs, joins=parts[0].joins)

    def _joined(self, operator: str, rule: Callable[[], _Term]) -> list[_Term]:
        parts = [rule()]
        while self._take(operator):
            parts.append(self._bool(rule))
        if len(parts) > 1:
            _truth(parts[0])
        return parts

    def _not(self) -> _Term:
        if not self._take("!"):
            return self._relation()
        self._deeper(lambda: self._bool(self._not))
        return _Term("bool")

    def _deeper(self, rule: Callable[[], _Term]) -> _Term:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise PackError(f"condition: nested deeper than {MAX_DEPTH}")
        term = rule()
        self._depth -= 1
        return term

    def _relation(self) -> _Term:
        left = self._member()
        if self._take("=="):
            return self._compare(left, self._member(), equal=True)
        if self._take("!="):
            return self._compare(left, self._member(), equal=False)
        if self._take("in"):
            return self._membership(left, self._member())
        return left

    def _member(self) -> _Term:
        term = self._primary()
        while self._take("."):
            kind, name = self._next()
            if kind != "name":
                raise PackError(f"condition: a field name is needed after '.', not {name!r}")
            if not self._take("("):
                term = self._field(term, name)
            elif name == "exists":
                term = self._exists(term)
            elif name in _TESTS:
                term = self._test(term, name)
            else:
                raise PackError(f"condition: function {name!r} is not available")
        return term

    def _primary(self) -> _Term:
        self._cost += 1
        kind, text = self._next()
        if kind == "string":
            return _Term("str", literals=(_unquote(text),))
        if kind == "int":
            return _Term("int", literals=(int(text),))
        if text in ("true", "false"):
            return _Term("bool", literals=(text == "true",))
        if (kind, text) == ("op", "("):
            term = self._deeper(self._or)
            self._expect(")")
            return term
        if (kind, text) == ("op", "["):
            return self._list()
        if kind == "name":
            return self._name(text)
        raise PackError(f"condition: unexpected {text!r}" if text else "condition: ends too early")

    def _list(self) -> _Term:
        values: list[str | bool | int] = []
        while not self._take("]"):
            if values:
                self._expect(",")
            kind, text = self._next()
            if kind != "string":
                raise PackError("condition: a list holds string literals")
            self._cost += 1
            values.append(_unquote(text))
        if not values:
            raise PackError("condition: an empty list matches nothing")
        return _Term("list[str]", literals=tuple(values))

    def _name(self, name: str) -> _Term:
        if name in self._scope:
            return self._scope[name]
        if name in COLLECTIONS:
            return _Term(f"list[{name}]")
        if name in CALL_FIELDS:
            return _Term("str", ("", name))
        raise PackError(f"condition: unknown name {name!r}")

    def _field(self, term: _Term, name: str) -> _Term:
        known = _FIELDS.get(term.type)
        if known is None:
            raise PackError(f"condition: {term.type} has no field {name!r}")
        if name not in known:
            raise PackError(f"condition: {term.type} has no field {name!r}; it has {', '.join(known)}")
        self._fields.setdefault(term.type, set()).add(name)
        read = _Term(known[name], (term.type, name), variable=term.variable, turns=term.turns)
        return self._reads(read, (True,)) if read.type == "bool" else read

    def _exists(self, term: _Term) -> _Term:
        if not term.type.startswith("list[") or term.literals:
            raise PackError(f"condition: exists needs a list of facts, not {term.type}")
        kind, variable = self._next()
        if kind != "name" or variable in self._scope or variable in COLLECTIONS or variable in CALL_FIELDS:
            raise PackError(f"condition: {variable!r} cannot name an element here")
        self._expect(",")
        collection = term.type[len("list[") : -1]
        self._macros += 1
        if self._macros > MAX_MACROS:
            raise PackError(f"condition: more than {MAX_MACROS} levels of exists")
        self._lists += 1
        if self._lists > MAX_LISTS:
            raise PackError(f"condition: more than {MAX_LISTS} times exists")
        # a word of a list is compared with the vocabulary of that list
        element = _Term(collection, variable=variable, turns=variable)
        if collection == "str":
            element = _Term("str", term.place, variable=term.variable, turns=variable)
        self._scope[variable] = element
        body = self._looped(variable, own=term.place is not None)
        del self._scope[variable]
        self._macros -= 1
        self._expect(")")
        needs = dict(body.needs)
        if collection not in COLLECTIONS:
            keys = body.keys
            if term.place in _OFTEN_EMPTY and term.variable:
                some = frozenset({Key(*term.place, True)})
                keys = _rarer(some, keys)
                needs[term.variable] = _rarer(some, needs.get(term.variable))
            return _Term("bool", keys=keys, needs=needs)
        own = needs.pop(variable, None)
        self._relevant[collection] = _any_of([own, self._relevant.get(collection, frozenset())])
        some = frozenset({Key(collection, "", True)})
        return _Term("bool", keys=min((body.keys, own, some), key=_breadth), needs=needs)

    def _looped(self, variable: str, *, own: bool) -> _Term:
        """Read the body of an ``exists`` and account for its turns.

        Args:
            variable: Name of the element.
            own: Whether the list is a field of the element around it: each turn has a list of its own.
        """
        before, self._cost = self._cost, 0
        outside, self._far = self._far, []
        self._loops.append(variable)
        body = self._deeper(lambda: self._bool(self._or))
        self._loops.pop()
        if self._far and not own and self._loops and not body.joins:
            raise PackError(
                f"condition: {self._far[0]} in an exists inside another; begin the inner one with what joins "
                "the two, as in p.command == c.id && …"
            )
        self._far = outside
        if not self._loops:
            self._cost = before + _ELEMENTS_IN_A_LIST * self._cost
        elif body.joins:
            self._cost = before + 3 * _ELEMENTS_IN_AN_INNER_LIST + self._cost
        else:
            self._cost = before + _ELEMENTS_IN_AN_INNER_LIST * self._cost
        return body

    def _read_whole(self, term: _Term, how: str) -> None:
        """Note that the length of a text or list counts, not only that there is one.

        Raises:
            PackError: It is the same at every turn of the ``exists`` it stands in, and would be read anew.
        """
        if not self._loops:
            return
        if term.turns != self._loops[-1]:
            whose = term.turns or "the call"
            raise PackError(f"condition: {how} of {whose} belongs outside of exists({self._loops[-1]}, …)")
        self._far.append(how)

    def _test(self, term: _Term, name: str) -> _Term:
        kind, text = self._next()
        if term.type != "str" or kind != "string":
            raise PackError(f"condition: {name} tests a string with a string literal")
        self._expect(")")
        self._read_whole(term, name)
        self._cost += _REGEX_COST if name == "matches" else _TEST_COST
        if name == "matches":
            _check_regex(_unquote(text))
        return _Term("bool")

    # comparisons

    def _compare(self, left: _Term, right: _Term, *, equal: bool) -> _Term:
        if left.type != right.type or left.type not in ("bool", "int", "str"):
            raise PackError(f"condition: cannot compare {left.type} with {right.type}")
        read, literal = (right, left) if left.literals else (left, right)
        if literal.literals is None or read.place is None:
            return _Term("bool", joins=equal and self._joins(left, right))
        self._check_words(read.place, literal.literals)
        return self._reads(read, literal.literals) if equal else _Term("bool")

    def _joins(self, left: _Term, right: _Term) -> bool:
        """Whether this ties each inner element to one outer command: ids are unique."""
        if len(self._loops) < 2 or {left.turns, right.turns} != set(self._loops):
            return False
        return ("commands", "id") in (left.place, right.place) and left.type == right.type == "int"

    def _membership(self, left: _Term, right: _Term) -> _Term:
        if left.type != "str" or right.type != "list[str]":
            raise PackError(f"condition: {left.type} cannot be in {right.type}")
        if right.place is not None and right.place not in _VOCABULARY:
            self._cost += _TEST_COST
            self._read_whole(right, f"in {right.place[1]}")
        read, literal = (right, left) if left.literals else (left, right)
        if literal.literals is None or read.place is None:
            return _Term("bool")
        self._check_words(read.place, literal.literals)
        return self._reads(read, literal.literals)

    def _reads(self, read: _Term, values: Sequence[str | bool | int]) -> _Term:
        """Return the truth value "this field is, or holds, one of these"."""
        if read.place is None or not _indexed(read.place):
            return _Term("bool", read.place)
        keys = frozenset(Key(*read.place, value) for value in values)
        needs = {read.variable: keys} if read.variable else {}
        return _Term("bool", read.place, keys=keys, variable=read.variable, needs=needs)

    def _check_words(self, place: tuple[str, str], values: tuple[str | bool | int, ...]) -> None:
        words = [value for value in values if isinstance(value, str)]
        self._words.update(words)
        vocabulary = _VOCABULARY.get(place)
        if vocabulary is None:
            return
        for word in words:
            if word not in vocabulary:
                raise PackError(f"condition: {word!r} is no word of {'.'.join(filter(None, place))}")


def _truth(term: _Term) -> _Term:
    if term.type != "bool":
        raise PackError(f"condition: a truth value is needed, not {term.type}")
    return term


def _indexed(place: tuple[str, str]) -> bool:
    return place[0] in COLLECTIONS or place in (("", "tool_class"), ("", "parse"), ("", "tool"))


def _any_of(parts: Sequence[frozenset[Key] | None]) -> frozenset[Key] | None:
    """Return the keys of a disjunction: all of them, or none when some part has none."""
    known = [part for part in parts if part is not None]
    return frozenset[Key]().union(*known) if len(known) == len(parts) else None


def _rarer(keys: frozenset[Key], others: frozenset[Key] | None) -> frozenset[Key]:
    return keys if others is None or _breadth(keys) <= _breadth(others) else others


def _breadth(keys: frozenset[Key] | None) -> tuple[int, int]:
    """Order alternatives of a conjunction: the rarest facts first, no key last."""
    if keys is None:
        return (_ANY_ELEMENT + 1, 0)
    return (max(_rank(key) for key in keys), len(keys))


def _rank(key: Key) -> int:
    return _SELECTIVITY.get(key.field, _UNSELECTIVE) if key.field else _ANY_ELEMENT


def _check_regex(pattern: str) -> None:
    if len(pattern.encode()) > MAX_REGEX:
        raise PackError(f"condition: pattern longer than {MAX_REGEX} bytes")
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(pattern, options)
    except re2.error as error:
        raise PackError("condition: the pattern of matches is not valid RE2") from error


def _unquote(token: str) -> str:
    if token.startswith("r"):
        return token[2:-1]
    body = token[1:-1]
    for escape in _ESCAPE.finditer(body):
        if escape[1] not in "\\'\"":
            raise PackError("condition: write backslashes as r'…'")
    return _ESCAPE.sub(r"\1", body)


def _tokenise(source: str) -> list[tuple[str, str]]:
    tokens: list[tuple[str, str]] = []
    at, end = 0, len(source.rstrip())
    while at < end:
        match = _TOKEN.match(source, at)
        if match is None:
            raise PackError(f"condition: cannot read {source[at : at + 20].strip()!r}")
        kind = match.lastgroup or ""
        tokens.append((kind, match[kind]))
        at = match.end()
    tokens.append(("end", ""))
    return tokens
