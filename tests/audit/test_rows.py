from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import asdict, replace

from defenseclaw.audit import rows
from defenseclaw.audit.records import Batch, ProcessIdentity, SessionState
from defenseclaw.vocabulary import (
    Action,
    Correlation,
    Door,
    Event,
    EventKind,
    Evidence,
    Finding,
    Mode,
    Severity,
    Verdict,
)

NOW = "2026-05-28T20:26:40.123456Z"
CANARY = "canary-5f2b91"

FINDING = Finding(
    rule_id="CMD-RM-ROOT",
    title="Recursive delete of the root",
    category="command",
    severity=Severity.CRITICAL,
    confidence=0.95,
    tags=("destructive",),
    evidence=Evidence(f"rm -rf {CANARY}"),
    because="deletes the root recursively",
)
EVENT = Event(
    kind=EventKind.TOOL_CALL,
    door=Door.HOOK,
    name="PreToolUse",
    connector="claudecode",
    text=CANARY,
    tool="Bash",
    args={"command": CANARY},
    result={"stdout": CANARY},
    cwd="/home/someone/project",
    correlation=Correlation(
        request_id="req-1",
        session_id="ses-1",
        turn_id="turn-1",
        tool_call_id="call-1",
        trace_id="0af7651916cd43dd8448eb211c80319c",
        agent_id="agent-1",
        policy_id="pol-1",
        destination_app="app-1",
    ),
    extra={"permission_mode": "plan"},
)
BLOCKED = Verdict(
    evaluation_id="eval-1",
    action=Action.BLOCK,
    raw_action=Action.BLOCK,
    severity=Severity.CRITICAL,
    confidence=0.95,
    mode=Mode.ACTION,
    findings=(FINDING,),
    reason="matched: CMD-RM-ROOT:Recursive delete of the root",
    trail=("one finding", "CRITICAL blocks"),
    enforced=True,
    step_idx=2,
)
ALLOWED = Verdict(
    evaluation_id="eval-2",
    action=Action.ALLOW,
    raw_action=Action.ALLOW,
    severity=Severity.NONE,
    confidence=0.0,
    mode=Mode.OBSERVE,
)


def unchanged(text: str) -> str:
    return text


@pytest.fixture
def write(process: ProcessIdentity) -> Callable[..., Batch]:
    def write(event: Event = EVENT, verdict: Verdict = BLOCKED, **options: Any) -> Batch:
        base: dict[str, Any] = {
            "process": process,
            "placeholder": lambda raw: f"<redacted-evidence len={len(raw)} sha=00000000>",
            "clean": unchanged,
            "elapsed_ms": 3.6,
            "now": NOW,
            "state": None,
            "rule_pack": "default",
            "fix_for": lambda rule_id: f"Name the folder ({rule_id}).",
        }
        return rows.batch_for(event, verdict, **(base | options))

    return write


# ---- hook rows -----------------------------------------------------------------------------------


def test_the_envelope_of_a_blocked_call(write: Callable[..., Batch]) -> None:
    assert write().row.structured == {
        "schema": "defenseclaw.hook.v1",
        "timestamp": NOW,
        "connector": "claudecode",
        "event": "PreToolUse",
        "result": "ok",
        "action": "block",
        "raw_action": "block",
        "severity": "CRITICAL",
        "mode": "action",
        "reason": "matched: CMD-RM-ROOT:Recursive delete of the root",
        "would_block": False,
        "elapsed_ms": 4,
        "raw_origin": "hook",
        "extra": {"cwd": "/home/someone/project", "permission_mode": "plan"},
        "evaluation_id": "eval-1",
        "rule_ids": ["CMD-RM-ROOT"],
        "step_idx": 2,
        "enforced": True,
        "rule_pack_dir": "default",
        "trail": ["one finding", "CRITICAL blocks"],
    }


