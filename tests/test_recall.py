"""What was found in a call is remembered, and nothing else is taken for it."""

import pytest
from msgspec.structs import replace

from defenseclaw import packs
from defenseclaw.detection.facts import Need, Snapshot
from defenseclaw.recall import MAX_BYTES, MAX_CALLS, MAX_MET, MAX_NEW, Recall
from defenseclaw.vocabulary import JSON, Door, Event, EventKind, HostContext

RULES = packs.load()
HOST = HostContext(home="/home/dev", data_dir="/home/dev/.defenseclaw")


def missing(need: Need) -> Snapshot:
    return Snapshot(real_path=need.path)


def call(command: str, **change: JSON) -> Event:
    event = Event(
        kind=EventKind.TOOL_CALL, door=Door.HOOK, tool="Bash", args={"command": command}, cwd="/srv/a"
    )
    return replace(event, **change)  # type: ignore[arg-type]


def test_the_same_call_is_detected_once() -> None:
    recall = Recall()
    first = recall.detect(call("rm -rf /"), RULES, HOST, missing)
    again = recall.detect(call("rm -rf /", name="PermissionRequest"), RULES, HOST, missing)
    assert again is first
    assert [finding.rule_id for finding in first.findings] == ["CMD-RM-RF"]


@pytest.mark.parametrize(
    "other",
    [
        call("ls -a"),
        call("ls", tool="bash"),
        call("ls", cwd="/srv/b"),
        call("ls", args={"command": "ls", "timeout": 1}),
        call("ls", faults=("too_deep",)),
        call("ls", text="ls"),
        call("ls", kind=EventKind.TOOL_RESULT, result="ls"),
    ],
    ids=["command", "tool", "directory", "argument", "fault", "text", "kind"],
)
def test_another_call_is_not_taken_for_it(other: Event) -> None:
    recall = Recall()
    first = recall.detect(call("ls"), RULES, HOST, missing)
    assert recall.detect(other, RULES, HOST, missing) is not first


def test_other_rules_and_another_machine_are_asked_anew() -> None:
    recall = Recall()
    strict = packs.load("strict")
    first = recall.detect(call("ls"), RULES, HOST, missing)
    second = recall.detect(call("ls"), strict, HOST, missing)
    assert second is not first
    assert recall.detect(call("ls"), strict, replace(HOST, home="/root"), missing) is not second


def test_what_rests_on_a_file_is_looked_at_each_time() -> None:
    content = {"/srv/a/x.sh": b"ls\n"}

    def answer(need: Need) -> Snapshot:
        return Snapshot(real_path=need.path, exists=True, kind="file", content=content[need.path])

    recall = Recall()
    before = recall.detect(call("sh x.sh"), RULES, HOST, answer)
    content["/srv/a/x.sh"] = b"rm -rf /\n"
    after = recall.detect(call("sh x.sh"), RULES, HOST, answer)
    found = [{finding.rule_id for finding in each.findings} for each in (before, after)]
    assert [("CMD-RM-RF" in ids) for ids in found] == [False, True]


def test_what_came_once_is_remembered_for_the_next_few_calls() -> None:
    recall = Recall()
    first = recall.detect(call("ls"), RULES, HOST, missing)
    for number in range(MAX_NEW - 1):
        recall.detect(call(f"ls {number}"), RULES, HOST, missing)
    assert recall.detect(call("ls"), RULES, HOST, missing) is first


@pytest.mark.parametrize(("between", "kept"), [(MAX_NEW, True), (MAX_MET + 2 * MAX_NEW, False)])
def test_what_comes_a_second_time_is_remembered_for_long(between: int, kept: bool) -> None:
    recall = Recall()
    recall.detect(call("ls"), RULES, HOST, missing)
    for number in range(between):
        recall.detect(call(f"ls {number}"), RULES, HOST, missing)
    second = recall.detect(call("ls"), RULES, HOST, missing)
    for number in range(between, between + 2 * MAX_NEW):
        recall.detect(call(f"ls {number}"), RULES, HOST, missing)
    assert (recall.detect(call("ls"), RULES, HOST, missing) is second) is kept


def test_what_is_remembered_is_bounded() -> None:
    recall = Recall()
    for number in range(2 * MAX_CALLS):
        for _ in range(2):
            recall.detect(call(f"ls {number}"), RULES, HOST, missing)
    assert len(recall) == MAX_CALLS
    for number in range(2 * MAX_NEW):
        recall.detect(call(f"ls -a {number}"), RULES, HOST, missing)
    recall.detect(call("ls " + "x" * MAX_BYTES), RULES, HOST, missing)
    assert len(recall) == MAX_CALLS + MAX_NEW


@pytest.mark.parametrize(
    "args", [{"command": "\ud800"}, {1.5: "ls"}, object()], ids=["surrogate", "key", "object"]
)
def test_arguments_no_json_holds_are_judged_all_the_same(args: JSON) -> None:
    recall = Recall()
    assert recall.detect(call("", args=args), RULES, HOST, missing).facts is not None
