"""Shells and other interpreters: where their program text comes from, and what inline text does.

Inline text of a shell is understood by :mod:`defenseclaw.detection.shell`. Of other languages only what
starts processes, touches files or opens connections is looked for, by tokens: naming a file in a
string is taken as touching it when the text also calls something that could.
"""

from __future__ import annotations

import re
from typing import Final

from defenseclaw.detection.facts import UNKNOWN
from defenseclaw.detection.programs.base import Act, Grammar, Program, grammar, is_url
from defenseclaw.detection.programs.code_strings import STRING, fold
from defenseclaw.detection.programs.remote_control import add_ends, joins_a_shell
from defenseclaw.detection.shell.literals import plain_text, printed, unescaped

MAX_INLINE: Final = 65_536
"""Characters of inline text that are looked at."""
_MAX_STRINGS: Final = 64
"""String literals of inline text that are looked at."""

_SHELL_NAMES: Final = (
    "sh",
    "bash",
    "zsh",
    "dash",
    "ksh",
    "mksh",
    "ash",
    "fish",
    "csh",
    "tcsh",
    "rbash",
    "yash",
    "oksh",
    "elvish",
    "nu",
    "xonsh",
)
SHELLS: Final = frozenset({*_SHELL_NAMES, "pwsh", "powershell", "cmd"})
_SHELL: Final = grammar(
    "-c,--command=! -o= -O= --rcfile,--init-file= -i,--interactive -l,--login -s -n,--no-execute -x "
    "-e -u -v -f -p "
    "--norc --noprofile --posix --pretty-print",
    stop=True,
)
INSPECTED: Final = frozenset({"python", "perl", "ruby", "node", "php", "lua", "r", "applescript", "tcl"})
"""Languages whose text :func:`inspect_code` can read."""
_LANGUAGES: Final[dict[str, tuple[str, str]]] = {
    "python": ("python", "-c"),
    "pypy": ("python", "-c"),
    "ipython": ("python", "-c"),
    "perl": ("perl", "-e"),
    "ruby": ("ruby", "-e"),
    "node": ("node", "-e"),
    "nodejs": ("node", "-e"),
    "php": ("php", "-r"),
    "lua": ("lua", "-e"),
    "luajit": ("lua", "-e"),
    "rscript": ("r", "-e"),
    "r": ("r", "-e"),
    "osascript": ("applescript", "-e"),
    "tclsh": ("tcl", ""),
    "expect": ("tcl", "-c"),
    "julia": ("julia", "-e"),
    "elixir": ("elixir", "-e"),
    "groovy": ("groovy", "-e"),
    "scala": ("scala", "-e"),
    "ghc": ("haskell", "-e"),
    "guile": ("scheme", "-c"),
    "ts-node": ("node", "-e"),
    "tsx": ("node", "-e"),
    "jshell": ("java", ""),
    "erl": ("erlang", "-eval"),
    "racket": ("scheme", "-e"),
    "sbcl": ("lisp", "--eval"),
    "swift": ("swift", "-e"),
    "irb": ("ruby", "-e"),
    "jjs": ("node", "-e"),
    "jrunscript": ("node", "-e"),
}
"""Program without its version → language, option for inline text."""

