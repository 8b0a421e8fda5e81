"""Version control: what loses work, skips hooks, reroutes remotes or makes git run commands."""

from __future__ import annotations

import re
from typing import Final

from defenseclaw.detection.facts import UNKNOWN
from defenseclaw.detection.programs.base import Act, Grammar, Program, grammar, is_url, parse, split_pair

_GLOBAL: Final = grammar(
    "-C= -c= --git-dir= --work-tree= --namespace= --exec-path= --config-env= --super-prefix= -p -P "
    "--no-pager --bare",
    stop=True,
)
_VERBS: Final[dict[str, Grammar]] = {
    "commit": grammar(
        "-m,--message= -F,--file= -C= -c= --author= --date= -t= -n,--no-verify -a -q -v -s -S "
        "--amend --fixup="
    ),
    "push": grammar(
        "-o= --receive-pack= --repo= -f,--force --force-with-lease --force-if-includes -d,--delete "
        "--mirror --prune -n,--dry-run -u -q --no-verify"
    ),
    "merge": grammar("-m= -s= -X= --no-verify --abort"),
    "rebase": grammar("-x,--exec= --onto= -s= -X= -i --no-verify --abort --continue"),
    "reset": grammar("--hard --soft --mixed --keep --merge -q"),
    "clean": grammar("-e= -f,--force -d -x -X -n,--dry-run -q -i"),
    "checkout": grammar("-b= -B= --orphan= -f,--force -q -t --ours --theirs -p,--patch"),
    "switch": grammar("-c= -C= --orphan= -f,--force,--discard-changes"),
    "restore": grammar("-s,--source= -S,--staged -W,--worktree -p,--patch -q"),
    "stash": grammar("-m= -u -k -q -a"),
    "branch": grammar("-u= -D -d,--delete -f,--force -m -M -a -r"),
    "tag": grammar("-m= -F= -u= -d,--delete -f -a -s"),
    "config": grammar(
        "-f,--file= --blob= --type= --default= --global --system --local --worktree --add --get "
        "--get-all --get-regexp "
        "--get-urlmatch -l,--list --unset --unset-all --replace-all --rename-section "
        "--remove-section -e,--edit -z"
    ),
    "remote": grammar("-t= -m= -v,--verbose -f --push --add --delete"),
    "clone": grammar(
        "-b= -o= -u= -c,--config= --depth= --reference= --upload-pack= --template= --recurse-submodules -q"
    ),
    "show": grammar(
        "--output= --format= --pretty= -n,--max-count= --skip= -U,--unified= --grep= --grep-reflog= "
        "--author= --committer= --since,--after= --until,--before= -S= -G= -L= -O= --date= --diff-filter= "
        "--word-diff-regex="
    ),
    "bisect": grammar(),
    "submodule": grammar("-b= --name= --reference= --depth= -f -q"),
    "worktree": grammar("-b= -B= -f,--force"),
    "apply": grammar("-p= --directory= --exclude= --include= --check --stat"),
    "grep": grammar("-e= -f= -O,--open-files-in-pager= -n -i -l -r"),
    "archive": grammar("-o,--output= --format= --prefix= --remote= --exec="),
    "init": grammar("--template= --separate-git-dir= -b= --bare -q"),
    "filter-branch": grammar(
        "--tree-filter= --index-filter= --msg-filter= --env-filter= --commit-filter= -f"
    ),
    "difftool": grammar("-x,--extcmd= -t= -y"),
    "ls-remote": grammar("--upload-pack= -q"),
    "fetch": grammar("--upload-pack= -o= --depth= -q -p --all"),
}
_ALIASES: Final = {
    "log": "show",
    "diff": "show",
    "whatchanged": "show",
    "pull": "fetch",
    "format-patch": "show",
    "cherry-pick": "merge",
    "am": "merge",
}
_PLAIN_SSH: Final = frozenset({"", "ssh", "/usr/bin/ssh"})
_COMMAND_KEYS: Final = re.compile(
    r"(?i)^(?:core\.(?:sshcommand|pager|editor|fsmonitor|askpass|gitproxy|alternaterefscommand)|"
    r"diff\.external|diff\..+\.(?:command|textconv)|merge\..+\.driver|filter\..+\.(?:clean|smudge|process)|"
    r"sequence\.editor|gpg\.(?:.+\.)?program|credential\.(?:.+\.)?helper|pager\..+|alias\..+|"
    r"(?:mergetool|difftool)\..+\.cmd|sendemail\.(?:smtpserver|tocmd|cccmd)|protocol\.ext\.allow|"
    r"uploadpack\.packobjectshook|browser\..+\.cmd|man\..+\.cmd|http\.proxy|"
    r"url\..+\.(?:insteadof|pushinsteadof)|include(?:if\..+)?\.path)$"
)
_NOTHING: Final = frozenset({"", "/dev/null", "nul", "NUL"})


