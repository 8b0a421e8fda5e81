"""The one POSIX script that stands between an agent's hook settings and the gateway, rendered per connector.

It starts two processes in all, the shell and curl: address and token come from a file that was rendered
before (:mod:`defenseclaw.connectors.runtime`), and the answer needs no parsing, since the gateway sends
the agent's own. Source: ``DECISIONS.md`` "What a hook script does"; ``spec/connectors.md`` §2.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from defenseclaw.connectors import disk, runtime, templates
from defenseclaw.connectors.base import Check, Connector, Host
from defenseclaw.errors import SetupError
from defenseclaw.vocabulary import FailMode

MARKER = "# defenseclaw-managed-hook v1"
CURL_PATHS = ("/usr/bin/curl", "/bin/curl", "/usr/local/bin/curl", "/opt/homebrew/bin/curl")
"""Where the script looks for curl; the PATH of an agent has no say."""


def script_path(host: Host, name: str) -> Path:
    """Return where the hook script called ``name`` lives (``claude-code-hook``)."""
    return runtime.hooks_dir(host) / f"{name}.sh"


def command(script: Path, event: str) -> str:
    """Return the shell command an agent's settings hold for one event; the path is always quoted."""
    return f"'{_quoted(str(script))}' {event}"


def find_curl() -> str:
    """Return the curl the script will use, empty when there is none."""
    return next((each for each in CURL_PATHS if Path(each).is_file()), "")


def render(
    host: Host,
    connector: Connector,
    name: str,
    closed: Mapping[str, Mapping[str, Any] | None],
    *,
    closed_exit: int = 0,
    go_ahead: Mapping[str, Any] | None = None,
) -> bytes:
    """Return the script.

    Args:
        host: Decides the data directory the script is bound to.
        connector: The agent it is for.
        name: Name of the hook in the failure log, and of the file.
        closed: Event name → the agent's own refusal, printed when nothing was decided and the fail mode
            is closed; None where the exit code and stderr are the refusal. Events not named are never
            stopped by a failure.
        closed_exit: Exit code of a refusal.
        go_ahead: What an agent must be told that would take silence for a failed hook; None: nothing.

    Raises:
        SetupError: no curl, or a data directory with a line break in its name.
    """
    curl = find_curl()
    if not curl:
        raise SetupError(
            "curl is needed by the hook script and was not found",
            hint=f"install curl to one of {', '.join(CURL_PATHS)}",
        )
    if not str(host.data_dir).isprintable():
        raise SetupError("the data directory's name holds characters a hook script cannot")
    values = {
        "TITLE": connector.title,
        "DATA": shlex.quote(str(host.data_dir)),
        "CONNECTOR": connector.name,
        "HOOK": name,
        "CURL": curl,
        "CLOSED_ANSWERS": _closed_cases(closed),
        "CLOSED_EXIT": str(closed_exit),
        "GO_AHEAD": _printed(go_ahead) if go_ahead is not None else ":",
    }
    return templates.rendered("hook.sh.tmpl", values)


def _closed_cases(closed: Mapping[str, Mapping[str, Any] | None]) -> str:
    lines = [
        f"    {event}) {_printed(answer) if answer is not None else ':'} ;;"
        for event, answer in closed.items()
    ]
    return "\n".join([*lines, "    *) return 1 ;;"])


def _printed(answer: Mapping[str, Any]) -> str:
    return f"printf '%s\\n' {shlex.quote(json.dumps(answer, separators=(',', ':')))}"


def _quoted(text: str) -> str:
    return text.replace("'", "'\\''")


def check_script(host: Host, connector: Connector, name: str, wanted: Callable[[], bytes]) -> Check:
    """Return doctor's row about the script: there, as setup would render it, runnable.

    Args:
        host: The machine.
        connector: The agent it is for.
        name: Name of the hook.
        wanted: Renders it, see :func:`render`.
    """
    path = script_path(host, name)
    mend = f"defenseclaw setup {connector.command_name}"
    try:
        now, content = disk.look(path), wanted()
    except SetupError as error:
        return Check(status="fail", label="Hook script", detail=error.message, mend=mend)
    if now.content is None:
        return Check(status="fail", label="Hook script", detail=f"{path} is missing", mend=mend)
    if now.content != content or path.is_symlink():
        return Check(status="fail", label="Hook script", detail=f"{path} was changed", mend=mend)
    if now.mode != 0o700:
        return Check(status="fail", label="Hook script", detail=f"{path} has mode {now.mode:o}", mend=mend)
    return Check(status="pass", label="Hook script", detail=str(path))


def check_runtime(host: Host, connector: Connector, fail_mode: FailMode, *, uses_curl: bool) -> Check:
    """Return doctor's row about token, address and fail mode as agents' processes see them."""
    mend = f"defenseclaw setup {connector.command_name}"
    try:
        token = runtime.read_token(host, connector.name)
        found = runtime.read_runtime(host, connector.name)
        address = runtime.dial_address(host.api_address)
    except SetupError as error:
        return Check(status="fail", label="Hook runtime", detail=error.message, mend=mend)
    if token is None or found is None:
        return Check(
            status="fail", label="Hook runtime", detail="token or runtime file is missing", mend=mend
        )
    if (found.gateway, found.fail_mode) != (address, fail_mode):
        detail = f"says {found.gateway}, fail {found.fail_mode}; configured {address}, fail {fail_mode}"
        return Check(status="warn", label="Hook runtime", detail=detail, mend=mend)
    for wanted in runtime.runtime_changes(host, connector, fail_mode, token=token, uses_curl=uses_curl):
        if disk.look(wanted.path).content != wanted.content:
            detail = f"{wanted.path} is missing or changed"
            return Check(status="fail", label="Hook runtime", detail=detail, mend=mend)
    return Check(status="pass", label="Hook runtime", detail=f"gateway {address}, fail {fail_mode}")