def test_the_columns_of_a_blocked_call(write: Callable[..., Batch], process: ProcessIdentity) -> None:
    columns = asdict(write().row)
    expected = {
        "timestamp": NOW,
        "action": "connector-hook",
        "target": "PreToolUse",
        "actor": "defenseclaw",
        "severity": "CRITICAL",
        "run_id": "run-1",
        "request_id": "req-1",
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
        "session_id": "ses-1",
        "turn_id": "turn-1",
        "agent_id": "agent-1",
        "agent_name": "claudecode",
        "sidecar_instance_id": "sidecar-1",
        "policy_id": "pol-1",
        "destination_app": "app-1",
        "tool_name": "Bash",
        "tool_id": "call-1",
        "connector": "claudecode",
        "evaluation_id": "eval-1",
        "step_idx": 2,
        "enforced": True,
        "rule_pack_dir": "default",
        "schema_version": 7,
        "content_hash": process.content_hash,
        "generation": 1,
        "binary_version": "9.9.9",
    }
    assert {name: columns[name] for name in expected} == expected


def test_details_hold_the_legacy_tail_and_a_mirror(write: Callable[..., Batch]) -> None:
    row = write().row
    tail, _, mirror = row.details.partition(" details_json=")
    assert tail == (
        "connector=claudecode result=ok action=block raw_action=block severity=CRITICAL mode=action "
        'reason="matched: CMD-RM-ROOT:Recursive delete of the root" would_block=false elapsed_ms=4 '
        "raw_origin=hook cwd=/home/someone/project permission_mode=plan"
    )
    assert row.structured is not None
    mirrored = {name: value for name, value in row.structured.items() if name != "trail"}
    assert json.loads(json.loads(mirror)) == mirrored


def test_an_event_without_names_still_makes_a_valid_envelope(write: Callable[..., Batch]) -> None:
    bare = Event(kind=EventKind.LIFECYCLE, door=Door.HOOK)
    batch = write(bare, ALLOWED)
    assert batch.scan is None
    assert batch.row.structured is not None
    assert (batch.row.structured["connector"], batch.row.structured["event"]) == ("unknown", "unknown")
    assert "step_idx" not in batch.row.structured
    assert batch.row.step_idx is None
    assert "extra" not in batch.row.structured


@pytest.mark.parametrize(
    ("raw_action", "severity", "row_severity"),
    [
        (Action.ALLOW, Severity.LOW, "INFO"),
        (Action.ALLOW, Severity.NONE, "INFO"),
        (Action.ALERT, Severity.LOW, "LOW"),
        (Action.BLOCK, Severity.CRITICAL, "CRITICAL"),
        (Action.BLOCK, Severity.NONE, "INFO"),
    ],
)
def test_a_row_has_the_severity_of_what_would_not_pass(
    write: Callable[..., Batch], raw_action: Action, severity: Severity, row_severity: str
) -> None:
    verdict = replace(BLOCKED, action=Action.ALLOW, raw_action=raw_action, severity=severity)
    for door in (Door.HOOK, Door.INSPECT):
        assert write(replace(EVENT, door=door), verdict).row.severity == row_severity


@pytest.mark.parametrize(
    ("faults", "rule_id", "result"),
    [((), "CMD-X", "ok"), ((), "INTERNAL-FAULT", "panic"), (("too_large",), "INPUT-BOUND", "rejected")],
)
def test_the_result_of_a_hook_call(
    write: Callable[..., Batch], faults: tuple[str, ...], rule_id: str, result: str
) -> None:
    event = replace(EVENT, faults=faults)
    row = write(event, replace(BLOCKED, findings=(replace(FINDING, rule_id=rule_id),))).row
    assert row.structured is not None
    assert row.structured["result"] == result
    assert row.structured["extra"].get("faults", "") == ",".join(faults)


