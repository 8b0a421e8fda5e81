"""The packs in use, the last good one of each, and whether their files changed.

Loading takes a few tenths of a second: whoever serves at the same time calls it on a worker thread. What is
put in use is complete, so readers on other threads see the old pack or the new one, never a mixture.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import Final

from defenseclaw.detection.ruleset import RuleSet
from defenseclaw.errors import PackError
from defenseclaw.packs.folder import Fingerprint, fingerprint
from defenseclaw.packs.loading import Pack, load_pack, resolve
from defenseclaw.policy.suppression import Suppressions

LOOK_EVERY_S: Final = 0.5
"""How often the files of packs in use are looked at; a change is taken up when two looks see the same."""


class RuleStore:
    """The compiled packs in use. A pack that cannot be loaded leaves the last good one in place."""

    def __init__(self, extra_dirs: Sequence[Path] = ()) -> None:
        self._extra_dirs = tuple(extra_dirs)
        self._good: dict[str, Pack] = {}
        self._read: dict[str, Fingerprint] = {}
        """State of the files at the latest attempt to load them, by name of the pack."""
        self.problems: dict[str, str] = {}
        """Why the newest files of a pack are not in use, by name of the pack."""
        self.folders: tuple[str, ...] = ()
        """The folders of operators' packs in use, for whoever protects them."""

    def pack(self, name: str = "default") -> Pack:
        """Return the last good pack of a name, loading it at first use.

        Raises:
            PackError: There has never been a good one.
        """
        known = self._good.get(name)
        return known if known is not None else self.reload_pack(name)

    def reload_pack(self, name: str) -> Pack:
        """Load a pack again and put it in use.

        Raises:
            PackError: It is not valid; :meth:`pack` goes on returning what it returned before.
        """
        state = _fingerprint(name)
        try:
            fresh = load_pack(name, self._extra_dirs)
        except PackError as error:
            if name in self._good:
                self._read[name] = state
                self.problems[name] = error.message
            raise
        self._good[name], self._read[name] = fresh, state
        self.problems.pop(name, None)
        self._note_folders()
        return fresh

    def current(self, pack: str = "default") -> RuleSet:
        """Return the rules of :meth:`pack`."""
        return self.pack(pack).rules

    def reload(self, pack: str = "default") -> RuleSet:
        """Return the rules of :meth:`reload_pack`."""
        return self.reload_pack(pack).rules

    def suppressions(self, pack: str = "default") -> Suppressions:
        """Return the suppressions of :meth:`pack`."""
        return self.pack(pack).suppressions

    def keep(self, names: Iterable[str]) -> None:
        """Forget the packs that are not named: they are loaded anew when they are named again."""
        wanted = set(names)
        for name in self._good.keys() - wanted:
            for known in (self._good, self._read, self.problems):
                known.pop(name, None)
        self._note_folders()

    def _note_folders(self) -> None:
        own = [pack.folder for pack in tuple(self._good.values()) if pack.folder is not None]
        self.folders = tuple(sorted({str(each) for path in own for each in (path, path.resolve())}))

    def _changed(self) -> dict[str, Fingerprint]:
        """Return the state of the files of the packs that are not in use as they lie there."""
        own = [name for name, pack in tuple(self._good.items()) if pack.folder is not None]
        states = {name: _fingerprint(name) for name in own}
        return {name: state for name, state in states.items() if state != self._read.get(name)}

    async def changes(self, every_s: float = LOOK_EVERY_S) -> AsyncIterator[tuple[str, ...]]:
        """Yield the names of packs whose files changed and came to rest. Files are looked at on a thread."""
        seen: dict[str, Fingerprint] = {}
        while True:
            await asyncio.sleep(every_s)
            before, seen = seen, await asyncio.to_thread(self._changed) if self.folders else {}
            if seen and seen == before:
                yield tuple(seen)


def _fingerprint(name: str) -> Fingerprint:
    try:
        folder = resolve(name).folder
    except PackError:
        return ()
    return fingerprint(folder) if folder is not None else ()
