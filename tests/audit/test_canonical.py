from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import pytest

from defenseclaw.audit import canonical

SCAN = (1, "s", "hook-rules", "t", "prompt", "now", 0, 1, "HIGH", "warn", "run", "eval")
FINDING = (1, 0, "f", "s", "R", "c", "HIGH", "title", "", "", "", "[]", 0.5)


def _event(**values: Any) -> dict[str, Any]:
    empty = {field.name: field.default for field in msgspec.structs.fields(canonical.Event)}
    return empty | {"seq": 3, "recorded": 7, "id": "x"} | values


def test_canonical_json_is_sorted_compact_utf8_without_empty_columns() -> None:
    row = _event(target="Grüße", enforced=1, step_idx=0)
    assert (
        canonical.stored_event_bytes(row)
        == '{"enforced":1,"id":"x","recorded":7,"seq":3,"step_idx":0,"target":"Grüße"}'.encode()
    )


def test_what_is_read_back_has_the_bytes_of_what_was_written() -> None:
    row = _event(details="a\tb", generation=2)
    assert canonical.event_bytes(tuple(row.values())) == canonical.stored_event_bytes(row)


def test_children_digest_covers_scan_and_findings_in_order() -> None:
    digest = canonical.children_hash(SCAN, [FINDING])
    as_read = dict(zip(canonical.SCAN_COLUMNS, SCAN, strict=True))
    finding = dict(zip(canonical.FINDING_COLUMNS, FINDING, strict=True))
    assert canonical.stored_children_hash(as_read, [finding]) == digest
    assert (
        digest
        == hashlib.sha256(
            b'[{"evaluation_id":"eval","event_seq":1,"finding_count":1,"id":"s","max_severity":"HIGH",'
            b'"run_id":"run","scanner":"hook-rules","target":"t","target_type":"prompt","timestamp":"now",'
            b'"verdict":"warn"},[{"category":"c","confidence":0.5,"event_seq":1,"id":"f","rule_id":"R",'
            b'"scan_id":"s","severity":"HIGH","tags":"[]","title":"title"}]]'
        ).hexdigest()
    )


def test_no_children_have_no_digest_and_findings_need_a_scan() -> None:
    assert canonical.stored_children_hash(None, []) == ""
    with pytest.raises(ValueError, match="without their scan"):
        canonical.stored_children_hash(None, [{}])


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("details", b"abc"),
        ("details", None),
        ("details", 1),
        ("details", "\udcff"),
        ("step_idx", ""),
        ("step_idx", 1.0),
        ("enforced", "1"),
        ("enforced", None),
        ("seq", True),
    ],
    ids=lambda value: repr(value),
)
def test_a_value_of_another_type_than_its_column_is_refused(column: str, value: object) -> None:
    with pytest.raises(ValueError, match=r"Expected|surrogates"):
        canonical.stored_event_bytes(_event(**{column: value}))
