"""Wire formats of language models: a prompt into request bytes, reply bytes into the model's text.

Pure, one module per format. To add one: a module with ``BASE``, ``request`` and ``answer``, and its line
in :data:`FORMATS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from defenseclaw.judging.formats import anthropic, gemini, openai
from defenseclaw.judging.formats.base import Ask, Parse


@dataclass(frozen=True, slots=True)
class Format:
    """One wire format."""

    base: str
    """Address of the vendor's own endpoint."""
    request: Ask
    answer: Parse


FORMATS: Final[Mapping[str, Format]] = {
    "openai": Format(openai.BASE, openai.request, openai.answer),
    "anthropic": Format(anthropic.BASE, anthropic.request, anthropic.answer),
    "gemini": Format(gemini.BASE, gemini.request, gemini.answer),
}
