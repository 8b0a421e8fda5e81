"""Variables that other programs act on: what they make them run, and which files they make them load.

Source: ``spec/defender.md`` §11 (assignments that load code); the manuals of bash, git and man.
"""

from __future__ import annotations

from typing import Final

from defenseclaw.detection.facts import UNKNOWN

RUN: Final = frozenset(
    [
        "PROMPT_COMMAND",
        "EDITOR",
        "VISUAL",
        "PAGER",
        "MANPAGER",
        "BROWSER",
        "LESSOPEN",
        "LESSCLOSE",
        "GIT_PAGER",
        "GIT_EDITOR",
        "GIT_SEQUENCE_EDITOR",
        "GIT_SSH_COMMAND",
        "GIT_EXTERNAL_DIFF",
        "GIT_PROXY_COMMAND",
        "SUDO_EDITOR",
        "SYSTEMD_PAGER",
        "SYSTEMD_EDITOR",
        "FCEDIT",
        "KUBE_EDITOR",
        "CRONTAB_EDITOR",
        "RSYNC_RSH",
        "SVN_EDITOR",
        "SVN_SSH",
        "HGEDITOR",
    ]
)
"""Their value is a command line that the program runs."""
FILES: Final = frozenset(
    [
        "BASH_ENV",
        "ENV",
        "LD_PRELOAD",
        "LD_AUDIT",
        "DYLD_INSERT_LIBRARIES",
        "PYTHONSTARTUP",
        "GIT_ASKPASS",
        "SSH_ASKPASS",
        "SUDO_ASKPASS",
        "GIT_SSH",
        "INPUTRC",
    ]
)
"""Their value names files that the program runs or loads."""
LOADERS: Final = (
    RUN
    | FILES
    | frozenset(
        [
            "LD_LIBRARY_PATH",
            "PERL5OPT",
            "PERL5LIB",
            "RUBYOPT",
            "RUBYLIB",
            "NODE_OPTIONS",
            "PYTHONPATH",
            "PYTHONHOME",
            "GIT_TEMPLATE_DIR",
            "GIT_CONFIG_GLOBAL",
            "GIT_CONFIG_SYSTEM",
            "GIT_EXEC_PATH",
        ]
    )
)
PROFILES: Final = frozenset(
    [
        ".bashrc",
        ".bash_profile",
        ".bash_login",
        ".profile",
        ".zshrc",
        ".zprofile",
        ".zshenv",
        ".zlogin",
        ".kshrc",
        ".bash_logout",
        ".bash_aliases",
        "bash.bashrc",
        "zshrc",
        "config.fish",
        ".xprofile",
        ".xsessionrc",
    ]
)
"""Names of files that a shell runs when it starts."""
OWN: Final = "DEFENSECLAW_"
"""Start of the names of our own variables."""
TOKEN: Final = "DEFENSECLAW_GATEWAY_TOKEN"  # noqa: S105 - its name
"""Where our token is when it is in an environment."""
TOKEN_VALUE: Final = UNKNOWN + TOKEN
"""Stands for its value: unknown like any other, but known to be it."""
_SHOWING: Final = frozenset({"printenv", "declare", "typeset"})
_TESTING: Final = frozenset({"[", "test", "[["})
AGENTS: Final = frozenset(
    [
        "HOME",
        "XDG_CONFIG_HOME",
        "CLAUDE_CONFIG_DIR",
        "CLAUDE_CODE_SIMPLE",
        "CODEX_HOME",
        "COPILOT_HOME",
        "GEMINI_CLI_HOME",
        "GEMINI_CLI_SYSTEM_SETTINGS_PATH",
        "GEMINI_CLI_SYSTEM_DEFAULTS_PATH",
        "HERMES_HOME",
        "HERMES_MANAGED_DIR",
        "HERMES_SAFE_MODE",
        "OMNIGENT_CONFIG_HOME",
        "OPENCODE_PURE",
    ]
)
"""Say where an agent reads its hooks, or that it shall read none."""


def loads(name: str) -> bool:
    """Return whether a variable of this name makes other programs load or run something."""
    return name in LOADERS or name.startswith("DYLD_")


def acts(name: str) -> bool:
    """Return whether a variable of this name changes what other programs do."""
    return loads(name) or name in AGENTS or name.startswith(OWN)


def shows_token(program: str, argv: tuple[str, ...]) -> bool:
    """Return whether a command prints our token or puts it among its words, other than to test it."""
    if program in _SHOWING and TOKEN in argv:
        return True
    return TOKEN_VALUE in "\0".join(argv) and program not in _TESTING


def inherited(assignments: tuple[str, ...]) -> tuple[str, ...]:
    """Return the assignments that count for what a command runs in turn."""
    return tuple(each for each in assignments if acts(each.partition("=")[0]))


def files_in(assignment: str) -> list[str]:
    """Return the files that ``NAME=value`` makes a program load; none for any other variable."""
    name, _, value = assignment.partition("=")
    if name not in FILES:
        return []
    return [part for part in value.replace(":", " ").split() if "/" in part or part.startswith("~")]
