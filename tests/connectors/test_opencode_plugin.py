"""The bridge as OpenCode calls it, run by Node: what it posts, and what it does with the answer."""

import pytest
from msgspec.structs import replace
from tests.connectors.bridge_contract import BridgeContract
from tests.connectors.opencode_bridge import (
    HISTORY,
    HOOKS,
    PROJECT,
    SESSION,
    bridges,
    deny,
    golden,
    history,
    put,
    sent,
    shown,
)

from defenseclaw.connectors import opencode
from defenseclaw.connectors.base import HookCall
from defenseclaw.vocabulary import EventKind, FailMode


@pytest.fixture
def make(tmp_path):
    with bridges(tmp_path) as make:
        yield make


@pytest.fixture
def bridge(host, gateway, make):
    gateway.says(action="allow")
    return make(replace(host, api_address=gateway.address))


# ---- what is sent ---------------------------------------------------------------------------------

CALL = {"command": "echo dc-probe-123", "description": "probe"}
LIFECYCLE = {
    "session.created",
    "session.idle",
    "session.compacted",
    "session.error",
    "session.deleted",
    "permission.replied",
}
COMMON = {"cwd": PROJECT, "session_id": SESSION, "agent_id": ""}
TOOL = COMMON | {"tool_name": "bash", "tool_call_id": "call_fake1", "tool_input": CALL}


@pytest.mark.parametrize(
    ("hook", "own"),
    [
        (
            "chat.message",
            COMMON
            | {
                "agent": "build",
                "model": "fake/fake",
                "turn_id": "msg_1fd12743b001DcuRvTC564w0A0",
                "prompt": '"please run the probe"',
            },
        ),
        ("tool.execute.before", TOOL),
        ("tool.execute.after", TOOL | {"tool_response": "dc-probe-123\n"}),
        ("experimental.text.complete", COMMON | {"text": "All done."}),
    ],
    ids=HOOKS,
)
def test_recorded_calls_as_they_are_posted(bridge, gateway, hook, own):
    given = golden(hook)
    assert bridge(hook, given) == (None, given["output"])
    assert sent(gateway) == {"hook_event_name": hook} | own


def test_headers(bridge, gateway):
    bridge("tool.execute.before")
    path, headers, body = gateway.requests[0]
    assert path == opencode.CONNECTOR.hook_path
    assert headers == {
        "host": gateway.address,
        "content-type": "application/json",
        "content-length": str(len(body)),
        "x-defenseclaw-client": opencode.CONNECTOR.client,
        "x-defenseclaw-hook-event": "tool.execute.before",
        "x-defenseclaw-session-id": SESSION,
        "authorization": f"Bearer {bridge.token}",
        "connection": "close",
    }


def test_what_is_known_of_a_session_is_told_with_its_calls(bridge, gateway):
    bridge("chat.message")
    bridge("tool.execute.before")
    body = sent(gateway)
    assert (body["agent"], body["model"]) == ("build", "fake/fake")
    assert body["turn_id"] == "msg_1fd12743b001DcuRvTC564w0A0"


def test_a_sub_agent_is_an_agent_of_its_parents_session(bridge, gateway):
    bridge.event("session.created", sessionID="ses_child", info={"id": "ses_child", "parentID": SESSION})
    bridge.event("session.created", sessionID="ses_grand", info={"id": "ses_grand", "parentID": "ses_child"})
    call = golden("tool.execute.before")
    for child in ("ses_child", "ses_grand"):
        call["input"]["sessionID"] = child
        bridge("tool.execute.before", call)
        assert (sent(gateway)["session_id"], sent(gateway)["agent_id"]) == (SESSION, child)


def test_a_message_has_a_parent_that_is_no_session(bridge, gateway):
    bridge.event("message.updated")
    bridge("tool.execute.before")
    assert sent(gateway)["session_id"] == SESSION


def test_sessions_that_claim_to_be_each_others_parent_end(bridge, gateway):
    for own, other in (("a", "b"), ("b", "a")):
        bridge.event("session.created", sessionID=own, info={"id": own, "parentID": other})
    call = golden("tool.execute.before")
    call["input"]["sessionID"] = "a"
    assert bridge("tool.execute.before", call)[0] is None


PARTS = [
    {"type": "text", "text": "look"},
    {"type": "text", "text": "the file's words", "synthetic": True},
    {"type": "file", "filename": "a.png", "mime": "image/png", "url": "data:image/png;base64,AAAA"},
    {"type": "subtask", "prompt": "delegated", "agent": "general"},
    {"type": "agent", "name": "general"},
    {"type": "file"},
]


