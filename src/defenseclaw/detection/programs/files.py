"""Programs that read, write, copy, move, search and delete files, and those that change who may."""

from __future__ import annotations

import re
from typing import Final

from defenseclaw.detection.programs import names_only
from defenseclaw.detection.programs.base import Act, Describe, Grammar, Program, grammar, is_url
from defenseclaw.detection.programs.code_strings import fold
from defenseclaw.detection.programs.interpreters import inspect_code
from defenseclaw.detection.programs.remote_control import inspect_awk
from defenseclaw.detection.shell import finders

_CAPABILITIES: Final = (
    "cap_setuid",
    "cap_setgid",
    "cap_sys_admin",
    "cap_dac",
    "cap_sys_ptrace",
    "cap_sys_module",
    "cap_fowner",
    "cap_chown",
    "all",
    "=ep",
)
_SUID_SEARCH: Final = re.compile(r"^[-/+]?(?:[ug]\+?=?s|[246][0-7]{3}|0?[246]000|[ugo]=s)")
_SYSTEM_ROOTS: Final = frozenset({"/", "/usr", "/bin", "/sbin", "/opt", "/usr/bin", "/usr/sbin"})


def _reader(*, skip: int = 0, transform: bool = False, access: str = "read") -> Describe:
    def describe(act: Act) -> None:
        files = act.operands[skip:]
        act.does("read")
        act.touch(access, files, "stdout")
        act.args = "pass"
        act.transform = transform
        if not files or "-" in files:
            act.stdin = "pass"

    return describe


def _cut(act: Act) -> None:
    _reader(transform=True)(act)
    if names_only.cut(act):
        act.is_("names_only")


def _grep(act: Act) -> None:
    act.does("search", "read")
    files = act.operands if act.has("-e", "-f") else act.operands[1:]
    if act.has("-r"):
        act.is_("recursive")
        files = files or ["."]
    if names_only.quiet(act):
        act.touch("metadata", files)
    else:
        act.touch("search" if act.has("-r") and not _names_sensitive(files) else "read", files, "stdout")
        if names_only.grep(act):
            act.is_("names_only")
    act.touch("read", act.all("-f"))
    if not files:
        act.stdin = "pass"


def _names_sensitive(files: list[str]) -> bool:
    return any(word.startswith(("~", "/", "$HOME")) for word in files)


def _lister(act: Act) -> None:
    act.does("list")
    act.touch("list", act.operands)


def _metadata(act: Act) -> None:
    act.does("list")
    act.touch("metadata", act.operands)


def _sed(act: Act) -> None:
    scripts = act.all("-e")
    files = act.operands if act.has("-e", "-f") else act.operands[1:]
    if not act.has("-e", "-f") and act.operands:
        scripts = act.operands[:1]
    act.does("read")
    act.transform = True
    if act.has("-i"):
        act.does("write")
        act.is_("in_place")
        act.touch("write", files)
    else:
        act.touch("read", files, "stdout")
        if names_only.sed(scripts):
            act.is_("names_only")
    if not files:
        act.stdin = "pass"
    act.language = "sed"
    for script in scripts:
        for match in re.finditer(
            r"(?:^|[;\n{}])\s*(?:\d+|\$|/[^/\n]*/)?(?:,(?:\d+|\$))?\s*([erRwW])\s*((?<=[rRwW])[/~.][^;\n}]*|(?<=\s)[^;\n}]+)",
            script,
        ):
            if match[1] == "e":
                act.is_("shell_escape")
                act.nested.append(match[2])
            elif match[1] in "rR":
                act.touch("read", [match[2].strip()], "stdout")
            else:
                act.does("write")
                act.touch("write", [match[2].strip()])
        written = re.search(r"[/|#,][gIipM0-9]*w\s+(\S+)\s*$", script)
        if written:
            act.does("write")
            act.touch("write", [written[1]])
        if re.search(r"[/|#,]e[gIip0-9]*\s*$", script) and script.lstrip().startswith("s"):
            act.is_("shell_escape", "dynamic_code")


def _sed_grammar() -> Grammar:
    # -i takes only an attached suffix, so its cluster must not swallow the next word.
    return grammar(
        "-e,--expression= -f,--file= -i,--in-place -n,--quiet,--silent -E,-r,--regexp-extended -l= -s -u -z"
    )


