import pytest

from defenseclaw import packs
from defenseclaw.detection import engine
from defenseclaw.detection.engine import Detection, detect, run
from defenseclaw.detection.facts import Command, Facts, Need, Snapshot
from defenseclaw.detection.ruleset import INPUT_BOUND, INTERNAL_FAULT, Rule, RuleSet, Subject, kinds_of
from defenseclaw.vocabulary import Door, Event, EventKind, HostContext, Severity

HOST = HostContext(home="/home/dev", data_dir="/home/dev/.defenseclaw", control_ports=(18970,))
DEFAULT = packs.load("default")


def rule(id="R", **more):
    given = {
        "title": f"title of {id}",
        "category": "secret",
        "severity": Severity.HIGH,
        "confidence": 0.5,
        "tags": ("x",),
        "kinds": kinds_of("secret"),
    }
    return Rule(id=id, **{**given, **more})


def call(command, **more):
    return Event(
        kind=EventKind.TOOL_CALL,
        door=Door.CLI,
        tool="Bash",
        args={"command": command},
        cwd="/home/dev/project",
        **more,
    )


def text(content, kind=EventKind.PROMPT, **more):
    if kind is EventKind.TOOL_RESULT:
        return Event(kind=kind, door=Door.CLI, result=content, **more)
    return Event(kind=kind, door=Door.CLI, text=content, **more)


def found(event, *rules):
    return run(detect(event, RuleSet(rules), HOST))


def ids(detection):
    return [each.rule_id for each in detection.findings]


# Findings


def test_the_most_severe_first_then_by_id():
    rules = [
        rule("C", patterns=("x",)),
        rule("A", patterns=("x",), severity=Severity.LOW),
        rule("B", patterns=("x",)),
    ]
    assert ids(found(text("x"), *rules)) == ["B", "C", "A"]


def test_one_finding_per_rule():
    both = rule(
        "R", patterns=("x",), condition="commands.exists(c, c.program == 'x')", kinds=kinds_of("command")
    )
    assert ids(found(call("x; x; x"), both)) == ["R"]


@pytest.mark.parametrize("kind", [kind for kind in EventKind if kind is not EventKind.LIFECYCLE])
def test_a_rule_counts_for_its_kinds_only(kind):
    event = Event(kind=kind, door=Door.CLI, text="needle", result="needle", args={"x": "needle"})
    some = rule(patterns=("needle",), kinds=frozenset({EventKind.PROMPT, EventKind.TOOL_CALL}))
    assert ids(found(event, some)) == (["R"] if kind in some.kinds else [])


def test_lifecycle_events_are_never_judged():
    event = Event(kind=EventKind.LIFECYCLE, door=Door.CLI, text="needle")
    assert found(event, rule(patterns=("needle",))) == Detection()


def test_a_lifecycle_event_that_could_not_be_read_is_a_finding():
    event = Event(kind=EventKind.LIFECYCLE, door=Door.CLI, text="needle", faults=("too_deep",))
    assert ids(found(event, rule(patterns=("needle",)))) == ["INPUT-BOUND"]


def test_a_finding_carries_what_its_rule_says():
    (finding,) = found(text("a needle"), rule(patterns=("needle",), masks=True, detection_only=True)).findings
    assert (finding.rule_id, finding.title, finding.category) == ("R", "title of R", "secret")
    assert (finding.severity, finding.confidence, finding.tags) == (Severity.HIGH, 0.5, ("x",))
    assert (finding.masks, finding.detection_only) == (True, True)
    assert finding.evidence.reveal() == "needle"
    assert finding.because == "pattern in the prompt"


def test_evidence_is_short_and_on_one_line():
    (finding,) = found(text("a\n\tb" + "c" * 500), rule(patterns=(r"(?s)a.*",))).findings
    assert finding.evidence.reveal() == "a b" + "c" * 77


def test_the_reason_repeats_nothing_the_agent_wrote():
    condition = "commands.exists(c, c.operands.exists(o, o != ''))"
    (finding,) = found(
        call("./hunter2-tool hunter2"), rule(condition=condition, kinds=kinds_of("command"))
    ).findings
    assert "hunter2" not in finding.because
    assert finding.because == "a command"


# Masking


