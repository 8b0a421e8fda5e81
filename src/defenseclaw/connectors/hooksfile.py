"""What connectors have in common whose agent reads a JSON file of hooks and nothing else.

The file lies in the user's folder of the agent or in a project, holds a flat list of entries per event, and
may hold comments. Subclasses say where it is and what an entry looks like.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from defenseclaw.connectors import flathooks, scripted
from defenseclaw.connectors.base import Host
from defenseclaw.connectors.jsonc import CommentedDocument, has_comments
from defenseclaw.connectors.jsonedit import Document

COMMAND = "command"
"""Field of an entry that holds its command."""


class HooksFileConnector(scripted.ScriptedConnector):
    """An agent with such a file. Subclasses set the attributes below."""

    user_file: str
    """Where the file lies below the home directory."""
    file_version: int | None = None
    """Written as ``version``; None for agents whose file has none."""
    home_variable = "HOME"
    logical = "config"

    @abstractmethod
    def entry(self, host: Host, event: str) -> dict[str, Any]:
        """Return our entry for an event, an object whose ``command`` is :meth:`command`."""

    def settings_path(self, host: Host) -> Path:
        """Return the user's file, which no variable moves."""
        return host.home / self.user_file

    def with_hooks(self, host: Host, path: Path, content: bytes | None, events: Sequence[str]) -> bytes:
        """Return the file with our entries."""
        del path
        return self.with_entries(host, content, {event: self.entry(host, event) for event in events})

    def with_entries(
        self, host: Host, content: bytes | None, wanted: Mapping[str, Mapping[str, Any]]
    ) -> bytes:
        """Return the file with the entries of ``wanted`` and no others of ours."""
        document = self.read(content)
        flathooks.install(document, wanted, COMMAND, lambda each: self.owns(host, each), self.file_version)
        return document.encode()

    def without_hooks(self, host: Host, path: Path, content: bytes) -> tuple[bytes, bool]:
        """Return the file without our entries."""
        del path
        document = self.read(content)
        nothing_left = flathooks.uninstall(document, COMMAND, lambda each: self.owns(host, each))
        return document.encode(), nothing_left and not has_comments(content)

    def missing_events(
        self, host: Host, path: Path, content: bytes | None, events: Sequence[str]
    ) -> list[str]:
        """Return the events whose entry is not there as we write it."""
        del path
        document = self.read(content)
        return [event for event in events if not self.is_installed(host, document, event)]

    def is_installed(self, host: Host, document: Document, event: str) -> bool:
        """Whether an event's entry is there as we write it."""
        return self.entry(host, event) in flathooks.entries(document, event)

    def read(self, content: bytes | None) -> Document:
        """Read the file; an absent or empty one is an empty object.

        Raises:
            ForeignContent: it has another shape than the agent's.
        """
        return flathooks.read(content, CommentedDocument)

    def protected_paths(self, host: Host) -> tuple[str, ...]:
        """The user's file, and a project's when the setup was of a project."""
        return tuple(sorted(map(str, {self.settings_path(host), *self.recorded(host)})))
