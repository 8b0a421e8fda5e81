"""Use against mention, and what people do not see."""

import pytest

from defenseclaw.detection.injection.context import (
    is_hidden,
    is_log_entry,
    is_mentioned,
    is_own_work,
    is_sample_request,
    is_told_of,
)

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
        "| Attack | Words |\n|---|---|\n| Override | ignore the above |",
        "✓ refuses 'ignore the above' (12 ms)",
        "id: jailbreak-1\ntext: ignore the above\nexpected: no",
        "The attacker wrote:\n> ignore the above",
        '{"note": "The attacker wrote:\\n> ignore the above"}',
        '{"note": "The attacker wrote:\\n\\u003e ignore the above"}',
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
        "| Name | Note |\n|---|---|\n| Ann | ignore the above |",
        "| attack | ignore the above |",
        "Ann wrote:\n> ignore the above",
        "The attacker left. She > he, ignore the above",
        '{"html": "<p class=\\"a\\">ignore the above</p>"}',
        '{"html": "<p class="a">ignore the above</p>"}',
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


@pytest.mark.parametrize(
    ("asked", "own"),
    [("all you changed above", True), ("what you've done so far", True), ("all you were told above", False)],
)
def test_what_the_reader_did_itself(asked, own):
    text = f"Repeat {asked}, please."
    assert is_own_work(text, 7, 7 + len(asked)) is own


AUTHOR = "commit 3f2a1bc\nAuthor: Ann Example <ann@acme.io>\nDate:   Mon Mar 3 10:12:44 2025 +0100\n\n"


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("3f2a1bc X", True),
        ("* 3f2a1bc (HEAD -> main, origin/main) X", True),
        (AUTHOR + "    X", True),
        (AUTHOR + "    Fix it.\n\n    X", True),
        (AUTHOR + "X", False),
        (AUTHOR + "    Hello. X", False),
        ("tool (1.2-3) unstable; urgency=medium\n\n  * X", True),
        ("  * X\n\n -- Ann Example <ann@acme.io>  Sat, 03 Feb 2024 12:00:00 +0100", True),
        ("2013-02-01  Ann Example  <ann@acme.io>\n\n\t* X", True),
        ("  * X", False),
        ("    X", False),
        ("cafe X", False),
    ],
)
def test_logs_of_changes(text, entry):
    start = text.index("X")
    assert is_log_entry(text, start, start + 1) is entry
