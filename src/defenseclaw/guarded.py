"""What an agent must not change on this machine, kept current while the gateway runs.

Where hooks lie follows from the machine and from what setups recorded, so it changes under a running gateway:
an agent is set up, for a project or with another home, or removed. Reading that takes the file system, and is
therefore done when something changed, never for a call.

Source: ``DECISIONS.md`` "The agent is not trusted".
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from defenseclaw.connectors import files, runtime
from defenseclaw.connectors.base import Connector, Host
from defenseclaw.errors import DefenseClawError
from defenseclaw.inspection import guarded_paths
from defenseclaw.vocabulary import HostContext

log = logging.getLogger(__name__)


class Guarded:
    """The present :class:`HostContext`; the same object as long as nothing in it changes.

    Args:
        host: The machine.
        connectors: Whose settings are guarded, by name.
        control_ports: See :class:`HostContext`.
        rule_packs: Returns the folders of operators' packs in use; asked for every call.
    """

    def __init__(
        self,
        host: Host,
        connectors: Mapping[str, Connector],
        control_ports: tuple[int, ...],
        rule_packs: Callable[[], tuple[str, ...]],
    ) -> None:
        self._host = host
        self._connectors = connectors
        self._ports = control_ports
        self._rule_packs = rule_packs
        self._packs: tuple[str, ...] = ()
        self._known: Mapping[str, tuple[str, ...]] = {}
        self._known = self.read()
        self._context = self._made()

    def __call__(self) -> HostContext:
        """Return what holds now, without a look at the file system."""
        packs = self._rule_packs()
        if packs is not self._packs:
            self._packs = packs
            self._renew()
        return self._context

    def read(self) -> Mapping[str, tuple[str, ...]]:
        """Return the guarded files of every connector as they are recorded now. Reads files.

        A connector whose records cannot be read keeps what was guarded for it: a damaged record must not
        open the settings it is about.
        """
        found = dict(self._known)
        for name, connector in self._connectors.items():
            try:
                found[name] = guarded_paths(connector, self._host)
            except (DefenseClawError, OSError) as error:
                log.error("%s: what is guarded cannot be read: %s", name, error)
        return found

    def take_up(self, paths: Mapping[str, tuple[str, ...]]) -> bool:
        """Guard what :meth:`read` returned; return whether that is anything else than before."""
        before, self._known = self._context, paths
        self._renew()
        return self._context is not before

    def watched(self) -> tuple[Path, ...]:
        """Return the directories that change when a setup or removal does."""
        records = (files.folder(self._host, name) for name in self._connectors)
        return (runtime.hooks_dir(self._host), *records)

    def _renew(self) -> None:
        fresh = self._made()
        if fresh != self._context:
            self._context = fresh

    def _made(self) -> HostContext:
        guarded = {*self._packs, *(path for paths in self._known.values() for path in paths)}
        return HostContext(
            home=str(self._host.home),
            data_dir=str(self._host.data_dir),
            protected_paths=tuple(sorted(guarded)),
            control_ports=self._ports,
        )
