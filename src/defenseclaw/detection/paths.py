"""Normal forms of paths, and what a path is.

Lexical only: nothing is looked up. What a path *is* (a private key, our data directory, the root) is a
set of words from :data:`defenseclaw.detection.terms.PATH_CLASSES`.

Names are compared without regard to case, compatibility forms and invisible characters, because the
file systems of agents' machines do so too, and a stricter reading only ever adds a class.

Source: ``spec/guardrail.md`` §3.3, §6.6; ``spec/defender.md`` §9.1-§9.3.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

from defenseclaw.detection import path_names as names
from defenseclaw.detection import path_windows as windows
from defenseclaw.detection.facts import UNKNOWN
from defenseclaw.detection.terms import CREDENTIAL_CLASSES
from defenseclaw.vocabulary import HostContext

MAX_PATH: Final = 4096
"""Characters of a path that are looked at; file systems take no more."""

_GLOB: Final = frozenset("*?[{")
_INVISIBLE: Final = re.compile("[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\x00]")
_CLIMB: Final = re.compile(r"^(?:\.\./)+")
_PROC_ALIAS: Final = re.compile(r"^/proc/(?:self|thread-self|\d+|\ufffd)(?:/task/\d+)?/(root|cwd)(/|$)")


def normalize(value: str, *, cwd: str, home: str) -> tuple[str, bool]:
    """Return ``value`` as an absolute path without ``.`` and ``..``, and whether all of it is known.

    Args:
        value: A path as evaluated; may be a ``file:`` URL, use ``~``, ``$HOME``, ``%USERPROFILE%`` or
            backslashes, hold wildcards and :data:`UNKNOWN` parts.
        cwd: Absolute directory that relative paths start at; empty when unknown.
        home: Home directory of the acting user; empty when unknown.

    Returns:
        The normal form, and False when a part of it is unknown (an unset variable, a relative path
        without ``cwd``). A path that begins with an unknown part stays as it is, so that nobody takes
        it for a relative one.
    """
    value = value[:MAX_PATH]
    if value.startswith(("file:", "FILE:")):
        value = _from_file_url(value)
    if "\\" in home or "\\" in cwd:
        home, cwd = home.replace("\\", "/"), cwd.replace("\\", "/")
    backslashed = "\\" in value
    if backslashed:
        value = value.replace("\\", "/")
    if "$" in value or "%" in value:
        value = windows.with_variables(value, home)
    if backslashed or value[1:2] == ":":
        value = windows.plain(value)
    if value.startswith("~"):
        value = _tilde(value, cwd=cwd, home=home)
    known = UNKNOWN not in value
    if value.startswith(UNKNOWN):
        return _collapse_unknown(value), False
    if not value.startswith("/") and not _has_drive(value):
        if not cwd:
            return _collapse(value), False
        value = f"{cwd}/{value}"
    return _follow_aliases(_collapse(value), cwd), known


def is_pattern(path: str) -> bool:
    """Whether ``path`` holds a wildcard."""
    return not _GLOB.isdisjoint(path)


def classify(normalized: str, *, cwd: str, home: str, host: HostContext) -> frozenset[str]:
    """Return what ``normalized`` is, in words of ``PATH_CLASSES``.

    A wildcard has the classes of what it can match among the sensitive names. A file in the working
    directory that merely has the name of a home's credential file is not one; a dotenv file is one
    wherever it lies.
    """
    if len(normalized) > _REMEMBERED_CHARS:
        return _classify(normalized, cwd, home, host)
    return _remembered(normalized, cwd, home, host)


_REMEMBERED_CHARS: Final = 256
"""Longer ones are classed anew, so that what is remembered stays small."""


def _classify(normalized: str, cwd: str, home: str, host: HostContext) -> frozenset[str]:
    path = _fold(normalized)
    if "\\" in home or "\\" in cwd:
        home, cwd = home.replace("\\", "/"), cwd.replace("\\", "/")
    cwd, home = _fold(cwd), _fold(home)
    out: set[str] = set()
    base, last = path, path.rpartition("/")[2]
    if last in names.EVERYTHING and path != last:
        out.add("contents")
        base = path[: -len(last)].rstrip("/") or "/"
    if UNKNOWN in path and path.replace(UNKNOWN, "").rstrip("*").strip("/") == "" and "/" in path:
        out.add("root_if_unset")
    _add_places(out, base, cwd=cwd, home=home)
    _add_guarded(out, base, home=home, host=host)
    glob = is_pattern(base)
    relative = _below_home(base, cwd=cwd, home=home)
    if relative:
        _add_home_names(out, relative, glob=glob)
    _add_system_names(out, base, glob=glob)
    _add_names(out, base, glob=glob)
    _add_worth(out, path, base, cwd=cwd)
    if _is_fixture(base, cwd, home):
        out -= names.NOT_IN_FIXTURES
    elif (
        names.SECRET_HINT.search(base)
        and not path.startswith(names.SYSTEM_TREES)
        and _is_named_secret(normalized.rpartition("/")[2])
    ):
        out.add("named_secret")
    if not CREDENTIAL_CLASSES.isdisjoint(out):
        out.add("credential")
    if not names.PROTECTED_CLASSES.isdisjoint(out):
        out.add("permission_protected")
    return frozenset(out)


_remembered = lru_cache(maxsize=4096)(_classify)
"""Agents name the same few directories and files over and over."""


def _from_file_url(value: str) -> str:
    rest = value[5:]
    if rest.startswith("//"):
        _, _, rest = rest[2:].partition("/")
        rest = f"/{rest}"
    rest = rest.partition("?")[0]
    return unquote(unquote(rest))


def _tilde(value: str, *, cwd: str, home: str) -> str:
    user, slash, rest = value[1:].partition("/")
    if user == "":
        return (home or UNKNOWN) + slash + rest
    if user == "+":
        return (cwd or UNKNOWN) + slash + rest
    if user == "-" or not re.fullmatch(r"[a-z_][\w.-]*", user):
        return value
    if home and user == home.rpartition("/")[2]:
        return home + slash + rest
    return ("/root" if user == "root" else f"/home/{user}") + slash + rest


def _has_drive(value: str) -> bool:
    return len(value) > 1 and value[1] == ":" and value[0].isalpha() and value[2:3] in ("/", "")


def _collapse(value: str) -> str:
    if "/./" not in value and "//" not in value and "/.." not in value and not value.startswith("."):
        trimmed = value.rstrip("/") if len(value) > 1 else value
        if not trimmed.endswith("/.") and ":" not in trimmed[:3]:
            return trimmed or "/"
    absolute = value.startswith("/")
    out: list[str] = []
    for part in value.split("/"):
        if part in ("", "."):
            continue
        if part == "..":
            if out and out[-1] != "..":
                # A drive letter is a root: nothing lies above it.
                if not (len(out) == 1 and _has_drive(out[0])):
                    out.pop()
            elif not absolute:
                out.append(part)
            continue
        out.append(part)
    joined = "/".join(out)
    if absolute:
        return f"/{joined}"
    return f"{joined}/" if _has_drive(joined) and len(joined) == 2 else joined or "."


def _collapse_unknown(value: str) -> str:
    """Collapse what follows an unknown start; a trailing slash stays, for the start may be empty."""
    head, slash, rest = value.partition("/")
    if not slash:
        return head
    rest = _collapse(f"/{rest}")
    return head + rest


def _follow_aliases(path: str, cwd: str) -> str:
    """Undo the other names that systems give to the same file (``/proc/self/root``, ``/private/etc``)."""
    while path.startswith("/proc/") and (match := _PROC_ALIAS.match(path)):
        rest = path[match.end() :]
        if match[1] == "cwd":
            own = path.startswith(("/proc/self/", "/proc/thread-self/")) and cwd
            if not own:
                return path
            path = _collapse(f"{cwd}/{rest}")
        elif not rest and not path.startswith(("/proc/self/", "/proc/thread-self/")):
            return path
        else:
            path = f"/{rest}"
    if path.startswith(("/private/etc", "/private/tmp", "/private/var")):
        return path[8:]
    return path


def _fold(path: str) -> str:
    if path.isascii():
        path = path.lower()
        if "\x00" not in path and ":" not in path and path[-1:] not in (".", " "):
            return path
    else:
        path = _INVISIBLE.sub("", unicodedata.normalize("NFKC", path)).casefold()
    head, slash, last = path.partition("\x00")[0].rpartition("/")
    if ":" in last and not _has_drive(last):
        last = last.partition(":")[0]
    return head + slash + (last.rstrip(". ") or last)


# ---- places -----------------------------------------------------------------------------------------


def _add_places(out: set[str], path: str, *, cwd: str, home: str) -> None:
    if path == "/" or (_has_drive(path) and len(path) <= 3):
        out.add("root")
    top = path.split("/", 2)[1] if path.startswith("/") else ""
    if top:
        _add_top_level(out, path, top)
    elif _has_drive(path) and path[2:].startswith(("/windows", "/program files", "/programdata")):
        out.add("system_file" if path.count("/") > 1 else "system_dir")
    _add_home_places(out, path, home)
    if cwd and path.startswith(("/", cwd[0])):
        if path == cwd:
            out.update(("workspace", "workspace_root"))
        elif path.startswith(f"{cwd.rstrip('/')}/"):
            out.add("workspace")
        elif cwd.startswith(f"{path.rstrip('/')}/"):
            out.add("ancestor")
    if path in names.TEMPORARY or path.startswith(names.TEMPORARY_PREFIXES):
        out.add("temporary")


def _add_top_level(out: set[str], path: str, top: str) -> None:
    if path in names.SYSTEM_DIRS:
        out.add("system_dir")
    elif path.count("/") == 1 and is_pattern(top) and _matches_any(top, names.TOP_LEVEL):
        out.update(("system_dir", "contents"))
    elif path.startswith(names.SYSTEM_TREES) and not path.startswith(names.USER_TREES):
        out.add("system_file")
    if top == "etc" and path != "/etc":
        out.add("etc")
    elif top == "dev":
        _add_device(out, path[5:])
    elif top == "proc":
        out.add("proc")
        _add_proc(out, path)
    elif top == "sys":
        out.add("kernel_setting")


def _add_worth(out: set[str], path: str, base: str, *, cwd: str) -> None:
    """Add what says how much is lost with a path: whether it comes back by itself, or is the project."""
    parts = base.split("/")
    if base.startswith(names.LOG_TREES) and _is_core_log(path, parts):
        out.update(("system_log", "core_log"))
    if "defender_log" in out:
        return
    if not names.REBUILDABLE.isdisjoint(parts) or path.startswith(names.CACHE_PREFIXES):
        out.add("rebuildable")
    elif cwd and parts[-1] in names.PROJECT_CORE and base == f"{cwd.rstrip('/')}/{parts[-1]}":
        out.add("project_core")


_ALL_LOGS: Final = frozenset(
    {"/var/log", "/var/log/*", "/var/log/*.log", "/var/log/**", "/var/log/**/*", "/var/log/**/*.log"}
)


def _is_core_log(path: str, parts: list[str]) -> bool:
    name = parts[-1].partition(".")[0] if parts[-1].endswith(".log") else parts[-1]
    return name in names.CORE_LOGS or "journal" in parts or path in _ALL_LOGS


def _add_device(out: set[str], device: str) -> None:
    if not device:
        return
    if device.startswith(("tcp/", "udp/")):
        out.add("dev_tcp")
        out.discard("system_file")
    elif device in names.HARMLESS_DEVICES or device.startswith(("fd/", "pts/", "shm/", "tty")):
        if not device.startswith("shm/"):
            out.add("null_device")
        out.discard("system_file")
    else:
        out.add("device")
        if device in ("mem", "kmem", "port", "oldmem"):
            out.add("proc_memory")
        if device.startswith(names.BLOCK_DEVICES):
            out.add("block_device")


def _add_proc(out: set[str], path: str) -> None:
    last = path.rpartition("/")[2]
    if last == "environ" or (is_pattern(last) and last.startswith("env")):
        out.add("proc_environ")
    elif last in ("mem", "kcore", "kmem"):
        out.add("proc_memory")
    elif path.startswith("/proc/sys") or path == "/proc/sysrq-trigger":
        out.add("kernel_setting")
    if path == "/proc/1/root" or path.startswith("/proc/1/ns/") or path == "/proc/1/ns":
        out.add("host_init")
        if path.endswith("root"):
            out.add("root")


def _add_home_places(out: set[str], path: str, home: str) -> None:
    if home and path == home:
        out.add("home")
    elif home and path.startswith(f"{home}/"):
        out.add("in_home")
    elif path in names.HOME_PARENTS:
        out.add("home_parent")
    else:
        other = _other_home(path)
        if other is not None:
            out.add("other_home")
            if other == "":
                out.add("home")
    if home and path != "/" and home.startswith(f"{path}/") and path in names.HOME_PARENTS:
        out.add("home_parent")


def _other_home(path: str) -> str | None:
    """Return what follows the home directory in ``path``, None when it is in no home."""
    if path == "/root" or path.startswith("/root/"):
        return path[6:]
    if path.startswith(("/home/", "/users/")):
        return path.split("/", 3)[3] if path.count("/") > 2 else ""
    if _has_drive(path) and path[2:].startswith("/users/"):
        return path.split("/", 3)[3] if path.count("/") > 2 else ""
    return None


def _below_home(path: str, *, cwd: str, home: str) -> str:
    """Return ``path`` relative to the home it is in; empty when in none.

    A path that begins with an unknown part may be in a home, and so may a relative one without ``cwd``.
    """
    if home and path.startswith(f"{home}/"):
        return path[len(home) + 1 :]
    if path.startswith(UNKNOWN):
        return path.partition("/")[2]
    if not path.startswith("/") and not _has_drive(path):
        return _CLIMB.sub("", path)
    return _other_home(path) or ""


# ---- what is ours -----------------------------------------------------------------------------------


def _add_guarded(out: set[str], path: str, *, home: str, host: HostContext) -> None:
    own, guarded = _guards(host, home)
    for directory in own:
        below = _remainder(path, directory, names.OWN_KNOWN)
        if below == "":
            out.update(names.OWN_ALL)
        elif below is not None:
            out.add("self_data")
            out.update(_own_class(below))
        elif directory.startswith(f"{path.rstrip('/')}/"):
            out.add("holds_guarded")
    if "workspace" not in out and (below := _below_own_name(path)) is not None:
        out.update(("self_data", *_own_class(below)) if below else names.OWN_ALL)
    if path.endswith(names.OWN_PROGRAMS) or "/site-packages/defenseclaw/" in path:
        out.add("self_program")
    for setting in guarded:
        if _remainder(path, setting) is not None:
            out.add("agent_settings")
        elif setting.startswith(f"{path.rstrip('/')}/"):
            out.add("holds_guarded")
        elif path.startswith(UNKNOWN) and path.endswith("/" + "/".join(setting.rsplit("/", 2)[1:])):
            out.add("agent_settings")


def _below_own_name(path: str) -> str | None:
    """Return what follows a directory named as ours always is, wherever it lies; None when there is none.

    Covers other homes, a start that is unknown and one that another program's text puts before it.
    """
    head, mark, below = path.partition(f"{names.OWN_DIRECTORY}/")
    if mark and (head == "" or head.endswith("/")):
        return below
    return "" if path.endswith(f"/{names.OWN_DIRECTORY}") else None


@lru_cache(maxsize=64)
def _guards(host: HostContext, home: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return our directories and the guarded settings, folded. The default directory is always ours."""
    own = {_fold(host.data_dir)} if host.data_dir else set()
    if home:
        own.add(f"{home}/.defenseclaw")
    return tuple(sorted(own)), tuple(_fold(path) for path in host.protected_paths)


