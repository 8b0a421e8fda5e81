"""From files to a compiled pack. Everything is validated before anything is used.

A pack of an operator lies over the packaged rules: it adds rules, changes some and takes the weight off
others' findings. One bad rule refuses it whole, and :class:`InvalidPack` names every problem.

Source: ``spec/guardrail.md`` §2.2, §5; ``style.md`` §3; ``rules/README.md`` for the format.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

import re2

from defenseclaw.detection.chains import Step
from defenseclaw.detection.expressions import outline
from defenseclaw.detection.ruleset import Rule, RuleSet
from defenseclaw.errors import PackError
from defenseclaw.packs import chainfile
from defenseclaw.packs import folder as folders
from defenseclaw.packs.document import Document, is_rule_id, shown
from defenseclaw.packs.overlay import PROTECTED, Change, overlaid, read_overlay
from defenseclaw.packs.rulefile import Entry, read_rule
from defenseclaw.packs.suppressionfile import read_suppressions
from defenseclaw.policy.suppression import NONE, Suppression, Suppressions
from defenseclaw.vocabulary import Profile

ALIASES: Final = {"balanced": "default"}
"""Other names of packs. Source: ``spec/guardrail.md`` §2.2."""
MAX_CONDITIONS: Final = 256
"""Conditions of one operator's pack."""
MAX_CONDITION_COST: Final = 1_500_000
"""Work of one condition of an operator on the largest call, in comparisons: some 0.1 s."""
MAX_PACK_COST: Final = 5_000_000
"""Work of all conditions of an operator's pack together."""
MAX_PATTERNS: Final = 2048
"""Patterns of one operator's pack."""
PATTERN_MEMORY_BYTES: Final = 256 * 1024
"""Memory that one pattern of an operator may take when compiled: some 20 ms of compiling."""

_HINT: Final = f"use one of {', '.join(Profile)}, or the absolute path of a folder"
_OWN_LABEL: Final = "rules/"


class InvalidPack(PackError):
    """A pack with problems; the message is that of the first one."""

    def __init__(self, problems: Sequence[PackError], *, pack: str = "") -> None:
        self.problems = tuple(problem.message for problem in problems)
        """Each ``file:line: RULE-ID: what``, as far as it is known."""
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        where = f"rule pack {shown(pack)}: " if pack else ""
        hint = problems[0].hint or "`defenseclaw rules validate` shows all that is wrong"
        super().__init__(f"{where}{self.problems[0]}{more}", hint=hint)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """A compiled pack and where everything in it comes from."""

    name: str
    """As configured."""
    profile: Profile
    folder: Path | None
    """Where an operator's pack lies; None for a packaged one."""
    rules: RuleSet
    """The rules that are on."""
    suppressions: Suppressions = NONE
    catalogue: Mapping[str, Rule] = field(default_factory=dict)
    """Every rule by id, those that are off too, as the overlays leave them."""
    own: frozenset[str] = frozenset()
    """Ids of the rules that the operator's pack adds."""
    places: Mapping[str, str] = field(default_factory=dict)
    """Rule id → ``file:line`` of what decides it."""
    changes: tuple[Change, ...] = ()
    """What the operator's pack says about rules."""


@dataclass(frozen=True, slots=True)
class Named:
    """What a configured name stands for."""

    profile: Profile
    folder: Path | None


def resolve(pack: str) -> Named:
    """Return what ``guardrail.rule_pack_dir`` names.

    A profile's name is the packaged rules in that profile. An absolute path (or ``~/…``) is an operator's
    pack; its last part names the profile, ``default`` unless it is one. Where ``<pack>/strict`` is no folder
    and ``<pack>`` is, it is that pack in the strict profile: one pack serves all profiles.

    Raises:
        PackError: It is neither.
    """
    name = ALIASES.get(pack, pack)
    if name in set(Profile):
        return Named(Profile(name), None)
    if "/" not in pack and not pack.startswith("~"):
        raise PackError("unknown rule pack", hint=_HINT)
    try:
        path = Path(pack).expanduser()
    except RuntimeError as error:
        raise PackError("unknown rule pack: no home directory", hint=_HINT) from error
    if not path.is_absolute():
        hint = f"write {shown(str(path.absolute()))}"
        raise PackError(f"rule pack {shown(pack)}: not an absolute path", hint=hint)
    last = path.name.lower()
    profile = Profile(last) if last in set(Profile) else Profile.DEFAULT
    if not path.is_dir() and last == profile and path.parent.is_dir():
        path = path.parent
    if not path.is_dir():
        raise PackError(f"unknown rule pack {shown(pack)}: no such folder", hint=_HINT)
    return Named(profile, path)


