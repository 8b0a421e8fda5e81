"""A loopback stand-in for a language model, scripted turn by turn.

It answers Anthropic messages, OpenAI responses and chat completions, and Gemini. A script is a list of steps
for one conversation: each step is a tool call or a final text; the number of tool results seen so far says
which step is next. Requests without tools (titles, summaries) get a text. Every request is kept in
``requests``, so a test can assert what the model was shown. Source of the wire shapes:
``spec/real-agents.md`` §2.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Call:
    """A step in which the model calls a tool.

    ``tool`` is the end of an offered tool's name; one in a namespace is offered as ``namespace/name``.
    """

    tool: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Say:
    """A step in which the model ends its turn."""

    text: str
    after_subagent: bool = False
    """Held back until the sub-agent's script is at its end: an agent that ends may end its sub-agents."""


Step = Call | Say

SUBAGENT_PATIENCE_S = 30


@dataclass
class FakeModel:
    """The server; use as a context manager. ``script`` may be replaced between turns."""

    script: Sequence[Step] = (Say("All done."),)
    subagent_script: Sequence[Step] = ()
    """Answers conversations in which ``subagent_marker`` stands in the user's role."""
    subagent_marker: str = "SUBAGENT-TASK"
    requests: list[dict[str, Any]] = field(default_factory=list)
    subagent_ended: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> FakeModel:
        model = self

        class Handler(_Handler):
            fake = model

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def next_step(self, used: int, said: str) -> Step:
        """Return the step after ``used`` tool results of a conversation whose user said ``said``."""
        by_subagent = bool(self.subagent_script) and self.subagent_marker in said
        script = self.subagent_script if by_subagent else self.script
        step = script[used] if used < len(script) else Say("All done.")
        if by_subagent and used >= len(script) - 1:
            self.subagent_ended.set()
        if isinstance(step, Say) and step.after_subagent:
            self.subagent_ended.wait(SUBAGENT_PATIENCE_S)
        return step

    def tool_results(self) -> list[str]:
        """Every tool result any conversation showed the model, as text, oldest first, each once."""
        seen: dict[str, str] = {}
        for request in self.requests:
            for call_id, text in _tool_results(request["body"]):
                seen.setdefault(call_id, text)
        return list(seen.values())

    def everything(self) -> str:
        """All that was ever sent to the model."""
        return json.dumps([request["body"] for request in self.requests])


def _tool_results(body: dict[str, Any]) -> Iterable[tuple[str, str]]:
    for message in body.get("messages") or []:
        content = message.get("content")
        for block in content if isinstance(content, list) else []:
            if block.get("type") == "tool_result":
                yield block["tool_use_id"], _text(block.get("content"))
        if message.get("role") == "tool":
            yield message["tool_call_id"], _text(content)
    inputs = body.get("input")
    for item in inputs if isinstance(inputs, list) else []:
        if item.get("type") == "function_call_output":
            yield item["call_id"], _text(item.get("output"))
    for place, part in enumerate(_gemini_parts(body)):
        if "functionResponse" in part:
            response = part["functionResponse"]
            yield response.get("id") or f"part {place}", _text(response.get("response"))


def _gemini_parts(body: dict[str, Any]) -> list[dict[str, Any]]:
    return [part for content in body.get("contents") or [] for part in content.get("parts") or []]


def _tool_names(body: dict[str, Any]) -> list[str]:
    names = []
    for tool in body.get("tools") or []:
        if tool.get("type") == "namespace":
            names += [f"{tool['name']}/{each.get('name', '')}" for each in tool["tools"]]
            continue
        declared = tool.get("functionDeclarations") or [tool.get("function") or tool]
        names += [each.get("name", "") for each in declared]
    return names


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(
            _text(part.get("text", "")) if isinstance(part, dict) else _text(part) for part in content
        )
    return json.dumps(content)