def _remainder(path: str, directory: str, known: tuple[str, ...] = ()) -> str | None:
    """Return what follows ``directory`` in ``path``, None outside; a wildcard counts as all it can match.

    ``known`` are names in it that ``**`` reaches.
    """
    if path.startswith(directory):
        if len(path) == len(directory):
            return ""
        return path[len(directory) + 1 :] if path[len(directory)] == "/" else None
    if not is_pattern(path):
        return None
    mine, theirs = path.split("/"), directory.split("/")
    if "**" in mine:
        return _deep_remainder(mine, theirs, known)
    if len(mine) < len(theirs) or not all(map(_glob_matches, mine, theirs)):
        return None
    return "/".join(mine[len(theirs) :])


def _deep_remainder(mine: list[str], theirs: list[str], known: tuple[str, ...]) -> str | None:
    """Return what of ``theirs`` a pattern with ``**`` can match, as :func:`_remainder` does.

    Below the last ``**`` only the place itself and the names ``known`` in it count: ``find ~ -name '*.pyc'``
    does not reach into our directory.
    """
    last = len(mine) - 1 - mine[::-1].index("**")
    head, tail = mine[: mine.index("**")], mine[last + 1 :]
    if not all(map(_glob_matches, head, theirs)):
        return None
    if len(head) >= len(theirs):
        return "/".join(mine[len(theirs) :])
    middle = [part for part in mine[len(head) : last] if part != "**"]
    for name in ("", *known):
        below = [*theirs[len(head) :], *(name.split("/") if name else ())]
        ends = len(tail) <= len(below) and all(map(_name_matches, tail, below[len(below) - len(tail) :]))
        if ends and all(any(_name_matches(part, each) for each in below) for part in middle):
            return name
    return None


