"""Tree → commands: runs a source in the head, without executing anything.

What may or may not run is taken to run: both branches of an ``if``, all arms of a ``case``, what follows
``||``. A loop over known words turns once per word, any other loop once.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Hashable, Mapping

from defenseclaw.detection.facts import UNKNOWN, Need, Redirect, Snapshot
from defenseclaw.detection.shell.bounds import (
    MAX_ALIKE,
    MAX_ASSIGNED,
    MAX_ASSIGNMENTS,
    MAX_DEPTH,
    MAX_FILES,
    MAX_INERT,
    MAX_TURNS,
    MAX_UNSORTED,
    MAX_WORDS,
)
from defenseclaw.detection.shell.environment import PROFILES, acts, inherited
from defenseclaw.detection.shell.expand import SOMETHING, WORD_COST, Expander
from defenseclaw.detection.shell.finders import one_of
from defenseclaw.detection.shell.ledger import Full, Ledger
from defenseclaw.detection.shell.parameters import glob_matches
from defenseclaw.detection.shell.parser import Parser
from defenseclaw.detection.shell.programs import (
    INERT,
    Programs,
    absolute,
    changes_shell,
    is_interpreter,
    program_by_glob,
)
from defenseclaw.detection.shell.state import Draft, Pipe, Shell, Site
from defenseclaw.detection.shell.syntax import (
    Assignment,
    Case,
    Compute,
    For,
    Function,
    Group,
    If,
    Literal,
    Node,
    Parameter,
    Pipeline,
    ProcessSubstitution,
    Redirection,
    Sequence,
    Simple,
    While,
    Word,
)

_KEYED = re.compile(r"\[([^\]\n]{1,256})\]=(.*)\Z", re.DOTALL).match
_UNKNOWN_LINE = (UNKNOWN + "\n").encode()
_ACCESS = {
    "<": ("read", 0),
    "<>": ("write", 0),
    ">": ("write", 1),
    ">|": ("write", 1),
    ">>": ("append", 1),
    "&>": ("write", -1),
    "&>>": ("append", -1),
    ">&": ("write", -1),
    "<&": ("dup", 0),
    "<<": ("heredoc", 0),
    "<<-": ("heredoc", 0),
    "<<<": ("herestring", 0),
}


KindOf = Callable[[str, tuple[str, ...], tuple[Redirect, ...], str], tuple[Hashable, bool] | None]
"""Program, words, redirections, working directory → what kind of ordinary command that is, and whether it
only looks at things; None when it is out of the ordinary."""


class Streams:
    """What a command's redirections come to."""

    __slots__ = ("feeders", "output", "redirects", "stdin", "stdin_path", "takes_stdin")

    def __init__(self) -> None:
        self.redirects: list[Redirect] = []
        self.stdin: bytes | None = None
        self.takes_stdin = False
        self.stdin_path = ""
        self.output: tuple[str, bool] | None = None
        """Path that standard output goes to, and whether it is appended."""
        self.feeders: set[int] = set()
        """Commands whose output stands in a here-document or here-string."""