_SPAWN: Final = re.compile(
    r"(?:os\.(?:system|popen|exec\w*|spawn\w*|posix_spawn)|\bsubprocess\b|pty\.spawn|commands\.getoutput|"
    r"child_process|execSync|spawnSync|execFile|\bspawn\b|\bexec\b|\bsystem\b|shell_exec|passthru|proc_open|popen|"
    r"os\.execute|io\.popen|do shell script|Open3|IO\.popen|Kernel\.|%x[{(\[]|qx[{(/]|`)"
)
_COMMAND_STRING: Final = re.compile(
    r"(?:os\.system|os\.popen|getoutput|getstatusoutput|execSync|\bexec|\bsystem|shell_exec|passthru|popen|os\.execute|"
    r"do shell script|(?:run|call|Popen|check_output|check_call|spawnSync|spawn))(?:['\"][\])])?"
    r"\s{0,32}\(?\s{0,32}(?:f|r|b)?(\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*')"
)
_COMMAND_LIST: Final = re.compile(
    r"(?:run|call|Popen|check_output|check_call|system|exec)\s{0,32}\(?\s{0,32}[\[(]((?:\s{0,32}['\"][^'\"\n]*['\"]\s{0,32},?)+)"
)
_SPAWNED: Final = re.compile(r"(?:^|[;\n{\[])[ \t]{0,64}(?:spawn|exec|system)[ \t]{1,64}([^;\n}\]]+)")
_COMMAND_WORDS: Final = re.compile(
    r"\b(?:exec|system|spawn)\s{1,32}((?:['\"][^'\"\n]*['\"]\s{0,32},\s{0,32})+['\"][^'\"\n]*['\"])"
)
_BACKTICKS: Final = re.compile(r"`([^`\n]{1,2048})`|(?:%x|qx)[{(\[/]([^})\]/\n]{1,2048})[})\]/]")
_STRING: Final = re.compile(r"\"((?:[^\"\\\n]|\\.){1,512})\"|'((?:[^'\\\n]|\\.){1,512})'")
_SOCKET: Final = re.compile(
    r"\bsocket\b|\bTCPSocket\b|fsockopen|net\.(?:connect|Socket|createConnection)|IO::Socket|http\.client|urllib|requests\.|"
    r"\bfetch\s{0,32}\(|https?\.(?:get|request)|urlopen|Net::HTTP|open-uri|LWP|file_get_contents\s{0,32}\(\s{0,32}['\"]https?:|axios"
)
_HOST_AND_PORT: Final = re.compile(
    r"(?:\"([\w.:-]{1,255})\"|'([\w.:-]{1,255})')\s{0,8},\s{0,8}['\"]?(\d{1,5})\b", re.ASCII
)
_ATTACH: Final = re.compile(
    r"dup2|pty\.spawn|/bin/(?:ba|z|da)?sh|cmd\.exe|spawn\(['\"](?:ba)?sh|exec\s{0,32}\{?['\"]/bin"
)
_FETCH: Final = re.compile(
    r"urlopen|urlretrieve|requests\.(?:get|post|put)|\bfetch\s{0,32}\(|https?\.get|Net::HTTP\.get|LWP::Simple|open-uri|axios"
)
_SEND: Final = re.compile(
    r"requests\.(?:post|put|patch)|method['\"]?\s{0,32}[:=]>?\s{0,32}['\"](?:POST|PUT)|data\s{0,32}=|\.post\s{0,32}\(|Net::HTTP\.post|sendall|\.send\("
)
_RUN_TEXT: Final = re.compile(
    r"\b(?:exec|eval|compile|instance_eval|new Function|vm\.runIn\w+|loadstring|load)\b\s{0,32}[\s(]"
)
_RUN_LITERAL: Final = re.compile(
    rf"\b(?:exec|eval|compile|instance_eval|new Function|loadstring|load)\b\s{{0,32}}\(?\s{{0,32}}({STRING})"
)
_PLAIN_TEMPLATE: Final = re.compile(r"`([^`\"\n$]{1,4096})`")
_TRIPLE_QUOTED: Final = re.compile(r"(\"\"\"|''')(.{0,4096}?)\1", re.DOTALL)
_MAX_OPENED: Final = 8
"""Texts that are run as program text and looked at."""
_DECODE: Final = re.compile(
    r"b64decode|base64|fromhex|unhexlify|atob|Buffer\.from\([^)]*['\"](?:base64|hex)|decode_base64|zlib|decompress|rot13|unpack|marshal\.loads|codecs\.decode|str_rot13|gzinflate"
)
_DELETE: Final = re.compile(
    r"rmtree|os\.(?:remove|unlink|rmdir|removedirs)|\bunlink|rmSync|fs\.rm|FileUtils\.rm|rimraf|\.unlink\(|remove_tree|File\.delete|shutil\.rmtree"
)
_TREE: Final = re.compile(r"rmtree|rm_r|rm_rf|rimraf|remove_tree|recursive")
_WRITE: Final = re.compile(
    r"['\"](?:w|wb|a|ab|w\+|a\+|x)['\"]|write_text|write_bytes|writeFile|appendFile|file_put_contents|File\.write|os\.rename|shutil\.(?:copy|move)|os\.replace|fs\.(?:rename|copyFile)|createWriteStream|\btruncate\b|>>?\s{0,32}['\"]"
    r"|\.touch\(|\.mkdir|mkdirs?\b|mkdirSync|symlink|link_to|hardlink|\bchmod\b|\bchown\b|os\.utime"
    r"|(?i:delete from|drop table|insert into|\bupdate \w+ set\b)"
)
_APPEND: Final = re.compile(r"['\"]a(?:b|\+)?['\"]|appendFile|FILE_APPEND")
_READ: Final = re.compile(
    r"\bopen\b|read_text|read_bytes|readFile|File\.read|file_get_contents|IO\.read|Path\(|readlines|createReadStream|require\(|linecache|fileinput|copyfile|glob|readfile|io\.lines|fopen|\bfile\(|slurp|connect\("
)
_ENVIRON: Final = re.compile(
    r"os\.environ(?!\s{0,32}(?:\[|\.get))|process\.env(?!\s{0,32}[.\[])|%ENV|\bENV\b(?!\s{0,32}\[)|getenv\(\s{0,32}\)|\$_ENV"
)
_OPEN_MODE: Final = re.compile(r"^\s{0,32}(?:\+?[<>]{1,2}\s{0,32})")
"""Perl's way of saying how to open a file, before its name."""
OURS: Final = "defenseclaw"
_OWN_CODE: Final = re.compile(
    r"\b(?:import|from|require|run_module|run_path|load)\b[^\n]{0,64}\bdefenseclaw\b"
)
_OWN_CONTROL: Final = re.compile(r"\b(?:uninstall|teardown|disable|approve|allow|setup|restore|stop|patch)\b")
_KILLS: Final = re.compile(
    r"\b(?:os|process)\.kill\b|\.(?:kill|terminate|send_signal)\(|\bkill\s{1,32}['\"\d]|Process\.kill"
)
_FORKS: Final = re.compile(
    r"fork\s{0,32}(?:\(\s{0,32}\))?\s{0,32}while\s{1,32}(?:fork|1|True)|loop\s{0,32}\{\s{0,32}fork|while\s{0,32}\(?\s{0,32}(?:1|True|true)\s{0,32}\)?\s{0,32}[:{]?\s{0,32}(?:os\.)?fork"
)
_EFFECT_WORDS: Final = re.compile(
    r"\b(?:open|import|require|exec|eval|system|spawn|fork|unlink|socket|fetch|File|FileUtils|IO|Dir|Kernel|os|subprocess|shutil|"
    r"write|rename|load|use|readfile|lines|connect|http|net|fs|process|__\w+__|getattr|globals|compile|popen)\b|`|qx|%x|<[A-Z$]|[sS]ocket|gen_tcp"
)
_MODULE_FILTERS: Final = frozenset(
    {"json.tool", "tokenize", "base64", "gzip", "zipfile", "tarfile", "timeit", "this", "calendar"}
)
_MODULE_SERVERS: Final = frozenset({"http.server", "simplehttpserver", "pyftpdlib", "smtpd", "aiosmtpd"})


