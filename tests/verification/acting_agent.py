"""A made-up agent for tests: one turn against a model, with a guard that does as it is told.

Arguments: URL of the model, key, prompt, and a JSON file: ``guard`` (``deny``, ``observe``, ``pass``,
``refuse``), ``data`` (our data directory) and ``tools`` it offers.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from defenseclaw.audit import rows
from defenseclaw.audit.identity import random_id
from defenseclaw.audit.records import ProcessIdentity
from defenseclaw.audit.store import Store
from defenseclaw.detection.redaction import make_evidence_placeholder
from defenseclaw.verification.markers import PREFIX, RULE_ID
from defenseclaw.vocabulary import Action, Door, Event, EventKind, Evidence, Finding, Mode, Severity, Verdict

MARKER = re.compile(re.escape(PREFIX) + "[0-9a-f]{32}")
NOTICE = f"[DefenseClaw] Blocked: {RULE_ID}"


class Agent:
    def __init__(self, url: str, key: str, behaviour: dict[str, Any]) -> None:
        self.url, self.key, self.behaviour = url, key, behaviour

    def turn(self, prompt: str) -> None:
        if self.guarded("prompt", EventKind.PROMPT, prompt) is not None:
            return
        self.converse(prompt)

    def converse(self, prompt: str) -> str:
        messages: list[dict[str, Any]] = [{"role": "user", "content": prompt}]
        tools = [{"type": "function", "function": {"name": name}} for name in self.behaviour["tools"]]
        while True:
            body = {"model": "m", "messages": messages, "tools": tools}
            message = self.ask(body)["choices"][0]["message"]
            messages.append(message)
            calls = message.get("tool_calls") or []
            for call in calls:
                arguments = json.loads(call["function"]["arguments"])
                result = self.use(call["function"]["name"], arguments)
                messages.append({"role": "tool", "tool_call_id": call["id"], "content": result})
            if not calls:
                return str(message["content"])

    def ask(self, body: dict[str, Any]) -> Any:
        request = urllib.request.Request(f"{self.url}/v1/chat/completions", json.dumps(body).encode())
        request.add_header("Authorization", f"Bearer {self.key}")
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
            return json.loads(answer.read())

    def use(self, tool: str, arguments: dict[str, Any]) -> str:
        if tool == "delegate":
            return self.converse(arguments["task"])
        refusal = self.guarded("before", EventKind.TOOL_CALL, arguments["command"])
        if refusal is not None:
            return refusal
        result = subprocess.run(["/bin/sh", "-c", arguments["command"]], capture_output=True, text=True)
        return self.guarded("after", EventKind.TOOL_RESULT, result.stdout) or result.stdout

    def guarded(self, name: str, kind: EventKind, text: str) -> str | None:
        """Return what takes the place of a call or a result; None lets it pass."""
        guard, marker = self.behaviour["guard"], MARKER.search(text)
        if guard == "pass" or marker is None:
            return None
        if guard == "refuse":
            return "no"
        denied = guard == "deny"
        self.record(name, kind, marker[0], denied=denied)
        return NOTICE if denied else None

    def record(self, name: str, kind: EventKind, marker: str, *, denied: bool) -> None:
        finding = Finding(
            rule_id=RULE_ID,
            title="",
            category="self-protection",
            severity=Severity.CRITICAL,
            confidence=1.0,
            evidence=Evidence(marker),
            because="pattern",
        )
        verdict = Verdict(
            evaluation_id=random_id(),
            action=Action.BLOCK if denied else Action.ALLOW,
            raw_action=Action.BLOCK,
            severity=Severity.CRITICAL,
            confidence=1.0,
            mode=Mode.ACTION if denied else Mode.OBSERVE,
            findings=(finding,),
            enforced=denied,
        )
        store = Store.open(Path(self.behaviour["data"]) / "audit.db")
        batch = rows.batch_for(
            Event(kind=kind, door=Door.HOOK, name=name, connector="acting", tool="shell"),
            verdict,
            process=ProcessIdentity(run_id="r", sidecar_instance_id="i", binary_version="1"),
            placeholder=make_evidence_placeholder(store.identity.derive("redaction")),
            clean=str,
            elapsed_ms=1.0,
            now=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            state=None,
            rule_pack="default",
            fix_for=lambda _rule: "",
        )
        appender = store.appender()
        appender.append([batch], 0)
        appender.close()
        store.close()


if __name__ == "__main__":
    url, key, prompt, behaviour = sys.argv[1:5]
    decided = json.loads(Path(behaviour).read_text())
    Agent(url, key, decided).turn(prompt)
