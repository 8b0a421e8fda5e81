"""The one byte form of a row, which its hash is taken of.

Canonical JSON (keys sorted, no blanks, UTF-8) of the columns as they are stored; a column that holds its
empty value (``""``, 0, NULL) is left out, so a column added later leaves every older hash valid. Floats are
in shortest round-trip form. Shapes are taken from :mod:`defenseclaw.audit.tables`, nothing is listed twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Float, Table, Text

from defenseclaw.audit import tables

StoredRow = Mapping[Any, Any]
"""A row as it was read back: column name to value."""

_LINK_COLUMNS = frozenset({"prev_hash", "row_hash"})


def _shape(table: Table) -> type[msgspec.Struct]:
    """Return a struct with the hashed columns of ``table``, in table order."""
    fields: list[tuple[str, Any, Any]] = []
    for column in table.columns:
        name = str(column.name)
        if name in _LINK_COLUMNS:
            continue
        if isinstance(column.type, Text):
            fields.append((name, str, ""))
        elif isinstance(column.type, Float):
            fields.append((name, float, 0.0))
        elif column.nullable:
            fields.append((name, int | None, None))
        else:
            fields.append((name, int, 0))
    return msgspec.defstruct(table.name, fields, omit_defaults=True, frozen=True, gc=False)


Event = _shape(tables.audit_events)
Scan = _shape(tables.scan_results)
Finding = _shape(tables.scan_findings)

EVENT_COLUMNS: tuple[str, ...] = Event.__struct_fields__
SCAN_COLUMNS: tuple[str, ...] = Scan.__struct_fields__
FINDING_COLUMNS: tuple[str, ...] = Finding.__struct_fields__

encode = msgspec.json.Encoder(order="sorted").encode


def event_bytes(values: Sequence[Any]) -> bytes:
    """Return the canonical JSON of an event row whose values stand in the order of the columns."""
    return encode(Event(*values))


def children_hash(scan: Sequence[Any], findings: Sequence[Sequence[Any]]) -> str:
    """Return the digest over a scan row and its finding rows, 64 hex digits."""
    return hashlib.sha256(encode([Scan(*scan), [Finding(*finding) for finding in findings]])).hexdigest()


def stored_event_bytes(row: StoredRow) -> bytes:
    """Return the canonical JSON of an event row as it was read back.

    Raises:
        ValueError: a value has another type than its column, or is not Unicode text.
    """
    return encode(_strict(row, Event))


def stored_children_hash(scan: StoredRow | None, findings: Sequence[StoredRow]) -> str:
    """Return the digest over children as they were read back; empty when there are none.

    Raises:
        ValueError: findings without a scan, a value of another type, or text that is not Unicode.
    """
    if scan is None:
        if findings:
            raise ValueError("findings without their scan")
        return ""
    strict = [_strict(scan, Scan), [_strict(finding, Finding) for finding in findings]]
    return hashlib.sha256(encode(strict)).hexdigest()


def _strict(row: StoredRow, shape: type[msgspec.Struct]) -> msgspec.Struct:
    # SQLite keeps a value of any type in any column: without this check a BLOB could pass for the text
    # that has the same JSON.
    return msgspec.convert(row, shape, strict=True)
