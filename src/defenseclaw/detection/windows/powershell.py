"""PowerShell statements → the commands they would run, evaluated but never executed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from msgspec.structs import replace

from defenseclaw.detection.facts import UNKNOWN, Redirect
from defenseclaw.detection.shell.environment import OWN
from defenseclaw.detection.shell.parameters import glob_matches
from defenseclaw.detection.windows import values
from defenseclaw.detection.windows.bounds import MAX_DEPTH, MAX_ITEMS, MAX_SOURCE, MAX_TEXT, MAX_TURNS
from defenseclaw.detection.windows.dotnet import REFLECTED, called, computed, made
from defenseclaw.detection.windows.ledger import Draft, Ledger, Site
from defenseclaw.detection.windows.names import (
    ALIASES,
    CMDLETS,
    PROGRAM_ALIASES,
    SHARED,
    SHELL_VARIABLES,
    SYSTEM_VARIABLES,
    home_variables,
)
from defenseclaw.detection.windows.parser import Parser
from defenseclaw.detection.windows.syntax import (
    Assignment,
    Binary,
    Block,
    Cast,
    Function,
    Group,
    Index,
    Inline,
    Invocation,
    List,
    Loop,
    Member,
    Node,
    Parameters,
    Pipeline,
    Redirection,
    Script,
    Statement,
    Table,
    Text,
    Type,
    Unary,
    Variable,
)
from defenseclaw.detection.windows.values import NOTHING, Closure, Data, Instance, Value, text_of

_CONSTANTS: Final[dict[str, Value]] = {"true": Value(1), "false": Value(0), "null": Value(None)}
_PRESET: Final[dict[str, Value]] = {
    **{name: Value(text) for name, text in SHELL_VARIABLES.items()},
    **{f"env:{name}": Value(text) for name, text in SYSTEM_VARIABLES.items()},
}
_SHAPELESS: Final = Value(UNKNOWN)
_SEPARATE: Final = frozenset({"invoke-expression", "foreach-object", "where-object"})
_PASSING: Final = frozenset(
    {"where-object", "select-object", "sort-object", "out-string", "tee-object", "get-unique", "out-default"}
)
_NO_ORIGINS: Final[frozenset[int]] = frozenset()
_READ_AS_TEXT: Final = frozenset({"powershell", "pwsh"})
"""Programs that get the text of a block."""
_SOCKETS: Final = ("sockets.tcpclient", "sockets.udpclient", "sockets.socket")


class PowerShell:
    """Evaluates one source, and what that source runs as source."""

    def __init__(self, ledger: Ledger, cwd: str, home: str) -> None:
        self.ledger = ledger
        self.cwd = cwd
        self.home = home
        self.variables = _PRESET.copy()
        self.variables |= {f"env:{name}": Value(text) for name, text in home_variables(home).items()}
        self.variables |= {"home": Value(home or UNKNOWN), "pwd": Value(cwd or UNKNOWN)}
        self.functions: dict[str, Closure] = {}
        self.aliases: dict[str, str] = {}
        self._source = ""
        self._calls: tuple[Closure, ...] = ()

    def run_source(self, text: str, site: Site) -> Value:
        """Evaluate source and return what it puts out."""
        if site.depth >= MAX_DEPTH:
            self.ledger.issues.add("depth_limit")
            return Value(UNKNOWN)
        if len(text) > MAX_SOURCE:
            self.ledger.issues.add("input_limit")
            text = text[:MAX_SOURCE]
        self.ledger.step(len(text))
        parser = Parser(text)
        script = parser.parse()
        self.ledger.issues |= parser.issues
        with self._reading(text):
            return self.run(script, site)

    @contextmanager
    def _reading(self, source: str) -> Iterator[None]:
        before, self._source = self._source, source
        try:
            yield
        finally:
            self._source = before

    def run(self, script: Script, site: Site) -> Value:
        """Evaluate statements and return what they put out together."""
        if len(script) == 1:
            return self._statement(script[0], site)
        out: list[Data] = []
        origins: set[int] = set()
        for statement in script:
            value = self._statement(statement, site)
            if value.origins:
                origins |= value.origins
            if value.data is not None:
                out.append(value.data)
        if len(out) <= 1:
            return Value(out[0] if out else None, frozenset(origins))
        flat = [item for each in out for item in values.items_of(each)]
        return Value(flat if len(flat) <= MAX_ITEMS else UNKNOWN, frozenset(origins))

    # ---- statements ---------------------------------------------------------------------------------

    def _statement(self, statement: Statement, site: Site) -> Value:
        self.ledger.step()
        if isinstance(statement, Pipeline):
            return self._pipeline(statement, site)
        if isinstance(statement, Assignment):
            self._assign(statement, self._statement(statement.value, site), site)
            return NOTHING
        if isinstance(statement, Inline):
            return self.run(statement.block.script, site)
        if isinstance(statement, Function):
            self.functions[statement.name] = self._closure(statement.block)
            return NOTHING
        if isinstance(statement, Parameters):
            self._bind(statement.names)
            return NOTHING
        return self._loop(statement, site)

    def _bind(self, names: tuple[str, ...]) -> None:
        """Give a block's parameters the arguments it was called with, by name or by place."""
        given = self.variables.get("args", NOTHING)
        waiting = list(names)
        arguments = list(values.items_of(given.data))
        while arguments:
            item = arguments.pop(0)
            named = item[1:].lower() if isinstance(item, str) and item[:1] == "-" else ""
            name = next((each for each in waiting if named and each.startswith(named)), "")
            if name and arguments:
                item = arguments.pop(0)
            elif waiting:
                name = waiting[0]
            else:
                return
            waiting.remove(name)
            self.variables[name] = Value(item, given.origins)

    def _loop(self, loop: Loop, site: Site) -> Value:
        found = self.run(loop.values, site)
        return self._each(values.items_of(found.data), found.origins, loop.block.script, loop.variable, site)

    def _each(
        self, items: Sequence[Data], origins: frozenset[int], script: Script, variable: str, site: Site
    ) -> Value:
        """Run statements for every item; for many items only as long as they run no command."""
        out: list[Data] = []
        before = len(self.ledger.drafts)
        sources = origins
        for turn, item in enumerate(items or [UNKNOWN]):
            if turn >= MAX_TURNS and len(self.ledger.drafts) > before:
                break
            self.variables[variable] = Value(item, origins)
            value = self.run(script, site)
            sources |= value.origins
            out += values.items_of(value.data)
            if len(out) > MAX_ITEMS:
                return Value(UNKNOWN, sources)
        return Value(out or None, sources)

    def _assign(self, statement: Assignment, value: Value, site: Site) -> None:
        target = statement.target
        while isinstance(target, Cast):
            value = Value(values.cast(target.name, value.data), value.origins)
            target = target.value
        if isinstance(target, Index | Member):
            inner = target.target
            if isinstance(inner, Variable):
                old = self.variables.get(inner.name, NOTHING)
                self.variables[inner.name] = Value(old.data, old.origins | value.origins)
            return
        if isinstance(target, List):
            for at, each in enumerate(target.items):
                if isinstance(each, Variable):
                    self.variables[each.name] = Value(values.indexed(value.data, at), value.origins)
            return
        if not isinstance(target, Variable):
            return
        if statement.operator in ("+=", "-=", "*="):
            old = self.variables.get(target.name, NOTHING)
            joined = values.binary(statement.operator[0], old.data, value.data)
            if isinstance(joined, str):
                self.ledger.step(len(joined))
            value = Value(joined, old.origins | value.origins)
        self.variables[target.name] = value
        if target.name.startswith("env:"):
            self.set_environment(target.name, text_of(value.data), site)

    def set_environment(self, name: str, value: str, site: Site) -> None:
        """Take in a variable of the environment that is ours as a command that sets it."""
        plain = name.removeprefix("env:").upper()
        if name.startswith("env:") and plain.startswith(OWN):
            self.ledger.add(site, "set", ("set", f"{plain}={value}"), self.cwd)

    def _pipeline(self, pipeline: Pipeline, site: Site) -> Value:
        stages = pipeline.stages
        if len(stages) == 1:
            only = stages[0]
            if isinstance(only, Invocation):
                return self._invoke(only, site, None)
            value = self.value(only, site)
            if pipeline.redirections:
                self._write(value, pipeline.redirections, site)
                return NOTHING
            return value
        number = self.ledger.pipeline() if stages else site.pipeline
        current: Value | None = None
        for at, stage in enumerate(stages):
            here = Site(site.parent, site.context, site.wrappers, site.where, site.depth, number, at)
            if isinstance(stage, Invocation):
                current = self._invoke(stage, here, current)
            else:
                current = self.value(stage, site)
        return current or NOTHING

    def _write(self, value: Value, redirections: list[Redirection], site: Site) -> None:
        draft = self.ledger.add(site, "write-output", ("Write-Output", text_of(value.data)), self.cwd)
        draft.redirects = self._redirects(redirections, site)
        self.ledger.outputs[draft.id] = text_of(value.data)
        self.ledger.feed(value.origins, draft)

    def _redirects(self, redirections: Sequence[Redirection], site: Site) -> tuple[Redirect, ...]:
        out = []
        for each in redirections:
            if each.target is None:
                out.append(Redirect(fd=max(each.stream, 1), access="dup", target="1"))
                continue
            target = text_of(self.value(each.target, site).data)
            if target.lower() == "$null" or not target or target.lower() == "nul":
                target = "/dev/null"
            out.append(
                Redirect(
                    fd=each.stream,
                    access=each.access,
                    target=target,
                    expands=UNKNOWN in target,
                )
            )
        return tuple(out)

    # ---- commands -----------------------------------------------------------------------------------

    def _invoke(self, invocation: Invocation, site: Site, piped: Value | None) -> Value:
        """Evaluate one command: its words, then what it runs."""
        if not invocation.words:
            return NOTHING
        first = invocation.words[0]
        if isinstance(first, str):
            if invocation.literal and not self.functions:
                program = self.resolve(first, invocation.literal[1:])
                if program not in _SPECIAL:
                    return self._literal(program, invocation, site, piped)
            words = self._words(invocation.words[1:], site)
            return self.command(first, words, site, piped, redirections=invocation.redirections)
        head = self.value(first, site)
        name = head.data
        if isinstance(name, list) and len(name) == 1:
            name = name[0]
        if isinstance(name, Instance) and name.kind == "scriptblock":
            return self._run_text(text_of(name.made_of[0]), head.origins, site, piped)
        if isinstance(name, Closure):
            words = [
                Value(word) if isinstance(word, str) else self.value(word, site)
                for word in invocation.words[1:]
            ]
            return self._call(name, words, site, piped)
        words = self._words(invocation.words[1:], site)
        written = text_of(name) or UNKNOWN
        return self.command(written, words, site, piped, head.origins, invocation.redirections)

    def _literal(self, program: str, invocation: Invocation, site: Site, piped: Value | None) -> Value:
        """Take in a command none of whose words need to be evaluated."""
        texts = _plain_parameters(invocation.literal)
        if piped is not None:
            texts = [*texts, *self._piped_paths(program, piped)]
        draft = self.ledger.add(site, program, texts, self.cwd)
        if invocation.redirections:
            draft.redirects = self._redirects(invocation.redirections, site)
        if piped is not None:
            self._take_in(draft, piped)
        return _put_out(draft, piped)

    def command(
        self,
        written: str,
        words: list[Value],
        site: Site,
        piped: Value | None,
        origins: frozenset[int] = frozenset(),
        redirections: Sequence[Redirection] = (),
    ) -> Value:
        """Take in a command by its name and its words."""
        texts = [text_of(each.data) for each in words]
        program = self.resolve(written, texts)
        if self.functions:
            function = self.functions.get(written.lower())
            # What was defined anew under the same name since is another function.
            if function is not None and not any(each is function for each in self._calls):
                before, self._calls = self._calls, (*self._calls, function)
                try:
                    return self._call(function, words, site, piped)
                finally:
                    self._calls = before
        blocks = [each.data for each in words if isinstance(each.data, Closure)]
        if blocks and program in _SEPARATE:
            texts = [
                text for text, each in zip(texts, words, strict=True) if not isinstance(each.data, Closure)
            ]
        texts = _plain_parameters(texts)
        if piped is not None:
            texts = [*texts, *self._piped_paths(program, piped)]
        draft = self.ledger.add(site, program, (written, *texts), self.cwd)
        if redirections:
            draft.redirects = self._redirects(redirections, site)
        for sources in (origins, *[each.origins for each in words if each.origins]):
            self.ledger.feed(sources, draft)
        if piped is not None:
            self._take_in(draft, piped)
        special = _SPECIAL.get(program)
        if special is not None:
            return special(self, draft, words, site, piped)
        for block in blocks if program not in _READ_AS_TEXT else ():
            self._run_block(block, draft, site)
        return _put_out(draft, piped)

    def resolve(self, written: str, texts: Sequence[str]) -> str:
        """Return the program a name stands for: a cmdlet for an alias, else its lower-case base name."""
        name = written.lower()
        if name in CMDLETS and not self.aliases:
            return name
        if not name.isalpha():
            name = name.replace("\\", "/").rpartition("/")[2]
            if UNKNOWN in name:
                return ""
            if name.endswith((".exe", ".com")):
                name = name[:-4]
            if "\\" in written and "microsoft.powershell" in written.lower():
                return name
        if name in self.aliases:
            return self.resolve(self.aliases[name], texts) if self.aliases[name] != name else name
        if "/" in written or "\\" in written:
            return name
        if name in PROGRAM_ALIASES:
            return PROGRAM_ALIASES[name] if _has_cmdlet_parameter(texts, _WEB_PARAMETERS) else name
        if name in SHARED and not self._means_cmdlet(name, texts):
            return name
        return ALIASES.get(name, name)

    def _means_cmdlet(self, name: str, texts: Sequence[str]) -> bool:
        if name in ("type", "dir", "cd", "start", "where"):
            return True
        return _has_cmdlet_parameter(texts, ()) or any("\\" in text or text[1:2] == ":" for text in texts)

    def _take_in(self, draft: Draft, piped: Value) -> None:
        """Take note of what reaches a command through the pipe, when it did not come out of a command."""
        if piped.data is not None and UNKNOWN not in (text := _lines(piped.data)):
            self.ledger.stdin[draft.id] = text
        self.ledger.feed(piped.origins, draft)

    def _piped_paths(self, program: str, piped: Value) -> list[str]:
        """Return the paths that a listing hands on to a command that has none of its own."""
        if program not in _TAKES_PATHS:
            return []
        return [text_of(each) for each in values.items_of(piped.data) if isinstance(each, Instance)][
            :MAX_TURNS
        ]

    def _words(self, nodes: Sequence[Node | str], site: Site) -> list[Value]:
        out: list[Value] = []
        self.ledger.step(steps=len(nodes))
        for node in nodes:
            if isinstance(node, str):
                if ":" in node and node[0] == "-":
                    out += _parameter(node, _NO_ORIGINS)
                else:
                    out.append(Value(node))
                continue
            if isinstance(node, Variable) and node.splat:
                out += self._splat(node.name)
                continue
            value = self.value(node, site)
            if isinstance(node, Text) and node.bare and isinstance(value.data, str) and value.data[:1] == "-":
                out += _parameter(value.data, value.origins)
                continue
            if isinstance(value.data, list):
                out += [Value(item, value.origins) for item in value.data] or [Value("")]
            else:
                out.append(value)
        return out

    def _splat(self, name: str) -> list[Value]:
        found = self.variables.get(name, Value(UNKNOWN))
        if isinstance(found.data, Instance) and found.data.kind == "hashtable":
            out = []
            for pair in found.data.made_of:
                key, value = values.items_of(pair)
                out += [Value(f"-{text_of(key)}")]
                if value != 1 and value != 0:
                    out += [Value(value, found.origins)]
            return out
        return [Value(item, found.origins) for item in values.items_of(found.data)]

    # ---- what runs source ---------------------------------------------------------------------------

    def _run_text(self, text: str, origins: frozenset[int], site: Site, piped: Value | None) -> Value:
        """Run text as source, as ``Invoke-Expression`` does."""
        draft = self.ledger.add(site, "invoke-expression", ("Invoke-Expression", text), self.cwd)
        self.ledger.feed(origins, draft)
        if piped is not None:
            self._take_in(draft, piped)
        return self._expression_text(draft, text, site)

    def _expression_text(self, draft: Draft, text: str, site: Site) -> Value:
        draft.code, draft.language = text, "powershell"
        if not text.strip(UNKNOWN + " \t\r\n"):
            return Value(UNKNOWN, frozenset({draft.id}))
        return self.run_source(text, site.inside(draft))

    def _run_block(self, closure: Closure, draft: Draft, site: Site, where: str = "") -> Value:
        inside = site.inside(draft, "nested" if where else draft.context, where)
        if inside.depth >= MAX_DEPTH:
            self.ledger.issues.add("depth_limit")
            return Value(UNKNOWN)
        with self._reading(closure.whole):
            return self.run(closure.block.script, inside)

    def _call(self, closure: Closure, words: list[Value], site: Site, piped: Value | None) -> Value:
        """Run a block where it stands."""
        deeper = Site(site.parent, site.context, site.wrappers, site.where, site.depth + 1)
        if deeper.depth >= MAX_DEPTH:
            self.ledger.issues.add("depth_limit")
            return Value(UNKNOWN)
        saved = self.variables.get("args", NOTHING), self.variables.get("_", NOTHING)
        self.variables["args"] = Value(
            [each.data for each in words], frozenset().union(*(each.origins for each in words))
        )
        if piped is not None:
            self.variables["_"] = self.variables["input"] = piped
        try:
            with self._reading(closure.whole):
                return self.run(closure.block.script, deeper)
        finally:
            self.variables["args"], self.variables["_"] = saved

    def _closure(self, block: Block) -> Closure:
        return Closure(block, self._source)

    # ---- values -------------------------------------------------------------------------------------

    def value(self, node: Node, site: Site) -> Value:
        """Evaluate an expression."""
        self.ledger.step()
        if isinstance(node, Text) and len(node.parts) == 1 and isinstance(node.parts[0], str):
            return Value(node.parts[0])
        evaluate: Callable[[PowerShell, Node, Site], Value] = _EVALUATORS[type(node)]
        found = evaluate(self, node, site)
        if isinstance(found.data, (list, bytes)) and not isinstance(node, Variable):
            self.ledger.step(len(found.data))
        return found

    def _text(self, node: Text, site: Site) -> Value:
        pieces: list[str] = []
        origins = _NO_ORIGINS
        for part in node.parts:
            if isinstance(part, str):
                pieces.append(part)
                continue
            found = self.value(part, site)
            pieces.append(text_of(found.data))
            origins |= found.origins
        text = "".join(pieces)
        if len(text) > MAX_TEXT:
            text = UNKNOWN
        self.ledger.step(len(text))
        return Value(text, origins)

    def _variable(self, node: Variable, _: Site) -> Value:
        name = node.name
        return _CONSTANTS.get(name) or self.variables.get(name, _SHAPELESS)

    def _group(self, node: Group, site: Site) -> Value:
        inner = Site(site.parent, site.context, site.wrappers, site.where, site.depth + 1)
        if inner.depth >= MAX_DEPTH:
            self.ledger.issues.add("depth_limit")
            return Value(UNKNOWN)
        found = self.run(node.script, inner)
        if node.array and not isinstance(found.data, list):
            return Value(values.items_of(found.data), found.origins)
        return found

    def _block(self, node: Block, _: Site) -> Value:
        return Value(self._closure(node))

    def _table(self, node: Table, site: Site) -> Value:
        pairs: list[Data] = []
        origins: set[int] = set()
        for key, item in node.items:
            found = self.value(item, site)
            origins |= found.origins
            pairs.append([self.value(key, site).data, found.data])
        return Value(Instance("hashtable", tuple(pairs)), frozenset(origins))

    def _type(self, node: Type, _: Site) -> Value:
        return Value(Instance("type", (node.name,)))

    def _cast(self, node: Cast, site: Site) -> Value:
        found = self.value(node.value, site)
        if node.name in ("scriptblock", "management.automation.scriptblock"):
            return found
        return Value(values.cast(node.name, found.data), found.origins)

    def _member(self, node: Member, site: Site) -> Value:
        target = self.value(node.target, site)
        name = node.name
        if not isinstance(name, str):
            name = text_of(self.value(name, site).data).lower()
        if node.arguments is None:
            return self._property(target, name)
        arguments = [self.value(each, site) for each in node.arguments]
        self._filled(node, target)
        result = self._called(target, name, arguments, site)
        if isinstance(result.data, str):
            self.ledger.step(len(result.data))
        return result

    def _filled(self, node: Member, target: Value) -> None:
        """Take note that a method may fill its arguments, as ``$stream.Read($buffer, …)`` does."""
        for each in node.arguments or ():
            if isinstance(each, Variable) and target.origins:
                old = self.variables.get(each.name, NOTHING)
                self.variables[each.name] = Value(UNKNOWN, old.origins | target.origins)

    def _property(self, target: Value, name: str) -> Value:
        data = target.data
        if isinstance(data, Instance) and data.kind == "type":
            found = computed(text_of(data.made_of[0]), name, [], self.home)
            return Value(found, target.origins)
        if isinstance(data, Instance) and data.kind == "hashtable":
            for pair in data.made_of:
                key, value = values.items_of(pair)
                if text_of(key).lower() == name:
                    return Value(value, target.origins)
        if isinstance(data, Instance) and data.kind == "file" and name in ("fullname", "path", "pspath"):
            return target
        if isinstance(data, list) and name in ("fullname", "path"):
            return target
        if name in ("length", "count") and isinstance(data, str | list) and data != UNKNOWN:
            return Value(len(data), target.origins)
        if name in ("content", "value", "path", "source", "text", "definition") and isinstance(data, str):
            return target
        return Value(UNKNOWN, target.origins)

    def _called(self, target: Value, name: str, arguments: list[Value], site: Site) -> Value:
        data = target.data
        plain = [each.data for each in arguments]
        origins = target.origins.union(*(each.origins for each in arguments))
        if isinstance(data, Closure) and name in ("invoke", "invokereturnasis", "invokewithcontext"):
            return self._call(data, arguments, site, None)
        if isinstance(data, Instance) and data.kind == "scriptblock" and name.startswith("invoke"):
            return self._run_text(text_of(data.made_of[0]), target.origins, site, None)
        if name in ("invokescript", "addscript", "newscriptblock"):
            return self._run_text(text_of(plain[0]) if plain else UNKNOWN, origins, site, None)
        if isinstance(data, str) and name == "invoke" and data != UNKNOWN:
            return self.command(data, arguments, site, None)
        if isinstance(data, Instance) and data.kind == "encoding" and name == "getstring" and plain:
            return Value(values.text_in(text_of(data.made_of[0]), plain[0]), origins)
        if name in REFLECTED and any("amsi" in text_of(each).lower() for each in plain):
            return self._does(("Disable-Amsi",), arguments, origins, site)
        if isinstance(data, Instance):
            does = called(data, name, plain)
            if does is not None:
                return self._does(does, arguments, origins, site)
            if data.kind == "type":
                return self._static(text_of(data.made_of[0]), name, arguments, origins, site)
        return Value(values.method(data, name, plain), origins)

    def _does(
        self, does: tuple[str, ...], arguments: list[Value], origins: frozenset[int], site: Site
    ) -> Value:
        """Take in a method that acts as the cmdlet it is like."""
        draft = self.ledger.add(Site(site.parent, site.context, site.wrappers, site.where, site.depth),
                                does[0].lower(), does, self.cwd)  # fmt: skip
        self.ledger.feed(origins, draft)
        return Value(UNKNOWN, frozenset({draft.id}))

    def _static(
        self, kind: str, name: str, arguments: list[Value], origins: frozenset[int], site: Site
    ) -> Value:
        plain = [each.data for each in arguments]
        if kind in ("scriptblock", "management.automation.scriptblock") and name == "create" and plain:
            return Value(Instance("scriptblock", (plain[0],)), origins)
        if name == "reverse" and plain and isinstance(plain[0], list):
            plain[0].reverse()
            return NOTHING
        if kind == "environment" and name == "setenvironmentvariable" and plain:
            self.set_environment(f"env:{text_of(plain[0]).lower()}", text_of(plain[1:2]), site)
            return NOTHING
        if name == "new":
            return self._made(kind, plain, origins, site)
        return Value(computed(kind, name, plain, self.home), origins)

    def _made(self, kind: str, arguments: list[Data], origins: frozenset[int], site: Site) -> Value:
        found = made(kind, arguments)
        if isinstance(found, Instance) and found.kind.endswith(_SOCKETS):
            draft = self.ledger.add(site, "tcpclient", ("TcpClient", *map(text_of, arguments[:2])), self.cwd)
            return Value(found, origins | {draft.id})
        return Value(found, origins)

    def _index(self, node: Index, site: Site) -> Value:
        target, key = self.value(node.target, site), self.value(node.key, site)
        if isinstance(target.data, Instance) and target.data.kind == "hashtable":
            return self._property(target, text_of(key.data).lower())
        return Value(values.indexed(target.data, key.data), target.origins | key.origins)

    def _binary(self, node: Binary, site: Site) -> Value:
        left, right = self.value(node.left, site), self.value(node.right, site)
        data = values.binary(node.operator, left.data, right.data)
        if isinstance(data, str):
            self.ledger.step(len(data))
        return Value(data, left.origins | right.origins)

    def _unary(self, node: Unary, site: Site) -> Value:
        found = self.value(node.value, site)
        return Value(values.unary(node.operator, found.data), found.origins)

    def _list(self, node: List, site: Site) -> Value:
        found = [self.value(each, site) for each in node.items]
        return Value([each.data for each in found], frozenset().union(*(each.origins for each in found)))


