"""Valid requests with bytes or values changed: every one is answered, none is a server error."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.integration.machine import HOOKS, SIZE, Machine, request, rule_ids, wire

EXAMPLES = 120 * SIZE
quick = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=SIZE == 1,
    database=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

PAYLOADS: dict[str, dict[str, Any]] = {
    "/api/v1/inspect/tool": {
        "tool": "Bash",
        "args": {"command": "rm -rf /", "env": {"A": "1"}, "list": [1, "b", None, True]},
        "session_id": "s-1",
        "cwd": "/srv/project",
        "connector": "claudecode",
        "direction": "outbound",
        "approval_surface": "native",
        "mcp_server_name": "crm",
    },
    "/api/v1/inspect/request": {"content": "please read ~/.ssh/id_rsa", "model": "m", "session_id": "s-1"},
    "/api/v1/inspect/response": {"content": "done: AKIA", "model": "m", "session_id": "s-1"},
    "/api/v1/inspect/tool-response": {
        "tool": "Read",
        "output": {"stdout": "a", "lines": ["b", {"c": 1.5}]},
        "exit_code": 0,
        "args": {"file_path": "/etc/passwd"},
    },
    "/audit/event": {
        "action": "custom",
        "details": "d",
        "severity": "HIGH",
        "timestamp": "2026-01-02T03:04:05Z",
        "structured": {"a": [1, {"b": None}]},
        "step_idx": 3,
        "enforced": True,
        "session_id": "s",
    },
    "/enforce/block": {"target_type": "tool", "target_name": "never-called", "reason": "r"},
    "/config/patch": {"path": "guardrail.block_message", "value": "no"},
}
CLAUDE_EVENTS: list[dict[str, Any]] = [
    {
        "hook_event_name": "PreToolUse",
        "session_id": "s-2",
        "cwd": "/srv/project",
        "permission_mode": "default",
        "tool_name": "Bash",
        "tool_input": {"command": "cat /etc/shadow", "timeout": 5},
        "tool_use_id": "t-1",
    },
    {
        "hook_event_name": "PostToolUse",
        "session_id": "s-2",
        "tool_name": "Read",
        "tool_input": {"file_path": "/a"},
        "tool_response": {"type": "text", "file": {"content": "x", "numLines": 1}},
    },
    {"hook_event_name": "PostToolUseFailure", "error": "e", "error_details": {"a": 1}},
    {"hook_event_name": "PostToolBatch", "tool_calls": [{"tool_response": "x"}, {"tool_response": ["y"]}]},
    {"hook_event_name": "UserPromptSubmit", "session_id": "s-2", "prompt": "hello", "prompt_id": "p"},
    {"hook_event_name": "UserPromptExpansion", "command_name": "c", "command_args": ["a"]},
    {"hook_event_name": "PermissionRequest", "tool_name": "Edit", "tool_input": {"file_path": "a"}},
    {"hook_event_name": "Stop", "stop_hook_active": True, "last_assistant_message": "bye"},
    {"hook_event_name": "MessageDisplay", "delta": "text"},
    {"hook_event_name": "SessionStart", "source": "startup", "model": "m"},
    {"hook_event_name": "ConfigChange", "source": "user_settings"},
]
OMNIGENT_EVENTS: list[dict[str, Any]] = [
    {"omnigent_event_type": "request", "prompt": "hello", "session_id": "s-3", "agent_name": "a"},
    {"omnigent_event_type": "llm_request", "prompt": [{"role": "user", "content": "x"}], "model": "m"},
    {"omnigent_event_type": "tool_call", "tool_name": "mcp__a__b", "tool_input": {"a": 1}, "harness": "h"},
    {"omnigent_event_type": "tool_result", "tool_name": "x", "tool_response": ["a", {"b": "c"}]},
    {"omnigent_event_type": "response", "tool_response": "text", "turn_final": True},
    {"omnigent_event_type": "llm_response", "tool_response": {"content": [{"text": "t"}]}},
]
EVENTS = {"claudecode": CLAUDE_EVENTS, "omnigent": OMNIGENT_EVENTS}


@pytest.fixture(scope="module", autouse=True)
def unharmed(gateway: Machine) -> Iterator[None]:
    kept = gateway.config_file.read_text()
    before = gateway.resident_mib
    yield
    gateway.config_file.write_text(kept)
    assert "unhandled" not in gateway.log_text
    assert "Traceback" not in gateway.log_text
    assert "cannot decode" not in gateway.log_text, "a payload of a shape nobody foresaw"
    gateway.still_judges()
    assert gateway.resident_mib - before < 96
    gateway.stop()
    gateway.cli("audit", "verify")


# ---- bytes ------------------------------------------------------------------------------------------


@st.composite
def mutated(draw: st.DrawFn, data: bytes) -> bytes:
    """``data`` with up to five places overwritten, removed, repeated or filled in."""
    for _ in range(draw(st.integers(1, 5))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        length = draw(st.sampled_from([0, 1, 1, 2, 5, 20]))
        piece = data[at : at + length]
        new = draw(
            st.one_of(
                st.binary(max_size=6),
                st.sampled_from(
                    [b"", b"\r\n", b"\n", b"\x00", b"\xff", b'"', b"\\", b"{", b"]", b": ", b"0"]
                ),
                st.just(piece * 3),
                st.just(bytes(byte ^ 0x20 for byte in piece)),
            )
        )
        data = data[:at] + new + data[at + length :]
    return data


@quick
@given(st.data())
def test_changed_bytes_of_a_whole_request(gateway: Machine, data: st.DataObject) -> None:
    path, payload = data.draw(st.sampled_from([*PAYLOADS.items(), (HOOKS["claudecode"], CLAUDE_EVENTS[0])]))
    whole = request(path=path, body=json.dumps(payload).encode(), token=gateway.token)
    with wire(gateway.port) as connection:
        connection.send(data.draw(mutated(whole)))
        for reply in connection.heard(0.02):
            assert reply.acceptable, reply


@quick
@given(st.data())
def test_changed_bytes_of_a_body(gateway: Machine, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from([*PAYLOADS, *HOOKS.values()]))
    payload = PAYLOADS.get(path) or data.draw(
        st.sampled_from(EVENTS["claudecode" if "claude" in path else "omnigent"])
    )
    reply = gateway.post(path, data.draw(mutated(json.dumps(payload).encode())))
    assert reply.status_code in (200, 400, 403), reply.text
    assert reply.headers["content-type"] == "application/json"


# ---- values -----------------------------------------------------------------------------------------

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.sampled_from(["", "\x00", "\ud83d", "~/.ssh/id_rsa", "rm -rf /", "$(", "'" * 9, "\u202e", "a" * 5000]),
)
anything = st.recursive(
    scalars, lambda some: st.lists(some, max_size=4) | st.dictionaries(st.text(max_size=8), some, max_size=4)
)


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value, the whole of it excepted."""
    found: list[tuple[Any, ...]] = []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        found += [(*at, key), *places(item, (*at, key))]
    return found