def test_all_that_a_prompt_brings_along(bridge, gateway):
    given = golden("chat.message")
    given["output"]["parts"] = PARTS
    bridge("chat.message", given)
    wanted = "look\nthe file's words\n[attachment a.png (image/png)]\ndelegated\n[attachment  ()]"
    assert sent(gateway)["prompt"] == wanted


def test_an_mcp_result_is_its_blocks(bridge, gateway):
    blocks = [{"type": "text", "text": "a"}, {"type": "image", "mimeType": "image/png", "data": "AAAA"}]
    bridge("tool.execute.after", golden("tool.execute.after", output={"content": blocks}))
    assert sent(gateway)["tool_response"] == blocks


@pytest.mark.parametrize("output", [None, {}, {"output": None}])
def test_a_result_that_is_none(bridge, gateway, output):
    given = golden("tool.execute.after", output=output)
    assert bridge("tool.execute.after", given) == (None, output)
    assert sent(gateway)["tool_response"] is None


@pytest.mark.parametrize(
    ("value", "want"),
    [
        ('"lone \\ud800 surrogate"', "lone \ufffd surrogate"),
        ('"\\udc00\\ud83d\\ude00"', "\ufffd😀"),
        (r'"\\ud800 written out"', r"\ud800 written out"),
        (r'"\\\\\ud800"', r"\\" + "\ufffd"),
        ("NaN", None),
        ('"é漢\\u2028"', "é漢\u2028"),
    ],
    ids=["lone", "pair", "escape", "escapes", "nan", "text"],
)
def test_text_that_is_no_utf8(bridge, gateway, value, want):
    bridge.ask(hook="tool.execute.before", input={"sessionID": "s"}, made=f"({{ args: {{ v: {value} }} }})")
    assert sent(gateway)["tool_input"] == {"v": want}


@pytest.mark.parametrize(
    "made",
    [
        "(() => { const a = {}; a.a = a; return { args: a }; })()",
        "{ args: { big: 1n } }",
        "(() => { let a = []; for (let i = 0; i < 50000; i++) a = [a]; return { args: a }; })()",
        "{ args: { toJSON() { throw new Error('no'); } } }",
    ],
    ids=["loop", "bigint", "deep", "throwing"],
)
def test_what_json_cannot_hold_is_sent_as_nothing_for_the_gateway_to_judge(bridge, gateway, made):
    bridge.fail_mode(FailMode.OPEN)
    deny(gateway, "not readable")
    answer = bridge.ask(hook="tool.execute.before", input={"sessionID": SESSION}, made=made)
    assert answer["threw"] == "not readable"
    _, headers, body = gateway.requests[-1]
    assert body == b""
    assert headers["x-defenseclaw-hook-event"] == "tool.execute.before"
    assert headers["x-defenseclaw-session-id"] == SESSION


def test_a_session_id_cannot_write_headers(bridge, gateway):
    call = golden("tool.execute.before")
    call["input"]["sessionID"] = "x\r\nAuthorization: Bearer evil"
    bridge("tool.execute.before", call)
    assert "x-defenseclaw-session-id" not in gateway.requests[0][1]
    assert gateway.requests[0][1]["authorization"] == f"Bearer {bridge.token}"


def test_a_large_result_is_sent_and_replaced_whole(bridge, gateway):
    text = "é" * 2_000_000
    given = golden("tool.execute.after")
    given["output"]["output"] = text
    put(gateway, text[:-1] + "x")
    _, output = bridge("tool.execute.after", given)
    assert output["output"] == text[:-1] + "x"
    assert sent(gateway)["tool_response"] == text


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("session.created", {}),
        ("session.idle", {}),
        ("permission.replied", {"reply": "reject"}),
    ],
)
def test_the_frame_of_a_session_is_recorded(bridge, gateway, name, own):
    bridge.event(name)
    body = sent(gateway)
    assert body["hook_event_name"] == body["event_type"] == name
    assert body["session_id"] == golden(f"event.{name}")["input"]["event"]["properties"]["sessionID"]
    assert body | own == body
    assert "info" not in body


@pytest.mark.parametrize(
    "name",
    ["session.status", "session.updated", "permission.asked", "message.updated", "message.part.updated"],
)
def test_what_repeats_the_rest_is_not(bridge, gateway, name):
    bridge.event(name)
    assert gateway.requests == []


@pytest.mark.parametrize("given", [None, {}, {"event": None}, {"event": {}}, {"event": {"type": 7}}])
def test_odd_events_never_escape(bridge, given):
    answer = bridge.ask(hook="event", input=given)
    assert (answer["threw"], answer["unhandled"]) == (None, 0)


