from importlib import resources

import pytest

from defenseclaw import packs
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
    (folder / category).mkdir(exist_ok=True)
    (folder / category / f"{name}.yaml").write_text(text)


def refusal(folder):
    with pytest.raises(PackError) as error:
        packs.load("default", [folder])
    return error.value.message


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


@pytest.mark.parametrize("pack", ["", "paranoid", "../default", "/etc", "default.yaml"])
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
        ("- a\n", ":1: a mapping is needed"),
        (GOOD + "---\nid: X\n", " is not one YAML document (line 11)"),
        ("id: [\n", " is not one YAML document (line"),
        (GOOD.replace("[mine]", "&t [mine]").replace("[a needle]", "*t"), "aliases are not allowed"),
        (GOOD.replace("MY-RULE", "OTHER"), ":1: OTHER: the file of this rule must be named other.yaml"),
        (GOOD + "aliases: [CMD-RM-RF]\n", "alias 'CMD-RM-RF' is taken"),
    ],
)  # fmt: skip
def test_errors_name_file_line_and_rule(folder, text, message):
    write(folder, text)
    said = refusal(folder)
    assert said.startswith("rules/mine/my-rule.yaml")
    assert message in said


def test_an_id_of_another_file_is_taken(folder):
    text = GOOD.replace("MY-RULE", "CMD-RM-RF")
    write(folder, text, name="cmd-rm-rf")
    assert refusal(folder) == "rules/mine/cmd-rm-rf.yaml:6: CMD-RM-RF: this id is taken"


def test_values_never_appear_in_errors_of_documents(folder):
    write(folder, "id: [hunter2-secret\n")
    assert "hunter2" not in refusal(folder)


def test_links_large_files_and_missing_folders_are_refused(folder, monkeypatch):
    write(folder, GOOD, name="target", category="other")
    (folder / "mine" / "my-rule.yaml").symlink_to(folder / "other" / "target.yaml")
    assert "symbolic link" in refusal(folder)
    (folder / "mine" / "my-rule.yaml").unlink()
    monkeypatch.setattr(packs, "MAX_FILE_BYTES", 1_000_000)
    write(folder, GOOD + "#" * 1_100_000)
    assert "larger than" in refusal(folder)
    assert "not found" in refusal(folder / "nowhere")


def test_the_store_keeps_the_last_good_pack(folder):
    write(folder, GOOD)
    store = packs.RuleStore([folder])
    good = store.current("default")
    write(folder, GOOD + "colour: red\n")
    with pytest.raises(PackError):
        store.reload("default")
    assert store.current("default") is good
    write(folder, GOOD.replace("HIGH", "LOW"))
    assert store.reload("default").digest != good.digest
    assert store.current("default").rules["MY-RULE"].severity is Severity.LOW


def test_a_store_without_a_good_pack_says_so(folder):
    write(folder, GOOD + "colour: red\n")
    with pytest.raises(PackError, match="unknown key"):
        packs.RuleStore([folder]).current("default")


@pytest.mark.parametrize("change", ["PATH-NOPE: {enabled: false}", "CMD-RM-RF: {title: x}"])
def test_an_overlay_is_as_strict(monkeypatch, tmp_path, change):
    overlays = tmp_path / "profiles"
    overlays.mkdir()
    (overlays / "default.yaml").write_text(f"rules:\n  {change}\n")
    monkeypatch.setattr(packs, "_packaged_folder", lambda: tmp_path)
    with pytest.raises(PackError, match=r"rules/profiles/default\.yaml:2"):
        packs._compile(packs._packaged_rules(), "default")


def test_an_overlay_switches_rules_off_and_changes_them(monkeypatch, tmp_path):
    overlays = tmp_path / "profiles"
    overlays.mkdir()
    text = "rules:\n  CMD-EVAL: {enabled: false}\n  CMD-RM-RF: {severity: LOW, confidence: 0.1}\n"
    (overlays / "default.yaml").write_text(text)
    rules = packs._packaged_rules()
    monkeypatch.setattr(packs, "_packaged_folder", lambda: tmp_path)
    changed = packs._compile(rules, "default")
    assert "CMD-EVAL" not in changed.rules
    assert (changed.rules["CMD-RM-RF"].severity, changed.rules["CMD-RM-RF"].confidence) == (Severity.LOW, 0.1)


def test_every_packaged_file_is_a_rule_or_a_profile():
    folder = resources.files("defenseclaw") / "rules"
    files = [file for category in folder.iterdir() if category.is_dir() for file in category.iterdir()]
    stems = {file.name.removesuffix(".yaml") for file in files}
    ids = {rule.lower().replace(".", "-").replace("_", "-") for rule in packs.load("strict").rules}
    assert stems == ids | {"default", "strict", "permissive"}
