"""Programs that run the command given in their own words, and how to find it there."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from defenseclaw.detection.facts import UNKNOWN
from defenseclaw.detection.shell.bounds import MAX_TURNS, MAX_WORDS
from defenseclaw.detection.shell.finders import MAX_ROOTS, found_paths
from defenseclaw.detection.shell.render import quote

HOME = "~"
"""As a directory: the home of the user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    """One command found in another's words: ready words, or source for a shell."""

    argv: tuple[str, ...] = ()
    source: str = ""
    offset: int = -1
    """Where the words start in the outer command when they are its tail; -1 when they are put together."""
    where: str = "host"
    privileged: bool = False
    environment: tuple[tuple[str, str], ...] = ()
    removed: tuple[str, ...] = ()
    """Variables taken out of its environment."""
    directory: str = ""
    """Directory the wrapper changes to first; empty: none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Grammar:
    """How a wrapper's own options look, so that they are not taken for the command."""

    short: str = ""
    """Letters whose value is the rest of the word or the next one."""
    long: frozenset[str] = frozenset()
    """Names whose value is the next word unless given with ``=``."""
    flags: frozenset[str] | None = None
    """When set: the long names without a value; all others have one."""
    operands: int = 0
    """Words of its own between options and command."""
    assignments: bool = False
    """``NAME=value`` words may stand before the command."""
    body: frozenset[str] = frozenset()
    """Options whose value is source for a shell."""
    user: frozenset[str] = frozenset()
    """Options that name the user to become."""
    chdir: frozenset[str] = frozenset()
    only: frozenset[str] = frozenset()
    """Options with which no command is run."""
    joined: bool = False
    """The words of the command are put together and read by a shell."""
    where: str = "host"
    privileged: bool = False


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SUDO = _Grammar(
    short="CDghpRrTtUuac",
    long=_names("close-from chdir group host prompt chroot role command-timeout type other-user user"),
    assignments=True,
    privileged=True,
    user=_names("u user"),
    chdir=_names("D chdir"),
    only=_names("l list v validate k K e edit V version h help remove-timestamp reset-timestamp"),
)
_CONTAINER_RUN = _Grammar(
    short="acehlmpuvw",
    flags=_names(
        "detach init interactive no-healthcheck oom-kill-disable privileged publish-all quiet "
        "read-only rm tty sig-proxy disable-content-trust help replace rmi no-hosts no- "
        "hostname tls-verify"
    ),
    operands=1,
    where="container",
)
_CONTAINER_EXEC = _Grammar(
    short="euwcn",
    flags=_names("detach interactive tty privileged latest help no-tty quiet stdin"),
    operands=1,
    where="container",
)
_SCRIPT_BODY = _names("c command")

