"""What hook scripts and bridges read on every call, so that nothing baked into them goes stale.

Per connector, all in ``<data>/hooks`` and 0600:

``.hook-<connector>.token``
    Scoped token: 64 lower-case hex digits and a newline. Opens this connector's hook route and little else.
``.runtime-<connector>.conf``
    ``key=value`` lines: ``gateway`` (``host:port``) and ``fail_mode`` (``open`` or ``closed``).
``.curl-<connector>.conf``
    For connectors with a hook script: what the one curl call needs (address, headers, token, limits), so
    that the token is in no argument list and the script starts no second helper process.

The CLI writes them at setup, the gateway when the configuration changes (:func:`write_runtime`).
Source: ``DECISIONS.md`` "Gateway not running"; ``spec/connectors.md`` §2.2.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path

from defenseclaw.connectors import disk
from defenseclaw.connectors.base import Change, Connector, Host
from defenseclaw.errors import SetupError
from defenseclaw.vocabulary import FailMode

CONNECT_TIMEOUT_S = 2
TOTAL_TIMEOUT_S = 10
"""Below every timeout registered with an agent, since agents let a timed-out hook pass."""
MAX_ANSWER_BYTES = 64 * 1024 * 1024
"""Bound of an answer; a replaced tool result may be as long as the result."""

_TOKEN = re.compile(r"[0-9a-f]{64}")
_TOKEN_FILE_BYTES = 4096
_ADDRESS = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+|):(?P<port>[0-9]{1,5})")
_SCOPE = re.compile(r"[a-z0-9][a-z0-9_-]*")
_WILDCARDS = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104  bind, dialled elsewhere


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """The content of a runtime file."""

    gateway: str
    fail_mode: FailMode


def hooks_dir(host: Host) -> Path:
    """Return the directory of scripts, bridges, tokens and runtime files."""
    return host.data_dir / "hooks"


def token_path(host: Host, connector: str) -> Path:
    """Return where the scoped token of ``connector`` lives."""
    return hooks_dir(host) / f".hook-{_scope(connector)}.token"


def runtime_path(host: Host, connector: str) -> Path:
    """Return where the runtime file of ``connector`` lives."""
    return hooks_dir(host) / f".runtime-{_scope(connector)}.conf"


def curl_path(host: Host, connector: str) -> Path:
    """Return where the curl configuration of a script connector lives."""
    return hooks_dir(host) / f".curl-{_scope(connector)}.conf"


def dial_address(address: str) -> str:
    """Return ``host:port`` as an agent on this machine dials it; a wildcard bind becomes loopback.

    Raises:
        SetupError: not ``host:port`` (IPv6 in brackets).
    """
    match = _ADDRESS.fullmatch(address)
    if match is None or not 0 < int(match["port"]) <= 65535:
        raise SetupError(f"{address!r} is not a gateway address (host:port)")
    return f"{_WILDCARDS.get(match['host'], match['host'])}:{match['port']}"


def read_token(host: Host, connector: str) -> str | None:
    """Return the scoped token, None when there is no file.

    Raises:
        SetupError: the file is a link, not ours, readable by others, or not 64 hex digits. It is never
            taken for "no token".
    """
    return read_token_file(token_path(host, connector), connector, "hook token")


def read_token_file(path: Path, connector: str, what: str) -> str | None:
    """Return the token in one file of a connector's, ``what`` it is for messages; as :func:`read_token`."""
    opened = disk.open_regular(path, f"{what} of {connector}")
    if opened is None:
        return None
    descriptor, status = opened
    with open(descriptor, "rb") as file:
        content = file.read(_TOKEN_FILE_BYTES + 1)
    if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o077:
        raise SetupError(f"{what} of {connector} is not a private file of yours", hint=_mend(connector))
    token = content.decode("ascii", "replace").removesuffix("\n")
    if not _TOKEN.fullmatch(token):
        raise SetupError(f"{what} of {connector} is malformed", hint=_mend(connector))
    return token


def ensure_token(host: Host, connector: str) -> str:
    """Return the scoped token, minting one when there is none; a valid one is never rotated.

    Raises:
        SetupError: as :func:`read_token`, or the file cannot be written.
    """
    token = read_token(host, connector)
    if token is None:
        token = mint_token()
        with disk.Transaction() as work:
            work.put(token_path(host, connector), f"{token}\n".encode(), 0o600)
    return token


