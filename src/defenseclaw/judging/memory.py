"""What a lane remembers between two questions: recent answers, and whether the endpoint works.

Both take the present moment from the caller. Source: ``spec/guardrail.md`` §12.4 "Cache".
"""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict
from typing import Final

import msgspec

from defenseclaw.judging.questions import Question
from defenseclaw.judging.replies import Answer

TTL_S: Final = 30.0
MAX_ANSWERS: Final = 4096
FAILURES_TO_PAUSE: Final = 5
PAUSE_S: Final = 30.0


class Answers:
    """Answers of the last seconds, by a keyed hash of their question: no text is kept.

    Args:
        key: Secret of this process; a fresh one by default.
    """

    def __init__(self, key: bytes | None = None) -> None:
        self._key = key or os.urandom(32)
        self._kept: OrderedDict[bytes, tuple[float, Answer]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def key_of(self, question: Question, model: str) -> bytes:
        """Return the hash under which the answer to a question is kept."""
        parts = (question.judge, question.area, question.kind, question.doubts, model, question.sample)
        return hashlib.blake2b(msgspec.json.encode(parts), key=self._key, digest_size=32).digest()

    def get(self, key: bytes, now_s: float) -> Answer | None:
        """Return the answer kept under ``key``; None when there is none or it is too old."""
        kept = self._kept.get(key)
        if kept is None or now_s - kept[0] >= TTL_S:
            return None
        return kept[1]

    def keep(self, key: bytes, answer: Answer, now_s: float) -> None:
        """Keep an answer; the oldest goes when there is no room."""
        self._kept[key] = (now_s, answer)
        self._kept.move_to_end(key)
        while len(self._kept) > MAX_ANSWERS:
            self._kept.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()


class Breaker:
    """Stops asking an endpoint that fails again and again, and tries it anew after a while.

    Closed, it lets everything through. After :data:`FAILURES_TO_PAUSE` failures in a row it opens for
    :data:`PAUSE_S` seconds; then one question at a time is let through until one succeeds.
    """

    def __init__(self) -> None:
        self._failures = 0
        self._opened_at_s = 0.0
        self._probing = False

    @property
    def is_open(self) -> bool:
        """Whether the endpoint failed too often."""
        return self._failures >= FAILURES_TO_PAUSE

    def admits(self, now_s: float) -> bool:
        """Whether a question may be asked now; who asks must report how it went."""
        if not self.is_open:
            return True
        if self._probing or now_s - self._opened_at_s < PAUSE_S:
            return False
        self._probing = True
        return True

    def succeeded(self) -> None:
        """Report an answer."""
        self._failures, self._probing = 0, False

    def failed(self, now_s: float) -> None:
        """Report a failure of the endpoint."""
        self._failures += 1
        self._opened_at_s, self._probing = now_s, False

    def gave_up(self) -> None:
        """Report that a question was withdrawn and says nothing of the endpoint."""
        self._probing = False