# ---- inspect rows --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("route", "tool", "kind", "target", "scan_target", "target_type"),
    [
        ("tool", "Bash", EventKind.TOOL_CALL, "Bash", "/api/v1/inspect/tool:Bash", "tool_call"),
        ("request", "", EventKind.PROMPT, "pre-request", "/api/v1/inspect/request", "prompt"),
        ("response", "", EventKind.COMPLETION, "post-response", "/api/v1/inspect/response", "completion"),
        (
            "tool-response",
            "Bash",
            EventKind.TOOL_RESULT,
            "Bash",
            "/api/v1/inspect/tool-response:Bash",
            "tool_response",
        ),
    ],
)
def test_an_inspect_row(
    write: Callable[..., Batch],
    route: str,
    tool: str,
    kind: EventKind,
    target: str,
    scan_target: str,
    target_type: str,
) -> None:
    event = replace(EVENT, door=Door.INSPECT, name=route, tool=tool, kind=kind, model="m-1")
    verdict = replace(BLOCKED, action=Action.ALLOW, mode=Mode.OBSERVE, would_block=True, enforced=False)
    batch = write(event, verdict)
    assert (batch.row.action, batch.row.target) == (f"inspect-{route}-allow", target)
    assert batch.row.details == (
        'severity=CRITICAL confidence=0.95 reason="matched: CMD-RM-ROOT:Recursive delete of the root" '
        "elapsed=4ms mode=observe would_block=true raw_action=block model=m-1 request_id=req-1 "
        "evaluation_id=eval-1 rule_ids=CMD-RM-ROOT"
    )
    assert batch.row.structured is not None
    assert batch.row.structured["trail"] == ["one finding", "CRITICAL blocks"]
    assert batch.scan is not None
    assert (batch.scan.scanner, batch.scan.target) == ("inspect-http", scan_target)
    assert (batch.scan.target_type, batch.scan.verdict) == (target_type, "block")


# ---- scans ---------------------------------------------------------------------------------------


def test_a_finding_says_why_and_holds_evidence_only_as_a_placeholder(write: Callable[..., Batch]) -> None:
    scan = write().scan
    assert scan is not None
    assert (scan.scanner, scan.target) == ("hook-rules", "claudecode:PreToolUse")
    (finding,) = scan.findings
    assert finding.description == "deletes the root recursively <redacted-evidence len=20 sha=00000000>"
    assert finding.remediation == "Name the folder (CMD-RM-ROOT)."
    assert (finding.rule_id, finding.severity, finding.tags) == ("CMD-RM-ROOT", "CRITICAL", ("destructive",))


def test_no_findings_no_scan(write: Callable[..., Batch]) -> None:
    assert write(EVENT, ALLOWED).scan is None


def test_findings_are_bounded(write: Callable[..., Batch]) -> None:
    scan = write(EVENT, replace(BLOCKED, findings=(FINDING,) * 1000)).scan
    assert scan is not None
    assert len(scan.findings) == rows.MAX_FINDINGS


def test_the_state_travels_with_the_row(write: Callable[..., Batch]) -> None:
    state = SessionState(connector="claudecode", session_id="ses-1", step_idx=2)
    assert write(state=state).state is state


# ---- what never gets in --------------------------------------------------------------------------


@pytest.mark.parametrize("door", [Door.HOOK, Door.INSPECT])
def test_no_content_gets_into_a_row(write: Callable[..., Batch], door: Door) -> None:
    batch = write(replace(EVENT, door=door))
    assert CANARY not in repr(batch)


_CHOSEN_BY_AGENTS = ("name", "tool", "cwd", "mcp_server", "model", "connector")


@pytest.mark.parametrize("field", _CHOSEN_BY_AGENTS)
@pytest.mark.parametrize("door", [Door.HOOK, Door.INSPECT])
def test_secrets_in_names_an_agent_chose_are_masked(
    write: Callable[..., Batch], door: Door, field: str
) -> None:
    event = replace(EVENT, door=door, **{field: f"x {CANARY} y"})
    batch = write(event, clean=lambda text: text.replace(CANARY, "<redacted>"))
    assert CANARY not in repr(batch)
    assert "<redacted>" in repr(batch)


@pytest.mark.parametrize("field", ["session_id", "turn_id", "tool_call_id", "agent_id", "request_id"])
def test_secrets_in_ids_an_agent_chose_are_masked(write: Callable[..., Batch], field: str) -> None:
    event = replace(EVENT, correlation=Correlation(**{field: f"{CANARY}"}))
    batch = write(event, clean=lambda text: text.replace(CANARY, "<redacted>"))
    assert CANARY not in repr(batch)


