from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from defenseclaw.audit import rows
from defenseclaw.audit.identity import random_id
from defenseclaw.audit.records import ProcessIdentity
from defenseclaw.audit.store import Store
from defenseclaw.detection.redaction import make_evidence_placeholder
from defenseclaw.verification import evidence, markers
from defenseclaw.verification.verdicts import Recorded
from defenseclaw.vocabulary import Action, Door, Event, EventKind, Evidence, Finding, Mode, Severity, Verdict

SINCE = "2026-03-04T12:00:00.000000Z"
LATER = "2026-03-04T12:00:01.000000Z"
MARKER = markers.mint()
FINDING = Finding(
    rule_id=markers.RULE_ID,
    title="",
    category="self-protection",
    severity=Severity.CRITICAL,
    confidence=1.0,
    evidence=Evidence(MARKER),
    because="pattern in the arguments",
)
CALL = Event(kind=EventKind.TOOL_CALL, door=Door.HOOK, name="PreToolUse", connector="codex", tool="shell")
VERDICT = Verdict(
    evaluation_id="",
    action=Action.BLOCK,
    raw_action=Action.BLOCK,
    severity=Severity.CRITICAL,
    confidence=1.0,
    mode=Mode.ACTION,
    findings=(FINDING,),
    enforced=True,
)


@pytest.fixture
def audit_db(tmp_path: Path) -> Path:
    path = tmp_path / "data" / "audit.db"
    Store.open(path).close()
    return path


def record(audit_db: Path, event: Event = CALL, verdict: Verdict = VERDICT, now: str = LATER) -> None:
    store = Store.open(audit_db)
    batch = rows.batch_for(
        event,
        replace(verdict, evaluation_id=random_id()),
        process=ProcessIdentity(run_id="r", sidecar_instance_id="i", binary_version="1"),
        placeholder=make_evidence_placeholder(store.identity.derive("redaction")),
        clean=str,
        elapsed_ms=1.0,
        now=now,
        state=None,
        rule_pack="default",
        fix_for=lambda _rule: "",
    )
    appender = store.appender()
    appender.append([batch], 0)
    appender.close()
    store.close()


def found(audit_db: Path) -> list[Recorded]:
    return evidence.recorded(audit_db, "codex", SINCE, [MARKER])[MARKER]


def test_a_row_about_the_marker_is_found(audit_db: Path):
    record(audit_db)
    assert found(audit_db) == [
        Recorded(event="PreToolUse", action="block", raw_action="block", replaced=True)
    ]


@pytest.mark.parametrize(
    "row",
    [
        {"now": "2026-03-04T11:59:59.999999Z"},
        {"event": replace(CALL, connector="copilot")},
        {"event": replace(CALL, door=Door.INSPECT)},
        {"verdict": replace(VERDICT, findings=(replace(FINDING, evidence=Evidence(markers.mint())),))},
        {"verdict": replace(VERDICT, findings=(replace(FINDING, rule_id="CMD-RM-RF"),))},
        {"verdict": replace(VERDICT, findings=())},
    ],
    ids=["before-the-run", "another-agent", "another-door", "another-marker", "another-rule", "no-finding"],
)
def test_a_row_about_anything_else_is_not(audit_db: Path, row: dict[str, object]):
    record(audit_db, **row)  # type: ignore[arg-type]
    assert found(audit_db) == []


def test_no_store_holds_nothing(tmp_path: Path):
    assert found(tmp_path / "none.db") == []


def test_why_hooks_failed_is_read_from_their_log(tmp_path: Path):
    log = tmp_path / "failures.jsonl"
    lines = [
        {"ts": "2026-03-04T11:59:59Z", "connector": "codex", "reason": "long ago"},
        {"ts": "2026-03-04T12:00:00Z", "connector": "codex", "reason": "gateway timed out"},
        {"ts": "2026-03-04T12:00:05Z", "connector": "codex", "reason": "gateway timed out"},
        {"ts": "2026-03-04T12:00:05Z", "connector": "copilot", "reason": "another agent's"},
    ]
    log.write_text("".join(json.dumps(line) + "\n" for line in lines) + "not json\n")
    assert evidence.failures(log, "codex", SINCE) == ("gateway timed out",)
    assert evidence.failures(tmp_path / "none", "codex", SINCE) == ()
