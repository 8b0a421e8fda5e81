"""One OmniGent turn, run by OmniGent's own Python: creates a session, sends a prompt, answers approvals.

Arguments (JSON on stdin): ``server``, ``runner_id``, ``bundle`` (path of a tar.gz), ``prompt``,
``answer`` (``accept`` or ``decline``). Prints one JSON object: ``events``, ``asked``, ``status``, ``items``.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

from omnigent_client import OmnigentClient


def plain(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: plain(getattr(value, each.name)) for each in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


async def turn(order: dict[str, str], bundle: bytes) -> dict[str, Any]:
    client = OmnigentClient(base_url=order["server"], timeout=90)
    session = await client.sessions.create(bundle, title="turn")
    await client.sessions.bind_runner(session.id, runner_id=order["runner_id"])
    events: list[Any] = []
    asked: list[Any] = []
    answered: set[str] = set()
    done = asyncio.Event()
    listening = asyncio.Event()
    running = False

    async def answer(elicitation: dict[str, Any]) -> None:
        identity = elicitation["elicitation_id"]
        if identity in answered:
            return
        answered.add(identity)
        asked.append(elicitation["params"])
        await client.sessions.resolve_elicitation(session.id, identity, {"action": order["answer"]})

    async def listen() -> None:
        nonlocal running
        async for event in client.sessions.stream(session.id):
            listening.set()
            shown = plain(event)
            events.append(shown)
            kind = shown.get("type", "") if isinstance(shown, dict) else ""
            if kind == "response.elicitation_request":
                await answer(shown)
            status = shown.get("status") or (shown.get("data") or {}).get("status")
            if kind == "session.status":
                running = running or status == "running"
                if running and status in ("idle", "failed"):
                    done.set()

    listener = asyncio.create_task(listen())
    await asyncio.wait_for(listening.wait(), 30)
    content = [{"type": "input_text", "text": order["prompt"]}]
    posted = await client.sessions.post_event(
        session.id, {"type": "message", "data": {"role": "user", "content": content}}
    )
    if not (isinstance(plain(posted), dict) and plain(posted).get("denied")):
        await asyncio.wait_for(done.wait(), 90)
    listener.cancel()
    final = plain(await client.sessions.get(session.id))
    return {"posted": plain(posted), "events": events, "asked": asked, "items": final.get("items")}


if __name__ == "__main__":
    given = json.load(sys.stdin)
    print(json.dumps(asyncio.run(turn(given, Path(given["bundle"]).read_bytes()))))
