"""Frames that speak of a command without running it."""

from __future__ import annotations

import json
import shlex

from tests.detection.metamorphic.judged import table

FRAMES = table("mentions")


def mention(form: str, command: str) -> str:
    """Put ``command`` into ``form``, where nothing runs it."""
    string = json.dumps(command)
    return form.format(
        command,
        quoted=shlex.quote(command),
        commented=command.replace("\n", "\n# "),
        end=f"END{len(command)}",
        python_string=string,
        python_print=shlex.quote(f"print({string})"),
    )
