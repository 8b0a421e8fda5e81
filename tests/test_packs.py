from importlib import resources

import pytest

from defenseclaw import packs
from defenseclaw.config.load import profile_of
from defenseclaw.detection.ruleset import EXAMPLE_CWD, Subject
from defenseclaw.errors import PackError
from defenseclaw.vocabulary import EventKind, Severity

GOOD = """\
id: MY-RULE
title: A title
severity: HIGH
confidence: 0.5
tags: [mine]
pattern: needle
flags: [a needle]
allows: [hay]
why: It stings.
fix: Use a thimble.
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "mine").mkdir()
    return tmp_path


def write(folder, text, name="my-rule", category="mine"):
    (folder / category).mkdir(parents=True, exist_ok=True)
    (folder / category / f"{name}.yaml").write_text(text)


def refusal(folder):
    with pytest.raises(packs.InvalidPack) as error:
        packs.load(str(folder))
    (problem,) = error.value.problems
    return problem


@pytest.mark.parametrize("pack", ["default", "strict", "permissive"])
def test_the_packaged_packs_load(pack):
    assert len(packs.load(pack)) > 60


def test_a_packaged_pack_is_compiled_once():
    assert packs.load("default") is packs.load("default")


def test_packs_differ_by_their_overlay_only():
    default, strict = packs.load("default"), packs.load("strict")
    assert default.rules["PATH-ETC-PASSWD"].confidence == 0.85
    assert strict.rules["PATH-ETC-PASSWD"].confidence == 0.90
    assert default.digest != strict.digest
    assert default.rules.keys() < strict.rules.keys()


def test_an_alias_is_the_pack_itself():
    assert packs.load("balanced") is packs.load("default")


@pytest.mark.parametrize(
    "pack", ["", "paranoid", "/nowhere/default", "/etc/hosts", "~nobody-here/x", "default.yaml"]
)
def test_an_unknown_pack_is_refused(pack):
    with pytest.raises(PackError, match="unknown rule pack") as error:
        packs.load(pack)
    assert "default, strict, permissive" in error.value.hint


def test_further_folders_add_rules(folder):
    write(folder, GOOD)
    rules = packs.load("default", [folder])
    mine = rules.rules["MY-RULE"]
    assert (mine.category, mine.severity, mine.confidence) == ("mine", Severity.HIGH, 0.5)
    assert (mine.on, mine.patterns, mine.tags) == (Subject.TEXT, ("needle",), ("mine",))
    assert "CMD-RM-RF" in rules.rules


def test_the_key_on_is_a_key(folder):
    write(folder, GOOD + "on: code\n")
    assert packs.load("default", [folder]).rules["MY-RULE"].on is Subject.CODE


def test_examples_are_commands_texts_or_mappings(folder):
    examples = """\
kinds: [tool_call, prompt]
flags:
  - plain
  - {command: ls, cwd: /srv}
  - {tool: Read, args: {file_path: x, limit: 3}}
  - {text: body, kind: tool_result}