def _git(act: Act) -> None:
    for setting in act.all("-c"):
        name, _, value = setting.partition("=")
        _set_config(act, name, value, persistent=False)
    directory = act.value("-C")
    verb, *rest = [*_alias(act, act.operand(0)), *act.operands[1:]]
    rules = _VERBS.get(verb) or _VERBS.get(_ALIASES.get(verb, ""), _NO_OPTIONS)
    sub = Act("git", tuple(rest))
    parse(sub, rules)
    act.options.extend(sub.options)
    act.operands = [verb, *sub.operands]
    if any(name in sub.values for name in ("--help", "-h")):
        act.preview()
        return
    describe = _DESCRIBE.get(verb)
    if describe is not None:
        describe(act, sub)
    if directory:
        act.paths = [use._replace(value=_inside(directory, use.value)) for use in act.paths]
    if directory and verb not in _LOOKS:
        act.touch("write", [directory])
    if sub.value("--output"):
        act.does("write")
        act.touch("write", [_inside(directory, sub.value("--output"))])
    for option in ("--upload-pack", "--receive-pack", "-x", "--extcmd", "--exec"):
        for command in filter(None, sub.all(option)):
            act.is_("shell_escape")
            act.nested.append(command)


_NO_OPTIONS: Final = grammar()
_LOOKS: Final = frozenset(
    {
        "",
        "status",
        "log",
        "diff",
        "show",
        "branch",
        "rev-parse",
        "ls-files",
        "grep",
        "blame",
        "describe",
        "remote",
        "fetch",
        "config",
        "rev-list",
        "shortlog",
        "reflog",
        "cat-file",
        "ls-tree",
        "for-each-ref",
        "worktree",
        "tag",
    }
)
"""Verbs that leave a work tree as it is."""


def _alias(act: Act, verb: str) -> list[str]:
    """Return the words that ``verb`` stands for by an alias that this call itself sets."""
    for setting in act.all("-c"):
        name, _, value = setting.partition("=")
        if name.lower() == f"alias.{verb.lower()}" and value and not value.startswith("!"):
            return value.split()
    return [verb]


def _inside(directory: str, path: str) -> str:
    return f"{directory.rstrip('/')}/{path}" if directory and not path.startswith(("/", "~")) else path


def _commit(act: Act, sub: Act) -> None:
    act.does("write")
    if sub.has("-n", "--no-verify"):
        act.does("policy_bypass")
        act.is_("no_verify")
    act.touch("read", sub.all("-F"))


def _push(act: Act, sub: Act) -> None:
    if sub.has("-n"):
        act.preview()
        return
    act.does("upload")
    if sub.has("--no-verify"):
        act.does("policy_bypass")
        act.is_("no_verify")
    forced = [word for word in sub.operands[1:] if word.startswith("+")]
    leased = any(option.startswith("--force") for option in sub.options)
    says_what_is_there = any(":" in lease for lease in sub.all("--force-with-lease"))
    if sub.has("-f", "--mirror") or forced or leased:
        act.is_("history_rewrite", "destructive_vcs", "force")
    # A lease guards what others pushed since the last fetch; of a branch that all work from it is not enough.
    to_shared = leased and not says_what_is_there and any(map(_is_shared, sub.operands[1:]))
    if sub.has("-f", "--mirror") or forced or to_shared:
        act.is_("remote_overwritten")
    if sub.has("-d", "--prune") or any(word.startswith(":") for word in sub.operands[1:]):
        act.is_("destructive_vcs", "remote_branch_lost")
        act.does("delete")
    _talk_remote(act, "upload", sub.operand(0))


