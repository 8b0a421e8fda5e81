"""Package managers and launchers of packages."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from defenseclaw.detection.programs.base import Act, Program, grammar, is_url

_OURS: Final = re.compile(r"^(?:@[\w-]+/)?defenseclaw(?:-gateway|-openclaw)?(?:$|[@=<>\[])")
_INSTALL: Final = frozenset(
    {"install", "i", "add", "in", "isntall", "sync", "upgrade", "update", "download", "get", "ci", "tap"}
)
_REMOVE: Final = frozenset(
    {"uninstall", "remove", "rm", "purge", "erase", "autoremove", "un", "unlink", "del"}
)
_RUN: Final = frozenset({"dlx", "exec", "x", "run", "tool"})
_INDEX_OPTIONS: Final = (
    "-i",
    "--extra-index-url",
    "--registry",
    "-f",
    "--index",
    "--default-index",
    "--repository",
    "--source",
)


def _manager(act: Act) -> None:
    words = list(act.operands)
    if words[:1] in (["exec"], ["x"]) and act.program in ("npm", "pnpm"):
        act.nested.extend(act.all("-c", "--call"))
    if words[:1] in (["pip"], ["pip3"], ["tool"], ["global"], ["self"]):
        words = words[1:]
    verb = words[0] if words else ""
    packages = words[1:]
    if act.has("-S", "-U") and act.program in ("pacman", "yay", "paru"):
        verb, packages = "install", words
    if act.has("-R") and act.program in ("pacman", "yay", "paru"):
        verb, packages = "remove", words
    if verb in _INSTALL:
        act.does("fetch", "write")
        act.is_("package_install")
        for package in packages:
            address = package.removeprefix("git+")
            if is_url(address) and not address.startswith("file:"):
                act.is_("package_url")
                act.talk("download", address)
            exact = _OURS.match(package.lower())
            if exact and (exact[0][-1] in "@=<>" or act.has("-U", "--force-reinstall", "--reinstall")):
                act.is_("self_uninstall")
        act.touch("read", act.all("-r", "-c"))
    elif verb in _REMOVE:
        act.does("delete")
        if any(_OURS.match(package.lower()) for package in packages):
            act.is_("self_uninstall")
    elif verb in ("publish", "upload", "push"):
        act.does("upload")
        act.is_("publish")
    elif verb in ("token", "login", "logout", "adduser", "owner"):
        act.does("connect")
    elif verb == "config" and "set" in packages[:2]:
        act.does("config_change")
        for word in packages[1:4]:
            address = word.partition("=")[2] or word
            if is_url(address):
                act.is_("package_url")
                act.talk("download", address)
    elif (
        verb == "config"
        and packages[:1] == ["get"]
        and any("token" in word.lower() or "password" in word.lower() for word in packages[1:])
    ):
        act.does("credential_read")
        act.is_("secret_value")
        act.emits.append("credential_store")
    for url in act.all(*_INDEX_OPTIONS):
        if is_url(url):
            act.is_("package_url")
            act.talk("download", url)
    for proxy in act.all("--proxy"):
        act.talk("connect", proxy, "http")


def _system_package(act: Act) -> None:
    """Describe dpkg, rpm, installer: files instead of names."""
    if act.has("-i", "-U", "--install") or act.operand(0) in ("install", "add"):
        act.does("write")
        act.is_("package_install")
        for word in act.operands:
            if is_url(word):
                act.is_("package_url")
                act.talk("download", word)
            elif "/" in word:
                act.touch("execute", [word])
    elif act.has("-r", "-P", "-e", "--purge", "--remove"):
        act.does("delete")
        if any(_OURS.match(word.lower()) for word in act.operands):
            act.is_("self_uninstall")


def _launcher(act: Act) -> None:
    """Describe npx, uvx, bunx, pipx run: the package named is the program; it is understood apart."""
    act.does("fetch", "execute")
    act.is_("package_run")
    act.nested.extend(act.all("-c"))
    for word in act.operands[:1]:
        address = word.removeprefix("git+")
        if is_url(address):
            act.is_("package_url", "runs_download")
            act.talk("download", address)


def launched(program: str, argv: tuple[str, ...]) -> tuple[str, ...]:
    """Return the words of the program that a launcher runs; empty when it runs none.

    ``npx -y pkg@1 a`` → ``pkg a``; ``pnpm dlx``, ``uv tool run``, ``pipx run`` and ``python -m`` likewise.
    """
    prefix = _PREFIXES.get(program)
    if prefix is None:
        return ()
    words = list(argv[1:])
    index = _after_prefix(words, prefix)
    if index < 0:
        return ()
    while index < len(words) and words[index].startswith("-"):
        name = words[index]
        index += 2 if name in _LAUNCHER_VALUES else 1
        if name == "--" or name == "-m":
            break
    if index >= len(words):
        return ()
    name = words[index]
    bare = name if name.startswith("@") and name.count("@") == 1 else name.rpartition("@")[0] or name
    bare = bare.partition("==")[0].partition("[")[0]
    if bare.lower().startswith("defenseclaw.cli") or bare.lower() == "defenseclaw.__main__":
        bare = "defenseclaw"
    return (_PACKAGE_PROGRAMS.get(bare.lower(), bare.rpartition("/")[2]), *words[index + 1 :])


def _after_prefix(words: list[str], prefix: tuple[tuple[str, ...], ...]) -> int:
    for option in prefix:
        if tuple(words[: len(option)]) == option:
            return len(option)
    return -1


_PREFIXES: Final[dict[str, tuple[tuple[str, ...], ...]]] = {
    "npx": ((),),
    "bunx": ((),),
    "uvx": ((),),
    "pnpx": ((),),
    "pnpm": (("dlx",), ("exec",)),
    "yarn": (("dlx",), ("exec",)),
    "npm": (("exec",), ("x",)),
    "bun": (("x",),),
    "pipx": (("run",),),
    "uv": (("tool", "run"), ("run",)),
    "poetry": (("run",),),
    "pdm": (("run",),),
    "rye": (("run",),),
    "hatch": (("run",),),
    "conda": (("run",),),
    "pixi": (("run",),),
    "mise": (("exec",), ("x",)),
    "asdf": (("exec",),),
    "bundle": (("exec",),),
    "python": (("-m",),),
    "python3": (("-m",),),
    "pypy3": (("-m",),),
}
_LAUNCHER_VALUES: Final = frozenset(
    {
        "-p",
        "--package",
        "--from",
        "--with",
        "--python",
        "-c",
        "--call",
        "--spec",
        "-n",
        "--project",
        "--directory",
        "--index-url",
        "--with-requirements",
        "--env-file",
    }
)
_PACKAGE_PROGRAMS: Final = {
    "@anthropic-ai/claude-code": "claude",
    "@openai/codex": "codex",
    "@google/gemini-cli": "gemini",
    "@github/copilot": "copilot",
    "opencode-ai": "opencode",
    "defenseclaw.cli": "defenseclaw",
    "defenseclaw.main": "defenseclaw-gateway",
}


_MANAGER: Final = grammar(
    "-r,--requirement= -c,--constraint= -i,--index-url= --extra-index-url= --registry= "
    "-f,--find-links= --index= --default-index= "
    "--repository= --source= -t,--target= -d= --prefix= --root= --proxy= --python= -C= --filter= "
    "-w,--workspace= -p= -n= "
    "-y,--yes -q -g,--global -D,--save-dev -U,--upgrade -e -S -R -v --dry-run --no-scripts --ignore-scripts"
)
_PREVIEWS: Final = frozenset({"--help", "--version", "--dry-run", "-h", "-V"})


def _row(describe: Callable[[Act], None]) -> Program:
    return Program(_MANAGER, describe, _PREVIEWS)


PROGRAMS: Final[dict[str, Program]] = {
    **{
        name: _row(_manager)
        for name in (
            "pip",
            "pip3",
            "npm",
            "pnpm",
            "yarn",
            "bun",
            "uv",
            "pipx",
            "poetry",
            "pdm",
            "conda",
            "mamba",
            "gem",
            "cargo",
            "go",
            "composer",
            "brew",
            "apt",
            "apt-get",
            "aptitude",
            "dnf",
            "yum",
            "zypper",
            "apk",
            "pacman",
            "yay",
            "paru",
            "emerge",
            "port",
            "nix-env",
            "choco",
            "scoop",
            "winget",
            "easy_install",
            "luarocks",
            "cpan",
            "cpanm",
            "opam",
            "cabal",
            "stack",
            "mix",
            "dotnet",
            "nuget",
            "hatch",
            "rye",
            "pixi",
            "bundle",
            "twine",
            "pod",
            "pub",
            "dart",
            "flutter",
        )
    },
    **{
        name: Program(
            grammar("-p,--package= --from= --with= --python= -y,--yes -q -c,--call=", stop=True), _launcher
        )
        for name in ("npx", "bunx", "uvx", "pnpx")
    },
    **{
        name: Program(
            grammar(
                "-i,--install -r,--remove -P,--purge -e,--erase -U -q -a -l -L -V --force-all -pkg= -target="
            ),
            _system_package,
        )
        for name in ("dpkg", "rpm", "installer", "softwareupdate")
    },
}
for _versioned in ("cargo", "gem"):
    # `--version` names a version of the package there, and nothing is previewed.
    PROGRAMS[_versioned] = Program(_MANAGER, _manager, _PREVIEWS - {"--version"})