class Evaluator:
    """One evaluation of one source."""

    def __init__(
        self, home: str, first_id: int, snapshots: Mapping[str, Snapshot], kind_of: KindOf | None = None
    ) -> None:
        self.ledger = Ledger(first_id)
        self.missing: dict[str, Need] = {}
        """Files the evaluation would have gone on with."""
        self.words = Expander(self._substitute, self._open_process, self.ledger.issues.add)
        self.processes: dict[str, tuple[bytes | None, frozenset[int]]] = {}
        """What ``/dev/fd/N`` of a process substitution holds, and whose output it is."""
        self.user = home.rstrip("/").rpartition("/")[2]
        self.home = home
        self._snapshots = snapshots
        self._kind_of = kind_of
        self._alike: Counter[Hashable] = Counter()
        self._programs = Programs(self)
        self._owner = 0
        self._nodes = 0
        self._seen: dict[tuple[object, ...], bytes | None] = {}

    # --- entries ----------------------------------------------------------------------------------

    def source(self, text: str, shell: Shell, site: Site, stdin: bytes | None) -> bytes | None:
        """Evaluate source text; returns what it would print, None when unknown."""
        if site.depth >= MAX_DEPTH:
            self.ledger.issues.add("depth_limit")
            return None
        if site.depth and not self.words.spend(len(text)):
            return None
        parser = Parser(text, depth=site.depth, nodes=self._nodes)
        tree = parser.parse()
        self.ledger.allow(parser.nodes - self._nodes)
        self._nodes = parser.nodes
        self.ledger.issues |= parser.issues
        return self.sequence(tree, shell, site, stdin)

    def start_files(self, shell: Shell) -> None:
        """Evaluate what the source wrote to files that a shell runs when it starts."""
        for path, content in list(shell.files.items()):
            if content and path.rpartition("/")[2] in PROFILES:
                site = Site(context="deferred")
                self.source(content.decode("utf-8", "replace"), Shell("", self.home), site, None)

    def run(
        self,
        argv: list[str],
        origins: list[frozenset[int]],
        shell: Shell,
        site: Site,
        stdin: bytes | None,
        stdin_path: str = "",
    ) -> bytes | None:
        """Evaluate ready words as a command of their own, as wrappers do with theirs."""
        if site.depth >= MAX_DEPTH:
            self.ledger.issues.add("depth_limit")
            return None
        draft = self.ledger.draft(site)
        draft.argv, draft.origins = argv, origins
        return self._execute(draft, shell, site, stdin, stdin_path)

    def fork(self, shell: Shell) -> Shell:
        """Copy a shell, paying for it, so that copies of many variables stay bounded."""
        self.words.spend(len(shell.variables))
        return shell.fork()

    def read(self, path: str) -> Snapshot | None:
        """Return a file's snapshot; None, and a question to the caller, when it was not taken yet."""
        known = self._snapshots.get(path)
        if known is None and path not in self.missing:
            if len(self._snapshots) + len(self.missing) >= MAX_FILES:
                self.ledger.issues.add("fact_limit")
            else:
                self.missing[path] = Need(path=path)
        return known

    # --- statements -------------------------------------------------------------------------------

    def sequence(self, tree: Sequence, shell: Shell, site: Site, stdin: bytes | None) -> bytes | None:
        """Evaluate statements in order; returns what they would print together."""
        if site.depth > MAX_DEPTH:
            self.ledger.issues.add("depth_limit")
            return None
        items = tree.items
        alone = len(items) == 1
        printed: list[bytes | None] = []
        before, joint = "", ";"
        tested: tuple[str, ...] = ()
        for node, operator in items:
            self.ledger.step()
            place = site
            if operator == "&":
                place = site.copy()
                place.background = True
            runs = (
                joint in (";", "&")
                or before == ("true" if joint == "&&" else "false")
                or (joint == "&&" and not before)
            )
            inner = shell if runs else self.fork(shell)
            if joint == "&&" and tested:
                self._not_empty(tested, inner)
            tested = _tested(node)
            if isinstance(node, Pipeline):
                out = self._pipeline(node, inner, place, stdin, alone)
            else:
                out = self._node(node, inner, place, stdin)
            printed.append(out)
            before, joint = _constant(node), operator
        return _joined(printed)

    @staticmethod
    def _not_empty(names: tuple[str, ...], shell: Shell) -> None:
        """Take in that variables of unknown value were found not to be empty."""
        for name in names:
            if shell.variables.get(name, UNKNOWN) == UNKNOWN:
                shell.variables[name] = SOMETHING

    def _node(self, node: Node, shell: Shell, site: Site, stdin: bytes | None) -> bytes | None:
        if isinstance(node, Simple):
            return self._simple(node, shell, site, stdin)
        if isinstance(node, Pipeline):
            return self._pipeline(node, shell, site, stdin, True)
        if isinstance(node, Function):
            shell.functions[node.name] = node.body
            return b""
        return self._compound(node, shell, site.copy(), stdin)

    def _pipeline(
        self, node: Pipeline, shell: Shell, site: Site, stdin: bytes | None, alone: bool
    ) -> bytes | None:
        outer = site.pipe
        base: tuple[int, ...] = ()
        if outer is None:
            number = self.ledger.new_pipeline()
        else:
            base = (*outer.key, 2)
            number = outer.number if alone else self.ledger.new_pipeline()
            if not alone:
                outer.inner.append(number)
        data = stdin
        stages: list[tuple[Pipe, int]] = []
        for index, stage in enumerate(node.stages):
            place = site.copy()
            place.pipe = Pipe(number, (*base, index))
            stages.append((place.pipe, len(self.ledger.drafts)))
            data = self._node(stage, self.fork(shell), place, data)
        self._join_inner(number, stages)
        start = stages[0][1]
        if outer is None and self._are_many_alike(self.ledger.drafts[start:], number):
            self.ledger.withdraw_pipeline(number, start)
        return data

    def _are_many_alike(self, drafts: list[Draft], number: int = 0) -> bool:
        """Return whether commands are ordinary ones, alone or in one pipeline, of a kind met often enough.

        Thousands of different harmless commands must not use up the room for what stands behind them.
        """
        if self._kind_of is None or len(self.ledger.drafts) <= MAX_UNSORTED:
            return False
        kinds: list[Hashable] = []
        looks = True
        for draft in drafts:
            site = draft.site
            taken = draft.origins or draft.assignments or draft.code or draft.dropped
            if taken or draft.number != number or site.parent or site.context != "top":
                return False
            known = self._kind_of(draft.program, tuple(draft.argv), draft.redirects, draft.cwd)
            if known is None:
                return False
            kinds.append(known[0])
            looks = looks and known[1]
        kind = tuple(kinds)
        self._alike[kind] += 1
        if self._alike[kind] <= MAX_ALIKE:
            return False
        if not looks:
            self.ledger.issues.add("fact_limit")
        self.words.spend(-sum(sum(map(len, draft.argv)) + WORD_COST * len(draft.argv) for draft in drafts))
        return True

    def _join_inner(self, number: int, stages: list[tuple[Pipe, int]]) -> None:
        """Let pipelines inside a stage join this one where their output may reach an interpreter.

        They keep their own number otherwise, so that ``(fetch; list | sh) | log`` does not look as if
        what was fetched were run.
        """
        for pipe, _ in stages:
            if not pipe.inner:
                continue
            after = next((start for other, start in stages if other.key > pipe.key), len(self.ledger.drafts))
            if any(is_interpreter(draft.program) for draft in self.ledger.drafts[after:]):
                for inner in pipe.inner:
                    self.ledger.absorb(inner, number)

    def _compound(
        self, node: Group | If | While | For | Case | Compute, shell: Shell, site: Site, stdin: bytes | None
    ) -> bytes | None:
        if node.redirections:
            outer, self.words.readers = self.words.readers, set()
            streams = self._streams(node.redirections, shell, site)
            self.ledger.feed_all(streams.feeders | self.words.readers, site)
            self.words.readers = outer
            if streams.takes_stdin:
                stdin = streams.stdin
            writes = tuple(each for each in streams.redirects if each.access in ("write", "append", "dup"))
            site.redirects += writes
            start = len(self.ledger.drafts)
            out = self._body(node, shell, site, stdin)
            self._redirected_compound(start, streams, site, shell)
            return self._store(out, streams, shell)
        return self._body(node, shell, site, stdin)

    def _redirected_compound(self, start: int, streams: Streams, site: Site, shell: Shell) -> None:
        """Give the readings of a compound's redirections to its first command, or to one of their own."""
        inside = [draft for draft in self.ledger.drafts[start:] if not draft.dropped]
        if inside:
            first = inside[0]
            first.redirects += tuple(each for each in streams.redirects if each not in first.redirects)
        else:
            first = self.ledger.draft(site)
            first.redirects = tuple(streams.redirects)
            first.cwd = shell.cwd

    def _body(
        self, node: Group | If | While | For | Case | Compute, shell: Shell, site: Site, stdin: bytes | None
    ) -> bytes | None:
        if isinstance(node, Group):
            if not node.subshell:
                return self.sequence(node.body, shell, site, stdin)
            if site.context == "top":
                site.context = "subshell"
            return self.sequence(node.body, self.fork(shell), site, stdin)
        if isinstance(node, Compute):
            self.words.compute(node.expression, shell, site)
            return b""
        if isinstance(node, If):
            self._if(node, shell, site, stdin)
        elif isinstance(node, While):
            self._while(node, shell, site, stdin)
        elif isinstance(node, For):
            self._for(node, shell, site, stdin)
        else:
            self._case(node, shell, site, stdin)
        return None

    def _if(self, node: If, shell: Shell, site: Site, stdin: bytes | None) -> None:
        branches: list[Shell] = []
        for index, body in enumerate(node.bodies):
            if index < len(node.conditions):
                self.sequence(node.conditions[index], shell, site, stdin)
            branch = self.fork(shell)
            if index < len(node.conditions) and len(node.conditions[index].items) == 1:
                self._not_empty(_tested(node.conditions[index].items[0][0]), branch)
            self.sequence(body, branch, site, stdin)
            branches.append(branch)
        if _always(node.conditions[0]):
            _replace(shell, branches[0])
            return
        if len(node.bodies) > len(node.conditions) and branches:
            # With an else, one of the branches runs: what all of them set alike is known.
            _replace(shell, branches.pop())
        for branch in branches:
            shell.join(branch)

    def _while(self, node: While, shell: Shell, site: Site, stdin: bytes | None) -> None:
        first = node.condition.items[0][0] if node.condition.items else None
        reads = isinstance(first, Simple) and first.words and first.words[0].literal == "read"
        if reads and stdin is not None:
            lines = stdin.split(b"\n")[: MAX_TURNS + 1]
            if len(lines) > MAX_TURNS:
                self.ledger.issues.add("fact_limit")
            for line in lines[:MAX_TURNS]:
                if line:
                    self.sequence(node.condition, shell, site, line)
                    self.sequence(node.body, shell, site, None)
            return
        self.sequence(node.condition, shell, site, stdin)
        branch = self.fork(shell)
        self.sequence(node.body, branch, site, stdin)
        shell.join(branch)

    def _for(self, node: For, shell: Shell, site: Site, stdin: bytes | None) -> None:
        if not node.variable:
            self.sequence(node.body, shell, site, stdin)
            return
        self.words.touched = set()
        if node.words is None:
            values = list(shell.parameters)
        else:
            values = [value for word in node.words for value in self.words.fields(word, shell, site)]
        origins = frozenset(self.words.touched)
        if len(values) > MAX_TURNS:
            self.ledger.issues.add("fact_limit")
        for value in values[:MAX_TURNS]:
            self.ledger.step()
            shell.variables[node.variable] = one_of(value)
            if origins:
                shell.origins[node.variable] = origins
            self.sequence(node.body, shell, site, stdin)

    def _case(self, node: Case, shell: Shell, site: Site, stdin: bytes | None) -> None:
        subject = self.words.text(node.subject, shell, site)
        branches: list[Shell] = []
        for patterns, body in node.arms:
            globs = [self.words.text(pattern, shell, site) for pattern in patterns]
            matches = [None if UNKNOWN in subject + glob else glob_matches(glob, subject) for glob in globs]
            if matches and all(match is False for match in matches):
                continue
            branch = self.fork(shell)
            self.sequence(body, branch, site, stdin)
            if any(matches):
                _replace(shell, branch)
                break
            branches.append(branch)
        for branch in branches:
            shell.join(branch)

    # --- simple commands --------------------------------------------------------------------------

    def _simple(self, node: Simple, shell: Shell, site: Site, stdin: bytes | None) -> bytes | None:
        if not node.words:
            return self._bare(node, shell, site)
        if site.pipe is None and not (node.redirections or node.assignments or site.redirects or stdin):
            again = self._repeatable(node, shell, site)
            if again is not None and again in self._seen:
                return self._seen[again]
        else:
            again = None
        out = self._fresh(node, shell, site, stdin)
        if again is not None:
            self._seen[again] = out
        return out

    def _repeatable(self, node: Simple, shell: Shell, site: Site) -> tuple[object, ...] | None:
        """Return what tells a command of fixed words from others; None when running it twice matters.

        Without this, a thousand times the same harmless word would use up the room for what follows.
        """
        literals = tuple(word.literal for word in node.words)
        name = literals[0]
        if None in literals or changes_shell(name or "") or shell.aliases or name in shell.functions:
            return None
        return (site.parent, site.context, site.loose, site.background, site.calls, shell.cwd, literals)

    def _fresh(self, node: Simple, shell: Shell, site: Site, stdin: bytes | None) -> bytes | None:
        draft = self.ledger.draft(site)
        words = self.words
        owner, self._owner = self._owner, draft.id
        readers, writers = words.readers, words.writers
        words.readers, words.writers = set(), set()
        self._expand(node.words, draft, shell, site)
        streams = None
        if node.redirections:
            streams = self._streams(node.redirections, shell, site)
            draft.redirects = tuple(streams.redirects)
            if streams.takes_stdin:
                stdin = streams.stdin
        if site.redirects:
            draft.redirects += site.redirects
        own: tuple[str, ...] = ()
        before = shell
        if node.assignments:
            shell = self.fork(shell)
            for assignment in node.assignments:
                self.assign(assignment, shell, site)
                if node.words[0].literal in ("export", "declare", "local", "readonly", "typeset"):
                    self.assign(assignment, before, site)
            own = self._assigned(node.assignments, shell)
            draft.assignments += own
        self._owner = owner
        fed, feeds = words.readers, words.writers
        words.readers, words.writers = readers, writers
        if fed:
            self.ledger.feed(fed, draft)
        if streams is not None and streams.feeders:
            self.ledger.feed(streams.feeders, draft)
        if not draft.argv:
            draft.dropped = not draft.redirects
            return b""
        if node.words[0].glob:
            draft.argv[0] = program_by_glob(draft.argv[0])
        if own:
            draft.cwd = shell.cwd
            self._programs.run_assigned(own, draft, shell, site)
        out = self._execute(draft, shell, site, stdin, streams.stdin_path if streams is not None else "")
        if before is not shell and changes_shell(draft.argv[0]):
            self._keep_changes(node.assignments, before, shell)
        if feeds:
            self.ledger.feed_from(draft, feeds)
        elif len(self.ledger.drafts) > MAX_INERT and (
            (draft.program in INERT and self._is_inert(draft))
            or (site.pipe is None and self.ledger.drafts[-1] is draft and self._are_many_alike([draft]))
        ):
            self.ledger.withdraw(draft)
        return self._store(out, streams, shell) if streams is not None else out

    @staticmethod
    def _is_inert(draft: Draft) -> bool:
        """Return whether a command that only prints or tests has no part in anything else."""
        return (
            not (draft.redirects or draft.origins or draft.assignments)
            and draft.site.context != "substitution"
        )

    def _expand(self, nodes: list[Word], draft: Draft, shell: Shell, site: Site) -> None:
        words = self.words
        argv = draft.argv
        size = 0
        for node in nodes:
            literal = node.literal
            if literal is not None:
                argv.append(literal)
                size += len(literal)
                continue
            words.touched = set()
            fields = words.fields(node, shell, site)
            if words.touched:
                draft.origins += [frozenset()] * (len(argv) - len(draft.origins))
                draft.origins += [frozenset(words.touched)] * len(fields)
            argv += fields
            size += sum(map(len, fields))
        if draft.origins:
            draft.origins += [frozenset()] * (len(argv) - len(draft.origins))
        if len(argv) > MAX_WORDS:
            self.ledger.issues.add("fact_limit")
            del argv[MAX_WORDS:], draft.origins[MAX_WORDS:]
        if not words.spend(size + WORD_COST * (len(argv) - 1)):
            raise Full

    def _bare(self, node: Simple, shell: Shell, site: Site) -> bytes | None:
        """Assignments without a command, or redirections on their own."""
        for assignment in node.assignments:
            self.assign(assignment, shell, site)
        acting = tuple(
            each for each in self._assigned(node.assignments, shell) if acts(each.partition("=")[0])
        )
        if not node.redirections and not acting:
            return b""
        draft = self.ledger.draft(site)
        draft.cwd = shell.cwd
        draft.assignments = acting
        streams = self._streams(node.redirections, shell, site)
        draft.redirects = tuple(streams.redirects) + site.redirects
        self.ledger.feed(streams.feeders, draft)
        reads = streams.takes_stdin and streams.output is None
        return self._store(streams.stdin if reads else b"", streams, shell)

    @staticmethod
    def _keep_changes(assigned: list[Assignment], before: Shell, after: Shell) -> None:
        """Let what a builtin changed outlive the assignments that stood before it."""
        for assignment in assigned:
            old = before.variables.get(assignment.name)
            if old is None:
                after.variables.pop(assignment.name, None)
            else:
                after.variables[assignment.name] = old
        _replace(before, after)

    @staticmethod
    def _assigned(nodes: list[Assignment], shell: Shell) -> tuple[str, ...]:
        """Return scalar assignments just carried out, as ``NAME=value``."""
        values = ((node.name, shell.variables.get(node.name)) for node in nodes[:MAX_ASSIGNMENTS])
        return tuple(f"{name}={value[:MAX_ASSIGNED]}" for name, value in values if isinstance(value, str))

    def assign(self, assignment: Assignment, shell: Shell, site: Site) -> None:
        """Carry out one assignment."""
        self.words.touched = set()
        name = shell.target(assignment.name)
        old = shell.variables.get(name)
        if assignment.items is not None:
            items = [field for item in assignment.items for field in self.words.fields(item, shell, site)]
            keyed = [match for match in map(_KEYED, items[:MAX_WORDS]) if match is not None]
            for match in keyed:
                _set_element(shell, name, self.words.key(match[1], shell), match[2])
            if keyed:
                return
            if assignment.append and isinstance(old, list):
                items = old + items
            shell.variables[name] = items[:MAX_WORDS]
        else:
            value = self.words.text(assignment.value or Word([], ""), shell, site)
            if assignment.index is not None:
                _set_element(shell, name, self.words.key(assignment.index, shell), value)
            elif assignment.append:
                before = UNKNOWN if old is None else old if isinstance(old, str) else " ".join(old)
                shell.variables[name] = before + value if self.words.spend(len(before)) else UNKNOWN
            else:
                shell.variables[name] = value
        if self.words.touched:
            before_origins = shell.origins.get(name, frozenset()) if assignment.append else frozenset()
            shell.origins[name] = before_origins | self.words.touched
        elif not assignment.append:
            shell.origins.pop(name, None)

    def _execute(
        self, draft: Draft, shell: Shell, site: Site, stdin: bytes | None, stdin_path: str
    ) -> bytes | None:
        draft.cwd = shell.cwd
        name = draft.argv[0]
        if name in shell.functions:
            return self._call(draft, shell, site, stdin)
        out = self._programs.execute(draft, shell, site, stdin, stdin_path)
        if out:
            self.ledger.outputs[draft.id] = self._programs.text(out)
        return out

    def _call(self, draft: Draft, shell: Shell, site: Site, stdin: bytes | None) -> bytes | None:
        """Run a function's body in place of the call; a call to itself is a command instead."""
        name = draft.argv[0]
        body = shell.functions[name]
        # What was defined anew under the same name since is another function.
        call = (name, id(body))
        if call in site.calls:
            inside = site.copy()
            inside.context = "function"
            draft.site = inside
            draft.program = name
            self.ledger.recursion(name, draft)
            return None
        draft.dropped = True
        inside = site.copy()
        inside.calls = (*site.calls, call)
        inside.context = "function"
        inside.redirects = draft.redirects
        inside.assignments = inherited(draft.assignments)
        caller, shell.parameters = shell.parameters, draft.argv[1:]
        out = self._node(body, shell, inside, stdin)
        shell.parameters = caller
        return out

    # --- redirections and substitutions -------------------------------------------------------------

    def _streams(self, nodes: list[Redirection], shell: Shell, site: Site) -> Streams:
        streams = Streams()
        outer = self.words.touched
        for node in nodes:
            access, fd = _ACCESS[node.operator]
            self.words.touched = set()
            word = node.target if node.body is None else node.body
            target = self.words.text(word, shell, site)
            if node.operator == "<<<":
                target += "\n"
            elif node.operator in (">&", "<&") and (target.rstrip("-").isdigit() or target == "-"):
                access, fd = "dup", 1 if node.operator == ">&" else 0
            fd = node.fd if node.fd >= 0 else fd
            shown = target[:-1] if access == "herestring" else target
            streams.redirects.append(Redirect(fd=fd, access=access, target=shown, expands=UNKNOWN in target))
            if fd == 0 and access in ("read", "heredoc", "herestring"):
                self._take_stdin(streams, access, target, shell)
            elif access in ("write", "append") and fd in (1, -1):
                streams.output = (absolute(target, shell.cwd), access == "append")
        self.words.touched = outer
        return streams

    def _take_stdin(self, streams: Streams, access: str, target: str, shell: Shell) -> None:
        streams.takes_stdin = True
        streams.stdin_path = ""
        if access == "read":
            content, ids = self.processes.get(target, (None, frozenset()))
            path = absolute(target, shell.cwd)
            if not ids:
                content = shell.files.get(path)
            streams.stdin = content
            streams.stdin_path = path if content is None and not ids else ""
            return
        streams.feeders |= self.words.touched
        streams.stdin = target.encode("utf-8", "replace")

    @staticmethod
    def _store(out: bytes | None, streams: Streams, shell: Shell) -> bytes | None:
        """Keep what went into a file, and return what is left for standard output."""
        if streams.output is None:
            return out
        path, appends = streams.output
        if path:
            before = shell.files.get(path, b"") if appends else b""
            shell.files[path] = None if out is None or before is None else before + out
        return b""

    def _substitute(self, body: Sequence, shell: Shell, site: Site) -> tuple[str | None, frozenset[int]]:
        out, ids = self._inside(body, shell, site)
        if out is None:
            return None, ids
        return out.decode("utf-8", "replace").replace("\0", "").rstrip("\n"), ids

    def _open_process(
        self, part: ProcessSubstitution, shell: Shell, site: Site
    ) -> tuple[str, frozenset[int]]:
        out, ids = self._inside(part.body, shell, site)
        path = (
            f"/dev/fd/{63 - len(self.processes)}"
            if len(self.processes) < 60
            else f"/dev/fd/{len(self.processes) + 10}"
        )
        self.processes[path] = (None if part.output else out, ids)
        return path, ids

    def _inside(self, body: Sequence, shell: Shell, site: Site) -> tuple[bytes | None, frozenset[int]]:
        inner = site.copy()
        inner.parent = self._owner or site.parent
        inner.context = "substitution"
        inner.loose = not self._owner
        inner.pipe = None
        inner.redirects = ()
        inner.background = False
        words = self.words
        saved = (words.touched, words.readers, words.writers, self._owner)
        words.touched, words.readers, words.writers, self._owner = set(), set(), set(), 0
        start = len(self.ledger.drafts)
        out = self.sequence(body, self.fork(shell), inner, None)
        words.touched, words.readers, words.writers, self._owner = saved
        found = self.ledger.drafts[start:]
        ids = frozenset(
            draft.id for draft in found if draft.site.parent == inner.parent and not draft.dropped
        )
        return out, ids or frozenset(draft.id for draft in found if not draft.dropped)