def mint_token() -> str:
    """Return a new token: 32 random bytes as hex."""
    return secrets.token_hex(32)


def read_runtime(host: Host, connector: str) -> Runtime | None:
    """Return what the runtime file says, None when there is none; an unknown fail mode counts as closed."""
    content = disk.look(runtime_path(host, connector)).content
    if content is None:
        return None
    values = dict(
        line.split("=", 1) for line in content.decode("utf-8", "replace").splitlines() if "=" in line
    )
    mode = FailMode.OPEN if values.get("fail_mode") == FailMode.OPEN else FailMode.CLOSED
    return Runtime(gateway=values.get("gateway", ""), fail_mode=mode)


def write_runtime(host: Host, connector: Connector, fail_mode: FailMode) -> bool:
    """Rewrite the runtime files of an installed connector; return whether it is installed.

    For the gateway and the CLI when the fail mode, the address or the token changed. Files that already
    say so are not touched.

    Raises:
        SetupError: the address or the token is malformed, or a file cannot be written.
    """
    token = read_token(host, connector.name)
    if token is None:
        return False
    uses_curl = curl_path(host, connector.name).exists()
    changes = runtime_changes(host, connector, fail_mode, token=token, uses_curl=uses_curl)
    if any(disk.look(change.path).content != change.content for change in changes):
        with disk.locked(host.data_dir), disk.Transaction() as work:
            for change in changes:
                work.put(change.path, change.content or b"", change.mode)
    return True


def runtime_changes(
    host: Host, connector: Connector, fail_mode: FailMode, *, token: str, uses_curl: bool
) -> list[Change]:
    """Return the runtime files as a setup writes them, the token first."""
    address = dial_address(host.api_address)
    changes = [
        Change(
            path=token_path(host, connector.name),
            content=f"{token}\n".encode(),
            why="token that opens this connector's hook route only",
        ),
        Change(
            path=runtime_path(host, connector.name),
            content=f"gateway={address}\nfail_mode={fail_mode}\n".encode(),
            why=f"gateway address and fail mode ({fail_mode})",
        ),
    ]
    if uses_curl:
        changes.append(
            Change(
                path=curl_path(host, connector.name),
                content=_curl_configuration(connector, address, token),
                why="address and token for the hook script's curl call",
            )
        )
    return changes


def setup_token(host: Host, connector: str) -> str:
    """Return the token a setup shall leave: the valid one that is there, else a new one (which mends)."""
    try:
        return read_token(host, connector) or mint_token()
    except SetupError:
        return mint_token()


def runtime_removals(host: Host, connector: str) -> list[Change]:
    """Return the deletions that take the runtime files away."""
    paths = (curl_path(host, connector), runtime_path(host, connector), token_path(host, connector))
    return [
        Change(path=path, content=None, why="no longer needed")
        for path in (*paths, hooks_dir(host) / f".failing-{connector}")
    ]


def _curl_configuration(connector: Connector, address: str, token: str) -> bytes:
    lines = (
        f'url = "http://{address}{connector.hook_path}"',
        'data-binary = "@-"',
        'header = "Content-Type: application/json"',
        f'header = "X-DefenseClaw-Client: {connector.client}"',
        'header = "X-DefenseClaw-Answer: native"',
        f'header = "Authorization: Bearer {token}"',
        'header = "Expect:"',
        'proto = "=http"',
        'noproxy = "*"',
        "max-redirs = 0",
        f"connect-timeout = {CONNECT_TIMEOUT_S}",
        f"max-time = {TOTAL_TIMEOUT_S}",
        f"max-filesize = {MAX_ANSWER_BYTES}",
        "http1.1",
        "globoff",
        "silent",
        "include",
    )
    return ("\n".join(lines) + "\n").encode()


def _scope(connector: str) -> str:
    if not _SCOPE.fullmatch(connector):
        raise SetupError(f"{connector!r} is not a connector name")
    return connector


def _mend(connector: str) -> str:
    return f"run `defenseclaw setup {connector}` again"
