"""Any input ends, in time that grows with its length, and says when something was left out."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.detection.windows.understood import evaluated

from defenseclaw.detection.windows import bounds

POWERSHELL = [
    "(", "{", "@(", "$(", '"', '"$(', "[", "$x[", "a|", "a;", "'a'+", "-join ", "`", '"$a', '$a="$a$a";',
    'iex "',
    "& {", "%{", "1..9999|%{", "@{a=",
    "foreach($i in 1..99){", "a,", "$a.b(", "[char]", "if(1){", "<#", '@"\n',
    "::", "1..8192;", "$x='aaaa';$x+=$x;", ">", '"a"*99999;',
    "function f{f};f;", "$a=$a+$a;", 'iex("iex(',
    "[Convert]::FromBase64String(", "wsl a;", "${", "a.b.c", "x -Path:", " ", "'a'-split'a',", "try{",
    "$a.b.c ", "$a=1;", "x 'a' ", "a -b:c ", "1 ", "<# #", '"a"b', "a`\n",
]  # fmt: skip
CMD = [
    "(", "&", "|", "^", '"', "%a%", "a&", "(a&", "for %i in (a b) do ", "if 1==1 ", "set a=%a%%a%&",
    "call ", "!a!",
    "start ", "cmd /c ", "a>b ", "rd /s /q x&", "(echo a)|", "/a", 'set "a=%a:a=aa%"&', " else ",
    "@", "\n", " ", "/a:", '"a"', "^a", "1>&2 ", '(^"',
]  # fmt: skip
UNITS = [("powershell", each) for each in POWERSHELL] + [("cmd", each) for each in CMD]


def seconds(source: str, dialect: str) -> float:
    began = time.process_time()
    evaluated(source, dialect)
    return time.process_time() - began


@pytest.mark.parametrize(("dialect", "unit"), UNITS, ids=[f"{d}:{u.strip()!r}" for d, u in UNITS])
def test_repetition_is_no_slower_than_linear(dialect, unit):
    small, large = 2_000 // len(unit), 16_000 // len(unit)
    fast = min(seconds(unit * small, dialect) for _ in range(2))
    slow = min(seconds(unit * large, dialect) for _ in range(2))
    # Eight times the text; a bound that is reached only in between makes it cheaper.
    assert slow <= 30 * max(fast, 0.004)


FRAGMENTS = st.sampled_from([*POWERSHELL, *CMD, "ri ", "C:\\", "}", ")", "]", "'", " -f ", "\u2013", "x"])


@settings(max_examples=150, deadline=None)
@given(
    st.lists(FRAGMENTS | st.text(max_size=6), max_size=24).map("".join),
    st.sampled_from(["powershell", "cmd"]),
)
def test_nothing_is_raised(source, dialect):
    found = evaluated(source, dialect)
    assert len(found.commands) <= bounds.MAX_COMMANDS + bounds.MAX_UNWRAPPED * 8192
    assert [each.id for each in found.commands] == sorted({each.id for each in found.commands})


@pytest.mark.parametrize(
    ("source", "dialect", "issue"),
    [
        ("(" * 200 + "ri x", "powershell", "depth_limit"),
        ("& {" * 200 + "ri x", "powershell", "depth_limit"),
        ("(" * 200 + "del x", "cmd", "depth_limit"),
        ("$f = { & $f }; & $f", "powershell", "depth_limit"),
        ("\n".join(f"ri x{at}" for at in range(bounds.MAX_COMMANDS + 1)), "powershell", "fact_limit"),
        ("\n".join(f"del x{at}" for at in range(bounds.MAX_COMMANDS + 1)), "cmd", "fact_limit"),
        ("$x = 'aaaaaaaa' * 9999;" * 200, "powershell", "fact_limit"),
        ("wsl a;" * (bounds.MAX_UNWRAPPED + 1), "powershell", "depth_limit"),
        ("x" * (bounds.MAX_SOURCE + 1), "cmd", "input_limit"),
    ],
    ids=lambda value: value[:24] if isinstance(value, str) else value,
)
def test_what_is_left_out_is_said(source, dialect, issue):
    assert issue in evaluated(source, dialect).issues


def test_what_stands_before_a_bound_counts():
    found = evaluated("ri first;" + "$x = 'aaaaaaaa' * 9999;" * 200)
    assert found.commands[0].argv == ("ri", "first")
