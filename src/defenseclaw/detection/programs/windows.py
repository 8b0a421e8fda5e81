"""Programs of Windows and PowerShell, by the names they have on the command line.

Cmdlets take their parameters by any beginning that is not ambiguous (``-rec``, ``-fo``), programs theirs
behind a slash. Aliases are resolved where a PowerShell command line is read
(:mod:`defenseclaw.detection.windows`); some also stand here for the shells that run PowerShell programs.
"""

from __future__ import annotations

import re
import shlex
from base64 import b64decode
from collections.abc import Iterable
from typing import Final

from defenseclaw.detection.facts import UNKNOWN
from defenseclaw.detection.programs.base import Act, Describe, Grammar, Program, grammar, is_pathlike, is_url

_COMMON: Final = (
    "erroraction,ea= warningaction,wa= informationaction= errorvariable,ev= outvariable,ov= outbuffer,ob= "
    "verbose,vb debug,db confirm,cf whatif,wi"
)
_WHERE: Final = "path,pspath= literalpath,lp="
_CHOICE: Final = "filter= include= exclude= credential= "


def _cmdlet(spec: str = "") -> Grammar:
    """Return the grammar of a cmdlet: names with ``=`` when they take a value, each with its other names.

    Of two names with the same beginning, the one given first has it.
    """
    canonical: dict[str, str] = {}
    valued: set[str] = set()
    for group in f"{spec} {_COMMON}".split():
        names = group.rstrip("=").split(",")
        for name in names:
            for length in range(1, len(name) + 1):
                spelling = f"-{name[:length]}"
                if spelling not in canonical:
                    canonical[spelling] = f"-{names[0]}"
                    if group.endswith("="):
                        valued.add(spelling)
        for name in names:
            if canonical[f"-{name}"] != f"-{names[0]}":
                canonical[f"-{name}"] = f"-{names[0]}"
                (valued.add if group.endswith("=") else valued.discard)(f"-{name}")
    return Grammar(canonical, frozenset(valued), words=True)


_PREVIEWS: Final = frozenset({"-?", "/?"})
_NATIVE: Final = grammar(words=True)
_SWITCH: Final = re.compile(r"/[a-zA-Z?]{1,16}(?::.*)?", re.DOTALL).fullmatch
_PROVIDERS: Final = re.compile(
    r"(?:hk(?:cu|lm|cr|u|cc)|registry|env|variable|function|alias|cert|wsman):", re.I
).match


def _is_preview(act: Act) -> bool:
    if act.has("-whatif") and act.value("-whatif").lower() != "$false":
        act.preview()
        return True
    return False


def _places(act: Act) -> list[str]:
    """Return the paths among the words: of the parameters for them, and what is no switch."""
    named = [part for value in act.all("-path", "-literalpath") for part in _parts(value)]
    loose = [part for word in act.operands if _SWITCH(word) is None for part in _parts(word)]
    return [*named, *loose]


def _parts(word: str) -> list[str]:
    """Return the members of a list that a POSIX shell left as one word (``a,b``)."""
    return [part for part in word.split(",") if part] if "," in word and not is_url(word) else [word]


def _files(places: Iterable[str]) -> list[str]:
    return [place for place in places if _PROVIDERS(place) is None]


def _flags(act: Act) -> set[str]:
    """Return switches of cmd.exe's way among the words, lower case."""
    return {word.lower() for word in act.words if _SWITCH(word) is not None}


# ---- files ------------------------------------------------------------------------------------------


def _remove_item(act: Act) -> None:
    flags = _flags(act)
    act.does("delete")
    if act.has("-recurse") or "/s" in flags:
        act.is_("recursive")
    if (act.has("-force") and "-force:$false" not in {word.lower() for word in act.words}) or flags & {
        "/q",
        "/f",
    }:
        act.is_("force")
    places = _places(act)
    if any(map(_PROVIDERS, places)):
        act.does("config_change")
    act.touch("delete", _files(places))
    _is_preview(act)


def _get_content(act: Act) -> None:
    act.does("read")
    act.touch("read", _files(_places(act)), "stdout")


