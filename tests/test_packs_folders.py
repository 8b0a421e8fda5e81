"""Packs of operators: what may lie in them, what they change, what is refused."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path

import pytest
from tests.packed import write_overlay, write_rule, write_suppressions

from defenseclaw import packs
from defenseclaw.errors import PackError
from defenseclaw.packs import folder as folders
from defenseclaw.packs import loading
from defenseclaw.packs.examples import failures
from defenseclaw.vocabulary import Severity


@pytest.fixture
def pack(tmp_path):
    return tmp_path / "acme"


def problems(pack):
    with pytest.raises(packs.InvalidPack) as error:
        packs.load_pack(str(pack))
    return list(error.value.problems)


# ---- what lies in a pack ---------------------------------------------------------------------------


def test_a_pack_adds_to_the_rules_that_come_with_the_program(pack):
    write_rule(pack)
    loaded = packs.load_pack(str(pack))
    assert loaded.own == {"MY-RULE"}
    assert loaded.places["MY-RULE"] == "mine/my-rule.yaml:6"
    assert loaded.rules.rules.keys() == packs.load("default").rules.keys() | {"MY-RULE"}
    assert loaded.folder == pack


def test_other_and_hidden_files_are_not_looked_at(pack):
    write_rule(pack)
    (pack / "README.md").write_text("- not: [yaml")
    (pack / "docs" / "pictures").mkdir(parents=True)
    (pack / ".git" / "x").mkdir(parents=True)
    (pack / ".git" / "x" / "config.yaml").write_text("[")
    (pack / "mine" / ".my-rule.yaml.swp").write_text("[")
    (pack / "mine" / "test.py").write_text("")
    assert packs.load_pack(str(pack)).own == {"MY-RULE"}


@pytest.mark.parametrize(
    ("place", "problem"),
    [
        ("my-rule.yaml", "rules lie in <category>/<rule-id>.yaml; at the top only suppressions.yaml"),
        ("mine/deeper/my-rule.yaml", "rules lie in <category>/, not deeper"),
        ("mine/my-rule.yml", "must end in .yaml"),
        ("mine/my-rule.YAML", "must end in .yaml"),
        ("Mine/my-rule.yaml", "a category has small letters"),
        ("profiles/acme.yaml", "profiles are all.yaml, default.yaml, permissive.yaml, strict.yaml"),
        ("steps/mine.yaml", "steps of chains come with the program"),
    ],
)
def test_a_file_that_would_not_count_is_refused(pack, place, problem):
    write_rule(pack)
    file = pack / place
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text((pack / "mine" / "my-rule.yaml").read_text())
    assert any(problem in each for each in problems(pack)), problems(pack)


def test_links_are_refused_wherever_they_are(pack, tmp_path):
    elsewhere = write_rule(tmp_path / "elsewhere", "OTHER")
    write_rule(pack)
    (pack / "mine" / "other.yaml").symlink_to(elsewhere)
    (pack / "theirs").symlink_to(elsewhere.parent)
    (pack / "suppressions.yaml").symlink_to(elsewhere)
    said = problems(pack)
    for label in ("mine/other.yaml", "suppressions.yaml", "theirs"):
        assert f"{label}: is a symbolic link" in said


def test_the_pack_itself_may_be_reached_through_a_link(pack, tmp_path):
    write_rule(pack)
    (tmp_path / "current").symlink_to(pack)
    assert packs.load_pack(str(tmp_path / "current")).own == {"MY-RULE"}


def test_what_is_no_file_is_never_waited_for(pack):
    write_rule(pack)
    os.mkfifo(pack / "mine" / "pipe.yaml")
    (pack / "mine" / "folder.yaml").mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        before = os.getcwd()
        os.chdir(pack / "mine")  # the path of a socket is short
        try:
            listening.bind("socket.yaml")
        finally:
            os.chdir(before)
        said = problems(pack)
    assert "mine/pipe.yaml: is not a regular file" in said
    assert any(each.startswith("mine/socket.yaml: cannot be read") for each in said)


@pytest.mark.parametrize(
    ("bound", "value", "problem"),
    [
        ("MAX_ENTRIES", 3, "more than 3 files and folders"),
        ("MAX_FILES", 1, "more than 1 YAML files"),
        ("MAX_TOTAL_BYTES", 200, "mine/rule-1.yaml: more than 200 bytes in all"),
    ],
)
def test_too_much_is_refused(pack, monkeypatch, bound, value, problem):
    for number in range(4):
        write_rule(pack, f"RULE-{number}")
    monkeypatch.setattr(folders, bound, value)
    assert problem in problems(pack)


def test_an_empty_pack_is_a_mistake(pack):
    pack.mkdir()
    assert problems(pack) == ["holds no rules, no profiles and no suppressions"]


def test_a_pack_that_is_not_there_is_named(pack):
    with pytest.raises(PackError, match="acme: no such folder"):
        packs.load(str(pack))


def test_every_problem_is_told_at_once(pack):
    write_rule(pack, "ONE", "pattern: '('")
    write_rule(pack, "TWO", "condition: nope")
    write_rule(pack, "THREE", "colour: red")
    write_overlay(pack, "rules:\n  NOBODY: {enabled: false}\n")
    write_suppressions(pack, "{id: x}")
    with pytest.raises(packs.InvalidPack) as error:
        packs.load(str(pack))
    assert len(error.value.problems) == 4
    assert error.value.message.startswith(f"rule pack {pack}: mine/three.yaml:6: THREE: unknown key 'colour'")
    assert error.value.message.endswith("(and 3 more)")
    # what cannot be compiled is told once everything can be read
    for place in ("mine/three.yaml", "profiles/all.yaml", "suppressions.yaml"):
        (pack / place).unlink()
    write_rule(pack, "TWO", "kinds: [tool_call]\ncondition: nope")
    said = problems(pack)
    assert said == ["mine/two.yaml:7: TWO: condition: unknown name 'nope'"]
    write_rule(pack, "TWO", "pattern: '[z-a]'")
    assert [each.partition(" pattern")[0] for each in problems(pack)] == [
        "mine/one.yaml:6: ONE:",
        "mine/two.yaml:6: TWO:",
    ]


def test_a_name_that_no_terminal_should_see_is_shown_harmless(pack):
    write_rule(pack)
    (pack / "mine" / "a\nb\x1b[31m.yaml").write_text("[")
    (pack / "mine" / os.fsdecode(b"c\xff.yaml")).write_text("[")
    for said in problems(pack):
        assert said.isprintable()
        said.encode()


# ---- overlays --------------------------------------------------------------------------------------


def test_an_overlay_changes_rules_switches_off_and_on(pack):
    write_overlay(
        pack,
        "rules:\n  CMD-RM-RF: {severity: LOW, confidence: 0.1}\n  CMD-EVAL: {enabled: false}\n"
        "  ENT-US-PHONE: {enabled: true}\n",
    )
    loaded = packs.load_pack(str(pack))
    changed = loaded.rules.rules["CMD-RM-RF"]
    assert (changed.severity, changed.confidence) == (Severity.LOW, 0.1)
    assert "CMD-EVAL" not in loaded.rules.rules
    assert "CMD-EVAL" in loaded.catalogue
    assert "ENT-US-PHONE" in loaded.rules.rules
    assert [change.place for change in loaded.changes] == [f"profiles/all.yaml:{line}" for line in (2, 3, 4)]
    assert packs.load("default").rules["CMD-RM-RF"].severity is Severity.CRITICAL


def test_the_overlay_of_a_profile_lies_over_that_of_all(pack):
    write_overlay(
        pack, "rules:\n  CMD-EVAL: {severity: LOW, confidence: 0.2}\n  CMD-SUDO: {enabled: false}\n"
    )
    write_overlay(pack, "rules:\n  CMD-EVAL: {severity: CRITICAL}\n  CMD-SUDO: {enabled: true}\n", "strict")
    strict = packs.load(f"{pack}/strict").rules
    assert (strict["CMD-EVAL"].severity, strict["CMD-EVAL"].confidence) == (Severity.CRITICAL, 0.2)
    assert strict["PATH-ETC-PASSWD"].confidence == 0.90  # the packaged overlay of that profile
    assert "CMD-SUDO" in strict
    default = packs.load(str(pack)).rules
    assert default["CMD-EVAL"].severity is Severity.LOW
    assert "CMD-SUDO" not in default


def test_a_rule_of_the_pack_itself_can_be_off_in_a_profile(pack):
    write_rule(pack)
    write_overlay(pack, "rules:\n  MY-RULE: {enabled: false}\n", "permissive")
    assert "MY-RULE" in packs.load(str(pack)).rules
    assert "MY-RULE" not in packs.load(f"{pack}/permissive").rules


def test_a_rule_that_is_off_must_still_be_right(pack):
    write_rule(pack, "MY-RULE", "pattern: '('")
    write_overlay(pack, "rules:\n  MY-RULE: {enabled: false}\n")
    assert problems(pack)[0].startswith("mine/my-rule.yaml:6: MY-RULE: pattern is not RE2")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("rules:\n  PATH-NOPE: {enabled: false}\n", ":2: no rule is named 'PATH-NOPE'"),
        ("rules:\n  CMD-RM-RF: {title: x}\n", ":2: unknown key 'title'; known are confidence, enabled"),
        ("rules:\n  CMD-RM-RF: {enabled: 'false'}\n", ":2: true or false is needed"),
        ("rules:\n  CMD-RM-RF: {enabled: no}\n", ":2: true or false is needed"),
        ("rules:\n  CMD-RM-RF: {severity: NONE}\n", ":2: 'NONE' is not one of LOW"),
        ("rules:\n  CMD-RM-RF: {confidence: 2}\n", ":2: must lie between 0 and 1"),
        ("rules:\n  CMD-RM-RF: off\n", ":2: a mapping is needed"),
        ("rules: [CMD-RM-RF]\n", ":1: a mapping is needed"),
        ("rule:\n  CMD-RM-RF: {enabled: false}\n", ":1: unknown key 'rule'"),
        ("rules:\n  INPUT-BOUND: {enabled: false}\n", ":2: no rule is named 'INPUT-BOUND'"),
        ("rules:\n  SELF-PROTECT-DATA: {enabled: false}\n", ":2: SELF-PROTECT-DATA protects DefenseClaw"),
        ("rules:\n  SELF-PROTECT-CLI: {severity: LOW}\n", ":2: SELF-PROTECT-CLI protects DefenseClaw itself"),
        ("rules:\n  SELF-PROTECT-API: {}\n", ":2: SELF-PROTECT-API protects DefenseClaw itself"),
    ],
)  # fmt: skip
def test_an_overlay_is_as_strict_as_a_rule(pack, text, problem):
    write_overlay(pack, text)
    (said,) = problems(pack)
    assert said.startswith("profiles/all.yaml")
    assert problem in said


def test_the_form_of_an_overlay_is_judged_in_every_profile(pack):
    write_rule(pack)
    write_overlay(pack, "rules:\n  CMD-RM-RF: {title: x}\n", "strict")
    assert "profiles/strict.yaml:2" in problems(pack)[0]


# ---- suppressions ----------------------------------------------------------------------------------

ENTRY = "{id: a, rules: [CMD-SUDO], reason: It is so, until: 2031-06-30}"


def test_suppressions_are_read_with_their_scope(pack, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_suppressions(
        pack,
        f"{{id: a, rules: [CMD-SUDO, SYS-POWER-OFF], reason: It is so, until: 2031-06-30, connector: codex,"
        f" tool: 'mcp__x__*', path: {tmp_path}/link}}",
        "{id: b, rules: [CMD-SUDO], reason: It is so, until: '2031-06-30T12:00:00+02:00'}",
    )
    first, second = packs.load_pack(str(pack)).suppressions.entries
    assert (first.rules, first.connector, first.tool) == (("CMD-SUDO", "SYS-POWER-OFF"), "codex", "mcp__x__*")
    assert first.path == str(tmp_path / "real")
    assert (first.until, first.ends_at) == ("2031-06-30", "2031-07-01T00:00:00.000000Z")
    assert second.ends_at == "2031-06-30T10:00:00.000000Z"
    assert (first.place, second.place) == ("suppressions.yaml:2", "suppressions.yaml:3")


def test_an_alias_names_its_rule(pack):
    write_rule(pack, "MY-RULE", "pattern: needle\naliases: [OLD-NAME]")
    write_suppressions(pack, ENTRY.replace("CMD-SUDO", "OLD-NAME, MY-RULE"))
    (entry,) = packs.load_pack(str(pack)).suppressions.entries
    assert entry.rules == ("MY-RULE",)


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        # what must be there
        (ENTRY.replace("reason: It is so, ", ""), ":2: missing: reason"),
        (ENTRY.replace(", until: 2031-06-30", ""), ":2: missing: until"),
        ("CMD-SUDO", ":2: a mapping is needed"),
        (ENTRY.replace("id: a", "id: 'a b'"), ":2: an id has letters"),
        (ENTRY.replace("until", "till"), ":2: unknown key 'till'; did you mean 'until'?"),
        (ENTRY.replace("It is so", "''"), ":2: must not be blank"),
        (ENTRY.replace("It is so", "r" * 201), ":2: longer than 200 characters"),
        (ENTRY.replace("It is so", '"a\\nb"'), ":2: must be one line of printable characters"),
        # rules
        (ENTRY.replace("CMD-SUDO", "CMD-SUDOO"), ":2: no rule is named 'CMD-SUDOO'"),
        (ENTRY.replace("[CMD-SUDO]", "CMD-SUDO"), ":2: a list with at least one entry"),
        (ENTRY.replace("[CMD-SUDO]", "['*']"), ":2: no rule is named '*'"),
        (ENTRY.replace("CMD-SUDO", "SELF-PROTECT-DATA"), ":2: SELF-PROTECT-DATA cannot be suppressed"),
        (ENTRY.replace("CMD-SUDO", "INPUT-BOUND"), ":2: INPUT-BOUND cannot be suppressed"),
        (ENTRY.replace("CMD-SUDO", "INTERNAL-FAULT"), ":2: INTERNAL-FAULT cannot be suppressed"),
        # ends
        (ENTRY.replace("2031-06-30", "never"), ":2: is a day (2031-12-31"),
        (ENTRY.replace("2031-06-30", "2031-06-31"), ":2: is a day"),
        (ENTRY.replace("2031-06-30", "9999-12-31"), ":2: is a day"),
        (ENTRY.replace("2031-06-30", "2031-06-30T12:00:00"), ":2: is a day"),
        (ENTRY.replace("2031-06-30", "[2031-06-30]"), ":2: is a day"),
        (ENTRY.replace("2031-06-30", "20310630"), ":2: is a day"),
        # scopes
        (ENTRY.replace("}", ", path: scratch}"), ":2: a path is absolute or begins with ~/"),
        (ENTRY.replace("}", ", path: /}"), ":2: a path that holds everything"),
        (ENTRY.replace("}", ", path: /tmp/..}"), ":2: a path that holds everything"),
        (ENTRY.replace("}", ", tool: '*'}"), ":2: a tool is named in full"),
        (ENTRY.replace("}", ", tool: 'a*b'}"), ":2: a tool is named in full"),
        (ENTRY.replace("}", ", connector: 3}"), ":2: a string is needed"),
    ],
)
def test_a_suppression_is_complete_or_refused(pack, entry, problem):
    write_suppressions(pack, entry)
    (said,) = problems(pack)
    assert said.startswith("suppressions.yaml")
    assert problem in said


def test_an_id_stands_once(pack):
    write_suppressions(pack, ENTRY, ENTRY)
    assert problems(pack) == ["suppressions.yaml:3: the id a is taken (suppressions.yaml:2)"]


# ---- the pack that the documentation builds ---------------------------------------------------------

WRITING = Path(__file__).resolve().parents[1] / "docs" / "writing-rules.md"


def test_the_pack_of_the_documentation_is_valid_and_its_examples_hold(pack):
    blocks = re.findall(r"^```yaml\n(.*?)^```$", WRITING.read_text(), re.MULTILINE | re.DOTALL)
    for place, begins in (
        ("command/acme-publish.yaml", "id: ACME-PUBLISH\n"),
        ("profiles/all.yaml", "rules:\n"),
        ("suppressions.yaml", "suppressions:\n"),
    ):
        (content,) = [block for block in blocks if block.startswith(begins)]
        (pack / place).parent.mkdir(parents=True, exist_ok=True)
        (pack / place).write_text(content)
    loaded = packs.load_pack(str(pack))
    assert (len(loaded.own), len(loaded.changes), len(loaded.suppressions)) == (1, 3, 1)
    assert failures(loaded.catalogue["ACME-PUBLISH"], packs.everything_on(loaded)) == []


# ---- conditions of operators -----------------------------------------------------------------------


def exists(body):
    return f"commands.exists(c, {body})"


MATCHES = " || ".join(f"p.value.matches('a{number}.*b')" for number in range(200))
HOSTILE = {
    "regex for each pair": (
        exists(f"paths.exists(p, {MATCHES})"),
        "matches in an exists inside another; begin the inner one with what joins the two",
    ),
    "regex before what joins": (
        exists("paths.exists(p, p.value.matches('a') && p.command == c.id)"),
        "matches in an exists inside another",
    ),
    "regex beside what joins": (
        exists("paths.exists(p, p.command == c.id || p.value.matches('a'))"),
        "matches in an exists inside another",
    ),
    "joined by what is not unique": (
        exists("commands.exists(d, d.pipeline == c.pipeline && d.text.contains('a'))"),
        "contains in an exists inside another",
    ),
    "text of the outer for each inner": (
        exists("paths.exists(p, p.command == c.id && c.code.contains('a'))"),
        "contains of c belongs outside of exists(p, …)",
    ),
    "words among words": (
        exists("c.argv.exists(a, a in c.operands)"),
        "in operands of c belongs outside of exists(a, …)",
    ),
    "words of every other command": (
        exists("commands.exists(d, 'x' in d.argv)"),
        "in argv in an exists inside another",
    ),
    "text of the call for each path": (
        "paths.exists(p, cwd.matches('(a|b)*c'))",
        "matches of the call belongs outside of exists(p, …)",
    ),
    "very many patterns": (f"paths.exists(p, {MATCHES})", "too much work on a large call"),
    "many patterns joined": (
        exists(f"paths.exists(p, p.command == c.id && ({MATCHES}))"),
        "too much work on a large call",
    ),
    "three levels": (
        exists("paths.exists(p, network.exists(n, n.command == c.id))"),
        "more than 2 levels of exists",
    ),
    "more lists than CEL looks at": (
        " || ".join(f"paths.exists(p, p.value == '{number}')" for number in range(33)),
        "more than 32 times exists",
    ),
    "brackets without end": ("(" * 65 + "tool == 'x'" + ")" * 65, "nested deeper than 64"),
    "negation without end": ("!" * 70 + "(tool == 'x')", "nested deeper than 64"),
    "too long": ("tool == 'x' || " * 1200 + "tool == 'y'", "longer than 16384 characters"),
    "a macro that is not there": ("commands.all(c, c.program == 'rm')", "function 'all' is not available"),
    "a map": ("commands.map(c, c.argv)", "function 'map' is not available"),
    "a function": ("commands.size() == 4", "function 'size' is not available"),
    "arithmetic": ("1 + 1 == 2", "cannot read '+ 1 == 2'"),
    "an order": ("network.exists(n, n.port > 1024)", "cannot read '> 1024)'"),
    "a pattern that is none": ("tool.matches('(')", "the pattern of matches is not valid RE2"),
    "a long pattern": (f"tool.matches('{'a' * 513}')", "pattern longer than 512 bytes"),
    "another type": ("paths.exists(p, p.command == 'rm')", "cannot compare int with str"),
    "no truth value": ("commands", "a truth value is needed"),
}


@pytest.mark.parametrize(("condition", "problem"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_condition_is_refused_by_name(pack, condition, problem):
    write_rule(pack, "MY-RULE", f"kinds: [tool_call]\ncondition: >-\n  {condition}")
    (said,) = problems(pack)
    assert said.startswith("mine/my-rule.yaml:7: MY-RULE: condition: ")
    assert problem in said


def test_conditions_are_bounded_together(pack, monkeypatch):
    costly = "paths.exists(p, " + " || ".join(f"p.value.matches('a{each}.*b')" for each in range(40)) + ")"
    for number in range(4):
        write_rule(pack, f"RULE-{number}", f"kinds: [tool_call]\ncondition: >-\n  {costly}")
    assert problems(pack)[0].startswith("the conditions together: too much work on a large call (5,")
    monkeypatch.setattr(loading, "MAX_CONDITIONS", 3)
    assert problems(pack) == ["more than 3 rules with conditions"]


@pytest.mark.parametrize("decides", ["pattern: '{}'", "signals: [claims authority]\nwording: '{}'"])
def test_a_pattern_that_takes_much_memory_is_refused(pack, decides):
    write_rule(pack, "MY-RULE", decides.replace("{}", r"(\pL{1,100}){1,10}"))
    assert problems(pack) == ["mine/my-rule.yaml:6: MY-RULE: pattern needs too much memory"]