def _awk(act: Act) -> None:
    program = "" if act.has("-f") else act.operand(0)
    files = act.operands if act.has("-f") else act.operands[1:]
    act.does("read")
    act.transform = True
    act.code, act.language = program, "awk"
    act.touch("execute", act.all("-f"), "code")
    act.touch("read", [word for word in files if "=" not in word or "/" in word.partition("=")[0]], "stdout")
    if names_only.awk(act):
        act.is_("names_only")
    if not files:
        act.stdin = "pass"
    if act.has("-i") and act.value("-i") == "inplace":
        act.is_("in_place")
        act.touch("write", files)
    for match in re.finditer(r"system\s*\(\s*\"((?:[^\"\\]|\\.)*)\"", program):
        act.is_("shell_escape", "spawn_code")
        act.nested.append(match[1].replace('\\"', '"'))
    for match in re.finditer(r"\"((?:[^\"\\]|\\.)*)\"\s*\|\s*getline|\|&?\s*\"((?:[^\"\\]|\\.)*)\"", program):
        act.is_("shell_escape", "spawn_code")
        act.nested.append((match[1] or match[2] or "").replace('\\"', '"'))
    folded = fold(program)
    for match in re.finditer(r"<\s*\"([^\"\s]+)\"", folded):
        act.touch("read", [match[1]], "stdout")
    for match in re.finditer(r">>?\s*\"([^\"\s]+)\"", folded):
        act.does("write")
        act.touch("write", [match[1]])
    inspect_awk(act, program)
    if re.search(r"\bENVIRON\b", program):
        act.does("environment_read")
        act.emits.append("environment")


def _tee(act: Act) -> None:
    access = "append" if act.has("-a") else "write"
    act.does(access)
    act.touch(access, act.operands, "sink")
    act.stdin = "pass"


def _dd(act: Act) -> None:
    pairs = dict(word.split("=", 1) for word in act.operands if "=" in word)
    source, sink = pairs.get("if", ""), pairs.get("of", "")
    act.does("copy")
    if source:
        act.does("read")
        act.touch("read", [source], "from" if sink else "stdout")
    else:
        act.stdin = "file" if sink else "pass"
    if sink:
        act.does("write")
        act.touch("write", [sink], "to" if source else "sink")


def _delete(act: Act) -> None:
    act.does("delete")
    if act.has("-r"):
        act.is_("recursive")
    if act.has("-f"):
        act.is_("force")
    if act.has("--no-preserve-root"):
        act.is_("no_preserve_root")
    if any(word.endswith("*") for word in act.operands):
        act.is_("bulk")
    act.touch("delete", act.operands)


def _shred(act: Act) -> None:
    act.does("write")
    act.touch("write", act.operands)
    if act.has("-u"):
        act.does("delete")
        act.touch("delete", act.operands)
    if act.has("-f"):
        act.is_("force")


def _rmdir(act: Act) -> None:
    act.does("delete")
    switches = {word.lower() for word in act.operands if len(word) == 2 and word[0] == "/"}
    if "/s" in switches:
        # The same name with the switches of Windows removes a whole tree.
        act.is_("recursive", *(("force",) if "/q" in switches else ()))
    act.touch("delete", [word for word in act.operands if word.lower() not in ("/s", "/q")])


def _copy(act: Act) -> None:
    act.does("copy", "read", "write")
    if act.has("-r"):
        act.is_("recursive")
    if act.has("-f"):
        act.is_("force")
    _transfer(act, "copy_from", "copy_to")


def _move(act: Act) -> None:
    act.does("move", "write", "delete")
    if act.has("-f"):
        act.is_("force")
    _transfer(act, "move", "write")


def _transfer(act: Act, source_access: str, target_access: str) -> None:
    directory = act.value("-t")
    if directory:
        sources, target = act.operands, directory
    elif len(act.operands) > 1:
        sources, target = act.operands[:-1], act.operands[-1]
    else:
        sources, target = act.operands, ""
    act.touch(source_access, sources, "from")
    act.touch(target_access, [target], "to")
    if directory or target.endswith(("/", "/.", "..")) or target in (".", "~") or len(sources) > 1:
        inside = [f"{target.rstrip('/')}/{source.rstrip('/').rpartition('/')[2]}" for source in sources]
        act.touch(target_access, [path for path in inside if not path.endswith("/..")], "to")


