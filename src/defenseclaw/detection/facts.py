"""What a tool call does, as values: the result of understanding it, the input of every condition.

CEL conditions see these lists under their field names (``commands``, ``paths``, ``network``, ``flows``)
as maps with the field names below, plus ``tool``, ``cwd`` and ``parse``. Ids start at 1; 0 means "the call
itself" (a structured tool such as Read has paths with ``command = 0``).

Structs and not dataclasses: a call makes dozens of them, at a quarter of the cost.

Source: ``spec/guardrail.md`` §6.3, reduced to what rules read.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

UNKNOWN = "\ufffd"
"""Stands for a part of a word that cannot be evaluated (an unset variable, a command's output)."""


class Redirect(Struct, frozen=True, kw_only=True, gc=False):
    """One evaluated redirection of a command."""

    fd: int
    """Descriptor, -1 for both stdout and stderr (``&>``)."""
    access: str
    """``read``, ``write``, ``append``, ``heredoc``, ``herestring``, ``dup``."""
    target: str
    """Evaluated path, descriptor number for ``dup``, or the text of a here-document or here-string."""
    expands: bool = False
    """The target holds an :data:`UNKNOWN` part."""


class Command(Struct, frozen=True, kw_only=True, gc=False):
    """One program that the call runs (or would run), its words evaluated."""

    id: int
    parent: int = 0
    """Id of the command whose body, substitution or wrapper it stands in; 0 at top level."""
    pipeline: int = 0
    """Commands joined by pipes share one number; 0 = not in a pipeline."""
    position: int = 0
    """Place in its pipeline, from 0."""
    program: str = ""
    """Lower-case base name, ``.exe`` stripped; empty when it cannot be evaluated."""
    executable: str = ""
    """As written, evaluated."""
    argv: tuple[str, ...] = ()
    """All words, evaluated; ``argv[0]`` is the executable. :data:`UNKNOWN` marks unknown parts."""
    options: tuple[str, ...] = ()
    """Options in normal form: clusters split (``-rf`` → ``-r -f``), ``--name=value`` → ``--name``."""
    operands: tuple[str, ...] = ()
    """Words that are neither the executable, nor options, nor values of options."""
    text: str = ""
    """Canonical rendering of argv and redirections, one line; what command patterns are matched against."""
    effect: str = "execute"
    """``execute``, ``preview`` (help, version, dry run: changes nothing) or ``uncertain``."""
    complete: bool = True
    """False when any word holds an :data:`UNKNOWN` part."""
    wrappers: tuple[str, ...] = ()
    """Programs it runs through, outermost first (``sudo``, ``env``, ``xargs``, ``bash``, ``ssh``)."""
    privileged: bool = False
    """Runs as another, usually mightier, user (sudo, doas, su, pkexec, run0)."""
    where: str = "host"
    """``host``, ``container`` or ``remote``: where it takes effect."""
    context: str = "top"
    """``top``, ``substitution``, ``subshell``, ``function``, ``nested`` (body given to an interpreter),
    ``heredoc`` (fed to an interpreter), ``script`` (a file read through Need), ``deferred`` (trap, alias,
    cron line)."""
    operations: frozenset[str] = frozenset()
    """Of: execute read write append delete copy move list search fetch upload connect listen tunnel
    network_scan decode process_kill disk_write privilege permission_change config_change account_change
    schedule container_run workload_exec namespace_enter root_change environment_read credential_read
    policy_bypass."""
    traits: frozenset[str] = frozenset()
    """Program-specific facts of closed vocabulary, for example ``recursive``, ``force``, ``inline_code``,
    ``interactive``, ``no_verify``, ``world_writable``, ``setuid``, ``privileged_container``."""
    redirects: tuple[Redirect, ...] = ()
    assignments: tuple[str, ...] = ()
    """``NAME=value``, evaluated: what is set in its environment alone (``A=b cmd``, ``env A=b cmd``); a bare
    ``NAME`` is taken out of it. A statement that only assigns is a command of its own, without words, when
    the name is one that other programs act on."""
    code: str = ""
    """Inline program text of an interpreter (``python -c``), else empty."""
    language: str = ""
    """Language of ``code`` or of a script it runs: ``sh python perl ruby node awk`` …"""


class PathFact(Struct, frozen=True, kw_only=True, gc=False):
    """A path that a command or tool touches."""

    command: int
    access: str
    """``read write append delete execute list search metadata permission copy_from copy_to link
    connect mount``."""
    value: str
    """As evaluated."""
    normalized: str
    """Absolute and without ``.``/``..`` where cwd and home allow; ``~`` and ``$HOME`` resolved."""
    classes: frozenset[str] = frozenset()
    """What it is, of the closed vocabulary of :mod:`defenseclaw.detection.paths`."""
    resolved: bool = True
    """False when a part is unknown."""
    pattern: bool = False
    """Holds a glob that was not expanded."""


class NetworkFact(Struct, frozen=True, kw_only=True, gc=False):
    """An address a command or tool talks to."""

    command: int
    action: str
    """``connect listen download upload dns tunnel scan``."""
    scheme: str = ""
    host: str = ""
    """Lower case, without brackets or trailing dot; IP literals in canonical form (0x7f.1 → 127.0.0.1)."""
    port: int = 0
    path: str = ""
    url: str = ""
    scope: str = "unknown"
    """``loopback link_local private public unknown`` (names are unknown: nothing is looked up)."""
    classes: frozenset[str] = frozenset()
    """Of the closed vocabulary of :mod:`defenseclaw.detection.terms` (``metadata``, ``control`` …)."""
    external: bool = False
    """Public, or a name that is not localhost."""


class Flow(Struct, frozen=True, kw_only=True, gc=False):
    """Bytes moving from a source to a sink inside one call."""

    source: str
    """``file``, ``network``, ``environment``, ``credential_store``, ``literal``, ``process``."""
    sink: str
    """``interpreter``, ``network``, ``file``, ``device``, ``process``."""
    from_command: int
    to_command: int
    source_classes: frozenset[str] = frozenset()
    """Classes of the source's path or address."""
    sink_classes: frozenset[str] = frozenset()
    transforms: tuple[str, ...] = ()
    """Programs in between that change the bytes, for example ``base64``, ``gzip``, ``tr``."""


class Facts(Struct, frozen=True, kw_only=True, gc=False):
    """All that is understood of one tool call."""

    tool: str = ""
    tool_class: str = "other"
    """``shell read write edit append delete list search copy move patch fetch upload other``."""
    parse: str = "not_applicable"
    """``complete``, ``partial`` (some part unknown), ``invalid``, ``not_applicable`` (no command)."""
    issues: tuple[str, ...] = ()
    """Of: invalid_syntax dynamic_word unsupported_construct depth_limit fact_limit input_limit."""
    commands: tuple[Command, ...] = ()
    paths: tuple[PathFact, ...] = ()
    network: tuple[NetworkFact, ...] = ()
    flows: tuple[Flow, ...] = ()
    written: tuple[tuple[str, str], ...] = ()
    """(normalized path, content) of text the call writes to files, for code rules."""
    nested: int = 0
    """Deepest nesting of interpreters and wrappers."""

    def bindings(self, cwd: str) -> dict[str, Any]:
        """Return the variables a CEL condition sees, as plain maps and lists."""
        return {
            "tool": self.tool,
            "tool_class": self.tool_class,
            "cwd": cwd,
            "parse": self.parse,
            "commands": [_as_map(command) for command in self.commands],
            "paths": [_as_map(path) for path in self.paths],
            "network": [_as_map(network) for network in self.network],
            "flows": [_as_map(flow) for flow in self.flows],
        }


class Need(Struct, frozen=True, kw_only=True, gc=False):
    """A question of the pure core to its caller: what is at this path?"""

    path: str
    """Absolute."""
    max_bytes: int = 65536
    """Bytes of content wanted at most; 0 asks only where the path leads."""


class Snapshot(Struct, frozen=True, kw_only=True, gc=False):
    """The answer: bounded, taken once."""

    real_path: str
    """With every symbolic link resolved; the asked path when it does not exist."""
    exists: bool = False
    kind: str = "missing"
    """``file directory device socket missing unreadable``."""
    content: bytes = b""
    truncated: bool = False


def _as_map(value: Redirect | Command | PathFact | NetworkFact | Flow) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name in value.__struct_fields__:
        item = getattr(value, name)
        if isinstance(item, (frozenset, tuple)):
            item = [_as_map(each) if isinstance(each, Redirect) else each for each in item]
        out[name] = item
    return out