_GRAMMARS: dict[str, _Grammar] = {
    "sudo": _SUDO,
    "doas": _Grammar(short="uCa", privileged=True, user=_names("u"), only=_names("L")),
    "pkexec": _Grammar(
        long=_names("user"), privileged=True, user=_names("user"), only=_names("version help")
    ),
    "run0": _Grammar(
        short="ugD",
        long=_names(
            "user group nice chdir setenv unit property slice description machine background "
            "shell-prompt-prefix"
        ),
        privileged=True,
        user=_names("u user"),
        chdir=_names("D chdir"),
    ),
    "nohup": _Grammar(),
    "nice": _Grammar(short="n", long=_names("adjustment")),
    "ionice": _Grammar(short="cnpPu", long=_names("class classdata pid pgid uid"), only=_names("p pid P u")),
    "chrt": _Grammar(short="TPD", operands=1, only=_names("p pid m max")),
    "taskset": _Grammar(operands=1, only=_names("p pid")),
    "setsid": _Grammar(),
    "setarch": _Grammar(operands=1),
    **dict.fromkeys(("linux32", "linux64", "i386", "x86_64"), _Grammar()),
    "stdbuf": _Grammar(short="ioe", long=_names("input output error")),
    "unbuffer": _Grammar(),
    "caffeinate": _Grammar(short="tw"),
    "catchsegv": _Grammar(),
    "fakeroot": _Grammar(short="lisb", long=_names("lib faked save load")),
    "timeout": _Grammar(short="ks", long=_names("kill-after signal"), operands=1),
    "gtimeout": _Grammar(short="ks", long=_names("kill-after signal"), operands=1),
    "time": _Grammar(short="fo", long=_names("format output")),
    "command": _Grammar(only=_names("v V")),
    "builtin": _Grammar(),
    "exec": _Grammar(short="a"),
    "strace": _Grammar(short="abeEIoOpPsSuUX", only=_names("p attach")),
    "ltrace": _Grammar(short="aAeFlnopsuwx", only=_names("p")),
    "prlimit": _Grammar(short="p", long=_names("pid"), only=_names("p pid")),
    "firejail": _Grammar(),
    "bwrap": _Grammar(long=_names("unshare-user-try"), operands=0),
    "systemd-run": _Grammar(
        short="pMHtuE",
        long=_names(
            "unit property description slice machine host setenv uid gid nice working-directory "
            "on-active on-boot on-startup on-calendar timer-property path-property socket- "
            "property service-type"
        ),
    ),
    "systemd-inhibit": _Grammar(long=_names("what who why mode")),
    "dbus-run-session": _Grammar(long=_names("config-file dbus-daemon")),
    "chroot": _Grammar(long=_names("userspec groups"), operands=1),
    "unshare": _Grammar(
        short="SGRw",
        long=_names("setuid setgid root wd propagation setgroups map-user map-group map-users map-groups"),
    ),
    "nsenter": _Grammar(
        short="tSG",
        long=_names("target setuid setgid"),
    ),
    "setpriv": _Grammar(
        long=_names(
            "reuid regid groups inh-caps ambient-caps bounding-set securebits pdeathsig selinux- label"
        )
    ),
    "watch": _Grammar(short="n", long=_names("interval"), joined=True),
    "entr": _Grammar(),
    "flock": _Grammar(
        short="wEc", long=_names("wait timeout conflict-exit-code command"), operands=1, body=_SCRIPT_BODY
    ),
    "script": _Grammar(
        short="cEIOBTmto",
        long=_names("command echo log-in log-out log-io log-timing logging-format"),
        operands=99,
        body=_SCRIPT_BODY,
    ),
    "ssh": _Grammar(
        short="BbcDEeFIiJLlmOopPQRSWw", operands=1, joined=True, where="remote", only=_names("V Q O")
    ),
    "sshpass": _Grammar(short="fdpPe"),
    "torsocks": _Grammar(short="uaP"),
    "proxychains": _Grammar(short="f"),
    "proxychains4": _Grammar(short="f"),
    "xvfb-run": _Grammar(
        short="efnpsw", long=_names("error-file auth-file server-num xauth-protocol server-args wait")
    ),
    "dotenv": _Grammar(short="fe"),
    "direnv": _Grammar(operands=0),
    "lxc-attach": _Grammar(short="nefPo", long=_names("name"), where="container"),
    "machinectl": _Grammar(short="MuE", long=_names("machine uid setenv"), operands=2, where="container"),
    "oc-exec": _CONTAINER_EXEC,
}

_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)\Z", re.DOTALL).match
_CONTAINER_TOOLS = frozenset({"docker", "podman", "nerdctl", "docker-compose", "podman-compose"})
_CLUSTER_TOOLS = frozenset({"kubectl", "oc", "k3s", "microk8s", "minikube"})
_APPLETS = frozenset({"busybox", "toybox"})
_GLOBAL_VALUES = _names(
    "-H --host --config --context -c -l --log-level --tlscacert --tlscert --tlskey -n "
    "--namespace -f --file -p --project-name --profile --env-file --project-directory "
    "--kubeconfig --cluster --user --as -s --server --token --url --connection --identity "
    "--root --runroot --address -a"
)
_FIND_EXEC = frozenset({"-exec", "-execdir", "-ok", "-okdir"})
_XARGS = _Grammar(
    short="aEIJLnPRSsd",
    long=_names("arg-file delimiter max-lines max-args max-procs max-chars process-slot-var"),
)
_PARALLEL = _Grammar(
    short="jINnaCEMSPLsD",
    long=_names(
        "jobs arg-file colsep delay timeout tmpdir sshlogin joblog results max-args max- "
        "replace-args load retries workdir env recstart recend block basefile return shuf- "
        "seed rpl sshloginfile"
    ),
)
_FD = frozenset({"-x", "--exec", "-X", "--exec-batch"})


def wrapped(program: str, argv: Sequence[str], stdin: str | None, user: str) -> list[Inner] | None:
    """Return the commands a command runs; None when the program is no wrapper.

    Args:
        program: Lower-case base name of ``argv[0]``.
        argv: Evaluated words.
        stdin: Text known to reach it, which ``xargs`` and ``parallel`` take arguments from.
        user: Name of the user who runs it, empty if unknown: becoming that user gives no privilege.
    """
    special = _SPECIAL.get(program)
    if special is not None:
        return special(argv, stdin, user)
    grammar = _GRAMMARS.get(program)
    if grammar is None:
        return None
    return _general(grammar, argv, 1, user)


