"""``POST /chat/completions``, as spoken by OpenAI and by most local and hosted servers.

Traps of this format: the vendor's newer models refuse ``max_tokens`` and a ``temperature``, most compatible
servers know nothing else. A model name that begins with ``vllm/`` loses the prefix and gets its thinking
switched off, or it would spend the tokens before it answers.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct

from defenseclaw.judging.failures import JudgeFailure
from defenseclaw.judging.formats.base import Model, Request, decoded, whole
from defenseclaw.judging.prompts import Prompt

BASE: Final = "https://api.openai.com/v1"
_VLLM: Final = "vllm/"


class _Message(Struct):
    content: str | None = None


class _Choice(Struct):
    message: _Message
    finish_reason: str | None = None


class _Completion(Struct):
    choices: list[_Choice]


def request(prompt: Prompt, model: Model) -> Request:
    """Return the request that asks ``model``."""
    body: dict[str, Any] = {
        "model": model.name.removeprefix(_VLLM),
        "messages": [
            {"role": "system", "content": prompt.system},
            {"role": "user", "content": prompt.user},
        ],
        "stream": False,
    }
    if model.is_vendor:
        body["max_completion_tokens"] = model.max_tokens
        body["response_format"] = {"type": "json_object"}
    else:
        body |= {"max_tokens": model.max_tokens, "temperature": 0}
    if model.name.startswith(_VLLM):
        body["chat_template_kwargs"] = {"enable_thinking": False}
    headers = (("Authorization", f"Bearer {model.key}"),) if model.key else ()
    return Request(path="/chat/completions", headers=headers, body=msgspec.json.encode(body))


def answer(body: bytes) -> str:
    """Return the text of the first choice; see :data:`~defenseclaw.judging.formats.base.Parse`."""
    choices = decoded(body, _Completion).choices
    if not choices:
        raise JudgeFailure("bad_reply")
    first = choices[0]
    return whole(first.message.content, ended=first.finish_reason in (None, "", "stop"))
