"""Puts what an operator does on record, from this process, beside a gateway that may be running.

Called when the work is done: a store that cannot be written is said on stderr and takes nothing back, since
it must never keep anybody from leaving. The store's libraries are imported only then.
Source: ``spec/observability-and-audit.md`` §3.5 (actions), ``spec/cli-and-config.md`` §2.7 (``keys set``).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from defenseclaw import __version__
from defenseclaw.cli.context import App
from defenseclaw.cli.output import print_warning
from defenseclaw.config.load import changed_keys, content_hash
from defenseclaw.errors import DefenseClawError

if TYPE_CHECKING:
    from defenseclaw.audit.records import Batch
    from defenseclaw.config.schema import Config

SECRET_KEYS = frozenset({"gateway.token"})
"""Configuration keys of whose value only the presence is recorded."""


def record(
    app: App,
    action: str,
    *,
    target_type: str,
    target: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str = "",
    connector: str = "",
) -> None:
    """Append one row; where that fails, say so on stderr.

    Args:
        app: Where we are.
        action: A word of the specification's action families.
        target_type: What kind of thing was changed: ``connector``, ``config``, ``credential`` …
        target: Its name.
        before: The state that was; of a secret only whether there was one.
        after: The state that is.
        reason: One sentence.
        connector: Its name, where the change is about one.
    """
    from defenseclaw.audit.store import Store
    from defenseclaw.audit.writer import Writer

    batch = _batch(app, action, target_type, target, before, after, reason, connector)
    try:
        store = Store.open(app.data.audit_db)
        writer = Writer(store)
        writer.start()
        try:
            writer.commit_sync(batch)
        finally:
            writer.stop()
            store.close()
    except DefenseClawError as error:
        print_warning(f"done, but not on record ({action}): {error.message}")
    except OSError as error:
        print_warning(f"done, but not on record ({action}): {error.strerror or type(error).__name__}")


def record_config_change(app: App, before: Config) -> None:
    """Record what differs between ``before`` and the configuration on disk; nothing for no difference.

    A running gateway takes changes up and records them itself, so that a change is on record once.
    """
    now = app.config()
    keys = changed_keys(before, now)
    if keys and not gateway_records(app, now):
        old, new = values_of(before, keys), values_of(now, keys)
        record(app, "config-update", target_type="config", target=",".join(keys), before=old, after=new)


def acknowledgement(app: App, *, severities: Iterable[str], connector: str) -> Batch:
    """Return the row of an acknowledgement, for the store to write together with it."""
    scope = {"severities": ",".join(severities), "connector": connector or "all"}
    return _batch(app, "acknowledge-alerts", "alerts", connector or "all", None, scope, "", connector)


def gateway_records(app: App, config: Config) -> bool:
    """Return whether a running gateway takes the configuration up, and so records its changes."""
    from defenseclaw.daemon import PidFile

    return config.gateway.config_reload.mode == "hot" and PidFile(app.data.pid_file).running() is not None


def values_of(config: Config, keys: Iterable[str]) -> dict[str, Any]:
    """Return the values at dotted paths, None for those that are not there; secrets as ``had_value``."""
    found = {key: _at(config, key) for key in keys}
    return {key: {"had_value": bool(value)} if key in SECRET_KEYS else value for key, value in found.items()}


def _at(section: object, key: str) -> Any:  # noqa: ANN401 - any node of the configuration
    from msgspec import to_builtins

    for name in key.split("."):
        section = section.get(name) if isinstance(section, dict) else getattr(section, name, None)
    return to_builtins(section)


def _batch(
    app: App,
    action: str,
    target_type: str,
    target: str,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
    reason: str,
    connector: str,
) -> Batch:
    from msgspec.structs import replace

    from defenseclaw.audit import rows
    from defenseclaw.audit.records import Batch, ProcessIdentity

    row = rows.activity(
        action,
        process=ProcessIdentity(
            run_id=app.env.get("DEFENSECLAW_RUN_ID") or str(uuid.uuid4()),
            sidecar_instance_id="",
            binary_version=__version__,
            content_hash=_content_hash(app),
        ),
        now=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        target_type=target_type,
        target_id=target,
        reason=reason,
        before=before,
        after=after,
    )
    return Batch(row=replace(row, connector=connector, agent_name=connector))


def _content_hash(app: App) -> str:
    try:
        return content_hash(app.config())
    except DefenseClawError:
        return ""
