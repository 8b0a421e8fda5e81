"""The commands found while a Windows command line is evaluated."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from msgspec import Struct

from defenseclaw.detection.facts import UNKNOWN, Command, Redirect
from defenseclaw.detection.shell.render import render
from defenseclaw.detection.windows.bounds import MAX_COMMANDS, MAX_PRODUCED, MAX_STEPS, MAX_WORDS


class Full(Exception):
    """A bound is reached: what was found so far counts, the rest is left out."""


class Site(Struct, frozen=True, gc=False):
    """Where a command stands, as inherited by everything inside it."""

    parent: int = 0
    context: str = "top"
    wrappers: tuple[str, ...] = ()
    where: str = "host"
    depth: int = 0
    pipeline: int = 0
    position: int = 0

    def inside(self, draft: Draft, context: str = "nested", where: str = "") -> Site:
        """Return the place of commands that ``draft`` runs."""
        return Site(
            parent=draft.id,
            context=context,
            wrappers=(*draft.wrappers, draft.program),
            where=where or self.where,
            depth=self.depth + 1,
        )


class Draft(Struct, gc=False):
    """A command as it is found."""

    id: int
    parent: int
    context: str
    wrappers: tuple[str, ...]
    where: str
    pipeline: int
    position: int
    program: str
    executable: str
    argv: tuple[str, ...]
    redirects: tuple[Redirect, ...] = ()
    code: str = ""
    language: str = ""
    cwd: str = ""

    def command(self) -> Command:
        """Return the finished command."""
        whole = UNKNOWN not in "".join(self.argv)
        if self.redirects and whole:
            whole = not any(each.expands for each in self.redirects)
        return Command(
            id=self.id,
            parent=self.parent,
            pipeline=self.pipeline,
            position=self.position,
            program=self.program,
            executable=self.executable,
            argv=self.argv,
            text=render(self.argv, self.redirects),
            complete=whole,
            wrappers=self.wrappers,
            where=self.where,
            context=self.context,
            redirects=self.redirects,
            code=self.code,
            language=self.language,
        )


@dataclass(slots=True)
class Ledger:
    """Collects commands, what reaches them, and how much work was done."""

    first_id: int
    drafts: dict[int, Draft] = field(default_factory=dict)
    issues: set[str] = field(default_factory=set)
    stdin: dict[int, str] = field(default_factory=dict)
    outputs: dict[int, str] = field(default_factory=dict)
    nested: int = 0
    _pipelines: int = 0
    _steps: int = 0
    _produced: int = 0

    def step(self, characters: int = 0, steps: int = 1) -> None:
        """Count steps of work, and the characters they produced.

        Raises:
            Full: there was too much of either.
        """
        self._steps += steps
        self._produced += characters
        if self._steps > MAX_STEPS or self._produced > MAX_PRODUCED:
            self.issues.add("fact_limit")
            raise Full

    def pipeline(self) -> int:
        """Return the number of a new pipeline."""
        self._pipelines += 1
        return self._pipelines

    @property
    def last_pipeline(self) -> int:
        """The highest number given out."""
        return self._pipelines

    def add(self, site: Site, program: str, argv: Iterable[str], cwd: str) -> Draft:
        """Take in a command.

        Raises:
            Full: there are too many.
        """
        if len(self.drafts) >= MAX_COMMANDS:
            self.issues.add("fact_limit")
            raise Full
        words = tuple(argv)
        if len(words) > MAX_WORDS:
            self.issues.add("fact_limit")
            words = words[:MAX_WORDS]
        self.step(sum(map(len, words)))
        number = self.first_id + len(self.drafts)
        draft = self.drafts[number] = Draft(
            number,
            site.parent,
            site.context,
            site.wrappers,
            site.where,
            site.pipeline,
            site.position,
            program,
            words[0].replace("\\", "/"),
            words,
        )
        draft.cwd = cwd
        if len(site.wrappers) > self.nested:
            self.nested = len(site.wrappers)
        return draft

    def since(self, count: int) -> list[Draft]:
        """Return the commands taken in after the first ``count``."""
        return [
            self.drafts[number] for number in range(self.first_id + count, self.first_id + len(self.drafts))
        ]

    def feed(self, sources: Iterable[int], reader: Draft) -> None:
        """Take note that the output of some commands becomes a word, or the input, of another one."""
        for source in sources:
            draft = self.drafts.get(source)
            if draft is not None and draft.id != reader.id and draft.context != "substitution":
                if draft.pipeline and draft.pipeline == reader.pipeline:
                    continue
                draft.context, draft.parent = "substitution", reader.id
                if draft.program == "tcpclient" and reader.program == "invoke-expression":
                    # Nothing in its words says so: a shell runs what comes from there.
                    draft.argv = (*draft.argv, "-Shell")
