"""Strict JSON in linear time."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct
from tests.work import calls_of

from defenseclaw.errors import BadJson
from defenseclaw.gateway.jsonbody import ANY, Reader, TooDeep, check_bounds


class Body(Struct):
    tool: str | None = None


def nested(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


@pytest.mark.parametrize(
    ("body", "value"),
    [
        pytest.param(b'{"a":1,"a":2}', {"a": 2}, id="the last duplicate wins"),
        pytest.param(b" [1]\n", [1], id="outer blanks"),
        pytest.param(nested(64), json.loads(nested(64)), id="64 levels"),
        pytest.param(json.dumps("[" * 500).encode(), "[" * 500, id="brackets inside a string"),
        pytest.param(
            json.dumps(['\\"' + "{" * 500, "]" * 500]).encode(),
            ['\\"' + "{" * 500, "]" * 500],
            id="escaped quotes do not end a string",
        ),
        pytest.param(json.dumps([[]] * 500).encode(), [[]] * 500, id="many, side by side"),
        pytest.param(rb'["\ud83d cut"]', ["\ufffd cut"], id="a lone surrogate is replaced"),
        pytest.param(rb'["\ud83d\ude00"]', ["\U0001f600"], id="a pair is kept"),
        pytest.param(rb'["\\ud83d", "\udc00"]', ["\\ud83d", "\ufffd"], id="a backslash is no escape"),
    ],
)
def test_reads(body, value):
    assert ANY.read(body) == value


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{} {}", id="trailing data"),
        pytest.param(b"NaN", id="NaN"),
        pytest.param(b"[Infinity]", id="Infinity"),
        pytest.param(b'{"tool":"\xff"}', id="not UTF-8"),
        pytest.param(b'{"unknown":"\xff"}', id="not UTF-8 where nobody looks"),
        pytest.param(b'{"unknown":"\xed\xa0\x80"}', id="a surrogate in UTF-8"),
        pytest.param(b"\xef\xbb\xbf{}", id="a byte order mark"),
        pytest.param(b'{"tool":7}', id="wrong type"),
        pytest.param(b"[]", id="not an object"),
        pytest.param(b"{'tool':1}", id="single quotes"),
        pytest.param(b"1" * 5000, id="a number without end"),
        pytest.param(rb'{"tool":"\ud83d}', id="a lone surrogate in a broken string"),
    ],
)
def test_refuses(body):
    with pytest.raises(BadJson):
        Reader(Body).read(body)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(nested(65), id="65 levels"),
        pytest.param(nested(100_000), id="100000 levels"),
        pytest.param(b'{"a":' * 100_000, id="100000 objects never closed"),
        pytest.param(b'{"unknown":' + nested(65) + b"}", id="deep where nobody looks"),
        pytest.param(b"[" + b"[]," * 1_100_000 + b"[]]", id="a million values"),
        pytest.param(b'["]]]]",' + nested(65) + b"]", id="closing brackets in a string do not count"),
    ],
)
def test_refuses_what_is_too_deep_or_too_much(body):
    with pytest.raises(TooDeep):
        Reader(Body).read(body)


def test_null_is_an_empty_object():
    assert Reader(Body).read(b" null ") == Body()


def test_null_is_absent():
    assert Reader(Body).read(b'{"tool":null}') == Body()


def test_bounds_are_checked_in_linear_time():
    def work(count: int) -> int:
        body = b"[" + b'"[",[[[[]]]],' * count + b"0]"
        return calls_of(lambda: check_bounds(body))

    assert work(50_000) < 11 * work(5_000) + 100


@given(st.recursive(st.text() | st.integers(-(2**53), 2**53) | st.none(), st.lists, max_leaves=30))
def test_reads_what_others_write(value):
    assert ANY.read(json.dumps([value], ensure_ascii=False).encode()) == [value]
