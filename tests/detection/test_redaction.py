from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.detection.examples import expand

from defenseclaw import packs
from defenseclaw.detection.engine import Detection, detect, run
from defenseclaw.detection.redaction import (
    clean_text,
    is_placeholder,
    make_entity_placeholder,
    make_evidence_placeholder,
    make_placeholder,
    mask,
    mask_text,
    merge_spans,
    notice,
)
from defenseclaw.detection.text import subject_of
from defenseclaw.vocabulary import JSON, Door, Event, EventKind, Finding, HostContext

KEY = b"a key of this test"
placeholder = make_placeholder(KEY)
RULES = packs.load()


def inspect(value: JSON) -> Detection:
    event = Event(kind=EventKind.TOOL_RESULT, door=Door.CLI, tool="read", result=value)
    return run(detect(event, RULES, HostContext(home="/home/dev", data_dir="/home/dev/.defenseclaw")))


def findings(value: JSON) -> tuple[Finding, ...]:
    return inspect(value).findings


def masked(value: JSON) -> JSON:
    found = inspect(value)
    assert found.scanned is not None
    return mask(value, found.scanned, [(span.start, span.end) for span in found.spans], placeholder)


# Placeholders


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("", r"<empty>"),
        ("abcd", r"<redacted len=4>"),
        ("éé", r"<redacted len=4>"),
        ("abcde", r"<redacted len=5 sha=[0-9a-f]{8}>"),
        ("ééé", r"<redacted len=6 sha=[0-9a-f]{8}>"),
        ("\ud800", r"<redacted len=3>"),
    ],
)
def test_shapes(text: str, want: str):
    assert re.fullmatch(want, placeholder(text))


def test_evidence_and_entities_have_their_own_shapes():
    assert re.fullmatch(
        r"<redacted-evidence len=7 sha=[0-9a-f]{8}>", make_evidence_placeholder(KEY)("rm -rf ")
    )
    assert re.fullmatch(
        r'<redacted len=13 sha=[0-9a-f]{8} prefix="a">', make_entity_placeholder(KEY)("alice@acme.io")
    )
    assert make_entity_placeholder(KEY)("alice") == placeholder("alice")
    assert make_entity_placeholder(KEY)('"quoted name"') == placeholder('"quoted name"')


def test_the_hash_depends_on_the_key_and_only_on_key_and_text():
    assert placeholder("same secret") == make_placeholder(KEY)("same secret")
    assert placeholder("same secret") != make_placeholder(b"another key")("same secret")
    with pytest.raises(ValueError, match="key"):
        make_placeholder(b"")


@given(st.text(max_size=50))
def test_placeholders_are_placeholders_and_stay_what_they_are(text: str):
    for make in (make_placeholder, make_evidence_placeholder, make_entity_placeholder):
        once = make(KEY)(text)
        assert is_placeholder(once)
        assert make(KEY)(once) == once
        assert placeholder(once) == once


@pytest.mark.parametrize(
    "text",
    [
        "<redacted len=5 sha=0011223344>",
        "<redacted len=05>",
        "<redacted len=5 sha=00112233> ",
        "x<redacted len=5>",
        "<redacted len=5 sha=GGGGGGGG>",
        '<redacted len=20 sha=00112233 prefix="ab">',
        "<redacted len=" + "9" * 99 + ">",
    ],
)
def test_what_only_resembles_a_placeholder_is_redacted(text: str):
    assert not is_placeholder(text)
    assert placeholder(text) != text


# Masking


@pytest.mark.parametrize(
    ("spans", "want"),
    [
        ([], []),
        ([(3, 5), (1, 2)], [(1, 2), (3, 5)]),
        ([(1, 4), (2, 3), (4, 6)], [(1, 6)]),
        ([(2, 2), (5, 4)], []),
    ],
)
def test_merge_spans(spans: list[tuple[int, int]], want: list[tuple[int, int]]):
    assert merge_spans(spans) == want


def test_spans_are_clipped_to_the_text():
    assert mask_text("abc", [(-2, 1), (2, 9)], placeholder) == "<redacted len=1>b<redacted len=1>"


