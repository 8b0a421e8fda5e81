"""The marker and the rule that finds it."""

from __future__ import annotations

import pytest

from defenseclaw.inspection import judge
from defenseclaw.packs import load_pack
from defenseclaw.policy.decision import Listed
from defenseclaw.verification import markers
from defenseclaw.vocabulary import (
    Abilities,
    Action,
    Door,
    Event,
    EventKind,
    HostContext,
    Mode,
    Posture,
    Profile,
    Verdict,
)

HOST = HostContext(home="/home/dev", data_dir="/home/dev/.defenseclaw")
RULES = load_pack("default").rules
ABLE = Abilities(can_block=True, can_ask=True, can_replace=True, unasked=Action.BLOCK, confirmable=True)


def event(kind: EventKind, text: str) -> Event:
    said = {
        EventKind.TOOL_CALL: {"tool": "Bash", "args": {"command": f"touch '/tmp/x/{text}'"}},
        EventKind.TOOL_RESULT: {"tool": "Bash", "result": f"a line\n{text}\n"},
        EventKind.PROMPT: {"text": f"Say {text} once."},
    }[kind]
    return Event(kind=kind, door=Door.HOOK, name="E", connector="claudecode", abilities=ABLE, **said)


def verdict(kind: EventKind, posture: Posture, text: str = "", listed: Listed | None = None) -> Verdict:
    return judge(event(kind, text or markers.mint()), RULES, HOST, posture, listed=listed)[0]


def test_a_marker_is_new_each_time_and_long_enough_not_to_be_guessed():
    minted = {markers.mint() for _ in range(100)}
    assert len(minted) == 100
    assert {len(each) - len(markers.PREFIX) for each in minted} == {32}


@pytest.mark.parametrize("profile", list(Profile))
@pytest.mark.parametrize("kind", [EventKind.TOOL_CALL, EventKind.TOOL_RESULT, EventKind.PROMPT])
def test_every_profile_denies_it(kind: EventKind, profile: Profile):
    found = verdict(kind, Posture(mode=Mode.ACTION, profile=profile))
    assert (found.action, found.rule_ids) == (Action.BLOCK, (markers.RULE_ID,))


@pytest.mark.parametrize("kind", [EventKind.TOOL_CALL, EventKind.TOOL_RESULT, EventKind.PROMPT])
def test_observing_it_is_only_recorded(kind: EventKind):
    found = verdict(kind, Posture(mode=Mode.OBSERVE))
    assert (found.action, found.raw_action, found.replacement) == (Action.ALLOW, Action.BLOCK, None)


def test_a_result_is_shown_without_it():
    marker = markers.mint()
    found = verdict(EventKind.TOOL_RESULT, Posture(mode=Mode.ACTION), marker)
    assert "a line" in str(found.replacement)
    assert marker not in str(found.replacement)


def test_an_allow_list_does_not_cover_it():
    allowed = Listed(verdict="allow", rule_id="LIST-ALLOW", entry="Bash")
    found = verdict(EventKind.TOOL_CALL, Posture(mode=Mode.ACTION), listed=allowed)
    assert found.action is Action.BLOCK


def test_it_hides_nothing_that_stands_beside_it():
    both = f"{markers.mint()}' ; rm -rf / ; echo '"
    found = verdict(EventKind.TOOL_CALL, Posture(mode=Mode.ACTION), both)
    assert {markers.RULE_ID, "CMD-RM-RF"} <= set(found.rule_ids)


@pytest.mark.parametrize("near", ["defenseclaw-canary-", "defenseclaw-canary-0011", "canary-" + "0" * 32])
def test_what_only_looks_like_it_is_nothing(near: str):
    assert verdict(EventKind.PROMPT, Posture(mode=Mode.ACTION), near).rule_ids == ()
