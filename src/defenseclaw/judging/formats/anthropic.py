"""``POST /v1/messages`` of Anthropic and compatible servers.

The text comes in blocks; blocks of other kinds (thinking) are passed over.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct, field

from defenseclaw.judging.formats.base import Model, Request, decoded, whole
from defenseclaw.judging.prompts import Prompt

BASE: Final = "https://api.anthropic.com"
_VERSION: Final = "2023-06-01"


class _Block(Struct):
    type: str
    text: str = ""


class _Reply(Struct):
    content: list[_Block] = field(default_factory=list)
    stop_reason: str | None = None


def request(prompt: Prompt, model: Model) -> Request:
    """Return the request that asks ``model``."""
    body = {
        "model": model.name,
        "max_tokens": model.max_tokens,
        "system": prompt.system,
        "messages": [{"role": "user", "content": prompt.user}],
    }
    key = (("x-api-key", model.key),) if model.key else ()
    headers = (("anthropic-version", _VERSION), *key)
    return Request(path="/v1/messages", headers=headers, body=msgspec.json.encode(body))


def answer(body: bytes) -> str:
    """Return the text of all text blocks; see :data:`~defenseclaw.judging.formats.base.Parse`."""
    reply = decoded(body, _Reply)
    text = "".join(block.text for block in reply.content if block.type == "text")
    return whole(text, ended=reply.stop_reason in (None, "end_turn", "stop_sequence"))
