"""Connectors of other distributions, found through the entry-point group ``defenseclaw.connectors``.

They run in our process with our rights, so this is no sandbox: it keeps an honest mistake of theirs from
taking the product down or from shadowing an agent that we govern ourselves. What does not hold is left out
and named by ``defenseclaw doctor``.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import wraps
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from defenseclaw.connectors.base import Check, Connector, Detected, Host
from defenseclaw.errors import DefenseClawError, SetupError
from defenseclaw.vocabulary import EventKind

log = logging.getLogger(__name__)

GROUP = "defenseclaw.connectors"
RESERVED = frozenset({"all", "default", "guardrail", "inspect", "none", "remove", "unknown"})
"""Words that commands, routes or the configuration use in the place of a connector's name."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_CLIENT = re.compile(r"[A-Za-z0-9._-]{1,64}/[A-Za-z0-9._-]{1,32}")
_HOOK_PATH = re.compile(r"/api/v1/(?P<word>[a-z0-9][a-z0-9_-]{0,63})/hook")
_EXAMPLE = Host(home=Path("/home/you"), data_dir=Path("/home/you/.defenseclaw"), env={"PATH": "/usr/bin"})


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A third-party connector that is not used."""

    name: str
    """Of its entry point."""
    origin: str
    """Distribution and version, as far as it says."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the entry points gave."""

    connectors: Mapping[str, Connector]
    origins: Mapping[str, str]
    """Connector name → distribution and version."""
    left_out: tuple[LeftOut, ...]


def discover(built_in: Mapping[str, Connector]) -> Found:
    """Load every entry point of the group; nothing one of them does is raised.

    Args:
        built_in: Our own connectors, whose names and routes nobody can take. Among third parties the first
            by entry-point name, then by distribution, keeps what two want.
    """
    accepted: dict[str, Connector] = {}
    origins: dict[str, str] = {}
    left_out: list[LeftOut] = []
    for point in _points(left_out):
        try:
            connector = point.load()
            problem = _problem(connector, (*built_in.values(), *accepted.values()))
            if not problem:
                _guard(connector, _origin(point))
        except (Exception, SystemExit) as error:  # a module may do anything when it is imported
            problem = f"cannot be loaded: {type(error).__name__}"
        if problem:
            left_out.append(LeftOut(name=point.name, origin=_origin(point), reason=problem))
            log.info("connector %s of %s is left out: %s", point.name, _origin(point), problem)
        else:
            accepted[connector.name] = connector
            origins[connector.name] = _origin(point)
    return Found(connectors=accepted, origins=origins, left_out=tuple(left_out))


def _points(left_out: list[LeftOut]) -> list[EntryPoint]:
    try:
        return sorted(entry_points(group=GROUP), key=lambda each: (each.name, _origin(each), each.value))
    except Exception as error:  # one malformed file of any distribution hides those of all
        reason = f"the entry points of this environment cannot be read: {type(error).__name__}"
        left_out.append(LeftOut(name="any", origin="another distribution", reason=reason))
        return []


def fold(name: str) -> str:
    """Return a connector's name as operators may spell it: case, ``-`` and ``_`` do not matter."""
    return name.lower().replace("-", "").replace("_", "")


def _problem(connector: object, others: Iterable[Connector]) -> str:
    """Return why a connector cannot be used, empty when it can."""
    if not isinstance(connector, Connector):
        return "is not an instance of defenseclaw.connectors.base.Connector"
    return next(_problems(connector, tuple(others)), "")


def _problems(connector: Connector, others: tuple[Connector, ...]) -> Iterator[str]:
    names = (connector.name, connector.command_name, *connector.aliases)
    yield from (f"{name!r:.80} is not a name" for name in names if not _matches(_NAME, name))
    yield from (f"the name {name} is reserved" for name in names if fold(name) in RESERVED)
    for other in others:
        taken = {fold(each) for each in (other.name, other.command_name, *other.aliases)}
        yield from (f"{name} is a name of {other.title}" for name in names if fold(name) in taken)
        if connector.hook_path == other.hook_path:
            yield f"{connector.hook_path} is the route of {other.title}"
    for field in ("title", "description", "enforcement_surface", "scope"):
        value = getattr(connector, field)
        if not (isinstance(value, str) and value.isprintable() and value.strip()):
            yield f"`{field}` is not one line of text"
    if not _matches(_CLIENT, connector.client):
        yield "`client` is not of the form name/version"
    route = _HOOK_PATH.fullmatch(connector.hook_path) if isinstance(connector.hook_path, str) else None
    if route is None or fold(route["word"]) not in map(fold, names):
        yield f"`hook_path` is not /api/v1/{connector.name}/hook"
    for events in ("block_events", "ask_events", "replace_events"):
        if not isinstance(getattr(connector, events), frozenset):
            yield f"`{events}` is not a frozenset"
    yield from _does_not_do(connector)


def _does_not_do(connector: Connector) -> Iterator[str]:
    """Try what every command and every event of any agent relies on."""
    if not isinstance(connector.kind_of(""), EventKind):
        yield "`kind_of` returns no EventKind"
    paths = connector.protected_paths(_EXAMPLE)
    if not isinstance(paths, tuple) or not all(isinstance(each, str) for each in paths):
        yield "`protected_paths` returns no tuple of paths"


def _guard(connector: Connector, origin: str) -> None:
    """Make what it raises later, and did not when it was tried, a refusal of this one connector."""

    def told(error: Exception) -> str:
        log.info("%s of %s failed: %s", connector.name, origin, type(error).__name__)
        return f"its connector ({origin}) failed: {type(error).__name__}"

    def refused(error: Exception) -> Any:  # noqa: ANN401 - stands for a method of any type
        if isinstance(error, DefenseClawError):
            raise error
        raise SetupError(f"{connector.title}: {told(error)}") from error

    instead: dict[str, Callable[[Exception], Any]] = {
        "detect": lambda error: Detected(found=False, problem=told(error)),
        "check": lambda error: (Check(status="fail", label=connector.title, detail=told(error)),),
        "protected_paths": lambda error: told(error) and (),
        "plan_setup": refused,
        "plan_teardown": refused,
        "verify": refused,
    }
    for name, answer in instead.items():
        setattr(connector, name, _or_else(getattr(connector, name), answer))


def _or_else(method: Callable[..., Any], answer: Callable[[Exception], Any]) -> Callable[..., Any]:
    @wraps(method)
    def guarded(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as the method it stands for
        try:
            return method(*args, **kwargs)
        except Exception as error:
            return answer(error)

    return guarded


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _origin(point: EntryPoint) -> str:
    try:
        return f"{point.dist.name} {point.dist.version}" if point.dist else "an unknown distribution"
    except Exception:  # without its metadata a distribution has no name
        return "an unknown distribution"