def test_every_recorded_call_is_an_event_of_its_kind(bridge, gateway):
    kinds = {
        "chat.message": (EventKind.PROMPT, "text", '"please run the probe"'),
        "tool.execute.before": (EventKind.TOOL_CALL, "args", CALL),
        "tool.execute.after": (EventKind.TOOL_RESULT, "result", "dc-probe-123\n"),
        "experimental.text.complete": (EventKind.COMPLETION, "text", "All done."),
    }
    for hook, (kind, field, value) in kinds.items():
        bridge(hook)
        event = opencode.CONNECTOR.decode(HookCall(payload=sent(gateway)))
        assert (event.name, event.kind, getattr(event, field)) == (hook, kind, value)
        assert (event.cwd, event.correlation.session_id) == (PROJECT, SESSION)


# ---- what comes back ------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["allow", "alert", "confirm"])
@pytest.mark.parametrize("hook", HOOKS)
def test_nothing_happens_where_nothing_was_asked_for(bridge, gateway, hook, action):
    gateway.says(action=action, raw_action="block", would_block=True, reason="x")
    given = golden(hook)
    assert bridge(hook, given) == (None, given["output"])


@pytest.mark.parametrize("hook", ["chat.message", "tool.execute.before"])
def test_a_refusal_before_the_fact_is_an_exception_with_the_reason(bridge, gateway, hook):
    deny(gateway)
    assert bridge(hook)[0] == "not here"


def test_a_refused_prompt_is_told_to_the_person(bridge, gateway):
    deny(gateway)
    bridge("chat.message")
    assert bridge.stderr() == "defenseclaw: prompt refused: not here\n"


def test_a_withheld_result_is_the_reason_everywhere_it_is_kept(bridge, gateway):
    deny(gateway)
    given = golden("tool.execute.after")
    given["output"]["attachments"] = [{"url": "data:,x"}]
    threw, output = bridge("tool.execute.after", given)
    assert threw is None
    assert output == {
        "title": "echo dc-probe-123",
        "metadata": {"output": "not here", "exit": 0, "truncated": False},
        "output": "not here",
    }


def test_a_masked_result_takes_the_place_of_the_result(bridge, gateway):
    put(gateway, "masked")
    _, output = bridge("tool.execute.after")
    assert (output["output"], output["metadata"]["output"]) == ("masked", "masked")


@pytest.mark.parametrize("value", ["", {"a": 1}])
def test_a_replacement_is_put_as_text(bridge, gateway, value):
    put(gateway, value)
    assert bridge("tool.execute.after")[1]["output"] == (value if value == "" else '{"a":1}')


@pytest.mark.parametrize(
    ("value", "want"),
    [
        ([{"type": "text", "text": "masked"}], [{"type": "text", "text": "masked"}]),
        ("withheld", [{"type": "text", "text": "withheld"}]),
    ],
)
def test_an_mcp_result_keeps_its_shape(bridge, gateway, value, want):
    put(gateway, value)
    blocks = {"content": [{"type": "text", "text": "secret"}]}
    assert bridge("tool.execute.after", golden("tool.execute.after", output=blocks))[1] == {"content": want}


def test_a_result_that_cannot_be_replaced_is_refused(bridge, gateway):
    put(gateway, "masked")
    made = "Object.freeze({ output: 'secret' })"
    answer = bridge.ask(hook="tool.execute.after", input={"sessionID": "s"}, made=made)
    assert answer["threw"] == "DefenseClaw withheld this."


@pytest.mark.parametrize(("answer", "want"), [(deny, "not here"), (lambda g: put(g, "masked"), "masked")])
def test_an_answer_of_the_model_is_replaced(bridge, gateway, answer, want):
    answer(gateway)
    assert bridge("experimental.text.complete") == (None, {"text": want})


def test_a_block_without_the_agents_own_words_is_still_one(bridge, gateway):
    gateway.says(action="block", reason="RULE")
    assert bridge("tool.execute.before")[0] == "RULE"
    gateway.says(action="block", reason=7, hook_output={"decision": "deny", "reason": ""})
    assert bridge("tool.execute.before")[0] == "DefenseClaw blocked this."


