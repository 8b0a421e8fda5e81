"""The plugin inside Hermes: what it hands to the script, and what Hermes gets to do."""

import json
import sys
import threading
import types

import pytest

from defenseclaw.connectors import hermes, hookscript, runtime

HERMES = hermes.CONNECTOR
TURN = {"session_id": "s1", "turn_id": "t1", "task_id": "k1"}
PROMPT = "please deploy with the token abc"
BLOCK = {"action": "block", "message": "not here"}


class Guard:
    """The plugin as Hermes loads it, before a script that answers what a test wants."""

    def __init__(self, host):
        self.script = hookscript.script_path(host, HERMES.script)
        self.script.parent.mkdir(parents=True)
        self.replies = self.script.parent / "replies"
        self.replies.mkdir()
        self.log = self.script.parent / "asked"
        self.log.mkdir()
        # One file per call: concurrent calls must not write into each other.
        self.write(
            "cd \"$(dirname \"$0\")\" || exit 1\n"
            "cat >\"$(mktemp asked/$1.XXXXXX)\"\n"
            'test -f "replies/$1" && cat "replies/$1"\nexit 0\n'
        )  # fmt: skip
        self.runtime = runtime.runtime_path(host, HERMES.name)
        self.runtime.write_text("gateway=127.0.0.1:1\nfail_mode=closed\n")
        self.module = types.ModuleType("hermes_plugins.defenseclaw")
        exec(compile(HERMES._render(host), "plugin", "exec"), self.module.__dict__)
        self.hooks, self.middleware = {}, {}
        self.module.register(self)

    def register_hook(self, name, callback):
        self.hooks[name] = callback

    def register_middleware(self, name, callback):
        self.middleware[name] = callback

    def write(self, body):
        self.script.write_text(f"#!/bin/sh\n{body}")
        self.script.chmod(0o700)

    def says(self, event, **answer):
        (self.replies / event).write_text(json.dumps(answer))

    def asked(self, event):
        return [json.loads(each.read_text()) for each in sorted(self.log.glob(f"{event}.*"))]

    def prompt(self, text=PROMPT, **about):
        return self.hooks["pre_llm_call"](user_message=text, **(TURN | about))

    def model(self, request, turn_id="t1"):
        """Call the model as Hermes would; return what Hermes gets and what the provider got."""
        sent = []
        answer = self.middleware["llm_execution"](
            next_call=lambda given: sent.append(given) or "answer", request=request, turn_id=turn_id
        )
        return answer, sent

    def call(self, result="done", **about):
        about = TURN | {"tool_call_id": "c1", "tool_name": "terminal", "args": {"command": "ls"}} | about
        return self.middleware["tool_execution"](next_call=lambda args: result, **about)


@pytest.fixture
def guard(host):
    return Guard(host)


# ---- what is handed on ------------------------------------------------------------------------------


def test_the_payload_is_the_one_hermes_own_hooks_get(guard):
    guard.hooks["pre_tool_call"](tool_name="terminal", args={"command": "ls"}, tool_call_id="c1", **TURN)
    (sent,) = guard.asked("pre_tool_call")
    assert sent["cwd"].startswith("/")
    extra = {"turn_id": "t1", "task_id": "k1", "tool_call_id": "c1", "can_ask": False}
    assert sent | {"cwd": ""} == {
        "hook_event_name": "pre_tool_call",
        "tool_name": "terminal",
        "tool_input": {"command": "ls"},
        "session_id": "s1",
        "cwd": "",
        "extra": extra,
    }


def test_every_event_of_the_connector_has_a_callback(guard):
    taken = {"post_tool_call": "tool_execution", "post_llm_call": "transform_llm_output"}
    wanted = {taken.get(event, event) for event in HERMES.events("")} | {"llm_execution"}
    assert set(guard.hooks) | set(guard.middleware) == wanted


