"""cmd.exe: words, variables, blocks and loops."""

import pytest
from tests.detection.windows.understood import commands, evaluated

from defenseclaw.detection.facts import UNKNOWN


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("del x", [("del", "x")]),
        ('del "a b"', [("del", "a b")]),
        ("d^el x", [("del", "x")]),
        ('"del" x', [("del", "x")]),
        ("rd/s/q x", [("rd", "/s", "/q", "x")]),
        ("rmdir /s/q x", [("rd", "/s", "/q", "x")]),
        ("cd\\& del x", [("cd", "\\"), ("del", "x")]),
        ("@del x", [("del", "x")]),
        ("del x & del y", [("del", "x"), ("del", "y")]),
        ("del x && del y || del z", [("del", "x"), ("del", "y"), ("del", "z")]),
        ("(del x\ndel y)", [("del", "x"), ("del", "y")]),
        ("rem del x", []),
        (":: del x", []),
        ("echo a ^& del x", [("echo", "a", "&", "del", "x")]),
        ('echo "a & del x"', [("echo", "a & del x")]),
        ("if exist x del x", [("del", "x")]),
        ('if "a b"=="c" (del x) else (del y)', [("del", "x"), ("del", "y")]),
        ("if not defined A del x", [("del", "x")]),
        ("for %i in (a b) do del %i", [("del", "a"), ("del", "b")]),
        ("for %%i in (a) do (del %%i & del %%~i.x)", [("del", "a"), ("del", "a.x")]),
        ("for /f %i in (list.txt) do del %i", [("del", UNKNOWN)]),
        ("for /l %i in (1,1,3) do del %i", [("del", UNKNOWN)]),
        ("call del x", [("call", "del", "x"), ("del", "x")]),
        ('start "t" /b del x', [("start", "t", "/b", "del", "x"), ("del", "x")]),
        ("cmd /c del x & del y", [("cmd", "/c", "del x"), ("del", "y")]),
        ('cmd.exe /s /c "del x & del y"', [("cmd", "/s", "/c", "del x & del y")]),
        ("type x", [("get-content", "x")]),
        ('del "a^b" ^"c d', [("del", "a^b", '"c', "d")]),
        ('del a"b c"d', [("del", "ab cd")]),
        ('del "a b', [("del", "a b")]),
        ("del x^", [("del", "x^")]),
        ("del x \u00b2> y", [("del", "x", "\u00b2")]),
        ('("del" ")" x) & del y', [("del", ")", "x"), ("del", "y")]),
    ],
)
def test_words(source, expected):
    assert commands(source, "cmd") == expected


@pytest.mark.parametrize(
    ("source", "word"),
    [
        ("set A=x& del %A%", "x"),
        ('set "A=x y"& del "%a%"', "x y"),
        ("set A=axb& del %A:~1,1%", "x"),
        ("set A=axb& del %A:~-2,1%", "x"),
        ("set A=zy& del %A:z=x%", "xy"),
        ("set A=x& set B=%A%y& del %B%", "xy"),
        ("set A=x& del !A!", "x"),
        ("del %USERPROFILE%\\x", "/home/ada\\x"),
        ("del %windir%\\x", "C:\\Windows\\x"),
        ("del %NOBODY%", UNKNOWN),
        ("set /p A=& del %A%", UNKNOWN),
        ("del %1", UNKNOWN),
    ],
)
def test_variables(source, word):
    assert commands(source, "cmd")[-1][1] == word


def test_a_variable_may_hold_commands():
    assert ("del", "x") in commands("set A=echo a ^& del x& %A%", "cmd")


def test_a_pipe_and_what_comes_through_it():
    found = evaluated("echo del x | cmd", "cmd")
    assert [(each.program, each.pipeline, each.position) for each in found.commands] == [
        ("echo", 1, 0),
        ("cmd", 1, 1),
    ]
    assert found.stdin == {2: "del x"}


def test_redirections():
    (found,) = evaluated("type x > y 2>nul < z", "cmd").commands
    assert [(each.fd, each.access, each.target) for each in found.redirects] == [
        (1, "write", "y"),
        (2, "write", "/dev/null"),
        (0, "read", "z"),
    ]


def test_the_directory_changes():
    found = evaluated("cd /d C:\\a & del b", "cmd")
    assert found.cwds == {1: "C:/a", 2: "C:/a"} or found.cwds[2] == "C:/a"
