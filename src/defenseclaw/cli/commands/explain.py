"""``defenseclaw explain``: why a call was judged as it was, or how one would be."""

from __future__ import annotations

import json
import os
import re
import sys
from typing import Any

import click

from defenseclaw.cli.context import App, pass_app
from defenseclaw.cli.output import print_json
from defenseclaw.errors import BadRequest, NotFound

KINDS = ("prompt", "completion", "tool_result", "file")
_ID = re.compile(r"(?:eval-)?[0-9a-f]{6,}(?:-[0-9a-f]*)*", re.IGNORECASE)


@click.command()
@click.argument("subject", required=False)
@click.option("--text", is_flag=True, help="SUBJECT is text, not a command; see --kind.")
@click.option("--kind", type=click.Choice(KINDS), help="What the text is. Default: prompt.")
@click.option("--tool", help="Name of a tool, instead of a shell command.")
@click.option("--args", "arguments", help="The tool's arguments, a JSON value; - reads them from stdin.")
@click.option("--cwd", help="Working directory of the call. Default: this one.")
@click.option("--connector", default="", help="Judge with the posture of this agent.")
@click.option("--profile", "--rule-pack", "profile", help="default, strict, permissive or a folder.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_app
def command(
    app: App,
    subject: str | None,
    text: bool,
    kind: str | None,
    tool: str | None,
    arguments: str | None,
    cwd: str | None,
    connector: str,
    profile: str | None,
    as_json: bool,
) -> None:
    """Say why something was decided, or would be.

    SUBJECT is a shell command, a text (--text) or the id of a recorded evaluation.

    Commands and texts are only read, never run, and need no gateway. SUBJECT - reads from stdin.
    """
    from defenseclaw.cli import reasoning

    if subject == "-":
        subject = sys.stdin.read()
    if tool is None and subject is not None and not text and kind is None and _ID.fullmatch(subject):
        from defenseclaw.cli import history

        recorded = history.evaluation(app.data.audit_db, subject)
        if recorded is not None:
            reasoning.show_recorded(app, recorded, as_json=as_json)
            return
        if "-" in subject:
            raise NotFound(f"no evaluation {subject}", hint="`defenseclaw alerts` lists recent ones")
    if tool is not None:
        event = reasoning.call_event(tool, _arguments(arguments), cwd or os.getcwd(), connector)
    elif subject is None:
        raise click.UsageError("give a command, a text, an evaluation id, or --tool")
    elif text or kind is not None:
        event = reasoning.text_event(subject, kind or "prompt", connector)
    else:
        event = reasoning.call_event("Bash", {"command": subject}, cwd or os.getcwd(), connector)
    answer = reasoning.judged(app, event, profile)
    if as_json:
        print_json(reasoning.as_json(answer))
    else:
        reasoning.show(answer)


def _arguments(given: str | None) -> Any:  # noqa: ANN401 - any JSON value
    if given is None:
        return {}
    try:
        return json.loads(sys.stdin.read() if given == "-" else given)
    except (ValueError, RecursionError) as error:
        raise BadRequest(
            "--args is not a JSON value", hint='for example --args \'{"path": "/etc/hosts"}\''
        ) from error