def _said_by_user(body: dict[str, Any]) -> str:
    """Return the text in the user's role, without tool results."""
    found = [
        _text(message.get("content"))
        for message in body.get("messages") or body.get("input") or []
        if isinstance(message, dict) and message.get("role") == "user"
    ]
    for content in body.get("contents") or []:
        if content.get("role") == "user":
            found += [part.get("text", "") for part in content.get("parts") or []]
    return "\n".join(found)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fake: FakeModel

    def log_message(self, *_: object) -> None:
        return

    def do_GET(self) -> None:
        self._json({"object": "list", "data": [{"id": "fake", "object": "model"}]})

    do_HEAD = do_GET

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        body = json.loads(raw or b"{}")
        path = self.path.split("?")[0]
        self.fake.requests.append({"path": path, "body": body})
        if path.endswith("/count_tokens"):
            self._json({"input_tokens": 10})
        elif path.endswith("/messages"):
            self._anthropic(body)
        elif path.endswith("/responses"):
            self._responses(body)
        elif path.endswith("/chat/completions"):
            self._chat(body)
        elif path.endswith(":countTokens"):
            self._json({"totalTokens": 10})
        elif "enerateContent" in path:
            self._gemini(body, streamed="stream" in path)
        else:
            self._json({}, 404)

    def _step(self, body: dict[str, Any]) -> tuple[Step, str]:
        names = _tool_names(body)
        used = len(dict(_tool_results(body)))
        if not names:
            return Say("ok"), ""
        step = self.fake.next_step(used, _said_by_user(body))
        if isinstance(step, Say):
            return step, ""
        name = next((each for each in names if each.endswith(step.tool)), "")
        return (step, name) if name else (Say(f"no tool {step.tool}"), "")

    def _anthropic(self, body: dict[str, Any]) -> None:
        step, name = self._step(body)
        base = {"id": "msg_fake", "type": "message", "role": "assistant", "model": body.get("model", "fake")}
        usage = {"input_tokens": 10, "output_tokens": 5}
        if isinstance(step, Call):
            block = {
                "type": "tool_use",
                "id": f"toolu_{uuid.uuid4().hex[:16]}",
                "name": name,
                "input": step.arguments,
            }
            shown = {**block, "input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(step.arguments)}
            stop = "tool_use"
        else:
            block = {"type": "text", "text": step.text}
            shown = {"type": "text", "text": ""}
            delta = {"type": "text_delta", "text": step.text}
            stop = "end_turn"
        if not body.get("stream"):
            self._json(
                {**base, "content": [block], "stop_reason": stop, "stop_sequence": None, "usage": usage}
            )
            return
        message = {**base, "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}
        self._events(
            [
                {"type": "message_start", "message": message},
                {"type": "content_block_start", "index": 0, "content_block": shown},
                {"type": "content_block_delta", "index": 0, "delta": delta},
                {"type": "content_block_stop", "index": 0},
                {"type": "message_delta", "delta": {"stop_reason": stop}, "usage": {"output_tokens": 5}},
                {"type": "message_stop"},
            ]
        )

    def _responses(self, body: dict[str, Any]) -> None:
        step, name = self._step(body)
        if isinstance(step, Call):
            namespace, _, plain = name.rpartition("/")
            item: dict[str, Any] = {
                "type": "function_call",
                "id": f"fc_{uuid.uuid4().hex[:16]}",
                "call_id": f"call_{uuid.uuid4().hex[:16]}",
                "name": plain,
                "arguments": json.dumps(step.arguments),
                "status": "completed",
                **({"namespace": namespace} if namespace else {}),
            }
        else:
            part = {"type": "output_text", "text": step.text, "annotations": []}
            item = {
                "type": "message",
                "id": f"msg_{uuid.uuid4().hex[:16]}",
                "role": "assistant",
                "status": "completed",
                "content": [part],
            }
        usage = {
            "input_tokens": 10,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 5,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 15,
        }

        def response(status: str, output: list[Any]) -> dict[str, Any]:
            return {
                "id": f"resp_{time.time_ns()}",
                "object": "response",
                "created_at": 1,
                "status": status,
                "model": body.get("model", "fake"),
                "output": output,
                "parallel_tool_calls": False,
                "tool_choice": "auto",
                "tools": [],
                "usage": usage if status == "completed" else None,
            }

        if not body.get("stream"):
            self._json(response("completed", [item]))
            return
        events: list[dict[str, Any]] = [
            {"type": "response.created", "response": response("in_progress", [])},
            {"type": "response.output_item.added", "output_index": 0, "item": item},
        ]
        if isinstance(step, Say):
            place = {"item_id": item["id"], "output_index": 0, "content_index": 0}
            events.append({"type": "response.output_text.delta", **place, "delta": step.text, "logprobs": []})
        events.append({"type": "response.output_item.done", "output_index": 0, "item": item})
        events.append({"type": "response.completed", "response": response("completed", [item])})
        for number, event in enumerate(events):
            event["sequence_number"] = number
        self._events(events)

    def _chat(self, body: dict[str, Any]) -> None:
        step, name = self._step(body)
        message: dict[str, Any] = {"role": "assistant", "content": None}
        if isinstance(step, Call):
            call = {
                "id": f"call_{uuid.uuid4().hex[:16]}",
                "type": "function",
                "function": {"name": name, "arguments": json.dumps(step.arguments)},
            }
            message["tool_calls"] = [call]
        else:
            message["content"] = step.text
        stop = "tool_calls" if isinstance(step, Call) else "stop"
        usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
        base = {"id": "chatcmpl-1", "created": int(time.time()), "model": body.get("model", "fake")}
        if not body.get("stream"):
            choice = {"index": 0, "message": message, "finish_reason": stop}
            self._json({**base, "object": "chat.completion", "choices": [choice], "usage": usage})
            return
        delta = dict(message)
        if isinstance(step, Call):
            delta["tool_calls"] = [{**message["tool_calls"][0], "index": 0}]
        chunks: list[dict[str, Any]] = [
            {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]},
            {"choices": [{"index": 0, "delta": {}, "finish_reason": stop}]},
            {"choices": [], "usage": usage},
        ]
        lines = [json.dumps({**base, "object": "chat.completion.chunk", **chunk}) for chunk in chunks]
        sent = "".join(f"data: {line}\n\n" for line in [*lines, "[DONE]"])
        self._send(200, "text/event-stream", sent.encode())

    def _gemini(self, body: dict[str, Any], *, streamed: bool) -> None:
        step, name = self._step(body)
        part: dict[str, Any]
        if (body.get("generationConfig") or {}).get("responseMimeType") == "application/json":
            # Which model to use and who speaks next are asked for as JSON.
            asked = {"reasoning": "x", "next_speaker": "user", "model_choice": "flash"}
            part = {"text": json.dumps({**asked, "complexity_reasoning": "x", "complexity_score": 1})}
        elif isinstance(step, Call):
            part = {"functionCall": {"name": name, "args": step.arguments}}
        else:
            part = {"text": step.text}
        candidate = {"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}
        usage = {"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15}
        answer = {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "fake"}
        if streamed:
            self._send(200, "text/event-stream", f"data: {json.dumps(answer)}\n\n".encode())
        else:
            self._json(answer)

    def _events(self, events: list[dict[str, Any]]) -> None:
        body = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events).encode()
        self._send(200, "text/event-stream", body)

    def _json(self, value: Any, status: int = 200) -> None:
        self._send(status, "application/json", json.dumps(value).encode())

    def _send(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
