"""How an agent is run headless, with the configuration it really has, against a model on loopback.

A connector whose agent can be run so sets :attr:`Connector.canary`; ``defenseclaw verify`` does the rest.
A canary changes no file of the agent: the model's address, a made-up key and everything that must keep quiet
are environment and arguments of one process. What of that an agent does not offer makes it
:meth:`Canary.hindrance`. Recipes: ``spec/real-agents.md`` §3.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from defenseclaw.connectors.base import Host

_MAX_NAMED = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One run: what the agent is given, all of it of this run alone."""

    executable: str
    version: str
    """``N.N.N``, empty when unknown."""
    model_url: str
    """``http://127.0.0.1:PORT``, without a path; speaks every format of the recipes, and refuses to be a
    proxy to anywhere else."""
    key: str
    """The made-up credential the model takes, and the only one."""
    session_id: str
    """A random UUID, for agents that let theirs be chosen."""
    task: str
    """What the sub-agent is told, words that no other run has."""
    project: Path
    """Working directory of the agent."""
    scratch: Path
    """Directory of this run, outside of the data directory, removed afterwards; the commands write here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """A process to start."""

    arguments: tuple[str, ...]
    """The first is an absolute path."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Beside the user's own, of which nothing that looks like a credential is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolUse:
    """What the model asks for in one step."""

    tools: tuple[str, ...]
    """Names of the agent's tool, whichever of them it offers."""
    arguments: Mapping[str, Any]


class Canary(ABC):
    """The recipe of one agent."""

    before_call: str
    """The agent's event before a tool call; what is denied there must not run."""
    after_call: str = ""
    """The event at which a result is replaced; empty where the agent lets nobody replace one."""
    on_prompt: str = ""
    """The event at which a prompt is refused; empty where it cannot be."""
    timeout_s: float = 90.0
    """For one run."""

    def hindrance(self, host: Host, stage: Stage) -> str:
        """Return why this cannot be done without touching the configuration, one clause; empty: it can."""
        del host, stage
        return ""

    @abstractmethod
    def launch(self, host: Host, stage: Stage, prompt: str) -> Launch:
        """Return the process of one headless turn."""

    @abstractmethod
    def shell(self, command: str) -> ToolUse:
        """Return the call of the agent's own shell tool."""

    def delegate(self, task: str) -> ToolUse | None:
        """Return the call that hands ``task`` to a sub-agent; None where the agent has none."""
        del task
        return None

    def conclude(self) -> ToolUse | None:
        """Return the call with which a sub-agent must end its work; None where a last word is enough."""
        return None

    def project(self, host: Host) -> Path | None:
        """Return the project that a setup was made for; None for one that holds everywhere."""
        del host
        return None

    def suspects(self, host: Host, stage: Stage) -> Iterable[str]:
        """Return what of the project's files can keep the agent from heeding our hooks, one clause each.

        It is told as a possible reason when something was not enforced, and never decides whether it was.
        """
        del host, stage
        return ()

    def tidy(self, host: Host, stage: Stage) -> None:  # noqa: B027  most agents keep no such list
        """Take out what the agent noted about this run in files that hold other things as well."""

    def traces(self, host: Host, stage: Stage) -> Iterable[Path]:
        """Return what this run left in the agent's own directories, to be removed; nothing of another run."""
        del host, stage
        return ()


def listed(paths: Iterable[Path]) -> str:
    """Return the first few paths for a clause that names them; empty without any."""
    return ", ".join(map(str, islice(paths, _MAX_NAMED)))