_SHARED: Final = re.compile(r"(?:refs/heads/)?(?:main|master|trunk|develop|production|release/.+)")


def _is_shared(reference: str) -> bool:
    """Whether a reference, or what it is pushed to, is a branch that everybody works from."""
    return _SHARED.fullmatch(reference.rpartition(":")[2]) is not None


def _merge(act: Act, sub: Act) -> None:
    act.does("write")
    if sub.has("--no-verify"):
        act.does("policy_bypass")
        act.is_("no_verify")


def _rebase(act: Act, sub: Act) -> None:
    act.does("write")
    if not sub.has("--abort", "--continue"):
        act.is_("history_rewrite")


def _reset(act: Act, sub: Act) -> None:
    act.does("write")
    if sub.has("--hard", "--merge"):
        act.is_("destructive_vcs", "changes_lost")


def _clean(act: Act, sub: Act) -> None:
    if sub.has("-n"):
        act.preview()
        return
    if sub.has("-f"):
        act.does("delete")
        act.is_("destructive_vcs", "force", "bulk", "changes_lost")
        if sub.has("-d"):
            act.is_("recursive")
        act.touch("delete", sub.operands or ["."])


def _checkout(act: Act, sub: Act) -> None:
    act.does("write")
    files = sub.operands
    if "--" in act.words:
        files = list(act.words[act.words.index("--") + 1 :])
        act.is_("destructive_vcs")
        if not _all_routine(files) and not sub.has("-p", "--ours", "--theirs"):
            act.is_("changes_lost")
    elif "." in files:
        act.is_("destructive_vcs", "changes_lost")
        files = ["."]
    else:
        named = [word for word in files if _FILE_NAME.search(word)]
        if not _all_routine(named) and not sub.has("-b", "-B", "-p", "--ours", "--theirs"):
            act.is_("changes_lost")
        # The only word is a branch or a file; a name with an ending is more likely the latter.
        files = files[1:] or [word for word in files if "." in word]
    if sub.has("-f"):
        act.is_("destructive_vcs", "force", "changes_lost")
    act.touch("write", files)


_FILE_NAME: Final = re.compile(r"[^/]\.[a-z][a-z0-9]{1,4}$|[^/\d]\.[a-z]$")
"""What is a file rather than a branch or version (``release/1.x``)."""


_GENERATED: Final = frozenset(
    {
        "package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock",
        "poetry.lock", "uv.lock", "pdm.lock", "pipfile.lock", "cargo.lock", "gemfile.lock",
        "composer.lock", "go.sum", "flake.lock",
    }
)  # fmt: skip


_ENDINGS: Final = """
    py pyi pyx js jsx mjs cjs ts tsx mts cts vue svelte astro go rs java kt kts scala groovy clj cljs c h cc
    cpp cxx hpp hh cs fs vb swift m mm rb erb php pl pm lua r jl sh bash zsh fish ps1 sql html css scss sass
    less json jsonc json5 yaml yml toml ini cfg conf xml gradle cmake mk proto graphql tf tfvars hcl ex exs
    erl hs ml mli dart zig nim v sv sol asm lock snap properties csproj sln podspec gemspec nix bzl
"""
_FILES: Final = """
    makefile dockerfile gemfile rakefile podfile procfile vagrantfile jenkinsfile justfile brewfile go.mod
    go.sum cmakelists.txt requirements.txt .gitignore .gitattributes .dockerignore .eslintrc .prettierrc
    .babelrc .editorconfig .npmrc .nvmrc .python-version .pre-commit-config.yaml
"""
_PROGRAM_TEXT: Final = frozenset(_ENDINGS.split())
_PROGRAM_FILES: Final = frozenset(_FILES.split())


