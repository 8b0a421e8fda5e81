"""What connectors have in common whose agent is a program on PATH: it is asked for its version, and governed
by one file of the user's or, with some agents, of a project's.
"""

from __future__ import annotations

import tempfile
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path

from defenseclaw.connectors import files, probes
from defenseclaw.connectors.base import Check, Connector, Detected, Host, SetupOptions
from defenseclaw.errors import AgentNotFound, SetupError
from defenseclaw.vocabulary import Mode


class ProbedConnector(Connector):
    """An agent that says its version. Subclasses set the attributes below."""

    executables: tuple[str, ...]
    """Names of the program, the first that is found wins."""
    probe: tuple[str, ...] = ("--version",)
    """Arguments that have it print its version."""
    probe_env: Mapping[str, str] = {}
    home_variable: str
    """Environment variable that moves the agent's own directory."""
    also_moved: tuple[str, ...] = ()
    """More variables that move directories the agent makes however it is called."""
    min_version: tuple[int, int, int]
    """First release whose hooks we know to work."""
    min_version_in_any_mode: bool = False
    """Whether an older release is refused in observe mode too, since our file would harm it."""
    update_command: str = ""
    """Updates the agent, for doctor; empty where none is known."""
    logical: str
    """Name of the file's backup."""
    project_file: str = ""
    """Where the file lies below a project; empty for agents that have it for the user only."""

    @abstractmethod
    def settings_path(self, host: Host) -> Path:
        """Return the user's file, as the agent finds it today."""

    @abstractmethod
    def is_configured(self, host: Host, path: Path, version: str) -> bool:
        """Whether ``path`` is as a setup for this version leaves it.

        Raises:
            SetupError: the file cannot be read, or has another shape than the agent's.
        """

    def setup_path(self, host: Host, options: SetupOptions) -> Path:
        """Return the file a setup writes to: the user's, a project's when a workspace was named.

        Raises:
            SetupError: the workspace lies in our data directory.
        """
        if options.workspace is None or not self.project_file:
            return self.settings_path(host)
        if options.workspace.is_relative_to(host.data_dir):
            raise SetupError("the workspace lies in the data directory of DefenseClaw")
        return options.workspace / self.project_file

    def installed_path(self, host: Host) -> Path:
        """Return the file our part is looked for in: the project's when the setup was of a project."""
        users = self.settings_path(host)
        if not self.project_file:
            return users
        return next((each for each in self.recorded(host) if each.match(self.project_file)), users)

    def recorded(self, host: Host) -> list[Path]:
        """Return where a setup wrote, which may differ from where it would write today; empty without one."""
        path = files.recorded_path(host, self.name, self.logical)
        return [path] if path else []

    def version_notes(self, version: str) -> tuple[str, ...]:
        """Return what an operator must know about hooks of this version, one sentence each."""
        del version
        return ()

    def scope_notes(self, options: SetupOptions) -> tuple[str, ...]:
        """Return what an operator must know about where this setup holds, one sentence each."""
        del options
        return ()

    def detect(self, host: Host) -> Detected:
        """Look for the agent on PATH and ask it for its version."""
        executable = probes.find_executable(host, *self.executables)
        version = self._probed(host, executable) if executable else ""
        shown = " ".join((executable, *self.probe))
        path = self.installed_path(host)
        return Detected(
            found=bool(executable),
            executable=executable,
            version=version,
            config_path=str(path),
            configured=self._is_intact(host, path, version),
            looked_for=() if executable else probes.places_searched(host, *self.executables),
            problem=f"`{shown}` gave no version" if executable and not version else "",
        )

    def _probed(self, host: Host, executable: str) -> str:
        """Some agents write files when asked for their version: they do it where nobody minds."""
        with tempfile.TemporaryDirectory(prefix="defenseclaw-probe-") as scratch:
            moved = dict.fromkeys((self.home_variable, *self.also_moved), scratch)
            return probes.probe_version(host, (executable, *self.probe), {**self.probe_env, **moved})

    def _is_intact(self, host: Host, path: Path, version: str) -> bool:
        try:
            return self.is_configured(host, path, version)
        except SetupError:
            return False

    def _places(self, host: Host) -> list[Path]:
        """The file of the setup first; today's too when the agent's directory moved since."""
        return list(dict.fromkeys([*self.recorded(host), self.settings_path(host)]))

    def _admit(self, host: Host, options: SetupOptions) -> tuple[Detected, tuple[str, ...]]:
        """Return what was found and what to warn of.

        Raises:
            AgentNotFound: nothing was found, and it is not forced.
            SetupError: the agent is too old for the mode, and it is not forced.
        """
        detected = self.detect(host)
        if not detected.found and not options.force:
            raise AgentNotFound(
                f"{self.title} not found: no {self._programs()} on PATH",
                hint=f"looked for {', '.join(detected.looked_for)}; --force installs anyway",
            )
        problem = self._version_problem(detected.version)
        harmed = self.min_version_in_any_mode and detected.version
        if problem and (harmed or options.mode is Mode.ACTION) and not options.force:
            raise SetupError(problem, hint=f"update {self.title}, or use --force")
        notes = (problem,) if problem else self.version_notes(detected.version)
        return detected, (*notes, *self.scope_notes(options))

    def _version_problem(self, version: str) -> str:
        least = ".".join(map(str, self.min_version))
        if not version:
            return f"{self.title} gave no version; hooks are known to work from {least} on"
        if probes.version_tuple(version) < self.min_version:
            return f"{self.title} {version} is older than {least}, the first whose hooks we know to work"
        return ""

    def _check_agent(self, detected: Detected, options: SetupOptions) -> Check:
        if not detected.found:
            return Check(
                status="warn",
                label=self.title,
                detail=f"{self._programs()} is not on PATH",
                mend=f"defenseclaw setup remove {self.command_name}",
            )
        problem = self._version_problem(detected.version)
        notes = self.version_notes(detected.version)
        if problem:
            status = "fail" if options.mode is Mode.ACTION else "warn"
            return Check(status=status, label=self.title, detail=problem, mend=self.update_command)
        fine = f"{detected.version} at {detected.executable}"
        return Check(status="warn" if notes else "pass", label=self.title, detail="; ".join(notes) or fine)

    def _programs(self) -> str:
        return " or ".join(f"`{each}`" for each in self.executables)