def _name_matches(pattern: str, name: str) -> bool:
    """Match as ``find`` does: a wildcard also matches a leading dot."""
    return _glob_matches(pattern.removeprefix("."), name.removeprefix(".")) or _glob_matches(pattern, name)


def _own_class(relative: str) -> frozenset[str]:
    first, _, rest = relative.partition("/")
    last = relative.rpartition("/")[2]
    if first == "**":
        return _own_class(last)
    if (is_pattern(first) or UNKNOWN in first) and not rest:
        return names.OWN_ALL
    if first.startswith(".env") or last.endswith(".token") or last in names.OWN_TOKENS:
        return frozenset({"self_token", *({"self_hooks"} if first == "hooks" else ())})
    if first == ".disabled":
        return frozenset({"self_disable_marker"})
    if first in names.OWN_HOOKS:
        return frozenset({"self_hooks", *({"self_token"} if is_pattern(last) or not rest else ())})
    if first in names.OWN_LOGS or first.endswith((".log", ".jsonl", ".pid")):
        return frozenset({"self_log"})
    if first in names.OWN_STORES or ".db" in first:
        return frozenset({"self_store"})
    return frozenset({"self_config"})


# ---- names ------------------------------------------------------------------------------------------


def _add_home_names(out: set[str], relative: str, *, glob: bool) -> None:
    parts = relative.split("/")
    if parts[0] == "appdata":
        windows.add_classes(out, f"/{relative}")
    if glob:
        _add_matches(out, names.HOME_BY_PARTS, parts)
        parts = parts[: next(i for i, part in enumerate([*parts, "*"]) if is_pattern(part))]
        relative = "/".join(parts)
    elif relative in names.HOME_FILES:
        out.update(names.HOME_FILES[relative])
    prefix = ""
    for part in parts[:6]:
        prefix = f"{prefix}/{part}" if prefix else part
        if prefix in names.HOME_TREES:
            out.update(names.HOME_TREES[prefix])
    if parts and parts[0] == ".ssh":
        _add_ssh(out, relative[5:])


