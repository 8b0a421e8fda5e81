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
from defenseclaw.connectors.base import Host, SetupOptions
from defenseclaw.connectors.jsonc import CommentedDocument, has_comments
from defenseclaw.connectors.jsonedit import Document
from defenseclaw.errors import SetupError

COMMAND = "command"
"""Field of an entry that holds its command."""


class HooksFileConnector(scripted.ScriptedConnector):
    """An agent with such a file. Subclasses set the attributes below."""

    user_file: tuple[str, ...]
    """Below the home directory."""
    project_file: tuple[str, ...]
    """Below a project."""
    file_version: int | None = None
    """Written as ``version``; None for agents whose file has none."""
    home_variable = "HOME"
    logical = "config"

    @abstractmethod
    def entry(self, host: Host, event: str) -> dict[str, Any]:
        """Return our entry for an event."""

    def settings_path(self, host: Host) -> Path:
        """Return the user's file."""
        return host.home.joinpath(*self.user_file)

    def setup_path(self, host: Host, options: SetupOptions) -> Path:
        """Return the user's file, a project's when a workspace was named.

        Raises:
            SetupError: the workspace lies in our data directory.
        """
        if options.workspace is None:
            return self.settings_path(host)
        if options.workspace.is_relative_to(host.data_dir):
            raise SetupError("the workspace lies in the data directory of DefenseClaw")
        return options.workspace.joinpath(*self.project_file)

    def installed_path(self, host: Host) -> Path:
        """Return where the setup wrote."""
        return next(iter(self.recorded(host)), self.settings_path(host))

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
        if not content.strip():
            return content, True
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