_EVALUATORS: Final[dict[type, Callable[..., Value]]] = {
    Text: PowerShell._text,
    Variable: PowerShell._variable,
    Group: PowerShell._group,
    Block: PowerShell._block,
    Table: PowerShell._table,
    Type: PowerShell._type,
    Cast: PowerShell._cast,
    Member: PowerShell._member,
    Index: PowerShell._index,
    Binary: PowerShell._binary,
    Unary: PowerShell._unary,
    List: PowerShell._list,
}


# ---- cmdlets that change or read the state of the shell -----------------------------------------------

Special = Callable[[PowerShell, Draft, "list[Value]", Site, "Value | None"], Value]


def _operands(words: list[Value], *valued: str) -> list[Value]:
    """Return the words that are no parameters, nor values of parameters that are not ``valued``."""
    out: list[Value] = []
    skip = False
    for each in words:
        text = each.data if isinstance(each.data, str) else ""
        if text[:1] == "-" and len(text) > 1 and text[1].isalpha():
            skip = text.lower() not in valued
            continue
        if not skip:
            out.append(each)
        skip = False
    return out


def _given(words: list[Value], *names: str) -> Value | None:
    """Return the value of a parameter, by its name or an abbreviation of three letters or more."""
    for at, each in enumerate(words[:-1]):
        text = each.data.lower() if isinstance(each.data, str) else ""
        if text[:1] == "-" and any(
            text == name or (len(text) > 3 and name.startswith(text)) for name in names
        ):
            return words[at + 1]
    return None