class TestOpenCodeAnswers(BridgeContract):
    """Every recorded call with every answer; what nobody could refuse and nobody is told of is null."""

    connector = opencode.CONNECTOR

    @pytest.fixture
    def bridge(self, bridge):
        bridge.speed_up(FLUSH_MS=60_000)  # however slow the machine, an event is answered
        return bridge

    def called(self, bridge, name):
        given = golden(name)
        answer, stderr = bridge.anew(given, "event" if name.startswith("event.") else name)
        assert answer["unhandled"] == 0
        done = {"threw": answer["threw"]} if answer["threw"] is not None else {}
        if answer.get("output") != given.get("output"):
            done["output"] = answer["output"]
        return done or None, stderr

    def test_every_event_that_is_sent_has_a_payload(self, events):
        assert {event.name for event in events.values()} == {*HOOKS, HISTORY, *LIFECYCLE}


# ---- calls that failed ----------------------------------------------------------------------------


def by_hand(output):
    """Messages of a session in which a person ran a command."""
    words = {"type": "text", "synthetic": True, "text": "The following tool was executed by the user"}
    state = {"status": "completed", "input": {"command": "env"}, "output": output}
    part = {
        "type": "tool",
        "id": "prt_1",
        "sessionID": SESSION,
        "callID": "c",
        "tool": "bash",
        "state": state,
    }
    of_the_model = part | {"id": "prt_2", "state": state | {"output": "heard of"}}
    messages = [
        {"info": {"id": "msg_1", "role": "user"}, "parts": [words]},
        {"info": {"id": "msg_2", "parentID": "msg_1"}, "parts": [part]},
        {"info": {"id": "msg_3", "parentID": "msg_0"}, "parts": [of_the_model]},
    ]
    return {"input": {}, "output": {"messages": messages}}


def test_what_a_persons_own_command_printed_is_judged_and_masked(bridge, gateway):
    put(gateway, "masked")
    for _ in range(2):
        _, output = bridge(HISTORY, by_hand("secret"))
        of_the_person, of_the_model = (output["messages"][place]["parts"][0]["state"] for place in (1, 2))
        assert (of_the_person["output"], of_the_model["output"]) == ("masked", "heard of")
    assert len(gateway.requests) == 1
    assert (sent(gateway)["tool_response"], sent(gateway)["tool_input"]) == ("secret", {"command": "env"})


def test_the_text_of_a_failed_call_is_judged_as_a_result(bridge, gateway):
    assert bridge(HISTORY, history("went wrong")) == (None, history("went wrong")["output"])
    assert sent(gateway) == COMMON | {
        "hook_event_name": HISTORY,
        "tool_name": "notes_fetch",
        "tool_call_id": "call_fake1",
        "tool_input": {"n": 0},
        "tool_response": "went wrong",
    }
    assert opencode.CONNECTOR.decode(HookCall(payload=sent(gateway))).kind is EventKind.TOOL_RESULT


def test_each_error_is_judged_once_and_replaced_every_time(bridge, gateway):
    put(gateway, "masked")
    assert shown(bridge(HISTORY, history("one"))[1]) == ["masked"]
    gateway.says(action="allow")
    assert shown(bridge(HISTORY, history("one", "two"))[1]) == ["masked", "two"]
    assert shown(bridge(HISTORY, history("one", "two"))[1]) == ["masked", "two"]
    assert len(gateway.requests) == 2


def test_our_own_refusals_are_not_judged_again(bridge, gateway):
    deny(gateway)
    bridge("tool.execute.before")
    assert shown(bridge(HISTORY, history("not here"))[1]) == ["not here"]
    assert len(gateway.requests) == 1


def test_the_same_call_id_with_other_words_is_judged(bridge, gateway):
    """A model names its calls as it likes."""
    deny(gateway)
    bridge("tool.execute.before")
    bridge(HISTORY, history("from elsewhere"))
    assert len(gateway.requests) == 2


@pytest.mark.parametrize("output", [{}, {"messages": 7}, {"messages": [{"parts": 7}, 7]}])
def test_odd_histories(bridge, gateway, output):
    assert bridge(HISTORY, {"input": {}, "output": output}) == (None, output)
    assert gateway.requests == []


# ---- the file -------------------------------------------------------------------------------------


def test_the_hooks(bridge):
    assert bridge.load() == [*HOOKS[:3], HISTORY, HOOKS[3], "event", "dispose"]


def test_the_file_holds_no_token_and_no_placeholder(bridge):
    text = bridge.plugin.read_text()
    assert bridge.token not in text
    assert text.startswith(opencode.MARKER.decode())
    assert not [line for line in text.splitlines() if line.startswith("const") and "@" in line]


def test_it_exports_one_function_and_imports_nothing_but_node(bridge):
    """OpenCode calls every export as a plugin of its own."""
    lines = bridge.plugin.read_text().splitlines()
    assert [line.split()[2] for line in lines if line.startswith("export")] == ["DefenseClaw"]
    assert all('from "node:' in line for line in lines if line.startswith("import"))
