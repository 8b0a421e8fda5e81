"""JSON edits touch what they edit."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from defenseclaw.connectors.jsonedit import Document
from defenseclaw.errors import ForeignContent

VALUE = {"a": ["b", {"c": True}]}

scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=8)
values = st.recursive(
    scalars, lambda kids: st.lists(kids, max_size=3) | st.dictionaries(st.text(max_size=5), kids, max_size=3)
)


@given(
    data=st.dictionaries(st.text(max_size=6), values, max_size=4),
    indent=st.sampled_from([None, 0, 1, 2, 4, "\t"]),
    ascii_only=st.booleans(),
    tail=st.sampled_from(["", "\n", "\r\n", "  \n\n"]),
    mark=st.sampled_from([b"", b"\xef\xbb\xbf"]),
    crlf=st.booleans(),
)
def test_adding_and_removing_again_gives_the_bytes_back(data, indent, ascii_only, tail, mark, crlf):
    data.pop("ours", None)
    text = json.dumps(data, indent=indent, ensure_ascii=ascii_only) + tail
    if crlf:
        text = text.replace("\r\n", "\n").replace("\n", "\r\n")
    content = mark + text.encode("utf-8", "surrogatepass" if ascii_only else "strict")
    document = Document(content)
    document.add_member(document.root, "ours", VALUE)
    assert json.loads(document.encode().decode("utf-8-sig")) == {**data, "ours": VALUE}
    document.remove_member(document.root, "ours")
    assert document.encode() == content


def test_indentation_and_order_are_the_files_own():
    document = Document(b'{\n\t"z": 1,\n\t"a": {\n\t\t"k": []\n\t}\n}\n')
    document.add_member(document.find("a"), "new", {"x": 1})
    document.add_item(document.find("a", "k"), "item")
    assert document.encode() == (
        b'{\n\t"z": 1,\n\t"a": {\n\t\t"k": [\n\t\t\t"item"\n\t\t],\n'
        b'\t\t"new": {\n\t\t\t"x": 1\n\t\t}\n\t}\n}\n'
    )


def test_a_line_stays_a_line():
    document = Document(b'{"a": [1]}')
    document.add_item(document.find("a"), {"b": 2})
    document.add_member(document.root, "c", 3)
    assert document.encode() == b'{"a": [1, {"b": 2}], "c": 3}'


@pytest.mark.parametrize(("index", "left"), [(0, b"[ 2 , 3]"), (1, b"[ 1 , 3]"), (2, b"[ 1 , 2]")])
def test_removing_an_element(index, left):
    document = Document(b"[ 1 , 2 , 3]")
    document.remove_item(document.root, index)
    assert json.loads(document.encode()) == json.loads(left)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"{]",
        b"{} {}",
        b'{"a":1,}',
        b"[1,]",
        b"{'a':1}",
        b"// c\n{}",
        b'{"a" 1}',
        b"nul",
        b'"\\x"',
        b'{"a":01}',
        b"\xff",
        b"[" * 200 + b"]" * 200,
        b'"\n"',
        b"NaN",
        b"1" * 5000,
    ],
)
def test_what_is_not_json_is_refused(text):
    with pytest.raises(ForeignContent):
        Document(text)


def test_a_key_that_stands_twice_is_refused_when_asked_for():
    document = Document(b'{"a":1,"a":2,"b":3}')
    assert document.find("b").value == 3
    with pytest.raises(ForeignContent, match="more than once"):
        document.find("a")


@given(values)
def test_reads_as_json_does(value):
    assert Document(json.dumps(value).encode()).root.value == value