def _set_content(act: Act) -> None:
    access = "append" if act.program in ("add-content", "ac") or act.has("-append") else "write"
    act.does(access)
    named = act.all("-path", "-literalpath")
    act.touch(access, _files(named or act.operands[:1]), "sink")
    act.stdin = "file"
    if not _is_preview(act):
        act.args = "file"


def _clear_content(act: Act) -> None:
    act.does("write")
    act.is_("truncate")
    act.touch("write", _files(_places(act)))
    _is_preview(act)


def _copy_item(act: Act) -> None:
    words = _places(act)
    if act.program == "robocopy":
        words = words[:2]
    target = act.value("-destination") or (words[-1] if len(words) > 1 else "")
    move = act.program.startswith(("move", "mi", "ren"))
    act.does("move" if move else "copy", "read", "write")
    if act.program == "robocopy" and _flags(act) & {"/mir", "/purge"}:
        act.is_("sync_delete")
    if target in words:
        words.remove(target)
    act.touch("move" if move else "copy_from", _files(words), "from")
    act.touch("copy_to", _files([target]), "to")
    _is_preview(act)


def _new_item(act: Act) -> None:
    places = [*act.all("-path"), *act.operands[:1]]
    name = act.value("-name")
    if name and places:
        places = [f"{places[0]}/{name}"]
    kind = act.value("-itemtype").lower()
    if any(map(_PROVIDERS, places)):
        _registry(act)
        return
    if kind.endswith("link") or kind == "junction":
        act.touch("copy_from" if kind == "hardlink" else "link", act.all("-value"), "from")
        act.touch("write", places, "to")
        return
    if kind != "directory":
        act.does("write")
        act.touch("write", places)


def _listing(act: Act) -> None:
    act.does("list")
    places = _places(act)
    if any(place.lower().startswith("env:") for place in places):
        act.does("environment_read")
        act.emits.append("environment")
    act.touch("list", _files(places))


def _select_string(act: Act) -> None:
    act.does("read", "search")
    words = [part for word in act.operands for part in _parts(word)]
    act.touch(
        "search",
        [*act.all("-path", "-literalpath"), *(words if act.has("-pattern") else words[1:])],
        "stdout",
    )
    act.stdin = "pass"


def _findstr(act: Act) -> None:
    act.does("read", "search")
    words = [word for word in act.operands if _SWITCH(word) is None]
    named = [word[3:] for word in act.operands if word.lower().startswith(("/c:", "/g:"))]
    act.touch("search", words if named else words[1:], "stdout")
    act.stdin = "pass"


def _pass_on(act: Act) -> None:
    """Describe what hands its input on, changed at most in form."""
    act.stdin = act.args = "pass"


def _names_only(act: Act) -> None:
    """Describe what shows or checks names and texts, and opens nothing."""
    act.touch("metadata", _files(act.all("-path", "-literalpath")))


def _tee(act: Act) -> None:
    act.does("write")
    act.touch("write", [*act.all("-filepath", "-literalpath"), *act.operands[:1]], "sink")
    act.stdin = "pass"


def _archive(act: Act) -> None:
    act.does("read", "write")
    places = [*act.all("-path", "-literalpath"), *act.operands]
    target = act.value("-destinationpath") or (places[-1] if len(places) > 1 else "")
    act.touch("copy_from", [place for place in places if place != target], "from")
    act.touch("copy_to", [target], "to")


def _esentutl(act: Act) -> None:
    """``esentutl /y source /d target`` copies files that are in use."""
    words = [word for word in act.operands if _SWITCH(word) is None]
    if "/y" in _flags(act):
        act.does("copy", "read", "write")
        act.touch("copy_from", words[:1], "from")
        act.touch("copy_to", words[1:2], "to")


# ---- network ----------------------------------------------------------------------------------------