def _link(act: Act) -> None:
    act.does("write")
    directory = act.value("-t")
    if directory:
        sources, target = act.operands, directory
    elif len(act.operands) > 1:
        sources, target = act.operands[:-1], act.operands[-1]
    else:
        sources, target = act.operands, "."
    act.touch("link", sources, "from")
    act.touch("write", [target], "to")
    if act.has("-f"):
        act.is_("force")


def _install(act: Act) -> None:
    if act.has("-d"):
        act.does("write")
        act.touch("write", act.operands)
    else:
        _copy(act)
    mode = act.value("-m")
    if mode or act.has("-o", "-g"):
        targets = act.operands if act.has("-d") else act.operands[-1:]
        act.does("permission_change")
        act.touch("permission", targets)
        _add_mode(act, mode)
        if act.has("-o"):
            act.is_("owner_change")
            if act.value("-o") in ("root", "0"):
                act.is_("owner_root")


def _truncate(act: Act) -> None:
    act.does("write")
    act.is_("truncate")
    act.touch("write", act.operands)


def _touch(act: Act) -> None:
    act.does("write")
    act.touch("write", act.operands)
    if act.has("-t", "-d", "-r"):
        act.is_("time_set")
        act.touch("metadata", act.all("-r"))


def _mkdir(act: Act) -> None:
    act.does("write")
    act.touch("write", act.operands)


def _patch(act: Act) -> None:
    act.does("write")
    act.is_("in_place")
    act.touch("write", act.operands[:1])
    act.touch("read", [*act.all("-i"), *act.operands[1:2]])
    act.touch("write", act.all("-o"))
    act.touch("write", act.all("-d"))


def _rename(act: Act) -> None:
    """Describe both programs of that name: an expression or two words, then files."""
    act.does("move")
    skip = 1 if act.operand(0)[:2] in ("s/", "y/", "s|", "tr") else 2
    act.touch("move", act.operands[skip:])


def _gio(act: Act) -> None:
    """Describe gio, the desktop's file tool."""
    verb, files = act.operand(0), act.operands[1:]
    if verb in ("trash", "remove"):
        act.does("delete")
        act.is_("recursive")
        act.touch("delete", files)
    elif verb in ("move", "rename"):
        act.does("move")
        act.touch("move", files[:1], "from")
        act.touch("write", files[1:2], "to")
    elif verb in ("copy", "save"):
        act.does("copy")
        act.touch("copy_from", files[:-1], "from")
        act.touch("copy_to", files[-1:], "to")
    else:
        act.does("read")
        act.touch("read" if verb == "cat" else "metadata", files, "stdout")


def _jq(act: Act) -> None:
    """Describe jq: the values of ``--arg`` are data, and so are the words after ``--args``."""
    words, at = act.words, 0
    loaded: list[str] = []
    operands: list[str] = []
    named = given = False
    while at < len(words):
        word = words[at]
        at += 1
        if word[:1] != "-" or word == "-":
            if not (given and (operands or named)):
                operands.append(word)
        elif word in _JQ_DATA:
            at += 2
        elif word in _JQ_FILES:
            loaded += words[at + 1 : at + 2]
            at += 2
        elif word in ("--args", "--jsonargs"):
            given = True
        elif word == "--from-file" or (word[1] != "-" and "f" in word):
            loaded += words[at : at + 1]
            named = True
            at += 1
        elif word in ("--indent", "-L", "--library-path"):
            at += 1
    act.operands = operands if named else operands[1:]
    _reader(transform=True)(act)
    act.touch("read", loaded, "stdout")


_JQ_DATA: Final = frozenset({"--arg", "--argjson"})
_JQ_FILES: Final = frozenset({"--slurpfile", "--rawfile", "--argfile"})


def _yq(act: Act) -> None:
    _reader(skip=1, transform=True)(act)
    if act.has("-i"):
        act.does("write")
        act.is_("in_place")
        act.touch("write", act.operands[1:])


def _split(act: Act) -> None:
    act.does("read", "write")
    act.touch("read", act.operands[:1], "from")
    act.touch("write", act.operands[1:2], "to")
    act.stdin = "file"
    for command in act.all("--filter"):
        act.is_("shell_escape")
        act.nested.append(command)


def _sort(act: Act) -> None:
    _reader(transform=True)(act)
    if act.has("-o"):
        act.does("write")
        act.touch("write", act.all("-o"), "to")