"""
    write(folder, GOOD.replace("flags: [a needle]\n", examples))
    plain, command, read, result = packs.load("default", [folder]).rules["MY-RULE"].flags
    assert (plain.kind, plain.text) == (EventKind.PROMPT, "plain")
    assert (command.tool, command.args, command.cwd) == ("Bash", {"command": "ls"}, "/srv")
    assert (read.kind, read.args, read.cwd) == (
        EventKind.TOOL_CALL,
        {"file_path": "x", "limit": 3},
        EXAMPLE_CWD,
    )
    assert (result.kind, result.text) == (EventKind.TOOL_RESULT, "body")


def test_examples_of_tool_call_rules_are_shell_commands(folder):
    write(folder, GOOD, category="command")
    (flag,) = packs.load("default", [folder]).rules["MY-RULE"].flags
    assert (flag.kind, flag.tool, flag.args) == (EventKind.TOOL_CALL, "Bash", {"command": "a needle"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # what decides
        (GOOD.replace("pattern: needle\n", ""), ":1: MY-RULE: needs a condition or a pattern"),
        (GOOD.replace("needle\n", "'('\n", 1), ":6: MY-RULE: pattern is not RE2"),
        (GOOD + "kinds: [tool_call]\ncondition: nope == 1\n", ":12: MY-RULE: condition: unknown name 'nope'"),
        (GOOD + "condition: tool == 'x'\n", ":11: MY-RULE: a condition is about tool calls only"),
        (GOOD + "validate: nobody\n", ":11: MY-RULE: no validator is named 'nobody'"),
        (GOOD + "patterns: [x]\n", ":11: MY-RULE: give either pattern or patterns"),
        # keys
        (GOOD + "colour: red\n", ":11: MY-RULE: unknown key 'colour'"),
        (GOOD + "kind: [prompt]\n", ":11: MY-RULE: unknown key 'kind'; did you mean 'kinds'?"),
        (GOOD + "title: again\n", ":11: MY-RULE: key 'title' stands twice"),
        (GOOD.replace("why: It stings.\n", ""), ":1: MY-RULE: missing: why"),
        (GOOD.replace("id: MY-RULE\n", ""), ":1: missing: id"),
        # values: nothing is coerced
        (GOOD.replace("severity: HIGH", "severity: high"), ":3: MY-RULE: 'high' is not one of LOW"),
        (GOOD.replace("severity: HIGH", "severity: NONE"), ":3: MY-RULE: 'NONE' is not one of LOW"),
        (GOOD.replace("0.5", "'0.5'"), ":4: MY-RULE: a number is needed"),
        (GOOD.replace("0.5", "1.5"), ":4: MY-RULE: must lie between 0 and 1"),
        (GOOD.replace("0.5", ".nan"), ":4: MY-RULE: a plain decimal number is needed"),
        (GOOD.replace("A title", "3"), ":2: MY-RULE: a string is needed"),
        (GOOD.replace("A title", "'  '"), ":2: MY-RULE: must not be blank"),
        (GOOD.replace("[mine]", "mine"), ":5: MY-RULE: a list with at least one entry"),
        (GOOD.replace("[mine]", "[]"), ":5: MY-RULE: a list with at least one entry"),
        (GOOD.replace("[mine]", "[a, a]"), ":5: MY-RULE: an entry stands twice"),
        (GOOD.replace("[hay]", "[hay, hay]"), ":8: MY-RULE: an example stands twice"),
        (GOOD + "masks: yes\n", ":11: MY-RULE: true or false is needed"),
        (GOOD + "kinds: [dream]\n", ":11: MY-RULE: 'dream' is not one of"),
        (GOOD + "on: air\n", ":11: MY-RULE: 'air' is not one of"),
        # documents
        ("", " is empty"),
        ("# nothing\n", " is empty"),
        ("- a\n", ":1: a mapping is needed"),
        (GOOD + "---\nid: X\n", " is not one YAML document (line 11)"),
        ("id: [\n", " is not one YAML document (line"),
        (GOOD.replace("[mine]", "&t [mine]").replace("[a needle]", "*t"), "aliases are not allowed (line 5)"),
        (GOOD.replace("MY-RULE", "OTHER"), ":1: OTHER: the file of this rule must be named other.yaml"),
        (GOOD + "aliases: [CMD-RM-RF]\n", "alias 'CMD-RM-RF' is taken"),
        (GOOD + "aliases: ['no id']\n", ":11: MY-RULE: 'no id' is no id"),
        (GOOD.replace("MY-RULE", "'MY RULE'"), ":1: an id has letters, digits"),
        (GOOD.replace("MY-RULE", "[MY-RULE]"), ":1: a string is needed"),
        # examples are what they say
        (GOOD.replace("[hay]", "[3]"), ":8: MY-RULE: a string is needed"),
        (GOOD.replace("[hay]", "[{cwd: /x}]"), ":8: MY-RULE: an example has a command"),
        (GOOD.replace("[hay]", "[{text: a, files: [b]}]"), ":8: MY-RULE: a mapping is needed"),
        (GOOD.replace("[hay]", "[{text: a, files: {b: 1}}]"), ":8: MY-RULE: files are texts"),
        (GOOD.replace("[hay]", "[{tool: a, args: {b: 2031-01-01}}]"), ":8: MY-RULE: '2031-01-01' is no JSON"),
        (GOOD.replace("[hay]", "[{tool: a, args: {b: off}}]"), ":8: MY-RULE: 'off' is no JSON value"),
        (GOOD.replace("[hay]", "[{tool: a, args: !!binary aGk=}]"), ":8: MY-RULE: 'aGk=' is no JSON value"),
        (GOOD.replace("[hay]", "[!!python/name:os.system '']"), ":8: MY-RULE: a string is needed"),
        # bounds
        (GOOD.replace("A title", "t" * 201), ":2: MY-RULE: longer than 200 characters"),
        (GOOD.replace("A title", '"a\\nb"'), ":2: MY-RULE: must be one line of printable characters"),
        (GOOD.replace("[hay]", "[" * 17 + "]" * 17), ": nested deeper than 16 (line 8)"),
        (GOOD.replace("[hay]", f"[{', '.join(map(str, range(20_000)))}]"), "more than 20000 values (line 8)"),
        (GOOD.replace("hay", "h" * 1_048_576), ": larger than 1048576 bytes"),
    ],
)  # fmt: skip
def test_errors_name_file_line_and_rule(folder, text, message):
    write(folder, text)
    said = refusal(folder)
    assert said.startswith("mine/my-rule.yaml")
    assert message in said


def test_an_id_of_another_file_is_taken(folder):
    text = GOOD.replace("MY-RULE", "CMD-RM-RF")
    write(folder, text, name="cmd-rm-rf")
    said = refusal(folder)
    taken = "mine/cmd-rm-rf.yaml:6: CMD-RM-RF: this id is taken (rules/command/cmd-rm-rf.yaml:"
    assert said.startswith(taken)


def test_values_never_appear_in_errors_of_documents(folder):
    write(folder, "id: [hunter2-secret\n")
    assert "hunter2" not in refusal(folder)


def test_every_packaged_file_is_a_rule_or_a_profile():
    folder = resources.files("defenseclaw") / "rules"
    files = [file for category in folder.iterdir() if category.is_dir() for file in category.iterdir()]
    stems = {file.name.removesuffix(".yaml") for file in files}
    rules = packs.load("strict")
    names = {*rules.rules, *rules.chains.steps, "default", "strict", "permissive"}
    assert stems == {name.lower().replace(".", "-").replace("_", "-") for name in names}


@pytest.mark.parametrize(
    ("below", "profile"),
    [
        ("acme", "default"),
        ("strict", "strict"),
        ("Permissive", "permissive"),
        ("balanced", "default"),
        # one pack in another profile
        ("acme/strict", "strict"),
        ("acme/default", "default"),
    ],
)
def test_the_last_part_of_a_path_names_the_profile(tmp_path, below, profile):
    for name in ("acme", "strict", "Permissive", "balanced"):
        (tmp_path / name).mkdir()
    path = str(tmp_path / below)
    named = packs.resolve(path)
    assert named.profile == profile == profile_of(path)
    assert named.folder == tmp_path / below.partition("/")[0]


def test_a_tilde_is_the_home_directory(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path / "acme", GOOD)
    assert "MY-RULE" in packs.load("~/acme").rules


@pytest.mark.parametrize("pack", ["./acme", "acme/strict", "../acme"])
def test_a_path_that_depends_on_where_one_stands_is_refused(pack):
    with pytest.raises(PackError, match="not an absolute path") as error:
        packs.load(pack)
    assert error.value.hint.startswith("write /")