def test_a_span_across_strings_masks_its_part_of_each():
    value = {"a": ["one", "two", "three"], "n": 1}
    scanned = subject_of(value)
    start = scanned.text.index("ne")
    end = scanned.text.index("hree")

    assert mask(value, scanned, [(start, end)], placeholder) == {
        "a": ["o<redacted len=2>", "<redacted len=3>", "<redacted len=1>hree"],
        "n": 1,
    }


def test_keys_are_masked_without_losing_values():
    value = {"k1": 1, "k2": 2}
    scanned = subject_of(value)

    assert mask(value, scanned, [(0, len(scanned.text))], placeholder) == {
        "<redacted len=2>": 1,
        "<redacted len=2>'": 2,
    }


def test_a_value_without_spans_comes_back_as_it_is():
    value = {"a": ["b"]}

    assert mask(value, subject_of(value), [], placeholder) is value


def test_what_was_not_scanned_is_not_passed_on():
    deep: Any = "unseen"
    for _ in range(500):
        deep = [deep]

    shown = json.dumps(mask({"deep": deep}, subject_of({"deep": deep}), [], placeholder))

    assert "unseen" not in shown
    assert "<omitted>" in shown


SECRETS = {
    "SEC-AWS-KEY": "AKIA{{upper:16}}",
    "SEC-AWS-SECRET": "aws_secret_access_key={{base64chars:40}}",
    "SEC-ANTHROPIC": "sk-ant-api03-{{url:93}}AA",
    "SEC-OPENAI": "sk-proj-{{alnum:48}}",
    "SEC-OPENAI-V2": "sk-{{alnum:48}}",
    "SEC-STRIPE": "sk_{{}}live_{{alnum:24}}",
    "SEC-GITHUB-TOKEN": "ghp_{{alnum:36}}",
    "SEC-GITHUB-PAT": "github_pat_{{alnum:22}}_{{alnum:59}}",
    "SEC-GITLAB": "glpat-{{alnum:20}}",
    "SEC-GOOGLE": "AIza{{alnum:35}}",
    "SEC-SLACK-TOKEN": "xoxb-{{digits:12}}-{{digits:13}}-{{alnum:24}}",
    "SEC-SLACK-WEBHOOK": "https://hooks.slack.com/services/T{{upper:8}}/B{{upper:8}}/{{alnum:24}}",
    "SEC-DISCORD-WEBHOOK": "https://discord.com/api/webhooks/{{digits:18}}/{{url:68}}",
    "SEC-PRIVKEY": "{{pem:RSA}}",
    "SEC-JWT": "{{jwt}}",
    "SEC-CONNSTR": "postgres://app:{{alnum:16}}@db.internal/app",
    "SEC-BEARER": "Authorization: Bearer {{alnum:40}}",
    "SEC-SENDGRID": "SG.{{alnum:22}}.{{alnum:43}}",
    "SEC-TWILIO": "SK{{hex:32}}",
    "SEC-NPM-TOKEN": "npm_{{alnum:36}}",
    "SEC-PYPI-TOKEN": "pypi-{{alnum:100}}",
    "SEC-HEX-SECRET": 'secret_key="{{hex:40}}"',
}


def test_every_rule_of_the_catalogue_has_a_planted_secret():
    for rule_id, template in SECRETS.items():
        assert rule_id in {finding.rule_id for finding in findings(expand(template))}


def core(secret: str) -> str:
    """The longest stretch of letters and digits: the part that must be gone."""
    return max(re.findall(r"[A-Za-z0-9]+", secret), key=len)


def wrap(secret: str, how: str) -> str:
    escaped = json.dumps(secret)[1:-1]
    return {
        "plain": secret,
        "escaped": escaped,
        "escaped twice": json.dumps(escaped)[1:-1],
        "unicode escapes": "".join(f"\\u{ord(char):04x}" for char in secret),
        "percent": "".join(f"%{byte:02x}" for byte in secret.encode()),
        "base64": expand("{{base64:" + secret + "}}"),
        "hex": secret.encode().hex(),
        "invisible": "\u200b".join(secret),
    }[how]


