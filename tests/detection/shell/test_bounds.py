"""Hostile input: never an exception, never much time, nothing hidden behind padding."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.work import calls_of

_FRAGMENTS = [
    "$(",
    ")",
    "`",
    "'",
    '"',
    "${",
    "}",
    "{",
    ";",
    "|",
    "&",
    "&&",
    "<<E\n",
    "<<<",
    "<(",
    ">(",
    ">",
    "<",
    "\\",
    "\n",
    "$((",
    "))",
    "((",
    "[[",
    "]]",
    "if ",
    "then ",
    "fi ",
    "for x in ",
    "do ",
    "done ",
    "case x in ",
    "esac ",
    ";;",
    "f() {",
    "function ",
    "a=",
    "a=(",
    "$a",
    "$@",
    "${a#",
    "${!a",
    "${a[1]",
    "${a//b/",
    "{a,b}",
    "{1..9}",
    "~",
    "*",
    "?(",
    "#",
    " ",
    "\t",
    "\0",
    "\r\n",
    "rm ",
    "sudo ",
    "env -S",
    "xargs ",
    "bash -c ",
    "eval ",
    "echo ",
    "base64 -d",
    "E\n",
    "find . -exec ",
    "ssh h ",
    "\ufffd",
    "\ud800",
    "é",
    "time ",
    "! ",
    "coproc ",
    "trap ",
    "alias a=",
    "read a",
    "printf %d ",
    "-",
    "+",
    "1",
    "2>",
    "tr a-",
    "cut -c",
    "su ",
    "docker run ",
]


@given(st.lists(st.sampled_from(_FRAGMENTS) | st.text(max_size=4), max_size=40).map("".join))
@settings(max_examples=150, deadline=None)
def test_any_text_is_evaluated(evaluate, source):
    evaluation = evaluate(source)
    assert evaluation.parse in ("complete", "partial", "invalid", "not_applicable")
    ids = [command.id for command in evaluation.commands]
    assert ids == sorted(set(ids))
    assert all(command.parent in (0, *ids) for command in evaluation.commands)
    assert all("\n" not in command.text for command in evaluation.commands)


_WORD = st.text(st.characters(codec="ascii", exclude_characters="\0\r"), min_size=1, max_size=12)


def _single(word: str) -> str:
    return "'" + word.replace("'", "'\\''") + "'"


def _double(word: str) -> str:
    return '"' + "".join("\\" + char if char in '$`"\\' else char for char in word) + '"'


def _ansi(word: str) -> str:
    return "$'" + "".join(f"\\x{ord(char):02x}" for char in word) + "'"


def _escaped(word: str) -> str:
    return "".join("$'\\n'" if char == "\n" else "\\" + char for char in word)


def _split(word: str) -> str:
    return "''".join(map(_single, word))


@given(st.lists(_WORD, min_size=1, max_size=4), st.data())
@settings(max_examples=80, deadline=None)
def test_quoting_does_not_change_the_words(evaluate, words, data):
    styles = st.sampled_from([_single, _double, _ansi, _escaped, _split])
    source = "x " + " ".join(data.draw(styles)(word) for word in words)
    [command] = evaluate(source).commands
    assert command.argv == ("x", *words)


@given(st.lists(_WORD, min_size=1, max_size=4))
@settings(max_examples=80, deadline=None)
def test_text_reads_back_as_the_same_text(evaluate, words):
    first = evaluate("x " + " ".join(map(_single, words))).commands[0]
    if any(char in word for word in words for char in "{}~*?[]!"):
        return
    again = evaluate(first.text).commands[0]
    assert (again.argv, again.text) == (first.argv, first.text)


_UNITS = [
    "$(",
    "(",
    "{ ",
    '"',
    "'",
    "`a ",
    ")",
    "<<A ",
    "${a:-",
    "case x in ",
    "if ",
    "<",
    "&",
    ";",
    "a | ",
    "$((",
    "((",
    "[[ ",
    "a=",
    "\0",
    "a=(",
    "{a,",
    "{a,b}",
    "@(",
    "<<<",
    "<(",
    "$(a) ",
    '"${a#*b}"',
    "(a) )",
    "((a) );",
    "\\`",
    "f(){ f;};f;",
    "a=$a$a;",
    "eval 'a';",
    "alias a='a b';a;",
    "\\\n",
    "1>",
    "{1..9}",
    'a="`b`";',
    "cat <(a) ",
    "set -- $@ $@ a b;",
    "a ( ",
    ">a ",
    "while a;do b;done;",
    "for i in a b c d; do ",
    "f() { ",
    "sudo bash -c ",
    'bash -c "$(',
    'find . -exec sh -c "find" \\; ',
]


@pytest.mark.parametrize("unit", _UNITS)
def test_work_grows_with_size_not_faster(evaluate, unit):
    def work(size: int) -> int:
        source = unit * (size // len(unit))
        return calls_of(lambda: evaluate(source))

    small, large = work(6 << 10), work(24 << 10)
    assert large < 6 * small + 2000


@pytest.mark.parametrize(
    "unit", ["$(", "(", "{ ", "${a:-", "if a; then ", "eval $(", 'bash -c "$(', "<(", "a | (", "f() { "]
)
def test_nesting_of_any_depth_ends(evaluate, unit):
    evaluation = evaluate(unit * 100_000)
    assert "depth_limit" in evaluation.issues


@pytest.mark.parametrize(
    "padding",
    [
        " " * 2_000_000,
        "\n" * 300_000,
        "# " + "x" * 2_000_000 + "\n",
        "echo " + "x" * 2_000_000 + ";",
        ": '" + "y\n" * 50_000 + "';",
        "cat > f <<E\n" + "b\n" * 50_000 + "E\n",
        "echo " + "a " * 50_000 + ";",
        "true;" * 20_000,
        "x=1;" * 20_000,
    ],
    ids=[
        "blanks",
        "newlines",
        "comment",
        "word",
        "quoted lines",
        "here-document",
        "words",
        "commands",
        "assignments",
    ],
)
def test_padding_hides_nothing(evaluate, padding):
    assert evaluate(padding + "rm -rf /").commands[-1].text == "rm -rf /"


@pytest.mark.parametrize(
    "source",
    [
        "for a in {1..64}; do for b in {1..64}; do for c in {1..64}; do x=$a$b$c; done; done; done",
        "a=xxxxxxxx; " + "a=$a$a; " * 60 + "echo $a",
        "x=" + "a" * 200_000 + "; for i in {1..64}; do echo $x; eval $x; done",
        "echo {1..99}{1..99}{1..99}",
        "eval 'eval eval eval eval'; " * 2000,
        "printf '%099999999d' 1 | sh",
        "echo $((2**62 * 2**62)) $((1<<99)) $((9**9**9))",
        "echo ${x/" + "*" * 500 + "/}",
        "f(){ f $@ $@; }; f a b c",
    ],
    ids=lambda source: source[:28],
)
def test_expansions_that_multiply_are_cut(evaluate, source):
    assert calls_of(lambda: evaluate(source)) < 5_000_000
