"""Which language a call is in: by the tool's name, else by two signs in the text."""

import pytest

from defenseclaw.detection.windows import CMD, POWERSHELL, dialects_of


@pytest.mark.parametrize(
    ("tool", "text", "dialect"),
    [
        ("powershell", "ls", POWERSHELL),
        ("pwsh", "rm -rf x", POWERSHELL),
        ("cmd", "git status", CMD),
        ("bash", "Remove-Item -Recurse C:\\", ""),
        ("sh", "del /s /q C:\\", ""),
    ],
)
def test_the_name_of_the_tool_decides(tool, text, dialect):
    assert dialects_of(tool, text) == (dialect,)


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