def _shell(act: Act) -> None:
    act.is_("interpreter", "shell")
    act.language = "sh"
    if act.has("-n"):
        act.is_("syntax_only")
        act.does("read")
        act.touch("read", act.operands[:1])
        return
    act.does("execute")
    if act.has("-i"):
        act.is_("interactive")
    if act.has("--rcfile"):
        act.touch("execute", act.all("--rcfile"), "code")
    act.args = "code"
    if act.has("-c"):
        act.is_("inline_code")
        act.code = act.value("-c")
        act.stdin = "drop"
    elif act.operand(0) not in ("", "-", "/dev/stdin", "/dev/fd/0") and not act.has("-s"):
        act.is_("script_file")
        act.touch("execute", act.operands[:1], "code")
        act.args = "code" if is_stream(act.operand(0)) else "drop"
    else:
        act.is_("stdin_code")
        act.stdin = "code"
        act.emits.append("process")


def is_stream(operand: str) -> bool:
    """Whether a file operand is the output of a process substitution."""
    return operand == UNKNOWN or operand.startswith("/dev/fd/")


def language_of(program: str) -> tuple[str, str]:
    """Return language and inline option of an interpreter, whatever its version; empty if it is none."""
    return _LANGUAGES.get(program) or _LANGUAGES.get(program.rstrip("0123456789.")) or ("", "")