def test_earlier_messages_are_not_sent_with_every_turn(guard):
    guard.prompt(conversation_history=[{"role": "user", "content": "long ago"}])
    (sent,) = guard.asked("pre_llm_call")
    assert sent["extra"]["user_message"] == PROMPT
    assert "long ago" not in json.dumps(sent)


def test_a_sub_agents_start_belongs_to_its_parents_session(guard):
    assert guard.hooks["subagent_start"](parent_session_id="s1", child_goal="look") is None
    (sent,) = guard.asked("subagent_start")
    assert (sent["session_id"], sent["extra"]["child_goal"]) == ("s1", "look")


def test_what_json_cannot_hold_is_sent_as_text(guard):
    guard.call(result={"at": b"\xff", "odd": "\ud800"})
    (sent,) = guard.asked("post_tool_call")
    assert sent["extra"]["result"] == {"at": "b'\\xff'", "odd": "?"}


# ---- calls and results ------------------------------------------------------------------------------


def test_a_refused_call_is_vetoed(guard):
    guard.says("pre_tool_call", **BLOCK)
    assert guard.hooks["pre_tool_call"](tool_name="terminal", args={}, **TURN) == BLOCK


def test_silence_lets_the_call_run(guard):
    assert guard.hooks["pre_tool_call"](tool_name="terminal", args={}, **TURN) is None
    assert guard.call("done") == "done"


def test_a_question_is_one_question(guard):
    guard.says("pre_tool_call", action="approve", message="sure?")
    asked = [guard.hooks["pre_tool_call"](tool_name="terminal", args={}, **TURN) for _ in range(2)]
    assert [(each["action"], each["message"]) for each in asked] == [("approve", "sure?")] * 2
    assert asked[0]["rule_key"] != asked[1]["rule_key"]


@pytest.mark.parametrize(
    ("result", "masked", "shown"),
    [
        ("a secret", "a <redacted>", "a <redacted>"),
        ("a secret", "", ""),
        ({"content": ["a secret"]}, {"content": ["<redacted>"]}, {"content": ["<redacted>"]}),
        ("a secret", {"odd": 1}, '{"odd": 1}'),
    ],
)
def test_a_masked_result_takes_the_place_of_the_result(guard, result, masked, shown):
    guard.says("post_tool_call", result=masked)
    assert guard.call(result) == shown


def test_a_refused_result_is_an_error(guard):
    guard.says("post_tool_call", **BLOCK)
    assert json.loads(guard.call("done")) == {"error": "not here"}


def test_a_call_that_hermes_wraps_twice_is_seen_once(guard):
    guard.says("post_tool_call", result="masked")
    about = TURN | {"tool_call_id": "c1", "tool_name": "terminal", "args": {}}
    run = guard.middleware["tool_execution"]
    assert run(next_call=lambda args: run(next_call=lambda inner: "raw", **about), **about) == "masked"
    assert [each["extra"]["result"] for each in guard.asked("post_tool_call")] == ["raw"]


def test_a_call_inside_another_is_seen_too(guard):
    """A sub-agent's call inside the call that started it, in the same thread, with an id that repeats."""
    run = guard.middleware["tool_execution"]
    inner = {"session_id": "child", "tool_call_id": "c1", "tool_name": "terminal", "args": {}}
    outer = TURN | {"tool_call_id": "c1", "tool_name": "delegate_task", "args": {}}
    run(next_call=lambda args: run(next_call=lambda _: "raw", **inner), **outer)
    assert {each["tool_name"] for each in guard.asked("post_tool_call")} == {"terminal", "delegate_task"}


def test_a_tool_that_fails_fails_as_it_would_alone(guard):
    def failing(args):
        raise ValueError("the tool's own")

    with pytest.raises(ValueError, match="the tool's own"):
        guard.middleware["tool_execution"](next_call=failing, tool_name="terminal", args={}, **TURN)
    assert guard.call("done") == "done"
    assert len(guard.asked("post_tool_call")) == 1


