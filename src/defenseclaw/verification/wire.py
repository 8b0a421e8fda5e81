"""The wire formats of language models, as far as a canary needs them. Pure: bytes in, bytes out.

Anthropic messages, OpenAI responses and chat completions, Gemini. Source: ``spec/real-agents.md`` §2, the
providers' public references.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

CLOSING = "Done."
"""What the model says when nothing is left to do."""
_USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a request says, whatever its format."""

    format: str
    """``messages``, ``responses``, ``chat`` or ``gemini``."""
    streamed: bool
    model: str
    tools: tuple[str, ...]
    """Names of the tools on offer; one in a namespace is ``namespace/name``."""
    results: tuple[str, ...]
    """What each tool call of the conversation so far came to, oldest first."""
    said: str
    """Everything in the user's role that is not a tool's result."""
    wants_json: bool = False
    """Gemini asks side questions (routing, who speaks next) that must be answered in JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """An answer that calls a tool."""

    tool: str
    arguments: Mapping[str, Any]


Answer = Call | str
"""A tool call, or the text that ends a turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What goes back."""

    body: bytes
    content_type: str = "application/json"
    status: int = 200


def as_json(value: object, status: int = 200) -> Reply:
    """Return a JSON reply."""
    return Reply(body=json.dumps(value).encode(), status=status)


def format_of(path: str) -> str:
    """Return the format that a path (without query) speaks, empty for none."""
    for ending, name in (("/messages", "messages"), ("/responses", "responses"), ("/completions", "chat")):
        if path.endswith(ending):
            return name
    return "gemini" if path.endswith((":generateContent", ":streamGenerateContent")) else ""


def side_answer(path: str) -> Reply | None:
    """Return the answer to a question beside the conversation (tokens counted, models listed)."""
    if path.endswith("/count_tokens"):
        return as_json({"input_tokens": 10})
    if path.endswith(":countTokens"):
        return as_json({"totalTokens": 10})
    return None


def read(path: str, body: Mapping[str, Any]) -> Asked:
    """Return what a request asks.

    Args:
        path: Without its query; :func:`format_of` knows it.
        body: The decoded JSON object, of any content.
    """
    name = format_of(path)
    config = body.get("generationConfig")
    return Asked(
        format=name,
        streamed="stream" in path if name == "gemini" else bool(body.get("stream")),
        model=str(body.get("model") or "canary"),
        tools=tuple(_tools(body)),
        results=tuple(dict(_results(body)).values()),
        said="\n".join(_said(body)),
        wants_json=isinstance(config, Mapping) and config.get("responseMimeType") == "application/json",
    )


def render(asked: Asked, answer: Answer) -> Reply:
    """Return the reply that says ``answer`` in the format of the question."""
    if asked.format == "messages":
        return _messages(asked, answer)
    if asked.format == "responses":
        return _responses(asked, answer)
    return _gemini(asked, answer) if asked.format == "gemini" else _chat(asked, answer)


# ---- reading ---------------------------------------------------------------------------------------


def _tools(body: Mapping[str, Any]) -> Iterator[str]:
    for tool in _maps(body.get("tools")):
        is_namespace = tool.get("type") == "namespace"
        nested = tool.get("tools" if is_namespace else "functionDeclarations")
        for each in _maps(nested) if isinstance(nested, list) else (tool,):
            function = each.get("function")
            name = (function if isinstance(function, Mapping) else each).get("name")
            if isinstance(name, str):
                yield f"{tool.get('name')}/{name}" if is_namespace else name


def _results(body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield id and text of each tool result; Gemini's have none, their place counts."""
    for message in _maps(body.get("messages")):
        for block in _maps(message.get("content")):
            if block.get("type") == "tool_result":
                yield str(block.get("tool_use_id")), _text(block.get("content"))
        if message.get("role") == "tool":
            yield str(message.get("tool_call_id")), _text(message.get("content"))
    for item in _maps(body.get("input")):
        if str(item.get("type", "")).endswith("_call_output"):
            yield str(item.get("call_id")), _text(item.get("output"))
    for place, part in enumerate(_parts(body)):
        response = part.get("functionResponse")
        if isinstance(response, Mapping):
            yield f"part {place}", _text(response.get("response"))


def _said(body: Mapping[str, Any]) -> Iterator[str]:
    for message in (*_maps(body.get("messages")), *_maps(body.get("input"))):
        if message.get("role") == "user":
            content = message.get("content")
            if isinstance(content, str):
                yield content
            yield from (_text(part) for part in _maps(content) if part.get("type") != "tool_result")
    if isinstance(body.get("input"), str):
        yield body["input"]
    for content in _maps(body.get("contents")):
        if content.get("role") == "user":
            yield from (_text(part.get("text")) for part in _maps(content.get("parts")))


