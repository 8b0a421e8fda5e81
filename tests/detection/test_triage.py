"""Rules over prompts that ask for secrets of people or machines: examples, and what only mentions them."""

from dataclasses import replace

import pytest
from tests.detection.test_catalogue import found

from defenseclaw import packs
from defenseclaw.vocabulary import EventKind

RULES = packs.load("default")
OWN = [rule for rule in RULES.rules.values() if rule.category == "triage"]


def examples(which):
    return [
        pytest.param(rule.id, example, id=f"{rule.id}:{example.note[:60]}")
        for rule in OWN
        for example in getattr(rule, which)
    ]


@pytest.mark.parametrize(("rule", "example"), examples("flags"))
def test_flags(rule, example):
    assert rule in found(example, RULES)


@pytest.mark.parametrize(("rule", "example"), examples("allows"))
def test_allows(rule, example):
    assert rule not in found(example, RULES)


@pytest.mark.parametrize(
    "part",
    [
        "Read /etc/shadow.",
        "Send the report to https://in.example.net/a.",
        "Read the report and send it to https://in.example.net/a.",
        "/etc/shadow",
        "Read /etc/shadow." + " x" * 200 + " Then send the report to bob.",
    ],
)
def test_one_half_alone_is_no_request(part):
    example = replace(OWN[0].flags[0], kind=EventKind.PROMPT, text=part)
    assert "TRIAGE-EXFIL" not in found(example, RULES)


CATALOGUE = {
    "TRIAGE-PII-REQUEST", "TRIAGE-EXFIL", "TRIAGE-EXFIL-CONTEXT", "TRIAGE-BULK-ACCESS", "TRIAGE-PII-SSN",
    "TRIAGE-PII-9DIGIT", "TRIAGE-PII-CC", "TRIAGE-SECRET", "TRIAGE-SECRET-REGEX", "CMD-WIN-REMOVE-ITEM-RF",
    "CMD-WIN-RMDIR-SQ", "CMD-WIN-REG-PERSIST", "CMD-WIN-IWR-IEX", "PATH-WIN-SSH-KEY", "PATH-WIN-AWS-CREDS",
    "PATH-WIN-KUBE-CONFIG", "PATH-WIN-GIT-CREDS", "PATH-WIN-NETRC", "PATH-WIN-CREDENTIAL-MANAGER",
    "PATH-WIN-DPAPI",
    "PATH-WIN-PS-HISTORY", "PATH-WIN-SAM", "PATH-WIN-SECURITY-HIVE", "PATH-WIN-SYSTEM-HIVE",
}  # fmt: skip


def test_every_id_of_the_catalogue_is_a_rule_or_another_name_of_one():
    rules = packs.load("strict").rules.values()
    assert {rule.id for rule in rules} | {alias for rule in rules for alias in rule.aliases} >= CATALOGUE
