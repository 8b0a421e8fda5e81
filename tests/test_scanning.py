"""Scanning folders: what is read, in which order, and where it ends."""

import pytest

from defenseclaw import packs, scanning
from defenseclaw.detection.patterns import PatternOverload
from defenseclaw.scanning import Limits, Scanner
from defenseclaw.vocabulary import HostContext, Severity

RULES = packs.load("default")
HOST = HostContext(home="/home/dev", data_dir="/home/dev/.defenseclaw")
BAD = "os.system(name)\n"


def scanner(**limits):
    return Scanner(RULES, HOST, Limits(**limits))


@pytest.fixture
def project(tmp_path):
    for name in ("c.py", "a.py", "b/d.py", "b/a.py"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(BAD)
    return tmp_path


def found(scan):
    return [hit.finding.rule_id for hit in scan.hits]


def test_files_are_read_in_order(project):
    scan = scanner().scan_path(str(project))
    assert [hit.path.removeprefix(f"{project}/") for hit in scan.hits] == ["a.py", "c.py", "b/a.py", "b/d.py"]
    assert scan.hits[0].location == f"{project}/a.py:1"
    assert (scan.files, scan.bounds, scan.verdict, scan.max_severity) == (4, set(), "block", Severity.HIGH)


@pytest.mark.parametrize(
    ("limits", "bound", "findings"),
    [
        ({"files": 2}, "file_limit", 2),
        ({"entries": 2}, "file_limit", 1),
        ({"total_bytes": len(BAD) * 2}, "size_limit", 2),
        ({"file_bytes": 5}, "size_limit", 0),
        ({"findings": 3}, "finding_limit", 3),
    ],
)
def test_what_is_beyond_a_bound_is_a_finding_of_its_own(project, limits, bound, findings):
    scan = scanner(**limits).scan_path(str(project))
    assert scan.bounds == {bound}
    assert found(scan) == ["CG-EXEC-001"] * findings + ["INPUT-BOUND"]
    assert scan.hits[-1].finding.because == bound


def test_folders_nest_to_a_bound(tmp_path):
    here = tmp_path
    for _ in range(70):
        here = here / "d"
    here.mkdir(parents=True)
    (here / "a.py").write_text(BAD)
    scan = scanner().scan_path(str(tmp_path))
    assert (found(scan), scan.bounds) == (["INPUT-BOUND"], {"depth_limit"})


def test_a_name_that_is_no_text_is_no_obstacle(tmp_path):
    name = str(tmp_path).encode() + b"/\xff.py"
    with open(name, "wb") as file:
        file.write(BAD.encode())
    scan = scanner().scan_path(str(tmp_path))
    assert found(scan) == ["CG-EXEC-001"]
    scan.hits[0].location.encode()


@pytest.mark.parametrize(
    ("error", "rule_id"), [(PatternOverload(), "INPUT-BOUND"), (ZeroDivisionError(), "INTERNAL-FAULT")]
)
def test_a_fault_in_one_file_is_a_finding(project, monkeypatch, error, rule_id):
    judge = scanning.code_findings

    def faulty(name, *rest):
        if name.endswith("c.py"):
            raise error
        return judge(name, *rest)

    monkeypatch.setattr(scanning, "code_findings", faulty)
    assert found(scanner().scan_path(str(project))) == ["CG-EXEC-001"] * 3 + [rule_id]


def test_a_pack_without_code_rules_finds_nothing(project):
    from defenseclaw.detection.ruleset import RuleSet

    assert found(Scanner(RuleSet([]), HOST).scan_path(str(project))) == []


@pytest.mark.parametrize(
    ("severities", "verdict"),
    [
        ([], "clean"),
        ([("LOW", False)], "warn"),
        ([("MEDIUM", False)], "warn"),
        ([("HIGH", False)], "block"),
        # what has no weight only warns
        ([("CRITICAL", True)], "warn"),
        ([("CRITICAL", True), ("HIGH", False)], "block"),
    ],
)
def test_the_verdict_follows_the_findings(severities, verdict):
    from defenseclaw.vocabulary import Finding

    hits = [
        scanning.Hit(
            finding=Finding(
                rule_id="X",
                title="",
                category="code",
                severity=Severity(severity),
                confidence=1.0,
                detection_only=noted,
            ),
            path="a.py",
            line=1,
        )
        for severity, noted in severities
    ]
    assert scanning.Scan("a.py", hits).verdict == verdict