def _interpreter(act: Act) -> None:
    language, inline = language_of(act.program)
    act.is_("interpreter")
    act.does("execute")
    act.language = language
    if not act.has(inline) and act.has("--help", "--version", "-V"):
        act.preview()
        return
    texts = act.all(inline, *_ALSO_INLINE.get(language, ()))
    act.args = "code" if texts else "drop"
    if language in ("node", "ruby", "perl") and act.has("-c"):
        act.is_("syntax_only")
        act.touch("read", act.operands[:1])
        return
    if texts:
        act.is_("inline_code")
        act.code = "\n".join(texts)
        filters = act.has("-n", "-p") and language in ("perl", "ruby")
        act.stdin = "pass" if filters else "drop"
        if filters:
            act.transform = True
            _filter_files(act)
        elif UNKNOWN not in act.code:
            act.emits.append("process")
        inspect_code(act, act.code, language)
        if language == "tcl":
            act.nested.extend(match[1] for match in _SPAWNED.finditer(act.code[:MAX_INLINE]))
    elif act.has("-m") and language == "python":
        _python_module(act)
    elif act.operand(0) not in ("", "-", "/dev/stdin"):
        act.is_("script_file")
        act.touch("execute", act.operands[:1], "code")
        act.args = "code" if is_stream(act.operand(0)) else "drop"
        act.stdin = "pass"
    else:
        act.is_("stdin_code")
        act.stdin = "code"


_ALSO_INLINE: Final[dict[str, tuple[str, ...]]] = {
    "perl": ("-E",),
    "node": ("-p", "--eval", "--print"),
    "php": ("-B", "-R", "-E"),
}


def _filter_files(act: Act) -> None:
    act.does("read")
    if act.has("-i"):
        act.does("write")
        act.is_("in_place")
        act.touch("write", act.operands)
    else:
        act.touch("read", act.operands, "stdout")


def _python_module(act: Act) -> None:
    # Everything after the module's name belongs to the module.
    module = act.value("-m").lower()
    act.is_("module_run")
    if module in _MODULE_FILTERS:
        act.stdin = "pass"
        act.transform = True
        act.touch("read", act.operands[:1], "stdout")
        if module == "base64" and act.has("-d"):
            act.does("decode")
    elif module in _MODULE_SERVERS:
        act.does("listen")
        act.talk("listen", "0.0.0.0", "http", 8000)  # noqa: S104 -- named, not bound


def inspect_code(act: Act, code: str, language: str) -> None:
    """Add what inline text of a language other than the shell's does, as far as tokens tell."""
    code = code[:MAX_INLINE]
    if printed(code, language) is not None:
        # Whatever its strings name, nothing of it is done.
        act.is_("inline_harmless")
        return
    code = _opened(unescaped(code, language), language)
    if not _EFFECT_WORDS.search(code) and not _SPAWN.search(code):
        act.is_("inline_harmless")
        return
    folded = fold(code)
    strings = [match[1] or match[2] or "" for match in _STRING.finditer(folded)][:_MAX_STRINGS]
    if _OWN_CODE.search(folded) and _OWN_CONTROL.search(" ".join([folded, *act.operands])):
        act.does("config_change", "policy_bypass")
        act.is_("self_control")
    if _KILLS.search(code) and any(OURS in text.lower() for text in strings):
        act.does("process_kill")
        act.is_("self_stop")
    if _FORKS.search(code):
        act.is_("fork_bomb")
    spawns = _SPAWN.search(code) is not None
    if spawns:
        act.is_("spawn_code")
        act.nested.extend(_commands_in(folded, language))
    if _SOCKET.search(code):
        act.is_("socket_code")
        sends = _SEND.search(code) is not None
        ports = {match[1] or match[2]: int(match[3]) for match in _HOST_AND_PORT.finditer(folded)}
        for text in strings:
            if is_url(text) or _is_address(text):
                scheme = "http" if is_url(text) else "tcp"
                act.talk("upload" if sends else "connect", text, scheme, ports.get(text, 0))
        if _ATTACH.search(code) and not _FETCH.search(code):
            act.is_("shell_to_network")
        if sends:
            act.does("upload")
    # A whole script that serves and starts programs is ordinary; a line typed for the moment is not.
    if "script_file" not in act.traits and joins_a_shell(code):
        act.is_("shell_to_network", "socket_code")
        add_ends(act, code)
    if _RUN_TEXT.search(code) or (spawns and re.search(r"\.read\(|\.text|\.content", code)):
        if _FETCH.search(code):
            act.is_("runs_download")
        elif _DECODE.search(code):
            act.is_("runs_decoded")
    if _ENVIRON.search(code):
        act.does("environment_read")
        act.emits.append("environment")
    _touch_strings(act, code, strings)


def _opened(code: str, language: str) -> str:
    """Return program text followed by the constant texts that it runs as program text."""
    if language == "node":
        code = _PLAIN_TEMPLATE.sub(r'"\1"', code)
    elif language == "python" and ('"""' in code or "'''" in code):
        code = _TRIPLE_QUOTED.sub(_on_one_line, code)
    inner = [plain_text(match[1][1:-1]) for match in _RUN_LITERAL.finditer(code)]
    return "\n".join([code, *inner[:_MAX_OPENED]])