def _invoke_expression(
    shell: PowerShell, draft: Draft, words: list[Value], site: Site, piped: Value | None
) -> Value:
    given = _given(words, "-command") or next(iter(_operands(words, "-command")), None) or piped or NOTHING
    data = given.data
    if isinstance(data, Closure):
        return shell._run_block(data, draft, site)
    text = _lines(data)
    draft.argv = (draft.argv[0], text) if text else draft.argv
    return shell._expression_text(draft, text, site)


def _for_each(shell: PowerShell, draft: Draft, words: list[Value], site: Site, piped: Value | None) -> Value:
    blocks = [each.data for each in words if isinstance(each.data, Closure)]
    came = piped or Value(UNKNOWN)
    inside = replace(site.inside(draft, draft.context), pipeline=draft.pipeline, position=draft.position)
    out: Value = came
    for block in blocks:
        if inside.depth >= MAX_DEPTH:
            shell.ledger.issues.add("depth_limit")
            return Value(UNKNOWN)
        with shell._reading(block.whole):
            out = shell._each(values.items_of(came.data), came.origins, block.block.script, "_", inside)
    if not blocks:
        return Value(UNKNOWN, came.origins | {draft.id})
    return Value(out.data, out.origins)


def _where(shell: PowerShell, draft: Draft, words: list[Value], site: Site, piped: Value | None) -> Value:
    """Narrow down what came: of a listing, to something unknown below the same place."""
    came = piped or Value(UNKNOWN)
    shell.variables["_"] = came
    for each in words:
        if isinstance(each.data, Closure):
            shell._run_block(each.data, draft, site)
    narrowed: list[Data] = [
        Instance("file", (_some_of(text_of(each)),))
        if isinstance(each, Instance) and each.kind == "file"
        else each
        for each in values.items_of(came.data)
    ]
    return Value(narrowed or UNKNOWN, frozenset({draft.id}))