def _all_routine(files: list[str]) -> bool:
    """Whether every file is one that is named, and is program text or made by a package manager.

    Taking back an edit of one's own is how programs are written. Documents, data, directories and patterns
    may be what somebody else has worked on.
    """
    return all(_is_routine(file) for file in files)


def _is_routine(file: str) -> bool:
    name = file.rpartition("/")[2].lower()
    if UNKNOWN in file or not _PLAIN_NAME.fullmatch(name):
        return False
    return name in _GENERATED or name in _PROGRAM_FILES or name.rpartition(".")[2] in _PROGRAM_TEXT


_PLAIN_NAME: Final = re.compile(r"[^*?\[\]{}]+\.[^*?\[\]{}.]+|[a-z]+")


def _restore(act: Act, sub: Act) -> None:
    act.does("write")
    if not sub.has("-S") or sub.has("-W"):
        act.is_("destructive_vcs")
        if not sub.has("-p") and not _all_routine(sub.operands):
            act.is_("changes_lost")
        act.touch("write", sub.operands)


def _stash(act: Act, sub: Act) -> None:
    act.does("write")
    if sub.operand(0) in ("drop", "clear"):
        act.is_("destructive_vcs", "stash_lost")
        act.does("delete")


def _branch(act: Act, sub: Act) -> None:
    if sub.has("-D") or (sub.has("-d") and sub.has("-f")):
        act.is_("destructive_vcs", "force")
        act.does("delete")
        # One branch by name: what only it held is in the log of references for months.
        if len(sub.operands) != 1 or UNKNOWN in sub.operands[0] or _is_shared(sub.operands[0]):
            act.is_("branch_lost")
    elif sub.has("-f", "-M"):
        if sub.has("-f"):
            act.is_("branch_lost")
        act.is_("destructive_vcs")


def _tag(act: Act, sub: Act) -> None:
    if sub.has("-d"):
        act.does("delete")


def _lossy(act: Act, sub: Act) -> None:
    """Describe what rewrites or drops history for good."""
    verb, first = act.operand(0), sub.operand(0)
    if verb in ("reflog",) and first not in ("expire", "delete"):
        return
    if verb == "gc" and not any(option.startswith("--prune") for option in sub.options):
        return
    if {"-n", "--dry-run"} & set(sub.options):
        return
    if verb == "update-ref":
        if not sub.has("-d", "--stdin"):
            return
        act.is_("branch_lost")
    elif verb != "gc" or any(word in ("--prune=now", "--prune=all") for word in act.words):
        act.is_("history_lost")
    act.does("delete")
    act.is_("destructive_vcs")
    if verb.startswith("filter"):
        act.is_("history_rewrite")
    for text in sub.all("--tree-filter", "--index-filter", "--msg-filter", "--env-filter", "--commit-filter"):
        act.is_("shell_escape")
        act.nested.append(text)


def _config(act: Act, sub: Act) -> None:
    words = sub.operands
    if words[:1] and words[0] in ("set", "get", "list", "unset", "edit"):
        verb, words = words[0], words[1:]
        if verb in ("get", "list"):
            words = words[:1]
    if sub.has("--get", "--get-all", "--get-regexp", "--get-urlmatch", "-l") or len(words) < 2:
        if sub.has("--unset", "--unset-all", "--remove-section"):
            act.does("config_change")
        elif sub.has("-l") or (len(words) == 1 and UNKNOWN not in words[0]):
            act.does("read")
        return
    act.does("config_change", "write")
    _set_config(act, words[0], words[1], persistent=True)
    target = (
        "~/.gitconfig" if sub.has("--global") else "/etc/gitconfig" if sub.has("--system") else ".git/config"
    )
    act.touch("metadata", [target])
    act.touch("write", sub.all("-f"))