def _web(act: Act) -> None:
    named = act.all("-uri", "-source") if act.program == "start-bitstransfer" else act.all("-uri")
    addresses = [*named, *(word for word in act.operands if is_url(word))]
    if not addresses:
        addresses = [word for word in act.operands[:1] if "." in word and not is_pathlike(word)]
    sends = act.has("-infile", "-body", "-form") or act.value("-method").upper() in ("POST", "PUT", "PATCH")
    sends = sends or act.value("-transfertype").lower() == "upload"
    if act.value("-method").upper() == "DELETE":
        act.is_("remote_delete")
    act.does("upload" if sends else "fetch")
    if sends:
        act.is_("request_body")
    for address in addresses:
        if is_url(address) or act.program != "start-bitstransfer":
            act.talk("upload" if sends else "download", address, "https")
    act.touch("read", act.all("-infile"), "upload")
    if act.program == "start-bitstransfer":
        targets = [*act.all("-destination"), *(word for word in act.operands if not is_url(word))]
        act.touch("read" if sends else "write", targets, "upload" if sends else "download")
        return
    act.touch("write", act.all("-outfile"), "download")
    act.args = act.stdin = "network"
    if act.has("-skipcertificatecheck"):
        act.is_("insecure_tls")
    if not act.has("-outfile"):
        act.emits.append("network")


def _bitsadmin(act: Act) -> None:
    words = [word for word in act.operands if _SWITCH(word) is None]
    addresses = [word for word in words if is_url(word)]
    sends = "/upload" in _flags(act)
    if not addresses:
        return
    act.does("upload" if sends else "fetch", "write")
    for address in addresses:
        act.talk("upload" if sends else "download", address)
    after = words[words.index(addresses[0]) + 1 :]
    act.touch("read" if sends else "write", after[:1], "upload" if sends else "download")


def _mail(act: Act) -> None:
    act.does("upload")
    act.talk("upload", act.value("-smtpserver"), "smtp", 25)
    act.touch("read", act.all("-attachments"), "upload")
    act.args = act.stdin = "network"


def _tcp_client(act: Act) -> None:
    """Describe a socket that a script makes; what is read from it comes out, what is written goes there."""
    port = act.operand(1)
    act.does("connect")
    act.is_("socket_code")
    act.talk("connect", act.operand(0), "tcp", int(port) if port.isdigit() and len(port) < 6 else 0)
    act.stdin = act.args = "network"
    act.emits.append("network")
    if act.has("-shell"):
        act.is_("shell_to_network")


def _resolve(act: Act) -> None:
    name = act.value("-name") or act.operand(0)
    act.does("connect")
    act.talk("dns", name)
    if UNKNOWN in name and "." in name:
        act.is_("dns_dynamic")


# ---- what runs something ----------------------------------------------------------------------------


def _invoke(act: Act) -> None:
    act.does("execute")
    act.is_("interpreter", "shell", "stdin_code")
    act.language = "powershell"
    act.code = act.value("-command") or " ".join(act.operands)
    act.stdin = act.args = "code"
    if UNKNOWN in act.code:
        act.is_("dynamic_code")


def _assembly(act: Act) -> None:
    """Describe what loads a library of .NET into the shell: by a name, from a file, or from bytes at hand."""
    act.does("execute")
    act.is_("interpreter", "stdin_code")
    act.stdin = act.args = "code"
    act.touch("execute", [word for word in act.operands[:1] if is_pathlike(word.replace("\\", "/"))], "code")


_LAUNCH: Final = (
    ("encodedcommand", "ec"),
    ("executionpolicy", "ex", "ep"),
    ("command", "c"),
    ("commandwithargs", "cwa"),
    ("configurationname",),
    ("configurationfile",),
    ("custompipename",),
    ("file", "f"),
    ("windowstyle", "w"),
    ("workingdirectory", "wo", "wd"),
    ("inputformat", "inp", "if"),
    ("outputformat", "o", "of"),
    ("psconsolefile",),
    ("settingsfile",),
    ("version", "v"),
)
"""Options of the program itself that take a value, the first of those with the same beginning first."""


def _launch_option(word: str) -> str:
    """Return the name of an option that takes a value, in full; empty for any other."""
    name = word[1:].lower()
    for names in _LAUNCH:
        if name and (name in names or names[0].startswith(name)):
            return names[0]
    return ""


