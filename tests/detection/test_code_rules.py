"""Rules about code: their examples, the tools that write, what weighs and what is only noted."""

import pytest

from defenseclaw import packs
from defenseclaw.detection.code import CHECKS
from defenseclaw.detection.engine import detect, run
from defenseclaw.detection.ruleset import INTERNAL_FAULT
from defenseclaw.inspection import judge
from defenseclaw.packs.examples import found_in
from defenseclaw.vocabulary import (
    Action,
    Door,
    Event,
    EventKind,
    HostContext,
    Mode,
    Posture,
    Profile,
    Severity,
)

RULES = packs.load("default")
OWN = [rule for rule in RULES.rules.values() if rule.category == "code"]
HOST = HostContext(home="/home/dev", data_dir="/home/dev/.defenseclaw")
CWD = "/home/dev/project"
SEVERITIES = {
    "CG-CRED-001": Severity.HIGH,
    "CG-CRED-002": Severity.HIGH,
    "CG-CRED-003": Severity.CRITICAL,
    "CG-EXEC-001": Severity.HIGH,
    "CG-EXEC-002": Severity.MEDIUM,
    "CG-NET-001": Severity.MEDIUM,
    "CG-DESER-001": Severity.HIGH,
    "CG-SQL-001": Severity.HIGH,
    "CG-CRYPTO-001": Severity.MEDIUM,
    "CG-PATH-001": Severity.MEDIUM,
}
INSECURE = "import os\n\n\ndef go(name):\n    os.system('rm -rf ' + name)\n"


def call(tool, args):
    return Event(kind=EventKind.TOOL_CALL, door=Door.HOOK, tool=tool, args=args, cwd=CWD)


def found(tool, args):
    return {each.rule_id: each for each in run(detect(call(tool, args), RULES, HOST)).findings}


def written(code, path="app.py"):
    return found("Write", {"file_path": path, "content": code})


def raw_action(code, path="app.py", profile=Profile.DEFAULT):
    posture = Posture(mode=Mode.ACTION, profile=profile)
    event = call("Write", {"file_path": path, "content": code})
    verdict, _ = judge(event, packs.load(profile), HOST, posture, evaluation_id="test")
    return verdict.raw_action


def test_the_ten_rules_are_there_with_their_severities():
    assert {rule.id: rule.severity for rule in OWN} == SEVERITIES


def test_every_check_has_a_rule():
    assert RULES.checks.keys() == CHECKS.keys()


def examples(which):
    return [
        pytest.param(rule, example, id=f"{rule.id}:{example.note[:60]}")
        for rule in OWN
        for example in getattr(rule, which)
    ]


@pytest.mark.parametrize(("rule", "example"), examples("flags"))
def test_flags(rule, example):
    ids = found_in(example, RULES)
    assert rule.id in ids
    assert INTERNAL_FAULT not in ids


@pytest.mark.parametrize(("rule", "example"), examples("allows"))
def test_allows(rule, example):
    ids = found_in(example, RULES)
    assert rule.id not in ids
    assert INTERNAL_FAULT not in ids


