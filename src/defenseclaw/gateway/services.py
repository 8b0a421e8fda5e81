"""Everything the API needs of the rest of the program, in one value that ``main`` wires."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from defenseclaw.audit.records import ProcessIdentity
from defenseclaw.audit.store import Store
from defenseclaw.audit.writer import Writer
from defenseclaw.config.load import ConfigHolder
from defenseclaw.connectors.base import Connector, Host
from defenseclaw.gateway.runstate import RunState
from defenseclaw.inspection import Inspector


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What the routes work with."""

    inspector: Inspector
    config: ConfigHolder
    store: Store
    """Read side of the audit store."""
    writer: Writer
    """Asked for its health only; what is recorded goes through the Inspector."""
    connectors: Mapping[str, Connector]
    host: Host
    identity: Callable[[], ProcessIdentity]
    """What every row of this process shares, with the present generation."""
    token: Callable[[], str]
    """The gateway token; empty when there is none."""
    scoped_token: Callable[[str], str | None]
    """A connector's own token by connector name, read anew on every call; raises an error of ours
    when the file is damaged."""
    run_state: RunState
    reload_config: Callable[[], Awaitable[None]]
    """Reads ``config.yaml`` anew and takes it up; a refusal stands in ``config.last_error``."""
    journal: Callable[[Mapping[str, Any]], None]
    """Appends one envelope to ``gateway.jsonl``; never raises, never waits."""
    scrub: Callable[[str], str]
    """Masks secrets and personal data in free text on its way into a row, see ``Inspector.clean``."""
    telemetry: Callable[[str], tuple[str, ...]] = lambda _connector: ("hook",)
    """Signal channels we configured for a connector: ``hook``, ``otel``, ``notify``."""
