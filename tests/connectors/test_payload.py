"""What all payloads have in common: names, ids and dimensions, whatever their shape."""

import pytest

from defenseclaw.connectors import claudecode, payload
from defenseclaw.connectors.base import HookCall
from defenseclaw.vocabulary import Correlation, Door, EventKind

CLAUDE = claudecode.CONNECTOR
KNOWN = Correlation(session_id="hs", turn_id="ht", tool_call_id="hc", agent_id="ha", trace_id="f" * 32)


@pytest.mark.parametrize("event", ["preToolUse", "pre_tool_use", "Pre-Tool.Use", "PRETOOLUSE"])
def test_an_event_in_any_spelling_is_one_we_know(event):
    assert payload.spelt(event, {"pretooluse": "preToolUse"}) == "preToolUse"


def test_an_event_nobody_knows_stays_as_it_is():
    assert payload.spelt("some_thing", {"pretooluse": "preToolUse"}) == "some_thing"


@pytest.mark.parametrize(("value", "item"), [(["a", "b"], "a"), ([], None), ("ab", None), (None, None)])
def test_the_first_item_of_a_list(value, item):
    assert payload.first_item(value) == item


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        (("reason", "source"), {"reason": "exit"}),
        ({"reason": "why"}, {"why": "exit"}),
        # of several keys for one dimension the last that says something counts
        ({"reason": "why", "status": "why"}, {"why": "done"}),
        ({"reason": "why", "odd": "why", "empty": "why"}, {"why": "exit"}),
        ((), {}),
    ],
)
def test_dimensions(keys, found):
    body = {"reason": "exit", "status": "done", "odd": ["x"], "empty": ""}
    assert payload.dimensions(body, keys) == found


def test_ids_of_the_payload_win_over_those_of_the_headers():
    body = {"sessionId": "s", "session_id": "", "turn": ["odd"], "call": 7}
    keys = payload.IdKeys(session=("session_id", "sessionId"), turn=("turn",), tool_call=("call",))
    found = payload.correlation(HookCall(payload=body, correlation=KNOWN), CLAUDE, keys)
    assert (found.session_id, found.turn_id, found.tool_call_id) == ("s", "ht", "7")
    assert (found.agent_id, found.trace_id) == ("ha", "f" * 32)
    assert (found.agent_name, found.agent_type) == ("Claude Code", "claudecode")


def test_what_every_event_has_is_filled_in():
    call = HookCall(payload={"cwd": "/a/../b", "session_id": "s"}, faults=("too_deep",))
    event = payload.event(call, CLAUDE, "PreToolUse", model=" m\n")
    assert (event.kind, event.door, event.connector) == (EventKind.TOOL_CALL, Door.HOOK, "claudecode")
    assert (event.cwd, event.model, event.faults) == ("/b", "m", ("too_deep",))
    assert event.abilities == CLAUDE.abilities("PreToolUse", EventKind.TOOL_CALL)
    assert (event.correlation.session_id, event.extra) == ("s", {})


def test_a_working_directory_that_was_found_elsewhere_is_kept_even_when_it_is_none():
    call = HookCall(payload={"cwd": "/a"})
    assert payload.event(call, CLAUDE, "Stop", cwd="").cwd == ""
