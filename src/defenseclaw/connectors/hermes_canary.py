"""Hermes, run headless for ``defenseclaw verify``.

Provider and model are arguments; the provider is the one whose address and key come from the environment, as
long as Hermes' own ``.env`` does not set them. Hermes notes that provider in ``auth.json``, without its key;
the note of this run is taken out again, and so is the transcript it keeps of a sub-agent. Measured on 0.19.0.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from defenseclaw.connectors import disk
from defenseclaw.connectors.base import Host
from defenseclaw.connectors.canary import Canary, Launch, Stage, ToolUse, listed
from defenseclaw.errors import SetupError

_FIXED = re.compile(rb"(?m)^\s*(?:export\s+)?(LM_BASE_URL|LM_API_KEY)\s*=")


class HermesCanary(Canary):
    """See the module's text.

    Args:
        folder: Returns the directory of the profile Hermes starts with.
    """

    before_call = "pre_tool_call"
    after_call = "post_tool_call"
    on_prompt = "pre_llm_call"

    def __init__(self, folder: Callable[[Host], Path]) -> None:
        self._folder = folder

    def hindrance(self, host: Host, stage: Stage) -> str:
        """Hermes' own file outranks the environment."""
        del stage
        path = self._folder(host) / ".env"
        try:
            found = _FIXED.search(disk.look(path).content or b"")
        except SetupError:
            return f"{path} cannot be read"
        return f"{path} sets {found[1].decode()}, which the run needs itself" if found else ""

    def launch(self, host: Host, stage: Stage, prompt: str) -> Launch:
        """One turn."""
        del host
        return Launch(
            arguments=(
                *(stage.executable, "chat", "-Q", "--yolo", "--provider", "lmstudio", "-m", "canary"),
                *("-q", prompt),
            ),
            env={
                "LM_BASE_URL": f"{stage.model_url}/v1",
                "LM_API_KEY": stage.key,
                "HERMES_DISABLE_LAZY_INSTALLS": "1",
                "TIRITH_ENABLED": "false",
            },
        )

    def shell(self, command: str) -> ToolUse:
        """The terminal."""
        return ToolUse(tools=("terminal",), arguments={"command": command})

    def delegate(self, task: str) -> ToolUse:
        """The sub-agent tool."""
        return ToolUse(tools=("delegate_task",), arguments={"goal": task, "context": task})

    def suspects(self, host: Host, stage: Stage) -> Iterator[str]:
        """Where Hermes is told to load a project's plugins, one of our name is loaded in place of ours."""
        del host
        found = sorted(each.parent for each in (stage.project / ".hermes" / "plugins").glob("*/plugin.y*ml"))
        if others := listed(found):
            yield f"with HERMES_ENABLE_PROJECT_PLUGINS plugins of the project can take ours' place: {others}"

    def traces(self, host: Host, stage: Stage) -> Iterable[Path]:
        """The directory of a sub-agent's transcript that names the task of this run."""
        task = stage.task.encode()
        for transcript in self._folder(host).glob("cache/delegation/live/*/task-*.log"):
            with contextlib.suppress(SetupError):
                if task in (disk.look(transcript).content or b""):
                    yield transcript.parent

    def tidy(self, host: Host, stage: Stage) -> None:
        """The note about the provider of this run, under the lock Hermes takes for it."""
        path = self._folder(host) / "auth.json"
        with contextlib.suppress(OSError, SetupError), path.with_suffix(".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            now = disk.look(path)
            rest = _without(now.content or b"", stage.model_url)
            if rest is not None:
                disk.write(path, rest, now.mode)


def _without(content: bytes, model_url: str) -> bytes | None:
    """Return ``auth.json`` without providers at ``model_url``, None when there is none."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return None
    pool = document.get("credential_pool") if isinstance(document, dict) else None
    if not isinstance(pool, dict) or not isinstance(noted := pool.get("lmstudio"), list):
        return None
    others: list[Any] = [
        each
        for each in noted
        if not (isinstance(each, dict) and str(each.get("base_url")).startswith(model_url))
    ]
    if len(others) == len(noted):
        return None
    if others:
        pool["lmstudio"] = others
    else:
        del pool["lmstudio"]
    return json.dumps(document, indent=2).encode() + b"\n"
