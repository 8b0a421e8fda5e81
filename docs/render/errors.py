"""The error tree: every stable code."""

from __future__ import annotations

from collections.abc import Iterator

from defenseclaw.errors import DefenseClawError
from docs.render.markdown import block, code, first_sentence, page, table


def pages() -> dict[str, str]:
    """Return ``reference/errors.md``."""
    rows = [
        (code(kind.code), str(kind.http_status), str(kind.exit_code), first_sentence(kind.__doc__),
         kind.default_message)
        for kind in kinds()
    ]  # fmt: skip
    return {
        "reference/errors.md": page(
            "Errors",
            "`src/defenseclaw/errors.py`",
            "A code keeps its meaning once released; the text may change. Over HTTP an error is",
            block('{"error": "<what happened>", "code": "<code>"}', "json"),
            "503 comes with `Retry-After`, 401 with `WWW-Authenticate`. On the command line an error is one "
            "line on stderr, with a hint where there is one, and the exit code of its row. "
            "A call that the rules refuse is a verdict, never an error.",
            table(("Code", "HTTP", "Exit", "Meaning", "Text unless a better one is known"), rows),
        )
    }


def kinds() -> Iterator[type[DefenseClawError]]:
    """Yield every class of the tree, parents before children."""
    yield from _below(DefenseClawError)


def _below(kind: type[DefenseClawError]) -> Iterator[type[DefenseClawError]]:
    yield kind
    for child in sorted(kind.__subclasses__(), key=lambda each: (each.http_status, each.code)):
        if child.__module__ == DefenseClawError.__module__:
            yield from _below(child)