def _find(act: Act) -> None:
    starts: list[str] = []
    for word in act.words:
        if word.startswith(("-", "(", ")", "!", ",")):
            if word in ("-H", "-L", "-P"):
                continue
            break
        starts.append(word)
    starts = starts or ["."]
    act.does("search")
    acts_on = "list"
    if act.has("-delete") and act.has("-empty"):
        act.does("delete")  # what is empty holds nothing
    elif act.has("-delete"):
        act.does("delete")
        act.is_("bulk", "recursive")
        if not act.has("-name", "-iname", "-path", "-ipath", "-regex", "-iregex", "-wholename"):
            act.is_("force")
        acts_on = "delete"
    if act.has("-exec", "-execdir", "-ok", "-okdir"):
        act.does("execute")
        program = _exec_program(act)
        if program in _EXEC_ACCESS:
            acts_on = _EXEC_ACCESS[program]
            act.is_("bulk", "recursive")
    filtered = acts_on != "list" and finders.is_filtered(("find", *act.words))
    act.touch(acts_on, finders.found_paths(("find", *act.words)) if filtered else starts)
    act.touch("write", act.all("-fprint", "-fprint0", "-fprintf", "-fls"))
    if any(_SUID_SEARCH.match(mode) for mode in act.all("-perm")) and not _SYSTEM_ROOTS.isdisjoint(starts):
        act.is_("suid_search")
        act.does("privilege")
    if act.has("-name", "-iname", "-path"):
        names = [name.strip("*") for name in act.all("-name", "-iname", "-path")]
        sensitive = [
            name for name in names if name in ("id_rsa", "id_ed25519", ".env", ".netrc", ".git-credentials")
        ]
        # Names in one's own project are no search for anybody's credentials.
        access = "search" if any(start.startswith(("/", "~")) for start in starts[:2]) else "list"
        act.touch(access, [f"{start.rstrip('/')}/{name}" for start in starts[:2] for name in sensitive])


_EXEC_ACCESS: Final = {
    "rm": "delete",
    "shred": "delete",
    "unlink": "delete",
    "srm": "delete",
    "mv": "move",
    "chmod": "permission",
    "chown": "permission",
    "chgrp": "permission",
}
"""What ``find -exec`` does to the tree it searches."""


def _exec_program(act: Act) -> str:
    for option in ("-exec", "-execdir", "-ok", "-okdir"):
        if option in act.words[:-1]:
            return act.words[act.words.index(option) + 1].rpartition("/")[2]
    return ""


def _getcap(act: Act) -> None:
    act.does("search")
    act.touch("list", act.operands)
    if act.has("-r") and not _SYSTEM_ROOTS.isdisjoint(act.operands):
        act.is_("suid_search")
        act.does("privilege")


def _add_mode(act: Act, mode: str) -> None:
    """Add what an octal or symbolic mode allows to everybody."""
    if re.fullmatch(r"[0-7]{1,5}", mode):
        digits = mode[-4:].rjust(4, "0")
        special, world = int(digits[0]), int(digits[3])
        if world & 2:
            act.is_("world_writable")
        if world & 4:
            act.is_("world_readable")
        if world & 1:
            act.is_("world_executable")
        if special & 4:
            act.is_("setuid")
        if special & 2:
            act.is_("setgid")
        if any(int(digit) & 1 for digit in digits[1:]):
            act.is_("make_executable")
        return
    for clause in mode.split(","):
        match = re.fullmatch(r"([ugoa]*)([+=-])([rwxXst]*)", clause)
        if not match or match[2] == "-":
            continue
        who, letters = match[1] or "a", match[3]
        if "o" in who or "a" in who:
            # Without a class the umask usually keeps write from others.
            if "w" in letters and match[1]:
                act.is_("world_writable")
            if "x" in letters:
                act.is_("world_executable")
            if "r" in letters:
                act.is_("world_readable")
        if "x" in letters:
            act.is_("make_executable")
        if "s" in letters:
            if "u" in who or "a" in who:
                act.is_("setuid")
            if "g" in who:
                act.is_("setgid")


def _chmod(act: Act) -> None:
    act.does("permission_change")
    words = [*_signed_modes(act), *act.operands]
    mode, files = ("", words) if act.has("--reference") else (words[0] if words else "", words[1:])
    _add_mode(act, mode)
    if act.has("-R"):
        act.is_("recursive")
    act.touch("permission", files)


