"""Why a judge gave no usable answer: one closed word each, free of content."""

from __future__ import annotations

from typing import Literal

Reason = Literal[
    "bad_reply",  # not the JSON that was asked for
    "busy",  # too many questions wait
    "closed",  # the connection ended before the reply did
    "incomplete",  # cut off by the model's token limit, or declined
    "internal",  # a mistake of ours
    "paused",  # the circuit breaker is open
    "redirect",
    "status",
    "timeout",
    "tls",
    "too_large",
    "unreachable",
]


class JudgeFailure(Exception):
    """A judge could not be asked or did not answer usably.

    Args:
        reason: What went wrong.
        status: HTTP status of the reply, 0 when there was none.
    """

    def __init__(self, reason: Reason, status: int = 0) -> None:
        super().__init__(reason)
        self.reason: Reason = reason
        self.status = status

    @property
    def words(self) -> str:
        """The failure in a few words, for trails."""
        return f"{self.reason} {self.status}" if self.status else self.reason
