"""An instruction is found however it is written, and not where it is only spoken of."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.detection.metamorphic import dresses
from tests.detection.metamorphic.cases import cases
from tests.detection.metamorphic.dresses import in_one, placed
from tests.detection.metamorphic.judged import TABLES, groups, judged

from defenseclaw.vocabulary import JSON, Action, EventKind

HIDDEN = [json.loads(line) for line in (TABLES / "hidden.jsonl").read_text().splitlines()]
(PLAIN,) = groups("plain")
RESULT = EventKind.TOOL_RESULT
SUSPICIOUS_THEMSELVES = ("zero-width spaces", "zero-width joiners", "byte order marks")
QUIET_SPELLINGS = {
    name: each for name, each in dresses.SPELLINGS.items() if name not in SUSPICIOUS_THEMSELVES
}


@pytest.mark.parametrize("text", HIDDEN)
def test_the_hidden_ones_raise_something(text):
    assert judged(RESULT, text).action is not Action.ALLOW


@pytest.mark.parametrize("text", PLAIN)
def test_the_plain_ones_raise_nothing(text):
    assert judged(RESULT, text).action is Action.ALLOW


def test_there_are_enough_of_both():
    assert len(HIDDEN) >= 30
    assert len(PLAIN) >= 30


@st.composite
def dressed(draw: st.DrawFn, texts: list[str], spellings: dict[str, dresses.Rewrite]) -> tuple[str, JSON]:
    """Draw a text, and a value of any shape that holds it as a model would still read it."""
    plain = text = draw(st.sampled_from(texts))
    if draw(st.booleans()):
        text = in_one(draw, dresses.CASES, text)
    places: Iterable[str] = dresses.PLACES
    how = draw(st.sampled_from(["as it is", "layout", "lines", "marked lines", "encoded"]))
    if how == "layout":
        text = in_one(draw, dresses.LAYOUTS, text)
    elif how == "lines":
        text, places = in_one(draw, dresses.WRAPPINGS, text), dresses.LINES
    elif how == "marked lines":
        text, places = in_one(draw, dresses.MARKED, text), dresses.BLOCKS
    if how == "encoded" and text.isascii():
        text = in_one(draw, dresses.ENCODINGS, text)
    elif draw(st.booleans()):
        text = in_one(draw, spellings, text)
    return plain, placed(draw, text, places)


@cases(0.13)
@given(drawn=dressed(HIDDEN, dresses.SPELLINGS))
def test_an_instruction_is_found_in_every_dress(part, drawn):
    plain, value = drawn
    assert judged(RESULT, value).keeps(judged(RESULT, plain))


@cases(0.08)
@given(drawn=dressed(PLAIN, QUIET_SPELLINGS))
def test_a_dress_makes_no_instruction(part, drawn):
    _, value = drawn
    assert judged(RESULT, value).action is Action.ALLOW


@cases(0.05)
@given(
    text=st.sampled_from(HIDDEN + PLAIN),
    frame=st.sampled_from(dresses.MENTIONS),
    layout=st.sampled_from([str, *dresses.LAYOUTS.values()]),
    shape=st.sampled_from(sorted(dresses.SHAPES)),
)
def test_a_mention_is_no_instruction(part, text, frame, layout, shape):
    assert judged(RESULT, dresses.SHAPES[shape](frame.replace("{}", layout(text)))).action is Action.ALLOW
