"""The policy bridge as OmniGent calls it, against a gateway that behaves and misbehaves."""

import contextlib
import importlib.util
import io
import json
import os
import subprocess
import sys
import threading
import time
import types
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.connectors.bridge_contract import REFUSED, BridgeContract
from tests.connectors.gateway_harms import HARMS

from defenseclaw.connectors import disk, omnigent, runtime
from defenseclaw.vocabulary import Action, FailMode, Mode

GOLDEN = Path(__file__).parent.parent / "golden" / "omnigent"
PHASES = tuple(omnigent.PHASES)
ASKABLE = ("request", "tool_call", "llm_request")


def event(phase, **changes):
    return json.loads((GOLDEN / f"event-{phase}.json").read_text()) | changes


def load(path):
    spec = importlib.util.spec_from_file_location("defenseclaw_omnigent_policy", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Bridge:
    """The rendered bridge with its token and runtime file."""

    def __init__(self, host):
        self.host = host
        self.path = omnigent.module_path(host)
        self.log = host.data_dir / "logs" / "hook-failures.jsonl"
        self.token = runtime.ensure_token(host, "omnigent")
        disk.write(self.path, omnigent.render_bridge(host), 0o600)
        self.fail_mode(FailMode.CLOSED)
        self.module = load(self.path)

    def fail_mode(self, mode):
        runtime.write_runtime(self.host, omnigent.CONNECTOR, mode)

    def __call__(self, given):
        return self.module.defenseclaw_policy(given)

    def anew(self, given):
        """Call the bridge as if it were loaded just now; return also what it says on stderr."""
        self.module = load(self.path)
        with contextlib.redirect_stderr(io.StringIO()) as stderr:
            return self(given), stderr.getvalue()

    def failures(self):
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@pytest.fixture
def bridge(host, gateway):
    gateway.says(action="allow")
    return Bridge(replace(host, api_address=gateway.address))


@pytest.fixture
def lonely(host):
    """A bridge whose gateway is not there."""
    return Bridge(replace(host, api_address=REFUSED))


def sent(gateway):
    return json.loads(gateway.requests[-1][2])


# ---- what is sent ---------------------------------------------------------------------------------

COMMON = {
    "agent_name": "OmniGent",
    "agent_type": "omnigent",
    "agent_id": "",
    "model": "claude-sonnet-4-5",
    "tool_name": "",
    "tool_input": {},
    "session_id": "f30a129820324ae087009d420e3783aa",
    "conversation_id": "f30a129820324ae087009d420e3783aa",
}
PROMPT = "please TOOL:note(hello) SAY:finished"
NOTE = {"tool_name": "note", "tool_input": {"text": "hello"}}


@pytest.mark.parametrize(
    ("phase", "name", "own"),
    [
        ("request", "UserPromptSubmit", {"prompt": PROMPT}),
        ("tool_call", "PreToolUse", NOTE),
        ("tool_result", "PostToolUse", NOTE | {"tool_response": "noted: hello"}),
        ("response", "AfterAgentResponse", {"tool_response": "finished", "turn_final": True}),
        ("llm_request", "BeforeModel", {"prompt": PROMPT}),
        ("llm_response", "AfterModel", {"tool_response": "finished"}),
    ],
)
def test_recorded_events_as_they_are_posted(bridge, gateway, phase, name, own):
    assert bridge(event(phase)) == {"result": "ALLOW"}
    assert sent(gateway) == COMMON | {"hook_event_name": name, "omnigent_event_type": phase} | own


def test_headers(bridge, gateway):
    bridge(event("request"))
    path, headers, _ = gateway.requests[0]
    assert path == "/api/v1/omnigent/hook"
    assert headers["content-type"] == "application/json"
    assert headers["x-defenseclaw-client"] == "omnigent-policy/1.0"
    assert headers["authorization"] == f"Bearer {bridge.token}"
    assert headers["host"] == gateway.address


def test_the_user_of_the_machine_is_not_told(bridge, gateway):
    bridge(event("request", context={"actor": {"run_as": "alice", "client_id": "c-7"}}))
    assert b"alice" not in gateway.requests[0][2]
    assert sent(gateway)["agent_id"] == "c-7"


@pytest.mark.parametrize(
    ("data", "prompt"),
    [
        ("plain", "plain"),
        ({"text": "evaluate endpoint"}, "evaluate endpoint"),
        ({"user_content": [{"type": "input_text", "text": "a"}, {"text": "b"}]}, "a\nb"),
        (
            {
                "user_content": "look",
                "attachments": [
                    {"filename": "a.txt", "content_type": "text/plain", "text": "hidden words"},
                    {"filename": "b.zip", "content_type": "application/zip", "text": ""},
                ],
            },
            "look\n[attachment a.txt (text/plain)]\nhidden words\n[attachment b.zip (application/zip)]",
        ),
        ({"user_content": "x", "attachments": "odd"}, "x"),
    ],
)
def test_what_a_person_typed_and_attached(bridge, gateway, data, prompt):
    bridge(event("request", data=data))
    assert sent(gateway)["prompt"] == prompt


@pytest.mark.parametrize(
    ("given", "want"),
    [
        # after another policy rewrote the arguments, data is the arguments alone
        ({"data": {"command": "ls"}, "target": "shell"}, ("shell", {"command": "ls"})),
        ({"data": {"name": "n", "arguments": {}}, "target": "other"}, ("n", {})),
        ({"data": {"name": "n", "arguments": None}, "target": "other"}, ("n", {})),
        (
            {"data": {"name": "file.txt", "text": "x"}, "target": "write"},
            ("write", {"name": "file.txt", "text": "x"}),
        ),
        ({"data": None, "target": None}, ("", {})),
    ],
)
def test_the_name_and_arguments_of_a_call(bridge, gateway, given, want):
    bridge(event("tool_call", **given))
    assert (sent(gateway)["tool_name"], sent(gateway)["tool_input"]) == want


def test_a_result_that_another_policy_replaced_is_bare(bridge, gateway):
    bridge(event("tool_result", data="bare"))
    assert sent(gateway)["tool_response"] == "bare"


def test_unknown_phases_are_sent_by_their_name(bridge, gateway):
    bridge(event("request", type="tool_progress"))
    assert sent(gateway)["hook_event_name"] == "tool_progress"
    bridge({"data": None})
    assert sent(gateway)["hook_event_name"] == "PolicyEvaluation"


class Odd:
    def __str__(self):
        return "odd thing"


class Broken:
    def __str__(self):
        raise RuntimeError("no")


def loop():
    value = {}
    value["self"] = value
    return value


@pytest.mark.parametrize(
    ("value", "want"),
    [
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (Odd(), "odd thing"),
        (Broken(), "<Broken>"),
        ({1: {2: Odd()}}, {"1": {"2": "odd thing"}}),
        ((1, Odd()), [1, "odd thing"]),
        ("lone \ud800 surrogate", "lone ? surrogate"),
        ("é漢", "é漢"),
    ],
    ids=["nan", "inf", "object", "broken-object", "keys", "tuple", "surrogate", "text"],
)
def test_what_json_cannot_hold_is_sent_as_its_text(bridge, gateway, value, want):
    assert bridge(event("tool_call", data={"name": "n", "arguments": {"v": value}}))["result"] == "ALLOW"
    assert sent(gateway)["tool_input"] == {"v": want}


def test_loops_and_depth_are_sent_too(bridge, gateway):
    deep = []
    for _ in range(5000):
        deep = [deep]
    for value in (loop(), deep):
        assert bridge(event("tool_call", data={"name": "n", "arguments": {"v": value}}))["result"] == "ALLOW"
    assert len(gateway.requests) == 2


def test_a_large_result_is_sent_and_replaced_whole(bridge, gateway):
    text = "é" * 2_000_000
    gateway.says(action="allow", replacement=text[:-1] + "x")
    assert bridge(event("tool_result", data={"result": text}))["data"] == text[:-1] + "x"
    assert sent(gateway)["tool_response"] == text


# ---- the span of OmniGent -------------------------------------------------------------------------


@pytest.fixture
def span(monkeypatch):
    """An opentelemetry whose propagator puts ``carrier`` into the headers."""

    def install(carrier):
        package = types.ModuleType("opentelemetry")
        package.propagate = types.SimpleNamespace(inject=lambda found: found.update(carrier))
        monkeypatch.setitem(sys.modules, "opentelemetry", package)

    return install


def test_the_span_is_forwarded_and_nothing_beside_it(bridge, gateway, span):
    parent = "00-829ebab5a8cd305f8e51c202d6d21a7d-44b8d328438efbf5-03"
    span(
        {
            "traceparent": parent,
            "tracestate": "a=1",
            "Authorization": "evil",
            "Content-Type": "evil",
            "x": "y",
        }
    )
    bridge(event("request"))
    headers = gateway.requests[0][1]
    assert (headers["traceparent"], headers["tracestate"]) == (parent, "a=1")
    assert headers["authorization"] == f"Bearer {bridge.token}"
    assert headers["content-type"] == "application/json"
    assert "x" not in headers


def test_a_span_cannot_break_out_of_its_header(bridge, gateway, span):
    span({"traceparent": "x\r\nX-Evil: 1", "tracestate": 7})
    assert bridge(event("request"))["result"] == "ALLOW"
    assert "x-evil" not in gateway.requests[0][1]
    assert "traceparent" not in gateway.requests[0][1]


def test_without_opentelemetry_it_works_in_a_bare_interpreter(bridge, gateway):
    code = (
        f"import sys; sys.path.append({str(bridge.path.parent)!r}); import defenseclaw_omnigent_policy as m; "
        f"print(m.defenseclaw_policy({event('request')!r}))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-B", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "{'result': 'ALLOW'}"


# ---- verdicts -------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("action", ["block", "deny"])
def test_a_block_denies_in_every_phase(bridge, gateway, phase, action):
    gateway.says(action=action, raw_action=action, reason="matched: X:Y")
    assert bridge(event(phase)) == {"result": "DENY", "reason": "matched: X:Y"}


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("action", ["confirm", "ask"])
def test_a_question_is_asked_only_before_something_happens(bridge, gateway, phase, action):
    gateway.says(action=action, reason="why")
    want = {"result": "ASK", "reason": "why"} if phase in ASKABLE else {"result": "ALLOW"}
    assert bridge(event(phase)) == want


@pytest.mark.parametrize("action", ["allow", "alert", ""])
def test_all_else_passes_whatever_would_have_been(bridge, gateway, action):
    gateway.says(action=action, raw_action="block", would_block=True, reason="x")
    assert bridge(event("tool_call")) == {"result": "ALLOW"}


def test_default_reasons(bridge, gateway):
    gateway.says(action="block", reason=7)
    assert bridge(event("request"))["reason"] == "DefenseClaw blocked this action."
    gateway.says(action="confirm")
    assert bridge(event("request"))["reason"] == "DefenseClaw requires approval."


@pytest.mark.parametrize("action", ["allow", "alert", "block"])
def test_a_replaced_result_lets_the_agent_go_on(bridge, gateway, action):
    gateway.says(action=action, replacement="masked")
    assert bridge(event("tool_result")) == {"result": "ALLOW", "data": "masked"}


@pytest.mark.parametrize("phase", [each for each in PHASES if each != "tool_result"])
def test_only_results_are_replaced(bridge, gateway, phase):
    gateway.says(action="block", replacement="masked")
    assert "data" not in bridge(event(phase))


def test_an_approved_prompt_is_not_asked_about_again_at_the_model(bridge, gateway):
    gateway.says(action="confirm")
    assert bridge(event("request"))["result"] == "ASK"
    # evaluated twice before it parks: the same answer both times
    assert [bridge(event("llm_request"))["result"] for _ in range(2)] == ["ALLOW", "ALLOW"]
    other = event("llm_request")
    other["data"]["last_user_message"] += "!"
    assert bridge(other)["result"] == "ASK"
    elsewhere = event("llm_request")
    elsewhere["context"]["conversation_id"] = "another"
    assert bridge(elsewhere)["result"] == "ASK"
    gateway.says(action="block")
    assert bridge(event("llm_request"))["result"] == "DENY"


def test_approved_prompts_are_remembered_within_bounds(bridge, gateway):
    gateway.says(action="confirm")
    for number in range(300):
        bridge(event("request", context={"conversation_id": str(number)}))
    assert len(bridge.module._asked) == 256


class TestOmniGentAnswers(BridgeContract):
    """Every recorded event with every answer."""

    connector = omnigent.CONNECTOR

    def names(self):
        return [f"event-{phase}" for phase in PHASES]

    def called(self, bridge, name):
        return bridge.anew(event(name.removeprefix("event-")))

    def test_events_of_the_evaluate_endpoint_have_the_same_answers(self, bridge, judge):
        records = json.loads((GOLDEN / "events-evaluate-endpoint.json").read_text())["records"]
        assert len(records) >= 5
        for given in (record["event"] for record in records):
            for judge.mode in Mode:
                for judge.raw in Action:
                    wanted = self.recorded()[f"event-{given['type']}"][judge.mode][judge.raw]
                    assert bridge.anew(given) == (wanted, "")


# ---- no verdict -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HARMS)
@pytest.mark.parametrize("mode", FailMode)
def test_a_bad_answer_is_decided_by_the_fail_mode(bridge, gateway, capfd, name, mode):
    bridge.fail_mode(mode)
    HARMS[name](gateway)
    answer = bridge(event("tool_call"))
    assert answer["result"] == ("ALLOW" if mode is FailMode.OPEN else "DENY")
    assert len(gateway.requests) == 1
    told = json.dumps(answer) + bridge.log.read_text() + capfd.readouterr().err
    for secret in (bridge.token, str(bridge.path.parent), gateway.address):
        assert secret not in told


@pytest.mark.parametrize("mode", FailMode)
def test_a_gateway_that_is_not_there(lonely, mode):
    lonely.fail_mode(mode)
    answer = lonely(event("request"))
    if mode is FailMode.OPEN:
        assert answer == {"result": "ALLOW"}
    else:
        cause = "gateway unreachable (ConnectionRefusedError)"
        assert answer == {"result": "DENY", "reason": f"DefenseClaw policy failed closed: {cause}"}


def test_a_dripping_gateway_is_left_in_time(bridge, gateway, monkeypatch):
    monkeypatch.setattr(bridge.module, "_TOTAL_S", 1.2)
    gateway.says(action="allow")
    gateway.reply.drip = True
    assert "timed out" in bridge(event("request"))["reason"]


def test_the_budget_is_ten_seconds(bridge):
    assert (bridge.module._TOTAL_S, bridge.module._CONNECT_S) == (10.0, 2.0)


def test_an_endless_answer_ends(bridge, gateway):
    gateway.reply.body = b" " * 3_000_000
    assert "too large" in bridge(event("request"))["reason"]


def test_proxies_of_the_environment_are_not_used(bridge, gateway, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://{REFUSED}")
    assert bridge(event("request")) == {"result": "ALLOW"}


@pytest.mark.parametrize(
    ("name", "value"), [("DEFENSECLAW_FAIL_MODE", "closed"), ("DEFENSECLAW_STRICT_AVAILABILITY", "TRUE")]
)
def test_the_environment_may_tighten(lonely, monkeypatch, name, value):
    lonely.fail_mode(FailMode.OPEN)
    monkeypatch.setenv(name, value)
    assert lonely(event("request"))["result"] == "DENY"


def test_the_environment_never_loosens(lonely, monkeypatch):
    monkeypatch.setenv("DEFENSECLAW_FAIL_MODE", "open")
    assert lonely(event("request"))["result"] == "DENY"


def test_without_a_runtime_file_it_is_closed(bridge):
    bridge.fail_mode(FailMode.OPEN)
    runtime.runtime_path(bridge.host, "omnigent").unlink()
    assert bridge(event("request"))["reason"].endswith("not configured")


@pytest.mark.parametrize("harm", ["gone", "short", "readable", "link", "directory", "huge"])
def test_a_token_that_is_not_right_denies_even_in_open(bridge, gateway, harm):
    bridge.fail_mode(FailMode.OPEN)
    path = runtime.token_path(bridge.host, "omnigent")
    if harm == "short":
        path.write_text("abc")
    elif harm == "readable":
        path.chmod(0o644)
    elif harm == "huge":
        path.write_text(bridge.token + "\n" * 5000)
    else:
        path.rename(path.with_name("x"))
        if harm == "link":
            path.symlink_to("x")
        elif harm == "directory":
            path.mkdir()
    answer = bridge(event("request"))
    assert answer == {"result": "DENY", "reason": "DefenseClaw hook token is missing or malformed."}
    assert not gateway.requests


def test_a_new_token_is_used_without_a_new_module(bridge, gateway):
    rendered = bridge.path.read_bytes()
    for digit in "aba":
        runtime.token_path(bridge.host, "omnigent").write_text(digit * 64 + "\n")
        bridge(event("request"))
        assert gateway.requests[-1][1]["authorization"] == f"Bearer {digit * 64}"
    assert bridge.path.read_bytes() == rendered == omnigent.render_bridge(bridge.host)


@pytest.mark.parametrize(
    "given", [None, 7, "text", [], {"type": []}, {"type": "request", "context": 5, "data": 7}]
)
def test_odd_events_never_raise(bridge, given):
    assert bridge(given)["result"] in ("ALLOW", "DENY")


def test_a_bug_in_the_bridge_follows_the_fail_mode(bridge, monkeypatch):
    monkeypatch.setattr(bridge.module, "_body", lambda *_: 1 / 0)
    assert bridge(event("request"))["reason"].endswith("bridge fault (ZeroDivisionError)")
    bridge.fail_mode(FailMode.OPEN)
    assert bridge(event("request")) == {"result": "ALLOW"}


def test_after_three_failures_the_gateway_is_left_alone_for_a_while(bridge, gateway, monkeypatch):
    gateway.reply.cut = True
    for _ in range(3):
        assert bridge(event("request"))["result"] == "DENY"
    assert bridge(event("request"))["reason"].endswith("(paused)")
    assert len(gateway.requests) == 3
    assert bridge.module._PAUSE_S <= 5
    gateway.reply.cut = False
    later = time.monotonic() + 6
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert bridge(event("request")) == {"result": "ALLOW"}
    assert bridge.module._state["failures"] == 0


def test_errors_the_gateway_answers_with_do_not_pause(bridge, gateway):
    gateway.reply.status = 503
    for _ in range(5):
        bridge(event("request"))
    assert len(gateway.requests) == 5


def test_at_most_four_calls_at_once(bridge, gateway, until):
    gateway.reply.delay_s = 5
    threads = [threading.Thread(target=bridge, args=(event("request"),)) for _ in range(7)]
    for each in threads:
        each.start()
    assert until(lambda: len(gateway.requests) == 4)
    time.sleep(0.2)
    assert len(gateway.requests) == 4
    gateway.released.set()
    for each in threads:
        each.join()
    assert len(gateway.requests) == 7


def test_the_first_failure_is_told_and_all_are_logged(lonely, capfd):
    for _ in range(2):
        lonely(event("tool_call"))
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    rows = lonely.failures()
    assert len(rows) == 2
    assert rows[0] | {"ts": ""} == {
        "ts": "",
        "connector": "omnigent",
        "hook": "omnigent-policy",
        "event": "PreToolUse",
        "reason": "gateway unreachable (ConnectionRefusedError)",
        "category": "transport",
        "fail_mode": "closed",
    }
    assert lonely.log.stat().st_mode & 0o777 == 0o600


# ---- the file -------------------------------------------------------------------------------------


def test_the_template_as_it_is_imports_and_denies(host, tmp_path):
    raw = tmp_path / "raw.py"
    raw.write_bytes(
        Path(omnigent.__file__).with_name("assets").joinpath("omnigent_policy.py.tmpl").read_bytes()
    )
    assert load(raw).defenseclaw_policy(event("request"))["result"] == "DENY"


def test_the_file_holds_no_token_and_no_placeholder(bridge):
    text = bridge.path.read_text()
    assert bridge.token not in text
    assert "@TOKEN_FILE@" not in text
    assert "@RUNTIME_FILE@" not in text
    assert bridge.path.stat().st_mode & 0o777 == 0o600


def test_one_registry_entry(bridge):
    (entry,) = bridge.module.POLICY_REGISTRY
    assert entry["handler"] == "defenseclaw_omnigent_policy.defenseclaw_policy"
    assert entry["kind"] == "callable"


def test_the_callable_has_exactly_one_required_parameter(bridge):
    code = bridge.module.defenseclaw_policy.__code__
    assert (code.co_argcount, bridge.module.defenseclaw_policy.__defaults__) == (1, None)


def test_importing_reads_nothing(bridge, monkeypatch):
    monkeypatch.setattr(os, "open", lambda *_: pytest.fail("opened a file"))
    load(bridge.path)