def _joined(printed: list[bytes | None]) -> bytes | None:
    """Return what statements print together; unknown lines between known ones are marked as such."""
    if not any(printed):
        return None if None in printed else b""
    return b"".join(_UNKNOWN_LINE if out is None else out for out in printed)


def _always(condition: Sequence) -> bool:
    return len(condition.items) == 1 and _constant(condition.items[0][0]) == "true"


def _tested(node: Node) -> tuple[str, ...]:
    """Return the variable that ``[ -n "$x" ]``, ``[ -d "$x" ]`` or ``[ "$x" ]`` finds not to be empty."""
    if not isinstance(node, Simple) or not node.words or node.words[0].literal not in ("[", "[[", "test"):
        return ()
    words = [word for word in node.words[1:] if word.literal not in ("]", "]]")]
    if len(words) == 2 and words[0].literal in ("-n", "-d", "-e", "-f"):
        del words[0]
    if len(words) != 1 or len(named := [part for part in words[0].parts if isinstance(part, Parameter)]) != 1:
        return ()
    others = any(isinstance(part, Literal) and part.text for part in words[0].parts)
    return () if others or named[0].operator or named[0].prefix or named[0].index else (named[0].name,)


def _constant(node: Node) -> str:
    """Return ``true`` or ``false`` for a command that is nothing else, empty for all others."""
    if not isinstance(node, Simple) or not node.words:
        return ""
    word = node.words[0].literal
    return "true" if word in ("true", ":") else "false" if word == "false" else ""


def _replace(shell: Shell, branch: Shell) -> None:
    shell.variables, shell.origins, shell.functions = branch.variables, branch.origins, branch.functions
    shell.aliases, shell.cwd, shell.parameters = branch.aliases, branch.cwd, branch.parameters


def _set_element(shell: Shell, name: str, index: str, value: str) -> None:
    old = shell.variables.get(name)
    items = list(old) if isinstance(old, list) else [old] if old else []
    if index.isdigit() and len(index) < 4:
        at = int(index)
        items += [""] * (at + 1 - len(items))
        items[at] = value
        shell.variables[name] = items
    else:
        shell.variables[f"{name}[{index}]"] = value
