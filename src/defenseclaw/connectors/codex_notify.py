"""Codex's ``notify``: our bridge in front of the operator's own command, which goes on being called.

Codex knows one notify command, started at the end of every turn with what happened as one JSON argument. The
bridge tells the gateway, which only records it, and hands the argument over to the command that was there
before; a removal puts that back as it was written. Source: seed ``gateway-api`` (``/api/v1/codex/notify``),
``spec/connectors.md`` §8.2 "Notify bridge", measured on 0.169.0.
"""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

from defenseclaw.connectors import disk, hookscript, runtime, templates
from defenseclaw.connectors.base import Check, Host
from defenseclaw.connectors.tomledit import Document, quoted
from defenseclaw.errors import ForeignContent, SetupError

KEY = "notify"
ROUTE = "/api/v1/codex/notify"
TOTAL_TIMEOUT_S = 5
_WAS = re.compile(r"^# was: (.*)$", re.MULTILINE)


def bridge_path(host: Host) -> Path:
    """Return where the bridge lives."""
    return host.data_dir / "notify-bridge.sh"


def command(host: Host) -> list[str]:
    """Return ``notify`` as we write it, a list of words."""
    return ["/bin/sh", str(bridge_path(host))]


def is_installed(host: Host, document: Document) -> bool:
    """Whether ``notify`` is ours."""
    return document.value.get(KEY) == command(host)


def install(host: Host, document: Document) -> None:
    """Make ``notify`` ours.

    Raises:
        ForeignContent: there is one that Codex could not start.
    """
    if not is_installed(host, document):
        _words(document.value.get(KEY))
        document.put(KEY, f"[{', '.join(map(quoted, command(host)))}]")


def uninstall(host: Host, document: Document) -> None:
    """Put the operator's own command back; one that took our place since stays."""
    if not is_installed(host, document):
        return
    was = _recorded(host)
    if was is None:
        document.cut_table((KEY,))
    else:
        document.put(KEY, was)


def chained(host: Host, document: Document) -> str | None:
    """Return the operator's own command as it is written, None when there is none."""
    return _recorded(host) if is_installed(host, document) else document.literal(KEY)


def render(host: Host, was: str | None) -> bytes:
    """Return the bridge.

    Args:
        host: Decides the data directory the bridge is bound to.
        was: The operator's own ``notify`` as it is written; None when there is none.

    Raises:
        ForeignContent: ``was`` is no command.
        SetupError: a data directory with a line break in its name.
    """
    if not str(host.data_dir).isprintable():
        raise SetupError("the data directory's name holds characters a script cannot")
    words = _words(_value(was))
    # Without a command of the operator's there is nobody to hand over to: wait, so that a child that Codex
    # might end together with us still gets its word out.
    chain = f'exec {shlex.join(words)} "$@"' if words else "wait\nexit 0"
    values = {
        "WAS": json.dumps(was),
        "DATA": shlex.quote(str(host.data_dir)),
        "CURL": hookscript.find_curl() or hookscript.CURL_PATHS[0],
        "PATH": ROUTE,
        "CONNECT_TIMEOUT": str(runtime.CONNECT_TIMEOUT_S),
        "TOTAL_TIMEOUT": str(TOTAL_TIMEOUT_S),
        "CHAIN": chain,
    }
    return templates.rendered("notify_bridge.sh.tmpl", values)


def check(host: Host) -> Check:
    """Return doctor's row about the bridge: there, as setup would render it, runnable."""
    path, mend = bridge_path(host), "defenseclaw setup codex"
    try:
        now, wanted = disk.look(path), render(host, _recorded(host))
    except SetupError as error:
        return Check(status="fail", label="Notify bridge", detail=error.message, mend=mend)
    if now.content == wanted and now.mode == 0o700 and not path.is_symlink():
        return Check(status="pass", label="Notify bridge", detail=str(path))
    state = "missing" if now.content is None else "changed"
    return Check(status="fail", label="Notify bridge", detail=f"{path} is {state}", mend=mend)


def _recorded(host: Host) -> str | None:
    """Return what the bridge that is there says it stands for."""
    content = disk.look(bridge_path(host)).content or b""
    match = _WAS.search(content.decode("utf-8", "replace"))
    try:
        was = json.loads(match[1]) if match else None
        _words(_value(was))
    except (ValueError, ForeignContent):
        return None
    return was if isinstance(was, str) else None


def _value(literal: object) -> object:
    return Document(f"{KEY} = {literal}\n".encode()).value[KEY] if isinstance(literal, str) else None


def _words(value: object) -> list[str]:
    """Return a command; nothing is no command.

    Raises:
        ForeignContent: it is not a list of words.
    """
    if value is None or value == []:
        return []
    if isinstance(value, list) and all(isinstance(each, str) and "\x00" not in each for each in value):
        return value
    raise ForeignContent(f"`{KEY}` is not a list of words")