def _general(grammar: _Grammar, argv: Sequence[str], start: int, user: str) -> list[Inner]:
    options, at = _options(grammar, argv, start)
    names = {name for name, _ in options}
    if names & grammar.only:
        return []
    privileged = grammar.privileged and not any(
        name in grammar.user and value == user and user for name, value in options
    )
    directory = next((value for name, value in options if name in grammar.chdir), "")
    common = {"where": grammar.where, "privileged": privileged, "directory": directory}
    bodies = [value for name, value in options if name in grammar.body]
    if bodies:
        return [Inner(source=bodies[-1], where=grammar.where, privileged=privileged)]
    at += grammar.operands
    environment: list[tuple[str, str]] = []
    if grammar.assignments:
        environment, at = _assignments(argv, at)
    if (grammar.operands or environment) and list(argv[at : at + 1]) == ["--"]:
        at += 1
    if grammar.body and list(argv[at : at + 1]) in (["-c"], ["--command"]) and at + 1 < len(argv):
        return [Inner(source=argv[at + 1], where=grammar.where, privileged=privileged)]
    if at >= len(argv):
        return []
    if grammar.joined:
        here = grammar.where == "remote" and _is_self(argv[at - 1], user)
        return [
            Inner(
                source=" ".join(argv[at:]),
                where="host" if here else grammar.where,
                privileged=privileged,
                directory=HOME if here else "",
            )
        ]
    return [Inner(argv=tuple(argv[at:]), offset=at, environment=tuple(environment), **common)]  # type: ignore[arg-type]


def _is_self(host: str, user: str) -> bool:
    """Return whether ``ssh`` to a host is this machine under the same user."""
    name, at, host = host.rpartition("@")
    return host.lower() in ("localhost", "127.0.0.1", "::1", "[::1]") and (not at or name == user)


def _options(grammar: _Grammar, argv: Sequence[str], start: int) -> tuple[list[tuple[str, str]], int]:
    """Return the options as (name without dashes, value) and the index of the first word after them."""
    found: list[tuple[str, str]] = []
    at = start
    while at < len(argv):
        word = argv[at]
        if word == "--":
            return found, at + 1
        if word[:1] != "-" or word == "-":
            break
        at += 1
        if word[:2] == "--":
            name, equals, value = word[2:].partition("=")
            if not equals and _takes_value(grammar, name) and at < len(argv):
                value = argv[at]
                at += 1
            found.append((name, value))
            continue
        for position in range(1, len(word)):
            letter = word[position]
            if letter in grammar.short:
                value = word[position + 1 :]
                if not value and at < len(argv):
                    value = argv[at]
                    at += 1
                found.append((letter, value))
                break
            found.append((letter, ""))
    return found, at


def _takes_value(grammar: _Grammar, name: str) -> bool:
    if grammar.flags is not None:
        return name not in grammar.flags
    return name in grammar.long or (len(name) > 1 and any(known.startswith(name) for known in grammar.long))


def _env(argv: Sequence[str], stdin: str | None, user: str) -> list[Inner]:
    grammar = _Grammar(short="uCS", long=_names("unset chdir split-string"))
    options, at = _options(grammar, argv, 1)
    split = [value for name, value in options if name in ("S", "split-string")]
    directory = next((value for name, value in options if name in ("C", "chdir")), "")
    if at < len(argv) and argv[at] == "-":
        at += 1
    if split:
        words = _split_string(split[-1]) + list(argv[at:])
        return _env(["env", *words], stdin, user) if words else []
    environment, at = _assignments(argv, at)
    if at >= len(argv):
        return []
    removed = tuple(value for name, value in options if name in ("u", "unset") and value)
    return [
        Inner(
            argv=tuple(argv[at:]),
            offset=at,
            environment=tuple(environment),
            removed=removed,
            directory=directory,
        )
    ]


def _assignments(argv: Sequence[str], at: int) -> tuple[list[tuple[str, str]], int]:
    found: list[tuple[str, str]] = []
    while at < len(argv):
        match = _ASSIGNMENT(argv[at])
        if match is None:
            break
        found.append((match[1], match[2]))
        at += 1
    return found, at