def _on_one_line(match: re.Match[str]) -> str:
    text = match[2].replace("\n", "\\n")
    quote = match[1][0]
    return f"{quote}{text}{quote}" if quote not in text.replace(f"\\{quote}", "") else match[0]


def _is_address(text: str) -> bool:
    return re.fullmatch(
        r"\d{1,3}(?:\.\d{1,3}){3}|[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,12}", text
    ) is not None and not text.endswith(
        (
            ".py",
            ".js",
            ".json",
            ".txt",
            ".sh",
            ".md",
            ".csv",
            ".log",
            ".html",
            ".rb",
            ".pl",
            ".php",
            ".yaml",
            ".yml",
            ".toml",
        )
    )


def _touch_strings(act: Act, code: str, strings: list[str]) -> None:
    access = (
        "delete"
        if _DELETE.search(code)
        else ("append" if _APPEND.search(code) else "write")
        if _WRITE.search(code)
        else "read"
        if _READ.search(code)
        else ""
    )
    if not access:
        return
    role = (
        "upload"
        if "upload" in act.operations and access == "read"
        else ("stdout" if access == "read" else "")
    )
    strings = [_OPEN_MODE.sub("", text) for text in strings]
    paths = [text for text in strings if _is_file(text)]
    if access == "delete" and _TREE.search(code):
        act.is_("recursive")
    if paths:
        act.does(access)
        act.touch(access, paths, role)


def _is_file(text: str) -> bool:
    return (
        not is_url(text)
        and " " not in text.strip()
        and re.fullmatch(r"\d{1,3}(?:\.\d{1,3}){3}", text) is None
        and (
            text.startswith(("/", "~", "."))
            or "/" in text
            or re.fullmatch(r"[\w.-]+\.\w{1,8}", text) is not None
        )
        and not text.startswith(("/bin/", "application/", "text/"))
    )


def _commands_in(code: str, language: str) -> list[str]:
    found = [plain_text(match[1][1:-1]) for match in _COMMAND_STRING.finditer(code)]
    for match in (*_COMMAND_LIST.finditer(code), *_COMMAND_WORDS.finditer(code)):
        words = re.findall(r"['\"]([^'\"\n]*)['\"]", match[1])
        if len(words) > 1:
            found.append(" ".join(_quote(word) for word in words))
    if language in ("perl", "ruby", "php"):
        found.extend(match[1] or match[2] for match in _BACKTICKS.finditer(code))
    return [text for text in found if text.strip() and len(text) > 1][:8]


def _quote(word: str) -> str:
    return word if re.fullmatch(r"[\w@%+=:,./~*-]+", word) else "'" + word.replace("'", "'\\''") + "'"


def _eval(act: Act) -> None:
    act.does("execute")
    act.is_("interpreter", "shell")
    act.args = "code"
    act.language = "sh"
    act.code = " ".join(act.operands)
    if UNKNOWN in act.code:
        act.is_("dynamic_code")
    else:
        act.is_("inline_code")


def _source(act: Act) -> None:
    act.does("execute", "read")
    act.is_("interpreter", "shell", "script_file")
    act.language = "sh"
    act.args = "code"
    if act.operand(0) in ("/dev/stdin", "/dev/fd/0", "-"):
        act.stdin = "code"
    else:
        act.touch("execute", act.operands[:1], "code")


def _export(act: Act) -> None:
    names = [word.partition("=")[0] for word in act.operands]
    if any(name in LOADER_VARIABLES or name.startswith("DYLD_") for name in names):
        act.is_("loader_variable")
    # ``declare -a`` and ``declare -f`` are about arrays and functions, also where their value was taken in.
    others = act.has("-a", "-A", "-f")
    if (act.has("-p") or not (act.operands or others)) and act.program != "alias":
        act.does("environment_read")
        act.emits.append("environment")
    if "HISTFILE" in names or any(
        re.match(r"HIST(?:SIZE|FILESIZE)=0$|HISTCONTROL=ignoreboth", word) for word in act.operands
    ):
        act.is_("history_disable")


LOADER_VARIABLES: Final = frozenset(
    [
        "LD_PRELOAD",
        "LD_LIBRARY_PATH",
        "LD_AUDIT",
        "BASH_ENV",
        "ENV",
        "PROMPT_COMMAND",
        "PYTHONSTARTUP",
        "PERL5OPT",
        "RUBYOPT",
        "NODE_OPTIONS",
        "GIT_SSH_COMMAND",
        "GIT_EXTERNAL_DIFF",
        "PERL5LIB",
        "PYTHONHOME",
    ]
)
"""Variables that make other programs load or run something."""