def _parts(body: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for content in _maps(body.get("contents")):
        yield from _maps(content.get("parts"))


def _maps(value: object) -> Iterable[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else ()


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "\n".join(map(_text, value))
    if isinstance(value, Mapping) and isinstance(value.get("text"), str):
        return str(value["text"])
    return json.dumps(value) if value is not None else ""


# ---- answering -------------------------------------------------------------------------------------


def _id(prefix: str) -> str:
    return f"{prefix}_{uuid.uuid4().hex[:20]}"


def _events(events: Iterable[Mapping[str, Any]], *, named: bool = True, end: str = "") -> Reply:
    lines = [
        (f"event: {event['type']}\n" if named else "") + f"data: {json.dumps(event)}\n\n" for event in events
    ]
    return Reply(body=("".join(lines) + end).encode(), content_type="text/event-stream")


def _messages(asked: Asked, answer: Answer) -> Reply:
    if isinstance(answer, Call):
        block = {"type": "tool_use", "id": _id("toolu"), "name": answer.tool, "input": dict(answer.arguments)}
        opening = {**block, "input": {}}
        delta = {"type": "input_json_delta", "partial_json": json.dumps(dict(answer.arguments))}
        stop = "tool_use"
    else:
        block, opening = {"type": "text", "text": answer}, {"type": "text", "text": ""}
        delta, stop = {"type": "text_delta", "text": answer}, "end_turn"
    usage = {"input_tokens": 10, "output_tokens": 5}
    message = {"id": _id("msg"), "type": "message", "role": "assistant", "model": asked.model, "usage": usage}
    if not asked.streamed:
        return as_json({**message, "content": [block], "stop_reason": stop, "stop_sequence": None})
    ended = {"stop_reason": stop, "stop_sequence": None}
    opened = {**message, "content": [], "stop_reason": None, "stop_sequence": None}
    return _events(
        (
            {"type": "message_start", "message": opened},
            {"type": "content_block_start", "index": 0, "content_block": opening},
            {"type": "content_block_delta", "index": 0, "delta": delta},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": ended, "usage": {"output_tokens": 5}},
            {"type": "message_stop"},
        )
    )


def _responses(asked: Asked, answer: Answer) -> Reply:
    item: dict[str, Any]
    if isinstance(answer, Call):
        arguments = json.dumps(dict(answer.arguments))
        space, _, name = answer.tool.rpartition("/")
        item = {"type": "function_call", "id": _id("fc"), "call_id": _id("call"), "name": name}
        item |= {"arguments": arguments, "status": "completed"} | ({"namespace": space} if space else {})
    else:
        part = {"type": "output_text", "text": answer, "annotations": []}
        item = {"type": "message", "id": _id("msg"), "role": "assistant", "status": "completed"}
        item |= {"content": [part]}
    usage = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
    usage |= {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}  # type: ignore[dict-item]
    whole = {"id": _id("resp"), "object": "response", "created_at": int(time.time()), "model": asked.model}
    whole |= {"parallel_tool_calls": False, "tool_choice": "auto", "tools": []}
    done = {**whole, "status": "completed", "output": [item], "usage": usage}
    if not asked.streamed:
        return as_json(done)
    place = {"output_index": 0, "item": item}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": {**whole, "status": "in_progress", "output": []}},
        {"type": "response.output_item.added", **place},
        {"type": "response.output_item.done", **place},
        {"type": "response.completed", "response": done},
    ]
    return _events({**event, "sequence_number": number} for number, event in enumerate(events))


def _chat(asked: Asked, answer: Answer) -> Reply:
    message: dict[str, Any] = {"role": "assistant", "content": None}
    if isinstance(answer, Call):
        function = {"name": answer.tool, "arguments": json.dumps(dict(answer.arguments))}
        message["tool_calls"] = [{"id": _id("call"), "type": "function", "function": function}]
    else:
        message["content"] = answer
    stop = "tool_calls" if isinstance(answer, Call) else "stop"
    base = {"id": _id("chatcmpl"), "created": int(time.time()), "model": asked.model}
    if not asked.streamed:
        choice = {"index": 0, "message": message, "finish_reason": stop}
        return as_json({**base, "object": "chat.completion", "choices": [choice], "usage": _USAGE})
    if isinstance(answer, Call):
        message["tool_calls"][0]["index"] = 0
    base["object"] = "chat.completion.chunk"
    return _events(
        (
            {**base, "choices": [{"index": 0, "delta": message, "finish_reason": None}]},
            {**base, "choices": [{"index": 0, "delta": {}, "finish_reason": stop}]},
            {**base, "choices": [], "usage": _USAGE},
        ),
        named=False,
        end="data: [DONE]\n\n",
    )


def _gemini(asked: Asked, answer: Answer) -> Reply:
    part: dict[str, Any]
    if isinstance(answer, Call):
        part = {"functionCall": {"name": answer.tool, "args": dict(answer.arguments)}}
    elif asked.wants_json:
        fields = ("reasoning", "complexity_reasoning")
        asides = {"next_speaker": "user", "model_choice": "flash", "complexity_score": 1}
        part = {"text": json.dumps({**dict.fromkeys(fields, "-"), **asides})}
    else:
        part = {"text": answer}
    candidate = {"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}
    usage = {"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15}
    whole = {"candidates": [candidate], "usageMetadata": usage, "modelVersion": asked.model}
    return _events((whole,), named=False) if asked.streamed else as_json(whole)