def _add_ssh(out: set[str], name: str) -> None:
    out.add("ssh_dir")
    if name == "":
        out.add("credential")
    elif name.endswith(".pub") or name.startswith("known_hosts"):
        out.add("known_hosts")
    elif name == "config" or name.startswith("config.d/"):
        out.add("ssh_config")
    elif name in ("authorized_keys", "authorized_keys2"):
        out.add("authorized_keys")
    elif not name.endswith(names.SAMPLE_SUFFIXES) and name not in ("environment", "rc"):
        out.add("ssh_private_key")


def _add_system_names(out: set[str], path: str, *, glob: bool) -> None:
    if not path.startswith("/"):
        if _has_drive(path):
            windows.add_classes(out, path)
        return
    if glob:
        _add_matches(out, names.SYSTEM_BY_PARTS, path[1:].split("/"))
    elif path in names.SYSTEM_FILES:
        out.update(names.SYSTEM_FILES[path])
    for prefix, classes in names.SYSTEM_PREFIXES.get(path.split("/", 2)[1], ()):
        if path.startswith(prefix):
            out.update(classes)
    if path.endswith(names.SOCKET_SUFFIXES) and path.startswith(("/run/", "/var/run/", "/var/lib/")):
        out.add("container_socket")


def _is_fixture(path: str, cwd: str, home: str) -> bool:
    """Whether ``path`` is test data of the project: named as such, below a cwd that is not a home."""
    if not cwd or cwd in (home, "/") or not path.startswith(f"{cwd}/"):
        return False
    return not names.FIXTURE_PARTS.isdisjoint(path[len(cwd) + 1 :].split("/")[:-1]) or not (
        names.FIXTURE_PARTS.isdisjoint(cwd.split("/")[-2:]) or _other_home(cwd) == ""
    )