def _split_string(text: str) -> list[str]:
    """Split the way ``env -S`` and ``xargs`` do: quotes group, a backslash takes the next character."""
    words: list[str] = []
    current: list[str] | None = None
    quote_char = ""
    escaped = False
    for char in text:
        if escaped:
            current = [] if current is None else current
            current.append({"n": "\n", "t": "\t", "_": " "}.get(char, char) if quote_char != "'" else char)
            escaped = False
        elif char == "\\" and quote_char != "'":
            escaped = True
        elif quote_char:
            if char == quote_char:
                quote_char = ""
            elif current is not None:
                current.append(char)
        elif char in "'\"":
            quote_char = char
            current = [] if current is None else current
        elif char in " \t\n":
            if current is not None:
                words.append("".join(current))
                current = None
        else:
            current = [] if current is None else current
            current.append(char)
    if current is not None:
        words.append("".join(current))
    return words[:MAX_WORDS]


def _sudo(argv: Sequence[str], stdin: str | None, user: str) -> list[Inner]:
    return _general(_SUDO, argv, 1, user)


def _su(argv: Sequence[str], stdin: str | None, user: str) -> list[Inner]:
    grammar = _Grammar(
        short="csgGwuC",
        long=_names("command shell group supp-group whitelist-environment user session-command"),
    )
    target = "root"
    body: str | None = None
    at = 1
    operands = 0
    command: list[str] = []
    named = False
    while at < len(argv):
        word = argv[at]
        if word == "-" or word[:1] != "-":
            at += 1
            if word != "-":
                operands += 1
                target = word if operands == 1 and not named else target
                command.append(word)
            continue
        options, following = _options(grammar, argv[: at + 2], at)
        at = max(following, at + 1)
        for name, value in options:
            if name in ("c", "command", "session-command"):
                body = value
            elif name in ("u", "user"):
                target, named = value, True
    privileged = not (user and target == user)
    if body is not None:
        login = not privileged and any(word in ("-", "-l", "--login") for word in argv[1:])
        return [Inner(source=body, privileged=privileged, directory=HOME if login else "")]
    if named and command:
        offset = list(argv).index(command[0], 1)
        return [Inner(argv=tuple(argv[offset:]), offset=offset, privileged=privileged)]
    return []


def _xargs(argv: Sequence[str], stdin: str | None, user: str) -> list[Inner]:
    options, at = _options(_XARGS, argv, 1)
    settings = dict(options)
    command = list(argv[at:])
    if not command:
        return []
    marker = settings.get("I") or settings.get("J") or settings.get("replace") or ""
    if not marker and ("i" in settings or "replace" in settings):
        marker = "{}"
    if stdin is None or settings.get("a") or settings.get("arg-file"):
        if marker:
            return [Inner(argv=tuple(word.replace(marker, UNKNOWN) for word in command))]
        return [Inner(argv=(*command, UNKNOWN))]
    if marker:
        lines = [line.strip(" \t") for line in stdin.split("\n") if line.strip(" \t")]
        return [
            Inner(argv=tuple(word.replace(marker, line) for word in command)) for line in lines[:MAX_TURNS]
        ]
    arguments = _xargs_words(stdin, settings)
    per = (
        settings.get("n") or settings.get("max-args") or settings.get("L") or settings.get("max-lines") or ""
    )
    size = int(per) if per.isdigit() and len(per) < 5 and int(per) else max(1, len(arguments))
    chunks = [arguments[start : start + size] for start in range(0, len(arguments), size)][:MAX_TURNS]
    return [Inner(argv=(*command, *chunk)) for chunk in chunks or [[]]]


def _xargs_words(stdin: str, settings: dict[str, str]) -> list[str]:
    delimiter = settings.get("d", settings.get("delimiter"))
    if "0" in settings or "null" in settings:
        delimiter = "\0"
    if delimiter is not None:
        delimiter = {"\\n": "\n", "\\0": "\0", "\\t": "\t"}.get(delimiter, delimiter) or "\n"
        return stdin.removesuffix("\n").removesuffix(delimiter[0]).split(delimiter[0])[:MAX_WORDS]
    return _split_string(stdin)


def _parallel(argv: Sequence[str], stdin: str | None, user: str) -> list[Inner]:
    _, at = _options(_PARALLEL, argv, 1)
    words = list(argv[at:])
    where = "remote" if any(word in ("-S", "--sshlogin") for word in argv[1:at]) else "host"
    cut = next((index for index, word in enumerate(words) if word in (":::", ":::+")), len(words))
    arguments = [word for word in words[cut:] if word not in (":::", ":::+")]
    if cut == len(words) and stdin is not None:
        arguments = [line for line in stdin.split("\n") if line]
    command = " ".join(words[:cut])
    if not command:
        return [Inner(source=argument, where=where) for argument in arguments[:MAX_TURNS]]
    if not arguments:
        arguments = [UNKNOWN]
    elif cut < len(words) or stdin is not None:
        arguments = [quote(argument) for argument in arguments]
    if "{}" not in command:
        command += " {}"
    return [Inner(source=command.replace("{}", argument), where=where) for argument in arguments[:MAX_TURNS]]


