"""What lets an agent work outside of our hooks: a project's settings, switches, another home.

A project's settings are the project's own, and agents change them all the time: they count only where what is
written takes the user's hooks away. Where a variable leads is compared with what is guarded: a home that
was set up is as good as the usual one.

Source: ``DECISIONS.md`` "The agent is not trusted"; ``spec/connectors.md`` §8.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from defenseclaw.detection import paths
from defenseclaw.detection.facts import UNKNOWN, Command, PathFact
from defenseclaw.detection.programs import packages
from defenseclaw.detection.programs.flows import Step
from defenseclaw.detection.shell import environment
from defenseclaw.vocabulary import Event, HostContext

MAX_SETTINGS: Final = 262_144
"""Characters of agent settings that are looked at."""
MAX_STAGES: Final = 32
"""Stages of a pipeline whose words count for a file that one of them writes."""
MAX_SOURCES: Final = 32
"""Paths of one command that a file may be a copy of."""

# ---- settings of a project ------------------------------------------------------------------------------


class _Settings(NamedTuple):
    """Settings files of projects, and what in them takes the user's hooks away."""

    name: re.Pattern[str]
    off: Callable[[str], object] | None
    """None: the file itself does, whatever it holds."""


_FLAGS: Final = re.IGNORECASE | re.MULTILINE
_ALL_OFF: Final = re.compile(r"disableAllHooks\W{1,16}true", _FLAGS).search
_CODEX_OFF: Final = re.compile(
    r"(?<![\w-])(?:codex_)?hooks[\"'\]]{0,3}[ \t]{0,8}=[ \t]{0,8}false", _FLAGS
).search
_ANTIGRAVITY_OFF: Final = re.compile(r"\bdefenseclaw", _FLAGS).search
_DOTENV_OFF: Final = re.compile(
    r"^[ \t]{0,16}(?:export[ \t]{1,16})?(?:(?:HERMES_SAFE_MODE|OPENCODE_PURE|CLAUDE_CODE_SIMPLE)[ \t]{0,16}="
    r"[ \t]{0,16}[\"']?(?:1|true|yes|on|y)\b"
    r"|GEMINI_CLI_SYSTEM_(?:SETTINGS|DEFAULTS)_PATH[ \t]{0,16}=[ \t]{0,16}[^\s#])",
    _FLAGS,
).search
_GEMINI_PART: Final = re.compile("hooksConfig", re.IGNORECASE)
_GEMINI_OFF: Final = re.compile(r"(?<!\w)enabled\W{1,16}false", re.IGNORECASE)
_GEMINI_LIST: Final = re.compile(r"(?<!\w)disabled\W{1,16}", re.IGNORECASE)
_GEMINI_PART_CHARS: Final = 600
"""Characters after ``hooksConfig`` that count where the text is no whole JSON document."""


def _gemini_off(text: str) -> bool:
    """Whether settings of Gemini CLI, or a part or a program that sets them, keep our hooks from running."""
    if "hooksconfig" not in text.lower():
        return False
    try:
        settings = json.loads(text)
    except (ValueError, RecursionError):
        return any(map(_is_gemini_part_off, _GEMINI_PART.split(text)[1:]))
    config = settings.get("hooksConfig") if isinstance(settings, dict) else None
    if not isinstance(config, dict):
        return False
    disabled = config.get("disabled")
    return config.get("enabled") is False or (isinstance(disabled, list) and "defenseclaw" in disabled)


def _is_gemini_part_off(part: str) -> bool:
    part = part[:_GEMINI_PART_CHARS].partition("}")[0]
    if _GEMINI_OFF.search(part):
        return True
    listed = _GEMINI_LIST.search(part)
    return listed is not None and "defenseclaw" in part[listed.end() :].partition("]")[0]


_PROJECT: Final = tuple(
    _Settings(re.compile(f"(?:^|/){name}$", re.IGNORECASE), off)
    for name, off in (
        (r"\.claude/settings[\w.-]*\.json", _ALL_OFF),
        (r"\.github/(?:copilot/settings[\w.-]*|hooks/[^/]{1,255})\.json", _ALL_OFF),
        (r"\.gemini/settings\.json", _gemini_off),
        (r"\.codex/config\.toml", _CODEX_OFF),
        (r"\.(?:antigravitycli|agents)/hooks\.json", _ANTIGRAVITY_OFF),
        (r"(?:\.gemini/)?\.env[\w.]*", _DOTENV_OFF),
        # OpenHands reads one hooks file: a project's takes the place of the user's.
        (r"\.openhands/hooks\.json", None),
        # Of two plugins of one name OpenCode need not load ours.
        (r"\.opencode/plugins?/defenseclaw\.[cm]?[jt]s", None),
    )
)
_ENDINGS: Final = (".json", ".toml", "js", "ts")
_MAKING: Final = frozenset({"write", "append", "copy_to", "link", "mount"})
_SOURCES: Final = frozenset({"copy_from", "move", "link"})
_ESCAPED: Final = re.compile(r"\\u00([2-7][0-9A-Fa-f])")
_SUBSTITUTION: Final = re.compile(r"^s([^\w\s\\])")