def _add_names(out: set[str], path: str, *, glob: bool) -> None:
    head, _, base = path.rpartition("/")
    if glob and is_pattern(base):
        for name, classes in names.NAMES.items():
            if _glob_matches(base, name):
                out.update(classes)
        if _glob_matches(base, ".env"):
            out.add("env_file")
    elif base in names.NAMES:
        out.update(names.NAMES[base])
    if ".env" in base:
        _add_dotenv(out, base)
    if base.endswith(names.KEY_SUFFIXES) or (base.endswith(".pem") and ("key" in base or "priv" in base)):
        out.add("key_file")
    if ".git" in head:
        _add_git(out, path)
    elif base == ".git":
        out.add("git_dir")
    if base.startswith(names.SERVICE_ACCOUNTS) and base.endswith(".json"):
        words = re.split(r"[._-]", base)
        if names.ENV_SAMPLES.isdisjoint(words) and names.FIXTURE_PARTS.isdisjoint(words):
            out.add("cloud_credentials")
    if base in names.BROWSER_FILES and not names.BROWSER_PARTS.isdisjoint(head.split("/")):
        out.add("browser_store")
    if "skills" in path and not names.SKILL_DIRECTORIES.isdisjoint(path.split("/")):
        out.add("skill_dir")
    _add_defender(out, path, base, glob=glob)