def _set_config(act: Act, name: str, value: str, *, persistent: bool) -> None:
    key = name.lower()
    if key == "core.hookspath":
        if value in _NOTHING:
            act.does("policy_bypass")
            act.is_("hooks_disabled")
        else:
            act.is_("hooks_redirected", "config_exec")
            act.touch("execute", [value])
        return
    if not _COMMAND_KEYS.match(name):
        return
    command = value.lstrip("!")
    if key.startswith("alias."):
        if not value.startswith("!"):
            return
    elif ".helper" in key:
        if not value.startswith(("!", "/")) or command.strip() in (
            "gh auth git-credential",
            "/usr/bin/gh auth git-credential",
        ):
            return
    elif (
        key == "core.sshcommand"
        and value.split(" ")[0] in _PLAIN_SSH
        and not re.search(r"(?i)proxycommand", value)
    ):
        return
    elif key.startswith(("url.", "include", "http.proxy")):
        if persistent and (key.startswith("url.") or key == "http.proxy"):
            act.is_("remote_change")
            act.talk("connect", name[4 : name.rfind(".")] if key.startswith("url.") else value)
        return
    elif key in ("core.editor", "core.pager", "sequence.editor") and re.fullmatch(
        r"[\w./-]*(?: -{1,2}[\w=-]+)*", value
    ):
        return
    act.is_("config_exec")
    if command and key != "protocol.ext.allow":
        act.nested.append(command)


def _remote(act: Act, sub: Act) -> None:
    verb = sub.operand(0)
    if verb in ("add", "set-url"):
        act.does("config_change")
        act.is_("remote_change")
        url = sub.operands[2] if len(sub.operands) > 2 else ""
        _talk_remote(act, "connect", url)
    elif verb in ("remove", "rm"):
        act.does("config_change")


def _clone(act: Act, sub: Act) -> None:
    act.does("fetch", "write")
    for setting in sub.all("-c"):
        name, _, value = setting.partition("=")
        _set_config(act, name, value, persistent=True)
    _talk_remote(act, "download", sub.operand(0))
    target = sub.operand(1) or sub.operand(0).rstrip("/").rpartition("/")[2].removesuffix(".git")
    act.touch("write", [target], "download")


def _fetch(act: Act, sub: Act) -> None:
    act.does("fetch")
    _talk_remote(act, "download", sub.operand(0))


def _talk_remote(act: Act, action: str, url: str) -> None:
    if url.startswith("ext::"):
        act.is_("shell_escape")
        act.nested.append(url[5:])
    elif is_url(url) and not url.startswith("file:"):
        act.talk(action, url)
    elif url and split_pair(url)[0]:
        act.talk(action, split_pair(url)[0], "ssh", 22)


def _submodule(act: Act, sub: Act) -> None:
    if sub.operand(0) == "foreach":
        act.is_("shell_escape")
        act.nested.append(" ".join(word for word in sub.operands[1:] if word != "--recursive"))
    elif sub.operand(0) == "add":
        _talk_remote(act, "download", sub.operand(1))
    elif sub.operand(0) == "deinit":
        act.is_("destructive_vcs")
        if sub.has("-f"):
            act.is_("changes_lost")


def _overwrite_tree(act: Act, sub: Act) -> None:
    """Describe read-tree and checkout-index, which check out beneath everything that asks."""
    act.does("write")
    if (act.operand(0) == "read-tree" and "--reset" in sub.options) or sub.has("-f"):
        act.is_("destructive_vcs", "changes_lost")


def _bisect(act: Act, sub: Act) -> None:
    if sub.operand(0) == "run":
        act.nested.append(" ".join(sub.operands[1:]))


def _worktree(act: Act, sub: Act) -> None:
    if sub.operand(0) == "remove" and sub.has("-f"):
        act.is_("destructive_vcs", "force", "changes_lost")
        act.does("delete")


def _apply(act: Act, sub: Act) -> None:
    if not sub.has("--check", "--stat"):
        act.does("write")
    act.touch("read", sub.operands)


def _remove(act: Act, sub: Act) -> None:
    act.does("delete")
    if sub.has("-r"):
        act.is_("recursive")
    if sub.has("-f", "--force") and "--cached" not in sub.options:
        act.is_("changes_lost")
    if "--cached" not in sub.options:
        act.touch("delete", sub.operands)