def _powershell(act: Act) -> None:
    act.is_("interpreter", "shell")
    act.does("execute")
    act.language = "powershell"
    act.args = "code"
    kind, value, rest = _launched(act.words)
    if kind == "encodedcommand":
        act.is_("encoded_command", "inline_code", "runs_decoded")
        act.code = _decoded(value)
    elif kind == "file":
        if value == "-":
            act.is_("stdin_code")
            act.stdin = "code"
        else:
            act.is_("script_file")
            act.touch("execute", [value], "code")
    elif kind == "command" and value != "-":
        act.is_("inline_code")
        act.code = " ".join([value, *rest])
    else:
        act.is_("stdin_code")
        act.stdin = "code"
    if act.code:
        act.nested.append(act.code)


def _launched(words: tuple[str, ...]) -> tuple[str, str, tuple[str, ...]]:
    """Return what ``powershell`` is asked to run: ``command``, ``file``, ``encodedcommand`` or nothing."""
    at = 0
    while at < len(words):
        word = words[at]
        if len(word) < 2 or word[0] not in "-/\u2013\u2014\u2015" or word.count("/") > 1:
            # Windows PowerShell takes it for a command, PowerShell 7 for a file.
            script = word.lower().endswith((".ps1", ".psm1"))
            return ("file" if script else "command"), word, words[at + 1 :]
        option = _launch_option(word)
        following = words[at + 1] if at + 1 < len(words) else ""
        if option in ("command", "commandwithargs", "file", "encodedcommand"):
            kind = "command" if option == "commandwithargs" else option
            return kind, following, words[at + 2 :]
        at += 2 if option else 1
    return "", "", ()


def _decoded(text: str) -> str:
    """Return the command line of ``-EncodedCommand``: base64 of UTF-16; empty when it is neither."""
    try:
        return b64decode(text + "=" * (-len(text) % 4), validate=True).decode("utf-16-le")
    except ValueError:
        return ""


def _cmd(act: Act) -> None:
    act.is_("interpreter", "shell")
    act.does("execute")
    act.language = "cmd"
    act.args = "code"
    for at, word in enumerate(act.words):
        # A shell of git for Windows needs the slash doubled.
        switch = word.lower().replace("//", "/")
        if switch[:2] in ("/c", "/k", "/r") and len(switch) < 64:
            act.is_("inline_code")
            glued = word[word.lower().index(switch[1]) + 1 :]
            act.code = " ".join([*([glued] if glued else []), *act.words[at + 1 :]])
            act.nested.append(act.code)
            return
    act.is_("stdin_code")
    act.stdin = "code"


def _start(act: Act) -> None:
    act.does("execute")
    program = act.value("-filepath") or act.operand(0)
    words = [
        program,
        *act.all("-argumentlist"),
        *(act.operands if act.has("-filepath") else act.operands[1:]),
    ]
    if act.value("-verb").lower() == "runas":
        act.does("privilege")
    if is_url(program):
        act.talk("connect", program)
        return
    if program.replace("\\", "/").startswith((".", "/")) or program[1:2] == ":":
        act.touch("execute", [program], "code")
    act.language = "cmd"
    act.nested.append(" ".join(words))


def _linux(act: Act) -> None:
    """``wsl`` runs its words by a shell of the Linux beside this Windows."""
    if act.has("--export", "--import", "--unregister"):
        return
    words = [*act.all("-e"), *act.operands]
    if words:
        act.does("execute")
        act.language = "sh"
        act.nested.append(shlex.join(words))


def _nested_command(act: Act) -> None:
    """Describe programs that run a command line in one of their words."""
    words = list(act.words)
    lowered = [word.lower() for word in words]
    text = ""
    if act.program == "forfiles" and "/c" in lowered:
        text = " ".join(words[lowered.index("/c") + 1 : lowered.index("/c") + 2])
    elif act.program == "wmic" and "call" in lowered and "create" in lowered:
        text = " ".join(words[lowered.index("create") + 1 :])
    elif act.program == "wmic" and "delete" in lowered and any("shadowcopy" in word for word in lowered):
        act.does("delete", "disk_write")
        act.is_("backup_lost")
    elif act.program == "runas":
        act.does("privilege")
        text = words[-1] if words and not words[-1].startswith("/") else ""
    elif act.program in _INSTANCE_CALLS and "create" in lowered and "win32_process" in lowered:
        text = act.value("-argumentlist") or act.value("-arguments") or act.operand(2)
    if text:
        act.does("execute")
        act.language = "cmd"
        act.nested.append(text.strip("'\""))