def _signed_modes(act: Act) -> list[str]:
    """Return modes such as ``-w`` that look like options."""
    return [word for word in act.words if re.fullmatch(r"-[rwxst]+", word)]


def _chown(act: Act) -> None:
    act.does("permission_change")
    owner, files = ("", act.operands) if act.has("--reference") else (act.operand(0), act.operands[1:])
    act.is_("owner_change")
    if re.split(r"[:.]", owner)[0] in ("root", "0") or (
        act.program == "chgrp" and owner in ("root", "wheel", "0")
    ):
        act.is_("owner_root")
    if act.has("-R"):
        act.is_("recursive")
    act.touch("permission", files)


def _setfacl(act: Act) -> None:
    act.does("permission_change")
    entries = ",".join(act.all("-m"))
    if re.search(r"(?:^|,)(?:d:)?o(?:ther)?::?[r-]*w", entries) or re.search(r"u:nobody:[r-]*w", entries):
        act.is_("world_writable")
    if act.has("-R"):
        act.is_("recursive")
    act.touch("permission", act.operands)


def _setcap(act: Act) -> None:
    act.does("permission_change")
    if any(word in act.operand(0).lower() for word in _CAPABILITIES):
        act.is_("dangerous_capability")
    act.touch("permission", act.operands[1:])


def _chattr(act: Act) -> None:
    act.does("permission_change")
    files = [word for word in act.operands if not re.fullmatch(r"[+=][a-zA-Z]+", word)]
    if act.has("-R"):
        act.is_("recursive")
    act.touch("permission", files)


_EDITOR_SCRIPT: Final = re.compile(r"[\s:]*(py(?:thon)?[3x]?|lua|perl|ruby)\s+(.+)", re.DOTALL)
_EDITOR_LANGUAGES: Final = {"py": "python"}


def _editor(act: Act) -> None:
    act.does("read", "write")
    for command in [*act.all("-c", "--cmd"), *(word[1:] for word in act.operands if word.startswith("+"))]:
        match = re.match(r"\s*:?(?:!|silent\s+!|r\s*!|call\s+system\()\s*(.+)", command)
        if match:
            act.is_("shell_escape")
            act.nested.append(match[1])
        script = _EDITOR_SCRIPT.match(command)
        if script:
            act.code, act.language = script[2], _EDITOR_LANGUAGES.get(script[1][:2], script[1])
            act.is_("inline_code")
            inspect_code(act, act.code, act.language)
        written = re.match(r"\s*:?\s*\d*,?\$?\s*(?:w|wq|write|saveas|sav)!?\s+(\S+)", command)
        if written:
            act.touch("write", [written[1]])
    files = [word for word in act.operands if not word.startswith("+") and not is_url(word)]
    act.touch("read", files, "stdout")
    act.touch("write", files)


def _pager(act: Act) -> None:
    _reader()(act)
    for word in act.operands:
        if word.startswith("+!"):
            act.is_("shell_escape")
            act.nested.append(word[2:])


def _diff(act: Act) -> None:
    act.does("read")
    act.touch("read", act.operands, "stdout")
    act.args = act.stdin = "pass"


def _checksum(act: Act) -> None:
    act.does("read")
    act.touch("metadata", act.operands)


def _echo(act: Act) -> None:
    act.args = "pass"
    act.emits.append("literal")


def _noise(act: Act) -> None:
    """Say nothing: the operands are no paths."""


def _manual(act: Act) -> None:
    for pager in act.all("-P"):
        act.is_("shell_escape")
        act.nested.append(pager)


def _change_directory(act: Act) -> None:
    act.touch("metadata", act.operands[:1])


def _filter(act: Act) -> None:
    act.stdin = "pass"
    act.transform = True


def _test(act: Act) -> None:
    act.effect = "execute"


def _sqlite(act: Act) -> None:
    act.does("read")
    act.touch("read", act.operands[:1], "stdout")
    if len(act.operands) < 2 and not act.has("-cmd", "-readonly"):
        # What it is told on its input may be anything.
        act.does("write")
        act.touch("write", act.operands[:1])
    for text in [*act.operands[1:], *act.all("-cmd")]:
        match = re.match(r"\s*\.(?:shell|system)\s+(.+)", text)
        if match:
            act.is_("shell_escape")
            act.nested.append(match[1])
        if re.search(r"(?i)\b(?:drop\s+table|delete\s+from\s+\w+\s*(?:;|$))", text):
            act.is_("database_destroy")
        if re.search(r"(?i)\b(?:insert|update|delete|drop|create|alter)\b", text):
            act.does("write")
            act.touch("write", act.operands[:1])


