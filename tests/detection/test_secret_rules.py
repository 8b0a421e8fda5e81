"""Every secret rule finds its own examples, in every kind of event, and keeps silent on look-alikes."""

from __future__ import annotations

from urllib.parse import quote_plus

import pytest
from tests.detection.examples import expand

from defenseclaw import packs
from defenseclaw.detection.engine import Detection, detect, run
from defenseclaw.detection.ruleset import Rule, RuleSet
from defenseclaw.detection.secrets import VALIDATORS
from defenseclaw.vocabulary import JSON, Door, Event, EventKind, HostContext, Severity

RULES = packs.load()
SECRET_RULES = [rule for rule in RULES.rules.values() if rule.category == "secret"]
CATALOGUE = {
    "SEC-AWS-KEY": ("CRITICAL", 0.95),
    "SEC-AWS-SECRET": ("CRITICAL", 0.90),
    "SEC-ANTHROPIC": ("CRITICAL", 0.98),
    "SEC-OPENAI": ("CRITICAL", 0.95),
    "SEC-OPENAI-V2": ("CRITICAL", 0.85),
    "SEC-STRIPE": ("CRITICAL", 0.95),
    "SEC-GITHUB-TOKEN": ("CRITICAL", 0.95),
    "SEC-GITHUB-PAT": ("CRITICAL", 0.95),
    "SEC-GITLAB": ("CRITICAL", 0.95),
    "SEC-GOOGLE": ("CRITICAL", 0.90),
    "SEC-SLACK-TOKEN": ("CRITICAL", 0.90),
    "SEC-SLACK-WEBHOOK": ("CRITICAL", 0.95),
    "SEC-DISCORD-WEBHOOK": ("CRITICAL", 0.95),
    "SEC-PRIVKEY": ("CRITICAL", 0.98),
    "SEC-JWT": ("MEDIUM", 0.70),
    "SEC-CONNSTR": ("CRITICAL", 0.90),
    "SEC-BEARER": ("HIGH", 0.80),
    "SEC-SENDGRID": ("CRITICAL", 0.95),
    "SEC-TWILIO": ("HIGH", 0.80),
    "SEC-NPM-TOKEN": ("CRITICAL", 0.95),
    "SEC-PYPI-TOKEN": ("CRITICAL", 0.95),
    "SEC-HEX-SECRET": ("HIGH", 0.72),
}


def inspect(value: JSON, kind: EventKind = EventKind.TOOL_RESULT, rules: RuleSet = RULES) -> Detection:
    if kind is EventKind.TOOL_CALL:
        event = Event(kind=kind, door=Door.CLI, tool="send_message", args={"message": value})
    elif kind is EventKind.TOOL_RESULT:
        event = Event(kind=kind, door=Door.CLI, tool="read", result=value)
    else:
        event = Event(kind=kind, door=Door.CLI, text=str(value))
    return run(detect(event, rules, HostContext(home="/home/dev", data_dir="/home/dev/.defenseclaw")))


def secrets_in(value: JSON, kind: EventKind = EventKind.TOOL_RESULT) -> set[str]:
    return {each.rule_id for each in inspect(value, kind).findings if each.category == "secret"}


def examples(*, flagged: bool) -> list[object]:
    return [
        pytest.param(rule, example.text, id=f"{rule.id}:{example.note[:60]}")
        for rule in SECRET_RULES
        for example in (rule.flags if flagged else rule.allows)
    ]


def test_the_catalogue_is_complete_and_rated_as_specified():
    rated = {rule.id: (rule.severity.value, rule.confidence) for rule in SECRET_RULES}

    assert {rule_id: rated.get(rule_id) for rule_id in CATALOGUE} == CATALOGUE


@pytest.mark.parametrize("rule", SECRET_RULES, ids=lambda rule: rule.id)
def test_a_secret_rule_masks_is_validated_and_sees_every_kind_of_event(rule: Rule):
    assert rule.masks
    assert rule.tags == ("credential",)
    assert rule.validate in VALIDATORS
    assert rule.kinds >= {kind for kind in EventKind if kind is not EventKind.LIFECYCLE}


@pytest.mark.parametrize(("rule", "template"), examples(flagged=True))
def test_flags(rule: Rule, template: str):
    for seed in range(5):
        assert rule.id in secrets_in(expand(template, seed=seed))


@pytest.mark.parametrize(("rule", "template"), examples(flagged=False))
def test_allows(rule: Rule, template: str):
    for seed in range(5):
        assert secrets_in(expand(template, seed=seed)) == set()


