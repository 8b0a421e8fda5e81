"""A secret is found and masked wherever it stands and however it is written; a near miss is not."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tests.detection.metamorphic import dresses
from tests.detection.metamorphic.cases import cases
from tests.detection.metamorphic.dresses import in_one
from tests.detection.metamorphic.judged import TABLES, detection_of, judged

from defenseclaw.detection.redaction import make_placeholder, mask
from defenseclaw.detection.text import strings_of
from defenseclaw.packs.templates import expand
from defenseclaw.vocabulary import JSON, Action, EventKind

SECRETS = [
    (rule_id, template)
    for rule_id, templates in yaml.safe_load((TABLES / "secrets.yaml").read_text()).items()
    for template in templates
]
NEAR_MISSES = yaml.safe_load((TABLES / "near_misses.yaml").read_text())
KINDS = (EventKind.TOOL_RESULT, EventKind.COMPLETION, EventKind.PROMPT, EventKind.FILE)
PLACEHOLDER = make_placeholder(b"k" * 32)

FRAMES: dict[str, str] = {
    "alone": "{}",
    "sentence": "see {} there",
    "line of its own": "first\n{}\nlast",
    "assignment": "TOKEN={}\n",
    "exported": "export TOKEN='{}'\n",
    "YAML": "service:\n  token: {}\n",
    "TOML": 'token = "{}"\n',
    "Python": 'client = Client(token="{}")\n',
    "shell option": "deploy --token {} --verbose",
    "log line": "2031-04-02T10:00:00Z DEBUG auth value={} user=ann",
    "Markdown": "| name | value |\n|---|---|\n| token | `{}` |",
    "comment": "# old value: {}\nx = 1\n",
    "HTML": "<td>{}</td>",
    "difference": "-token: x\n+token: {}\n",
    "behind much": "The sky is blue today. " * 300 + "\n{}\n",
}
NEUTRAL = {name: frame.replace("token", "note").replace("TOKEN", "NOTE") for name, frame in FRAMES.items()}
"""A digest that is called a token may well be one, so near misses stand under another name."""
ENCODINGS = {
    name: dresses.ENCODINGS[name]
    for name in (
        "base64", "base64 in lines", "base64 for URLs", "base64 twice", "compressed", "UTF-16", "hexadecimal",
        "decimal entities", "escaped letters",
    )
}  # fmt: skip
INVISIBLE = {
    name: dresses.SPELLINGS[name]
    for name in ("zero-width spaces", "word joiners", "soft hyphens", "full width")
}


@st.composite
def written(draw: st.DrawFn) -> tuple[str, str, JSON]:
    """Draw a rule, a secret it is about, and a value that holds the secret in some form."""
    rule_id, template = draw(st.sampled_from(SECRETS))
    secret = form = expand(template, seed=draw(st.integers(0, 10**6)))
    if draw(st.booleans()):
        form = in_one(draw, ENCODINGS if draw(st.booleans()) else INVISIBLE, secret)
    framed = FRAMES[draw(st.sampled_from(sorted(FRAMES)))].replace("{}", form)
    return rule_id, secret, dresses.SHAPES[draw(st.sampled_from(sorted(dresses.SHAPES)))](framed)


@cases(0.1)
@given(drawn=written(), kind=st.sampled_from(KINDS))
def test_a_secret_is_found_in_every_form_and_masked(part, drawn, kind):
    rule_id, secret, value = drawn
    held = value if kind is EventKind.TOOL_RESULT else "\n".join(strings_of(value))
    detection = detection_of(kind, held)
    assert rule_id in {each.rule_id for each in detection.findings}
    spans = [(each.start, each.end) for each in detection.spans]
    left = strings_of(mask(held, detection.scanned, spans, PLACEHOLDER))
    assert not any(secret in text for text in left)


@cases(0.03)
@given(
    text=st.sampled_from(NEAR_MISSES),
    frame=st.sampled_from(sorted(NEUTRAL)),
    shape=st.sampled_from(sorted(dresses.SHAPES)),
    seed=st.integers(0, 10**6),
)
def test_a_near_miss_is_none_in_any_form(part, text, frame, shape, seed):
    value = dresses.SHAPES[shape](NEUTRAL[frame].replace("{}", expand(text, seed=seed)))
    assert judged(EventKind.TOOL_RESULT, value).action is Action.ALLOW


@pytest.mark.parametrize(("rule_id", "template"), SECRETS)
def test_every_secret_of_the_table_raises_its_rule(rule_id, template):
    assert rule_id in judged(EventKind.TOOL_RESULT, expand(template)).ids


def test_there_are_enough_of_both():
    assert len(SECRETS) >= 25
    assert len(NEAR_MISSES) >= 20
