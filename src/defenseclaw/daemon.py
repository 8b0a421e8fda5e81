"""The gateway as a background process: its PID file, starting and stopping it.

The PID file holds the process's start identity beside its number, so that a number the system has given to
somebody else is never signalled. Source: ``spec/cli-and-config.md`` §3-§4.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

STOP_TIMEOUT_S = 10.0
START_TIMEOUT_S = 15.0
LOG_READ_BYTES = 4096
"""How much of the end of the log is looked at for why a start failed."""


@dataclass(frozen=True, slots=True)
class PidFile:
    """``gateway.pid`` in the data directory: JSON with ``pid`` and ``started``."""

    path: Path

    def write(self) -> None:
        """Record the present process; mode 0600."""
        pid = os.getpid()
        body = json.dumps({"pid": pid, "started": _start_identity(pid)})
        staged = self.path.with_suffix(".pid.new")
        staged.unlink(missing_ok=True)
        descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as out:
            out.write(body)
        staged.replace(self.path)

    def running(self) -> int | None:
        """Return the PID of the live gateway, or None."""
        try:
            recorded = json.loads(self.path.read_text())
            pid = int(recorded["pid"])
            started = str(recorded["started"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return pid if pid > 0 and _start_identity(pid) == started != "" else None

    def remove(self) -> None:
        """Forget the present process; another one's record stays."""
        if self.running() in (None, os.getpid()):
            self.path.unlink(missing_ok=True)


def start(data_dir: Path, *, address: tuple[str, int]) -> int:
    """Start the gateway detached, its output in ``gateway.log``, and wait until it answers.

    Returns:
        The PID.

    Raises:
        RuntimeError: it ended or did not answer within 15 s; the log says why.
    """
    log_file = data_dir / "gateway.log"
    log = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    began = os.fstat(log).st_size
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "defenseclaw.main"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            start_new_session=True,
        )
    finally:
        os.close(log)
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            said = _last_error(log_file, began)
            raise RuntimeError(
                said or f"the gateway ended with code {process.returncode}; see {data_dir / 'gateway.log'}"
            )
        if PidFile(data_dir / "gateway.pid").running() == process.pid and is_answering(address):
            return process.pid
        time.sleep(0.05)
    process.terminate()
    raise RuntimeError(
        f"the gateway did not answer within {START_TIMEOUT_S:.0f} s; see {data_dir / 'gateway.log'}"
    )


def stop(pid_file: PidFile) -> bool:
    """End the running gateway: SIGTERM, up to 10 s, then SIGKILL. Returns whether one was running."""
    pid = pid_file.running()
    if pid is None:
        pid_file.path.unlink(missing_ok=True)  # of a gateway that was killed
        return False
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while time.monotonic() < deadline:
        if pid_file.running() is None:
            break
        time.sleep(0.05)
    else:
        os.kill(pid, signal.SIGKILL)
        while pid_file.running() is not None:
            time.sleep(0.01)
    pid_file.path.unlink(missing_ok=True)
    return True


def _last_error(log_file: Path, began: int) -> str:
    """Return the last error a gateway wrote to its log since ``began`` (bytes), with its hint; or nothing."""
    with log_file.open("rb") as log:
        log.seek(max(began, os.fstat(log.fileno()).st_size - LOG_READ_BYTES))
        written = log.read(LOG_READ_BYTES).decode("utf-8", "replace")
    found = re.findall(r"^error: (.+)\n(?:  (.+)\n)?", written, re.MULTILINE)
    return "\n  ".join(filter(None, found[-1])) if found else ""


def is_answering(address: tuple[str, int], *, timeout_s: float = 1.0) -> bool:
    """Return whether a gateway answers ``GET /health`` at ``address``."""
    import http.client  # the gateway itself has no use for it

    connection = http.client.HTTPConnection(*address, timeout=timeout_s)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _start_identity(pid: int) -> str:
    """Return what tells this process from a later one with the same number; empty when there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        pass
    else:
        return "" if fields[0] == "Z" else fields[19]
    found = subprocess.run(  # noqa: S603 - fixed program, numeric argument
        ["/bin/ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return found.stdout.strip()
