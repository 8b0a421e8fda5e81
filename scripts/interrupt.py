"""Send Ctrl-C (SIGINT) to a process and all of its descendants. Argument: its pid."""

from __future__ import annotations

import os
import signal
import subprocess
import sys


def descendants(pid: int) -> list[int]:
    """Return ``pid`` and every process below it."""
    table = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True)
    children: dict[int, list[int]] = {}
    for line in table.stdout.splitlines():
        child, parent = map(int, line.split())
        children.setdefault(parent, []).append(child)
    found = [pid]
    for each in found:
        found.extend(children.get(each, []))
    return found


if __name__ == "__main__":
    for each in reversed(descendants(int(sys.argv[1]))):
        os.kill(each, signal.SIGINT)
