"""Finds or installs the real agents, pinned by the lock files in ``agents/``. Fails loudly, never skips.

They live in ``.e2e/`` of the repository, made once: Claude Code, Codex, Copilot, Gemini CLI and OpenCode
through npm, OmniGent, Hermes and OpenHands in virtual environments of a Python ≥ 3.12 that must be on the
machine.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
LOCKS = Path(__file__).parent / "agents"
CACHE = REPOSITORY / ".e2e"


@cache
def claude_code() -> Path:
    """Return a directory that holds the ``claude`` executable and no other agent's."""
    return _alone("claude")


@cache
def codex() -> Path:
    """Return a directory that holds the ``codex`` executable and no other agent's."""
    return _alone("codex")


@cache
def copilot() -> Path:
    """Return a directory that holds the ``copilot`` executable and no other agent's."""
    return _alone("copilot")


@cache
def gemini() -> Path:
    """Return a directory that holds the ``gemini`` executable and no other agent's."""
    return _alone("gemini")


@cache
def opencode() -> Path:
    """Return a directory that holds the ``opencode`` executable and no other agent's."""
    return _alone("opencode")


def _alone(name: str, binaries: Path | None = None) -> Path:
    folder = CACHE / "only" / name
    link = folder / name
    folder.mkdir(parents=True, exist_ok=True)
    target = (binaries or _npm()) / name
    if not target.exists():
        raise RuntimeError(f"the lock file installed no {name}")
    if not link.is_symlink():
        link.symlink_to(target)
    return folder


@cache
def _npm() -> Path:
    """Return where npm put the agents' executables, installing what is missing."""
    target = CACHE / "npm"
    binaries = target / "node_modules" / ".bin"
    wanted = (LOCKS / "package-lock.json").read_bytes()
    kept = target / "package-lock.json"
    if not (binaries.is_dir() and kept.exists() and kept.read_bytes() == wanted):
        npm = shutil.which("npm")
        if npm is None:
            raise RuntimeError("the end-to-end tests need Node.js with npm on PATH to install the agents")
        target.mkdir(parents=True, exist_ok=True)
        kept.unlink(missing_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(LOCKS / name, target / name)
        install = [npm, "ci", "--no-audit", "--no-fund"]
        try:
            subprocess.run(install, cwd=target, check=True, capture_output=True)
        except BaseException:
            kept.unlink()  # it says that everything is there
            raise
    return binaries


@cache
def omnigent() -> Path:
    """Return the ``bin`` directory of a virtual environment with OmniGent, made when it is missing."""
    return _environment("omnigent")


@cache
def hermes() -> Path:
    """Return a directory that holds the ``hermes`` executable and no other agent's."""
    return _alone("hermes", _environment("hermes"))


@cache
def openhands() -> Path:
    """Return a directory that holds the ``openhands`` executable and no other agent's."""
    return _alone("openhands", _environment("openhands"))


def _environment(name: str) -> Path:
    """Return the ``bin`` directory of a virtual environment that is exactly its lock file."""
    target = CACHE / name
    wanted = (LOCKS / f"{name}.lock").read_bytes()
    kept = target / f"{name}.lock"
    if not (kept.exists() and kept.read_bytes() == wanted):
        python = newer_python()
        shutil.rmtree(target, ignore_errors=True)
        subprocess.run([python, "-m", "venv", "--without-pip", target], check=True)
        install = [
            *_uv(),
            "pip",
            "sync",
            "--quiet",
            "--require-hashes",
            "--python",
            target / "bin" / "python",
        ]
        subprocess.run([*install, LOCKS / f"{name}.lock"], check=True)
        kept.write_bytes(wanted)
    return target / "bin"


@cache
def newer_python() -> Path:
    """Return a Python ≥ 3.12 of this machine.

    Raises:
        RuntimeError: there is none; agents from PyPI cannot be installed and their tests cannot run.
    """
    probe = "import sys, json; print(json.dumps([sys.executable, list(sys.version_info[:2])]))"
    for candidate in _python_candidates():
        try:
            found = subprocess.run(
                [candidate, "-c", probe], capture_output=True, text=True, timeout=20, check=True
            )
            executable, version = json.loads(found.stdout)
        except (OSError, subprocess.SubprocessError, ValueError):
            continue
        if tuple(version) >= (3, 12):
            return Path(executable)
    raise RuntimeError(
        "OmniGent, Hermes and OpenHands need Python 3.12 or newer and none was found (python3, "
        "python3.12-3.14 on PATH, pyenv versions, DEFENSECLAW_E2E_PYTHON). Install one or set "
        "DEFENSECLAW_E2E_PYTHON."
    )


def _python_candidates() -> Iterator[str]:
    if chosen := os.environ.get("DEFENSECLAW_E2E_PYTHON"):
        yield chosen
    for name in ("python3.12", "python3.13", "python3.14", "python3"):
        yield from filter(None, [shutil.which(name)])
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    yield from (str(each) for each in sorted(pyenv.glob("3.1[2-9]*/bin/python3")))


def _uv() -> list[str | Path]:
    for candidate in (shutil.which("uv"), REPOSITORY / ".venv-uv" / "bin" / "uv"):
        if candidate and Path(candidate).exists():
            return [candidate]
    target = CACHE / "uv"
    if not (target / "bin" / "uv").exists():
        subprocess.run([sys.executable, "-m", "venv", target], check=True)
        subprocess.run([target / "bin" / "python", "-m", "pip", "install", "--quiet", "uv"], check=True)
    return [target / "bin" / "uv"]