@pytest.mark.parametrize("kind", [kind for kind in EventKind if kind is not EventKind.LIFECYCLE])
def test_the_same_secret_is_found_in_every_kind_of_event(kind: EventKind):
    assert secrets_in(expand("use ghp_{{alnum:36}} for it"), kind) == {"SEC-GITHUB-TOKEN"}


SILENT = [
    # identifiers and vocabulary
    "def sk_live_mode(): return npm_package_name_with_a_very_long_suffix_indeed",
    "from glpat_helpers import github_pat_rotation_schedule_for_service_accounts",
    # digests and ids
    "sha512-{{base64chars:86}}==",
    "commit {{hex:40}}\nAuthor: A",
    "id: {{hex:8}}-{{hex:4}}-{{hex:4}}-{{hex:4}}-{{hex:12}}",
    "sha256:{{hex:64}}",
    '"integrity": "sha1-{{base64chars:27}}="',
    # data
    "data:image/png;base64,iVBORw0KGgo{{base64chars:3000}}",
    "!function(e,t){{}}{var n=e.token,r=t.secret;return n(r.key,{password:o})}(a,b)",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5{{base64chars:43}} dev@laptop",
    "-----BEGIN CERTIFICATE-----\n{{base64chars:64}}\n{{base64chars:64}}\n-----END CERTIFICATE-----",
    # references instead of values
    "password = os.environ['DB_PASSWORD']",
    "token: ${{ secrets.GITHUB_TOKEN }}",
    "postgres://$PGUSER:$PGPASSWORD@$PGHOST/app",
    'api_key="<your api key>"',
]


@pytest.mark.parametrize("template", SILENT)
def test_what_only_looks_like_a_secret_is_silent(template: str):
    assert secrets_in(expand(template)) == set()


WRAPPED = [
    ("base64", "{{base64:key=ghp_{{alnum:36}}}}"),
    ("base64 twice", "{{base64:{{base64:key=ghp_{{alnum:36}}}}}}"),
    ("JSON in JSON", '{"stdout": "{{escaped:{{escaped:a\nghp_{{alnum:36}}\nb}}}}"}'),
]


@pytest.mark.parametrize(("_how", "template"), WRAPPED, ids=[how for how, _ in WRAPPED])
def test_a_wrapped_secret_is_found(_how: str, template: str):
    assert "SEC-GITHUB-TOKEN" in secrets_in(expand(template))


def test_a_secret_is_found_in_hex_percent_full_width_and_with_invisible_characters_between():
    token = expand("ghp_{{alnum:36}}")
    full_width = "".join(chr(ord(char) + 0xFEE0) for char in token)

    for disguised in (
        token.encode().hex(),
        "".join(f"%{byte:02X}" for byte in token.encode()),
        full_width,
        "\u200b".join(token),
        "".join(f"\\u{ord(char):04x}" for char in token),
    ):
        assert "SEC-GITHUB-TOKEN" in secrets_in(disguised)


def test_a_rejected_candidate_does_not_hide_a_later_secret():
    text = expand("first ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx then ghp_{{alnum:36}}")

    assert secrets_in(text) == {"SEC-GITHUB-TOKEN"}


def test_an_unfinished_private_key_does_not_hide_a_complete_one():
    text = "-----BEGIN " + expand("{{}}RSA PRIVATE KEY-----\n...\nlater\n{{pem:RSA}}")

    assert "SEC-PRIVKEY" in secrets_in(text)


def test_a_key_given_as_a_list_of_lines_is_found():
    assert "SEC-PRIVKEY" in secrets_in({"lines": expand("{{pem:EC}}").splitlines()})


def test_a_private_key_in_a_submitted_form_is_found():
    assert "SEC-PRIVKEY" in secrets_in("key=" + quote_plus(expand("{{pem:RSA}}")))


def test_a_token_cut_in_two_list_items_is_found():
    token = expand("ghp_{{alnum:36}}")

    assert "SEC-GITHUB-TOKEN" in secrets_in(["curl", token[:20], token[20:]])


def test_the_name_of_a_secret_may_be_the_key_of_an_object():
    found = inspect({"env": {"AWS_SECRET_ACCESS_KEY": expand("{{base64chars:40}}")}})

    assert [each.severity for each in found.findings if each.rule_id == "SEC-AWS-SECRET"] == [
        Severity.CRITICAL
    ]


def test_evidence_never_shows_a_secret_by_accident():
    token = expand("ghp_{{alnum:36}}")
    [finding] = inspect(token).findings

    assert token not in repr(finding)
    assert token in finding.evidence.reveal()
