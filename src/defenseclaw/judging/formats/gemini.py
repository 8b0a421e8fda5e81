"""``POST /models/<model>:generateContent`` of Gemini.

The key goes into a header: in the query, where examples put it, it would end in every proxy's log. A
request the service declines has no candidates.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

import msgspec
from msgspec import Struct, field

from defenseclaw.judging.formats.base import Model, Request, decoded, whole
from defenseclaw.judging.prompts import Prompt

BASE: Final = "https://generativelanguage.googleapis.com/v1beta"


class _Part(Struct):
    text: str = ""
    thought: bool = False


class _Content(Struct):
    parts: list[_Part] = field(default_factory=list)


class _Candidate(Struct):
    content: _Content = field(default_factory=_Content)
    finishReason: str | None = None


class _Reply(Struct):
    candidates: list[_Candidate] = field(default_factory=list)


def request(prompt: Prompt, model: Model) -> Request:
    """Return the request that asks ``model``."""
    body = {
        "systemInstruction": {"parts": [{"text": prompt.system}]},
        "contents": [{"role": "user", "parts": [{"text": prompt.user}]}],
        "generationConfig": {
            "temperature": 0,
            "maxOutputTokens": model.max_tokens,
            "responseMimeType": "application/json",
        },
    }
    headers = (("x-goog-api-key", model.key),) if model.key else ()
    path = f"/models/{quote(model.name.removeprefix('models/'), safe='')}:generateContent"
    return Request(path=path, headers=headers, body=msgspec.json.encode(body))


def answer(body: bytes) -> str:
    """Return the text of the first candidate; see :data:`~defenseclaw.judging.formats.base.Parse`."""
    candidates = decoded(body, _Reply).candidates
    if not candidates:
        return whole(None, ended=False)
    parts = candidates[0].content.parts
    text = "".join(part.text for part in parts if not part.thought)
    return whole(text, ended=candidates[0].finishReason in (None, "STOP"))