def _move(act: Act, sub: Act) -> None:
    act.does("move")
    act.touch("move", sub.operands[:-1])
    act.touch("write", sub.operands[-1:])


def _credential(act: Act, sub: Act) -> None:
    if sub.operand(0) in ("fill", "get"):
        act.does("credential_read")
        act.is_("secret_value")
        act.emits.append("credential_store")


def _show(act: Act, sub: Act) -> None:
    act.does("read")
    if sub.has("--no-index"):
        act.touch("read", sub.operands, "stdout")
    for word in sub.operands:
        _, mark, path = word.partition(":")
        # ``:/text`` is the commit whose message holds the text.
        if mark and path and not word.startswith(":/"):
            act.touch("read", [path], "stdout")


def _add(act: Act, sub: Act) -> None:
    act.does("read")


def _search(act: Act, sub: Act) -> None:
    act.does("search")
    act.touch("search", sub.operands[1:] or ["."], "stdout")


def _hash(act: Act, sub: Act) -> None:
    act.does("read")
    act.touch("read", sub.operands, "stdout")


def _archive(act: Act, sub: Act) -> None:
    act.does("read", "write")
    act.touch("write", sub.all("-o"))


_DESCRIBE: Final = {
    "commit": _commit,
    "push": _push,
    "merge": _merge,
    "cherry-pick": _merge,
    "am": _merge,
    "pull": _fetch,
    "rebase": _rebase,
    "reset": _reset,
    "clean": _clean,
    "checkout": _checkout,
    "switch": _checkout,
    "restore": _restore,
    "stash": _stash,
    "branch": _branch,
    "tag": _tag,
    "config": _config,
    "remote": _remote,
    "clone": _clone,
    "fetch": _fetch,
    "ls-remote": _fetch,
    "submodule": _submodule,
    "bisect": _bisect,
    "worktree": _worktree,
    "apply": _apply,
    "rm": _remove,
    "mv": _move,
    "credential": _credential,
    "reflog": _lossy,
    "filter-branch": _lossy,
    "filter-repo": _lossy,
    "gc": _lossy,
    "prune": _lossy,
    "update-ref": _lossy,
    "read-tree": _overwrite_tree,
    "checkout-index": _overwrite_tree,
    "show": _show,
    "log": _show,
    "diff": _show,
    "add": _add,
    "archive": _archive,
    "grep": _search,
    "hash-object": _hash,
}


def _mercurial(act: Act) -> None:
    verb = act.operand(0)
    if verb in ("revert", "update", "up", "strip", "purge", "rollback", "abandon", "undo") and (
        act.has("-C", "--clean", "--no-backup", "--all", "-a")
        or verb in ("strip", "purge", "rollback", "abandon")
    ):
        act.is_("destructive_vcs", "history_lost" if verb in ("strip", "rollback") else "changes_lost")
    if verb == "push" and act.has("-f"):
        act.is_("history_rewrite", "destructive_vcs", "remote_overwritten")
    for word in act.operands[1:]:
        if is_url(word):
            act.talk("connect", word)


def _jujutsu(act: Act) -> None:
    words = act.operands
    if words[:1] and (
        words[0] in ("abandon", "restore", "undo")
        or words[:2] == ["op", "restore"]
        or words[:2] == ["operation", "abandon"]
    ):
        act.is_("destructive_vcs")
        if words[0] in ("abandon", "restore"):
            act.is_("changes_lost")
    if words[:2] == ["git", "push"]:
        act.does("upload")


PROGRAMS: Final[dict[str, Program]] = {
    "git": Program(_GLOBAL, _git, frozenset({"--help", "--version", "-h"})),
    "hg": Program(grammar("-R= -r= -m= -f,--force -C,--clean --no-backup -a,--all"), _mercurial),
    "svn": Program(grammar("-m= -r= --username= --password="), _mercurial),
    "jj": Program(grammar("-r= -m= -R="), _jujutsu),
    "sl": Program(grammar("-r= -m= -C,--clean"), _mercurial),
    "fossil": Program(grammar(), _mercurial),
    "bzr": Program(grammar(), _mercurial),
}
