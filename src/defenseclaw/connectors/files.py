"""Applies plans to the machine and takes them back: plan → back up → apply → verify, and restore.

Before the first change of a file that is not ours alone, its bytes and mode are kept in
``<data>/connector_backups/<connector>/<logical>.json``. As long as such a file still holds what we wrote,
:func:`restore` puts the kept bytes back exactly; once somebody else edited it, the connector's own
teardown plan removes only our entries. Either everything of a call happens or nothing.

Source: seed ``omnigent-connector`` "All three managed files are backed up"; ``spec/connectors.md`` §4-§5.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from defenseclaw.connectors import disk
from defenseclaw.connectors.base import Change, Connector, Host, Plan
from defenseclaw.errors import ForeignContent, SetupError

_VERSION = 1
_EDITED = "edited"
"""``post_sha256`` once somebody else edited the file between two setups: it can only be cleaned."""


class Backup(Struct, frozen=True, kw_only=True):
    """One file as it was before our first change of it."""

    connector: str
    logical_name: str
    path: Path
    """As the connector named it: absolute, symbolic links not resolved."""
    pristine: bytes | None
    """None: it did not exist."""
    mode: int
    post_sha256: str
    """Digest of what we left there last; ``missing``, or ``edited`` when it can only be cleaned."""
    captured_at: str
    created_dirs: tuple[Path, ...] = ()
    """Directories that exist only because of us, outermost first."""

    def matches(self, current: str) -> bool:
        """Whether nobody else changed the file since; ``current`` is its digest."""
        return current in (self.post_sha256, disk.digest(self.pristine))


def apply(host: Host, connector: Connector, plan: Plan) -> tuple[Change, ...]:
    """Make the machine as ``plan`` says and prove it; return the changes that were not there yet.

    Raises:
        SetupError: a file changed since the plan was made, cannot be written, or the agent will not load
            us. Everything is as it was before the call.
    """
    with disk.locked(host.data_dir), disk.Transaction() as work:
        disk.make_private(host.data_dir / "hooks")
        _refuse_stale(plan)
        if _moved(host, connector, plan):
            _restore(work, host, connector)
        done = tuple(change for change in plan.changes if _apply_one(work, host, connector, change))
        connector.verify(host)
    return done


def restore(host: Host, connector: Connector) -> Plan:
    """Take a setup back; return what was done. Idempotent.

    Raises:
        SetupError: a file cannot be cleaned or written. Everything is as it was before the call.
    """
    with disk.locked(host.data_dir), disk.Transaction() as work:
        return _restore(work, host, connector)


def backups(host: Host, connector: str) -> tuple[Backup, ...]:
    """Return the backup records of a connector.

    Raises:
        SetupError: a record is not readable or not what it says it is.
    """
    kept = folder(host, connector)
    if not kept.is_dir():
        return ()
    return tuple(_load(path, connector) for path in sorted(kept.glob("*.json")))


def recorded_path(host: Host, connector: str, logical: str) -> Path | None:
    """Return where a setup put ``logical``, which may differ from where it would go today."""
    backup = _find(host, connector, logical)
    return backup.path if backup else None


def created_files(host: Host, connector: str) -> tuple[Path, ...]:
    """Return the files that did not exist before the setup."""
    return tuple(each.path for each in backups(host, connector) if each.pristine is None)


def _refuse_stale(plan: Plan) -> None:
    for change in plan.changes:
        if change.seen_sha256 and disk.look(change.path).digest != change.seen_sha256:
            raise SetupError(f"{change.path} changed in the meantime", hint="run the command again")


def _moved(host: Host, connector: Connector, plan: Plan) -> bool:
    wanted = {change.logical: change.path for change in plan.changes if change.logical}
    return any(
        wanted.get(each.logical_name, each.path) != each.path for each in backups(host, connector.name)
    )


def _apply_one(work: disk.Transaction, host: Host, connector: Connector, change: Change) -> bool:
    if _ours(host, change) and change.path.is_symlink():
        raise ForeignContent(f"{change.path} is a symbolic link where a file of ours belongs")
    now = disk.look(change.path)
    mode = change.mode if now.content is None or _ours(host, change) else now.mode
    differs = now.content != change.content or (change.content is not None and now.mode != mode)
    backup = _find(host, connector.name, change.logical) if change.logical else None
    lost = bool(change.logical) and backup is None
    if lost:
        backup = _capture(host, connector, change, now)
    elif backup is not None and differs and not backup.matches(now.digest):
        backup = replace(backup, post_sha256=_EDITED)
    if change.content is None:
        work.delete(change.path)
        created = []
    else:
        created = work.put(change.path, change.content, mode)
    if backup is not None and (differs or lost):
        post = _EDITED if backup.post_sha256 == _EDITED else disk.digest(change.content)
        kept = (*backup.created_dirs, *(each for each in created if each not in backup.created_dirs))
        _store(work, host, replace(backup, post_sha256=post, created_dirs=kept))
    return differs


def _capture(host: Host, connector: Connector, change: Change, now: disk.Snapshot) -> Backup:
    """What is ours already, from a setup whose record was lost, does not belong into the original."""
    pristine = None if now.content == change.content else now.content
    if now.content is not None:
        for cleaned in connector.plan_teardown(host).changes:
            if cleaned.path == change.path:
                pristine = cleaned.content
    return Backup(
        connector=connector.name,
        logical_name=change.logical,
        path=change.path,
        pristine=pristine,
        mode=now.mode,
        post_sha256="",
        captured_at=_now(),
    )


def _restore(work: disk.Transaction, host: Host, connector: Connector) -> Plan:
    plan = connector.plan_teardown(host)
    records = backups(host, connector.name)
    untouched = {each.path: each for each in records if each.matches(disk.look(each.path).digest)}
    planned = {change.path for change in plan.changes}
    unplanned = [
        Change(path=path, content=each.pristine, logical=each.logical_name)
        for path, each in untouched.items()
        if path not in planned
    ]
    done = []
    for change in (*unplanned, *plan.changes):
        if _take_back(work, host, change, untouched.get(change.path)):
            done.append(change)
    for each in records:
        work.delete(_record_path(host, each.connector, each.logical_name))
    _drop_directories(work, host, connector.name, records)
    return replace(plan, changes=tuple(done))


def _take_back(work: disk.Transaction, host: Host, change: Change, original: Backup | None) -> bool:
    now = disk.look(change.path)
    content = original.pristine if original else change.content
    if content == now.content:
        return False
    if content is None:
        work.delete(change.path)
    else:
        mode = now.mode
        if now.content is None or _ours(host, change):
            mode = original.mode if original else change.mode
        work.put(change.path, content, mode)
    return True


def _drop_directories(work: disk.Transaction, host: Host, connector: str, records: Iterable[Backup]) -> None:
    created = {directory for each in records for directory in each.created_dirs}
    for directory in sorted(created, key=lambda each: len(each.parts), reverse=True):
        work.drop_directory(directory)
        if directory.is_dir():
            _hand_over(work, host, connector, directory)
    work.drop_directory(folder(host, connector))
    work.drop_directory(folder(host, connector).parent)
    work.drop_directory(host.data_dir / "hooks" / "__pycache__")
    work.drop_directory(host.data_dir / "hooks")


def _hand_over(work: disk.Transaction, host: Host, connector: str, directory: Path) -> None:
    """Leave a directory of ours to another connector that put something below it, which then removes it."""
    for path in sorted(folder(host, connector).parent.glob("*/*.json")):
        if path.parent.name == connector:
            continue
        with contextlib.suppress(SetupError):  # a damaged record is told of where its connector is removed
            other = _load(path, path.parent.name)
            if other.path.is_relative_to(directory) and directory not in other.created_dirs:
                _store(work, host, replace(other, created_dirs=(directory, *other.created_dirs)))
                return


def _ours(host: Host, change: Change) -> bool:
    return not change.logical or change.path.is_relative_to(host.data_dir)


def folder(host: Host, connector: str) -> Path:
    """Return where the backup records of a connector are kept."""
    return host.data_dir / "connector_backups" / connector


def _record_path(host: Host, connector: str, logical: str) -> Path:
    return folder(host, connector) / (re.sub(r"[/\\: ]", "_", logical) + ".json")


def _find(host: Host, connector: str, logical: str) -> Backup | None:
    path = _record_path(host, connector, logical)
    if not path.exists():
        return None
    backup = _load(path, connector)
    if backup.logical_name != logical:
        raise SetupError(f"backup record {path} is of another file")
    return backup


def _store(work: disk.Transaction, host: Host, backup: Backup) -> None:
    row = {
        "version": _VERSION,
        "connector": backup.connector,
        "logical_name": backup.logical_name,
        "path": str(backup.path),
        "existed": backup.pristine is not None,
        "mode": backup.mode,
        "pristine_sha256": disk.digest(backup.pristine),
        "pristine_bytes": base64.b64encode(backup.pristine or b"").decode(),
        "post_sha256": backup.post_sha256,
        "created_dirs": [str(each) for each in backup.created_dirs],
        "captured_at": backup.captured_at,
        "updated_at": _now(),
    }
    path = _record_path(host, backup.connector, backup.logical_name)
    work.put(path, (json.dumps(row, indent=2) + "\n").encode(), 0o600)


def _load(path: Path, connector: str) -> Backup:
    try:
        row: dict[str, Any] = json.loads(disk.look(path).content or b"")
        pristine = base64.b64decode(row["pristine_bytes"], validate=True) if row["existed"] else None
        backup = Backup(
            connector=row["connector"],
            logical_name=row["logical_name"],
            path=Path(row["path"]),
            pristine=pristine,
            mode=int(row["mode"]) & 0o7777,
            post_sha256=row["post_sha256"],
            captured_at=row["captured_at"],
            created_dirs=tuple(Path(each) for each in row.get("created_dirs", ())),
        )
        whole = row["version"] == _VERSION and row["pristine_sha256"] == disk.digest(pristine)
    except (ValueError, KeyError, TypeError, binascii.Error) as error:
        raise SetupError(f"backup record {path} is damaged") from error
    if not whole or backup.connector != connector or not backup.path.is_absolute():
        raise SetupError(f"backup record {path} is damaged or of another connector")
    return backup


def _now() -> str:
    return datetime.now(UTC).isoformat()
