"""What all wire formats share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from defenseclaw.judging.failures import JudgeFailure
from defenseclaw.judging.prompts import Prompt

_Shape = TypeVar("_Shape")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One POST of JSON."""

    path: str
    """Appended to the path of the base address; already escaped."""
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    """Besides those of every request; holds the key."""
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """Which model is asked, and as whom."""

    name: str
    key: str = field(default="", repr=False)
    """Empty for local servers that want none."""
    max_tokens: int = 1024
    is_vendor: bool = False
    """The vendor's own endpoint rather than a compatible one."""


Ask = Callable[[Prompt, Model], Request]
Parse = Callable[[bytes], str]
"""Returns the model's whole text; raises :class:`JudgeFailure`."""


def decoded(body: bytes, shape: type[_Shape]) -> _Shape:
    """Return a reply in the form its format documents; unknown keys are passed over.

    Raises:
        JudgeFailure: it is not in that form.
    """
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise JudgeFailure("bad_reply") from None


def whole(text: str | None, *, ended: bool) -> str:
    """Return the model's text if it is there and came to its own end.

    Raises:
        JudgeFailure: cut off, declined or empty.
    """
    if not ended or not text:
        raise JudgeFailure("incomplete")
    return text