_INSTANCE_CALLS: Final = ("invoke-wmimethod", "invoke-cimmethod")


def _proxy(act: Act) -> None:
    """Describe programs of the system that run what they are told to, from anywhere."""
    text = " ".join(act.words)
    found = re.search(r"https?://[^\s'\")]{1,2048}", text)
    if found is not None and act.program == "rundll32" and _OPENS_PAGE(text) is not None:
        act.talk("connect", found[0])
    elif found is not None:
        act.does("fetch", "execute")
        act.talk("download", found[0])
        act.is_("runs_download")
    elif re.match(r"\s*['\"]?(?:javascript|vbscript):", text, re.I):
        act.does("execute")
        act.is_("inline_code", "interpreter")
        act.code = text
    elif act.program == "rundll32" and re.search(
        r"comsvcs(?:\.dll)?[\s,\"']+(?:minidump|#\+?0*24)", text, re.I
    ):
        act.does("read")
        act.is_("attack_tool")
    else:
        act.does("execute")
        act.touch(
            "execute", [_split_entry(word) for word in act.operands[:1] if _SWITCH(word) is None], "code"
        )


_OPENS_PAGE: Final = re.compile(r"\s*\"?url(?:\.dll)?[\s,]+(?:fileprotocolhandler|openurl)", re.I).match
"""What programs call to show a page in the browser."""


def _split_entry(word: str) -> str:
    return word.partition(",")[0]


# ---- settings and persistence -----------------------------------------------------------------------

_HIVE: Final = re.compile(r"(?:hklm|hkey_local_machine):?[\\/]+(sam|security|system)\b[\\/]*\Z", re.I)
_PERSISTENT_KEYS: Final = re.compile(
    r"(?i)[\\/]currentversion[\\/](?:run|runonce|runonceex|runservices|runservicesonce|"
    r"policies[\\/]explorer[\\/]run)(?:[\\/\s]|\Z)"
    r"|[\\/]image file execution options[\\/]|[\\/]silentprocessexit[\\/]"
    r"|[\\/]active setup[\\/]installed components"
    r"|[\\/]shell folders(?:[\\/\s]|\Z)|[\\/]ms-settings[\\/]shell|[\\/]mscfile[\\/]shell"
    r"|[\\/]command processor\b"
)
_PERSISTENT_VALUES: Final = re.compile(
    r"(?i)[\\/]winlogon\b.*\b(?:shell|userinit|taskman|notify|gpextensions)\b"
    r"|[\\/]services[\\/].*\b(?:imagepath|servicedll|failurecommand)\b"
    r"|[\\/]windows nt[\\/]currentversion[\\/]windows\b.*\b(?:appinit_dlls|load|run)\b"
    r"|[\\/]session manager\b.*\b(?:bootexecute|appcertdlls)\b"
    r"|[\\/]control[\\/]lsa\b.*\b(?:security packages|authentication packages|notification packages)\b"
    r"|[\\/]environment\b.*\buserinitmprlogonscript\b|\bautorun\b"
)
_MAX_REGISTRY: Final = 8192


def _registry(act: Act) -> None:
    words = " ".join(act.words)[:_MAX_REGISTRY]
    verb = act.operand(0).lower()
    if act.program == "reg":
        hive = _HIVE.search(act.operand(1))
        if verb in ("save", "export") and hive is not None:
            act.does("read", "copy")
            act.touch("copy_from", [f"C:/Windows/System32/config/{hive[1]}"], "from")
            act.touch("copy_to", act.operands[2:3], "to")
            return
        if verb in ("query", "export", "compare", "save"):
            act.does("read")
            return
        if verb == "delete":
            act.does("config_change")
            return
    elif not any(map(_PROVIDERS, [*_places(act), *act.all("-path", "-literalpath")])):
        return
    act.does("config_change")
    if _PERSISTENT_KEYS.search(words) or _PERSISTENT_VALUES.search(words):
        act.does("schedule")
        act.is_("autostart_key")
    _is_preview(act)


