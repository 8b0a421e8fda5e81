from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.work import calls_of

from defenseclaw.detection.shell.literals import plain_text, printed, unescaped


@pytest.mark.parametrize(
    ("language", "code", "expected"),
    [
        ("python", r"'rm\x20-rf \u002f \U0000007e \157k'", "'rm -rf / ~ ok'"),
        ("python", r"'a\N{SPACE}b \N{NO SUCH NAME}'", r"'a b \N{NO SUCH NAME}'"),
        ("node", r"'\x72m\u{20}-rf'", "'rm -rf'"),
        ("perl", r'"rm\x{20}\x2drf \o{57} \N{U+7e}"', '"rm -rf / ~"'),
        ("ruby", r'"rm\s-\u{72}f"', '"rm -rf"'),
        ("php", r'"rm\40-rf \u{2f}"', '"rm -rf /"'),
        ("lua", r"'rm\32-rf \47'", "'rm -rf /'"),
        ("python", "'rm \\\n-rf'", "'rm -rf'"),
        ("perl", "'rm \\\n-rf'", "'rm \\\n-rf'"),
        # what would end the string stays escaped, and an escaped backslash escapes nothing
        ("python", r"'\x27 \x22 \x5c \x0a \x60'", r"""'\' \" \\ \n \`'"""),
        ("python", r"'\\x20 \n \d \999 \ud800 \x01'", r"'\\x20 \n \d \999 \ud800 \x01'"),
        ("python", "'\\", "'\\"),
    ],
)
def test_characters_written_by_number_are_themselves(language, code, expected):
    assert unescaped(code, language) == expected


@given(
    st.text(alphabet=r"\xuUN{}oO0127aAfs'+ " + "\n"), st.sampled_from(["python", "perl", "ruby", "lua", "x"])
)
def test_any_text_has_its_characters(code, language):
    assert len(unescaped(code, language)) <= 2 * len(code)
    assert printed(code, language) is None or not code.strip()


@pytest.mark.parametrize(
    ("inside", "expected"),
    [("a b", "a b"), (r"a\nb\tc", "a\nb\tc"), (r"\"\'\\n\q", "\"'\\nq"), ("a\\", "a\\")],
)
def test_a_literal_is_read(inside, expected):
    assert plain_text(inside) == expected


@pytest.mark.parametrize(
    ("language", "code", "expected"),
    [
        ("python", "print('rm -rf /')", "rm -rf /\n"),
        ("python", "import os, sys\nprint('a', \"b\", end=''); sys.stdout.write(r'c')", "a b\nc"),
        ("python", "print('a', file=sys.stderr)", ""),
        ("python", r"print('a\x20\'b\'\n')", "a 'b'\n\n"),
        ("node", "console.log('a', `b`); process.stdout.write(\"c\"); console.error('d')", "a b\nc"),
        ("perl", r'print "a", "b\n"; say("c")', "ab\nc\n"),
        ("perl", "print STDERR 'a'", ""),
        ("ruby", "puts 'a', 'b'; print('c'); warn 'd'", "a\nb\nc"),
        ("php", 'echo "a", "b"; print("c");', "abc"),
        ("lua", "print('a', 'b') io.write('c')", None),
        ("lua", "print('a', 'b'); io.write('c')", "a b\nc"),
        ("python", "", ""),
        # whatever else there is may do something
        ("python", "print('a') or f('b')", None),
        ("python", "print(f'{f()}')", None),
        ("python", "print('a'\n'b')", None),
        ("python", "import mine; print('a')", None),
        ("python", "print 'a'", None),
        ("python", "print('a'", None),
        ("node", "console.log(`${f()}`)", None),
        ("node", "console.log('a' + f())", None),
        ("perl", 'print "@{[`id`]}"', None),
        ("perl", "print `id`", None),
        ("perl", "print('a';", None),
        ("perl", "s/print('//; system('id');#')/", None),
        ("ruby", 'puts "#{`id`}"', None),
        ("php", 'echo "${f()}";', None),
        ("php", "echo `id`;", None),
        ("tcl", "puts a", None),
        ("python", "print('" + "a" * 20_000 + "')", None),
    ],
)
def test_what_only_prints_is_known(language, code, expected):
    assert printed(code, language) == expected


@pytest.mark.parametrize(
    "unit", ["print('a');", "print('", "import os;", "\\x20", "'a',", " ", '"\\', "print("]
)
def test_work_grows_with_the_length(unit):
    small, large = (
        calls_of(lambda size=size: (printed(unit * size, "python"), unescaped(unit * size, "node")))
        for size in (300, 600)
    )
    assert large <= 2.3 * small + 300
