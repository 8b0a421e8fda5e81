"""Edits of TOML text: what is cut is gone, everything else stays as it was typed."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from defenseclaw.connectors.tomledit import Document, quoted
from defenseclaw.errors import ForeignContent

TEXT = """\
# top
title = 'a # not a comment' # a comment
"quoted key"."and more" = 1979-05-27 07:32:00
multi = [
  1, # one
  [2, { x = "]" }],
]
text = \"\"\"
[not.a.table]
\\"\"\" still "" \"\"\"\"\"

  [a . 'b']   # indented
c = { d = 1, e = [ { f = 2 }, { f = 3 } ] }

# above the list
[[list]]
n = 1
# after one

[[list]]
n = 2
[list.sub]
s = 1
[[list.inner]]
i = 1
[[list.inner]]
i = 2

[z]
"""


def test_reads_what_is_there():
    document = Document(TEXT.encode())
    assert [table.path for table in document.tables] == [
        (),
        ("a", "b"),
        ("list",),
        ("list",),
        ("list", "sub"),
        ("list", "inner"),
        ("list", "inner"),
        ("z",),
    ]
    assert [entry.path for entry in document.tables[0].entries] == [
        ("title",),
        ("quoted key", "and more"),
        ("multi",),
        ("text",),
    ]
    assert document.encode() == TEXT.encode()


@pytest.mark.parametrize(
    ("edit", "gone"),
    [
        (lambda d: d.cut_element(("list",), 0), "[[list]]\nn = 1\n"),
        (
            lambda d: d.cut_element(("list",), 1),
            TEXT[TEXT.index("[[list]]\nn = 2") : TEXT.index("\n[z]")],
        ),
        (lambda d: d.cut_member(("list",), 1, "inner", 0), "[[list.inner]]\ni = 1\n"),
        (lambda d: d.cut_element(("multi",), 0), "1, # one\n  "),
        (lambda d: d.cut_element(("multi",), 1), ', # one\n  [2, { x = "]" }]'),
        (lambda d: d.cut_element(("a", "b", "c", "e"), 1), ", { f = 3 }"),
        (lambda d: d.cut_table(("title",)), "title = 'a # not a comment' # a comment\n"),
        (lambda d: d.cut_table(("nothing",)), ""),
        (lambda d: d.cut_element(("nothing",), 0), ""),
    ],
)
def test_a_cut_takes_that_and_nothing_else(edit, gone):
    document = Document(TEXT.encode())
    edit(document)
    lines = [line for line in TEXT.replace(gone, "", 1).splitlines() if line]
    assert [line for line in document.text.splitlines() if line] == lines
    assert document.value == tomllib.loads(document.text)


def test_rename_reaches_headers_and_entries():
    document = Document(b'[s."a:1"]\nx = 1\n[s]\n"a:2".x = 2\n"a:3" = { x = 3 }\n')
    for old, new in (("a:1", "b:1"), ("a:2", "b:2"), ("a:3", "b:3")):
        document.rename(("s", old), new)
    assert document.text == '[s."b:1"]\nx = 1\n[s]\n"b:2".x = 2\n"b:3" = { x = 3 }\n'


def test_rename_to_a_name_of_another_length():
    document = Document(b'[s."a:10"]\nx = 1\ny = 2\n[z]\n')
    document.rename(("s", "a:10"), "a:9")
    assert document.text == '[s."a:9"]\nx = 1\ny = 2\n[z]\n'


def test_a_remark_inside_what_is_cut_stays():
    document = Document(b'a = 1\n\n[s]\n# why\nx = 1\n  # and how\ny = "# not one"\n[z]\n')
    document.cut_table(("s",))
    assert document.text == "a = 1\n# why\n  # and how\n[z]\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "[x]\ny = 1\n"),
        ("a = 1", "a = 1\n\n[x]\ny = 1\n"),
        ("a = 1\r\n", "a = 1\r\n\r\n[x]\r\ny = 1\r\n"),
        ("\ufeffa = 1\n", "\ufeffa = 1\n\n[x]\ny = 1\n"),
    ],
)
def test_append_and_cut_are_inverse(before, after):
    document = Document(before.encode())
    document.append("[x]\ny = 1\n")
    assert document.encode() == after.encode()
    document.cut_table(("x",))
    assert document.encode().strip() == before.encode().strip()


@pytest.mark.parametrize("content", [b"\xff", b"a = ", b"[a]\n[a]\n", b"a = 1\r", b"x = " + b"[" * 5000])
def test_what_is_no_toml_is_refused(content):
    with pytest.raises(ForeignContent):
        Document(content)


@given(st.text())
def test_any_text_survives_quoting(text):
    if not any(0xD800 <= ord(each) <= 0xDFFF for each in text):
        assert tomllib.loads(f"k = {quoted(text)}") == {"k": text}


@given(st.text(alphabet="ab.=[]{}\"'\n#, 1", max_size=40))
def test_any_text_is_read_or_refused(text):
    try:
        document = Document(text.encode())
    except ForeignContent:
        return
    assert document.encode() == text.encode()
    for table in document.tables:
        for entry in table.entries:
            assert tomllib.loads(document.text[entry.start : entry.end])
