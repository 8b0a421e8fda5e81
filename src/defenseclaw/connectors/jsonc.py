"""JSON files with comments: edited like :mod:`defenseclaw.connectors.jsonedit`, comments kept.

Comments are read as blanks of the same length, so that everything stands where it stands in the text.
"""

from __future__ import annotations

import re

from defenseclaw.connectors import jsonedit

_TOKEN = re.compile(r'"(?:[^"\\\n]|\\.)*"|//[^\n]*|/\*.*?\*/', re.DOTALL)


class CommentedDocument(jsonedit.Document):
    """A JSON text under edit that may hold ``//`` and ``/* */`` comments."""

    def _read(self, text: str) -> jsonedit.Node:
        return super()._read(_TOKEN.sub(_blanked, text))

    def _replace(self, start: int, end: int, text: str) -> None:
        """Comments in the stretch that goes are somebody's words: they stay."""
        comments = [each[0] for each in _TOKEN.finditer(self._text, start, end) if each[0][0] == "/"]
        line = "\n" + self._indent_at(start)
        kept = "".join(line + comment for comment in comments)
        super()._replace(start, end, kept + (text or (line if kept else "")))


def has_comments(content: bytes) -> bool:
    """Whether a text holds somebody's words beside its value."""
    return any(match[0][0] == "/" for match in _TOKEN.finditer(content.decode("utf-8", "replace")))


def _blanked(match: re.Match[str]) -> str:
    found = match[0]
    return found if found[0] == '"' else re.sub(r"[^\n]", " ", found)
