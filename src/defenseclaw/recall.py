"""The same call again: what detection found is remembered for a while.

Agents repeat themselves, and many show one call to two hooks (before it runs, and when a person is asked).
Detection is a function of the call, the rules and the machine, so the same call gives the same findings; one
that looked at files is judged anew each time, since those may have changed. Verdicts are not remembered:
lists, mode, approvals and the session are looked at with every call, and every call has its own row.

Most calls never come again, and what is kept of them makes every other call slower: it pushes the rest out of
the processor's caches. So only the last few are kept whole, for an agent's second hook; of those before them
it is known that they came, and what comes a second time is kept for long. Source: Johnson and Shasha, "2Q: A
Low Overhead High Performance Buffer Management Replacement Algorithm", 1994.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

import msgspec

from defenseclaw.detection.engine import Detection, detect, run
from defenseclaw.detection.facts import Need, Snapshot
from defenseclaw.detection.ruleset import RuleSet
from defenseclaw.vocabulary import INTERNAL_FAULT, Event, EventKind, HostContext

MAX_CALLS: Final = 256
"""Calls remembered that came again; the one not met for longest goes first."""
MAX_NEW: Final = 8
"""Calls remembered that came once; the oldest goes first."""
MAX_MET: Final = 512
"""Calls before those, of which it is remembered that they came."""
MAX_BYTES: Final = 8192
"""Size of the arguments, as JSON, of a call that is remembered."""

_Key = tuple[str, str, bytes]
_Found = tuple[RuleSet, HostContext, Detection]
_encode = msgspec.json.Encoder().encode


def detected_anew(
    event: Event, rules: RuleSet, host: HostContext, answer: Callable[[Need], Snapshot]
) -> Detection:
    """Return what :func:`~defenseclaw.detection.engine.detect` finds."""
    return run(detect(event, rules, host), answer)


class Recall:
    """Remembers what was found in tool calls, for the rules it was found by. The event loop owns it."""

    def __init__(self) -> None:
        self._new: OrderedDict[_Key, _Found] = OrderedDict()
        self._known: OrderedDict[_Key, _Found] = OrderedDict()
        self._met: OrderedDict[int, None] = OrderedDict()
        """Hashes of keys: two that fall together are kept a little longer than they should, no more."""

    def __len__(self) -> int:
        return len(self._new) + len(self._known)

    def detect(
        self, event: Event, rules: RuleSet, host: HostContext, answer: Callable[[Need], Snapshot]
    ) -> Detection:
        """Return what :func:`~defenseclaw.detection.engine.detect` finds, from memory where it can be."""
        key = _key(event)
        if key is None:
            return detected_anew(event, rules, host, answer)
        known = self._recalled(key)
        if known is not None and known[0] is rules and known[1] is host:
            return known[2]
        looked = False

        def noted(need: Need) -> Snapshot:
            nonlocal looked
            looked = True
            return answer(need)

        found = detected_anew(event, rules, host, noted)
        if not looked and all(each.rule_id != INTERNAL_FAULT for each in found.findings):
            self._remember(key, (rules, host, found))
        return found

    def _recalled(self, key: _Key) -> _Found | None:
        """Return what is remembered of a call; it has come again, so that is kept."""
        found = self._new.pop(key, None) or self._known.get(key)
        if found is not None:
            self._keep(key, found)
        return found

    def _remember(self, key: _Key, found: _Found) -> None:
        if key in self._known or self._met.pop(hash(key), True) is None:
            self._keep(key, found)
            return
        self._new[key] = found
        if len(self._new) > MAX_NEW:
            gone, _ = self._new.popitem(last=False)
            self._met[hash(gone)] = None
            if len(self._met) > MAX_MET:
                self._met.popitem(last=False)

    def _keep(self, key: _Key, found: _Found) -> None:
        self._known[key] = found
        self._known.move_to_end(key)
        if len(self._known) > MAX_CALLS:
            self._known.popitem(last=False)


def _key(event: Event) -> _Key | None:
    """Return all that detection looks at of a call; None when it is not to be remembered."""
    if event.kind is not EventKind.TOOL_CALL or event.text or event.faults:
        return None
    try:
        arguments = _encode(event.args)
    except (ValueError, TypeError):
        return None
    return (event.tool, event.cwd, arguments) if len(arguments) <= MAX_BYTES else None