def _codec(act: Act) -> None:
    _reader(transform=True)(act)
    if act.has("-r"):
        act.does("decode")


_CLUSTERED_RM: Final = grammar(
    "-r,-R,--recursive -f,--force -i -v,--verbose -d,--dir --no-preserve-root --preserve-root"
)
_GREP: Final = grammar(
    "-e,--regexp= -f,--file= -r,-R,--recursive,--dereference-recursive -A,--after-context= "
    "-B,--before-context= "
    "-C,--context= -m,--max-count= --include= --exclude= --exclude-dir= -d,--directories= "
    "-D,--devices= --color "
    "-l -L -n -i -v -c -o -q -s -h -H -w -x -E -F -P -z -a -I"
)
_RG: Final = grammar(
    "-e,--regexp= -f,--file= -g,--glob= -t,--type= -T,--type-not= -A,--after-context= -B,--before-context= "
    "-C,--context= -m,--max-count= -r,--replace= -j,--threads= --iglob= -M,--max-columns= --sort= "
    "--pre= --files"
)


def _rg(act: Act) -> None:
    act.does("search")
    files = act.operands if act.has("-e", "-f", "--files") else act.operands[1:]
    act.touch("search" if not _names_sensitive(files) else "read", files or ["."], "stdout")
    if act.value("--pre"):
        act.is_("shell_escape")
        act.nested.append(act.value("--pre"))


_READERS: Final = {
    "cat": "-n -A -E -T -v -s -b -e -t -u",
    "tac": "",
    "nl": "-b= -w= -s=",
    "bat": "-l= -r= --theme= --style=",
    "batcat": "-l= -r=",
    "rev": "",
    "head": "-n,--lines= -c,--bytes=",
    "tail": "-n,--lines= -c,--bytes= -f,--follow --pid= -s=",
    "more": "-n=",
    "strings": "-n= -t= -e=",
    "hexyl": "-n=",
    "fold": "-w= -s",
    "fmt": "-w=",
    "column": "-t -s= -o=",
    "expand": "-t=",
    "unexpand": "-t=",
    "pr": "",
    "paste": "-d= -s",
    "join": "-t= -1= -2= -o=",
    "zless": "",
    "lz4cat": "",
    "look": "",
    "glow": "",
    "mdcat": "",
    "pygmentize": "-l= -f=",
    "highlight": "",
    "jless": "",
    "csvcut": "-c=",
    "csvlook": "",
    "mlr": "",
    "pdftotext": "",
    "exiftool": "",
    "view": "",
    "plutil": "-p -convert=",
    "dasel": "-f= -r=",
    "git-show": "",
    "systemd-cat": "",
    "iconv": "-f= -t= -o=",
    "uniq": "-c -d -u -f= -s= -w=",
    "shuf": "-n= -e",
    "tsort": "",
    "comm": "-1 -2 -3",
    "cksum": "",
}
_TRANSFORMERS: Final = frozenset({"rev", "tac", "fold", "fmt", "iconv", "paste", "column", "shuf"})
_HELP_ONLY: Final = frozenset({"--help", "--version"})

