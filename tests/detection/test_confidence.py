import pytest

from defenseclaw.detection.confidence import adjusted
from defenseclaw.vocabulary import Finding, Severity


def finding(*tags: str, severity: Severity = Severity.HIGH, confidence: float = 0.8) -> Finding:
    return Finding(rule_id="R", title="t", category="c", severity=severity, confidence=confidence, tags=tags)


@pytest.mark.parametrize(
    ("tags", "tool_class", "confidence"),
    [
        # a shell that runs what the rule is about
        (("execution",), "shell", 0.84),
        (("reverse-shell",), "shell", 0.84),
        (("destructive", "shell"), "shell", 0.84),
        (("destructive",), "delete", 0.8),
        (("destructive",), "other", 0.8),
        # a file tool on a file
        (("credential", "file-sensitive"), "read", 0.84),
        (("system-file",), "edit", 0.84),
        (("file-sensitive",), "shell", 0.8),
        (("file-sensitive",), "fetch", 0.8),
        # an identity file
        (("cognitive-tampering",), "write", 0.88),
        (("cognitive-tampering",), "read", 0.52),
        (("cognitive-tampering",), "shell", 0.8),
        # the first family decides
        (("destructive", "file-sensitive"), "read", 0.8),
        # not adjusted
        (("credential",), "shell", 0.8),
        (("exfiltration", "network"), "shell", 0.8),
        ((), "shell", 0.8),
    ],
)
def test_the_tool_decides(tags: tuple[str, ...], tool_class: str, confidence: float) -> None:
    assert adjusted(finding(*tags), tool_class).confidence == confidence


def test_it_never_exceeds_certainty() -> None:
    assert adjusted(finding("execution", confidence=0.98), "shell").confidence == 1


@pytest.mark.parametrize(
    ("severity", "milder"),
    [("CRITICAL", "HIGH"), ("HIGH", "MEDIUM"), ("MEDIUM", "MEDIUM"), ("LOW", "LOW")],
)
def test_reading_an_identity_file_is_milder_than_changing_it(severity: str, milder: str) -> None:
    found = finding("cognitive-tampering", severity=Severity(severity))
    assert adjusted(found, "read").severity == milder
    assert adjusted(found, "write").severity == severity
