"""Which Python runs OmniGent: from the launcher on PATH to the site-packages that take our ``.pth``.

Launchers differ by installer (venv, uv tool, pipx, long paths); all facts are measured.
Source: ``spec/omnigent.md`` §10.2, §10.3.
"""

from __future__ import annotations

import json
import os
import shlex
import stat
from dataclasses import dataclass
from pathlib import Path

from defenseclaw.connectors import probes
from defenseclaw.connectors.base import Host
from defenseclaw.errors import AgentNotFound, SetupError

EXECUTABLES = ("omnigent", "omni")
PROBE_TIMEOUT_S = 15.0
_HARMLESS_FLAGS = frozenset("EIsPBu")
_PROBE = """
import importlib.metadata, importlib.util, json, os, sys, sysconfig
try:
    version = importlib.metadata.version("omnigent")
except Exception:
    version = ""
purelib = sysconfig.get_path("purelib")
print(json.dumps({
    "purelib": purelib, "prefix": sys.prefix, "base_prefix": sys.base_prefix, "version": version,
    "importable": importlib.util.find_spec("omnigent") is not None,
    "managed": os.path.exists(os.path.join(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED")),
}))
"""
_UNWRITABLE = "OmniGent's Python environment is not writable"
_ISOLATE = "install OmniGent in an isolated environment (uv tool, pipx or a venv) and run the setup again"


@dataclass(frozen=True, slots=True, kw_only=True)
class OmnigentPython:
    """The interpreter of an OmniGent installation, as it described itself."""

    executable: Path
    """The launcher on PATH."""
    interpreter: Path
    """Not resolved: a venv's ``python`` must be run under that name."""
    purelib: Path
    prefix: str
    base_prefix: str
    version: str
    managed: bool
    """The system's package manager owns this Python."""


def find_python(host: Host) -> OmnigentPython:
    """Return the Python that runs the ``omnigent`` (or ``omni``) on PATH.

    Raises:
        AgentNotFound: neither is on PATH, or its Python has no OmniGent.
        SetupError: the launcher is odd, or its interpreter could be exchanged by somebody else.
    """
    found = probes.find_executable(host, *EXECUTABLES)
    if not found:
        places = ", ".join(probes.places_searched(host, *EXECUTABLES))
        raise AgentNotFound(
            "OmniGent not found: neither `omnigent` nor `omni` on PATH", hint=f"looked for {places}"
        )
    interpreter = interpreter_of(Path(found), host)
    refuse_untrusted(interpreter, host)
    return _ask(Path(found), interpreter)


def interpreter_of(executable: Path, host: Host) -> Path:
    """Return the interpreter a launcher script names.

    Raises:
        SetupError: none can be told, or it runs without site-packages (``-S``).
    """
    real = Path(os.path.realpath(executable))
    named = _named_interpreter(real, host)
    for candidate in (named,) if named else (real.parent / "python", real.parent / "python3"):
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return candidate
    raise SetupError(f"cannot tell which Python runs {executable}", hint=_ISOLATE)


def refuse_untrusted(interpreter: Path, host: Host) -> None:
    """Refuse an interpreter that somebody other than root or us could exchange.

    Raises:
        SetupError: it, its target or their directories are writable for group or others or owned by
            somebody else, or lie outside ``DEFENSECLAW_TRUSTED_BIN_PREFIXES`` where that is set.
    """
    real = Path(os.path.realpath(interpreter))
    for path in (real, interpreter.parent, real.parent):
        status = path.stat()
        if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) or status.st_uid not in (0, os.geteuid()):
            raise SetupError(f"{path} can be changed by other users; OmniGent's Python is not run")
    prefixes = [
        each for each in host.env.get("DEFENSECLAW_TRUSTED_BIN_PREFIXES", "").split(os.pathsep) if each
    ]
    if prefixes and not any(real.is_relative_to(os.path.realpath(each)) for each in prefixes):
        raise SetupError(f"{real} lies outside DEFENSECLAW_TRUSTED_BIN_PREFIXES")