WRAPPINGS = ["plain", "escaped", "escaped twice", "unicode escapes", "percent", "base64", "hex", "invisible"]
AROUND = st.text(alphabet="日本é “”\n\t ,;()\U0001f600", max_size=12)


@st.composite
def planted(draw: st.DrawFn) -> tuple[JSON, str]:
    """A value of any nesting with one secret somewhere in it, and what must be gone from it."""
    secret = expand(draw(st.sampled_from(sorted(SECRETS.values()))), seed=draw(st.integers(0, 10**6)))
    how = draw(st.sampled_from(WRAPPINGS))
    written = wrap(secret, how)
    value: JSON = f"{draw(AROUND)} {written} {draw(AROUND)}"
    for shape in draw(st.lists(st.sampled_from("ldk"), max_size=5)):
        if shape == "l":
            value = [draw(AROUND), value, 7]
        elif shape == "d":
            value = {"stdout": value, draw(AROUND): None}
        else:
            value = {value if isinstance(value, str) else "key": value}
    return value, core(written) if how == "base64" else wrap(core(secret), how)


@settings(max_examples=300, deadline=None)
@given(planted())
def test_no_planted_secret_survives_in_any_nesting(case: tuple[JSON, str]):
    value, gone = case
    shown = masked(value)

    assert gone not in json.dumps(shown, ensure_ascii=False)
    assert type(shown) is type(value)


@settings(max_examples=100, deadline=None)
@given(planted())
def test_masking_twice_is_masking_once(case: tuple[JSON, str]):
    once = masked(case[0])

    assert masked(once) == once


@given(st.sampled_from(sorted(SECRETS.values())), st.data())
def test_the_text_around_a_secret_stays(template: str, data: st.DataObject):
    before, after = "見よ ", " … fin"
    secret = expand(template, seed=data.draw(st.integers(0, 10**6)))
    shown = masked({"out": before + secret + after})

    assert isinstance(shown, dict)
    assert shown["out"].startswith(before)
    assert shown["out"].endswith(after)


def test_a_token_cut_in_two_items_is_masked_in_both():
    token = expand("ghp_{{alnum:36}}")
    shown = masked(["curl", token[:20], token[20:]])

    assert shown == ["curl", placeholder(token[:20]), placeholder(token[20:])]


def test_a_key_given_line_by_line_is_masked_in_every_line():
    lines = expand("{{pem:RSA}}").splitlines()
    shown = masked({"lines": lines, "after": "end"})

    assert isinstance(shown, dict)
    assert shown["after"] == "end"
    assert not set(lines) & set(shown["lines"])
    assert len(shown["lines"]) == len(lines)


# Text for sinks


def github_tokens(text: str) -> list[tuple[int, int]]:
    return [found.span() for found in re.finditer(r"ghp_\w{36}", text)]


@pytest.mark.parametrize(
    ("raw", "want"),
    [
        ("plain", "plain"),
        ("tab\tstays", "tab\tstays"),
        ("line\r\nline", "line  line"),
        ("\x1b[31mred\x07", " [31mred "),
        ("a\u202eb\u2028c\x85d\u200be", "a b c d e"),
        ("lone \ud800", "lone  "),
        ("日本 é", "日本 é"),
    ],
)
def test_clean_text_keeps_what_can_be_shown(raw: str, want: str):
    assert clean_text(raw, placeholder) == want


def test_clean_text_masks_before_it_cuts():
    token = expand("ghp_{{alnum:36}}")
    cleaned = clean_text("x" * 500 + token, placeholder, find=github_tokens, limit=512)

    assert len(cleaned) == 512
    assert "ghp_" not in cleaned
    assert cleaned.endswith("…")
    assert clean_text(token, placeholder, find=github_tokens) == placeholder(token)


def test_a_notice_names_rules_and_no_content():
    line = notice(["TRUST-A", "TRUST-A", *(f"R-{number}" for number in range(9))])

    assert "\n" not in line
    assert "(TRUST-A, R-0, R-1, R-2, R-3)" in line
