"""``/api/v1/scan/code``. Source: ``spec/gateway-api.md`` §11.1, ``spec/guardrail.md`` §10.3."""

import json
import os
import re
import sqlite3

import pytest

from defenseclaw.detection.redaction import is_placeholder

SCAN = "/api/v1/scan/code"
INSPECT = "/api/v1/inspect/tool"
INSECURE = (
    "import os, hashlib, pickle\n"
    "def go(name, body):\n"
    "    os.system('rm -rf ' + name)\n"
    "    pickle.loads(body)\n"
    "    hashlib.md5(body)\n"
)
KEY = "AKIA" + "Z7QX4M2NPT5VKLWB"
FIELDS = {"scanner", "target", "timestamp", "findings", "duration", "target_type", "verdict", "files"}


async def scanned(house, body, **kwargs):
    reply = await house.post(SCAN, body, **kwargs)
    assert reply.status_code == 200, reply.text
    return reply.json()


def ids(answer):
    return [each["rule_id"] for each in answer["findings"]]


def scan_rows(house, table):
    with sqlite3.connect(house.services.store.path) as connection:
        connection.row_factory = sqlite3.Row
        return connection.execute(f"SELECT * FROM {table}").fetchall()


class TestAnswer:
    async def test_names_each_place_by_rule_and_line(self, house):
        answer = await scanned(house, {"content": INSECURE, "filename": "app.py"})
        assert set(answer) == FIELDS
        assert (answer["scanner"], answer["target"], answer["target_type"]) == ("codeguard", "app.py", "code")
        assert (answer["verdict"], answer["files"]) == ("block", 1)
        assert answer["duration"] > 0
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", answer["timestamp"])
        places = [(each["rule_id"], each["severity"], each["line_number"]) for each in answer["findings"]]
        assert places == [
            ("CG-EXEC-001", "HIGH", 3),
            ("CG-DESER-001", "HIGH", 4),
            ("CG-CRYPTO-001", "MEDIUM", 5),
        ]
        first = answer["findings"][0]
        assert (first["id"], first["scanner"], first["category"]) == ("CG-EXEC-001", "codeguard", "exec")
        assert first["title"] == "Command or program text from values"
        assert first["tags"] == ["codeguard", "exec"]

    async def test_shows_placeholders_for_what_may_hold_content(self, house):
        answer = await scanned(house, {"content": INSECURE, "filename": "app.py"})
        for each in answer["findings"]:
            assert all(is_placeholder(each[name]) for name in ("description", "location", "remediation"))
        assert house.rows("inspect-reveal") == []

    async def test_reveals_on_demand_and_that_is_recorded(self, house):
        answer = await scanned(
            house, {"content": INSECURE, "filename": "app.py"}, headers={"X-DefenseClaw-Reveal-PII": "1"}
        )
        first = answer["findings"][0]
        assert first["location"] == "app.py:3"
        assert first["description"] == "line 3: a shell command that is not fixed"
        assert first["remediation"].startswith("Pass the words of a command as a list")
        (scan,) = house.rows("scan")
        (reveal,) = house.rows("inspect-reveal")
        assert scan["evaluation_id"] == reveal["evaluation_id"] != ""

    @pytest.mark.parametrize(
        ("body", "found"),
        [
            ({"content": "os.system(name)"}, ["CG-EXEC-001"]),
            ({"content": "<?php system($_GET['c']);"}, ["CG-EXEC-001"]),
            ({"content": "eval(text)", "language": "TypeScript"}, ["CG-EXEC-001"]),
            ({"content": "eval(text)", "filename": "notes.md"}, []),
            ({"content": "eval(text)", "filename": "notes.md", "language": "js"}, ["CG-EXEC-001"]),
            ({"content": "#!/usr/bin/env python3\neval(text)", "filename": "bin/go"}, ["CG-EXEC-001"]),
            ({"content": "subprocess.run(['ls'])"}, []),
            ({"content": ""}, []),
        ],
    )
    async def test_name_language_and_looks_tell_what_it_is(self, house, body, found):
        assert ids(await scanned(house, body)) == found

    async def test_clean_code_is_clean(self, house):
        answer = await scanned(house, {"content": "print('hello')\n", "filename": "app.py"})
        assert (answer["verdict"], answer["findings"]) == ("clean", [])

    async def test_a_note_only_warns(self, house):
        answer = await scanned(house, {"content": "hashlib.md5(data)"})
        assert answer["verdict"] == "warn"
        assert [each["detection_only"] for each in answer["findings"]] == [True]