def _some_of(path: str) -> str:
    head, slash, last = path.replace("\\", "/").rpartition("/")
    return f"{head}{slash}{UNKNOWN}" if last in ("*", "") and slash else path


def _listing(shell: PowerShell, draft: Draft, words: list[Value], site: Site, piped: Value | None) -> Value:
    """Say which paths a listing hands on."""
    paths = [text_of(each.data) for each in _operands(words, "-path", "-literalpath", "-pa", "-lp")]
    if draft.program == "get-childitem":
        given = _given(words, "-filter") or _given(words, "-include")
        wanted = text_of(given.data) if given else (paths.pop() if len(paths) > 1 else "*")
        paths = [path if _has_wildcard(path) else _below(path, wanted) for path in paths or ["."]]
    if any(":" in path[2:] or path[:4].lower() in ("env:", "hkcu", "hklm", "cert") for path in paths):
        return Value(UNKNOWN, frozenset({draft.id}))
    found: list[Data] = [Instance("file", (path,)) for path in paths]
    return Value(found, frozenset({draft.id}))


def _below(path: str, name: str) -> str:
    return path.rstrip("/\\") + "/" + name


def _has_wildcard(path: str) -> bool:
    """Return whether a path ends with a wildcard of its own."""
    return "*" in path.replace("\\", "/").rpartition("/")[2]