def test_a_masking_rule_reports_every_place():
    event = text(["key-1", {"b": "key-2 key-1"}], EventKind.TOOL_RESULT)
    detection = found(event, rule(patterns=(r"key-\d",), masks=True))
    places = [detection.scanned.text[span.start : span.end] for span in detection.spans]
    assert places == ["key-1", "key-2", "key-1"]
    assert {span.rule_id for span in detection.spans} == {"R"}


def test_a_rule_that_does_not_mask_leaves_no_span():
    assert found(text("needle"), rule(patterns=("needle",))).spans == ()


@pytest.mark.parametrize(
    ("content", "place"),
    [("an n\\u0065edle", "n\\u0065edle"), ("a n\u200beedle", "n\u200beedle"), ("\uff4eeedle", "\uff4eeedle")],
    ids=["escape", "invisible", "look-alike"],
)
def test_a_hidden_match_is_found_and_masked_where_it_stands(content, place):
    detection = found(text(content), rule(patterns=("needle",), masks=True))
    (span,) = detection.spans
    assert detection.scanned.text[span.start : span.end] == place
    assert detection.findings[0].because == "pattern in the prompt, escapes and look-alikes undone"


# Validation


def test_a_rejected_candidate_does_not_hide_a_later_one(monkeypatch):
    monkeypatch.setattr(engine, "VALIDATORS", {"odd": lambda match, whole, start, end: match.endswith("7")})
    odd = rule(patterns=(r"key-\d",), validate="odd")
    assert found(text("key-2 key-4 key-7"), odd).findings[0].evidence.reveal() == "key-7"
    assert ids(found(text("key-2 key-4"), odd)) == []


# Commands and program text


def test_patterns_over_commands_see_what_runs():
    some = rule(patterns=("^frobnicate --now",), on=Subject.COMMAND, kinds=kinds_of("command"))
    assert ids(found(call("X=frobnicate; sudo $X --now"), some)) == ["R"]
    assert ids(found(call("echo frobnicate --now"), some)) == []


def test_patterns_over_program_text():
    some = rule(patterns=("evil_call",), on=Subject.CODE, kinds=kinds_of("command"))
    assert ids(found(call("python3 -c 'evil_call()'"), some)) == ["R"]
    assert ids(found(call("grep evil_call src/x.py"), some)) == []
    write = {"file_path": "/home/dev/project/x.py", "content": "evil_call()"}
    event = Event(kind=EventKind.TOOL_CALL, door=Door.CLI, tool="Write", args=write, cwd="/home/dev/project")
    assert ids(found(event, some)) == ["R"]
    notes = Event(
        kind=EventKind.TOOL_CALL,
        door=Door.CLI,
        tool="Write",
        args={**write, "file_path": "/home/dev/project/x.md"},
        cwd="/home/dev/project",
    )
    assert ids(found(notes, some)) == []


def test_a_file_that_is_about_to_run_is_asked_for():
    asked = []

    def answer(need: Need) -> Snapshot:
        asked.append(need.path)
        return Snapshot(real_path=need.path, exists=True, kind="file", content=b"rm -rf /\n")

    detection = run(detect(call("bash build.sh"), DEFAULT, HOST), answer)
    assert asked == ["/home/dev/project/build.sh"]
    assert "CMD-RM-RF" in ids(detection)
    assert ids(run(detect(call("bash build.sh"), DEFAULT, HOST))) == []


# Bounds


@pytest.mark.parametrize("fault", ["too_large", "too_deep", "undecodable"])
@pytest.mark.parametrize(
    ("event", "severity"), [(call, Severity.HIGH), (text, Severity.MEDIUM)], ids=["tool call", "text"]
)
def test_what_the_door_could_not_take_in_is_a_finding(event, severity, fault):
    (finding,) = found(event("x", faults=(fault,))).findings
    assert (finding.rule_id, finding.severity, finding.because) == (INPUT_BOUND, severity, fault)


@pytest.mark.parametrize("issue", ["input_limit", "depth_limit", "fact_limit"])
def test_what_understanding_could_not_take_in_is_a_finding(monkeypatch, issue):
    monkeypatch.setattr(engine, "understand", understood(Facts(issues=(issue, "dynamic_word"))))
    (finding,) = found(call("x")).findings
    assert (finding.rule_id, finding.because) == (INPUT_BOUND, issue)


def test_other_issues_are_none():
    assert ids(found(call("$X; if"))) == []


