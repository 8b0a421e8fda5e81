"""Text of any kind stays what it is inside Markdown."""

import pytest
from docs.render.markdown import anchor, block, code, table, words
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rm -rf /", "`rm -rf /`"),
        ("echo `id`", "`` echo `id` ``"),
        ("a ``b`` c", "```a ``b`` c```"),
        (" padded", "`  padded `"),
        ("", ""),
    ],
)
def test_code(text, shown):
    assert code(text) == shown


@given(st.text(alphabet="`ab \n", min_size=1))
def test_no_text_ends_its_own_block(text):
    lines = block(text).split("\n")
    fence = lines[0]
    assert set(fence) == {"`"}
    assert lines[-1] == fence
    assert all(fence not in line for line in lines[1:-1])


def test_a_cell_neither_breaks_its_row_nor_starts_a_column():
    assert table(("A",), [("one\ntwo | three",)]).splitlines()[-1] == r"| one two \| three |"


@pytest.mark.parametrize(
    ("heading", "fragment"),
    [
        ("defenseclaw setup claude-code", "defenseclaw-setup-claude-code"),
        ("POST /api/v1/inspect/tool-response", "post-apiv1inspecttool-response"),
        ("redirects (of a command)", "redirects-of-a-command"),
    ],
)
def test_anchor(heading, fragment):
    assert anchor(heading) == fragment


def test_a_docstring_becomes_one_line():
    assert words("Sends ``x``\n    to :class:`~a.b.C`.") == "Sends `x` to `a.b.C`."