def settings_without_hooks(
    steps: Sequence[Step],
    facts: Iterable[PathFact],
    written: Sequence[tuple[str, str]],
    outputs: Mapping[int, str],
) -> set[str]:
    """Return the projects' settings, by normal form, that this call makes take hooks away.

    Args:
        steps: The commands of the call.
        facts: All paths of the call.
        written: (normal form, text) of what is written to files.
        outputs: What commands print, by their id.
    """
    found: dict[str, _Settings] = {}
    for fact in facts:
        settings = settings_of(fact.normalized) if fact.access in _MAKING else None
        if settings is not None:
            found[fact.normalized] = settings
    if not found:
        return set()
    texts = _Texts(steps, written, outputs)
    judged: dict[tuple[Callable[[str], object], str], bool] = {}

    def is_off(off: Callable[[str], object], text: str) -> bool:
        if (off, text) not in judged:
            judged[off, text] = bool(off(text))
        return judged[off, text]

    return {
        path
        for path, settings in found.items()
        if settings.off is None or any(is_off(settings.off, text) for text in texts.of(path))
    }


def settings_of(path: str) -> _Settings | None:
    """Return what a path is as settings of a project; None when it is none that can take hooks away."""
    if not path.lower().endswith(_ENDINGS) and "/.env" not in path:
        return None
    return next((each for each in _PROJECT if each.name.search(path[-512:])), None)


class _Texts:
    """What ends up in files of one call, as far as it is known."""

    def __init__(
        self, steps: Sequence[Step], written: Sequence[tuple[str, str]], outputs: Mapping[int, str]
    ) -> None:
        self._outputs = outputs
        self._known: dict[int, tuple[str, ...]] = {}
        self._written: dict[str, list[str]] = {}
        for path, text in written:
            self._written.setdefault(path, []).append(_plain(text))
        self._makers: dict[str, list[Step]] = {}
        self._pipelines: dict[int, list[Step]] = {}
        for step in steps:
            made = {fact.normalized for fact, _ in step.paths if fact.access in _MAKING}
            for path in made.union(fact.normalized for fact in step.stdout):
                self._makers.setdefault(path, []).append(step)
            if step.command.pipeline:
                self._pipelines.setdefault(step.command.pipeline, []).append(step)

    def of(self, path: str, *, follow: bool = True) -> Iterator[str]:
        """Yield texts that say what ``path`` holds: its content, or the words of what edits it."""
        yield from self._written.get(path, ())
        for step in self._makers.get(path, ()):
            yield from self._said(step)
            for other in self._pipelines.get(step.command.pipeline, ())[:MAX_STAGES]:
                if other is not step:
                    yield from self._said(other)
            if follow:
                for fact, _ in step.paths[:MAX_SOURCES]:
                    if fact.access in _SOURCES and fact.normalized != path:
                        yield from self.of(fact.normalized, follow=False)

    def _said(self, step: Step) -> tuple[str, ...]:
        known = self._known.get(step.command.id)
        if known is None:
            # What echo is given is what it prints, and sed's script holds what it takes out.
            words = () if step.command.program == "echo" else map(_replacement, step.command.argv[1:])
            printed = _plain(self._outputs.get(step.command.id, ""))
            code = (step.act.code or step.command.code)[:MAX_SETTINGS]
            known = self._known[step.command.id] = (printed, " ".join(words)[:MAX_SETTINGS], code)
        return known


def _plain(text: str) -> str:
    """Return bounded text with the letters that JSON may spell by number."""
    text = text[:MAX_SETTINGS]
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text) if "\\u00" in text else text


def _replacement(word: str) -> str:
    """Return what ``s/a/b/`` puts in, any other word as it is: what is taken out does not count."""
    match = _SUBSTITUTION.match(word)
    return match[1].join(word.split(match[1])[2:]) if match else word[:MAX_SETTINGS]


# ---- the directory of a session -------------------------------------------------------------------------

_STARTS_IN_DIRECTORY: Final = frozenset({"openhands"})
"""Connectors whose agent starts our hooks in the directory of the session, and calls none when it is gone."""
_EMPTIES: Final = frozenset({"find", "rsync", "git"})
"""Remove what is in a directory that they name, and leave the directory."""