def load_pack(pack: str = "default", extra_dirs: Sequence[Path] = ()) -> Pack:
    """Return a compiled pack.

    Args:
        pack: See :func:`resolve`.
        extra_dirs: Further packs of an operator, laid over it in this order.

    Returns:
        The same object for the same packaged pack.

    Raises:
        InvalidPack: A file is not valid; every problem names file, line and rule.
        PackError: There is no such pack.
    """
    named = resolve(pack)
    own = [named.folder, *extra_dirs] if named.folder is not None else list(extra_dirs)
    if not own:
        return _packaged(named.profile)
    try:
        return _compiled(pack, named.profile, own)
    except InvalidPack as error:
        raise InvalidPack([PackError(each) for each in error.problems], pack=str(own[0])) from error


def load(pack: str = "default", extra_dirs: Sequence[Path] = ()) -> RuleSet:
    """Return the rules of :func:`load_pack` that are on."""
    return load_pack(pack, extra_dirs).rules


# ---- what comes with the program ------------------------------------------------------------------


@lru_cache(maxsize=len(Profile))
def _packaged(profile: Profile) -> Pack:
    entries = _packaged_rules()
    changes = _packaged_overlay(profile)
    catalogue, off = overlaid({each.rule.id: each.rule for each in entries}, changes)
    places = {each.rule.id: each.place for each in entries}
    return Pack(
        name=profile,
        profile=profile,
        folder=None,
        rules=_rule_set([rule for rule_id, rule in catalogue.items() if rule_id not in off], places),
        catalogue=catalogue,
        places=places,
    )


@lru_cache(maxsize=1)
def _packaged_rules() -> tuple[Entry, ...]:
    entries = [
        read_rule(Document(file.read_bytes(), label, category=category, trusted=True))
        for category, label, file in _packaged_files()
    ]
    _check_ids(entries)
    return tuple(entries)


@lru_cache(maxsize=1)
def _packaged_steps() -> tuple[Step, ...]:
    """Return the steps that chains are made of, those of operators too."""
    place = _packaged_folder() / chainfile.FOLDER
    files = sorted(place.iterdir(), key=lambda each: each.name)
    return tuple(
        chainfile.step(
            Document(file.read_bytes(), f"{_OWN_LABEL}{chainfile.FOLDER}/{file.name}", trusted=True)
        )
        for file in files
        if file.name.endswith(".yaml")
    )


def _packaged_folder() -> Traversable:
    return resources.files("defenseclaw") / "rules"


def _packaged_files() -> Iterable[tuple[str, str, Traversable]]:
    for category in sorted(_packaged_folder().iterdir(), key=lambda each: each.name):
        if category.is_dir() and category.name not in (folders.PROFILES, chainfile.FOLDER, "__pycache__"):
            for file in sorted(category.iterdir(), key=lambda each: each.name):
                if file.name.endswith(".yaml"):
                    yield category.name, f"{_OWN_LABEL}{category.name}/{file.name}", file


def _packaged_overlay(profile: Profile) -> list[Change]:
    file = _packaged_folder() / folders.PROFILES / f"{profile}.yaml"
    label = f"{_OWN_LABEL}{folders.PROFILES}/{profile}.yaml"
    known = {each.rule.id: each.rule for each in _packaged_rules()}
    return read_overlay(Document(file.read_bytes(), label, trusted=True), known)


# ---- what operators add ---------------------------------------------------------------------------


@dataclass(slots=True)
class _Draft:
    """An operator's pack as far as it is read; problems are collected, so that all are told at once."""

    problems: list[PackError] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    overlays: list[Document] = field(default_factory=list)
    suppressions: list[Document] = field(default_factory=list)

    def read(self, root: Path, profile: Profile) -> None:
        """Read one folder."""
        try:
            files, misplaced = folders.files_in(root)
        except PackError as error:
            self.problems.append(error)
            return
        self.problems += misplaced
        total = 0
        for file in files:
            try:
                content = folders.read(file)
                total += len(content)
                if total > folders.MAX_TOTAL_BYTES:
                    raise PackError(f"{shown(file.label)}: more than {folders.MAX_TOTAL_BYTES} bytes in all")
                self._take(file, content, profile)
            except PackError as error:
                self.problems.append(error)
                if total > folders.MAX_TOTAL_BYTES:
                    return

    def _take(self, file: folders.Found, content: bytes, profile: Profile) -> None:
        document = Document(content, file.label, category=file.folder)
        if file.label == folders.SUPPRESSIONS:
            self.suppressions.append(document)
        elif file.folder != folders.PROFILES:
            entry = read_rule(document)
            _check_bounds(entry)
            self.entries.append(entry)
        elif document.stem in (folders.ALL_PROFILES, profile):
            self.overlays.append(document)  # "all" comes first in the alphabet, as it must
        else:
            read_overlay(document, _Anything())

    def changes(self, known: Mapping[str, Rule]) -> list[Change]:
        """Return what the overlays say about ``known`` rules."""
        protected = [each.rule.id for each in _packaged_rules() if each.rule.id.startswith(PROTECTED)]
        changes: list[Change] = []
        for document in self.overlays:
            try:
                changes += read_overlay(document, known, protected)
            except PackError as error:
                self.problems.append(error)
        return changes

    def suppressed(self, catalogue: Mapping[str, Rule]) -> Suppressions:
        """Return the suppressions of findings of ``catalogue``."""
        canonical = {alias: rule.id for rule in catalogue.values() for alias in rule.aliases}
        canonical |= {rule_id: rule_id for rule_id in catalogue}
        entries: list[Suppression] = []
        for document in self.suppressions:
            try:
                entries += read_suppressions(document, lambda name: canonical.get(name, ""))
            except PackError as error:
                self.problems.append(error)
        return Suppressions(entries)