def test_a_secret_at_the_edge_of_a_long_name_is_seen_whole(write: Callable[..., Batch]) -> None:
    event = replace(EVENT, tool="x" * 250 + CANARY)
    batch = write(event, clean=lambda text: text.replace(CANARY, "<redacted>"))
    assert CANARY[:6] not in batch.row.tool_name


_hostile = st.text(
    st.one_of(st.characters(), st.sampled_from("\x00\x1b\n\r\x7f\x85\u2028\u202e\ud800\udfff\t\"'=\\ ")),
    max_size=300,
)


@given(
    name=_hostile, tool=_hostile, session=_hostile, reason=_hostile, extra=st.dictionaries(_hostile, _hostile)
)
def test_every_row_is_bounded_storable_and_on_one_line(
    name: str, tool: str, session: str, reason: str, extra: dict[str, str]
) -> None:
    process = ProcessIdentity(run_id="r", sidecar_instance_id="s", binary_version="1")
    event = replace(EVENT, name=name, tool=tool, extra=extra, correlation=Correlation(session_id=session))
    for door in (Door.HOOK, Door.INSPECT):
        row = rows.batch_for(
            replace(event, door=door),
            replace(BLOCKED, reason=reason),
            process=process,
            placeholder=unchanged,
            clean=unchanged,
            elapsed_ms=0.2,
            now=NOW,
            state=None,
            rule_pack="default",
            fix_for=lambda _: "",
        ).row
        for value in _strings(asdict(row)):
            value.encode()
            assert not set(value) & set("\x00\x1b\n\r\x7f\x85\u2028\u202e")
        assert len(row.tool_name) <= 256
        assert len(row.target) <= 256
        assert len(row.details) < 64_000


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for pair in value.items() for each in pair for text in _strings(each)]
    return [text for each in value for text in _strings(each)] if isinstance(value, list | tuple) else []


# ---- rows without a verdict ----------------------------------------------------------------------


def test_a_body_that_could_not_be_read(process: ProcessIdentity) -> None:
    row = rows.rejected(
        connector="codex",
        event_name="Pre\nToolUse",
        problem="invalid_json",
        body_bytes=17,
        process=process,
        now=NOW,
    ).row
    assert (row.action, row.target, row.severity, row.connector) == (
        "connector-hook",
        "Pre ToolUse",
        "WARN",
        "codex",
    )
    assert row.structured is not None
    assert (row.structured["result"], row.structured["body_bytes"]) == ("rejected", 17)
    assert "result=rejected severity=WARN reason=invalid_json" in row.details


def test_a_plain_row(process: ProcessIdentity) -> None:
    row = rows.plain(
        "api-enforce-block",
        process=process,
        now=NOW,
        target="shell\x1b[2J",
        details={"type": "tool", "reason": "two words"},
        clean=lambda text: text.replace("shell", "<redacted>"),
    )
    assert (row.target, row.details) == ("<redacted> [2J", 'type=tool reason="two words"')
    assert (row.actor, row.severity, row.structured) == ("defenseclaw", "INFO", None)


def test_an_operators_change_comes_with_its_difference(process: ProcessIdentity) -> None:
    row = rows.activity(
        "config-update",
        process=process,
        now=NOW,
        target_type="config",
        target_id="config.yaml",
        before={"guardrail": {"mode": "observe", "hilt": True}, "old": 1},
        after={"guardrail": {"mode": "action", "hilt": True}, "new": [1, "a\x07"]},
        version_from="1",
        version_to="2",
    )
    assert row.structured is not None
    assert row.structured["diff"] == [
        {"path": "/guardrail/mode", "op": "replace", "before": "observe", "after": "action"},
        {"path": "/new", "op": "add", "after": [1, "a "]},
        {"path": "/old", "op": "remove", "before": 1},
    ]
    assert (row.actor, row.target) == ("cli:operator", "config.yaml")
