"""What a program is to us: a grammar of its options and a function that says what one call of it does.

A family module lists its programs in ``PROGRAMS``, name → :class:`Program`. The function gets an
:class:`Act`, whose options and operands are parsed, and adds operations, traits, paths and addresses to
it. Whatever it does not say is not a fact.

The *roles* say where bytes go inside one command; :mod:`~defenseclaw.detection.programs.flows` joins
them into flows:

======== ==================================================================================
stdin    ``drop``, ``pass`` (comes out again), ``code`` (is run), ``network`` (is sent), ``file``
args     the same, for the output of substitutions among the arguments
paths    ``stdout`` (content comes out), ``upload`` (is sent), ``download`` (receives what was
         fetched), ``sink`` (receives stdin), ``from``/``to`` (copied), ``code`` (is run), ``""``
======== ==================================================================================
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from msgspec import Struct

from defenseclaw.detection.facts import UNKNOWN


class PathUse(NamedTuple):
    """One path a command touches, as written."""

    access: str
    value: str
    role: str = ""


class AddressUse(NamedTuple):
    """One address a command talks to, as written."""

    action: str
    value: str
    scheme: str = ""
    port: int = 0
    classes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Grammar:
    """Which options a program has, as far as it matters: aliases, and which of them take a value."""

    canonical: Mapping[str, str]
    """Every spelling → the first one of its group."""
    valued: frozenset[str]
    """Spellings that take a value, attached or as the next word."""
    long: tuple[str, ...] = ()
    """Long spellings, for unambiguous abbreviations."""
    words: bool = False
    """One dash begins a whole word (``find -name``), not a cluster of letters."""
    stop: bool = False
    """The first operand ends the options."""
    final: frozenset[str] = frozenset()
    """Options that end the options: what follows their value belongs to the program text."""


def grammar(spec: str = "", *, words: bool = False, stop: bool = False) -> Grammar:
    """Return the grammar written as ``-o,--output= -r,-R,--recursive -c=!``.

    Groups of spellings; ``=`` takes a value, ``=!`` takes one and ends the options.
    """
    canonical: dict[str, str] = {}
    valued: set[str] = set()
    final: set[str] = set()
    for group in spec.split():
        if group.endswith("!"):
            group = group[:-1]
            final.update(group.rstrip("=").split(","))
        names = group.rstrip("=").split(",")
        for name in names:
            canonical[name] = names[0]
            if group.endswith("="):
                valued.add(name)
    long = tuple(name for name in canonical if name.startswith("--"))
    return Grammar(canonical, frozenset(valued), long, words, stop, frozenset(final))


PLAIN: Final = grammar()


class Act(Struct, gc=False):
    """One command being understood; mutable until its facts are taken."""

    program: str
    """Lower-case base name."""
    words: tuple[str, ...] = ()
    """What follows the executable, evaluated."""
    options: list[str] = []
    """As written, clusters split, values cut off."""
    values: dict[str, list[str]] = {}
    """Canonical option → its values; a flag has empty ones."""
    operands: list[str] = []
    operations: set[str] = set()
    traits: set[str] = set()
    effect: str = "execute"
    paths: list[PathUse] = []
    addresses: list[AddressUse] = []
    stdin: str = "drop"
    args: str = "drop"
    emits: list[str] = []
    """What comes out at stdout beside files: ``network environment credential_store literal process``."""
    transform: bool = False
    """What passes through is changed."""
    code: str = ""
    language: str = ""
    mounts: list[tuple[str, str]] = []
    """(path inside the container, path of the host) of what a container is given."""
    nested: list[str] = []
    """Shell command lines that an option or program text of this command runs."""

    def has(self, *names: str) -> bool:
        """Whether one of the canonical options is present."""
        return any(name in self.values for name in names)

    def value(self, name: str, default: str = "") -> str:
        """Last value of an option."""
        found = self.values.get(name)
        return found[-1] if found else default

    def all(self, *names: str) -> list[str]:
        """Every value of the options, in the order of the names."""
        return [value for name in names for value in self.values.get(name, ())]

    def operand(self, index: int) -> str:
        """Return an operand, empty when there are fewer."""
        return self.operands[index] if index < len(self.operands) else ""

    def does(self, *operations: str) -> None:
        """Add operations."""
        self.operations.update(operations)

    def is_(self, *traits: str) -> None:
        """Add traits."""
        self.traits.update(traits)

    def touch(self, access: str, values: Iterable[str], role: str = "") -> None:
        """Add paths."""
        self.paths += [
            PathUse(access, value, role)
            for value in values
            if value not in ("", "-") and not (value.startswith("/dev/") and is_stand_in_device(value))
        ]

    def talk(self, action: str, value: str, scheme: str = "", port: int = 0, *classes: str) -> None:
        """Add an address."""
        if value and value != "-":
            self.addresses.append(AddressUse(action, value, scheme, port, classes))
            if other := other_reading(value):
                self.addresses.append(AddressUse(action, other, scheme, port, classes))

    def preview(self) -> None:
        """Say that this call changes nothing: whatever it would touch is taken back."""
        self.effect = "preview"
        self.operations.clear()
        self.traits.clear()
        self.paths.clear()
        self.addresses.clear()
        self.emits.clear()
        self.nested.clear()
        self.stdin = self.args = "drop"


Describe = Callable[[Act], None]


class Program(NamedTuple):
    """A grammar and what a call means."""

    grammar: Grammar
    describe: Describe
    previews: frozenset[str] = frozenset({"--help", "--version"})
    """Options with which nothing happens."""


Family = Mapping[str, Program]


def parse(act: Act, rules: Grammar) -> None:
    """Split the words of ``act`` into options, their values and operands.

    Clusters are split (``-rf``), ``--name=value`` cut, unambiguous abbreviations of long options
    completed, and everything after ``--`` is an operand. Linear in the number of characters.
    """
    words = act.words
    index, count = 0, len(words)
    while index < count:
        word = words[index]
        index += 1
        if len(word) < 2 or word[0] != "-" or word[1].isdigit():
            act.operands.append(word)
            if rules.stop:
                act.operands.extend(words[index:])
                return
            continue
        if word == "--":
            act.operands.extend(words[index:])
            return
        following = words[index] if index < count else None
        if word[1] == "-" or rules.words:
            index += _long(act, rules, word, following)
        else:
            index += _cluster(act, rules, word, following)
        if rules.final and act.options[-1] in rules.final:
            act.operands.extend(words[index:])
            return


def _long(act: Act, rules: Grammar, word: str, following: str | None) -> int:
    """Take one whole-word option; return how many further words it used."""
    name, equals, value = word.partition("=")
    canonical = rules.canonical.get(name)
    if canonical is None and name.startswith("--"):
        matches = [known for known in rules.long if known.startswith(name)] if len(name) > 3 else []
        name = matches[0] if len(matches) == 1 else name
        canonical = rules.canonical.get(name, name)
    elif canonical is None:
        canonical = rules.canonical.get(name.lower(), name)
        name = name.lower() if canonical != name else name
    act.options.append(name)
    used = 0
    if not equals and name in rules.valued and following is not None:
        value, used = following, 1
    act.values.setdefault(canonical, []).append(value)
    return used


def _cluster(act: Act, rules: Grammar, word: str, following: str | None) -> int:
    """Take one word of single-letter options; return how many further words it used."""
    if word in rules.canonical and len(word) > 2:
        return _long(act, rules, word, following)
    for position in range(1, min(len(word), 64)):
        name = f"-{word[position]}"
        canonical = rules.canonical.get(name, name)
        act.options.append(name)
        if name in rules.valued:
            value, used = word[position + 1 :], 0
            if not value and following is not None:
                value, used = following, 1
            act.values.setdefault(canonical, []).append(value)
            return used
        act.values.setdefault(canonical, []).append("")
    return 0


def is_stand_in_device(value: str) -> bool:
    """Whether a device is named as manuals do (``/dev/sdX``); the names of real ones are in lower case."""
    return _STAND_IN_DEVICE.fullmatch(value) is not None


_STAND_IN_DEVICE: Final = re.compile(r"/dev/(?:(?:sd|hd|vd|xvd)[A-Z]|nvme[A-Z0]n[A-Z]|disk[A-Z])\w*")


def other_reading(value: str) -> str:
    """Return how clients by RFC 3986 read a URL with ``\\`` before ``@``; empty when all read it alike.

    To browsers the backslash ends the host, to curl and most libraries all before the ``@`` is a user name.
    """
    scheme, mark, rest = value.partition("://")
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0] if mark and "\\" in rest else ""
    user, at, _ = authority.rpartition("@")
    if not at or "\\" not in user:
        return ""
    return f"{scheme}://{user.replace(chr(92), '%5C')}{rest[len(user) :]}"


def is_url(value: str) -> bool:
    """Whether an operand is written as a URL."""
    return "://" in value[:24]


def is_pathlike(value: str) -> bool:
    """Whether an operand of an unknown program is surely meant as a path.

    A command line may begin with the path of its program, as where one is only spoken of; what goes up again
    (``/a -b/../c``) is a path whatever else stands in it.
    """
    if value.startswith(_PATH_STARTS):
        return "/.." in value or _SEVERAL_WORDS.search(value) is None
    return "/" in value and not is_url(value) and not _BLANK.search(value) and not value.startswith("@")


_PATH_STARTS: Final = ("/", "~", "./", "../", UNKNOWN + "/")
_BLANK: Final = re.compile(r"[ \n]")
_SEVERAL_WORDS: Final = re.compile(r"\n|[ \t](?:[-/~'\"$]|\.\.?/)")
"""What follows another word of a command: an option, a path, a quotation, a variable; or another line."""


def split_pair(value: str, separator: str = ":") -> tuple[str, str]:
    """Split ``host:path``; a drive letter or a slash before the separator makes it a plain path."""
    head, mark, tail = value.partition(separator)
    if not mark or "/" in head or len(head) < 2:
        return "", value
    return head, tail