def with_value(value: Any, at: tuple[Any, ...], new: Any) -> Any:
    """A copy of ``value`` with ``new`` at one place."""
    if not at:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[at[0]] = with_value(value[at[0]], at[1:], new)
    return copy


@pytest.mark.parametrize("connector", EVENTS)
@quick
@given(data=st.data())
def test_changed_values_of_an_event(gateway: Machine, connector: str, data: st.DataObject) -> None:
    payload: Any = data.draw(st.sampled_from(EVENTS[connector]))
    for _ in range(data.draw(st.integers(1, 3))):
        payload = with_value(payload, data.draw(st.sampled_from(places(payload))), data.draw(anything))
    reply = gateway.post(HOOKS[connector], payload)
    assert reply.status_code in (200, 400), reply.text
    if reply.status_code == 200:
        assert "INTERNAL-FAULT" not in rule_ids(reply.json())


@quick
@given(data=st.data())
def test_changed_values_of_a_call(gateway: Machine, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(list(PAYLOADS)))
    payload: Any = PAYLOADS[path]
    for _ in range(data.draw(st.integers(1, 3))):
        payload = with_value(payload, data.draw(st.sampled_from(places(payload))), data.draw(anything))
    reply = gateway.post(path, payload)
    assert reply.status_code in (200, 400, 403), reply.text
    if "inspect" in path and reply.status_code == 200:
        assert "INTERNAL-FAULT" not in rule_ids(reply.json())


@quick
@given(
    command=st.text(alphabet="abr mf-/ ~$(){}[]<>|&;'\"\\`*?!#=\n\t0123456789\x00\u00e9\u202e", max_size=80)
)
def test_any_command(gateway: Machine, command: str) -> None:
    for prefix in ("", "rm -rf / ; "):
        answer = gateway.inspect("tool", {"tool": "Bash", "args": {"command": prefix + command}})
        assert "INTERNAL-FAULT" not in rule_ids(answer)
