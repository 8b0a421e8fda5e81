"""``defenseclaw rules``: list, show, test, validate."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.conftest import Machine
from tests.packed import write_overlay, write_rule, write_suppressions

BIN = Path(sys.executable).parent

GOOD = "kinds: [tool_call]\ncondition: commands.exists(c, c.program == 'needle')"


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """A pack with a rule whose examples hold."""
    file = write_rule(tmp_path / "acme", decides=GOOD)
    file.write_text(file.read_text().replace("[a needle]", "[needle x]"))
    return tmp_path / "acme"


# ---- list ------------------------------------------------------------------------------------------


def test_list_shows_what_comes_with_the_program(machine: Machine) -> None:
    listed = {each["id"]: each for each in machine.json("rules", "list")}
    assert listed["CMD-RM-RF"]["severity"] == "CRITICAL"
    assert listed["CMD-RM-RF"]["place"].startswith("rules/command/cmd-rm-rf.yaml:")
    assert listed["CMD-RM-RF"]["enabled"] is True
    assert listed["ENT-US-PHONE"]["enabled"] is False
    shown = machine.run("rules", "list").output
    assert "CMD-RM-RF" in shown
    assert f"{len(listed)} rules; profile default" in shown


def test_list_narrows_to_a_category(machine: Machine) -> None:
    listed = machine.json("rules", "list", "--category", "self-protection")
    assert {each["category"] for each in listed} == {"self-protection"}
    refused = machine.run("rules", "list", "--category", "nope", code=1)
    assert "no rule is in category nope" in refused.stderr
    assert "self-protection" in refused.stderr


def test_list_shows_a_pack_and_what_it_does(machine: Machine, pack: Path) -> None:
    write_overlay(pack, "rules:\n  CMD-EVAL: {enabled: false}\n  CMD-SUDO: {severity: LOW}\n")
    write_suppressions(pack, "{id: a, rules: [CMD-SUDO], reason: It is so, until: 2099-12-31}")
    listed = {each["id"]: each for each in machine.json("rules", "list", "--pack-dir", str(pack))}
    assert listed["MY-RULE"]["source"] == "pack"
    assert listed["CMD-EVAL"]["enabled"] is False
    assert listed["CMD-SUDO"]["changed_by"] == ["profiles/all.yaml:3"]
    assert listed["CMD-SUDO"]["suppressed_by"] == ["a"]
    shown = machine.run("rules", "list", "--rule-pack-dir", str(pack)).output
    (line,) = [line for line in shown.splitlines() if "CMD-SUDO" in line]
    assert "on, changed, suppressed" in line
    assert f"1 of them from {pack}" in shown


def test_list_uses_the_pack_that_is_configured(machine: Machine, pack: Path) -> None:
    machine.run("config", "set", "guardrail.connectors.codex.rule_pack_dir", f"{pack}/strict")
    assert "MY-RULE" not in {each["id"] for each in machine.json("rules", "list")}
    listed = {each["id"]: each for each in machine.json("rules", "list", "--connector", "codex")}
    assert "MY-RULE" in listed
    assert listed["ENT-US-PHONE"]["enabled"] is True


# ---- show ------------------------------------------------------------------------------------------


def test_show_tells_everything_about_a_rule(machine: Machine, pack: Path) -> None:
    write_overlay(pack, "rules:\n  MY-RULE: {severity: LOW}\n")
    write_suppressions(pack, "{id: a, rules: [MY-RULE], reason: It is so, until: 2020-12-31}")
    shown = machine.run("rules", "show", "my-rule", "--pack-dir", str(pack)).output
    for part in (
        "MY-RULE: A title",
        "LOW, confidence 0.5",
        "mine/my-rule.yaml:7",
        "commands.exists(c, c.program == 'needle')",
        "needle x",
        "hay",
        "profiles/all.yaml:2: severity LOW",
        "suppressed by a until 2020-12-31 (ended): It is so",
    ):
        assert part in shown
    told = machine.json("rules", "show", "MY-RULE", "--pack-dir", str(pack))
    assert (told["severity"], told["flags"], told["allows"]) == ("LOW", ["needle x"], ["hay"])
    assert told["suppressed_by"] == []
    assert told["suppressions"][0]["expired"] is True


@pytest.mark.parametrize("rule_id", ["SEC-GITHUB-TOKEN", "TRUST-DISREGARD", "CMD-RM-RF"])
def test_show_says_what_decides_whatever_it_is(machine: Machine, rule_id: str) -> None:
    shown = machine.run("rules", "show", rule_id).output
    decided = shown.partition("Decided by\n")[2].partition("\nFlagged")[0]
    assert decided.strip()


def test_show_names_the_nearest_of_a_misspelt_rule(machine: Machine) -> None:
    refused = machine.run("rules", "show", "CMD-RM-R", code=1)
    assert "no rule is named CMD-RM-R" in refused.stderr
    assert "did you mean CMD-RM-RF" in refused.stderr


# ---- test ------------------------------------------------------------------------------------------


def test_test_runs_the_examples_of_a_pack(machine: Machine, pack: Path) -> None:
    assert machine.run("rules", "test", str(pack)).output == "1 rule, 2 examples, all hold\n"
    assert machine.json("rules", "test", str(pack)) == {"ok": True, "rules": 1, "examples": 2, "failures": []}


def test_test_prints_what_does_not_hold(machine: Machine, pack: Path) -> None:
    file = write_rule(pack, "OTHER", GOOD)
    file.write_text(file.read_text().replace("[hay]", "[hay, sudo needle]"))
    failed = machine.run("rules", "test", str(pack), code=1).output
    assert "FAIL mine/other.yaml:7: OTHER is not flagged: a needle" in failed
    assert "FAIL mine/other.yaml:7: OTHER is flagged: sudo needle (found: " in failed
    assert failed.endswith("2 rules, 5 examples, 2 failed\n")
    told = machine.json("rules", "test", str(pack), code=1)
    assert [(each["rule"], each["kind"], each["example"]) for each in told["failures"]] == [
        ("OTHER", "flags", "a needle"),
        ("OTHER", "allows", "sudo needle"),
    ]


def test_test_takes_one_file_or_one_rule(machine: Machine, pack: Path) -> None:
    bad = write_rule(pack, "OTHER", GOOD)
    good = pack / "mine" / "my-rule.yaml"
    assert "1 rule, 2 examples, all hold" in machine.run("rules", "test", str(good)).output
    assert "1 failed" in machine.run("rules", "test", str(bad), code=1).output
    assert "all hold" in machine.run("rules", "test", str(pack), "--rule", "my-rule").output
    assert "no rule is named nope" in machine.run("rules", "test", "--rule", "nope", code=1).stderr


def test_a_rule_that_is_off_is_tested_all_the_same(machine: Machine, pack: Path) -> None:
    write_overlay(pack, "rules:\n  MY-RULE: {enabled: false}\n")
    assert "1 rule, 2 examples, all hold" in machine.run("rules", "test", str(pack)).output


def test_the_examples_of_every_packaged_rule_hold(machine: Machine) -> None:
    told = machine.json("rules", "test", "default")
    assert told["failures"] == []
    assert told["rules"] > 200


def test_test_refuses_a_pack_that_is_not_valid(machine: Machine, pack: Path) -> None:
    write_rule(pack, decides="colour: red")
    assert (
        "mine/my-rule.yaml:6: MY-RULE: unknown key" in machine.run("rules", "test", str(pack), code=1).stderr
    )


# ---- validate --------------------------------------------------------------------------------------


def test_validate_says_what_a_pack_holds(machine: Machine, pack: Path) -> None:
    write_overlay(pack, "rules:\n  CMD-EVAL: {enabled: false}\n")
    write_suppressions(
        pack,
        "{id: a, rules: [CMD-SUDO], reason: It is so, until: 2099-12-31, tool: Bash}",
        "{id: b, rules: [CMD-EVAL], reason: It was so, until: 2020-12-31, connector: nobody}",
    )
    said = machine.run("rules", "validate", str(pack))
    assert f"{pack}: valid, profile default" in said.stdout
    assert "1 of the pack's own, 1 change of rules" in said.stdout
    assert "holds" in said.stdout
    assert "suppressions.yaml:3: b ended 2020-12-31; its findings count again" in said.stderr
    assert "suppressions.yaml:3: b: no connector is named nobody" in said.stderr
    assert "suppressions.yaml:3: b: off anyway: CMD-EVAL" in said.stderr
    told = machine.json("rules", "validate", str(pack))
    assert (told["ok"], told["own_rules"], told["changes"], len(told["warnings"])) == (True, 1, 1, 3)
    assert [each["expired"] for each in told["suppressions"]] == [False, True]


def test_validate_names_every_problem(machine: Machine, pack: Path) -> None:
    write_rule(pack, "ONE", "colour: red")
    write_rule(pack, "TWO", "severity: HIGH")
    refused = machine.run("rules", "validate", str(pack), code=1)
    assert refused.stdout == ""
    assert "error: mine/one.yaml:6: ONE: unknown key 'colour'" in refused.stderr
    assert "error: mine/two.yaml:6: TWO: key 'severity' stands twice" in refused.stderr
    told = machine.json("rules", "validate", str(pack), code=1)
    assert told["ok"] is False
    assert [each.partition(" ")[0] for each in told["problems"]] == ["mine/one.yaml:6:", "mine/two.yaml:6:"]


def test_validate_of_what_is_not_there(machine: Machine, tmp_path: Path) -> None:
    assert "no such folder" in machine.run("rules", "validate", str(tmp_path / "nowhere"), code=1).stderr
    assert "default: valid" in machine.run("rules", "validate").output
    assert machine.run("rules", "validate", "a", "b", code=2).exit_code == 2


# ---- what else knows of packs ----------------------------------------------------------------------


def test_a_pack_is_configured_only_when_it_is_valid(machine: Machine, pack: Path) -> None:
    machine.run("config", "set", "guardrail.rule_pack_dir", str(pack))
    assert "MY-RULE" in {each["id"] for each in machine.json("rules", "list")}
    assert machine.json("explain", "needle x")["findings"][0]["rule_id"] == "MY-RULE"
    write_rule(pack, decides="colour: red")
    refused = machine.run(
        "config", "set", "guardrail.connectors.codex.rule_pack_dir", f"{pack}/strict", code=1
    )
    assert "mine/my-rule.yaml:6: MY-RULE: unknown key" in refused.stderr
    assert "unknown key" in machine.run("config", "validate", code=1).stderr


def test_doctor_names_suppressions_that_ended(machine: Machine, pack: Path) -> None:
    write_suppressions(pack, "{id: b, rules: [CMD-EVAL], reason: It was so, until: 2020-12-31}")
    machine.run("config", "set", "guardrail.rule_pack_dir", str(pack))
    rows = machine.json("doctor", code=None)["checks"]
    packed = {row["status"]: row for row in rows if row["label"].startswith("Rule pack")}
    assert f"1 of them in {pack}, 1 suppressions" in packed["pass"]["detail"]
    assert "suppression b ended 2020-12-31" in packed["warn"]["detail"]
    assert "suppressions.yaml:2" in packed["warn"]["mend"]


def test_doctor_names_a_pack_that_others_may_change(machine: Machine, pack: Path) -> None:
    machine.run("config", "set", "guardrail.rule_pack_dir", str(pack))

    def warned() -> list[str]:
        rows = machine.json("doctor", code=None)["checks"]
        return [
            row["mend"] for row in rows if row["label"].startswith("Rule pack") and row["status"] == "warn"
        ]

    for path in (pack, *pack.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    assert warned() == []
    (pack / "mine").chmod(0o777)
    assert warned() == [f"chmod -R go-w {pack}"]


def test_explain_tells_what_is_suppressed(machine: Machine, pack: Path) -> None:
    write_suppressions(pack, "{id: a, rules: [MY-RULE], reason: It is so, until: 2099-12-31}")
    told = machine.json("explain", "--rule-pack", str(pack), "needle x")
    assert told["raw_action"] == "allow"
    assert told["trail"][0] == "MY-RULE: suppressed by a until 2099-12-31: It is so"


def test_an_agent_that_changes_a_pack_is_stopped(machine: Machine, pack: Path) -> None:
    for command in (f"echo >> {pack}/suppressions.yaml", f"rm -r {pack}/mine", f"mv {pack} {pack}.old"):
        told = machine.json("explain", "--rule-pack", str(pack), command)
        assert any(each["rule_id"].startswith("SELF-PROTECT-") for each in told["findings"]), command
    assert (
        machine.json("explain", "--rule-pack", str(pack), f"cat {pack}/mine/my-rule.yaml")["findings"] == []
    )


def test_as_a_program_of_its_own(machine: Machine, pack: Path) -> None:
    """Relative paths, real exit codes, nothing but JSON on stdout."""
    env = {name: value for name, value in machine.env.items() if value is not None}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [BIN / "defenseclaw", "rules", *arguments],
            cwd=pack.parent,
            env=env,
            capture_output=True,
            text=True,
            timeout=60,
            stdin=subprocess.DEVNULL,
        )

    done = run("test", "acme", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["ok"] is True
    assert run("validate", f".{os.sep}acme").returncode == 0
    write_rule(pack, decides="colour: red")
    refused = run("validate", "acme")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("error: mine/my-rule.yaml:6: MY-RULE: unknown key 'colour'")
