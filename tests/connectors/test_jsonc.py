"""JSON with comments: what is edited is edited, what somebody remarked stays."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from defenseclaw.connectors.jsonc import CommentedDocument
from defenseclaw.errors import ForeignContent

TEXT = """\
// top
{
  "url": "http://not/a/comment", // why
  /* block
     of two lines */ "b": ["/* text */", 1],
  "empty": { // nobody yet
  },
  "list": [
    "one", // first
    "two"
  ]
}
// end
"""


def comments(text):
    return re.findall(r"// (?:top|why|nobody yet|first|end)|/\* block\n {5}of two lines \*/", text)


def test_reads_through_comments():
    document = CommentedDocument(TEXT.encode())
    assert document.root.value == {
        "url": "http://not/a/comment",
        "b": ["/* text */", 1],
        "empty": {},
        "list": ["one", "two"],
    }
    assert document.encode() == TEXT.encode()


@pytest.mark.parametrize(
    ("edit", "value"),
    [
        (lambda d: d.add_member(d.find("empty"), "x", 1), {"empty": {"x": 1}}),
        (lambda d: d.add_member(d.root, "new", {"x": [1]}), {"new": {"x": [1]}}),
        (lambda d: d.add_item(d.find("list"), "three"), {"list": ["one", "two", "three"]}),
        (lambda d: d.remove_item(d.find("list"), 0), {"list": ["two"]}),
        (lambda d: d.remove_item(d.find("list"), 1), {"list": ["one"]}),
        (lambda d: d.remove_member(d.root, "url"), {"url": None}),
        (lambda d: d.remove_member(d.root, "b"), {"b": None}),
        (lambda d: d.remove_member(d.root, "list"), {"list": None}),
    ],
)
def test_an_edit_keeps_every_comment(edit, value):
    document = CommentedDocument(TEXT.encode())
    before = document.root.value
    edit(document)
    wanted = {key: each for key, each in (before | value).items() if each is not None}
    assert document.root.value == wanted
    assert sorted(comments(document.encode().decode())) == sorted(comments(TEXT))
    assert CommentedDocument(document.encode()).root.value == wanted


def test_what_was_added_can_be_taken_out_again():
    document = CommentedDocument(TEXT.encode())
    document.add_member(document.root, "ours", {"x": 1})
    document.remove_member(document.root, "ours")
    assert document.encode() == TEXT.encode()


@pytest.mark.parametrize("text", ["{} /* open", "{} / /", "// only", '{"a": 1 // }', "{'a': 1}", '{"a": 1,}'])
def test_what_is_neither_is_refused(text):
    with pytest.raises(ForeignContent):
        CommentedDocument(text.encode())


@given(st.text(), st.text(alphabet="ab*/ \"'\\"))
def test_text_that_looks_like_a_comment_is_text(value, remark):
    line = remark.replace("\n", " ")
    text = json.dumps({"k": value}, ensure_ascii=True)
    document = CommentedDocument(f"// {line}\n{text} // {line}".encode())
    assert document.root.value == {"k": value}