@pytest.mark.parametrize(
    ("tool", "args"),
    [
        ("Write", {"file_path": "app.py", "content": INSECURE}),
        ("Edit", {"file_path": "app.py", "old_string": "pass", "new_string": "    os.system('rm ' + name)"}),
        (
            "MultiEdit",
            {"file_path": "app.py", "edits": [{"old_string": "a", "new_string": "os.system(name)"}]},
        ),
        ("write_file", {"path": f"{CWD}/app.py", "text": INSECURE}),
        ("fs_write", {"path": "app.py", "file_text": INSECURE}),
        ("mcp__files__write_file", {"path": "app.py", "content": INSECURE}),
        ("NotebookEdit", {"notebook_path": "study.ipynb", "new_source": "os.system(name)"}),
        (
            "apply_patch",
            {"input": "*** Begin Patch\n*** Add File: app.py\n+import os\n+os.system(name)\n*** End Patch"},
        ),
        ("Bash", {"command": "cat > app.py <<'EOF'\nimport os\nos.system(name)\nEOF"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_whatever_tool_writes_the_code(tool, args):
    assert "CG-EXEC-001" in found(tool, args)


@pytest.mark.parametrize(
    ("tool", "args"),
    [
        ("Read", {"file_path": "app.py"}),
        ("Grep", {"pattern": "os.system(name)", "path": "app.py"}),
        ("Write", {"file_path": "notes.md", "content": INSECURE}),
        ("Edit", {"file_path": "app.py", "old_string": "os.system(name)", "new_string": "run([name])"}),
        (
            "apply_patch",
            {"input": "*** Begin Patch\n*** Update File: app.py\n-os.system(name)\n+run([name])\n"},
        ),
        ("Bash", {"command": "grep -n 'os.system(name)' app.py"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_code_that_is_not_written_is_not_judged(tool, args):
    assert "CG-EXEC-001" not in found(tool, args)


@pytest.mark.parametrize("kind", [EventKind.PROMPT, EventKind.COMPLETION, EventKind.FILE])
def test_code_that_is_read_or_talked_about_is_not_judged(kind):
    event = Event(kind=kind, door=Door.HOOK, text=INSECURE)
    assert run(detect(event, RULES, HOST)).findings == ()


def test_each_file_of_a_patch_is_judged_as_what_it_is():
    readme = "*** Begin Patch\n*** Update File: README.md\n+os.system(name)\n"
    assert "CG-EXEC-001" not in found("apply_patch", {"input": f"{readme}*** End Patch"})
    both = f"{readme}*** Add File: app.py\n+os.system(name)\n*** End Patch"
    assert "CG-EXEC-001" in found("apply_patch", {"input": both})
    unified = (
        "--- a/README.md\n+++ b/README.md\n+os.system(name)\n--- a/app.py\n+++ b/app.py\n+os.system(name)\n"
    )
    assert "CG-EXEC-001" in found("apply_patch", {"patch": unified})


def test_a_finding_says_where_and_why():
    finding = written(INSECURE)["CG-EXEC-001"]
    assert finding.because == "line 5: a shell command that is not fixed"
    assert finding.evidence.reveal() == "os.system('rm -rf ' + name)"


def test_a_secret_is_no_evidence():
    key = "A1b2C3d4E5f6" + "G7h8I9j0K1l2"
    finding = written(f'API_KEY = "{key}"')["CG-CRED-001"]
    assert finding.evidence.reveal() == "API_KEY"


ORDINARY = {
    "a client": "import requests\n\ndef load(url):\n    return requests.get(url, timeout=5).json()\n",
    "a checksum": "import hashlib\n\ndef etag(body):\n    return hashlib.md5(body).hexdigest()\n",
    "a name of a table": "def rows(db, table):\n    return db.execute(f'SELECT * FROM {table}').fetchall()\n",
    "a plug-in loader": "def load(source, names):\n    exec(source, names)\n",
    "a folder beside": "path = os.path.join(here, '..', name)\n",
    "a test": "def test_it(tmp_path):\n    os.system(f'ls {tmp_path}')\n",
}


@pytest.mark.parametrize("profile", Profile)
@pytest.mark.parametrize("what", ORDINARY)
def test_ordinary_code_passes_with_a_note_in_every_profile(what, profile):
    path = "tests/test_it.py" if what == "a test" else "app.py"
    noted = [each for each in written(ORDINARY[what], path).values() if each.rule_id.startswith("CG-")]
    assert [each.detection_only for each in noted] == [True]
    assert raw_action(ORDINARY[what], path, profile) is Action.ALLOW


@pytest.mark.parametrize(
    ("profile", "code", "action"),
    [
        # HIGH and MEDIUM alert, they do not block
        (Profile.DEFAULT, INSECURE, Action.ALERT),
        (Profile.DEFAULT, "subprocess.run(cmd, shell=True)", Action.ALERT),
        (Profile.PERMISSIVE, "subprocess.run(cmd, shell=True)", Action.ALLOW),
        (Profile.STRICT, "subprocess.run(cmd, shell=True)", Action.BLOCK),
        (Profile.DEFAULT, "subprocess.run(['ls'])", Action.ALLOW),
    ],
)
def test_what_weighs_has_the_action_of_its_severity(profile, code, action):
    assert raw_action(code, profile=profile) is action


def test_a_certain_place_counts_also_behind_a_doubtful_one():
    doubtful, certain = "hashlib.md5(data)\n", "hashlib.md5(password)\n"
    assert written(doubtful)["CG-CRYPTO-001"].detection_only
    assert not written(doubtful + certain)["CG-CRYPTO-001"].detection_only
    edits = [{"old_string": "a", "new_string": doubtful}, {"old_string": "b", "new_string": certain}]
    assert not found("MultiEdit", {"file_path": "app.py", "edits": edits})["CG-CRYPTO-001"].detection_only


def test_what_weighs_nothing_is_less_sure():
    doubtful, certain = (
        written(code)["CG-CRYPTO-001"] for code in ("hashlib.md5(data)", "hashlib.md5(password)")
    )
    assert doubtful.confidence < certain.confidence == RULES.rules["CG-CRYPTO-001"].confidence
