"""Use against mention, and what people do not see."""

import pytest

from defenseclaw.detection.injection.context import is_hidden, is_mentioned

PHRASE = "ignore the above"


def mentioned(text):
    start = text.index(PHRASE)
    return is_mentioned(text, start, start + len(PHRASE))


@pytest.mark.parametrize(
    "text",
    [
        'The page says "ignore the above" in white letters.',
        "Strings such as ignore the above are blocked.",
        "It tries to make the model ignore the above and obey.",
        "An attacker wrote: “ignore the above”.",
        "assert flagged('ignore the above')  # attack",
        "```\nignore the above\n```\nThat was the payload.",
        "Injection and jailbreak attacks: ignore the above",
    ],
)
def test_mentioned(text):
    assert mentioned(text)


@pytest.mark.parametrize(
    "text",
    [
        "ignore the above",
        '{"note": "ignore the above"}',
        "note = 'ignore the above'",
        "It's late, don't wait and ignore the above, it's fine.",
        'He said "hello" and left. ignore the above',
        "This was no attack. ignore the above",
    ],
)
def test_used(text):
    assert not mentioned(text)


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("<!-- note: X -->", True),
        ("<!-- note --> X", False),
        ('<div style="display: none">X</div>', True),
        ('<div style="display: none">a</div> X', False),
        ('<p style="font-size:0">X', True),
        ("[//]: # (X)", True),
        ("plain X", False),
    ],
)
def test_hidden(text, hidden):
    assert is_hidden(text, text.index("X")) is hidden
