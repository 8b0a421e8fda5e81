"""Our evaluation of words against a real bash, on sources from a closed grammar.

Only quoting, expansions of variables that the source sets itself, braces, tildes and arithmetic come up, and
only the builtin ``printf`` is run: no substitution, no redirection, no wildcard, no other program.
"""

import re
import shutil
import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from defenseclaw.detection.facts import UNKNOWN

HOME = "/home/ada"
# Bash expands braces in the text, before it reads names: $e{a,b} is $ea and $eb. We read names first.
_NAME_BEFORE_BRACE = re.compile(r"\$\w+\{")
BASH = shutil.which("bash") or "/bin/bash"

plain = st.text(alphabet="abc01._,/:@%+=-", min_size=1, max_size=4)
single = st.text(alphabet='ab $"\\`{};|&#~', max_size=5).map(lambda text: f"'{text}'")
ansi = st.lists(
    st.sampled_from(
        ["a", " ", "\\n", "\\t", "\\x41", "\\101", "\\\\", "\\'", "\\u00e9", "\\e", '\\"', "\\z"]
    ),
    max_size=4,
).map(lambda parts: "$'" + "".join(parts) + "'")
escaped = st.sampled_from(["\\a", "\\ ", "\\$", "\\\\", "\\'", '\\"', "\\;", "\\~", "\\{", "\\\n"])
number = st.sampled_from(["0", "1", "2", "-1", "n", "n+1", "2*n", "(n+3)/2", "n%2", "7-n", "0x1f", "010"])
arithmetic = number.map(lambda text: f"$(({text}))")
name = st.sampled_from(["a", "b", "e", "u", "n"])
parameter = st.one_of(
    name.map(lambda each: f"${each}"),
    name.map(lambda each: f"${{{each}}}"),
    name.map(lambda each: f"${{#{each}}}"),
    st.builds(
        lambda each, op, word: f"${{{each}{op}{word}}}",
        name,
        st.sampled_from([":-", "-", ":+", "+", ":="]),
        plain,
    ),
    st.builds(
        lambda each, op, word: f"${{{each}{op}{word}}}", name, st.sampled_from(["#", "##", "%", "%%"]), plain
    ),
    st.builds(
        lambda each, op, old, new: f"${{{each}{op}{old}/{new}}}",
        name,
        st.sampled_from(["/", "//"]),
        st.sampled_from(["a", "b c", "/", "xx"]).map(lambda text: text.replace("/", "\\/")),
        st.sampled_from(["", "Q", "r s"]),
    ),
    st.builds(
        lambda each, at, size: f"${{{each}:{at}:{size}}}",
        name,
        st.sampled_from(["0", "1", " -2", "n"]),
        st.sampled_from(["0", "1", "3", "-1"]),
    ),
    st.builds(lambda each, op: f"${{{each}{op}}}", name, st.sampled_from(["^", "^^", ",", ",,"])),
    st.sampled_from(
        [
            "${l[@]}",
            "${l[*]}",
            "${l[0]}",
            "${l[1]}",
            "${#l[@]}",
            "${l[n]}",
            "${l[@]:1}",
            "${!r}",
            "$@",
            "$#",
            "$1",
            "${l[-1]}",
            "${l[@]/o/0}",
            "${l[@]^^}",
            "$*",
            "${@:2}",
            "${m[k]}",
        ]
    ),
)
double = st.lists(
    st.one_of(
        st.text(alphabet="ab '{}~;", max_size=3),
        parameter,
        arithmetic,
        st.sampled_from(["\\$", '\\"', "\\\\", "\\a", "\\`"]),
    ),
    max_size=3,
).map(lambda parts: '"' + "".join(parts) + '"')
brace = st.sampled_from(
    [
        "{a,b}",
        "{a,}",
        "{1..3}",
        "{c..a}",
        "{a,b}{c,d}",
        "{a,{b,c}}",
        "{01..03}",
        "{a..e..2}",
        "{,x}",
        "{a\\,b,c}",
        "{'a b',c}",
        "{$n,x}",
        "{5..1..2}",
    ]
)
tilde = st.sampled_from(["~", "~/x", "a~", "~/'b c'", "'~'/x", "x=~/y", "x:~", "\\~/x"])
piece = st.one_of(plain, single, ansi, escaped, arithmetic, parameter, double, brace)
word = st.one_of(st.lists(piece, min_size=1, max_size=4).map("".join), tilde)
values = st.sampled_from(
    ["", "abc", "'a b  c'", "/x/y.tar.gz", "' lead'", "'trail '", "xxaxx", "~/h", "$'t\\tu'", "ab\\ c", "é"]
)
ifs = st.sampled_from(["", "", "", "IFS=:; ", "IFS=; ", "IFS=' x'; ", "IFS=,; "])
sources = st.builds(
    lambda a, b, n, sep, words: (
        f"{sep}a={a}; b={b}; e=; n={n}; r=a; l=(one 'two o' three); declare -A m=([k]=v); set -- p 'q r' s; "
        f"printf '%s\\0' {' '.join(words)} end"
    ),
    values,
    values,
    st.integers(0, 5),
    ifs,
    st.lists(word, min_size=1, max_size=4),
)


def run_bash(source, directory):
    """Return the words that bash hands to printf; None when it refuses the source."""
    done = subprocess.run(
        [BASH, "--norc", "--noprofile", "-f", "-c", source],
        env={"HOME": HOME, "PATH": "", "LC_ALL": "C.UTF-8"},
        cwd=directory,
        capture_output=True,
        timeout=10,
        check=False,
    )
    if done.returncode or done.stderr:
        return None
    return done.stdout.decode("utf-8", "surrogateescape").split("\0")[:-1]


@pytest.fixture(name="directory", scope="module")
def empty_directory(tmp_path_factory):
    return tmp_path_factory.mktemp("empty")


def ours(evaluate, source):
    return list(evaluate(source).commands[-1].argv[2:])


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(source=sources)
def test_words_come_out_as_in_bash(evaluate, directory, source):
    expected = run_bash(source, directory)
    if expected is None or _NAME_BEFORE_BRACE.search(source):
        return
    words = ours(evaluate, source)
    if UNKNOWN in "".join(words):
        return
    assert words == expected


def test_the_grammar_is_mostly_understood(evaluate, directory):
    """Guards the test above against passing because everything is unknown or refused."""
    source = (
        "a='x y'; l=(one two); n=2; printf '%s\\0' \"$a\" $a ${l[@]} {a,b}$((n+1)) ~/z $'\\x41' ${a%y} end"
    )
    assert ours(evaluate, source) == run_bash(source, directory)