def _print(shell: PowerShell, draft: Draft, words: list[Value], site: Site, piped: Value | None) -> Value:
    shown = _operands(words, "-inputobject", "-object", "-noenumerate")
    data: Data = [each.data for each in shown]
    if isinstance(data, list) and len(data) == 1:
        data = data[0]
    if not shown and piped is not None:
        data = piped.data
    shell.ledger.outputs[draft.id] = _lines(data)
    origins = frozenset().union(*(each.origins for each in shown)) | {draft.id}
    return Value(data, origins) if draft.program != "write-host" else NOTHING


def _set_variable(
    shell: PowerShell, draft: Draft, words: list[Value], site: Site, piped: Value | None
) -> Value:
    found = _operands(words, "-name", "-value")
    if found:
        name = text_of(found[0].data).lower().removeprefix("$")
        shell.variables[name] = found[1] if len(found) > 1 else piped or NOTHING
    return NOTHING


def _get_variable(
    shell: PowerShell, draft: Draft, words: list[Value], site: Site, piped: Value | None
) -> Value:
    found = _operands(words, "-name", "-valueonly")
    if not found:
        return Value(UNKNOWN)
    name = text_of(found[0].data).lower()
    matching = next((each for each in shell.variables if glob_matches(name, each)), name)
    return shell.variables.get(matching, Value(UNKNOWN))


