"""``gateway.jsonl``: a copy of what was committed, one JSON object per line, for people and collectors.

Written by the writer thread after the commit. The store is the record; a line that cannot be written is
counted and changes nothing else. Source: ``spec/observability-and-audit.md`` §5.
"""

from __future__ import annotations

import gzip
import hashlib
import hmac
import os
import shutil
import stat
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from defenseclaw.audit.canonical import encode
from defenseclaw.audit.records import AuditRow, Batch, FindingRow, ScanRow
from defenseclaw.audit.rows import ACTIVITY_SCHEMA, HOOK_SCHEMA, INSPECT_SCHEMA

MAX_BYTES = 50 * 1024 * 1024
KEEP_FILES = 5
KEEP_S = 30 * 24 * 3600

_ENVELOPE = (
    *("severity", "schema_version", "content_hash", "generation", "binary_version", "run_id"),
    *("request_id", "session_id", "turn_id", "trace_id", "agent_id", "agent_name", "agent_instance_id"),
    *("sidecar_instance_id", "policy_id", "destination_app", "tool_name", "tool_id", "connector"),
)
_DIRECTIONS = {"prompt": "prompt", "completion": "completion", "tool_call": "tool_call"}
_HOOK_FIELDS = (
    *("connector", "event", "result", "action", "raw_action", "severity", "mode", "would_block"),
    *("enforced", "step_idx", "reason", "evaluation_id", "rule_ids"),
)
_SUBSYSTEMS = (
    (("scan", "rescan"), "scanner"),
    (("watch",), "watcher"),
    (("sidecar-", "gateway-ready", "gateway-down", "gateway-recovered", "gateway-degraded"), "gateway"),
    (("api-",), "api"),
    (("sink-", "splunk-"), "sinks"),
    (("otel-", "otel.", "telemetry-"), "telemetry"),
    (("skill-", "plugin-", "mcp-", "tool-", "block", "allow", "quarantine"), "enforcement"),
)
_TRANSITIONS = {
    "start": "start",
    "stop": "stop",
    "ready": "ready",
    "down": "alert",
    "degraded": "degraded",
    "recovered": "restored",
    "restored": "restored",
}


class Journal:
    """An append-only, rotated file of JSON lines. Safe to share between threads.

    Args:
        path: the file; made 0600.
        key: with one, every line ends in ``payload_hmac``: HMAC-SHA-256, hex, of the line's canonical JSON
            (keys sorted, no blanks) without that member.
        max_bytes: size at which it is put aside and compressed.
        keep: compressed files kept, for at most 30 days.
    """

    def __init__(
        self, path: Path, *, key: bytes = b"", max_bytes: int = MAX_BYTES, keep: int = KEEP_FILES
    ) -> None:
        self._path = path
        self._key = key
        self._lock = threading.Lock()
        self._max_bytes = max_bytes
        self._keep = keep
        self._descriptor: int | None = None
        self._size = 0
        self._packer: threading.Thread | None = None
        self.failures = 0
        """Lines that could not be written."""

    def write(self, batches: Sequence[Batch]) -> None:
        """Append the lines of committed batches; never raises."""
        encoded: list[bytes] = []
        for batch in batches:
            try:
                encoded.extend(map(self._encode, lines_of(batch)))
            except (ValueError, TypeError):
                self.failures += 1
        self._put(encoded)

    def append(self, line: Mapping[str, Any]) -> None:
        """Append one line that no row stands behind (a refused request); never raises."""
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        try:
            encoded = self._encode({"ts": now, **line})
        except (ValueError, TypeError):
            self.failures += 1
        else:
            self._put([encoded])

    def _put(self, encoded: Sequence[bytes]) -> None:
        if not encoded:
            return
        with self._lock:
            try:
                self._append(b"".join(encoded))
            except OSError:
                self.failures += len(encoded)
                self._close_file()

    def _encode(self, line: Mapping[str, Any]) -> bytes:
        text = encode(line)
        if not self._key:
            return text + b"\n"
        code = hmac.digest(self._key, text, hashlib.sha256).hex().encode()
        return b'%s,"payload_hmac":"%s"}\n' % (text[:-1], code)

    def close(self) -> None:
        """Close the file and wait for a compression under way."""
        with self._lock:
            self._close_file()
        if self._packer is not None:
            self._packer.join()

    def _append(self, data: bytes) -> None:
        descriptor = self._open()
        written = os.write(descriptor, data)
        if written != len(data):
            raise OSError("short write")
        self._size += written
        if self._size >= self._max_bytes:
            self._rotate()

    def _open(self) -> int:
        # A file somebody removed still takes writes; a count of links costs less than lost lines.
        if self._descriptor is not None and os.fstat(self._descriptor).st_nlink > 0:
            return self._descriptor
        self._close_file()
        # Whatever lies at the path must neither block the writer nor lead it elsewhere.
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(self._path, flags, 0o600)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise OSError("not a regular file")
            if stat.S_IMODE(status.st_mode) & 0o077:
                os.fchmod(descriptor, 0o600)
            if status.st_size and os.pread(descriptor, 1, status.st_size - 1) != b"\n":
                os.write(descriptor, b"\n")  # a write was cut short: what follows starts its own line
        except OSError:
            os.close(descriptor)
            raise
        self._descriptor, self._size = descriptor, status.st_size
        return descriptor

    def _close_file(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with suppress(OSError):
                os.close(descriptor)

    # ---- rotation -------------------------------------------------------------------------------

    def _rotate(self) -> None:
        if self._packer is not None and self._packer.is_alive():
            return  # still compressing the last one; the file may grow a little meanwhile
        aside = self._numbered(1, packed=False)
        if not aside.exists():  # one is left over when we were stopped in the middle: pack that first
            self._close_file()
            self._path.rename(aside)
        # Compressing 50 MB takes about a second, which no verdict should wait for.
        self._packer = threading.Thread(target=self._pack, args=(aside,), name="journal-pack", daemon=True)
        self._packer.start()

    def _pack(self, aside: Path) -> None:
        try:
            draft = aside.with_name(aside.name + ".part")
            draft.unlink(missing_ok=True)
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with (
                os.fdopen(descriptor, "wb") as raw,
                gzip.GzipFile(fileobj=raw, mode="wb", mtime=0) as packed,
                aside.open("rb") as source,
            ):
                shutil.copyfileobj(source, packed, 1 << 20)
            for number in range(self._keep, 1, -1):
                older = self._numbered(number - 1, packed=True)
                if older.exists():
                    older.replace(self._numbered(number, packed=True))
            draft.replace(self._numbered(1, packed=True))
            aside.unlink()
            self._drop_old()
        except OSError:
            self.failures += 1

    def _drop_old(self) -> None:
        for number in range(1, self._keep + 1):
            packed = self._numbered(number, packed=True)
            with suppress(FileNotFoundError):
                if packed.stat().st_mtime < time.time() - KEEP_S:
                    packed.unlink()

    def _numbered(self, number: int, *, packed: bool) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}{'.gz' if packed else ''}")