def session_directory(event: Event) -> str:
    """Return the directory without which the agent calls no hooks; empty when it needs none."""
    return event.cwd.rstrip("/") if event.connector in _STARTS_IN_DIRECTORY else ""


def takes_away(fact: PathFact, directory: str, programs: Mapping[int, str]) -> bool:
    """Whether a path that is moved or removed is ``directory`` or holds it.

    Args:
        fact: The path.
        directory: See :func:`session_directory`.
        programs: The commands' programs by their id.
    """
    return (
        fact.access in ("move", "delete")
        and "contents" not in fact.classes
        and programs.get(fact.command, "") not in _EMPTIES
        and f"{directory}/".startswith(f"{fact.normalized.rstrip('/')}/")
    )


# ---- how an agent is started ---------------------------------------------------------------------------


class _Home(NamedTuple):
    """A directory that a variable moves."""

    usual: str
    """Below the user's home."""
    holds: str
    """Of what we guard in it."""


_HOMES: Final[dict[str, _Home]] = {
    "HOME": _Home("", ""),
    "XDG_CONFIG_HOME": _Home(".config", "opencode/plugins/defenseclaw.js"),
    "CLAUDE_CONFIG_DIR": _Home(".claude", "settings.json"),
    "CODEX_HOME": _Home(".codex", "config.toml"),
    "COPILOT_HOME": _Home(".copilot", "hooks/defenseclaw.json"),
    "GEMINI_CLI_HOME": _Home("", ".gemini/settings.json"),
    "HERMES_HOME": _Home(".hermes", "config.yaml"),
    "OMNIGENT_CONFIG_HOME": _Home(".omnigent", "config.yaml"),
}
_SWITCHES: Final = frozenset({"OPENCODE_PURE", "HERMES_SAFE_MODE", "CLAUDE_CODE_SIMPLE"})
_ON: Final = frozenset({"1", "true", "yes", "on", "y"})
_SYSTEM_FILES: Final = frozenset(
    {"GEMINI_CLI_SYSTEM_SETTINGS_PATH", "GEMINI_CLI_SYSTEM_DEFAULTS_PATH", "HERMES_MANAGED_DIR"}
)
_AGENTS: Final[dict[str, frozenset[str]]] = {
    name: frozenset({"HOME", *variables.split()})
    for name, variables in {
        "claude": "CLAUDE_CONFIG_DIR CLAUDE_CODE_SIMPLE",
        "codex": "CODEX_HOME",
        "copilot": "COPILOT_HOME",
        "gemini": "GEMINI_CLI_HOME GEMINI_CLI_SYSTEM_SETTINGS_PATH GEMINI_CLI_SYSTEM_DEFAULTS_PATH",
        "cursor-agent": "",
        "opencode": "XDG_CONFIG_HOME OPENCODE_PURE",
        "openhands": "",
        "hermes": "HERMES_HOME HERMES_MANAGED_DIR HERMES_SAFE_MODE",
        "omnigent": "OMNIGENT_CONFIG_HOME",
        "windsurf": "",
        "agy": "",
    }.items()
}
"""Agents with hooks of ours → the variables that they go by."""
_INSTALLED: Final = {
    "/@anthropic-ai/claude-code/": "claude",
    "/@openai/codex/": "codex",
    "/@google/gemini-cli/": "gemini",
    "/@github/copilot/": "copilot",
}
"""Where packages of agents lie, for those who start what is in them by an interpreter."""
_QUIET: Final = frozenset(
    [
        "mcp",
        "login",
        "logout",
        "auth",
        "account",
        "completion",
        "completions",
        "doctor",
        "update",
        "upgrade",
        "features",
        "models",
        "plugin",
        "plugins",
        "extensions",
        "extension",
        "skills",
        "config",
        "help",
        "version",
        "install",
        "uninstall",
        "stats",
        "export",
        "import",
        "profile",
        "profiles",
        "status",
        "sessions",
    ]
)
"""Subcommands that look after an agent and start none."""
_EXPORTERS: Final = frozenset({"export", "declare", "typeset", "readonly", "local", "set", "setenv"})
_LASTING: Final = frozenset({"launchctl", "setx", "systemctl", "tmux", "dbus-update-activation-environment"})
"""Set variables for what others start later."""
_APART: Final = frozenset({"subshell", "substitution"})
_PROFILE: Final = re.compile(r"[A-Za-z0-9][\w.-]{0,63}")