def _set_item(shell: PowerShell, draft: Draft, words: list[Value], site: Site, piped: Value | None) -> Value:
    found = _operands(words, "-path", "-literalpath", "-value")
    place = text_of(found[0].data).lower() if found else ""
    if place.startswith(("variable:", "env:")) and len(found) > 1:
        name = place.removeprefix("variable:").lstrip("\\/")
        name = name.replace("env:\\", "env:").replace("env:/", "env:")
        shell.variables[name] = found[1]
        shell.set_environment(name, text_of(found[1].data), site)
    return NOTHING


def _remove_item(
    shell: PowerShell, draft: Draft, words: list[Value], site: Site, piped: Value | None
) -> Value:
    for each in _operands(words, "-path", "-literalpath"):
        place = text_of(each.data).lower().replace("\\", "").replace("/", "")
        if place.startswith("env:"):
            shell.set_environment(place, "", site)
    return Value(UNKNOWN, frozenset({draft.id}))


def _set_alias(shell: PowerShell, draft: Draft, words: list[Value], site: Site, piped: Value | None) -> Value:
    found = _operands(words, "-name", "-value", "-definition")
    if len(found) > 1:
        shell.aliases[text_of(found[0].data).lower()] = text_of(found[1].data).lower()
    return NOTHING


def _new_object(
    shell: PowerShell, draft: Draft, words: list[Value], site: Site, piped: Value | None
) -> Value:
    found = _operands(words, "-typename", "-argumentlist", "-type", "-arg", "-comobject", "-com", "-strict")
    kind = text_of(found[0].data).lower().removeprefix("system.") if found else ""
    arguments = [each.data for each in found[1:]]
    origins = frozenset().union(*(each.origins for each in words)) if words else frozenset()
    if len(arguments) == 1 and isinstance(arguments[0], list):
        arguments = arguments[0]
    instance = made(kind, arguments)
    if isinstance(instance, Instance) and instance.kind.endswith(_SOCKETS):
        draft.program, draft.argv = "tcpclient", (draft.argv[0], *map(text_of, arguments[:2]))
        return Value(instance, origins | {draft.id})
    return Value(instance, origins)


