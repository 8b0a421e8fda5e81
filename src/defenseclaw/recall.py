"""The same call again: what detection found is remembered for a while.

Agents repeat themselves, and many show one call to two hooks (before it runs, and when a person is asked).
Detection is a function of the call, the rules and the machine, so the same call gives the same findings; one
that looked at files is judged anew each time, since those may have changed. Verdicts are not remembered:
lists, mode, approvals and the session are looked at with every call, and every call has its own row.
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
"""Calls remembered; the one not met for longest goes first."""
MAX_BYTES: Final = 8192
"""Size of the arguments, as JSON, of a call that is remembered."""

_Key = tuple[str, str, bytes]
_encode = msgspec.json.Encoder().encode


def detected_anew(
    event: Event, rules: RuleSet, host: HostContext, answer: Callable[[Need], Snapshot]
) -> Detection:
    """Return what :func:`~defenseclaw.detection.engine.detect` finds."""
    return run(detect(event, rules, host), answer)


class Recall:
    """Remembers what was found in tool calls, for the rules it was found by. The event loop owns it."""

    def __init__(self) -> None:
        self._known: OrderedDict[_Key, tuple[RuleSet, HostContext, Detection]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def detect(
        self, event: Event, rules: RuleSet, host: HostContext, answer: Callable[[Need], Snapshot]
    ) -> Detection:
        """Return what :func:`~defenseclaw.detection.engine.detect` finds, from memory where it can be."""
        key = _key(event)
        if key is None:
            return detected_anew(event, rules, host, answer)
        known = self._known.get(key)
        if known is not None and known[0] is rules and known[1] is host:
            self._known.move_to_end(key)
            return known[2]
        looked = False

        def noted(need: Need) -> Snapshot:
            nonlocal looked
            looked = True
            return answer(need)

        found = detected_anew(event, rules, host, noted)
        if not looked and all(each.rule_id != INTERNAL_FAULT for each in found.findings):
            self._known[key] = (rules, host, found)
            self._known.move_to_end(key)
            if len(self._known) > MAX_CALLS:
                self._known.popitem(last=False)
        return found


def _key(event: Event) -> _Key | None:
    """Return all that detection looks at of a call; None when it is not to be remembered."""
    if event.kind is not EventKind.TOOL_CALL or event.text or event.faults:
        return None
    try:
        arguments = _encode(event.args)
    except (ValueError, TypeError):
        return None
    return (event.tool, event.cwd, arguments) if len(arguments) <= MAX_BYTES else None