def _scheduled(act: Act) -> None:
    words = {word.lower() for word in act.words}
    if act.program.startswith(("register", "new-service")) or words & {"/create", "-create", "/change"}:
        act.does("schedule")
        act.is_("schedule_install")
    elif "/delete" in words:
        act.does("schedule")
        act.is_("schedule_remove")
    _is_preview(act)


def _services(act: Act) -> None:
    """Describe cmdlets that stop or disable services; starting one changes nothing that stays."""
    names = [word.lower() for word in (*act.operands, *act.all("-name"))]
    if act.program == "set-service" and "disabled" not in {word.lower() for word in act.words}:
        return
    act.does("process_kill")
    act.is_("service_stop")
    if not _GUARDS.isdisjoint(names):
        act.is_("firewall_off")
    if any("defenseclaw" in name for name in names):
        act.is_("self_stop")


_GUARDS: Final = frozenset(
    {"windefend", "mpssvc", "wscsvc", "eventlog", "securityhealthservice", "sense", "wdnissvc", "bfe"}
)
"""Services that guard the machine."""


def _permissions(act: Act) -> None:
    act.does("permission_change")
    text = " ".join(act.words).lower()
    if re.search(
        r"(?:everyone|\*s-1-1-0):\(?(?:oi|ci|\)|\()*(?:f|m|w)\b|everyone:.*[fmw]", text[:_MAX_REGISTRY]
    ):
        act.is_("world_writable")
    if act.program == "takeown" or "/setowner" in text:
        act.is_("owner_change")
    places = [word for word in act.operands[:1] if not word.startswith("/")] or act.all("-path")
    if act.program == "takeown" and "/f" in text.split():
        lowered = [word.lower() for word in act.words]
        at = lowered.index("/f") + 1
        places = list(act.words[at : at + 1])
    act.touch("permission", places)


def _certutil(act: Act) -> None:
    text = " ".join(act.words).lower()
    words = [word for word in act.operands if _SWITCH(word) is None]
    if "urlcache" in text or "verifyctl" in text:
        act.does("fetch", "write")
        for word in words:
            if is_url(word):
                act.talk("download", word)
        act.touch("write", [word for word in words if not is_url(word)][-1:], "download")
    elif "decode" in text:
        act.does("decode", "read", "write")
        act.transform = True
        act.touch("read", words[:1], "from")
        act.touch("write", words[1:2], "to")
    elif "addstore" in text:
        act.does("config_change")
        if re.search(r"\broot\b", text):
            act.is_("trust_anchor")
    elif "encode" in text:
        act.does("read", "write")
        act.touch("copy_from", words[:1], "from")
        act.touch("copy_to", words[1:2], "to")


def _account(act: Act) -> None:
    text = " ".join(act.words).lower()
    if act.program in ("net", "net1") and not ("/add" in text or "/delete" in text):
        if " stop " in f" {text} ":
            act.is_("service_stop")
            act.does("process_kill")
            if not _GUARDS.isdisjoint(text.split()):
                act.is_("firewall_off")
        return
    act.does("account_change")
    if re.search(r"administrators|remote desktop users|domain admins|enterprise admins", text):
        act.is_("privileged_group")


def _stop_process(act: Act) -> None:
    act.does("process_kill")
    lowered = " ".join(act.words).lower()
    if re.search(r"-name \*|/im \*(?:\s|$)|\*", lowered):
        act.is_("kill_all")
    if act.has("-force") or re.search(r"-force|/f\b", lowered):
        act.is_("kill_force")
    if "defenseclaw" in lowered:
        act.is_("self_stop")


def _destroy(act: Act) -> None:
    text = " ".join(act.words).lower()
    if act.program in ("format", "format-volume", "clear-disk", "initialize-disk", "remove-partition"):
        act.does("disk_write")
        if act.program != "format" or act.operand(0)[1:2] == ":":
            act.is_("volume_formatted")
        act.touch("write", [word for word in act.operands[:1] if not word.startswith("/")])
    elif act.program == "diskpart":
        act.does("disk_write")
    elif re.search(r"delete|resize shadowstorage|recoveryenabled no|ignoreallfailures|/w:", text):
        act.does("delete", "disk_write")
        act.is_("force")
        if act.program in ("vssadmin", "wbadmin"):
            act.is_("backup_lost")
    _is_preview(act)


