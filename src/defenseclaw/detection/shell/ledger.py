"""What one evaluation has found so far: commands, how their bytes flow, issues, bounds."""

from __future__ import annotations

from collections.abc import Iterable

from defenseclaw.detection.facts import UNKNOWN, Command
from defenseclaw.detection.shell.bounds import FREE_STEPS, MAX_COMMANDS, MAX_LINKED
from defenseclaw.detection.shell.render import render
from defenseclaw.detection.shell.state import Draft, Pipe, Site

_BEFORE, _AFTER = -1, 1


class Full(Exception):
    """A bound on the evaluation as a whole is reached; not an error, it ends with what it has."""


class Ledger:
    """The drafts of one evaluation and all it reports besides them."""

    def __init__(self, first_id: int) -> None:
        self.drafts: list[Draft] = []
        self.issues: set[str] = set()
        self.stdin: dict[int, str] = {}
        self.outputs: dict[int, str] = {}
        self.nested = 0
        self._first_id = first_id
        self._by_id: dict[int, Draft] = {}
        self._groups: dict[int, list[Draft]] = {}
        self._pipelines = 0
        self._steps_left = FREE_STEPS
        self._recursions: dict[tuple[str, int], int] = {}

    def step(self) -> None:
        """Count one statement.

        Raises:
            Full: All steps are used up.
        """
        self._steps_left -= 1
        if self._steps_left < 0:
            self.issues.add("fact_limit")
            raise Full

    def allow(self, parsed: int) -> None:
        """Let the steps grow with what was parsed, so that long sources are evaluated whole."""
        self._steps_left += parsed

    def draft(self, site: Site) -> Draft:
        """Open a command at a place.

        Raises:
            Full: As many commands as are reported are there already.
        """
        count = len(self.drafts)
        if count >= MAX_COMMANDS:
            self.issues.add("fact_limit")
            raise Full
        pipe = site.pipe
        number, key = (0, ()) if pipe is None else (pipe.number, pipe.key)
        draft = Draft(self._first_id + count, site, number, key)
        draft.assignments = site.assignments
        if site.uncertain:
            draft.effect = "uncertain"
        self.drafts.append(draft)
        self._by_id[draft.id] = draft
        if number:
            self._groups.setdefault(number, []).append(draft)
        return draft

    def withdraw(self, draft: Draft) -> None:
        """Take back the last command: it neither does anything nor feeds another."""
        if self.drafts[-1] is draft and not draft.number:
            self.drafts.pop()
            del self._by_id[draft.id]
            self.outputs.pop(draft.id, None)
            self.stdin.pop(draft.id, None)

    def withdraw_pipeline(self, number: int, start: int) -> None:
        """Take back a pipeline, all commands from place ``start`` on."""
        for draft in self.drafts[start:]:
            del self._by_id[draft.id]
            self.outputs.pop(draft.id, None)
            self.stdin.pop(draft.id, None)
        del self.drafts[start:]
        self._groups.pop(number, None)

    def new_pipeline(self) -> int:
        """Return a fresh pipeline number."""
        self._pipelines += 1
        return self._pipelines

    def feed(self, sources: Iterable[int], reader: Draft) -> None:
        """Note that the output of commands reaches ``reader``: they join its pipeline, before it."""
        self._link(sources, reader, _BEFORE)

    def feed_from(self, writer: Draft, readers: Iterable[int]) -> None:
        """Note that the output of ``writer`` reaches commands: they join its pipeline, after it."""
        self._link(readers, writer, _AFTER)

    def feed_all(self, sources: Iterable[int], site: Site) -> None:
        """Note that the output of commands reaches all that is yet to be found at a place."""
        members = [member for each in sorted(sources) for member in self._members(self._by_id[each])]
        if not members:
            return
        if site.pipe is None:
            site.pipe = Pipe(self.new_pipeline(), (0,))
        if len(members) > MAX_LINKED:
            self.issues.add("fact_limit")
            return
        for member in members:
            if member.number != site.pipe.number:
                self._put(member, site.pipe.number)
                member.key = (*site.pipe.key, _BEFORE, *member.key)

    def _put(self, draft: Draft, number: int) -> None:
        """Move a command into a pipeline."""
        if draft.number:
            self._groups[draft.number] = [each for each in self._groups[draft.number] if each is not draft]
        draft.number = number
        self._groups.setdefault(number, []).append(draft)

    def _members(self, draft: Draft) -> list[Draft]:
        """Return all commands of a command's pipeline, itself included."""
        if not draft.number:
            return [draft]
        return self._groups[draft.number]

    def _link(self, ids: Iterable[int], anchor: Draft, side: int) -> None:
        for each in sorted(ids):
            other = self._by_id[each]
            if other is anchor or (other.number and other.number == anchor.number):
                continue
            members = list(self._members(other))
            if len(members) > MAX_LINKED:
                self.issues.add("fact_limit")
                continue
            if not anchor.number:
                self._put(anchor, self.new_pipeline())
                anchor.key = (0,)
            for member in members:
                self._put(member, anchor.number)
                member.key = (*anchor.key, side, *member.key)

    def absorb(self, inner: int, outer: int) -> None:
        """Make the members of pipeline ``inner``, whose keys extend those of ``outer``, members of it."""
        for draft in self._groups.pop(inner, []):
            draft.number = outer
            self._groups.setdefault(outer, []).append(draft)

    def feeders(self, reader: Draft) -> frozenset[int]:
        """Return the commands that stand before one in its pipeline."""
        if not reader.number:
            return frozenset()
        return frozenset(
            each.id
            for each in self._members(reader)[:MAX_LINKED]
            if each.key < reader.key and not each.dropped
        )

    def before(self, pipe: Pipe) -> Draft | None:
        """Return the command of the stage just before a stage, when it is a single one."""
        stage = (*pipe.key[:-1], pipe.key[-1] - 1)
        found = [d for d in self._groups.get(pipe.number, ()) if d.key == stage and not d.dropped]
        return found[0] if len(found) == 1 else None

    def recursion(self, name: str, draft: Draft) -> None:
        """Note that a function calls itself; two such calls side by side multiply without end."""
        places = [(name, draft.number)] if draft.number else []
        if draft.site.background:
            places.append((name, -1))
        for place in places:
            self._recursions[place] = self._recursions.get(place, 0) + 1
            if self._recursions[place] > 1:
                self.issues.add("recursive_function_pipeline")

    def commands(self) -> tuple[Command, ...]:
        """Return the commands found, in order of their ids, pipeline places settled."""
        kept = [draft for draft in self.drafts if not draft.dropped]
        positions = _positions(kept)
        return tuple(self._command(draft, positions.get(draft.id, 0)) for draft in kept)

    def cwds(self) -> dict[int, str]:
        """Return the working directory of each command, empty where unknown."""
        return {draft.id: draft.cwd for draft in self.drafts if not draft.dropped}

    def loose(self) -> frozenset[int]:
        """Return the commands in substitutions that are no words of a command."""
        return frozenset(draft.id for draft in self.drafts if draft.site.loose and not draft.dropped)

    def _command(self, draft: Draft, position: int) -> Command:
        argv = tuple(draft.argv)
        site = draft.site
        complete = not any(UNKNOWN in word for word in argv)
        if not complete or any(each.expands for each in draft.redirects):
            self.issues.add("dynamic_word")
        return Command(
            id=draft.id,
            parent=self._parent(site.parent),
            pipeline=draft.number,
            position=position,
            program=draft.program,
            executable=argv[0] if argv else "",
            argv=argv,
            text=render(argv, draft.redirects),
            effect=draft.effect,
            complete=complete,
            wrappers=site.wrappers,
            privileged=site.privileged,
            where=site.where,
            context=site.context,
            redirects=draft.redirects,
            assignments=draft.assignments,
            code=draft.code,
            language=draft.language,
        )

    def _parent(self, parent: int) -> int:
        while parent:
            draft = self._by_id[parent]
            if not draft.dropped:
                break
            parent = draft.site.parent
        return parent


def _positions(drafts: list[Draft]) -> dict[int, int]:
    members: dict[int, list[Draft]] = {}
    for draft in drafts:
        if draft.number:
            members.setdefault(draft.number, []).append(draft)
    positions: dict[int, int] = {}
    for group in members.values():
        # A member itself stands between what feeds it (-1) and what it feeds (1): its key ends in 0.
        order = {key: place for place, key in enumerate(sorted({(*draft.key, 0) for draft in group}))}
        for draft in group:
            positions[draft.id] = order[(*draft.key, 0)]
    return positions