def _location(shell: PowerShell, draft: Draft, words: list[Value], site: Site, piped: Value | None) -> Value:
    found = _operands(words, "-path", "-literalpath")
    target = text_of(found[0].data) if found else shell.home
    shell.cwd = joined(shell.cwd, target, shell.home)
    shell.variables["pwd"] = Value(shell.cwd or UNKNOWN)
    return NOTHING


def joined(cwd: str, target: str, home: str) -> str:
    """Return the directory that ``cd target`` leads to, empty when that is not known."""
    place = target.replace("\\", "/")
    if UNKNOWN in place or place in ("-", "+"):
        return ""
    if place == "~" or place.startswith("~/"):
        return home.replace("\\", "/") + place[1:] if home else ""
    if place[1:2] == ":" or place.startswith("/"):
        return place
    return f"{cwd.rstrip('/')}/{place}" if cwd else ""


def _get_location(
    shell: PowerShell, draft: Draft, words: list[Value], site: Site, piped: Value | None
) -> Value:
    return Value(shell.cwd or UNKNOWN)


def _join_path(shell: PowerShell, draft: Draft, words: list[Value], site: Site, piped: Value | None) -> Value:
    parts = [text_of(each.data) for each in _operands(words, "-path", "-childpath", "-additionalchildpath")]
    text = "/".join(part.rstrip("/\\") if not at else part.strip("/\\") for at, part in enumerate(parts))
    return Value(text or UNKNOWN)