def _logs(act: Act) -> None:
    text = " ".join(act.words).lower()
    if act.program in ("clear-eventlog", "remove-eventlog") or re.search(r"\bcl\b|clear-log", text):
        act.is_("log_clear")
    _is_preview(act)


def _policy(act: Act) -> None:
    text = " ".join(act.words).lower()
    act.does("config_change")
    if act.program in ("set-mppreference", "add-mppreference") and re.search(r"disable\w+|exclusion", text):
        off = re.search(r"disable\w+[\s:]+(?:\$?false|0)\b", text)
        if off is None or "exclusion" in text:
            act.is_("firewall_off")
    if act.program == "netsh" and re.search(r"state off|opmode\s*(?:=\s*)?disable", text):
        act.is_("firewall_off")
    if act.program == "set-netfirewallprofile" and re.search(r"-enabled[\s:]+(?:\$?false|0)", text):
        act.is_("firewall_off")


def _power(act: Act) -> None:
    act.is_("power_off")
    _is_preview(act)


def _environment(act: Act) -> None:
    """``set`` of cmd.exe without words shows every variable; with words the shell itself took them in."""
    if not act.words:
        act.does("environment_read")
        act.emits.append("environment")


def _rows(rules: Grammar, describe: Describe, *names: str) -> dict[str, Program]:
    return {name: Program(rules, describe, _PREVIEWS) for name in names}


_ITEM: Final = _cmdlet(f"recurse force {_WHERE} {_CHOICE} stream=")
_READ: Final = _cmdlet(
    f"{_WHERE} raw {_CHOICE} totalcount,first,head= tail,last= encoding= readcount= wait force "
    "delimiter= stream="
)
_WRITE: Final = _cmdlet(
    f"{_WHERE} value= {_CHOICE} encoding= force nonewline append filepath= noclobber width= "
    "inputobject= stream="
)
_COPY: Final = _cmdlet(f"{_WHERE} destination= {_CHOICE} recurse force container newname= passthru")
_WEB: Final = _cmdlet(
    "uri= outfile= infile= method= body= headers= form= contenttype= useragent= credential= usebasicparsing "
    "usedefaultcredentials sessionvariable,sv= websession= timeoutsec= proxy= skipcertificatecheck "
    "passthru token= "
    "authentication= source= destination= transfertype= maximumredirection= certificate= "
    "displayname= asynchronous"
)
_LIST: Final = _cmdlet(
    f"{_WHERE} {_CHOICE} recurse force name depth= directory,ad file,af hidden,h attributes="
)
_PROPERTY: Final = _cmdlet(
    f"{_WHERE} name,psproperty= value= propertytype,type= itemtype= target= {_CHOICE} force"
)
_ANY: Final = _cmdlet(
    f"{_WHERE} name= id= value= command= filepath= argumentlist,args= arguments= verb= group= member= force "
    "pattern= inputobject= destinationpath= smtpserver= attachments,data= to= from= subject= body= property= "
    "expandproperty= first= last= simplematch allmatches windowstyle= nonewwindow wait passthru "
    "workingdirectory= drive= driveletter= number= recurse update compressionlevel= class= namespace= "
    f"computername,cn= scriptblock= variable= {_CHOICE}"
)