def refuse_unwritable(python: OmnigentPython) -> None:
    """Refuse a Python environment that is not OmniGent's own or not writable; root can write anywhere.

    Raises:
        SetupError: says to install OmniGent in an isolated environment. Nothing privileged is tried.
    """
    shared = python.prefix == python.base_prefix
    if not os.access(python.purelib, os.W_OK) or (shared and (python.managed or os.geteuid() == 0)):
        raise SetupError(f"{_UNWRITABLE} ({python.purelib})", hint=_ISOLATE)


def run_python(interpreter: Path, code: str, *, locale: str = "C.UTF-8") -> str | None:
    """Run ``code`` as the OmniGent server would start and return its last line; None when it fails.

    Site hooks print to stderr, which is ignored; ``PYTHON*`` variables are not passed on.
    """
    environment = {"PATH": os.defpath, "LC_ALL": locale, "HOME": "/"}
    output = probes.run_bounded((str(interpreter), "-B", "-c", code), environment, PROBE_TIMEOUT_S)
    if output is None:
        return None
    lines = [each for each in output.decode("utf-8", "replace").splitlines() if each.strip()]
    return lines[-1] if lines else ""


def _named_interpreter(real: Path, host: Host) -> Path | None:
    try:
        with real.open("rb") as file:
            lines = file.read(8192).decode("utf-8", "surrogateescape").split("\n")[:2]
    except OSError as error:
        raise SetupError(f"{real} cannot be read: {error.strerror}") from error
    if not lines[0].startswith("#!"):
        return None
    words = lines[0][2:].split()
    if words and Path(words[0]).name == "env":
        return _from_env(words[1:], host)
    if words in (["/bin/sh"], ["/usr/bin/sh"]):
        return _from_shell(lines[1] if len(lines) > 1 else "")
    if words and Path(words[0]).name.startswith(("python", "pypy")) and words[0].startswith("/"):
        _refuse_flags(words[1:])
        return Path(words[0])
    return None


def _from_env(words: list[str], host: Host) -> Path | None:
    if words[:1] == ["-S"]:
        words = words[1:]
    if not words or not Path(words[0]).name.startswith(("python", "pypy")):
        return None
    _refuse_flags(words[1:])
    found = probes.find_executable(host, words[0])
    return Path(found) if found else None


def _from_shell(line: str) -> Path | None:
    """``'''exec' '/path with spaces/python' "$0" "$@"``: what installers write for long or spaced paths."""
    try:
        words = shlex.split(line)
    except ValueError:
        return None
    if len(words) < 2 or words[0] != "exec" or not words[1].startswith("/"):
        return None
    _refuse_flags([each for each in words[2:] if each.startswith("-")])
    return Path(words[1])


def _refuse_flags(flags: list[str]) -> None:
    for each in flags:
        if not each.startswith("-") or not set(each[1:]) <= _HARMLESS_FLAGS:
            raise SetupError(f"OmniGent's launcher starts Python with {each}; our .pth file would be ignored")


def _ask(executable: Path, interpreter: Path) -> OmnigentPython:
    line = run_python(interpreter, _PROBE)
    try:
        told = json.loads(line or "")
        python = OmnigentPython(
            executable=executable,
            interpreter=interpreter,
            purelib=Path(told["purelib"]),
            prefix=str(told["prefix"]),
            base_prefix=str(told["base_prefix"]),
            version=probes.version_in(str(told["version"])),
            managed=told["managed"] is True,
        )
        importable = told["importable"] is True
    except (ValueError, KeyError, TypeError) as error:
        raise SetupError(f"{interpreter} did not say where its packages are") from error
    if not importable:
        raise AgentNotFound(f"{interpreter} runs {executable} but has no OmniGent", hint=_ISOLATE)
    if not python.purelib.is_absolute() or not python.purelib.is_dir():
        raise SetupError(f"{python.purelib} is not a directory of Python packages")
    return python
