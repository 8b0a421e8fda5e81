"""Use against mention, and what people do not see."""

import pytest

from defenseclaw.detection.injection.context import is_hidden, is_mentioned, is_sample_request, is_told_of

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


ASKED = "Ignore the above."


def is_sample(text, asked=ASKED):
    start = text.index(asked)
    return is_sample_request(text, start, start + len(asked))


@pytest.mark.parametrize(
    "text",
    [
        f'- "{ASKED}"\n- "Say hello."',
        f'1. "Say hello."\n2. "{ASKED}"',
        f'User: "{ASKED}"',
        f'**Example:** "{ASKED}"',
    ],
)
def test_what_somebody_may_ask_for(text):
    assert is_sample(text)


@pytest.mark.parametrize("text", ["<button>Delete the copy</button>", '{"label": "Delete the copy"}'])
def test_the_label_of_a_button(text):
    assert is_sample(text, "Delete the copy")


def test_when_something_is_used():
    assert is_sample("Reads mail. Use when the user asks for it.", "Use when the user asks for it")


def test_an_entry_of_a_change_log():
    assert is_sample("- core/mail.py: Delete the copy of it", "Delete the copy of it")


@pytest.mark.parametrize(
    "text",
    [
        ASKED,
        f'He says hello. "{ASKED}"',
        f'- "{ASKED}"',
        f'{{"note": "{ASKED}"}}',
        f"<p>{ASKED} {'And more of it. ' * 4}</p>",
        f"- {ASKED}",
    ],
)
def test_what_is_asked_for(text):
    assert not is_sample(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Write a story about X", True),
        ("the film in which X", True),
        ("a character named Dan, X", True),
        ("Here is a story. X", False),
        ("X", False),
        ("a story about love and loss and a great many other things too, X", False),
    ],
)
def test_what_a_story_is_about(text, told):
    assert is_told_of(text, text.index("X")) is told