def _find(argv: Sequence[str], stdin: str | None, user: str) -> list[Inner]:
    paths = found_paths(argv)
    found: list[Inner] = []
    at = 1
    while at < len(argv):
        if argv[at] not in _FIND_EXEC:
            at += 1
            continue
        end = next(
            (
                i
                for i in range(at + 1, len(argv))
                if argv[i] == ";" or (argv[i] == "+" and argv[i - 1] == "{}")
            ),
            len(argv),
        )
        command = argv[at + 1 : end]
        if command:
            for path in paths[:MAX_ROOTS]:
                found.append(Inner(argv=tuple(word.replace("{}", path) for word in command)))
        at = end + 1
    return found[:MAX_TURNS]


def _fd(argv: Sequence[str], stdin: str | None, user: str) -> list[Inner]:
    at = next((index for index, word in enumerate(argv) if word in _FD), len(argv))
    command = [word for word in argv[at + 1 :] if word != ";"]
    if not command:
        return []
    replaced = tuple(re.sub(r"\{(?:/|//|\.|/\.)?\}", UNKNOWN, word) for word in command)
    return [Inner(argv=replaced if replaced != tuple(command) else (*command, UNKNOWN))]


def _container(argv: Sequence[str], stdin: str | None, user: str) -> list[Inner]:
    at = _skip_globals(argv, 1)
    if argv[at : at + 1] in (["container"], ["compose"]) or tuple(argv[at : at + 1]) in (
        ("container",),
        ("compose",),
    ):
        at = _skip_globals(argv, at + 1)
    verb = argv[at] if at < len(argv) else ""
    if verb not in ("run", "exec", "create"):
        return []
    grammar = _CONTAINER_EXEC if verb == "exec" else _CONTAINER_RUN
    options, end = _options(grammar, argv, at + 1)
    command = tuple(argv[end + 1 :])
    entry = next((value for name, value in options if name == "entrypoint"), "")
    if entry:
        return [Inner(argv=(entry, *command), where="container")]
    if not command:
        return []
    if command[0][:1] == "-":
        # The image brings its program along, more often than not one of the same name.
        image = argv[end].rpartition("/")[2].partition(":")[0] if end < len(argv) else ""
        return [Inner(argv=(image, *command), where="container")] if image.isascii() and image else []
    return [Inner(argv=command, offset=end + 1, where="container")]


def _cluster(argv: Sequence[str], stdin: str | None, user: str) -> list[Inner]:
    at = 1
    if argv[1:2] and argv[1] == "kubectl":
        at = 2
    at = _skip_globals(argv, at)
    verb = argv[at] if at < len(argv) else ""
    if verb not in ("exec", "run", "debug", "ssh", "rsh"):
        return []
    rest = list(argv[at + 1 :])
    if "--" in rest:
        offset = at + 2 + rest.index("--")
    elif verb in ("exec", "ssh", "rsh"):
        _, end = _options(_CONTAINER_EXEC, argv, at + 1)
        _, offset = _options(_CONTAINER_EXEC, argv, end + (verb != "ssh"))
    else:
        return []
    if offset >= len(argv):
        return []
    return [Inner(argv=tuple(argv[offset:]), offset=offset, where="container")]


def _skip_globals(argv: Sequence[str], at: int) -> int:
    while at < len(argv) and argv[at][:1] == "-":
        at += 2 if argv[at] in _GLOBAL_VALUES else 1
    return at


def _applet(argv: Sequence[str], stdin: str | None, user: str) -> list[Inner]:
    if len(argv) < 2 or argv[1][:1] == "-":
        return []
    return [Inner(argv=tuple(argv[1:]), offset=1)]


_SPECIAL: dict[str, Callable[[Sequence[str], str | None, str], list[Inner]]] = {
    "env": _env,
    "genv": _env,
    "su": _su,
    "runuser": _su,
    "xargs": _xargs,
    "gxargs": _xargs,
    "parallel": _parallel,
    "find": _find,
    "gfind": _find,
    "fd": _fd,
    "fdfind": _fd,
    **dict.fromkeys(_CONTAINER_TOOLS, _container),
    **dict.fromkeys(_CLUSTER_TOOLS, _cluster),
    **dict.fromkeys(_APPLETS, _applet),
}
WRAPPERS = frozenset(_SPECIAL) | frozenset(_GRAMMARS)
"""Programs that run the command given in their own words."""