def test_calls_side_by_side_get_their_own_answers(guard):
    found = {}
    threads = [
        threading.Thread(target=lambda n=n: found.update({n: guard.call(f"r{n}", tool_call_id=f"c{n}")}))
        for n in range(8)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert found == {n: f"r{n}" for n in range(8)}
    assert len(guard.asked("post_tool_call")) == 8


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        ({}, None),
        ({"result": "use <redacted>"}, "use <redacted>"),
        ({"result": ""}, "[withheld by DefenseClaw]"),
        (BLOCK, "not here"),
    ],
)
def test_the_last_answer(guard, answer, shown):
    guard.says("post_llm_call", **answer)
    assert guard.hooks["transform_llm_output"](response_text="use the token", session_id="s1") == shown
    (sent,) = guard.asked("post_llm_call")
    assert sent["extra"]["assistant_response"] == "use the token"


# ---- prompts ----------------------------------------------------------------------------------------


def test_a_noticed_prompt_brings_its_context(guard):
    guard.says("pre_llm_call", context="noticed")
    assert guard.prompt() == {"context": "noticed"}
    request = {"messages": [{"role": "user", "content": PROMPT}]}
    assert guard.model(request) == ("answer", [request])


def test_a_refused_prompt_is_answered_without_the_model(guard):
    guard.says("pre_llm_call", **BLOCK)
    assert guard.prompt() is None
    answer, sent = guard.model({"messages": [{"role": "user", "content": PROMPT}]})
    assert sent == []
    (choice,) = answer.choices
    assert (choice.finish_reason, choice.message.content) == ("content_filter", "not here")
    assert (answer.stop_reason, answer.content[0].text) == ("refusal", "not here")
    assert (answer.status, answer.incomplete_details) == ("incomplete", {"reason": "content_filter"})


def test_other_turns_go_on(guard):
    guard.says("pre_llm_call", **BLOCK)
    guard.prompt()
    request = {"messages": [{"role": "user", "content": "hello"}]}
    assert guard.model(request, turn_id="t2") == ("answer", [request])


REQUESTS = {
    "chat": (
        {"messages": [{"role": "user", "content": f"[me] {PROMPT}\n\nmore"}]},
        {"messages": [{"role": "user", "content": "[withheld by DefenseClaw]"}]},
    ),
    "parts": (
        {"messages": [{"role": "user", "content": [{"type": "text", "text": PROMPT}, {"type": "image"}]}]},
        {
            "messages": [
                {
                    "role": "user",
                    "content": [{"type": "text", "text": "[withheld by DefenseClaw]"}, {"type": "image"}],
                }
            ]
        },
    ),
    "responses": ({"input": PROMPT}, {"input": "[withheld by DefenseClaw]"}),
    "not said by a user": (
        {"messages": [{"role": "tool", "content": PROMPT}, "odd"]},
        {"messages": [{"role": "tool", "content": PROMPT}, "odd"]},
    ),
}


@pytest.mark.parametrize(("request_", "wanted"), REQUESTS.values(), ids=REQUESTS)
def test_a_refused_prompt_stays_out_of_later_requests(guard, request_, wanted):
    guard.says("pre_llm_call", **BLOCK)
    guard.prompt()
    before = json.dumps(request_)
    assert guard.model(request_, turn_id="t2") == ("answer", [wanted])
    assert json.dumps(request_) == before


def test_a_short_refused_prompt_does_not_withhold_what_merely_holds_it(guard):
    guard.says("pre_llm_call", **BLOCK)
    guard.prompt("go")
    said = [{"role": "user", "content": "go on"}, {"role": "user", "content": " go "}]
    _, ((sent),) = guard.model({"messages": said}, turn_id="t2")
    assert [each["content"] for each in sent["messages"]] == ["go on", "[withheld by DefenseClaw]"]


def test_the_session_that_hermes_saves_does_not_hold_it(guard):
    guard.says("pre_llm_call", **BLOCK)
    history = [{"role": "user", "content": "before"}, {"role": "user", "content": PROMPT}]
    guard.prompt(conversation_history=history)
    assert [each["content"] for each in history] == ["before", "[withheld by DefenseClaw]"]


