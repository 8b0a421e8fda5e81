"""Finding agents on the machine: executables on PATH and what ``--version`` says."""

from __future__ import annotations

import contextlib
import os
import re
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from defenseclaw.connectors.base import Host

PROBE_TIMEOUT_S = 20.0
"""A cold binary of some hundred megabytes on a busy machine takes more than ten."""
_MAX_OUTPUT_BYTES = 64 * 1024
_VERSION = re.compile(r"v?(\d{1,6})(?:\.(\d{1,6}))?(?:\.(\d{1,6}))?")
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TMPDIR", "USER", "LOGNAME", "SHELL")


def find_executable(host: Host, *names: str) -> str:
    """Return the first of ``names`` on the host's PATH as an absolute path, empty when there is none."""
    search = os.pathsep.join(
        each for each in host.env.get("PATH", os.defpath).split(os.pathsep) if each.startswith("/")
    )
    for name in names:
        found = shutil.which(name, path=search)
        if found:
            return found
    return ""


def probe_version(host: Host, command: Sequence[str], extra_env: Mapping[str, str] | None = None) -> str:
    """Run ``command`` and return the first version in its output as ``N.N.N``, empty when it gives none.

    Runs without a shell, with a trimmed environment, nothing on stdin, and for at most 20 s.
    """
    environment = {key: host.env[key] for key in _PASSED_ON if key in host.env}
    environment |= {"HOME": str(host.home), "NO_COLOR": "1", "DO_NOT_TRACK": "1", **(extra_env or {})}
    result = run_bounded(command, environment, PROBE_TIMEOUT_S)
    return version_in(result.decode("utf-8", "replace")) if result is not None else ""


def run_bounded(command: Sequence[str], environment: Mapping[str, str], timeout_s: float) -> bytes | None:
    """Return the standard output of a command that succeeded in time, else None.

    The command and everything it started end with the time limit.
    """
    try:
        process = subprocess.Popen(  # noqa: S603  absolute path, no shell
            list(command),
            env=dict(environment),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return None
    try:
        output = _read_bounded(process, time.monotonic() + timeout_s)
    finally:
        _end_group(process)
    return output if process.returncode == 0 else None


def version_in(output: str) -> str:
    """Return the first ``N[.N[.N]]`` of ``output``, padded to three numbers."""
    match = _VERSION.search(output)
    return ".".join(str(int(each or 0)) for each in match.groups()) if match else ""


def version_tuple(version: str) -> tuple[int, ...]:
    """Return ``N.N.N`` as numbers that compare; empty for the empty string."""
    return tuple(int(each) for each in version.split(".")) if version else ()


def places_searched(host: Host, *names: str) -> tuple[str, ...]:
    """Return what :func:`find_executable` looked for, for the message when nothing was found."""
    folders = [each for each in host.env.get("PATH", os.defpath).split(os.pathsep) if each.startswith("/")]
    return tuple(str(Path(folder) / name) for name in names for folder in folders)


def _read_bounded(process: subprocess.Popen[bytes], deadline: float) -> bytes:
    """Read until the output ends, the time is over or the bound is reached; a killed process tells."""
    assert process.stdout is not None  # noqa: S101  opened as a pipe above
    output = b""
    while len(output) < _MAX_OUTPUT_BYTES:
        ready, _, _ = select.select([process.stdout], [], [], max(0.0, deadline - time.monotonic()))
        chunk = os.read(process.stdout.fileno(), 8192) if ready else b""
        if not chunk:
            break
        output += chunk
    else:
        return output
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(max(0.0, deadline - time.monotonic()))
    return output


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """What a probe started must not outlive it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()
