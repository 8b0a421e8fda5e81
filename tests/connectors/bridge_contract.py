"""What a bridge inside an agent does with every answer, to the letter.

The real bridge asks over loopback, the gateway's own hook route answers. A golden file of such a connector
holds what the agent sees of the bridge, and beside it what the gateway said to the bridge.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from tests.connectors.answers_contract import SEVERITIES, UNANSWERED, GoldenContract, judged
from tests.connectors.conftest import Reply

from defenseclaw.connectors.base import Connector
from defenseclaw.gateway.bodies import Intake
from defenseclaw.gateway.routes.hooks import serve
from defenseclaw.gateway.routing import Call
from defenseclaw.vocabulary import Action, Correlation, Event, FailMode, Mode, Posture, Verdict

REFUSED = "127.0.0.1:1"
READ = ("action", "reason", "replacement", "hook_output")
"""What bridges read of the gateway's answer."""


class Judge:
    """The hook route of one connector, over findings that ask for ``raw``."""

    def __init__(self, connector: Connector) -> None:
        self.connector = connector
        self.raw, self.mode = Action.ALLOW, Mode.ACTION
        self.events: list[Event] = []
        self.said: list[Any] = []

    async def inspect(self, event: Event) -> Verdict:
        self.events.append(event)
        return judged(event, self.raw, self.mode)

    def answer(self, headers: Mapping[str, str], body: bytes) -> Reply:
        """Answer one request as the gateway does."""
        answer = asyncio.run(serve(self._call(headers, body), self.connector))
        self.said.append(msgspec.json.decode(answer.body))
        return Reply(status=answer.status, body=answer.body)

    def _call(self, headers: Mapping[str, str], body: bytes) -> Call:
        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        services: Any = SimpleNamespace(
            inspector=self,
            config=SimpleNamespace(posture=lambda _connector: Posture(mode=self.mode)),
            identity=lambda: SimpleNamespace(sidecar_instance_id=""),
        )
        return Call(
            services=services,
            intake=Intake(),
            receive=receive,
            method="POST",
            path=self.connector.hook_path,
            query=b"",
            headers={name.encode(): value.encode() for name, value in headers.items()},
            peer="127.0.0.1",
            loopback=True,
            correlation=Correlation(),
        )


class BridgeContract(GoldenContract):
    """Tests; the subclass says how its agent calls the bridge. ``bridge`` is the module's fixture."""

    @abstractmethod
    def called(self, bridge: Any, name: str) -> tuple[Any, str]:
        """What a bridge just loaded does with a payload as its agent sees it, and what it says on stderr."""

    @pytest.fixture
    def judge(self, gateway):
        judge = Judge(self.connector)
        gateway.judge = judge.answer
        return judge

    @pytest.fixture
    def events(self, bridge, judge):
        found = {}
        for name in self.names():
            judge.events.clear()
            self.called(bridge, name)
            if judge.events:
                found[name] = judge.events[-1]
        return found

    @pytest.fixture
    def answers(self, bridge, judge):
        said = {name: self._answers(bridge, judge, name) for name in self.names()}
        bridge.host = replace(bridge.host, api_address=REFUSED)
        for mode in FailMode:
            bridge.fail_mode(mode)
            for name, groups in said.items():
                groups[UNANSWERED][str(mode)] = self._shown(bridge, name)
        return said

    def _answers(self, bridge, judge, name):
        groups = {str(mode): {} for mode in Mode}
        wires = {f"gateway in {mode}": {} for mode in Mode}
        for judge.mode in Mode:
            for judge.raw in SEVERITIES:
                judge.said.clear()
                groups[str(judge.mode)][str(judge.raw)] = self._shown(bridge, name)
                assert len(judge.said) <= 1
                wires[f"gateway in {judge.mode}"][str(judge.raw)] = next(map(self._read, judge.said), None)
        return groups | wires | {UNANSWERED: {}}

    def _read(self, envelope):
        return {field: envelope[field] for field in READ if field in envelope}

    def _shown(self, bridge, name):
        """What the bridge did alone where that is all."""
        did, stderr = self.called(bridge, name)
        return {"agent": did, "stderr": stderr} if stderr else did

    def test_whatever_can_be_refused_has_a_payload(self, events):
        assert {event.name for event in events.values()} >= self.connector.block_events

    def test_without_a_gateway_the_fail_mode_answers(self, events):
        for name, event in events.items():
            groups = self.recorded()[name]
            opened, closed = (groups[UNANSWERED][mode]["agent"] for mode in ("open", "closed"))
            assert opened == groups["action"]["allow"]
            assert (closed != opened) is (event.name in self.connector.block_events)
