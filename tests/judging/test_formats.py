from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.judging.fake import Seen, envelope

from defenseclaw.judging.endpoint import address_of
from defenseclaw.judging.failures import JudgeFailure
from defenseclaw.judging.formats import FORMATS
from defenseclaw.judging.formats.base import Model
from defenseclaw.judging.prompts import Prompt

PROMPT = Prompt(system="You judge.", user="BEGIN 1\n“täxt”\nEND 1")
KEY_HEADERS = {
    "openai": ("Authorization", "Bearer sk-k"),
    "anthropic": ("x-api-key", "sk-k"),
    "gemini": ("x-goog-api-key", "sk-k"),
}
every_format = pytest.mark.parametrize("name", list(FORMATS))


def asked(name: str, model: Model) -> Seen:
    request = FORMATS[name].request(PROMPT, model)
    return Seen(request.path, dict(request.headers), request.body)


@every_format
def test_both_texts_and_the_bound_are_sent(name: str) -> None:
    seen = asked(name, Model(name="m-1", max_tokens=777))
    assert seen.texts == (PROMPT.system, PROMPT.user)
    assert "777" in json.dumps(seen.body)


@every_format
def test_the_key_is_in_a_header_and_nowhere_else(name: str) -> None:
    model = Model(name="m-1", key="sk-k")
    seen = asked(name, model)
    header, value = KEY_HEADERS[name]
    assert seen.headers[header] == value
    assert b"sk-k" not in seen.raw + seen.path.encode()
    assert "sk-k" not in repr(model) + repr(FORMATS[name].request(PROMPT, model))


@every_format
def test_without_a_key_no_header_claims_one(name: str) -> None:
    assert KEY_HEADERS[name][0] not in asked(name, Model(name="m-1")).headers


@every_format
def test_the_vendors_own_address_can_be_used(name: str) -> None:
    assert address_of(FORMATS[name].base).is_tls


def test_a_vendor_and_a_compatible_server_are_asked_in_their_own_words() -> None:
    vendor = asked("openai", Model(name="m", is_vendor=True)).body
    compatible = asked("openai", Model(name="m")).body
    assert vendor["max_completion_tokens"] == compatible["max_tokens"] == 1024
    assert "max_tokens" not in vendor
    assert "temperature" not in vendor
    assert "response_format" not in compatible


def test_a_vllm_model_does_not_think() -> None:
    body = asked("openai", Model(name="vllm/org/m")).body
    assert body["model"] == "org/m"
    assert body["chat_template_kwargs"] == {"enable_thinking": False}


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("flash-1", "/models/flash-1:generateContent"),
        ("models/flash-1", "/models/flash-1:generateContent"),
        ("../../x?key=1#", "/models/..%2F..%2Fx%3Fkey%3D1%23:generateContent"),
        ("a b\r\nX: y", "/models/a%20b%0D%0AX%3A%20y:generateContent"),
    ],
)
def test_a_models_name_stays_in_its_place(model: str, path: str) -> None:
    assert asked("gemini", Model(name=model)).path == path


@every_format
def test_the_models_text_is_read(name: str) -> None:
    reply = envelope(asked(name, Model(name="m")), '{"a": "ü"}')
    assert FORMATS[name].answer(reply) == '{"a": "ü"}'


@every_format
@pytest.mark.parametrize("ended", [True, False])
def test_a_text_that_was_cut_off_or_is_empty_is_a_failure(name: str, ended: bool) -> None:
    reply = envelope(asked(name, Model(name="m")), "" if ended else "{}", ended=ended)
    with pytest.raises(JudgeFailure, match="incomplete"):
        FORMATS[name].answer(reply)


@pytest.mark.parametrize(
    ("name", "reply"),
    [
        ("openai", {"choices": []}),
        ("openai", {"choices": [{"message": {"content": None, "refusal": "no"}, "finish_reason": "stop"}]}),
        ("openai", {"choices": [{"message": {"content": "x"}, "finish_reason": "content_filter"}]}),
        ("openai", {"choices": [{"message": {"content": ["x"]}}]}),
        ("openai", {"error": {"message": "no"}}),
        ("anthropic", {"content": [], "stop_reason": "end_turn"}),
        ("anthropic", {"content": [{"type": "text", "text": "x"}], "stop_reason": "refusal"}),
        ("anthropic", {"content": "x"}),
        ("anthropic", {"type": "error", "error": {"type": "overloaded_error"}}),
        ("gemini", {"promptFeedback": {"blockReason": "SAFETY"}}),
        ("gemini", {"candidates": [{"finishReason": "SAFETY"}]}),
        ("gemini", {"candidates": [{"content": {"parts": [{"text": "x", "thought": True}]}}]}),
        ("gemini", {"candidates": {}}),
    ],
)
def test_a_reply_that_holds_no_answer_is_a_failure(name: str, reply: dict[str, Any]) -> None:
    with pytest.raises(JudgeFailure, match=r"incomplete|bad_reply"):
        FORMATS[name].answer(json.dumps(reply).encode())


@given(
    st.sampled_from(list(FORMATS)), st.binary() | st.just(b"[" * 50_000) | st.just(b'{"choices":' * 20_000)
)
def test_whatever_bytes_come_they_are_a_text_or_a_failure(name: str, body: bytes) -> None:
    with pytest.raises(JudgeFailure):
        FORMATS[name].answer(body)