class _Anything(dict[str, Rule]):
    """Stands for all rules where only the form of an overlay is judged: that of a profile not in use."""

    def __contains__(self, rule_id: object) -> bool:
        return isinstance(rule_id, str) and is_rule_id(rule_id)


def _compiled(name: str, profile: Profile, roots: Sequence[Path]) -> Pack:
    draft = _Draft()
    for root in roots:
        draft.read(root, profile)
    entries = [*_packaged_rules(), *draft.entries]
    try:
        _check_ids(entries)
        _check_together(draft.entries)
    except PackError as error:
        draft.problems.append(error)
    known = {each.rule.id: each.rule for each in entries}
    changes = draft.changes(known)
    catalogue, off = overlaid(known, [*_packaged_overlay(profile), *changes])
    suppressions = draft.suppressed(catalogue)
    if draft.problems:
        raise InvalidPack(draft.problems)
    places = {each.rule.id: each.place for each in entries}
    return Pack(
        name=name,
        profile=profile,
        folder=roots[0],
        rules=_rule_set(
            [rule for rule_id, rule in catalogue.items() if rule_id not in off], places, draft.entries
        ),
        suppressions=suppressions,
        catalogue=catalogue,
        own=frozenset(each.rule.id for each in draft.entries),
        places=places,
        changes=tuple(changes),
    )


def _rule_set(rules: Sequence[Rule], places: Mapping[str, str], own: Sequence[Entry] = ()) -> RuleSet:
    """Compile the rules that are on; see whether an operator's own that are off would compile, too."""
    on = {rule.id for rule in rules}
    problems: list[PackError] = []
    for entry in own:
        if entry.rule.id not in on:
            problems += _problems_of(entry)
    try:
        compiled = RuleSet(rules, _packaged_steps())
    except PackError as error:
        problems += [each for entry in own if entry.rule.id in on for each in _problems_of(entry)]
        if not problems:
            culprit = places.get(error.message.partition(":")[0])
            problems = [PackError(f"{culprit}: {error.message}" if culprit else error.message)]
    if problems:
        raise InvalidPack(problems)
    return compiled


def _problems_of(entry: Entry) -> list[PackError]:
    try:
        RuleSet([entry.rule], _packaged_steps())
    except PackError as error:
        return [PackError(f"{entry.place}: {error.message}")]
    return []


def _check_ids(entries: Iterable[Entry]) -> None:
    """Refuse an id or alias that two rules claim."""
    known: dict[str, str] = {}
    for entry in entries:
        if entry.rule.id in known:
            raise PackError(f"{entry.place}: {entry.rule.id}: this id is taken ({known[entry.rule.id]})")
        known[entry.rule.id] = entry.place


def _check_bounds(entry: Entry) -> None:
    """Refuse a rule whose evaluation could take long, whatever the call or text.

    Raises:
        PackError: A pattern takes too much memory or a condition too much work; the place is that of what
            decides the rule.
    """
    rule = entry.rule
    options = re2.Options()
    options.max_mem = PATTERN_MEMORY_BYTES
    options.log_errors = False
    for pattern in (*rule.patterns, *filter(None, [rule.wording])):
        try:
            re2.compile(pattern, options)
        except re2.error as error:
            if "too large" in str(error):
                raise PackError(f"{entry.place}: {rule.id}: pattern needs too much memory") from error
    if rule.condition:
        try:
            cost = outline(rule.condition).cost
        except PackError as error:
            raise PackError(f"{entry.place}: {rule.id}: {error.message}") from error
        if cost > MAX_CONDITION_COST:
            raise PackError(f"{entry.place}: {rule.id}: condition: {_too_much(cost, MAX_CONDITION_COST)}")


def _check_together(entries: Sequence[Entry]) -> None:
    conditions = [entry for entry in entries if entry.rule.condition]
    if len(conditions) > MAX_CONDITIONS:
        raise PackError(f"more than {MAX_CONDITIONS} rules with conditions")
    cost = sum(outline(entry.rule.condition).cost for entry in conditions)
    if cost > MAX_PACK_COST:
        raise PackError(f"the conditions together: {_too_much(cost, MAX_PACK_COST)}")
    if sum(len(entry.rule.patterns) for entry in entries) > MAX_PATTERNS:
        raise PackError(f"more than {MAX_PATTERNS} patterns")


def _too_much(cost: int, limit: int) -> str:
    return f"too much work on a large call ({cost:,} steps, {limit:,} are allowed)"


def everything_on(pack: Pack) -> RuleSet:
    """Return all rules of a pack, those that are off too, for running their examples."""
    return RuleSet(pack.catalogue.values(), _packaged_steps())