def _add_defender(out: set[str], path: str, base: str, *, glob: bool) -> None:
    """Add what belongs to the guard of a workspace, by its names: where the workspace is may be unknown."""
    if "temporary" in out and "workspace" not in out:
        return
    parent = path.rpartition("/")[0].rpartition("/")[2]
    if (
        base.startswith(names.DEFENDER_PREFIXES)
        or not names.DEFENDER_DIRECTORIES.isdisjoint(path.split("/"))
        or (glob and any(_glob_matches(base, name) for name in names.DEFENDER_STATE))
    ):
        out.add("defender_state")
    elif any(parent == folder and base.startswith(name) for folder, name in names.DEFENDER_LOGS):
        out.add("defender_log")


def _add_dotenv(out: set[str], base: str) -> None:
    if base == ".envrc":
        out.add("env_file")
        return
    stem, _, suffix = base.partition(".env")
    words = set(re.split(r"[._-]", suffix)) | set(re.split(r"[._-]", stem))
    if suffix and suffix[0] not in "._-*?[":
        return
    if not names.ENV_SAMPLES.isdisjoint(words):
        out.discard("env_file")
        out.add("env_sample")
    elif not stem or not suffix:
        out.add("env_file")


def _add_git(out: set[str], path: str) -> None:
    parts = path.split("/")
    if ".git" not in parts:
        return
    out.add("git_dir")
    rest = parts[parts.index(".git") + 1 :]
    if rest[:1] == ["hooks"] and not path.endswith(names.SAMPLE_SUFFIXES):
        out.add("git_hook")
    elif (
        rest == ["config"]
        or rest == ["info", "attributes"]
        or (rest[:1] == ["modules"] and rest[-1] == "config")
    ):
        out.add("git_config")