def test_what_is_behind_a_bound_does_not_hide_what_is_before_it():
    detection = found(text("needle", faults=("too_large",)), rule(patterns=("needle",)))
    assert ids(detection) == ["R", INPUT_BOUND]


def test_padding_does_not_hide_anything():
    for padding in (300_000, 2_000_000):
        assert "CMD-RM-RF" in ids(run(detect(call("true " + "a" * padding + "\nrm -rf /"), DEFAULT, HOST)))


def test_too_deep_a_result_is_a_finding():
    deep = "x"
    for _ in range(300):
        deep = [deep]
    assert ids(found(text(deep, EventKind.TOOL_RESULT))) == [INPUT_BOUND]


# Faults


def understood(facts):
    def understand(event, host):
        return facts
        yield

    return understand


def crash(*args):
    raise KeyError("hunter2")


NEEDLE = rule("NEEDLE", patterns=("needle",))
ECHO = rule("ECHO", condition="commands.exists(c, c.program == 'echo')", kinds=kinds_of("command"))


@pytest.mark.parametrize(
    ("broken", "survivors", "lane"),
    [
        ("understand", ["NEEDLE"], "understanding"),
        ("without_previews", ["ECHO", "NEEDLE"], "judging the call"),
        ("_code", ["ECHO", "NEEDLE"], "code patterns"),
        ("subject", ["ECHO"], "text"),
        ("views", ["ECHO"], "text"),
    ],
)
def test_a_lane_that_fails_takes_no_other_with_it(monkeypatch, broken, survivors, lane):
    monkeypatch.setattr(engine, broken, crash)
    code = rule("CODE", patterns=("zzz",), on=Subject.CODE, kinds=kinds_of("command"))
    detection = found(call("echo needle"), NEEDLE, ECHO, code)
    assert ids(detection) == sorted([*survivors, INTERNAL_FAULT])
    (fault,) = [each for each in detection.findings if each.rule_id == INTERNAL_FAULT]
    assert (fault.severity, fault.because) == (Severity.HIGH, lane)


def test_a_condition_without_a_truth_value_is_a_fault(monkeypatch):
    rules = RuleSet([NEEDLE, ECHO])
    event = call("echo needle")
    facts = Facts(commands=(Command(id=1, program="echo"),))
    monkeypatch.setattr(engine, "understand", understood(facts))
    monkeypatch.setattr(rules.conditions.candidates(facts)[0], "_program", crash)
    detection = run(detect(event, rules, HOST))
    assert ids(detection) == [INTERNAL_FAULT, "NEEDLE"]


def test_a_validator_that_fails_is_a_fault_of_its_rule(monkeypatch):
    monkeypatch.setattr(engine, "VALIDATORS", {"broken": crash})
    detection = found(text("needle"), rule(patterns=("needle",), validate="broken"), NEEDLE)
    assert ids(detection) == [INTERNAL_FAULT, "NEEDLE"]
    assert detection.findings[0].because == "pattern of R"


def test_a_fault_says_nothing_of_the_content(monkeypatch):
    monkeypatch.setattr(engine, "understand", crash)
    assert "hunter2" not in repr(found(call("x")))


# Hostile input


@pytest.mark.parametrize(
    "args",
    [
        None,
        [],
        "",
        0,
        True,
        {"command": None},
        {"command": 7},
        {"command": ["rm", None, 3]},
        {"command": {"a": "b"}},
        {"command": "\ud800 \0 \ufffd"},
        {"\ud800": "\udfff"},
        {"command": "\x00"},
        {"command": "rm -rf '"},
        {"file_path": "\ud800/etc/shadow"},
    ],
    ids=repr,
)
@pytest.mark.parametrize("tool", ["Bash", "Write", "", "\ud800", "mcp__x__y"])
def test_no_argument_breaks_the_inspection(tool, args):
    event = Event(kind=EventKind.TOOL_CALL, door=Door.CLI, tool=tool, args=args, cwd="/home/dev/project")
    assert INTERNAL_FAULT not in ids(run(detect(event, DEFAULT, HOST)))


def test_a_surrogate_does_not_hide_what_stands_beside_it():
    assert ids(found(text("\ud800needle"), NEEDLE)) == ["NEEDLE"]
    assert "CMD-RM-RF" in ids(run(detect(call("echo \ud800; rm -rf /"), DEFAULT, HOST)))
