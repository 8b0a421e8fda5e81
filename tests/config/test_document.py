from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from defenseclaw.config.document import MAX_BYTES, MAX_DEPTH, parse
from defenseclaw.config.load import loads
from defenseclaw.config.schema import Config
from defenseclaw.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("a: 1\nb: 2\na: 3\n", "config.yaml:3: duplicate key `a`", id="duplicate key"),
        pytest.param("s:\n  a: 1\n  a: 1\n", "config.yaml:3: duplicate key `a`", id="duplicate in a section"),
        pytest.param("l:\n- {a: 1, a: 2}\n", "config.yaml:2: duplicate key `a`", id="duplicate in a list"),
        pytest.param("a: 1\n---\nb: 2\n", "config.yaml:2: more than one document", id="two documents"),
        pytest.param("a: &x 1\nb: *x\n", "config.yaml:2: anchors and aliases", id="alias"),
        pytest.param("a:\n  <<: {b: 1}\n", "config.yaml:2: a key must be plain text", id="merge key"),
        pytest.param("on: 1\n", "config.yaml:1: a key must be plain text", id="key that YAML reads as yes"),
        pytest.param("? [a]\n: 1\n", "config.yaml:1: a key must be plain text", id="list as a key"),
        pytest.param("- a\n", "the top level must be a mapping", id="list at the top"),
        pytest.param("just words\n", "the top level must be a mapping", id="text at the top"),
        pytest.param("a: [1\nb: 2\n", "config.yaml:2: not valid YAML", id="syntax"),
        pytest.param("a: !!python/object:os.system x\n", "not valid YAML", id="foreign tag"),
        pytest.param("a: 2020-99-99\n", "not valid YAML", id="date that does not exist"),
        pytest.param("[" * (MAX_DEPTH + 1), "nested deeper than 32", id="depth"),
        pytest.param("#" * (MAX_BYTES + 1), "larger than 1048576 bytes", id="size"),
    ],
)
def test_refuses(text: str, problem: str):
    with pytest.raises(ConfigError) as refusal:
        parse(text.encode(), "config.yaml")
    assert problem in refusal.value.message


def test_refuses_what_is_not_utf8_without_repeating_it():
    with pytest.raises(ConfigError, match=r"not UTF-8 \(byte 3\)") as refusal:
        parse(b"a: \xff\xfe", "config.yaml")
    assert "\ufffd" not in refusal.value.message


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n", "null\n"])
def test_an_empty_document_has_no_keys(text: str):
    assert parse(text.encode(), "config.yaml").data == {}


def test_null_and_empty_text_mean_not_set():
    data = parse(b"a:\nb: ''\nc: {d: null, e: 0, f: false}\ng: [1, '']\n", "config.yaml").data
    assert data == {"c": {"e": 0, "f": False}, "g": [1, ""]}


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (("a",), 1),
        (("s", "b"), 3),
        (("s", "l", 1), 6),
        (("s", "missing"), 2),
        (("missing",), 1),
    ],
)
def test_knows_the_line_of_each_key(keys: tuple[str | int, ...], line: int):
    document = parse(b"a: 1\ns:\n  b: 2\n  l:\n  - x\n  - y\n", "config.yaml")
    assert document.line_of(keys) == line


@given(
    st.binary(max_size=200) | st.text(alphabet="ab:- \n\t[]{}&*!|>#'\"?,%@`<~0", max_size=60).map(str.encode)
)
@settings(max_examples=300, deadline=None)
def test_whatever_the_file_holds_is_decoded_or_refused(content: bytes):
    with suppress(ConfigError):
        assert isinstance(loads(content), Config)