# ---- lines ---------------------------------------------------------------------------------------


def lines_of(batch: Batch) -> Iterator[dict[str, Any]]:
    """Yield the lines of one batch: its decision or event, then scan and findings, then the caller's own."""
    row = batch.row
    envelope = {name: value for name in _ENVELOPE if (value := getattr(row, name)) not in ("", None)}
    envelope["ts"] = row.timestamp
    yield envelope | _decision(row, batch.scan)
    if batch.scan is not None:
        yield envelope | _scan_line(row, batch.scan)
        for finding in batch.scan.findings:
            yield envelope | _finding_line(row, batch.scan, finding)
    for line in batch.journal:
        yield envelope | dict(line)


def _decision(row: AuditRow, scan: ScanRow | None) -> dict[str, Any]:
    structured = row.structured or {}
    schema = structured.get("schema")
    if schema == HOOK_SCHEMA:
        decision = {name: structured[name] for name in _HOOK_FIELDS if name in structured}
        return _line("hook_decision", decision | {"latency_ms": structured.get("elapsed_ms", 0)})
    if schema == INSPECT_SCHEMA:
        return _verdict_line(structured, scan)
    if schema == ACTIVITY_SCHEMA:
        activity = {name: value for name, value in structured.items() if name != "schema"}
        return _line("activity", {"actor": row.actor, "action": row.action} | activity)
    return _line("lifecycle", _lifecycle(row))


def _verdict_line(structured: Mapping[str, Any], scan: ScanRow | None) -> dict[str, Any]:
    verdict = {
        "stage": f"inspect-{structured.get('route', '')}",
        "action": structured.get("action", ""),
        "reason": structured.get("reason", ""),
        "categories": sorted({finding.category for finding in scan.findings}) if scan else [],
        "latency_ms": structured.get("elapsed_ms", 0),
        "evaluation_id": structured.get("evaluation_id", ""),
        "rule_ids": structured.get("rule_ids", []),
    }
    line = _line("verdict", verdict)
    extra = structured.get("extra")
    if isinstance(extra, Mapping) and extra.get("model"):
        line["model"] = extra["model"]
    direction = _DIRECTIONS.get(str(structured.get("kind", "")))
    return line | {"direction": direction} if direction else line


def _lifecycle(row: AuditRow) -> dict[str, Any]:
    subsystem = next((name for starts, name in _SUBSYSTEMS if row.action.startswith(starts)), "gateway")
    details = {
        "audit_id": row.id,
        "action": row.action,
        "target": row.target,
        "actor": row.actor,
        "details": row.details,
        "trace_id": row.trace_id,
    }
    return {
        "subsystem": subsystem,
        "transition": _TRANSITIONS.get(row.action.rpartition("-")[2], "completed"),
        "details": {name: value for name, value in details.items() if value},
    }


def _scan_line(row: AuditRow, scan: ScanRow) -> dict[str, Any]:
    payload = {
        "scan_id": scan.id,
        "scanner": scan.scanner,
        "target": scan.target,
        "target_type": scan.target_type,
        "verdict": scan.verdict,
        "duration_ms": scan.duration_ms,
        "severity_max": scan.max_severity,
        "counts": dict(Counter(finding.severity for finding in scan.findings)),
        "total_count": len(scan.findings),
        "evaluation_id": row.evaluation_id,
    }
    return _line("scan", payload) | {"severity": scan.max_severity}


def _finding_line(row: AuditRow, scan: ScanRow, finding: FindingRow) -> dict[str, Any]:
    payload = {
        "scan_id": scan.id,
        "scanner": scan.scanner,
        "target": scan.target,
        "finding_id": finding.id,
        "rule_id": finding.rule_id,
        "category": finding.category,
        "title": finding.title,
        "description": finding.description,
        "severity": finding.severity,
        "location": finding.location,
        "remediation": finding.remediation,
        "tags": finding.tags,
        "confidence": finding.confidence,
        "evaluation_id": row.evaluation_id,
    }
    return _line("scan_finding", {name: value for name, value in payload.items() if value != ""}) | {
        "severity": finding.severity
    }


def _line(event_type: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    return {"event_type": event_type, event_type: payload}