def _is_named_secret(base: str) -> bool:
    """Whether a file name says that the file is data that holds secrets (``db-passwords.csv``)."""
    stem, _, extension = base.rpartition(".")
    if not stem:
        stem, extension = extension, ""
    if extension.lower() not in names.SECRET_EXTENSIONS:
        return False
    words = [word.lower() for word in names.WORD.findall(stem)]
    if not words:
        return False
    last, before = words[-1], words[-2] if len(words) > 1 else ""
    if last.startswith("token") and before in names.HARMLESS_TOKENS:
        return False
    return last in names.SECRET_WORDS or (last in ("key", "keys") and before == "api")


# ---- wildcards --------------------------------------------------------------------------------------


def _matches_any(pattern: str, candidates: frozenset[str]) -> bool:
    return any(_glob_matches(pattern, name) for name in candidates)


def _add_matches(out: set[str], table: names.ByParts, parts: list[str]) -> None:
    for first, entries in table.get(len(parts), {}).items():
        if _glob_matches(parts[0], first):
            for entry, classes in entries:
                if all(map(_glob_matches, parts[1:], entry)):
                    out.update(classes)


def _glob_matches(pattern: str, name: str) -> bool:
    """Whether a shell wildcard matches ``name``; a bracket or brace is taken as any one, or any, characters.

    Linear in ``len(pattern) * len(name)`` and without backtracking over more than one star.
    """
    if pattern == name:
        return True
    if not is_pattern(pattern) or len(pattern) > 128:
        return False
    if name.startswith(".") and pattern[0] in "*?[":
        return False
    tokens = _glob_tokens(pattern)
    p = n = mark = 0
    star = -1
    while n < len(name):
        if p < len(tokens) and tokens[p] == "*":
            star, mark = p, n
            p += 1
        elif p < len(tokens) and _one_matches(tokens[p], name[n]):
            p += 1
            n += 1
        elif star >= 0:
            mark += 1
            p, n = star + 1, mark
        else:
            return False
    return set(tokens[p:]) <= {"*"}


def _glob_tokens(pattern: str) -> list[str]:
    tokens: list[str] = []
    i = 0
    while i < len(pattern):
        char = pattern[i]
        end = pattern.find("]" if char == "[" else "}", i + 2) if char in "[{" else -1
        if end > 0:
            tokens.append("*" if char == "{" else pattern[i : end + 1])
            i = end + 1
        else:
            tokens.append(char)
            i += 1
    return tokens


def _one_matches(token: str, char: str) -> bool:
    if len(token) == 1:
        return token in ("?", char)
    body = token[1:-1]
    negated = body[:1] in ("!", "^")
    body = body[1:] if negated else body
    inside = body.startswith("[:") or char in body
    for i in range(1, len(body) - 1):
        if body[i] == "-" and body[i - 1] <= char <= body[i + 1]:
            inside = True
    return inside != negated
