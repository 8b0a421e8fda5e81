"""The stand-in, asked as each kind of agent asks."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any

import pytest

from defenseclaw.connectors.canary import ToolUse
from defenseclaw.verification import wire
from defenseclaw.verification.model import MAX_BODY_BYTES, MAX_REQUESTS, Model, Step

CALL = Step(name="call", use=ToolUse(tools=("old", "shell"), arguments={"command": "true"}))
AGAIN = Step(name="again", use=ToolUse(tools=("shell",), arguments={"command": "false"}))
SUB = Step(name="sub", use=ToolUse(tools=("shell",), arguments={"command": "sub"}), for_subagent=True)


@pytest.fixture
def model() -> Iterator[Model]:
    with Model(steps=(CALL, AGAIN, SUB), task="the task", watched=frozenset({"marker-1"})) as running:
        yield running


def send(
    model: Model,
    path: str,
    body: Any = None,
    *,
    method: str = "POST",
    headers: dict[str, str] | None = None,
    raw: bytes | None = None,
) -> tuple[int, str, str]:
    connection = http.client.HTTPConnection(model.address, timeout=10)
    sent = {"Authorization": f"Bearer {model.key}"} if headers is None else headers
    connection.request(method, path, json.dumps(body or {}).encode() if raw is None else raw, sent)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, answer.getheader("content-type") or "", text


def events(text: str) -> list[Any]:
    return [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]


def chat(*results: str, prompt: str = "go", tools: tuple[str, ...] = ("shell",)) -> dict[str, Any]:
    messages: list[dict[str, Any]] = [{"role": "user", "content": prompt}]
    messages += [{"role": "tool", "tool_call_id": f"c{n}", "content": text} for n, text in enumerate(results)]
    return {"messages": messages, "tools": [{"type": "function", "function": {"name": n}} for n in tools]}


def called(answer: tuple[int, str, str]) -> str:
    """Return the command the model asks for, or its last word."""
    message = json.loads(answer[2])["choices"][0]["message"]
    calls = message.get("tool_calls")
    return str(json.loads(calls[0]["function"]["arguments"])["command"] if calls else message["content"])


def test_it_asks_for_its_steps_one_after_the_other(model: Model):
    path = "/v1/chat/completions"
    assert called(send(model, path, chat())) == "true"
    assert called(send(model, path, chat("done so"))) == "false"
    assert called(send(model, path, chat("done so", "and so"))) == wire.CLOSING
    assert (model.asked, model.shown) == ({"call", "again"}, {"call": "done so", "again": "and so"})


def test_a_sub_agent_is_known_by_its_task(model: Model):
    answer = send(model, "/v1/chat/completions", chat(prompt="Please: the task"))
    assert called(answer) == "sub"
    assert model.asked == {"sub"}


def test_a_tool_the_agent_lacks_is_passed_over_and_told(model: Model):
    answer = send(model, "/v1/chat/completions", chat(tools=("read",)))
    assert called(answer) == wire.CLOSING
    assert model.lacking == {"call", "again"}


def test_the_agents_last_word_waits_for_the_sub_agent():
    use = ToolUse(tools=("delegate",), arguments={"task": "the task"})
    steps = (Step(name="delegate", use=use, hands_on=True), SUB)
    with Model(steps=steps, task="the task", patience_s=0.2) as model:
        tools = ("shell", "delegate")
        send(model, "/v1/chat/completions", chat(tools=tools))
        assert not model.handed_back
        assert called(send(model, "/v1/chat/completions", chat("started", tools=tools))) == wire.CLOSING
        send(model, "/v1/chat/completions", chat("denied", prompt="the task"))
        assert model.handed_back
        assert model.shown == {"delegate": "started", "sub": "denied"}


def test_a_conversation_without_tools_is_only_answered(model: Model):
    answer = send(model, "/v1/chat/completions", {"messages": [{"role": "user", "content": "a title?"}]})
    assert called(answer) == wire.CLOSING
    assert model.asked == set()


def test_a_turn_that_goes_astray_is_ended(model: Model):
    model.requests = MAX_REQUESTS
    assert called(send(model, "/v1/chat/completions", chat())) == wire.CLOSING


def test_markers_are_looked_out_for_anywhere(model: Model):
    send(model, "/v1/chat/completions", {"anywhere": ["see marker-1"]})
    assert model.reached == {"marker-1"}


MESSAGES = {
    "stream": True,
    "tools": [{"name": "shell"}],
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "go"}]},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t1"}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "ran"}]},
    ],
}
RESPONSES = {
    "stream": True,
    "tools": [{"type": "function", "name": "shell"}],
    "input": [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "go"}]},
        {"type": "function_call_output", "call_id": "t1", "output": "ran"},
    ],
}
GEMINI = {
    "tools": [{"functionDeclarations": [{"name": "shell"}]}],
    "contents": [
        {"role": "user", "parts": [{"text": "go"}]},
        {"role": "user", "parts": [{"functionResponse": {"name": "shell", "response": {"output": "ran"}}}]},
    ],
}


@pytest.mark.parametrize(
    ("path", "body", "header"),
    [
        ("/v1/messages?beta=true", MESSAGES, "x-api-key"),
        ("/v1/responses", RESPONSES, "authorization"),
        ("/v1beta/models/m:streamGenerateContent?alt=sse", GEMINI, "x-goog-api-key"),
    ],
    ids=["messages", "responses", "gemini"],
)
def test_every_format_says_the_second_step(model: Model, path: str, body: dict[str, Any], header: str):
    status, kind, text = send(model, path, body, headers={header: model.key})
    assert (status, kind) == (200, "text/event-stream")
    assert "false" in text
    assert "ran" in model.shown["call"]
    assert all(events(text))


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("name", ["messages", "responses", "chat", "gemini"])
@pytest.mark.parametrize(
    "answer", ["text", wire.Call(tool="shell", arguments={"a": "é"})], ids=["text", "call"]
)
def test_what_is_said_is_json_in_any_shape(name: str, answer: wire.Answer, streamed: bool):
    asked = wire.Asked(format=name, streamed=streamed, model="m", tools=(), results=(), said="")
    reply = wire.render(asked, answer)
    said = events(reply.body.decode()) if streamed else [json.loads(reply.body)]
    wanted = "text" if isinstance(answer, str) else "shell"
    assert wanted in json.dumps(said)
    assert (reply.content_type == "text/event-stream") is streamed


def test_a_tool_in_a_name_space_is_called_in_it():
    body = {
        "tools": [{"type": "namespace", "name": "agents", "tools": [{"type": "function", "name": "spawn"}]}]
    }
    asked = wire.read("/v1/responses", body)
    assert asked.tools == ("agents/spawn",)
    (item,) = json.loads(wire.render(asked, wire.Call(tool="agents/spawn", arguments={})).body)["output"]
    assert (item["namespace"], item["name"]) == ("agents", "spawn")


@pytest.mark.parametrize(
    "body",
    [
        {"tools": 3, "messages": "x", "input": {"a": 1}, "contents": [3, {"parts": [None, {"text": 3}]}]},
        {"tools": [{"function": {"name": 3}}], "messages": [{"role": "user", "content": None}]},
        {"messages": [{"role": "tool", "content": {"deep": [1]}}, {"role": "user", "content": [{}]}]},
    ],
)
@pytest.mark.parametrize("path", ["/messages", "/responses", "/completions", ":generateContent"])
def test_a_body_of_any_shape_is_read(path: str, body: dict[str, Any]):
    assert wire.read(path, body).tools == ()


@pytest.mark.parametrize("raw", [b"{", b"[]", b"\xff", b"[" * 100_000], ids=["cut", "list", "bytes", "deep"])
def test_what_is_no_object_is_refused(model: Model, raw: bytes):
    assert send(model, "/v1/messages", raw=raw)[0] == 400


@pytest.mark.parametrize(
    "headers",
    [{}, {"x-api-key": "theirs"}, {"Authorization": "Bearer theirs"}],
    ids=["none", "key", "bearer"],
)
def test_another_key_is_turned_away_and_counted(model: Model, headers: dict[str, str]):
    assert send(model, "/v1/chat/completions", chat(), headers=headers)[0] == 401
    assert (model.strangers, model.requests) == (1, 0)


def test_side_questions_are_answered(model: Model):
    assert send(model, "/v1/messages/count_tokens")[2] == '{"input_tokens": 10}'
    assert send(model, "/v1beta/models/m:countTokens")[2] == '{"totalTokens": 10}'
    assert send(model, "/v1/models", method="GET")[0] == 200
    assert send(model, "/v1/analytics")[0] == 404


def test_gemini_is_told_in_json_who_speaks_next(model: Model):
    body = {**GEMINI, "generationConfig": {"responseMimeType": "application/json"}}
    told = json.loads(send(model, "/v1beta/models/m:generateContent", body)[2])
    assert json.loads(told["candidates"][0]["content"]["parts"][0]["text"])["next_speaker"] == "user"


def test_as_a_proxy_it_refuses_everything_and_counts_it(model: Model):
    for _ in range(2):
        assert send(model, "api.example.com:443", method="CONNECT")[0] == 403
    assert send(model, "http://plain.example.com:8080/v1/messages")[0] == 403
    assert send(model, "http://plain.example.com/", method="GET")[0] == 403
    assert dict(model.refused) == {"api.example.com": 2, "plain.example.com": 2}


def test_asked_for_itself_as_a_proxy_it_answers(model: Model):
    assert called(send(model, f"{model.url}/v1/chat/completions", chat())) == "true"


def test_a_body_in_chunks_is_read(model: Model):
    connection = http.client.HTTPConnection(model.address, timeout=10)
    body = json.dumps(chat()).encode()
    headers = {"Authorization": f"Bearer {model.key}"}
    connection.request(
        "POST", "/v1/chat/completions", iter([body[:9], body[9:]]), headers, encode_chunked=True
    )
    assert called((200, "", connection.getresponse().read().decode())) == "true"
    connection.close()


def test_too_much_is_refused_before_it_is_read(model: Model):
    connection = http.client.HTTPConnection(model.address, timeout=10)
    connection.putrequest("POST", "/v1/messages")
    connection.putheader("Content-Length", str(MAX_BODY_BYTES + 1))
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()


def test_the_key_is_of_this_run_alone_and_not_shown():
    with Model() as one, Model() as other:
        assert one.key != other.key
        assert one.key not in repr(one)


def test_it_listens_only_while_it_is_entered():
    with pytest.raises(RuntimeError):
        _ = Model().address