def mark_starts(steps: Sequence[Step], host: HostContext) -> None:
    """Add ``agent_unguarded`` where an agent is started, or made to start, without our hooks."""
    setters = [step for step in steps if _sets(step)]
    for step in setters:
        lasting = step.command.program in _LASTING or step.command.context == "deferred"
        if lasting and any(_leads_away(name, value, host) for name, value in _set(step) if _own(name)):
            step.act.is_("agent_unguarded")
    commands = {step.command.id: step.command for step in steps}
    for step in steps:
        if step.act.effect == "preview":
            continue
        if step.act.program == "hermes" and _names_other_profile(step, host):
            step.act.is_("agent_unguarded")
        if not (setters or step.command.assignments or step.command.parent):
            continue
        for agent in _started(step):
            given = [*_set(step), *_reaching(step.command, setters, commands)]
            variables = _AGENTS[agent]
            if any(name in variables and _leads_away(name, value, host) for name, value in given):
                step.act.is_("agent_unguarded")


def _own(name: str) -> bool:
    """Whether a variable is there for an agent alone."""
    return name not in ("HOME", "XDG_CONFIG_HOME")


def _started(step: Step) -> Iterator[str]:
    """Yield the agents that a command starts, by itself, from a package or by an interpreter."""
    program, argv = step.command.program, step.command.argv
    if program in _AGENTS:
        if not (step.act.operand(0) in _QUIET and step.act.operand(1) != "serve"):
            yield program
        return
    inner = packages.launched(program, argv)
    launched = inner[0].lower().partition(".")[0] if inner else ""
    if launched in _AGENTS and (len(inner) < 2 or inner[1] not in _QUIET):
        yield launched
    elif "interpreter" in step.act.traits:
        for word in argv[1:4]:
            yield from (name for place, name in _INSTALLED.items() if place in word)


def _sets(step: Step) -> bool:
    program = step.command.program
    if program in _EXPORTERS or program in _LASTING:
        return bool(_set(step))
    return not step.command.argv and bool(step.command.assignments)


def _set(step: Step) -> list[tuple[str, str]]:
    """Return (name, value) of the variables of agents that a command sets, for itself or for others."""
    program, words = step.command.program, step.command.argv[1:]
    found = _named(step.command.assignments)
    if program in _EXPORTERS or program in _LASTING:
        found += _named(words)
    if program in _LASTING or program in ("set", "setenv"):
        found += [(name, value) for name, value in pairwise(words) if name in environment.AGENTS]
    return found


def _named(words: Iterable[str]) -> list[tuple[str, str]]:
    """Return (name, value) of every ``NAME=value`` that is a variable of agents."""
    parts = (word.partition("=") for word in words)
    return [(name, value) for name, equals, value in parts if equals and name in environment.AGENTS]


def _reaching(
    command: Command, setters: Sequence[Step], commands: Mapping[int, Command]
) -> Iterator[tuple[str, str]]:
    """Yield what is set for the commands that run this one, and before it in a shell that it runs in."""
    shells = {0}
    above = command
    while above.parent not in shells:
        shells.add(above.parent)
        if above.parent not in commands:
            break
        above = commands[above.parent]
        yield from _named(above.assignments)
    for setter in setters:
        other = setter.command
        if other.program in _LASTING or other.id > command.id or other.parent not in shells:
            continue
        if other.context not in _APART or other.context == command.context:
            yield from _set(setter)


def _leads_away(name: str, value: str, host: HostContext) -> bool:
    """Whether a variable so set keeps an agent from reading our hooks."""
    if name in _SWITCHES:
        return value.strip().lower() in _ON or UNKNOWN in value
    if name in _SYSTEM_FILES:
        return bool(value)
    home = _HOMES.get(name)
    if home is None or not value:
        return False
    path, known = paths.normalize(value, cwd="", home=host.home)
    if not known:
        return True
    usual = f"{host.home}/{home.usual}".rstrip("/")
    return path != usual and not (home.holds and f"{path}/{home.holds}" in host.protected_paths)


def _names_other_profile(step: Step, host: HostContext) -> bool:
    """Whether ``hermes`` is started with, or set to, a profile that was not set up."""
    act = step.act
    named = act.all("-p")
    if [word.lower() for word in act.operands[:2]] == ["profile", "use"]:
        named = [act.operand(2)]
    elif act.operand(0) in _QUIET:
        return False
    return any(not _is_governed_profile(name, host) for name in named if name)


def _is_governed_profile(name: str, host: HostContext) -> bool:
    if name == "default":
        return True
    place = f"/profiles/{name}/config.yaml"
    return _PROFILE.fullmatch(name) is not None and any(path.endswith(place) for path in host.protected_paths)