PROGRAMS: Final[dict[str, Program]] = {
    "powershell": Program(
        _NATIVE, _powershell, frozenset({"-?", "-help", "--help", "-version", "--version"})
    ),
    "pwsh": Program(
        _NATIVE, _powershell, frozenset({"-?", "-help", "--help", "-version", "--version", "-v"})
    ),
    "cmd": Program(_NATIVE, _cmd, frozenset({"/?"})),
    **_rows(_ITEM, _remove_item, "remove-item", "ri", "rd", "del", "erase"),
    **_rows(_READ, _get_content, "get-content", "gc"),
    **_rows(
        _WRITE, _set_content, "set-content", "sc-content", "add-content", "ac", "out-file", "export-clixml"
    ),
    **_rows(_ITEM, _clear_content, "clear-content", "clear-item"),
    **_rows(
        _COPY,
        _copy_item,
        "copy-item",
        "cpi",
        "move-item",
        "mi",
        "rename-item",
        "copy",
        "xcopy",
        "robocopy",
        "move",
    ),
    **_rows(_LIST, _listing, "get-childitem", "gci", "get-item"),
    **_rows(_PROPERTY, _new_item, "new-item"),
    **_rows(_ANY, _select_string, "select-string", "sls"),
    **_rows(_NATIVE, _findstr, "findstr"),
    **_rows(
        _ANY,
        _pass_on,
        *("where-object", "select-object", "sort-object", "foreach-object", "out-string", "convertto-json"),
        *("convertfrom-json", "get-unique", "write-output", "convertto-csv", "out-default", "format-hex"),
    ),
    **_rows(
        _ANY,
        _names_only,
        *(
            "test-path",
            "resolve-path",
            "convert-path",
            "split-path",
            "join-path",
            "set-location",
            "push-location",
        ),
        *(
            "get-acl",
            "get-itemproperty",
            "get-itempropertyvalue",
            "write-host",
            "write-error",
            "write-verbose",
        ),
        *(
            "get-command",
            "get-location",
            "new-object",
            "set-variable",
            "new-variable",
            "out-null",
            "set-alias",
        ),
        *("get-variable", "set-item", "get-process", "get-service", "measure-object", "compare-object"),
    ),
    **_rows(_ANY, _tee, "tee-object"),
    **_rows(_ANY, _services, "stop-service", "set-service", "remove-service"),
    **_rows(_ANY, _archive, "compress-archive", "expand-archive"),
    **_rows(_NATIVE, _esentutl, "esentutl"),
    **_rows(_WEB, _web, "invoke-webrequest", "iwr", "invoke-restmethod", "irm", "start-bitstransfer"),
    **_rows(_NATIVE, _bitsadmin, "bitsadmin"),
    **_rows(_ANY, _mail, "send-mailmessage"),
    **_rows(_cmdlet("shell"), _tcp_client, "tcpclient"),
    **_rows(_ANY, _resolve, "resolve-dnsname"),
    **_rows(_ANY, _invoke, "invoke-expression", "iex"),
    **_rows(_NATIVE, _assembly, "load-assembly"),
    **_rows(_ANY, _start, "start-process", "saps"),
    "wsl": Program(
        grammar(
            "-d,--distribution= -u,--user= --cd= -e,--exec=! --shell-type= --list,-l --status --shutdown "
            "--update --terminate,-t= --set-default,-s= --export --import --install --system --unregister=",
            stop=True,
        ),
        _linux,
    ),
    **_rows(_ANY, _nested_command, "forfiles", "wmic", "runas", *_INSTANCE_CALLS),
    **_rows(_NATIVE, _proxy, "mshta", "rundll32", "regsvr32", "msiexec", "wscript", "cscript", "installutil"),
    **_rows(_ANY, _stop_process, "stop-process", "spps", "taskkill", "tskill"),
    **_rows(_PROPERTY, _registry, "reg", "set-itemproperty", "new-itemproperty"),
    **_rows(_ANY, _scheduled, "schtasks", "register-scheduledtask", "new-service", "register-scheduledjob"),
    **_rows(_ANY, _permissions, "icacls", "cacls", "takeown", "set-acl"),
    **_rows(_NATIVE, _certutil, "certutil"),
    **_rows(_ANY, _account, "net", "net1", "add-localgroupmember", "add-adgroupmember", "new-localuser"),
    **_rows(
        _ANY,
        _destroy,
        *(
            "format",
            "format-volume",
            "clear-disk",
            "initialize-disk",
            "remove-partition",
            "diskpart",
            "vssadmin",
        ),
        *("bcdedit", "wbadmin", "cipher"),
    ),
    **_rows(_ANY, _logs, "wevtutil", "clear-eventlog", "remove-eventlog"),
    **_rows(
        _ANY,
        _policy,
        "set-executionpolicy",
        "set-mppreference",
        "add-mppreference",
        "netsh",
        "set-netfirewallprofile",
    ),
    **_rows(_ANY, _power, "stop-computer", "restart-computer"),
}
