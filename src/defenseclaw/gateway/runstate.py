"""What runs in this process and since when: the parts that ``/health`` and ``/status`` report.

Source: ``spec/gateway-api.md`` §9.1.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from msgspec import Struct, field

State = Literal["starting", "running", "reconnecting", "stopped", "error", "disabled"]

_STARTING = ("gateway", "watcher", "config", "api")
_DISABLED = ("guardrail", "telemetry", "ai_discovery", "application_protection", "sinks")


class Subsystem(Struct, frozen=True, omit_defaults=True):
    """One part of the process."""

    state: State
    since: str
    """Moment of the last change of state, RFC 3339."""
    last_error: str = ""
    details: dict[str, Any] = field(default_factory=dict)


class RunState:
    """A board on which each part of the process writes its own state.

    Args:
        clock: Returns the present moment.
        monotonic: Returns seconds that never go back, for the uptime.
    """

    def __init__(
        self,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._began = monotonic()
        self.started_at = self._now()
        self._parts = {name: Subsystem("starting", self.started_at) for name in _STARTING}
        self._parts |= {name: Subsystem("disabled", self.started_at) for name in _DISABLED}

    @property
    def uptime_ms(self) -> int:
        """Milliseconds since the process started."""
        return int((self._monotonic() - self._began) * 1000)

    @property
    def parts(self) -> Mapping[str, Subsystem]:
        """All subsystems by name."""
        return self._parts

    def report(self, part: str, state: State, *, error: str = "", **details: object) -> None:
        """Write down the state of one part; ``since`` moves only when the state changes.

        Args:
            part: Name of the subsystem; unknown names are added.
            state: What it does now.
            error: One sentence free of content, for ``error`` and ``reconnecting``.
            details: Facts about it that anyone on this machine may read.
        """
        known = self._parts.get(part)
        since = known.since if known is not None and known.state == state else self._now()
        self._parts[part] = Subsystem(state, since, error, details)

    def _now(self) -> str:
        return self._clock().isoformat(timespec="microseconds").replace("+00:00", "Z")
