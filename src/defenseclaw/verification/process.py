"""Runs the agent: bounded in time, nothing on stdin, and ended with everything it started.

Children that left its process group are found by a variable of this run in their environment, where the
system shows it (``/proc``).
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

OUTPUT_BYTES = 64 * 1024
"""How much of the end of what the agent printed is kept, for the operator's eyes only."""
_RUN_MARK = "DC_VERIFY_RUN"
_GRACE_S = 3.0
_CREDENTIAL = re.compile(r"(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?)S?(?:_|$)", re.IGNORECASE)
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "ftp_proxy", "ws_proxy", "wss_proxy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a run came to its end."""

    exit_code: int | None
    """None when it had to be ended or could not be started."""
    problem: str = ""
    """Why there is no exit code."""
    output: str = ""
    """The end of what it printed."""

    @property
    def words(self) -> str:
        """For people."""
        return self.problem or f"ended with exit code {self.exit_code}"


def environment(own: Mapping[str, str], proxy: str, given: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the agent: the user's, without credentials, sent nowhere.

    Args:
        own: The user's.
        proxy: URL of what refuses everything that is not the model.
        given: What the recipe sets; wins.
    """
    kept = {
        name: value
        for name, value in own.items()
        if not _CREDENTIAL.search(name) and name.lower() not in (*_PROXIES, "no_proxy")
    }
    for name in _PROXIES:
        kept[name] = kept[name.upper()] = proxy
    kept["NO_PROXY"] = kept["no_proxy"] = "127.0.0.1,localhost,::1"
    kept |= {"TERM": "dumb", "NO_COLOR": "1", "DO_NOT_TRACK": "1"}
    return kept | dict(given)


def run(arguments: Sequence[str], env: Mapping[str, str], cwd: Path, timeout_s: float) -> Ended:
    """Run a command to its end or for ``timeout_s`` seconds, then end whatever it left running."""
    mark = f"{_RUN_MARK}={secrets.token_hex(16)}"
    name, _, value = mark.partition("=")
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(  # noqa: S603  absolute path, no shell
                list(arguments),
                env={**env, name: value},
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        except OSError as error:
            return Ended(exit_code=None, problem=f"could not be started: {error.strerror}")
        code: int | None = None
        problem = ""
        try:
            code = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            problem = f"did not end within {timeout_s:.0f} s"
        finally:
            _end(process, mark.encode())
        return Ended(exit_code=code, problem=problem, output=_tail(output.fileno()))


def _end(process: subprocess.Popen[bytes], mark: bytes) -> None:
    """Ask, wait a little, then insist."""
    _signal_group(process.pid, signal.SIGTERM)
    for pid in _marked(mark):
        _signal(pid, signal.SIGTERM)
    deadline = time.monotonic() + _GRACE_S
    while time.monotonic() < deadline and (process.poll() is None or any(True for _ in _marked(mark))):
        time.sleep(0.05)
    _signal_group(process.pid, signal.SIGKILL)
    for pid in _marked(mark):
        _signal(pid, signal.SIGKILL)
    process.wait()


def _marked(mark: bytes) -> Iterator[int]:
    """Yield the processes of this user that carry the mark of this run."""
    for place in Path("/proc").glob("[0-9]*/environ"):
        try:
            carried = place.read_bytes().split(b"\0")
        except OSError:
            continue  # somebody else's, or gone meanwhile
        if mark in carried:
            yield int(place.parent.name)


def _signal_group(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _tail(descriptor: int) -> str:
    size = os.fstat(descriptor).st_size
    start = max(0, size - OUTPUT_BYTES)
    return os.pread(descriptor, OUTPUT_BYTES, start).decode("utf-8", "replace")