def test_what_is_remembered_is_bounded(guard):
    for number in range(300):
        guard.module._refuse(f"t{number}", f"a refused prompt, number {number}", "no")
    assert len(guard.module._refused_turns) == len(guard.module._refused_texts) == 256
    assert "t299" in guard.module._refused_turns


# ---- who can be asked -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bypassed", "terminal", "gateway", "can_ask"),
    [
        (False, True, False, True),
        (False, False, True, True),
        (False, False, False, False),
        (True, True, True, False),
    ],
    ids=["at the terminal", "over the gateway", "nobody", "approvals off"],
)
def test_a_person_is_named_when_hermes_would_ask_one(
    guard, monkeypatch, bypassed, terminal, gateway, can_ask
):
    plugins, tools = types.ModuleType("hermes_cli.plugins"), types.ModuleType("tools")
    plugins.resolve_pre_tool_block = object()
    tools.approval = types.SimpleNamespace(
        is_approval_bypass_active=lambda: bypassed,
        _is_interactive_cli=lambda: terminal,
        _is_gateway_approval_context=lambda: gateway,
    )
    monkeypatch.setitem(sys.modules, "hermes_cli", types.ModuleType("hermes_cli"))
    monkeypatch.setitem(sys.modules, "hermes_cli.plugins", plugins)
    monkeypatch.setitem(sys.modules, "tools", tools)
    assert guard.module._somebody_can_be_asked() is can_ask
    del plugins.resolve_pre_tool_block  # a release whose Hermes would take "approve" for nothing
    assert guard.module._somebody_can_be_asked() is False


# ---- when the script cannot answer -------------------------------------------------------------------

HARM = {
    "gone": None,
    "not runnable": "",
    "fails": "cat >/dev/null; exit 3\n",
    "no JSON": "cat >/dev/null; echo hello\n",
    "no object": "cat >/dev/null; echo '[1]'\n",
    "not UTF-8": "cat >/dev/null; printf '\\377'\n",
    "hangs": "exec sleep 30\n",
}


@pytest.mark.parametrize("fail_mode", ["open", "closed", "unreadable", "tightened"])
@pytest.mark.parametrize("harm", HARM)
def test_a_script_that_cannot_answer_leaves_it_to_the_fail_mode(guard, monkeypatch, harm, fail_mode):
    guard.module._TIMEOUT_S = 0.2
    guard.write(HARM[harm] or "")
    if harm == "gone":
        guard.script.unlink()
    elif harm == "not runnable":
        guard.script.chmod(0o600)
    guard.runtime.write_text(
        "fail_mode=open\n" if fail_mode in ("open", "tightened") else "fail_mode=closed\n"
    )
    if fail_mode == "unreadable":
        guard.runtime.unlink()
    if fail_mode == "tightened":
        monkeypatch.setenv("DEFENSECLAW_FAIL_MODE", "closed")
    closed = fail_mode != "open"
    refused = guard.hooks["pre_tool_call"](tool_name="terminal", args={}, **TURN)
    assert (refused is not None and "fails closed" in refused["message"]) is closed
    assert ("fails closed" in guard.call("done")) is closed
    guard.prompt()
    assert (guard.model({})[1] == []) is closed
    assert guard.hooks["transform_llm_output"](response_text="said") is None
    assert guard.hooks["on_session_end"](**TURN) is None


def test_a_loop_in_the_arguments_is_not_an_error_of_hermes(guard):
    args = {}
    args["self"] = args
    answer = guard.hooks["pre_tool_call"](tool_name="terminal", args=args, **TURN)
    assert answer["action"] == "block"


def test_the_plugin_waits_longer_than_the_script(guard):
    assert guard.module._TIMEOUT_S > runtime.TOTAL_TIMEOUT_S


def test_its_words_when_it_fails_closed_are_the_scripts(guard):
    from defenseclaw.connectors import scripted

    assert guard.module._UNDECIDED == scripted.FAILED_CLOSED