class TestPaths:
    @pytest.fixture
    def project(self, tmp_path):
        root = tmp_path / "project"
        for name, text in {
            "app.py": INSECURE,
            "web/app.js": "eval(body);\n",
            "web/README.md": "eval(body)\n",
            "bin/run": "#!/usr/bin/env python3\neval(body)\n",
            "node_modules/dep/index.js": "eval(body);\n",
            ".git/hook.py": "eval(body)\n",
        }.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        (root / "data.py").write_bytes(b"\0\xff eval(body)")
        (root / "link.py").symlink_to("app.py")
        os.mkfifo(root / "pipe.py")
        return root

    async def test_a_folder_is_scanned_but_for_what_others_wrote(self, house, project):
        answer = await scanned(house, {"path": str(project)}, headers={"X-DefenseClaw-Reveal-PII": "1"})
        assert answer["target"] == str(project)
        assert answer["files"] == 3
        assert [each["location"].removeprefix(f"{project}/") for each in answer["findings"]] == [
            "app.py:3",
            "app.py:4",
            "app.py:5",
            "bin/run:2",
            "web/app.js:1",
        ]

    async def test_a_file_is_scanned_and_path_wins(self, house, project):
        answer = await scanned(house, {"path": str(project / "web/app.js"), "content": "os.system(name)"})
        assert ids(answer) == ["CG-EXEC-001"]
        assert answer["findings"][0]["line_number"] == 1

    async def test_a_file_beyond_the_bound_is_scanned_up_to_it(self, house, tmp_path):
        file = tmp_path / "large.py"
        file.write_text("eval(body)\n" + "#" * (1 << 20) + "\neval(body)\n")
        answer = await scanned(house, {"path": str(file)})
        assert ids(answer) == ["CG-EXEC-001", "INPUT-BOUND"]

    @pytest.mark.parametrize(
        ("name", "status", "code", "error"),
        [
            ("absent.py", 404, "not_found", "no such file or folder"),
            ("app.py/inside", 404, "not_found", "no such file or folder"),
            ("link.py", 400, "bad_request", "path is a symbolic link"),
            ("pipe.py", 400, "bad_request", "path is neither a file nor a folder"),
            ("nul\0.py", 400, "bad_request", "path is not one"),
            ("x" * 300, 400, "bad_request", "path cannot be read"),
        ],
    )
    async def test_what_cannot_be_scanned_is_refused(self, house, project, name, status, code, error):
        reply = await house.post(SCAN, {"path": f"{project}/{name}"})
        assert (reply.status_code, reply.json()) == (status, {"error": error, "code": code})
        assert house.rows("scan") == []


class TestRefusals:
    @pytest.mark.parametrize(
        ("body", "code"),
        [
            ({}, "missing_field"),
            ({"path": "", "content": None}, "missing_field"),
            ({"path": 3}, "bad_json"),
            ({"path": "relative/app.py"}, "bad_request"),
            ({"path": "/" + "x" * 5000}, "bad_request"),
            ({"content": "x", "filename": "x" * 5000}, "bad_request"),
            ({"content": "x", "language": "klingon"}, "bad_request"),
        ],
    )
    async def test_are_typed(self, house, body, code):
        reply = await house.post(SCAN, body)
        assert (reply.status_code, reply.json()["code"]) == (400, code)

    async def test_a_body_beyond_the_cap(self, house):
        reply = await house.post(SCAN, {"content": "x" * (1 << 20)})
        assert (reply.status_code, reply.json()["code"]) == (413, "body_too_large")

    async def test_an_agents_own_token_does_not_open_it(self, house):
        token = house.scoped_token("claudecode")
        headers = {"X-DefenseClaw-Connector": "claudecode"}
        reply = await house.post(SCAN, {"content": "x"}, token=token, headers=headers)
        assert reply.status_code == 401


class TestRows:
    async def test_findings_are_recorded_first_and_without_content(self, house):
        secret = f"client('{KEY}')\nAPI_KEY = '{'A1b2C3d4E5f6' + 'G7h8I9j0K1l2'}'\n"
        await scanned(house, {"content": secret, "filename": f"{KEY}.py"})
        (row,) = house.rows("scan")
        assert (row["severity"], row["evaluation_id"] != "") == ("HIGH", True)
        assert "findings=2" in row["details"]
        (scan,) = scan_rows(house, "scan_results")
        assert (scan["scanner"], scan["target_type"], scan["verdict"]) == ("codeguard", "code", "block")
        assert scan["max_severity"] == "HIGH"
        findings = scan_rows(house, "scan_findings")
        assert [each["rule_id"] for each in findings] == ["CG-CRED-002", "CG-CRED-001"]
        assert findings[0]["location"].endswith(".py:1")
        assert findings[0]["remediation"] == "Use a role or a named profile; rotate the key pair."
        written = json.dumps([tuple(each) for each in (row, scan, *findings)])
        assert KEY not in written
        assert "A1b2C3d4E5f6" not in written

    async def test_without_findings_there_is_the_event_only(self, house):
        await scanned(house, {"content": "print(1)"})
        (row,) = house.rows()
        assert (row["action"], row["severity"], row["target"]) == ("scan", "INFO", "content")
        assert scan_rows(house, "scan_results") == []


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("app.py", INSECURE),
        ("app.py", "requests.get(request.args['u'])\nrequests.get(url)\nopen('../../etc/passwd')\n"),
        ("app.ts", "db.query(`SELECT a FROM b WHERE c = ${d}`); eval(e);\n"),
        ("index.php", "<?php system($_GET['c']); include($_GET['p']);\n"),
        ("task.rb", 'system("rm #{name}")\nDigest::MD5.hexdigest(password)\n'),
        ("A.java", 'stmt.execute("SELECT a FROM b WHERE c = \'" + d + "\'");\n'),
        ("config.yaml", f"id: '{KEY}'\n"),
        ("tests/test_app.py", INSECURE),
        ("run.py", "urlopen('http://127.0.0.1:18970/enforce/allow', data)\n"),
    ],
)
async def test_the_same_code_gets_the_same_findings_as_when_an_agent_writes_it(house, name, code):
    def judged_here(rule_id):
        rule = house.services.inspector.rules().rules.get(rule_id)
        return rule is not None and (rule.check != "" or rule.on == "code")

    answer = await scanned(house, {"content": code, "filename": name})
    call = {"tool": "Write", "args": {"file_path": name, "content": code}, "cwd": "/srv/app"}
    reply = (await house.post(INSPECT, call)).json()
    written = {each["rule_id"]: each for each in reply["detailed_findings"] if judged_here(each["rule_id"])}
    strongest = {}
    for each in sorted(answer["findings"], key=lambda each: each.get("detection_only", False)):
        strongest.setdefault(each["rule_id"], each)
    assert strongest.keys() == written.keys() != set()
    for rule_id, each in strongest.items():
        for field in ("title", "severity", "confidence", "tags"):
            assert each[field] == written[rule_id][field]