PROGRAMS: Final[dict[str, Program]] = {
    **{
        name: Program(grammar(spec), _reader(transform=name in _TRANSFORMERS), _HELP_ONLY)
        for name, spec in _READERS.items()
    },
    "less": Program(grammar("-p= -o= -x= -j="), _pager),
    "most": Program(grammar(), _pager),
    "man": Program(grammar("-P,--pager= -s="), _manual),
    "xxd": Program(grammar("-r,--reverse -p,--plain -l= -s= -c= -g= -u -i"), _codec),
    "od": Program(grammar("-A= -t= -N= -j= -w= -c -x"), _reader(transform=True)),
    "hexdump": Program(grammar("-e= -f= -n= -s= -C -v"), _reader(transform=True)),
    "cut": Program(
        grammar("-d,--delimiter= -f,--fields= -c,--characters= -b,--bytes= -s --complement"),
        _cut,
    ),
    "tr": Program(grammar("-d -s -c -t"), _filter),
    "wc": Program(grammar("-l -w -c -m -L --files0-from="), lambda act: act.touch("metadata", act.operands)),
    **dict.fromkeys(("jq", "gojq", "jaq"), Program(grammar(), _jq)),
    "yq": Program(grammar("-i,--inplace,--in-place -r -o= -p="), _yq),
    "rename": Program(grammar("-n,--no-act -f -v"), _rename, frozenset({"--help", "--version", "-n"})),
    "prename": Program(grammar("-n,--no-act -f -v"), _rename, frozenset({"--help", "--version", "-n"})),
    "gio": Program(grammar(), _gio),
    "grep": Program(_GREP, _grep),
    "egrep": Program(_GREP, _grep),
    "fgrep": Program(_GREP, _grep),
    "zgrep": Program(_GREP, _grep),
    "rg": Program(_RG, _rg),
    "ag": Program(_RG, _rg),
    "ack": Program(_RG, _rg),
    "ugrep": Program(_GREP, _grep),
    "sed": Program(_sed_grammar(), _sed),
    "gsed": Program(_sed_grammar(), _sed),
    "awk": Program(grammar("-f,--file= -F,--field-separator= -v,--assign= -i,--include="), _awk),
    "tee": Program(grammar("-a,--append -i -p"), _tee),
    "sponge": Program(grammar("-a"), _tee),
    "dd": Program(grammar(), _dd),
    "dcfldd": Program(grammar(), _dd),
    "rm": Program(_CLUSTERED_RM, _delete),
    "grm": Program(_CLUSTERED_RM, _delete),
    "trash": Program(_CLUSTERED_RM, _delete),
    "srm": Program(_CLUSTERED_RM, _delete),
    "unlink": Program(grammar(), _rmdir),
    "rmdir": Program(grammar("-p,--parents -v"), _rmdir),
    "shred": Program(grammar("-u,--remove -n,--iterations= -s,--size= -z,--zero -f,--force -v"), _shred),
    "wipe": Program(grammar("-r -f"), _delete),
    "cp": Program(
        grammar(
            "-r,-R,-a,--recursive,--archive -f,--force -t,--target-directory= -S,--suffix= -T -p -v "
            "-n -u -l -s"
        ),
        _copy,
    ),
    "ditto": Program(grammar(), _copy),
    "mv": Program(grammar("-f,--force -t,--target-directory= -S,--suffix= -T -n -u -v -i"), _move),
    "ln": Program(grammar("-s,--symbolic -f,--force -t,--target-directory= -S,--suffix= -n -T -r -v"), _link),
    "link": Program(grammar(), _link),
    "install": Program(
        grammar("-m,--mode= -o,--owner= -g,--group= -t,--target-directory= -d,--directory -D -s -C -p -v"),
        _install,
    ),
    "truncate": Program(grammar("-s,--size= -r,--reference= -c,--no-create -o"), _truncate),
    "fallocate": Program(grammar("-l,--length= -o,--offset= -p,--punch-hole -z"), _touch),
    "touch": Program(grammar("-t= -d,--date= -r,--reference= -a -m -c"), _touch),
    "mkdir": Program(grammar("-m,--mode= -p,--parents -v"), _mkdir),
    "mkfifo": Program(grammar("-m="), _mkdir),
    "mknod": Program(grammar("-m="), lambda act: act.touch("write", act.operands[:1])),
    "patch": Program(
        grammar("-p,--strip= -i,--input= -o,--output= -d,--directory= -R --dry-run"),
        _patch,
        frozenset({"--help", "--version", "--dry-run"}),
    ),
    "ed": Program(grammar("-s -p="), _editor),
    "ex": Program(grammar("-c= -s"), _editor),
    "split": Program(grammar("-b= -l= -n= -a= -d --filter="), _split),
    "csplit": Program(grammar("-f= -n="), _split),
    "sort": Program(grammar("-o,--output= -k= -t= -S= -T= -n -r -u"), _sort),
    "find": Program(
        grammar(
            "-name= -iname= -path= -ipath= -wholename= -regex= -iregex= -type= -perm= -user= -group= "
            "-size= -mtime= "
            "-mmin= -newer= -maxdepth= -mindepth= -fprint= -fprint0= -fprintf= -fls= -printf= -exec "
            "-execdir -ok "
            "-okdir -delete -print -print0 -uid= -gid= -atime= -ctime= -cmin= -amin= -links= "
            "-samefile= -inum=",
            words=True,
        ),
        _find,
        frozenset(),
    ),
    "fd": Program(
        grammar("-e,--extension= -t,--type= -x,--exec -X,--exec-batch -E,--exclude= -d,--max-depth="), _lister
    ),
    "locate": Program(grammar("-l= -n="), _noise),
    "getcap": Program(grammar("-r -v"), _getcap),
    "chmod": Program(grammar("-R,--recursive --reference= -v -c -f"), _chmod),
    "chown": Program(grammar("-R,--recursive --reference= --from= -h -v -c -f"), _chown),
    "chgrp": Program(grammar("-R,--recursive --reference= -h -v -c -f"), _chown),
    "setfacl": Program(
        grammar("-m,--modify= -x,--remove= -M= -X= -R,--recursive -b -k -d --restore="), _setfacl
    ),
    "setcap": Program(grammar("-q -v -n="), _setcap),
    "chattr": Program(grammar("-R -V -f -v="), _chattr),
    "chflags": Program(grammar("-R"), lambda act: act.touch("permission", act.operands[1:])),
    "xattr": Program(grammar("-w -d -c -r -p -l"), lambda act: act.touch("metadata", act.operands)),
    "ls": Program(grammar("-I= -w= --color --sort= --time="), _lister),
    "dir": Program(grammar(), _lister),
    "tree": Program(grammar("-L= -I= -P= -o="), _lister),
    "eza": Program(grammar("-L= --sort="), _lister),
    "exa": Program(grammar("-L="), _lister),
    "du": Program(grammar("-d= --max-depth= --exclude="), _metadata),
    "df": Program(grammar("-t= -x="), _metadata),
    "stat": Program(grammar("-c,--format= --printf= -f"), _metadata),
    "file": Program(grammar("-m= -f="), _metadata),
    "readlink": Program(grammar(), _metadata),
    "realpath": Program(grammar("--relative-to="), _metadata),
    "basename": Program(grammar("-s="), _noise),
    "dirname": Program(grammar(), _noise),
    "md5sum": Program(grammar(), _checksum),
    "sha1sum": Program(grammar(), _checksum),
    "sha256sum": Program(grammar(), _checksum),
    "sha512sum": Program(grammar(), _checksum),
    "shasum": Program(grammar("-a="), _checksum),
    "b2sum": Program(grammar(), _checksum),
    "md5": Program(grammar(), _checksum),
    "diff": Program(grammar("-U= -C= -x= -I="), _diff),
    "cmp": Program(grammar("-n="), _diff),
    "sdiff": Program(grammar(), _diff),
    "colordiff": Program(grammar(), _diff),
    "delta": Program(grammar(), _diff),
    "vimdiff": Program(grammar("-c="), _diff),
    "echo": Program(grammar(stop=True), _echo, frozenset()),
    "printf": Program(grammar("-v=", stop=True), _echo, frozenset()),
    "yes": Program(grammar(), _echo),
    "seq": Program(grammar("-s= -f= -w"), _noise),
    "cd": Program(grammar(), _change_directory, frozenset()),
    "pushd": Program(grammar(), _change_directory, frozenset()),
    "test": Program(grammar(words=True), _test, frozenset()),
    "[": Program(grammar(words=True), _test, frozenset()),
    "[[": Program(grammar(words=True), _test, frozenset()),
    "true": Program(grammar(), _noise),
    "false": Program(grammar(), _noise),
    ":": Program(grammar(), _noise),
    "which": Program(grammar(), _noise),
    "whereis": Program(grammar(), _noise),
    "type": Program(grammar(), _noise),
    "hash": Program(grammar(), _noise),
    "whatis": Program(grammar(), _noise),
    "apropos": Program(grammar(), _noise),
    "sqlite3": Program(grammar("-cmd= -separator= -json -csv", words=True), _sqlite),
    **{
        name: Program(grammar("-c= --cmd= -u= -S= -w= -W="), _editor)
        for name in (
            "vim",
            "vi",
            "nvim",
            "nano",
            "emacs",
            "pico",
            "micro",
            "hx",
            "kak",
            "code",
            "cursor",
            "subl",
            "gedit",
        )
    },
}
for _alias in ("gawk", "mawk", "nawk"):
    PROGRAMS[_alias] = PROGRAMS["awk"]