def _history(act: Act) -> None:
    if act.has("-c") or act.has("-d") or (act.has("-w") and act.operand(0) == "/dev/null"):
        act.is_("history_clear")
    else:
        act.does("read")


def _unset(act: Act) -> None:
    if "HISTFILE" in act.operands and not act.has("-f"):
        act.is_("history_disable")


def _set(act: Act) -> None:
    if not act.words:
        act.does("environment_read")
        act.emits.append("environment")
    if "+o" in act.operands and "history" in act.operands:
        act.is_("history_disable")


def _shopt(act: Act) -> None:
    """``shopt`` only sets options of this shell."""


def _build_runner(act: Act) -> None:
    """Describe go run, cargo run, make and kin: they run what the project says."""
    act.does("execute")
    act.touch("execute", act.all("-f", "-C"), "")


def _deno(act: Act) -> None:
    act.is_("interpreter")
    act.does("execute")
    verb = act.operand(0)
    if verb == "eval" or act.has("-e", "-p"):
        act.is_("inline_code")
        act.code, act.language = act.value("-e") or act.operand(1), "node"
        inspect_code(act, act.code, "node")
    elif verb in ("run", "x") or verb.endswith((".ts", ".js", ".mjs", ".tsx")):
        script = act.operand(1) if verb in ("run", "x") else verb
        if is_url(script):
            act.is_("runs_download", "package_run")
            act.talk("download", script)
        elif script == "-":
            act.is_("stdin_code")
            act.stdin = "code"
        elif verb != "x" and ("/" in script or "." in script):
            act.is_("script_file")
            act.touch("execute", [script], "code")
    elif verb in ("add", "install", "i"):
        act.is_("package_install")


def _python_grammar() -> Grammar:
    return grammar("-c=! -m=! -W= -X= -Q= -I -S -s -E -u -v -B -O -i -q", stop=True)


_PERL: Final = grammar("-e= -E= -M= -I= -i -n -p -l -w -c -x -a -F= -T -0 -s", stop=True)
_RUBY: Final = grammar("-e= -r= -I= -i -n -p -l -w -c -a -F= -C=", stop=True)
_NODE: Final = grammar(
    "-e,--eval= -p,--print= -r,--require= --import= --loader= --input-type= -c,--check --env-file= "
    "--inspect -i",
    stop=True,
)
_OTHER: Final = grammar("-e= -r= -c= -B= -R= -E= -f= -l= --eval= -eval= -d=", stop=True)


def _grammar_of(name: str) -> Grammar:
    language = language_of(name)[0]
    return {"python": _python_grammar(), "perl": _PERL, "ruby": _RUBY, "node": _NODE}.get(language, _OTHER)


PROGRAMS: Final[dict[str, Program]] = {
    **{name: Program(_SHELL, _shell) for name in _SHELL_NAMES},
    **{
        name: Program(_grammar_of(name), _interpreter, frozenset())
        for name in (*_LANGUAGES, "python2", "python3", "pypy3", "perl5")
    },
    "deno": Program(grammar("-e= -p= --config= -c= --allow-read --allow-all,-A -r", stop=False), _deno),
    "eval": Program(grammar(stop=True), _eval, frozenset()),
    "source": Program(grammar(stop=True), _source, frozenset()),
    ".": Program(grammar(stop=True), _source, frozenset()),
    "export": Program(grammar("-p -n -f"), _export),
    "declare": Program(grammar("-p -x -a -A -i -r -f -g"), _export),
    "typeset": Program(grammar("-p -x"), _export),
    "readonly": Program(grammar("-p"), _export),
    "history": Program(grammar("-d= -a -c -n -r -w"), _history),
    "unset": Program(grammar("-f -v"), _unset),
    "set": Program(grammar(stop=True), _set, frozenset()),
    "shopt": Program(grammar(), _shopt),
    "setopt": Program(grammar(), _shopt),
    "make": Program(
        grammar("-f,--file= -C,--directory= -j= -I= -n,--dry-run,--just-print"),
        _build_runner,
        frozenset({"--help", "--version", "-n"}),
    ),
    "gmake": Program(grammar("-f= -C= -j="), _build_runner),
    "just": Program(grammar("-f= -d="), _build_runner),
    "task": Program(grammar("-t= -d="), _build_runner),
}