def _same(shell: PowerShell, draft: Draft, words: list[Value], site: Site, piped: Value | None) -> Value:
    found = _operands(words, "-path", "-literalpath")
    return Value(found[0].data if found else UNKNOWN)


def _get_command(
    shell: PowerShell, draft: Draft, words: list[Value], site: Site, piped: Value | None
) -> Value:
    found = _operands(words, "-name")
    pattern = text_of(found[0].data).lower() if found else UNKNOWN
    if UNKNOWN in pattern or "*" not in pattern:
        return Value(pattern)
    known = sorted((*CMDLETS, *ALIASES), key=lambda name: name != "invoke-expression")
    return Value(next((name for name in known if glob_matches(pattern, name)), UNKNOWN))


def _invoke_command(
    shell: PowerShell, draft: Draft, words: list[Value], site: Site, piped: Value | None
) -> Value:
    away = _given(words, "-computername", "-session", "-cn", "-hostname", "-vmname") is not None
    out = Value(UNKNOWN)
    for each in words:
        if isinstance(each.data, Closure):
            out = shell._run_block(each.data, draft, site, "remote" if away else site.where)
    return Value(out.data, out.origins | {draft.id})


_SPECIAL: Final[dict[str, Special]] = {
    "invoke-expression": _invoke_expression,
    "foreach-object": _for_each,
    "where-object": _where,
    "get-childitem": _listing,
    "get-item": _listing,
    "write-output": _print,
    "write-host": _print,
    "echo": _print,
    "set-variable": _set_variable,
    "new-variable": _set_variable,
    "get-variable": _get_variable,
    "set-item": _set_item,
    "new-item": _set_item,
    "set-content": _set_item,
    "remove-item": _remove_item,
    "set-alias": _set_alias,
    "new-alias": _set_alias,
    "new-object": _new_object,
    "set-location": _location,
    "push-location": _location,
    "cd": _location,
    "get-location": _get_location,
    "join-path": _join_path,
    "resolve-path": _same,
    "convert-path": _same,
    "get-command": _get_command,
    "invoke-command": _invoke_command,
}
_TAKES_PATHS: Final = frozenset(
    {
        "remove-item",
        "get-content",
        "copy-item",
        "move-item",
        "set-content",
        "clear-content",
        "rm",
        "cat",
        "cp",
        "mv",
    }
)
_WEB_PARAMETERS: Final = ("-uri", "-outfile", "-usebasicparsing", "-method", "-body", "-infile", "-headers")


def _has_cmdlet_parameter(texts: Sequence[str], known: Sequence[str]) -> bool:
    """Return whether words hold a parameter as cmdlets have them: one dash and a word of three letters."""
    for text in texts:
        name = text.lower().partition(":")[0]
        if name[:1] != "-" or len(name) < 4 or not name[1:].isalpha():
            continue
        if known:
            if any(each.startswith(name) for each in known):
                return True
        elif any(each.startswith(name) for each in _ITEM_PARAMETERS):
            return True
    return False


_ITEM_PARAMETERS: Final = (
    "-recurse", "-force", "-literalpath", "-path", "-destination", "-filter", "-include", "-exclude", "-name",
    "-id", "-erroraction", "-confirm", "-whatif", "-raw", "-totalcount", "-tail", "-property", "-seconds",
    "-filepath",
)  # fmt: skip


def _plain_parameters(texts: list[str]) -> list[str]:
    """Leave out switches that are switched off, and the values of those that are switched on."""
    if _TRUTHS.isdisjoint(map(str.lower, texts)):
        return texts
    out: list[str] = []
    skip = False
    for at, text in enumerate(texts):
        if skip:
            skip = False
            continue
        following = texts[at + 1].lower() if at + 1 < len(texts) else ""
        if text[:1] == "-" and text.lower().rstrip(":") in _SWITCHES and following in _TRUTHS:
            skip = True
            if following in ("0", "false"):
                continue
        out.append(text)
    return out


_TRUTHS: Final = frozenset({"0", "1", "true", "false"})
_SWITCHES: Final = frozenset(
    f"-{name[:length]}"
    for name in ("recurse", "force", "whatif", "confirm")
    for length in range(2, len(name) + 1)
)


def _put_out(draft: Draft, piped: Value | None) -> Value:
    """Return what a command puts out: what it was given, or nothing that is known."""
    passed = piped.data if piped is not None and draft.program in _PASSING else UNKNOWN
    return Value(passed, frozenset((draft.id,)))


def _parameter(text: str, origins: frozenset[int]) -> list[Value]:
    """Return ``-name:value`` as two words, any other text as it is."""
    name, colon, given = text.partition(":")
    if not colon or len(name) > 32 or not name[1:].isalpha():
        return [Value(text, origins)]
    return [Value(name), Value(given, origins)] if given else [Value(text)]


def _lines(data: Data) -> str:
    if isinstance(data, list):
        return "\n".join(map(text_of, data))[:MAX_TEXT]
    return text_of(data)
